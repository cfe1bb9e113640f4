"""An agency that hears of security events: its stream, and every token verified by PyJWT (RFC 8417, RFC 8936)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import jwt

from broker.database import Database
from broker.needs import Durations
from tests.actors import Agency
from tests.broker import whole as wholes
from tests.broker.whole import Whole

STREAMS, STATUS, VERIFY = "/ssf/streams", "/ssf/status", "/ssf/verify"
ADD, REMOVE = "/ssf/subjects/add", "/ssf/subjects/remove"
POLL, PUSH = "urn:ietf:rfc:8936", "urn:ietf:rfc:8935"
VERIFICATION = "https://schemas.openid.net/secevent/ssf/event-type/verification"
SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
SHORT = Durations(long_poll=1.0)


def running(database: Database, url: str, folder: Path, now: int, **settings: Any) -> AbstractContextManager[Whole]:
    """A broker whose agencies may hear of security events."""
    return wholes.running(database, url, folder, now, scope=" ssf.manage ssf.read", **settings)


@dataclass
class Receiver:
    """An agency's program with a token for itself."""

    agency: Agency
    scope: str = "ssf.manage"
    token: str = ""
    stream: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.token = self.agency.own_token(self.scope)

    @property
    def stream_id(self) -> str:
        return str(self.stream["stream_id"])

    def call(self, method: str, path: str, body: Any = None, **params: str) -> httpx2.Response:
        return self.agency.call(method, path, token=self.token, json=body, params=params or None)

    def create(self, **wanted: Any) -> dict[str, Any]:
        answer = self.call("POST", STREAMS, wanted)
        assert answer.status_code == 201, answer.text
        self.stream = dict(answer.json())
        return self.stream

    def named(self, **more: Any) -> dict[str, Any]:
        return {"stream_id": self.stream_id, **more}

    def subject(self, sub: str) -> dict[str, Any]:
        return self.named(subject={"format": "iss_sub", "iss": self.agency.issuer, "sub": sub})

    def polls(self, **said: Any) -> dict[str, Any]:
        """One poll, at once unless it says otherwise."""
        path = self.stream["delivery"]["endpoint_url"].removeprefix(self.agency.issuer)
        answer = self.call("POST", path, {"returnImmediately": True, **said})
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return dict(answer.json())

    def hears(self) -> list[dict[str, Any]]:
        """Every event that waits, verified and acknowledged."""
        found = self.polls()
        self.polls(ack=list(found["sets"]), maxEvents=0)
        return [self.reads(text, jti) for jti, text in found["sets"].items()]

    def reads(self, text: str, jti: str) -> dict[str, Any]:
        """What a token says, found good by PyJWT; it is nothing but a security event (SSF 1.0 §4.1)."""
        head = jwt.get_unverified_header(text)
        assert head["typ"] == "secevent+jwt"
        keys = jwt.PyJWKSet.from_dict(self.agency.http.get(self.agency.metadata()["jwks_uri"]).json())
        options: jwt.types.Options = {"verify_iat": False, "require": ["iss", "aud", "iat", "jti", "events", "sub_id"]}
        issuer, audience = self.stream["iss"], self.stream["aud"]
        claims = jwt.decode(text, keys[head["kid"]], ["ES256"], issuer=issuer, audience=audience, options=options)
        assert claims["jti"] == jti
        assert not {"sub", "exp", "txn", "nonce"} & claims.keys()
        assert len(claims["events"]) == 1
        return dict(claims)


def grant_ended(issuer: str) -> str:
    """Our own event, from its documented address."""
    return f"{issuer}/events/grant-ended/v1"


def receiver(whole: Whole, client_id: str = "norr-childcare", scope: str = "ssf.manage") -> Receiver:
    return Receiver(whole.agency(client_id), scope)


def leaves(value: Any) -> Iterator[str]:
    """Every value and every name of an event."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if ":" in name:
                yield name
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield str(value)


def everything_at_rest(whole: Whole) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the tables of signals, to see that nothing was written."""
    from sqlalchemy import select

    from broker import tables

    named = (tables.event_stream, tables.security_event, tables.removed_subject)
    with whole.parts.database.read() as tx:
        return {table.name: sorted(map(tuple, tx.execute(select(table)).all()), key=str) for table in named}
