"""What was shared, permissions, and wallets (OpenID Connect Core §5.3, Grant Management, OpenID4VCI)."""

from __future__ import annotations

from broker.openapi.operation import JSON, JWT, OBJECT, TEXT, WHOLE, Body, Field, Operation, Refusals, listed
from broker.openapi.terms import BAD_TOKEN, DATA, DPOP, MALFORMED, NOT_THERE, OUT_OF_SCOPE, TOO_LARGE, WALLETS

GRANT = (Field("grant_id", "From the token response or a data answer", TEXT, required=True),)

# fmt: off
ROWS: tuple[Operation, ...] = (
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
        "GET", "/grants/{grant_id}", DATA, "Ask what a permission holds", "Grant Management for OAuth 2.0 §6.4", "access token",
        text="A client's own token asks about all of its client's permissions, a token about a person about theirs.",
        path_fields=GRANT, headers=(DPOP,),
        answers={200: Body("What it holds", (
            Field("scopes", "The intended use, as a scope", listed(OBJECT), required=True),
            Field("authorization_details", "The items that were given", listed(OBJECT)),
            Field("claims", "Of a sign-in alone: the claims that were given", listed(TEXT)),
            Field("created_at", "Seconds since 1970", WHOLE, required=True), Field("expires_at", "Seconds since 1970", WHOLE),
        ))},
        refusals={400: MALFORMED, 401: BAD_TOKEN, 403: OUT_OF_SCOPE, 404: NOT_THERE},
    ),
    Operation(
        "DELETE", "/grants/{grant_id}", DATA, "Give a permission back", "Grant Management for OAuth 2.0 §6.5", "access token",
        path_fields=GRANT, headers=(DPOP,),
        answers={204: Body("It has ended, and every token with it", media_types=())},
        refusals={400: MALFORMED, 401: BAD_TOKEN, 403: OUT_OF_SCOPE, 404: NOT_THERE},
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
        "POST", "/challenge", WALLETS, "Get a challenge for the proof of an attestation", "Attestation-based client authentication §8", "anyone",
        answers={200: Body("A challenge, good for five minutes", (
            Field("attestation_challenge", "For the proof's `challenge`", required=True),
        ))},
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
)
# fmt: on
