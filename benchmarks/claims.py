"""What is claimed, and how each claim is measured: walks prepared beforehand, signatures and all, then sent as fast as they go."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt

from benchmarks import load
from benchmarks.agency import b64
from benchmarks.load import Failed, Reply, Walk, get, once, post
from benchmarks.side import RESOURCE, Side, Visit

CONNECTIONS = 32
COPY = 5.0  # seconds that a client keeps its copy of the published keys
TOKENS = 40  # that introspection and UserInfo are asked about


@dataclass(frozen=True)
class Measure:
    """One repetition: how many, in which time, for how much CPU of all processes of the side."""

    many: int
    seconds: float
    cpu: float
    times: tuple[float, ...]

    @property
    def rate(self) -> float:
        """How many for one second of CPU."""
        return self.many / max(self.cpu, 0.01)


def measured(side: Side, walks: Sequence[Walk]) -> Measure:
    """Send walks, and say what they cost."""
    before = side.cpu()
    outcome = load.run(side.port, walks, connections=CONNECTIONS)
    return Measure(len(walks), outcome.seconds, side.cpu() - before, tuple(outcome.times))


def visits(side: Side, many: int) -> Iterator[Visit]:
    """So many visits, one after the other and round again."""
    return islice(cycle(side.visits), many)


def introduce(side: Side) -> None:
    """Let every agency learn the nonce of this moment (RFC 9449 §8)."""
    nonces: list[str] = []

    def ask() -> Walk:
        reply = yield _own_token(side, side.visits[0], RESOURCE)
        nonces.append(reply.headers["dpop-nonce"])

    side.visits[0].agency.nonce = None
    load.run(side.port, [ask()], connections=1)
    for visit in side.visits:
        visit.agency.nonce = nonces[0]


def authorization(side: Side, visit: Visit, got: dict[str, str]) -> Walk:
    """Push a request and walk the browser to the agency's door; `got` receives code, verifier and nonce."""
    agency, verifier, nonce = visit.agency, b64(os.urandom(32)), b64(os.urandom(16))
    challenge = b64(hashlib.sha256(verifier.encode()).digest())
    scope = f"openid use:bench.{agency.client_id}" if side.name == "semel" else "openid"
    asked = {
        "response_type": "code",
        "redirect_uri": agency.callback,
        "scope": scope,
        "state": b64(os.urandom(16)),
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **agency.credentials(),
    }
    path = side.paths["par"]
    reply = yield post(side.host, path, asked, {"DPoP": agency.proof("POST", path)})
    if reply.status != 201:
        raise Failed(f"push: {reply.status} {reply.body[:300]!r}")
    said = {"client_id": agency.client_id, "request_uri": json.loads(reply.body)["request_uri"]}
    jar = dict(visit.cookies)
    where = f"{side.paths['authorize']}?{urlencode(said)}"
    while not where.startswith(agency.callback):
        path = where if where.startswith("/") else where.removeprefix(f"http://{side.host}")
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        reply = yield get(side.host, path, headers)
        if reply.status != 303:
            raise Failed(f"{path}: {reply.status} {reply.body[:300]!r}")
        jar |= reply.cookies
        where = reply.headers["location"]
    back = parse_qs(urlsplit(where).query)
    if "code" not in back:
        raise Failed(f"no code: {where}")
    got.update(code=back["code"][0], verifier=verifier, nonce=nonce)


def redemption(side: Side, visit: Visit, got: dict[str, str]) -> bytes:
    """The request that redeems a code, signed."""
    form = {
        "grant_type": "authorization_code",
        "code": got["code"],
        "redirect_uri": visit.agency.callback,
        "code_verifier": got["verifier"],
        **visit.agency.credentials(),
    }
    path = side.paths["token"]
    return post(side.host, path, form, {"DPoP": visit.agency.proof("POST", path)})


def codes(side: Side, many: int) -> list[tuple[Visit, dict[str, str]]]:
    """So many codes that nobody has redeemed."""
    made: list[tuple[Visit, dict[str, str]]] = [(visit, {}) for visit in visits(side, many)]
    load.run(side.port, [authorization(side, visit, got) for visit, got in made], connections=CONNECTIONS)
    return made


def code_exchange(side: Side, many: int) -> Measure:
    """Redeem codes: private_key_jwt, PKCE and DPoP, an ID token and an access token that opens UserInfo."""
    made = codes(side, many)
    return measured(side, [once(redemption(side, visit, got)) for visit, got in made])


def client_credentials(side: Side, many: int) -> Measure:
    """Tokens for clients themselves: private_key_jwt and DPoP, a signed token for another server."""
    return measured(side, [once(_own_token(side, visit, RESOURCE)) for visit in visits(side, many)])


def _own_token(side: Side, visit: Visit, resource: str) -> bytes:
    path = side.paths["token"]
    form = {"grant_type": "client_credentials", "resource": resource, **visit.agency.credentials()}
    return post(side.host, path, form, {"DPoP": visit.agency.proof("POST", path)})


def _told(request: bytes, into: list[Any]) -> Walk:
    reply: Reply = yield request
    if reply.status != 200:
        raise Failed(f"{reply.status} {reply.body[:300]!r}")
    into.append(json.loads(reply.body))


