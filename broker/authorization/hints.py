"""Hints about who the person is: `login_hint`, `id_token_hint`, a `sub` asked for (OpenID Connect Core §3.1.2.1, §5.5.1).

They speak about a person: they wait sealed, and are forgotten when the person has signed in.
"""

from __future__ import annotations

import hmac
from dataclasses import asdict, dataclass, field

from broker.authorization.request import AuthorizationRequest, Unchecked
from broker.sign_in import subject
from keys import base64url, canonical, jws
from keys import errors as keys_errors
from keys.keyring import SealingRing

MAX_LOGIN = 256  # characters; nobody's sign-in name is longer, so a longer hint names nobody


@dataclass(frozen=True)
class Hint:
    """`login`: what to write into the sign-in form; `subject`: the one person it must be, as the client's `sector` knows them."""

    login: str | None = field(default=None, repr=False)
    subject: str | None = None
    sector: str | None = None

    def names(self, pairwise_key: bytes) -> bool:
        """Whether the person with this key for identifiers is the one it must be, if it must be one (Core §8.1)."""
        if self.subject is None or self.sector is None:
            return True
        return hmac.compare_digest(subject.pairwise(pairwise_key, self.sector).encode(), self.subject.encode())


def read(asked: Unchecked) -> str | None:
    """Return the hints of a request, sealed; None without any.

    A login that cannot be anybody's is passed over: it is a hint. Raises `ValueError` for an ID token that is not ours or another client's, and for two that name
    different people. An ID token that has expired still names its person (Core §3.1.2.1).
    """
    login = asked.parameters.get("login_hint")
    people = {one for one in (asked.claims.subject, subject_of_token(asked)) if one is not None}
    if len(people) > 1:
        raise ValueError("id_token_hint and claims name different people")
    shown = login if login is not None and len(login) <= MAX_LOGIN and login.isprintable() else None
    found = Hint(shown, next(iter(people), None), asked.client.pairwise_sector if people else None)
    if found == Hint() or asked.ring is None:
        return None
    return sealed(found, asked.ring, asked.client.client_id)


def sealed(hint: Hint, ring: SealingRing, client_id: str) -> str:
    """Seal a hint as a request keeps it."""
    return base64url.encode(ring.seal(canonical.dumps(asdict(hint)), _belongs(client_id)))


def of(request: AuthorizationRequest, ring: SealingRing) -> Hint:
    """Open the hints of a stored request."""
    if request.hint is None:
        return Hint()
    return Hint(**canonical.loads(ring.open(base64url.decode(request.hint), _belongs(request.client_id))))


def subject_of_token(asked: Unchecked) -> str | None:
    """Return the `sub` of `id_token_hint`; None without one, `ValueError` for one that is not ours for this client."""
    token = asked.parameters.get("id_token_hint")
    if token is None:
        return None
    if asked.keyring is None:
        raise ValueError("id_token_hint is not read here")
    try:
        claims = jws.verify(
            jws.ID_TOKEN_HINT,
            token,
            keys=asked.keyring.verification_keys("token"),
            issuer=asked.issuer,
            audience=asked.client.client_id,
            now=asked.now,
        )
    except keys_errors.KeysError as refused:
        raise ValueError("id_token_hint is not an ID token of this server for this client") from refused
    return str(claims["sub"])


def _belongs(client_id: str) -> bytes:
    return b"semel/hint/v1\x00" + client_id.encode()
