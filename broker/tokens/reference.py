"""What a token for another server says to this one alone: from which decision and about whom it came (RFC 7662 §2.2).

It is sealed with the day's preview key, so that two servers find nothing equal in two tokens, and after two days it opens
nothing.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from keys import base64url, canonical, sealing
from keys import errors as keys_errors
from keys.vault import Vault


@dataclass(frozen=True)
class Reference:
    """The family a token belongs to, and the person it is about."""

    family: str
    person_id: str


def seal(vault: Vault, about: Reference, *, jti: str, now: int) -> str:
    """Return the sealed form, good in the token with this `jti` only; `now` (microseconds) is the token's `iat`."""
    box = sealing.encrypt(_key(vault, now // 1_000_000), canonical.dumps([about.family, about.person_id]), jti.encode())
    return base64url.encode(box)


def open_(vault: Vault, sealed: str, *, jti: str, issued: int) -> Reference | None:
    """Return what a token of this server refers to; None when it no longer opens. `issued`: the token's `iat`, in seconds."""
    try:
        family, person_id = canonical.loads(
            sealing.decrypt(_key(vault, issued), base64url.decode(sealed), jti.encode())
        )
    except keys_errors.KeysError:
        return None
    return Reference(family, person_id)


def _key(vault: Vault, issued: int) -> bytes:
    day: date = datetime.fromtimestamp(issued, UTC).date()
    return sealing.derive(vault.preview_key(day), "semel/token-reference/v1")