def _asked_about(side: Side) -> list[str]:
    got: list[Any] = []
    walks = [_told(_own_token(side, visit, side.resource), got) for visit in visits(side, TOKENS)]
    load.run(side.port, walks, connections=4)
    return [body["access_token"] for body in got]


def introspection(side: Side, many: int) -> Measure:
    """Ask what tokens are worth; the caller has a secret, so nothing is written."""
    tokens, path = cycle(_asked_about(side)), side.paths["introspection"]
    basic = base64.b64encode(":".join(side.files).encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    walks = [_active(post(side.host, path, {"token": next(tokens)}, headers)) for _ in range(many)]
    return measured(side, walks)


def introspection_signing(side: Side, many: int) -> Measure:
    """The same by private_key_jwt: one durable marker each."""
    tokens, path = cycle(_asked_about(side)), side.paths["introspection"]
    walks = [
        _active(post(side.host, path, {"token": next(tokens), **side.signing.credentials()}, {})) for _ in range(many)
    ]
    return measured(side, walks)


def _active(request: bytes) -> Walk:
    reply: Reply = yield request
    if reply.status != 200 or b'"active":true' not in reply.body:
        raise Failed(f"{reply.status} {reply.body[:300]!r}")


def userinfo(side: Side, many: int) -> Measure:
    """Ask who a token is about, with a proof for each call."""
    got: list[tuple[Visit, list[Any]]] = [(visit, []) for visit in visits(side, TOKENS)]
    made = codes(side, TOKENS)
    walks = [_told(redemption(side, *one), into) for one, (_, into) in zip(made, got, strict=True)]
    load.run(side.port, walks, connections=4)
    held, path = cycle([(visit.agency, into[0]["access_token"]) for visit, into in got]), side.paths["userinfo"]
    requests = []
    for _ in range(many):
        agency, token = next(held)
        headers = {"Authorization": f"DPoP {token}", "DPoP": agency.proof("GET", path, token)}
        requests.append(once(get(side.host, path, headers)))
    return measured(side, requests)


def journey(side: Side, many: int) -> Measure:
    """The unit of work: push, authorize, token, the data (the peer: UserInfo), each answer verified."""
    keys = Published(side)
    return measured(side, [one_journey(side, visit, keys) for visit in visits(side, many)])


def one_journey(side: Side, visit: Visit, keys: Published) -> Walk:
    """One of them."""
    got: dict[str, str] = {}
    yield from authorization(side, visit, got)
    reply: Reply = yield redemption(side, visit, got)
    if reply.status != 200:
        raise Failed(f"token: {reply.status} {reply.body[:300]!r}")
    body, agency = json.loads(reply.body), visit.agency
    key = keys.get(jwt.get_unverified_header(body["id_token"])["kid"])
    claims = jwt.decode(body["id_token"], key, ["ES256"], audience=agency.client_id, issuer=agency.issuer)
    if claims["nonce"] != got["nonce"]:
        raise Failed("another nonce")
    path, token = side.paths.get("prefill", side.paths["userinfo"]), body["access_token"]
    reply = yield get(side.host, path, {"Authorization": f"DPoP {token}", "DPoP": agency.proof("GET", path, token)})
    if reply.status != 200:
        raise Failed(f"data: {reply.status} {reply.body[:300]!r}")
    data = json.loads(reply.body)
    if "prefill" not in side.paths:
        if data["sub"] != claims["sub"]:
            raise Failed("another subject")
        return
    if [item["status"] for item in data["items"].values()] != ["provided"] * 8:
        raise Failed(f"not all items: {data['items']}")
    receipt = data["ledger"]
    leaf, salt = (base64.urlsafe_b64decode(receipt[name] + "==") for name in ("leaf", "salt"))
    if leaf[33:] != hmac.digest(salt, receipt["body"].encode(), "sha256"):
        raise Failed("the leaf does not commit to what was told")


class Published:
    """A client's copy of a side's published keys, asked for anew when it is old (RFC 9111); `used` are the ids it was asked for."""

    def __init__(self, side: Side) -> None:
        self._side, self._taken, self.used = side, -COPY, set[str]()

    def get(self, kid: str) -> jwt.PyJWK:
        """The key of this id; `KeyError` when the copy has none such."""
        if time.monotonic() - self._taken > COPY:
            got: list[Any] = []
            load.run(self._side.port, [_told(get(self._side.host, "/jwks", {}), got)], connections=1)
            self._keys = jwt.PyJWKSet.from_dict(got[0])
            self._taken = time.monotonic()
        self.used.add(kid)
        return self._keys[kid]


@dataclass(frozen=True)
class Claim:
    """A row of the table: its name, how many a repetition sends, and what is to be reached beside the peer or by itself."""

    name: str
    measure: Callable[[Side, int], Measure]
    many: int
    goal: str


CLAIMS = (
    Claim("code exchange", code_exchange, 600, "ratio at least 1"),
    Claim("client credentials", client_credentials, 1500, "ratio at least 1"),
    Claim("introspection", introspection, 3000, "at least 4,000 for a second of CPU"),
    Claim("introspection, signed caller", introspection_signing, 2000, "at least 2,000 for a second of CPU"),
    Claim("userinfo", userinfo, 1500, "none"),
    Claim("journey", journey, 400, "at least 250 a second on two cores, p99 below 60 ms"),
)
