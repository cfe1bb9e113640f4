"""Session management, for those who still need it: what a frame of ours compares (OpenID Connect Session Management 1.0 §3).

The cookie is derived from the session, is read by our own script and by nothing else, and authorises nothing. What an agency
gets is a hash over it with the agency's own name, origin and salt: no two agencies get the same.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from broker.answers import Cookie
from keys import base64url

NAME = "semel-browser-state"
PATH = "/session/check"


def of(secret: bytes) -> str:
    """Return the state of a browser that is signed in: 43 characters, from the session's secret."""
    return base64url.encode(hmac.digest(secret, b"semel/browser-state/v1", hashlib.sha256))


def cookie(name: str, secret: bytes | None) -> Cookie:
    """Make the cookie of a session, or (None) take it away."""
    return Cookie(name, delete=True, open=True) if secret is None else Cookie(name, of(secret), open=True)


def session_state(client_id: str, origin: str, secret: bytes) -> str:
    """Return `session_state` for one client at the origin it is sent back to (§2, §3.2): the hash, a point, its salt."""
    salt = secrets.token_urlsafe(16)
    told = " ".join((client_id, origin, of(secret), salt))
    return f"{hashlib.sha256(told.encode()).hexdigest()}.{salt}"
