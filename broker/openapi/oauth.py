"""Asking a person, and tokens (RFC 9126, RFC 6749, RFC 8628, CIBA Core, RFC 7009, RFC 7662)."""

from __future__ import annotations

from broker.openapi.operation import (
    FORM,
    JSON,
    OBJECT,
    URI,
    WHOLE,
    YES_OR_NO,
    Body,
    Field,
    Operation,
    Refusals,
    listed,
    one_of,
)
from broker.openapi.terms import (
    AUTHORIZATION,
    CREDENTIALS,
    MALFORMED,
    MAYBE_DPOP,
    NO_FORM,
    NOT_CLIENT,
    TOKENS,
    TOO_LARGE,
    UNATTESTED,
)

PUSH_CODES = (
    "invalid_request", "invalid_scope", "invalid_authorization_details", "invalid_request_object", "unauthorized_client",
    "invalid_target", "unsupported_response_type", "invalid_dpop_proof", "use_dpop_nonce", "invalid_request_uri",
    *UNATTESTED,
)  # fmt: skip
TOKEN_CODES = (
    "invalid_request", "invalid_grant", "invalid_scope", "invalid_target", "unauthorized_client", "unsupported_grant_type",
    "invalid_dpop_proof", "use_dpop_nonce", "authorization_pending", "slow_down", "access_denied", "expired_token",
    *UNATTESTED,
)  # fmt: skip
ASKED = (
    Field("response_type", "`code`", one_of("code")),
    Field("redirect_uri", "One of those registered, letter by letter", URI),
    Field("scope", "`openid`, and `use:…` for the intended use"),
    Field("state", "Comes back as it is"),
    Field("nonce", "Comes back in the ID token"),
    Field("code_challenge", "RFC 7636"),
    Field("code_challenge_method", "`S256`", one_of("S256")),
    Field("authorization_details", "The same request, narrower (RFC 9396); the type is its schema's address"),
    Field("claims", "The same request in the words of OpenID Connect Core §5.5"),
    Field("acr_values", "How well the person must have signed in"),
    Field("prompt", "Words such as `none`, `login`, `consent`"),
    Field("max_age", "Seconds since the person signed in, at most", WHOLE),
    Field("login_hint", "Who is expected"),
    Field("id_token_hint", "An ID token this client got before"),
    Field("ui_locales", "Languages, best first"),
    Field("response_mode", "`query`, `form_post`, `query.jwt`, `form_post.jwt`"),
    Field("resource", "Whose tokens will be asked for (RFC 8707)", URI),
    Field("dpop_jkt", "The thumbprint of the key the code is bound to"),
    Field("request", "All of this, signed (RFC 9101)"),
)

