"""The public keys of this server (RFC 7517 §5; OpenID Connect Discovery 1.0 §3 `jwks_uri`)."""

from __future__ import annotations

from starlette.requests import Request

from broker import needs
from broker.answers import Raw
from keys import canonical
from keys.keyring import Keyring

PATH = "/jwks"
MAX_AGE = 300  # seconds; far less than a new key is announced before it signs


async def gather(request: Request) -> Keyring:
    """Take the loaded keys."""
    return needs.parts(request).keyring


def act(keyring: Keyring, _now: int) -> Raw:
    """Publish the public halves of what signs tokens, every stage: upcoming ones are known before they sign, retiring ones still verify.

    Beside them what requests are encrypted to.
    """
    return Raw(
        canonical.dumps(keyring.jwks("token", "encryption")),
        "application/jwk-set+json",
        headers={"Cache-Control": f"public, max-age={MAX_AGE}", "Access-Control-Allow-Origin": "*"},
    )
