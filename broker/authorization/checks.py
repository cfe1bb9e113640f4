"""What is checked of an authorization request, in which order, at which endpoint (RFC 9126 §2.1, FAPI 2.0 §5.3.2.2).

Read the table down for the order and across for the endpoint. A check returns the members of the request it vouches for, or
raises the refusal the endpoint sends.
"""

import contextlib
import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from broker.authorization import (
    backchannel,
    claims_parameter,
    details,
    elsewhere,
    grant_management,
    hints,
    pkce,
    prompt,
    redirect_uri,
    resource,
    response,
    sign_in,
    words,
)
from broker.authorization.request import AuthorizationRequest, Unchecked, WayBack
from broker.clients import profile
from broker.errors import Wire
from consent import request as data_request
from consent.decision import NEVER_REMEMBERED

Members = Mapping[str, Any]
Check = Callable[[Unchecked], Members]

MAX_SECONDS = 999_999_999  # of `max_age`: thirty years mean the same as any longer time

_VISIBLE = re.compile(r"[\x20-\x7e]+", re.ASCII)
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,8}", re.ASCII)
_SECONDS = re.compile(r"[0-9]+", re.ASCII)


class At(Enum):
    """Where a request arrived."""

    AUTHORIZE = "A"
    PUSH = "P"
    DEVICE = "D"
    BACKCHANNEL = "C"


def no_request_uri(asked: Unchecked) -> Members:
    """A pushed request is the request, it cannot point to another (RFC 9126 §2.1)."""
    if "request_uri" in asked.parameters:
        raise Wire("invalid_request", "request_uri cannot be pushed")
    return {}


def signed_where_registered(asked: Unchecked) -> Members:
    """A client that registered to sign its requests does (RFC 9101 §10.5); self-registration is not supported (Core §7.2.1)."""
    if asked.client.require_signed_request_object and not asked.signed:
        raise Wire("invalid_request", "this client signs its requests: request is missing")
    if "registration" in asked.parameters:
        raise Wire("registration_not_supported", "the registration parameter is not supported")
    return {}


def client_is_who_asks(asked: Unchecked) -> Members:
    """`client_id` is the client that authenticated, and may use this flow (RFC 9126 §2.1, RFC 6749 §4.1.2.1)."""
    if asked.parameters.get("client_id") != asked.client.client_id:
        raise Wire("invalid_request", "client_id is missing or not the client that authenticated")
    if not asked.client.may_use("authorization_code"):
        raise Wire("unauthorized_client", "the client is not registered for this flow")
    return {"client_id": asked.client.client_id}


def response_type_is_code(asked: Unchecked) -> Members:
    """The code flow and no other (RFC 9700 §2.1.2)."""
    if "response_type" not in asked.parameters:
        raise Wire("invalid_request", "response_type is required")
    if asked.parameters["response_type"] != "code":
        raise Wire("unsupported_response_type", "response_type must be code")
    return {}


def registered_redirect_uri(asked: Unchecked) -> Members:
    """Exactly one of the registered redirect URIs (RFC 9700 §2.1)."""
    try:
        return {"redirect_uri": redirect_uri.check(asked.client, asked.parameters.get("redirect_uri"))}
    except ValueError as refused:
        raise Wire("invalid_request", str(refused)) from refused


def registered_response_mode(asked: Unchecked) -> Members:
    """How the response travels: in the query or a form, signed where the client registered it (JARM §2.3, Form Post §2)."""
    try:
        mode, alg = response.check_mode(asked.client, asked.parameters.get("response_mode"))
    except ValueError as refused:
        raise Wire("invalid_request", str(refused)) from refused
    return {"response_mode": mode, "response_alg": alg, "response_to": None if alg is None else asked.response_to}


def scope_with_openid(asked: Unchecked) -> Members:
    """A list of scope values with `openid` among them; what means nothing here is not granted (RFC 6749 §3.3, Core §3.1.2.1)."""
    scope = words.read(asked, "scope", words.SCOPE_TOKEN)
    if "openid" not in scope:
        raise Wire("invalid_scope", "scope must contain openid")
    known = {"openid", *grant_management.words(asked.client, scope), *words.offline(asked.client, scope)}
    return {"scope": tuple(word for word in scope if word in known or data_request.spells(word, asked.uses))}


