"""A client's request to sign somebody out: read, checked, and kept while they are asked (OpenID Connect RP-Initiated Logout 1.0 §2).

1. `client_id` names a client that may act.
2. `id_token_hint` is an ID token of this server, for that client, not older than a month; one that has expired still counts.
3. `post_logout_redirect_uri` is one the client registered, character for character, and comes with a hint (§3): without one
   nobody knows who wants the browser sent there.

Whoever it names, the person at the browser is asked. What is kept names the client and where to go, and nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from broker.clients import web_address
from broker.clients.registry import Client
from broker.errors import Wire
from broker.parameters import Parameters
from keys import base64url, canonical, jws
from keys import errors as keys_errors
from keys.jwk import KeySet
from keys.keyring import SealingRing

SECOND = 1_000_000  # microseconds
HINT_SECONDS = 30 * 86_400
KEPT_SECONDS = 3600
HINT = replace(jws.ID_TOKEN_HINT, name="logout-hint", age=HINT_SECONDS)
_BELONGS = b"semel/logout-request/v1"


@dataclass(frozen=True)
class LogoutRequest:
    """A checked request: for whom, where to go afterwards (None: nowhere), in which languages to ask."""

    client_id: str | None = None
    redirect_uri: str | None = None
    state: str | None = None
    ui_locales: tuple[str, ...] = ()

    @property
    def location(self) -> str | None:
        """Where the browser goes afterwards, with the client's `state` exactly as it came (§3)."""
        if self.redirect_uri is None or self.state is None:
            return self.redirect_uri
        return web_address.append(self.redirect_uri, {"state": self.state})


def read(
    given: Parameters, find: Callable[[str], Client | None], *, keys: KeySet, issuer: str, now: int
) -> LogoutRequest:
    """Check what a client says; `find` gives clients that may act. Raises `Wire`: `invalid_logout`, nobody is sent anywhere."""
    client = _client(given.get("client_id"), find)
    hint = given.get("id_token_hint")
    if hint is not None:
        client = _hinted(hint, client, find, keys=keys, issuer=issuer, now=now)
    state, redirect_uri = given.get("state"), given.get("post_logout_redirect_uri")
    if redirect_uri is not None:
        if client is None or hint is None:
            raise _bad("post_logout_redirect_uri needs an id_token_hint")
        if redirect_uri not in client.post_logout_redirect_uris:
            raise _bad("post_logout_redirect_uri is not registered for this client")
    locales = tuple(given.get("ui_locales", "").split())
    known = None if client is None else client.client_id
    return LogoutRequest(known, redirect_uri, state if redirect_uri is not None else None, locales)


def seal(asked: LogoutRequest, ring: SealingRing, now: int) -> str:
    """Return a request as text for an address of ours; it is good for an hour. `now` in microseconds."""
    members = {**asdict(asked), "ui_locales": list(asked.ui_locales), "until": now // SECOND + KEPT_SECONDS}
    return base64url.encode(ring.seal(canonical.dumps(members), _BELONGS))


def open_(text: str, ring: SealingRing, find: Callable[[str], Client | None], now: int) -> LogoutRequest:
    """Return what was kept; an empty request when it is not ours or too old, or its client may no longer send anybody there."""
    try:
        members = canonical.loads(ring.open(base64url.decode(text), _BELONGS))
    except keys_errors.KeysError:
        return LogoutRequest()
    if members.pop("until") <= now // SECOND:
        return LogoutRequest()
    asked = LogoutRequest(**{**members, "ui_locales": tuple(members["ui_locales"])})
    client = None if asked.client_id is None else find(asked.client_id)
    if client is None:
        return LogoutRequest(ui_locales=asked.ui_locales)
    still = asked.redirect_uri in client.post_logout_redirect_uris
    return asked if still else replace(asked, redirect_uri=None, state=None)


def _client(client_id: str | None, find: Callable[[str], Client | None]) -> Client | None:
    if client_id is None:
        return None
    client = find(client_id)
    if client is None:
        raise _bad("no such client")
    return client


def _hinted(
    hint: str, client: Client | None, find: Callable[[str], Client | None], *, keys: KeySet, issuer: str, now: int
) -> Client:
    """The client an ID token was issued to; the same as `client_id` names, if that came along (§2)."""
    try:
        audience = client.client_id if client is not None else jws.unverified_claims(hint).get("aud")
        found = client or (find(audience) if isinstance(audience, str) else None)
        if found is None:
            raise _bad("id_token_hint is for no client of this server")
        jws.verify(HINT, hint, keys=keys, issuer=issuer, audience=found.client_id, now=now)
    except keys_errors.KeysError as refused:
        raise _bad("id_token_hint is not an ID token of this server for this client") from refused
    return found


def _bad(why: str) -> Wire:
    return Wire("invalid_logout", why)
