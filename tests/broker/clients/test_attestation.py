"""Wallets that authenticate by attestation: the flow, and every refusal (attestation-based client authentication, draft 11; HAIP 1.0 §4.4.1)."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import func, select

from broker import tables
from broker.clients.attestation import UNPROVEN
from broker.clients.key_sets import KeySets
from broker.clients.metadata import ClientMetadata
from broker.clients.registry import Registry
from broker.egress import Egress
from examples import holder
from tests.actors import Agency
from tests.broker.whole import ISSUER, Whole

WALLET, REDIRECT = "norr-wallet", "https://norr-wallet.example/callback"
MAKER = ec.generate_private_key(ec.SECP256R1())


@dataclass
class Wallet(Agency):
    """An instance of a wallet: what it sends with a request are two headers in place of an assertion."""

    instance: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    maker: ec.EllipticCurvePrivateKey = MAKER
    challenge: str | None = None
    vouched: dict[str, Any] = field(default_factory=dict)  # what is other than it should be
    proven: dict[str, Any] = field(default_factory=dict)
    typed: dict[str, str] = field(default_factory=dict)

    def post(self, path: str, form: dict[str, str]) -> httpx2.Response:
        for _ in range(3):
            headers = {"DPoP": self.proof("POST", self.issuer + path, None), **self.headers()}
            answer = self.http.post(self.issuer + path, data={"client_id": self.client_id, **form}, headers=headers)
            self.nonce = answer.headers.get("dpop-nonce", self.nonce)
            self.challenge = answer.headers.get("oauth-client-attestation-challenge", self.challenge)
            if answer.json().get("error") not in {"use_dpop_nonce", "use_attestation_challenge"}:
                break
        return answer

    def headers(self) -> dict[str, str]:
        now = int(self.clock())
        said = {"sub": self.client_id, "exp": now + 3600, "cnf": {"jwk": holder.public_jwk(self.instance)}}
        proof = {"aud": self.issuer, "jti": secrets.token_urlsafe(16), "iat": now, "challenge": self.challenge}
        return {
            "OAuth-Client-Attestation": self.signed(said | self.vouched, self.maker, "oauth-client-attestation+jwt"),
            "OAuth-Client-Attestation-PoP": self.signed(
                proof | self.proven, self.instance, "oauth-client-attestation-pop+jwt"
            ),
        }

    def signed(self, claims: dict[str, Any], key: ec.EllipticCurvePrivateKey, typ: str) -> str:
        whole = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(whole, key, "ES256", headers={"typ": self.typed.get(typ, typ)})


@pytest.fixture
def wallet(whole: Whole) -> Wallet:
    """A wallet whose maker registered it, in one instance."""
    declared = {
        "client_id": WALLET,
        "client_name": "Wallet",
        "profile": "haip",
        "redirect_uris": [REDIRECT],
        "scope": "openid",
        "grant_types": ["authorization_code", "refresh_token"],
        "jwks": {"keys": [{**holder.public_jwk(MAKER), "use": "sig"}]},
    }
    clients = [*whole.parts.registry.all(), ClientMetadata.model_validate(declared)]
    whole.give(registry=Registry(clients, KeySets(Egress()), mode="sandbox", database=whole.parts.database))
    near = whole.agency()
    made = Wallet(WALLET, "", REDIRECT.removesuffix("/callback"), ISSUER, near.key_file, near.http, near.clock, [])
    made.challenge = made.http.post("/challenge").json()["attestation_challenge"]
    return made


def pushes(wallet: Wallet, **changed: str | None) -> httpx2.Response:
    return wallet.push(scope="openid", acr_values=None, **changed)


def markers(whole: Whole) -> int:
    with whole.parts.database.read() as tx:
        return int(tx.execute(select(func.count()).select_from(tables.replay)).scalar_one())


def requests(whole: Whole) -> int:
    with whole.parts.database.read() as tx:
        return int(tx.execute(select(func.count()).select_from(tables.pushed_request)).scalar_one())


def test_a_wallet_signs_in(whole: Whole, wallet: Wallet) -> None:
    """Attested at PAR and at the token endpoint, its tokens bound to its key (HAIP 1.0 §4.4.1)."""
    pushed = pushes(wallet)
    assert pushed.status_code == 201, pushed.text
    maria = whole.present()
    page = maria.press(maria.open(wallet.address(pushed.json()["request_uri"])), "consent", "share")
    body = wallet.token(page)
    assert body["token_type"] == "DPoP"
    assert wallet.call("GET", "/userinfo", token=body["access_token"]).json() == {"sub": body["subject"]}


def test_a_challenge_comes_with_the_refusal(wallet: Wallet) -> None:
    """Draft 11 §8: without one, the answer brings one; the next request is good."""
    wallet.challenge = None
    first = wallet.http.post(
        "/par",
        data={"client_id": WALLET},
        headers={**wallet.headers(), "DPoP": wallet.proof("POST", ISSUER + "/par", None)},
    )
    assert (first.status_code, first.json()["error"]) == (400, "use_attestation_challenge")
    wallet.challenge = first.headers["oauth-client-attestation-challenge"]
    assert pushes(wallet).status_code == 201


def test_two_instances_are_one_client_and_share_nothing(whole: Whole, wallet: Wallet) -> None:
    other = Wallet(WALLET, "", wallet.url, ISSUER, wallet.key_file, whole.client(), wallet.clock, [])
    maria = whole.present()
    page = maria.press(maria.open(wallet.address(pushes(wallet).json()["request_uri"])), "consent", "share")
    code = wallet.receives(page)["code"]
    other.asked = wallet.asked
    assert other.redeem(code).json()["error"] == "invalid_grant"  # bound to the key that pushed
    assert wallet.redeem(code).status_code == 200


def refreshed(wallet: Wallet, token: str) -> httpx2.Response:
    return wallet.post("/token", {"grant_type": "refresh_token", "refresh_token": token})


def test_a_refresh_token_works_for_its_instance_alone(whole: Whole, wallet: Wallet) -> None:
    """Draft 11: another instance of the same wallet is another holder, whatever DPoP key it shows; its own may change that key."""
    maria = whole.present()
    page = maria.press(maria.open(wallet.address(pushes(wallet).json()["request_uri"])), "consent", "share")
    token = wallet.token(page)["refresh_token"]
    thief = Wallet(WALLET, "", wallet.url, ISSUER, wallet.key_file, whole.client(), wallet.clock, [])
    assert refreshed(thief, token).json()["error"] == "invalid_grant"
    thief.dpop = wallet.dpop  # with the very key its access tokens are bound to
    assert refreshed(thief, token).json()["error"] == "invalid_grant"
    wallet.dpop = STRANGER
    assert refreshed(wallet, token).status_code == 200


STRANGER = ec.generate_private_key(ec.SECP256R1())
NOW = 1_795_302_000
# fmt: off
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("§5.1 expired",                {"vouched": {"exp": NOW - 60}},                              "use_fresh_attestation"),
    ("§5.1 no exp",                 {"vouched": {"exp": None}},                                  "invalid_client_attestation"),
    ("ARF too long",                {"vouched": {"exp": NOW + 90_000}},                          "invalid_client_attestation"),
    ("§5.1 no sub",                 {"vouched": {"sub": None}},                                  "invalid_client_attestation"),
    ("§5.1 another wallet",         {"vouched": {"sub": "other"}},                               "invalid_client_attestation"),
    ("§5.1 no cnf",                 {"vouched": {"cnf": None}},                                  "invalid_client_attestation"),
    ("§5.1 cnf is no object",       {"vouched": {"cnf": "x"}},                                   "invalid_client_attestation"),
    ("§5.1 a private key",          {"vouched": {"cnf": {"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}}}}, "invalid_client_attestation"),
    ("§5.1 a shared key",           {"vouched": {"cnf": {"jwk": {"kty": "oct", "k": "AAAA"}}}},  "invalid_client_attestation"),
    ("§5.1 a stranger vouches",     {"maker": STRANGER},                                         "invalid_client_attestation"),
    ("§5.1 another type",           {"typed": {"oauth-client-attestation+jwt": "jwt"}},          "invalid_client_attestation"),
    ("§5.2 another's key proves",   {"vouched": {"cnf": {"jwk": holder.public_jwk(STRANGER)}}},  "invalid_client_attestation"),
    ("§5.2 another server",         {"proven": {"aud": "https://other.example"}},                "invalid_client_attestation"),
    ("§5.2 a list of servers",      {"proven": {"aud": [ISSUER]}},                               "invalid_client_attestation"),
    ("§5.2 no aud",                 {"proven": {"aud": None}},                                   "invalid_client_attestation"),
    ("§5.2 no jti",                 {"proven": {"jti": None}},                                   "invalid_client_attestation"),
    ("§5.2 no iat",                 {"proven": {"iat": None}},                                   "invalid_client_attestation"),
    ("§5.2 old",                    {"proven": {"iat": NOW - 3600}},                             "invalid_client_attestation"),
    ("§5.2 of the future",          {"proven": {"iat": NOW + 3600}},                             "invalid_client_attestation"),
    ("§5.2 another type",           {"typed": {"oauth-client-attestation-pop+jwt": "dpop+jwt"}}, "invalid_client_attestation"),
    ("§8 no challenge",             {"proven": {"challenge": None}},                             "use_attestation_challenge"),
    ("§8 a foreign challenge",      {"proven": {"challenge": "x" * 43}},                         "use_attestation_challenge"),
    ("§8 no text",                  {"proven": {"challenge": 1}},                                "use_attestation_challenge"),
]
# fmt: on


@pytest.mark.parametrize(("changed", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(whole: Whole, wallet: Wallet, changed: dict[str, Any], code: str) -> None:
    shift = int(wallet.clock()) - NOW
    for name, value in changed.items():
        moved = value
        if isinstance(value, dict):
            moved = {k: v + shift if k in {"exp", "iat"} and v is not None else v for k, v in value.items()}
        setattr(wallet, name, moved)
    told = pushes(wallet)
    assert (told.status_code, told.json()["error"]) == (400, code)
    assert (markers(whole), requests(whole)) == (0, 0)


def test_an_old_challenge(whole: Whole, wallet: Wallet) -> None:
    whole.clock.later(301)
    assert pushes(wallet).status_code == 201  # the refusal brought a new one
    whole.clock.later(301)
    headers = {**wallet.headers(), "DPoP": wallet.proof("POST", ISSUER + "/par", None)}
    told = wallet.http.post("/par", data={"client_id": WALLET}, headers=headers)
    assert told.json()["error"] == "use_attestation_challenge"


@pytest.mark.parametrize("name", ["OAuth-Client-Attestation", "OAuth-Client-Attestation-PoP"])
def test_each_header_once(wallet: Wallet, name: str) -> None:
    """Draft 11 §6.1: one of each, never none or two."""
    headers = wallet.headers()
    missing = {other: value for other, value in headers.items() if other != name}
    for sent in (list(missing.items()), [*headers.items(), (name, headers[name])]):
        told = wallet.http.post("/par", data={"client_id": WALLET}, headers=sent)
        assert (told.status_code, told.json()["error"]) == (400, "invalid_client_attestation")


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "e30.e30.", "x" * 20_000])
def test_what_is_no_token(wallet: Wallet, text: str) -> None:
    headers = {**wallet.headers(), "OAuth-Client-Attestation": text}
    told = wallet.http.post("/par", data={"client_id": WALLET}, headers=headers)
    assert (told.status_code, told.json()["error"]) == (400, "invalid_client_attestation")


@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"client_id": WALLET, "client_secret": "x"}, id="RFC 6749 §2.3 two methods"),
        pytest.param({"client_id": WALLET, "client_assertion": "x"}, id="RFC 6749 §2.3 two methods"),
    ],
)
def test_who_it_is_not(whole: Whole, wallet: Wallet, form: dict[str, str]) -> None:
    for path in ("/par", "/token", "/revocation", "/introspection"):
        sent = {"grant_type": "authorization_code", "token": "x", **form}
        told = wallet.http.post(path, data=sent, headers=wallet.headers())
        assert (told.status_code, told.json()["error"]) == (401, "invalid_client"), path
    assert (markers(whole), requests(whole)) == (0, 0)


@pytest.mark.parametrize("form", [{"client_id": "norr-childcare"}, {"client_id": "nobody"}, {}])
def test_an_attestation_for_somebody_else(whole: Whole, wallet: Wallet, form: dict[str, str]) -> None:
    """HAIP N16: another client, nobody, no name: one answer, the one of a wallet whose maker did not sign."""
    for path in ("/par", "/token", "/revocation", "/introspection"):
        sent = {"grant_type": "authorization_code", "token": "x", **form}
        told = wallet.http.post(path, data=sent, headers=wallet.headers())
        said = (told.status_code, told.json()["error"], told.json()["error_description"])
        assert said == (400, "invalid_client_attestation", UNPROVEN), path
    assert (markers(whole), requests(whole)) == (0, 0)


def test_a_wallet_cannot_go_without(wallet: Wallet) -> None:
    """A client that is attested is not one that only says its name (HAIP 1.0 §4.4.1)."""
    told = wallet.http.post("/par", data={"client_id": WALLET})
    assert (told.status_code, told.json()["error"]) == (401, "invalid_client")


def test_a_proof_counts_once(whole: Whole, wallet: Wallet) -> None:
    """Draft 11 §5.2, §12.1: sixteen at once, one gets through; no error of ours."""
    assert pushes(wallet).status_code == 201
    before, headers, form = requests(whole), wallet.headers(), wallet.request(scope="openid", acr_values=None)
    clients = [whole.client() for _ in range(16)]
    proofs = [wallet.proof("POST", ISSUER + "/par", None) for _ in clients]

    def send(pair: tuple[httpx2.Client, str]) -> httpx2.Response:
        return pair[0].post("/par", data=form, headers={**headers, "DPoP": pair[1]})

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(send, zip(clients, proofs, strict=True)))
    assert [answer.status_code for answer in told].count(201) == 1
    assert {answer.status_code for answer in told} <= {201, 400, 401}
    assert requests(whole) == before + 1


def test_the_metadata_says_so(wallet: Wallet) -> None:
    told = wallet.metadata()
    assert "attest_jwt_client_auth" in told["token_endpoint_auth_methods_supported"]
    assert told["challenge_endpoint"] == ISSUER + "/challenge"
    assert "ES256" in told["client_attestation_signing_alg_values_supported"]
    assert "ES256" in told["client_attestation_pop_signing_alg_values_supported"]
    answer = wallet.http.post("/challenge")
    assert answer.headers["cache-control"] == "no-store"
