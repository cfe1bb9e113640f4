"""The authorization response: back to the client with `iss`, in the mode it asked for (RFC 6749 §4.1.2, RFC 9207 §2).

`query` puts the members into the address; `form_post` into a form of ours that the browser sends on (OAuth 2.0 Form Post Response
Mode §2); with `.jwt` they travel in one signed JWT (JARM §2.3), so that nothing readable is in the address.
"""

from collections.abc import Mapping
from typing import cast

from broker.answers import Page, Redirect
from broker.authorization.request import AuthorizationRequest, WayBack
from broker.clients import web_address
from broker.clients.metadata import ClientMetadata
from keys import jwe, jws
from keys.algorithms import Alg
from keys.jwe import Recipient
from keys.keyring import Keyring

PLAIN = ("query", "form_post")
SIGNED = ("query.jwt", "form_post.jwt")
MODES = (*PLAIN, *SIGNED, "jwt")  # `jwt` is the mode of the flow's own: query.jwt (JARM §2.3.4)
LIFETIME = 120  # seconds of a signed response; JARM §2.1 allows ten minutes
SECOND = 1_000_000  # microseconds


def check_mode(client: ClientMetadata, asked: str | None) -> tuple[str, str | None]:
    """Return the mode and the algorithm of the responses to a request; `ValueError` for what the client did not register.

    A code never travels in the fragment or by script. Signed modes are for clients that registered what signs them.
    """
    mode = asked or "query"
    if mode not in MODES:
        raise ValueError("response_mode must be one of " + " ".join(MODES))
    if mode in PLAIN:
        return mode, None
    if client.authorization_signed_response_alg is None:
        raise ValueError("the client registered no authorization_signed_response_alg")
    return "query.jwt" if mode == "jwt" else mode, client.authorization_signed_response_alg


def success(
    request: AuthorizationRequest,
    code: str,
    *,
    issuer: str,
    keyring: Keyring,
    now: int,
    session_state: str | None = None,
) -> Redirect | Page:
    """Answer with a code. The request is a checked one: nobody is sent to an address as it came.

    `session_state` where there is session management (OpenID Connect Session Management 1.0 §2).
    """
    said = {"code": code} | ({} if session_state is None else {"session_state": session_state})
    return _answer(request, said, issuer, keyring, now)


def error(
    request: AuthorizationRequest | WayBack,
    code: str,
    *,
    issuer: str,
    keyring: Keyring,
    now: int,
    description: str = "",
) -> Redirect | Page:
    """Answer with an error code of RFC 6749 §4.1.2.1 or OpenID Connect Core §3.1.2.6."""
    said = {"error": code} | ({"error_description": description} if description else {})
    return _answer(request, said, issuer, keyring, now)


def _answer(
    request: AuthorizationRequest | WayBack, members: Mapping[str, str], issuer: str, keyring: Keyring, now: int
) -> Redirect | Page:
    members = {**members, "iss": issuer} | ({} if request.state is None else {"state": request.state})
    if request.response_alg is not None:
        members = {"response": _signed(request, members, keyring, now)}
    if request.response_mode.startswith("form_post"):
        return Page(
            "form_post.html",
            {"action": request.redirect_uri, "fields": list(members.items())},
            form_action=web_address.policy_source(request.redirect_uri),
            own_forms=False,
        )
    return Redirect(web_address.append(request.redirect_uri, members))


def _signed(request: AuthorizationRequest | WayBack, members: Mapping[str, str], keyring: Keyring, now: int) -> str:
    """Sign the members for the one client they are for, for two minutes, and encrypt that where it registered a key (JARM §2.1, §2.2)."""
    about = {"aud": request.client_id, "iat": now // SECOND, "exp": now // SECOND + LIFETIME}
    key = keyring.signer(purpose="token", alg=cast("Alg", request.response_alg))
    signed = jws.sign(key, {**members, **about}, typ="JWT")
    return signed if request.response_to is None else jwe.encrypt(Recipient(**request.response_to), signed)
