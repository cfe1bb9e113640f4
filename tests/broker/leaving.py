"""The whole broker with two agencies that want to be told when a session ends, each at a real server of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
from sqlalchemy import func, select

from broker.clients.key_sets import KeySets
from broker.clients.registry import Registry
from broker.database import Database
from broker.tables import outbox, session
from tests.actors import Agency, Citizen
from tests.broker import whole as wholes
from tests.broker.notices.receiver import Receiver, listening
from tests.broker.whole import Whole

CHILDCARE, PLANNING = "norr-childcare", "norr-planning"


@dataclass
class Leaving:
    """`told` is what each agency received."""

    whole: Whole
    told: dict[str, Receiver]

    def signs_in(self, person: Citizen, client_id: str = CHILDCARE) -> tuple[Agency, dict[str, Any]]:
        """The person comes from an agency and shares; the agency and the claims of its ID token."""
        agency = self.whole.agency(client_id)
        page = person.comes_from(agency.asks())
        body = agency.token(person.shares(page) if page.has("consent") else page)
        return agency, agency.verify(body["id_token"]) | {"id_token": body["id_token"]}

    def register(self, client_id: str, **members: Any) -> None:
        """Change what a client registered."""
        registry = self.whole.parts.registry
        changed = [
            one.model_copy(update=members) if one.client_id == client_id else one for one in registry._clients.values()
        ]
        made = Registry(
            changed,
            KeySets(self.whole.parts.outbound.client_addresses),
            mode=registry._mode,
            database=self.whole.parts.database,
        )
        self.whole.give(registry=made)

    def waiting(self) -> list[str]:
        """The clients of the letters that are not received yet."""
        with self.whole.parts.database.read() as tx:
            return sorted(tx.execute(select(outbox.c.client_id)).scalars())

    def sessions(self) -> int:
        """How many sessions are open."""
        with self.whole.parts.database.read() as tx:
            return int(tx.execute(select(func.count()).where(session.c.closed == 0)).scalar_one())

    def logout_token(self, client_id: str, count: int = 1) -> dict[str, Any]:
        """The claims of the newest token an agency was sent, verified as its library would (§2.6)."""
        self.told[client_id].wait(count)
        assert len(self.told[client_id].got) == count
        letter = self.told[client_id].got[-1]
        assert letter.headers["content-type"] == "application/x-www-form-urlencoded"
        sent = parse_qs(letter.body, strict_parsing=True)
        assert list(sent) == ["logout_token"]
        (token,) = sent["logout_token"]
        assert jwt.get_unverified_header(token)["typ"] == "logout+jwt"
        keys = jwt.PyJWKSet.from_dict(self.whole.client().get("/jwks").json())
        header = jwt.get_unverified_header(token)
        registered = self.whole.parts.registry.get(client_id)
        assert registered is not None
        claims: dict[str, Any] = jwt.decode(
            token,
            keys[header["kid"]],
            algorithms=[registered.id_token_signed_response_alg],
            audience=client_id,
            issuer=self.whole.settings.issuer,
            options={
                "require": ["iss", "aud", "iat", "exp", "jti", "events"],
                "verify_iat": False,
                "verify_exp": False,
            },
        )
        assert claims["exp"] - claims["iat"] == 120
        assert claims["iat"] == self.whole.clock() // 1_000_000
        assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
        assert claims.keys() == {"iss", "aud", "iat", "exp", "jti", "events", "sub", "sid"}
        return claims


@contextmanager
def running(database: Database, url: str, folder: Path, now: int, **settings: Any) -> Iterator[Leaving]:
    with ExitStack() as stack:
        told = {
            name: stack.enter_context(listening(Receiver(lambda _: (200, {}, b"")))) for name in (CHILDCARE, PLANNING)
        }
        given = {"client_egress_allow": ("127.0.0.1",), **settings}
        leaving = Leaving(stack.enter_context(wholes.running(database, url, folder, now, **given)), told)
        for name, receiver in told.items():
            leaving.register(name, backchannel_logout_uri=f"{receiver.url}/backchannel-logout?v=1")
        yield leaving


def cookieless(http: Any) -> Any:
    """The same browser as another site's form sends it: without our cookies (SameSite=Lax)."""
    made = type(http)(http.app, str(http.base_url), follow_redirects=False)
    made.portal = http.portal
    return made