# fmt: off
ROWS: tuple[Operation, ...] = (
    Operation(
        "POST", "/par", AUTHORIZATION, "Push an authorization request", "RFC 9126 §2", "client",
        text="Everything that is asked of a person is said here, in the back channel. The person is then sent to the "
             "authorization endpoint with `client_id` and `request_uri` alone.",
        headers=(MAYBE_DPOP,),
        body=Body("The request and the client's credentials", (*CREDENTIALS, *ASKED), (FORM,)),
        answers={201: Body("It waits", (
            Field("request_uri", "What the browser takes along", required=True),
            Field("expires_in", "Seconds until it must have been opened", WHOLE, required=True),
        ))},
        refusals={
            400: Refusals("The request is refused, and nothing of it kept", PUSH_CODES),
            401: NOT_CLIENT, 413: TOO_LARGE, 415: NO_FORM,
        },
    ),
    Operation(
        "POST", "/device_authorization", AUTHORIZATION, "Ask from a device", "RFC 8628 §3.1", "client",
        text="For a screen without a keyboard: it shows `user_code`, the person decides in a browser elsewhere, and the device asks "
             "for tokens meanwhile.",
        headers=(MAYBE_DPOP,),
        body=Body("What is asked, and the client's credentials", (
            *CREDENTIALS, Field("scope", "`openid`, and `use:…` for the intended use"),
            Field("authorization_details", "The same request, narrower (RFC 9396)"), Field("acr_values", "How well the person must have signed in"),
        ), (FORM,)),
        answers={200: Body("It waits", (
            Field("device_code", "What the device asks with", required=True), Field("user_code", "What the person types", required=True),
            Field("verification_uri", "Where they type it", URI, required=True),
            Field("verification_uri_complete", "The same with the code in it, for a QR code", URI),
            Field("expires_in", "Seconds", WHOLE, required=True), Field("interval", "Seconds between two questions, at least", WHOLE),
        ))},
        refusals={
            400: Refusals("The request is refused, and nothing of it kept", PUSH_CODES),
            401: NOT_CLIENT, 413: TOO_LARGE, 415: NO_FORM,
        },
    ),
    Operation(
        "POST", "/backchannel_authentication", AUTHORIZATION, "Ask somebody who is not in a browser", "CIBA Core §7", "client",
        text="For a counter or a telephone: the person finds the request in their account and decides there. Whether there is such "
             "a person is not told. Clients of `fapi2` sign what they ask, in `request`.",
        headers=(MAYBE_DPOP,),
        body=Body("What is asked, and the client's credentials", (
            *CREDENTIALS, Field("request", "All of this, signed (CIBA Core §7.1.1)"),
            Field("scope", "`openid`, and `use:…` for the intended use"), Field("login_hint", "The name the person signs in with"),
            Field("id_token_hint", "An ID token this client got before"), Field("binding_message", "What the person sees on both screens"),
            Field("client_notification_token", "What a ping brings"), Field("requested_expiry", "Seconds to wait, at most", WHOLE),
            Field("authorization_details", "The same request, narrower (RFC 9396)"), Field("acr_values", "How well the person must have signed in"),
        ), (FORM,)),
        answers={200: Body("It waits", (
            Field("auth_req_id", "What to ask with", required=True), Field("expires_in", "Seconds", WHOLE, required=True),
            Field("interval", "Seconds between two questions, at least", WHOLE),
        ))},
        refusals={
            400: Refusals("The request is refused, and nothing of it kept", (*PUSH_CODES, "invalid_binding_message")),
            401: NOT_CLIENT, 413: TOO_LARGE, 415: NO_FORM, 429: Refusals("This person was asked too often", ("too_many",)),
        },
    ),
    Operation(
        "POST", "/token", TOKENS, "Get tokens", "RFC 6749 §3.2", "client or wallet",
        text="By code, refresh token, device code, request behind the front, the client's own credentials, a wallet's pre-authorized code, "
             "or for another agency (RFC 8693).",
        headers=(MAYBE_DPOP,),
        body=Body("The grant and the client's credentials", (
            Field("grant_type", "Which grant", required=True), *CREDENTIALS,
            Field("code", "The authorization code"), Field("device_code", "The device code"),
            Field("auth_req_id", "The request behind the front"), Field("redirect_uri", "As it was in the request", URI),
            Field("code_verifier", "RFC 7636"), Field("refresh_token", "The refresh token"),
            Field("scope", "Less than was given"), Field("resource", "Whose token this is to be (RFC 8707)", URI),
            Field("pre-authorized_code", "From a credential offer"), Field("tx_code", "The six digits the person was shown"),
            Field("subject_token", "The client's own access token, which another agency is to act with (RFC 8693)"),
            Field("subject_token_type", "That it is one"), Field("actor_token", "Signed by the agency that is to act"),
            Field("actor_token_type", "That it is a JWT"), Field("requested_token_type", "An access token"), Field("audience", "This server"),
        ), (FORM,)),
        answers={200: Body("The tokens", (
            Field("access_token", "Opens what was given, with a proof of its key", required=True),
            Field("token_type", "`DPoP` or `Bearer`", required=True),
            Field("expires_in", "Seconds", WHOLE),
            Field("refresh_token", "Where the permission goes on"), Field("id_token", "Who it is about"),
            Field("scope", "What was given"), Field("authorization_details", "What was given, item by item", listed(OBJECT)),
            Field("grant_id", "The permission it stands for"), Field("issued_token_type", "Where a token was exchanged (RFC 8693)"),
        ))},
        refusals={
            400: Refusals("The grant is refused", TOKEN_CODES), 401: NOT_CLIENT, 413: TOO_LARGE, 415: NO_FORM,
        },
    ),
    Operation(
        "POST", "/revocation", TOKENS, "End a token", "RFC 7009", "client",
        text="A refresh token ends with everything that came from the same code. The permission stays the person's.",
        body=Body("The token and the client's credentials", (
            Field("token", "Which", required=True), Field("token_type_hint", "Not needed"), *CREDENTIALS,
        ), (FORM,)),
        answers={200: Body("It counts no more, or never did for this client")},
        refusals={400: MALFORMED, 401: NOT_CLIENT, 413: TOO_LARGE, 415: NO_FORM},
    ),
    Operation(
        "POST", "/introspection", TOKENS, "Ask what a token is worth", "RFC 7662", "client",
        text="Only the server a token is for learns anything. With `Accept: application/token-introspection+jwt` the answer is signed "
             "(RFC 9701).",
        body=Body("The token and the caller's credentials", (
            Field("token", "Which", required=True), Field("token_type_hint", "Not needed"), *CREDENTIALS,
        ), (FORM,)),
        answers={200: Body("What it is worth", (Field("active", "Whether it counts", YES_OR_NO, required=True),),
                           (JSON, "application/token-introspection+jwt"))},
        refusals={400: MALFORMED, 401: NOT_CLIENT, 413: TOO_LARGE, 415: NO_FORM},
    ),
)
# fmt: on
