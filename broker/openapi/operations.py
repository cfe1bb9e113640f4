"""The table of described endpoints: what agencies' and wallets' programs call here; the route table says who answers."""

from __future__ import annotations

from broker.openapi.operation import (
    FORM,
    JSON,
    JWT,
    OBJECT,
    TEXT,
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

AUTHORIZATION, TOKENS, DATA, CLIENTS, WALLETS, METADATA = (
    "Asking a person",
    "Tokens",
    "Data",
    "Clients",
    "Wallets",
    "What this server is",
)
DPOP = Field("DPoP", "A fresh proof of possession (RFC 9449 §4); a nonce comes with the first refusal")
MAYBE_DPOP = Field("DPoP", "A proof of possession (RFC 9449 §5), where tokens are to be bound to its key")

MALFORMED = Refusals("The request is not one", ("invalid_request",))
NOT_CLIENT = Refusals("The client did not prove who it is", ("invalid_client",))
BAD_TOKEN = Refusals(
    "The token or its proof does not hold; the challenge says which", ("invalid_token", "invalid_dpop_proof", "use_dpop_nonce", "invalid_request", "insufficient_user_authentication")
)  # fmt: skip
OUT_OF_SCOPE = Refusals("The token is for something else", ("insufficient_scope", "access_denied"))
BEARER = Refusals("The token of registration does not hold", ("invalid_token",))
TOO_LARGE = Refusals("The body is longer than 64 KiB", ("invalid_request",))
NO_FORM = Refusals("The body is not a form", ("invalid_request",))
NOT_THERE = Refusals("There is nothing under this address, or not any more", ("not_found",))
PUSH_CODES = (
    "invalid_request", "invalid_scope", "invalid_authorization_details", "invalid_request_object", "unauthorized_client",
    "invalid_target", "unsupported_response_type", "invalid_dpop_proof", "use_dpop_nonce", "invalid_request_uri",
)  # fmt: skip
TOKEN_CODES = (
    "invalid_request", "invalid_grant", "invalid_scope", "invalid_target", "unauthorized_client", "unsupported_grant_type",
    "invalid_dpop_proof", "use_dpop_nonce",
)  # fmt: skip
METADATA_CODES = ("invalid_client_metadata", "invalid_redirect_uri", "invalid_software_statement", "unapproved_software_statement", "invalid_request")  # fmt: skip

CREDENTIALS = (
    Field("client_id", "The client"),
    Field("client_assertion_type", "`urn:ietf:params:oauth:client-assertion-type:jwt-bearer`"),
    Field("client_assertion", "A fresh JWT signed by the client; `aud` is the issuer (RFC 7523 §3)"),
    Field("client_secret", "Only for clients that registered `client_secret_post`"),
)
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
REGISTERED = (
    Field("client_id", "The client", required=True),
    Field("client_id_issued_at", "Seconds since 1970", WHOLE, required=True),
    Field("registration_access_token", "What the client manages itself with", required=True),
    Field("registration_client_uri", "Where it does", URI, required=True),
    Field("client_secret", "Told once, and only to clients that need one"),
    Field("client_secret_expires_at", "Seconds since 1970, 0: never", WHOLE),
)
ABOUT_A_CLIENT = Body(
    "What the client says of itself, under the names of RFC 7591 §2 and OpenID Connect Registration §2",
    (
        Field("client_id", "Only when a registration is changed: as it is"),
        Field("client_name", "What people read"),
        Field("redirect_uris", "Where answers go", listed(URI)),
        Field("grant_types", "What it will do", listed(TEXT)),
        Field("token_endpoint_auth_method", "How it proves itself"),
        Field("jwks_uri", "Where its public keys are", URI),
        Field("jwks", "Its public keys", OBJECT),
        Field("scope", "What it may ask for, at most"),
        Field("software_statement", "What somebody trusted says of it (RFC 7591 §2.3)"),
    ),
)
OWN = (Field("id", "The client's id", TEXT, required=True),)
DOCUMENT = {200: Body("A document, the same for everybody", schema=OBJECT)}

# fmt: off
OPERATIONS: tuple[Operation, ...] = (
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
        "POST", "/token", TOKENS, "Get tokens", "RFC 6749 §3.2", "client or wallet",
        text="By code, refresh token, the client's own credentials, or a wallet's pre-authorized code.",
        headers=(MAYBE_DPOP,),
        body=Body("The grant and the client's credentials", (
            Field("grant_type", "Which grant", required=True), *CREDENTIALS,
            Field("code", "The authorization code"), Field("redirect_uri", "As it was in the request", URI),
            Field("code_verifier", "RFC 7636"), Field("refresh_token", "The refresh token"),
            Field("scope", "Less than was given"), Field("resource", "Whose token this is to be (RFC 8707)", URI),
            Field("pre-authorized_code", "From a credential offer"), Field("tx_code", "The six digits the person was shown"),
        ), (FORM,)),
        answers={200: Body("The tokens", (
            Field("access_token", "Opens what was given, with a proof of its key", required=True),
            Field("token_type", "`DPoP` or `Bearer`", required=True),
            Field("expires_in", "Seconds", WHOLE),
            Field("refresh_token", "Where the permission goes on"), Field("id_token", "Who it is about"),
            Field("scope", "What was given"), Field("authorization_details", "What was given, item by item", listed(OBJECT)),
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
    *(Operation(
        method, "/userinfo", DATA, f"Who the person is to this agency, by {method}", "OpenID Connect Core §5.3", "access token",
        headers=(DPOP,),
        answers={200: Body("The subject, and what else was released here", (Field("sub", "The person, as only this agency knows them", required=True),), (JSON, JWT))},
        refusals={400: MALFORMED, 401: BAD_TOKEN, 403: OUT_OF_SCOPE},
    ) for method in ("GET", "POST")),
    Operation(
        "GET", "/prefill", DATA, "Get what the person shared", "house", "access token",
        text="Item by item, with where it comes from and as of when. The answer is entered in the ledger before it leaves.",
        headers=(DPOP, Field("Idempotency-Key", "The same call again gets the same entry")),
        answers={200: Body("The data", (
            Field("grant_id", "The permission", required=True), Field("subject", "Whom it is about", OBJECT, required=True),
            Field("items", "By id: status, value, source, as of", OBJECT, required=True),
            Field("pending", "What is not there yet", listed(TEXT)), Field("replaces_documents", "What need not be uploaded", listed(TEXT)),
            Field("ledger", "Where this is entered", OBJECT, required=True),
        ), (JSON, JWT))},
        refusals={400: MALFORMED, 401: BAD_TOKEN, 403: OUT_OF_SCOPE},
    ),
    Operation(
        "POST", "/register", CLIENTS, "Register", "RFC 7591 §3", "initial access token",
        body=ABOUT_A_CLIENT,
        answers={201: Body("The client as it is stored", REGISTERED)},
        refusals={400: Refusals("Something it says of itself cannot be", METADATA_CODES), 401: BEARER, 413: TOO_LARGE,
                  415: Refusals("The body is not JSON", ("invalid_client_metadata",))},
    ),
    Operation(
        "GET", "/register/{id}", CLIENTS, "Read a registration", "RFC 7592 §2.1", "registration token",
        path_fields=OWN, answers={200: Body("The client as it is stored", REGISTERED)}, refusals={400: MALFORMED, 401: BEARER},
    ),
    Operation(
        "PUT", "/register/{id}", CLIENTS, "Change a registration", "RFC 7592 §2.2", "registration token",
        text="The client says everything again; what it leaves out is gone.",
        path_fields=OWN, body=ABOUT_A_CLIENT, answers={200: Body("The client as it is stored", REGISTERED)},
        refusals={400: Refusals("Something it says of itself cannot be", METADATA_CODES), 401: BEARER,
                  409: Refusals("It was changed meanwhile", ("invalid_request",)), 413: TOO_LARGE,
                  415: Refusals("The body is not JSON", ("invalid_client_metadata",))},
    ),
    Operation(
        "DELETE", "/register/{id}", CLIENTS, "Delete a registration", "RFC 7592 §2.3", "registration token",
        path_fields=OWN, answers={204: Body("It is gone, and what it held opens nothing any more", media_types=())},
        refusals={400: MALFORMED, 401: BEARER},
    ),
    Operation(
        "GET", "/offers/{id}", WALLETS, "Read a credential offer", "OpenID4VCI 1.0 §4.1.3", "anyone",
        path_fields=(Field("id", "From the QR code", TEXT, required=True),),
        answers={200: Body("The offer", schema=OBJECT)}, refusals={400: MALFORMED, 404: NOT_THERE},
    ),
    Operation(
        "POST", "/nonce", WALLETS, "Get a nonce for a proof", "OpenID4VCI 1.0 §7", "anyone",
        answers={200: Body("A nonce, good for five minutes", (Field("c_nonce", "For the key proof", required=True),))},
    ),
    Operation(
        "POST", "/credential", WALLETS, "Get a credential", "OpenID4VCI 1.0 §8", "access token",
        headers=(DPOP,),
        body=Body("Which credential, and for which key", (
            Field("credential_configuration_id", "Which kind"), Field("credential_identifier", "Or which one of those the token names"),
            Field("proofs", "Proofs of the wallet's keys", OBJECT),
        )),
        answers={200: Body("The credential", (Field("credentials", "One for each key", listed(OBJECT), required=True),))},
        refusals={
            400: Refusals("The request is refused", (
                "invalid_request", "invalid_credential_request", "unknown_credential_configuration", "unknown_credential_identifier",
                "invalid_proof", "invalid_nonce", "invalid_encryption_parameters", "credential_request_denied",
            )),
            401: BAD_TOKEN, 403: OUT_OF_SCOPE, 413: TOO_LARGE,
        },
    ),
    Operation("GET", "/.well-known/openid-configuration", METADATA, "OpenID provider metadata", "OpenID Connect Discovery 1.0 §4", "anyone", DOCUMENT),
    Operation("GET", "/.well-known/oauth-authorization-server", METADATA, "The same, under its OAuth name", "RFC 8414 §3", "anyone", DOCUMENT),
    Operation("GET", "/.well-known/openid-credential-issuer", METADATA, "Credential issuer metadata", "OpenID4VCI 1.0 §12.2", "anyone", DOCUMENT),
    Operation("GET", "/.well-known/jwt-vc-issuer", METADATA, "The keys that sign credentials", "SD-JWT VC §4", "anyone", DOCUMENT),
    Operation("GET", "/jwks", METADATA, "The keys that sign tokens", "RFC 7517 §5", "anyone", {200: Body(
        "A key set", (Field("keys", "Public keys, upcoming and retiring ones too", listed(OBJECT), required=True),), ("application/jwk-set+json",))}),
    Operation("GET", "/rar/prefill/v1", METADATA, "The schema of our authorization details", "RFC 9396", "anyone",
              {200: Body("A JSON Schema", schema=OBJECT, media_types=("application/schema+json",))}),
    Operation("GET", "/openapi.json", METADATA, "This description", "OpenAPI 3.1", "anyone", DOCUMENT),
)
# fmt: on
