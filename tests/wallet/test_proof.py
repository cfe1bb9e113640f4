"""Proofs of possession: what is accepted, and every forged one (OpenID4VCI 1.0 §8.2.1.1, Appendix F.4)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from keys.keyring import RootKeyring, SealingRing
from tests.wallet.conftest import ISSUER, Wallet
from wallet import nonce, proof
from wallet.errors import InvalidNonce, InvalidProof

SECOND = 1_000_000


def check(token: str, ring: SealingRing, now: int) -> proof.VerifiedProof:
    return proof.verify(token, issuer=ISSUER, algorithms=("ES256",), ring=ring, now=now)


def test_a_good_proof_binds_to_its_bare_key(wallet: Wallet, ring: SealingRing, now: int) -> None:
    made = nonce.make(ring, issuer=ISSUER, now=now)
    token = wallet.proof(made, now=now, header={"jwk": {**wallet.jwk, "kid": "follows me", "alg": "ES256"}})
    verified = check(token, ring, now)
    assert verified.jwk == wallet.jwk
    assert (verified.nonce, verified.nonce_expires) == (made, now + 300 * SECOND)


@pytest.mark.parametrize("age", [-60, 0, 300])
def test_the_window_of_iat(wallet: Wallet, ring: SealingRing, now: int, age: int) -> None:
    made = nonce.make(ring, issuer=ISSUER, now=now)
    check(wallet.proof(made, now=now, iat=now // SECOND - age), ring, now)


def _raw(header: dict[str, Any], body: dict[str, Any], signature: bytes = b"") -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part(header)}.{part(body)}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _unsigned(wallet: Wallet, value: str, now: int) -> str:
    header = {"typ": "openid4vci-proof+jwt", "alg": "none", "jwk": wallet.jwk}
    return _raw(header, {"aud": ISSUER, "iat": now // SECOND, "nonce": value})


def _shared_secret(wallet: Wallet, value: str, now: int) -> str:
    body = {"aud": ISSUER, "iat": now // SECOND, "nonce": value}
    head = {"typ": "openid4vci-proof+jwt", "jwk": wallet.jwk}
    return jwt.encode(body, "x" * 32, algorithm="HS256", headers=head)


def _private(wallet: Wallet, value: str, now: int) -> str:
    whole = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(wallet.key))
    assert "d" in whole
    return wallet.proof(value, now=now, header={"jwk": whole})


def _other_curve(wallet: Wallet, value: str, now: int) -> str:
    key = ec.generate_private_key(ec.SECP384R1())
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    body = {"aud": ISSUER, "iat": now // SECOND, "nonce": value}
    return jwt.encode(body, key, algorithm="ES384", headers={"typ": "openid4vci-proof+jwt", "jwk": public})


def _tampered(wallet: Wallet, value: str, now: int) -> str:
    head, _, signature = wallet.proof("another", now=now).split(".")
    body = wallet.proof(value, now=now).split(".")[1]
    return f"{head}.{body}.{signature}"


Forge = Callable[[Wallet, str, int], str]
OFF_CURVE = {"x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE", "y": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}

# fmt: off
FORGED: list[tuple[str, Forge]] = [
    ("N04 nonce missing",         lambda w, n, t: w.proof(..., now=t)),
    ("N04 nonce null",            lambda w, n, t: w.proof(None, now=t)),
    ("N04 nonce empty",           lambda w, n, t: w.proof("", now=t)),
    ("N04 nonce is a number",     lambda w, n, t: w.proof(7, now=t)),
    ("N06 aud is a token address", lambda w, n, t: w.proof(n, now=t, aud=f"{ISSUER}/token")),
    ("N06 aud is an array",       lambda w, n, t: w.proof(n, now=t, aud=[ISSUER])),
    ("N06 aud has a slash",       lambda w, n, t: w.proof(n, now=t, aud=f"{ISSUER}/")),
    ("N06 aud missing",           lambda w, n, t: w.proof(n, now=t, aud=...)),
    ("N07 typ JWT",               lambda w, n, t: w.proof(n, now=t, header={"typ": "JWT"})),
    ("N07 typ missing",           lambda w, n, t: w.proof(n, now=t, header={"typ": None})),
    ("N07 alg none",              _unsigned),
    ("N07 alg HS256",             _shared_secret),
    ("N07 alg not listed",        _other_curve),
    ("N08 jwk and kid",           lambda w, n, t: w.proof(n, now=t, header={"kid": "k"})),
    ("N08 jwk and x5c",           lambda w, n, t: w.proof(n, now=t, header={"x5c": ["MIIB"]})),
    ("N08 kid only",              lambda w, n, t: w.proof(n, now=t, header={"kid": "did:x#1", "jwk": None})),
    ("N08 private key in jwk",    _private),
    ("N08 point not on the curve", lambda w, n, t: w.proof(n, now=t, header={"jwk": {**w.jwk, **OFF_CURVE}})),
    ("N08 jwk is no object",      lambda w, n, t: w.proof(n, now=t, header={"jwk": "k"})),
    ("N09 signed by another key", lambda w, n, t: w.proof(n, now=t, header={"jwk": Wallet().jwk})),
    ("N09 body exchanged",        _tampered),
    ("iat too old",               lambda w, n, t: w.proof(n, now=t, iat=t // SECOND - 301)),
    ("iat in the future",         lambda w, n, t: w.proof(n, now=t, iat=t // SECOND + 61)),
    ("iat missing",               lambda w, n, t: w.proof(n, now=t, iat=...)),
    ("iss though anonymous",      lambda w, n, t: w.proof(n, now=t, iss="wallet")),
    ("crit",                      lambda w, n, t: w.proof(n, now=t, header={"crit": ["x"], "x": 1})),
    ("no JWT",                    lambda w, n, t: "nonsense"),
    ("two parts",                 lambda w, n, t: w.proof(n, now=t).rpartition(".")[0]),
]
# fmt: on


@pytest.mark.parametrize(("why", "forge"), FORGED, ids=[row[0] for row in FORGED])
def test_forged(why: str, forge: Forge, wallet: Wallet, ring: SealingRing, now: int) -> None:
    token = forge(wallet, nonce.make(ring, issuer=ISSUER, now=now), now)
    with pytest.raises(InvalidProof) as refused:
        check(token, ring, now)
    assert token not in str(refused.value)


# N02, N03: the proof is good, its nonce is not
# fmt: off
NONCES: list[tuple[str, Callable[[SealingRing, int], str]]] = [
    ("N02 expired",            lambda ring, now: nonce.make(ring, issuer=ISSUER, now=now - 300 * SECOND)),
    ("N02 from the future",    lambda ring, now: nonce.make(ring, issuer=ISSUER, now=now + 61 * SECOND)),
    ("N03 another issuer",     lambda ring, now: nonce.make(ring, issuer=f"{ISSUER}/b", now=now)),
    ("N03 another deployment", lambda ring, now: nonce.make(RootKeyring.generate().ring("c-nonce"), issuer=ISSUER, now=now)),
    ("N03 another use",        lambda ring, now: "A" * 76),
    ("guessed",                lambda ring, now: "guess"),
    ("not base64url",          lambda ring, now: "é" * 20),
    ("very long",              lambda ring, now: "A" * 4000),
    ("changed",                lambda ring, now: "B" + nonce.make(ring, issuer=ISSUER, now=now)[1:]),
]
# fmt: on


@pytest.mark.parametrize(("why", "make"), NONCES, ids=[row[0] for row in NONCES])
def test_bad_nonces(
    why: str, make: Callable[[SealingRing, int], str], wallet: Wallet, ring: SealingRing, now: int
) -> None:
    with pytest.raises(InvalidNonce):
        check(wallet.proof(make(ring, now), now=now), ring, now)
