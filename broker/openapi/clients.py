"""Clients that register themselves (RFC 7591, RFC 7592)."""

from __future__ import annotations

from broker.openapi.operation import OBJECT, TEXT, URI, WHOLE, Body, Field, Operation, Refusals, listed
from broker.openapi.terms import BEARER, CLIENTS, MALFORMED, TOO_LARGE

METADATA_CODES = ("invalid_client_metadata", "invalid_redirect_uri", "invalid_software_statement", "unapproved_software_statement", "invalid_request")  # fmt: skip

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

# fmt: off
ROWS: tuple[Operation, ...] = (
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
)
# fmt: on
