"""The OpenAPI document of what programs call here, made from the table (OpenAPI Specification 3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib import metadata
from typing import Any

from broker.openapi.operation import Body, Caller, Field, Operation, Refusals
from broker.openapi.operations import OPERATIONS

PATH = "/openapi.json"
VERSION = "3.1.0"
UNAVAILABLE = Refusals("Busy, or starting; `Retry-After` says when to try again", ("temporarily_unavailable",))
SLOW = Refusals("The body did not arrive in time", ("invalid_request",))
PRINTABLE = r"^[\x20-\x21\x23-\x5b\x5d-\x7e]*$"  # RFC 6749 §5.2

SCHEMES: dict[str, dict[str, Any]] = {
    "client_secret_basic": {
        "type": "http",
        "scheme": "basic",
        "description": "RFC 6749 §2.3.1, for `baseline` clients",
    },
    "mutual_tls": {"type": "mutualTLS", "description": "RFC 8705 §2, where this installation asks for certificates"},
    "dpop": {"type": "http", "scheme": "DPoP", "description": "An access token with a proof of its key (RFC 9449 §7)"},
    "bearer": {"type": "http", "scheme": "bearer", "description": "RFC 6750"},
}
#: A client's own signature is a part of the form (`client_assertion`), which OpenAPI has no word for: hence the empty one.
CLIENT: list[dict[str, list[str]]] = [{}, {"mutual_tls": []}, {"client_secret_basic": []}]
WHO: dict[Caller, str] = {
    "anyone": "Anyone may call this.",
    "client": "The client authenticates as it registered: with a signed assertion in the form, a certificate, or a secret.",
    "client or wallet": "The client authenticates as it registered; a wallet that redeems an offer need not.",
    "access token": "With an access token about a person, and a proof of its key.",
    "own token": "With an access token of the client's own (`client_credentials`), and a proof of its key.",
    "initial access token": "With an initial access token, from whoever runs this installation.",
    "registration token": "With the registration access token of this client.",
}
SECURITY: dict[Caller, list[dict[str, list[str]]]] = {
    "anyone": [],
    "client": CLIENT,
    "client or wallet": CLIENT,
    "access token": [{"dpop": []}, {"bearer": []}],
    "own token": [{"dpop": []}, {"bearer": []}],
    "initial access token": [{"bearer": []}],
    "registration token": [{"bearer": []}],
}


@lru_cache(maxsize=4)
def of(issuer: str) -> dict[str, Any]:
    """Write the document of an issuer, once; nobody may change it."""
    return build(OPERATIONS, issuer=issuer, version=metadata.version("semel"))


def build(operations: Iterable[Operation], *, issuer: str, version: str) -> dict[str, Any]:
    """Write the document of an issuer; `version` is the program's."""
    paths: dict[str, dict[str, Any]] = {}
    chapters: dict[str, None] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
        chapters[operation.chapter] = None
    return {
        "openapi": VERSION,
        "info": {
            "title": "Semel",
            "version": version,
            "summary": "What agencies' and wallets' programs call",
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": issuer}],
        "tags": [{"name": name} for name in chapters],
        "paths": paths,
        "components": {"securitySchemes": SCHEMES},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    refusals = {**operation.refusals, 503: UNAVAILABLE}
    if operation.body is not None:
        refusals[408] = SLOW
    written: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.title,
        "tags": [operation.chapter],
        "externalDocs": {"url": _where(operation.spec), "description": operation.spec},
        "description": f"{operation.text} {WHO[operation.caller]}".strip(),
        "security": SECURITY[operation.caller],
        "parameters": [
            *(_parameter(one, "path") for one in operation.path_fields),
            *(_parameter(one, "query") for one in operation.query),
            *(_parameter(one, "header") for one in operation.headers),
        ],
        "responses": {
            **{str(status): _answer(body) for status, body in operation.answers.items()},
            **{str(status): _refusal(refusals[status], status) for status in sorted(refusals)},
        },
    }
    if operation.body is not None:
        written["requestBody"] = {"required": True, **_answer(operation.body)}
    return written


def _parameter(one: Field, place: str) -> dict[str, Any]:
    return {
        "name": one.name,
        "in": place,
        "description": one.text,
        "required": one.required,
        "schema": dict(one.schema),
    }


def _answer(body: Body) -> dict[str, Any]:
    written: dict[str, Any] = {"description": body.text}
    if body.media_types:
        written["content"] = {
            name: {"schema": {"type": "string"} if name.endswith("jwt") else body.as_schema()}
            for name in body.media_types
        }
    return written


def _refusal(refused: Refusals, status: int) -> dict[str, Any]:
    """Write a refusal: a JSON object of these members and no other (RFC 6749 §5.2)."""
    schema = {
        "type": "object",
        "properties": {
            "error": {"type": "string", "enum": list(refused.codes)},
            "error_description": {
                "type": "string",
                "pattern": PRINTABLE,
                "description": "For the developer who reads it",
            },
            "correlation_id": {
                "type": "string",
                "description": "Finds what our log says of this request: name it when you ask us",
            },
        },
        "required": ["error", "correlation_id"],
        "additionalProperties": False,
    }
    written: dict[str, Any] = {"description": refused.text, "content": {"application/json": {"schema": schema}}}
    name = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}.get(status)
    if name is not None:
        written["headers"] = {name: {"schema": {"type": "string"}, "required": status != 401}}
    return written


def _where(spec: str) -> str:
    """Say where a text is to be read."""
    words = spec.split(" ")
    if words[0] == "RFC":
        return f"https://www.rfc-editor.org/rfc/rfc{words[1]}"
    places = {
        "OpenID Connect Core": "https://openid.net/specs/openid-connect-core-1_0.html",
        "OpenID Connect Discovery": "https://openid.net/specs/openid-connect-discovery-1_0.html",
        "OpenID4VCI": "https://openid.net/specs/openid-4-verifiable-credential-issuance-1_0.html",
        "SD-JWT VC": "https://datatracker.ietf.org/doc/draft-ietf-oauth-sd-jwt-vc/",
        "OpenID Shared Signals": "https://openid.net/specs/openid-sharedsignals-framework-1_0.html",
        "Grant Management": "https://openid.net/specs/oauth-v2-grant-management.html",
        "OpenAPI": "https://spec.openapis.org/oas/v3.1.0",
    }
    return next((url for name, url in places.items() if spec.startswith(name)), "https://openid.net/developers/specs/")