def state_and_nonce(asked: Unchecked) -> Members:
    """Values the client gets back character for character, however long; `state` is visible ASCII (RFC 6749 A.5)."""
    if not _VISIBLE.fullmatch(asked.parameters.get("state", " ")):
        raise Wire("invalid_request", "state must be visible ASCII characters")
    return {"state": asked.parameters.get("state"), "nonce": asked.parameters.get("nonce")}


def s256_challenge_or_secret(asked: Unchecked) -> Members:
    """A PKCE challenge; a `baseline` client that authenticates may do without one (OpenID Connect Core §3.1.2.1, RFC 9700 §2.1.1)."""
    none_given = not {"code_challenge", "code_challenge_method"} & set(asked.parameters)
    if none_given and profile.may_leave_out_pkce(asked.client):
        return {"code_challenge": None}
    return s256_challenge(asked)


def s256_challenge(asked: Unchecked) -> Members:
    """A PKCE challenge made with S256 (RFC 7636 §4.4.1)."""
    parameters = asked.parameters
    try:
        challenge = pkce.check_challenge(parameters.get("code_challenge"), parameters.get("code_challenge_method"))
    except ValueError as refused:
        raise Wire("invalid_request", str(refused)) from refused
    return {"code_challenge": challenge}


def one_dpop_key(asked: Unchecked) -> Members:
    """The key the code will be bound to: `dpop_jkt`, a proof, or both and the same (RFC 9449 §10, §10.1)."""
    named = asked.parameters.get("dpop_jkt")
    if named is not None and not _THUMBPRINT.fullmatch(named):
        raise Wire("invalid_request", "dpop_jkt is not a key thumbprint")
    if named is not None and asked.proof_jkt is not None and named != asked.proof_jkt:
        raise Wire("invalid_dpop_proof", "dpop_jkt is not the key of the proof")
    return {"dpop_jkt": named or asked.proof_jkt}


def known_prompt(asked: Unchecked) -> Members:
    """Known values; `none` stands alone (OpenID Connect Core §3.1.2.1)."""
    try:
        return {"prompt": prompt.check(words.read(asked, "prompt", words.SCOPE_TOKEN))}
    except ValueError as refused:
        raise Wire("invalid_request", str(refused)) from refused


def max_age(asked: Unchecked) -> Members:
    """Seconds since the person last signed in, or what the client registered (OpenID Connect Core §3.1.2.1)."""
    value = asked.parameters.get("max_age")
    if value is None:
        return {"max_age": asked.client.default_max_age}
    if not _SECONDS.fullmatch(value):
        raise Wire("invalid_request", "max_age must be a number of seconds")
    return {"max_age": int(value) if len(value) <= len(str(MAX_SECONDS)) else MAX_SECONDS}


def acr_values(asked: Unchecked) -> Members:
    """Wished levels of assurance, or what the client registered (OpenID Connect Core §3.1.2.1)."""
    return {"acr_values": words.read(asked, "acr_values", words.SCOPE_TOKEN) or asked.client.default_acr_values}


def claims(asked: Unchecked) -> Members:
    """Single claims, and what they say of the sign-in: the level that must be reached, its time (Core §5.5, §5.5.1.1)."""
    read = asked.claims
    level = {"acr_values": read.acr, "acr_essential": read.acr_essential} if read.acr else {}
    return {**level, "auth_time": read.auth_time, "claims": read.kept}


def hint(asked: Unchecked) -> Members:
    """Who the person may be, or must be (OpenID Connect Core §3.1.2.1 `login_hint`, `id_token_hint`); kept sealed."""
    try:
        return {"hint": hints.read(asked)}
    except ValueError as problem:
        raise Wire("invalid_request", str(problem)) from problem


def locales(asked: Unchecked) -> Members:
    """Wished languages (OpenID Connect Core §3.1.2.1, §5.2); what is no language is passed over, as the section asks."""
    return {
        name: tuple(word for word in words.read(asked, name, None) if _LANGUAGE.fullmatch(word))
        for name in ("ui_locales", "claims_locales")
    }


def known_resources(asked: Unchecked) -> Members:
    """Resources, when named, are this server or others the client may call (RFC 8707 §2)."""
    return {"resources": resource.asked(asked.client, asked.issuer, asked.parameters.all("resource"))}


def own_grant(asked: Unchecked) -> Members:
    """The grant to be made, added to or replaced is this client's and live (Grant Management §5.2, §5.4)."""
    action, grant_id = grant_management.read(asked)
    return {"grant_action": action, "grant_id": grant_id}


