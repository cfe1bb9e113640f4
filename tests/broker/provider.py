"""A provider without pages: one agency, one person, one permission, and a code for it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import insert, select, update
from starlette.requests import Request

from broker import errors, freshness
from broker.answers import Json, Raw, Refusal
from broker.authorization import checks, journey
from broker.authorization.request import AuthorizationRequest, Unchecked
from broker.clients.key_sets import KeySets
from broker.clients.logos import Logos
from broker.clients.registry import Registry
from broker.database import Database
from broker.egress import Egress
from broker.evidence import preview
from broker.evidence.registers import Registers
from broker.needs import Durations
from broker.people import people
from broker.people.people import Enrolment, Profile
from broker.sign_in import session
from broker.tables import journey as journeys
from broker.tables import token_family
from consent import catalogue
from consent.tables import permission
from keys import canonical, sealing
from keys.keyring import RootKeyring
from keys.vault import Vault
from tests.broker.relying import (
    CALLBACK,
    CHALLENGE,
    ISSUER,
    Key,
    client,
    credentials,
    keyring,
    parameters,
    proof,
    uses,
)

CATALOGUE = catalogue.load(Path("openid-config"))
ACR = "http://eidas.europa.eu/LoA/substantial"
GRANTS = ["authorization_code", "refresh_token", "client_credentials"]
RESOURCE = "https://files.norr.example/"
SECOND = 1_000_000
DAY = 86_400 * SECOND


@dataclass
class Answered:
    """A response: its status, headers and JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass
class Provider:
    """The wired parts, and an agency `rp` with its two keys."""

    parts: Any
    clock: list[int]
    client_key: Key = field(default_factory=Key)
    dpop_key: Key = field(default_factory=Key)

    @property
    def now(self) -> int:
        return self.clock[0]

    @property
    def database(self) -> Database:
        made: Database = self.parts.database
        return made

    def later(self, seconds: float) -> None:
        self.clock[0] += int(seconds * SECOND)

    def nonce(self) -> str:
        return freshness.make(self.parts.roots.ring("dpop-nonce"), self.now)

    def proof(self, path: str, method: str = "POST", key: Key | None = None, **changed: Any) -> str:
        given: dict[str, Any] = {"nonce": self.nonce(), **changed}
        return proof(key or self.dpop_key, self.now, method=method, url=ISSUER + path, **given)

    def credentials(self, **changed: Any) -> dict[str, str]:
        return credentials(self.client_key, self.now, **changed)

    def form(self, path: str, given: Mapping[str, str], headers: list[tuple[str, str]] | None = None) -> Request:
        kind = ("content-type", "application/x-www-form-urlencoded")
        return self.request("POST", path, [kind, *(headers or [])], urlencode(dict(given)).encode())

    def request(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> Request:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers],
            "app": SimpleNamespace(state=SimpleNamespace(parts=self.parts)),
        }
        return Request(scope, receive)

    def call(self, endpoint: Any, request: Request, speaks: errors.Speaks = "oauth") -> Answered:
        """Run an endpoint as the runner does: gather, act in its transaction, answer after the commit."""
        sent = request.headers.get("authorization")
        try:
            facts = asyncio.run(endpoint.gather(request))
            if isinstance(facts, Json | Raw):
                return answered(facts, speaks, sent)
            if speaks == "public":
                return answered(endpoint.act(facts, self.now), speaks, sent)
            with self.database.write() as tx:
                answer = endpoint.act(tx, facts, self.now)
        except Exception as problem:
            answer = errors.refusal(problem)
            if answer.status >= 500:
                raise
        return answered(answer, speaks, sent)

    def raw(self, endpoint: Any, request: Request) -> Raw:
        """Run an endpoint whose answer is no JSON."""
        facts = asyncio.run(endpoint.gather(request))
        with self.database.write() as tx:
            answer = endpoint.act(tx, facts, self.now)
        assert isinstance(answer, Raw)
        return answer

    def code(self, request: AuthorizationRequest | None = None, acr: str = ACR) -> str:
        """Let the person of this provider share, having signed in this well; return the code."""
        with self.database.write() as tx:
            return _share(self, tx, request or self.asked(), acr)

    def asked(self, **changed: str) -> AuthorizationRequest:
        given = {
            "client_id": "rp",
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": "openid use:town.permit",
        }
        given |= {"code_challenge": CHALLENGE, "code_challenge_method": "S256", "nonce": "n", **changed}
        who = self.parts.registry.get("rp")
        return checks.check(Unchecked(who, parameters(**given), ISSUER, self.parts.uses), checks.At.PUSH)

    def end_permission(self) -> None:
        with self.database.write() as tx:
            tx.execute(update(permission).values(state="withdrawn"))

    def ended_families(self) -> int:
        with self.database.read() as tx:
            return len(tx.execute(select(token_family).where(token_family.c.ended.is_not(None))).all())


