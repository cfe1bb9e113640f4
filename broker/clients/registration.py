"""What a client may say of itself when it registers: an allow-list, and what this installation makes of it (RFC 7591 §2, §3.2.2).

What is not understood is left out, as §2 asks; what is understood and not allowed is refused by name. Nothing an operator
decides (identity, profile, sector, resources, being disabled) can be said here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from broker.clients import profile, secret
from broker.clients.authentication import METHODS
from broker.clients.metadata import NO_SECTOR, TAGGED, ClientMetadata
from broker.errors import Wire
from keys import errors as keys_errors
from keys import jwe, jwk, opaque

#: Members that the operator or this server decides. A member of `ClientMetadata` is here or in `ALLOWED` (a test).
OURS = frozenset(
    {
        "client_id", "profile", "sector", "serves", "calls", "disabled", "wordings",
        "client_secret_hash", "client_secret_expires_at", "software_statement",
    }
)  # fmt: skip
ALLOWED = frozenset(
    {
        "client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri", "contacts", "application_type",
        "redirect_uris", "post_logout_redirect_uris", "backchannel_logout_uri", "backchannel_logout_session_required",
        "frontchannel_logout_uri", "frontchannel_logout_session_required",
        "response_types", "grant_types", "scope",
        "token_endpoint_auth_method", "token_endpoint_auth_signing_alg", "id_token_signed_response_alg",
        "userinfo_signed_response_alg", "id_token_encrypted_response_alg", "id_token_encrypted_response_enc",
        "userinfo_encrypted_response_alg", "userinfo_encrypted_response_enc", "authorization_encrypted_response_alg",
        "authorization_encrypted_response_enc", "introspection_encrypted_response_alg", "introspection_encrypted_response_enc",
        "request_object_encryption_alg", "request_object_encryption_enc",
        "request_object_signing_alg", "require_signed_request_object", "request_uris", "authorization_signed_response_alg",
        "backchannel_token_delivery_mode", "backchannel_client_notification_endpoint",
        "backchannel_authentication_request_signing_alg", "backchannel_user_code_parameter",
        "jwks", "jwks_uri", "sector_identifier_uri", "subject_type", "default_acr_values", "default_max_age",
        "require_auth_time", "require_pushed_authorization_requests", "dpop_bound_access_tokens",
        "tls_client_auth_subject_dn", "tls_client_auth_san_dns", "tls_client_auth_san_uri", "tls_client_auth_san_ip",
        "tls_client_auth_san_email", "tls_client_certificate_bound_access_tokens",
        "software_id", "software_version",
    }
)  # fmt: skip
TOLD = 200  # characters of a refusal


@dataclass(frozen=True)
class Policy:
    """What this installation allows: the profile the token stands for, and what the server does at all.

    `default_scope` is for whoever registers none, where the profile may have it. `own` are this server's origins.
    """

    profile: str
    mode: str
    grant_types: frozenset[str]
    scopes: frozenset[str]
    methods: tuple[str, ...] = METHODS
    own: tuple[str, ...] = ()
    default_scope: str = "openid"


def new_id() -> str:
    """Return the id of a new client; it looks like no operator's."""
    return f"c-{opaque.digest(opaque.token()).hex()[:32]}"


def read(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that may be said, without what is null (RFC 7592 §2.2: as if left out)."""
    return {name: value for name, value in given.items() if value is not None and _allowed(name)}


def build(given: Mapping[str, Any], policy: Policy, **ours: Any) -> tuple[ClientMetadata, str | None]:
    """Return the client that these members describe, and its new secret where it needs one that it does not have.

    `ours`: `client_id`, and on a change what stays (`client_secret_hash`, `disabled`). Raises `Wire`:
    `invalid_redirect_uri` or `invalid_client_metadata`, saying which member and why.
    """
    implied = profile.DEFAULTS[policy.profile]
    members = {"client_name": ours["client_id"], **implied, **read(given), **ours, "profile": policy.profile}
    made = None
    if profile.may_have_data(policy.profile, policy.mode):
        members.setdefault("scope", policy.default_scope)
    method = members.get("token_endpoint_auth_method")
    if not isinstance(method, str) or method not in profile.SECRETS:
        members["client_secret_hash"] = None
    elif members.get("client_secret_hash") is None:
        made, members["client_secret_hash"] = secret.make()
    try:
        client = ClientMetadata.model_validate(members)
    except ValidationError as problem:
        raise _refused(problem) from problem
    if client.lacks_sector(members):
        raise _bad("subject_type", NO_SECTOR)
    _check(client, policy)
    return client, made


def told(client: ClientMetadata) -> dict[str, Any]:
    """Return what a client is told of itself: the members it may say, as they are stored, and no other."""
    members = client.model_dump(mode="json", exclude_none=True)
    kept = {name: value for name, value in members.items() if name in ALLOWED and value != []}
    vouched = {} if client.software_statement is None else {"software_statement": client.software_statement}
    return {**kept, **client.wordings, **vouched}


def _allowed(name: str) -> bool:
    base, mark, _ = name.partition("#")
    return base in TAGGED if mark else name in ALLOWED


def _check(client: ClientMetadata, policy: Policy) -> None:
    """What the installation allows beyond what any client may be."""
    refused = profile.broken(client, policy.mode)
    if refused:
        raise _bad(refused[0].member, refused[0].demand)
    if member := client.at_origin(policy.own):
        raise _bad(member, "no client stands at this server's own origin")
    if client.token_endpoint_auth_method not in policy.methods:
        raise _bad("token_endpoint_auth_method", "this method is not supported")
    if not client.grant_types or not set(client.grant_types) <= policy.grant_types:
        raise _bad("grant_types", "not a grant type for registered clients")
    if not set(client.scope.split(" ")) <= policy.scopes:
        raise _bad("scope", "a scope value that this client cannot have")
    if client.jwks is not None:
        _check_keys(client, client.jwks)


def _check_keys(client: ClientMetadata, jwks: Mapping[str, Any]) -> None:
    try:
        keys = jwk.parse_set(jwks)
    except keys_errors.InvalidKey as problem:
        raise _bad("jwks", str(problem)) from problem
    asserts = client.token_endpoint_auth_method == "private_key_jwt"  # noqa: S105 - a method's name
    if asserts and not keys.find(client.token_endpoint_auth_signing_alg, None):
        raise _bad("jwks", "no key for token_endpoint_auth_signing_alg")
    if client.token_endpoint_auth_method == "self_signed_tls_client_auth" and not keys.certificates:  # noqa: S105 - as above
        raise _bad("jwks", "no certificate (x5c) of one of the keys")
    for answer in profile.ANSWERS:
        alg, _ = client.encryption(answer)
        if alg is not None and keys.recipient(alg, jwe.ALGS[alg]) is None:
            raise _bad("jwks", f"no key for {answer}_encrypted_response_alg")


def _refused(problem: ValidationError) -> Wire:
    first = problem.errors(include_url=False, include_input=False, include_context=False)[0]
    member = ".".join(str(part) for part in first["loc"]) or "the request"
    return _bad(member, first["msg"].removeprefix("Value error, "))


def _bad(member: str, why: str) -> Wire:
    """RFC 7591 §3.2.2; the description names what is wrong and repeats nothing that was sent."""
    code = "invalid_redirect_uri" if member.startswith("redirect_uris") else "invalid_client_metadata"
    return Wire(code, f"{member}: {why}"[:TOLD])
