"""What this transmitter of security events can do, and what our own event says (OpenID Shared Signals Framework 1.0 §7)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from broker import needs
from broker.answers import Raw
from broker.endpoints import jwks, stream_control, streams
from broker.notices import event_types
from broker.notices.streams import METHODS
from keys import canonical

PATH = "/.well-known/ssf-configuration"
EVENT = event_types.GRANT_ENDED
MAX_AGE = 300  # seconds


def document(issuer: str) -> dict[str, Any]:
    """Compute the transmitter's metadata."""
    return {
        "spec_version": "1_0",
        "issuer": issuer,
        "jwks_uri": issuer + jwks.PATH,
        "delivery_methods_supported": list(METHODS),
        "configuration_endpoint": issuer + streams.PATH,
        "status_endpoint": issuer + stream_control.STATUS,
        "add_subject_endpoint": issuer + stream_control.ADD,
        "remove_subject_endpoint": issuer + stream_control.REMOVE,
        "verification_endpoint": issuer + stream_control.VERIFY,
        "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6749"}],
        "default_subjects": "ALL",
    }


async def gather(request: Request) -> Raw:
    """Publish the document."""
    return _public(document(needs.parts(request).issuer), "application/json")


async def gather_schema(request: Request) -> Raw:
    """Publish the schema of the event `grant-ended`, at the address that is its type."""
    return _public(event_types.schema(needs.parts(request).issuer), "application/schema+json")


def act(answer: Raw, _now: int) -> Raw:
    """Pass on the document."""
    return answer


def _public(body: Any, media_type: str) -> Raw:
    return Raw(canonical.dumps(body), media_type, headers={"Cache-Control": f"public, max-age={MAX_AGE}"})