def within_the_use(asked: Unchecked) -> Members:
    """What is asked for, in every spelling, lies within the use the agency registered (RFC 9396 §5; `consent.request`)."""
    scope, uses = words.read(asked, "scope", words.SCOPE_TOKEN), asked.uses
    if sign_in.asks(asked, scope):
        return _sign_in_alone(asked, scope)
    spelled = [details.read(asked.parameters["authorization_details"], asked.issuer)] if _detailed(asked) else []
    spelled.append(claims_parameter.narrowing(asked.claims, uses.claims, uses.bundles))
    data = data_request.normalise(scope, uses, asked.client.client_id, spelled)
    if data is None:
        raise Wire("invalid_scope", "scope must name the intended use: use:<id>")
    if not profile.may_ask_for_data(asked.client, asked.mode):
        raise Wire("unauthorized_client", "data beyond sub needs the profile fapi2")
    return {"data": grant_management.widened(asked, data, uses.get(data.use_id))}


def _sign_in_alone(asked: Unchecked, scope: tuple[str, ...]) -> Members:
    data, granted = sign_in.data(asked, scope)
    if data.items and not profile.may_ask_for_data(asked.client, asked.mode):
        raise Wire("unauthorized_client", "data beyond sub needs the profile fapi2")
    wide = grant_management.widened(asked, data, asked.uses.get(data.use_id))
    more = *words.offline(asked.client, scope), *grant_management.words(asked.client, scope)
    return {"data": wide, "scope": (*granted, *more)}


def _detailed(asked: Unchecked) -> bool:
    return "authorization_details" in asked.parameters


def nothing_too_sensitive(asked: Unchecked) -> Members:
    """What is too sensitive to be remembered is not shared by a code that somebody else may have sent (BCP 247)."""
    use = asked.uses.get(within_the_use(asked)["data"].use_id)
    if any(item.sensitivity >= NEVER_REMEMBERED for item in use.items):
        raise Wire("invalid_scope", "this use cannot be asked for by a device")
    return {}


A, P, D, C = At.AUTHORIZE, At.PUSH, At.DEVICE, At.BACKCHANNEL

# fmt: off
CHECKS: list[tuple[Check, set[At]]] = [
    (no_request_uri,            {   P      }),
    (elsewhere.no_request,      {      D   }),
    (signed_where_registered,   {A, P      }),
    (client_is_who_asks,        {A, P      }),
    (elsewhere.for_devices,     {      D   }),
    (elsewhere.for_backchannel, {         C}),
    (registered_redirect_uri,   {A, P      }),
    (response_type_is_code,     {A, P      }),
    (registered_response_mode,  {A, P      }),
    (scope_with_openid,         {A, P, D, C}),
    (state_and_nonce,           {A, P      }),
    (s256_challenge,            {   P      }),
    (s256_challenge_or_secret,  {A         }),
    (one_dpop_key,              {A, P, D, C}),
    (known_prompt,              {A, P      }),
    (max_age,                   {A, P, D, C}),
    (acr_values,                {A, P, D, C}),
    (claims,                    {A, P, D, C}),
    (hint,                      {A, P, D   }),
    (backchannel.one_hint,      {         C}),
    (backchannel.message,       {         C}),
    (locales,                   {A, P, D, C}),
    (known_resources,           {A, P, D, C}),
    (own_grant,                 {A, P, D, C}),
    (within_the_use,            {A, P, D, C}),
    (nothing_too_sensitive,     {      D   }),
]
# fmt: on


def check(asked: Unchecked, at: At) -> AuthorizationRequest:
    """Run the endpoint's checks in order; return the checked request or raise the first refusal.

    Refusals are `broker.errors.Wire`, and `broker.errors.Malformed`, `consent.errors.OverAsked` or `UnknownUse` for what the use does not hold.
    """
    members: dict[str, Any] = {}
    for step, endpoints in CHECKS:
        if at in endpoints:
            members |= step(asked)
    return AuthorizationRequest(**members)


def way_back(asked: Unchecked) -> WayBack:
    """Say where the refusal of a request goes; raises the refusal itself where nobody may be sent (RFC 6749 §4.1.2.1).

    `state` goes back as it came, whatever the request is refused for; a mode that is not known is left out.
    """
    known: dict[str, Any] = {**client_is_who_asks(asked), **registered_redirect_uri(asked)}
    with contextlib.suppress(Wire):
        known |= registered_response_mode(asked)
    return WayBack(**known, state=asked.parameters.get("state"))
