"""What this server says of itself, the same to everybody."""

from __future__ import annotations

from broker.openapi.operation import OBJECT, Body, Field, Operation, listed
from broker.openapi.terms import DOCUMENT, METADATA

# fmt: off
ROWS: tuple[Operation, ...] = (
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