def wire(database: Database, tmp_path: Path, now: int) -> Provider:
    key = Key()
    (tmp_path / "keys").mkdir(mode=0o700)
    clock = [now]
    clients = [
        client(key, grant_types=GRANTS, scope="openid use:town.permit use:town.benefit files:read", calls=[RESOURCE]),
        client(key, "other", redirect_uris=["https://other.example/cb"], grant_types=GRANTS, serves=[RESOURCE]),
        client(key, "off", disabled=True),
    ]
    parts = SimpleNamespace(
        issuer=ISSUER,
        mode="sandbox",
        clock=lambda: clock[0],
        database=database,
        roots=RootKeyring.generate(),
        keyring=keyring(),
        vault=Vault(tmp_path / "keys"),
        catalogue=CATALOGUE,
        uses=uses(),
        registry=Registry(clients, KeySets(Egress())),
        logos=Logos(Egress()),
        durations=Durations(),
        legacy=frozenset(),
        registers=Registers({}, {}),
    )
    return Provider(parts, clock, key)


def answered(answer: Json | Raw | Refusal, speaks: errors.Speaks, sent: str | None) -> Answered:
    rendered = errors.render(answer, speaks, "x", sent) if isinstance(answer, Refusal) else answer
    assert isinstance(rendered, Json | Raw)
    body = canonical.loads(rendered.content) if isinstance(rendered, Raw) else rendered.body
    return Answered(rendered.status, rendered.headers, body)


def _share(provider: Provider, tx: Any, request: AuthorizationRequest, acr: str) -> str:
    parts, now = provider.parts, provider.now
    enrolment = Enrolment(f"person-{now}", "x", None, "substantial", Profile("A Person"))
    person_id = people.enrol(tx, parts.vault, parts.roots, enrolment, now)
    signed_in = session.start(
        tx, person_id, state="full", acr=acr, amr=("pwd", "otp"), now=now, idle=1800, longest=3600
    )[1]
    handle, journey_id, permission_id = sealing.new_key(), f"journey-{now}", f"permission-{now}"
    journey.begin(
        tx,
        journey_id=journey_id,
        session=signed_in,
        request=request,
        handle=handle,
        language="en",
        expires=now + DAY,
    )
    tx.execute(insert(permission).values(_permission(request, permission_id, now)))
    code = journey.code(handle, journey_id)
    preview.hold(
        tx,
        parts.vault,
        row_id=journey_id,
        person_id=person_id,
        auth_time=now,
        found={},
        publics=[sealing.public_of(handle), sealing.public_of(code.encode())],
        now=now,
        expires=now + DAY,
    )
    tx.execute(
        update(journeys).where(journeys.c.journey_id == journey_id).values(state="shared", permission_id=permission_id)
    )
    assert journey.mint(tx, journey_id, now, now + 60 * SECOND)
    return code


def _permission(request: AuthorizationRequest, permission_id: str, now: int) -> dict[str, Any]:
    return {
        "permission_id": permission_id,
        "lookup": b"l" * 32,
        "client": request.client_id,
        "use_id": request.data.use_id,
        "use_version": request.data.version,
        "mode": "consent",
        "items": canonical.dumps(list(request.data.item_ids)).decode(),
        "notice_digest": b"n" * 32,
        "valid_from": now,
        "valid_to": now + DAY,
        "state": "live",
        "kind": request.data.kind,
        "uses": 0,
        "given_seq": 1,
    }
