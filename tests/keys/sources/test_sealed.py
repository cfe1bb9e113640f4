"""Signing keys sealed in the database; the contract of a key source."""

from itertools import cycle

import pytest
from sqlalchemy import select, update

from keys import algorithms, jwk, jws
from keys.errors import InvalidKey, NoSuchKey, SealBroken
from keys.keyring import KeySource, RootKeyring
from keys.sources import sealed
from keys.tables import signing_key

SECOND = 1_000_000
ROOTS = RootKeyring.generate()
SIGNING, LEDGER = ROOTS.ring("signing"), ROOTS.ring("ledger")
ALGS = ("ES256", "PS256", "EdDSA", "Ed25519", "ML-DSA-44")
PAIRS = {alg: cycle([algorithms.generate(alg) for _ in range(1 if alg == "PS256" else 4)]) for alg in ALGS}


@pytest.fixture
def tx(database):
    with database.write() as open_tx:
        yield open_tx


def token_key(tx, stage, now):
    return sealed.store(tx, SIGNING, next(PAIRS["ES256"]), purpose="token", stage=stage, now=now)


def schedule(*, announce, retire, every=86_400):
    return sealed.Schedule(every, announce, {"token": retire, "credential": retire})


def stages(tx):
    return {key.kid: key.stage for key in sealed.listed(tx)}


def test_a_loaded_key_signs_what_its_public_half_verifies(tx, now):
    kid = token_key(tx, "signing", now)
    source: KeySource = sealed.SealedKeys(SIGNING)
    keyring = source.load(tx, ["token"])
    assert keyring.signer().kid == kid == jwk.thumbprint(keyring.signer().public_jwk)
    token = jws.sign(keyring.signer(), {"iss": "i", "iat": now // SECOND}, typ="prefill-receipt+jwt")
    verified = jws.verify(jws.RECEIPT, token, keys=keyring.verification_keys("token"), issuer="i", now=now)
    assert verified.header["kid"] == kid


@pytest.mark.parametrize(("alg", "size"), [("Ed25519", 64), ("ML-DSA-44", 2420)])
def test_ledger_keys(tx, now, alg, size):
    sealed.store(tx, LEDGER, next(PAIRS[alg]), purpose="ledger", stage="signing", now=now)
    assert len(sealed.load(tx, LEDGER, ["ledger"]).signer("ledger", alg).sign(b"x")) == size


def test_a_worker_without_the_ledger_ring_loads_no_ledger_key(tx, now):
    with pytest.raises(InvalidKey):
        sealed.store(tx, SIGNING, next(PAIRS["Ed25519"]), purpose="ledger", stage="signing", now=now)
    with pytest.raises(InvalidKey):
        sealed.load(tx, SIGNING, ["token", "ledger"])
    with pytest.raises(InvalidKey):
        sealed.load(tx, LEDGER, ["token"])


def test_only_what_was_asked_for_is_loaded(tx, now):
    token_key(tx, "signing", now)
    with pytest.raises(NoSuchKey):
        sealed.load(tx, SIGNING, ["credential"]).signer("credential")


def test_nothing_private_is_stored_in_clear_or_shown(tx, now):
    token_key(tx, "signing", now)
    seed = sealed.load(tx, SIGNING, ["token"]).signer().pair.seed()
    row = tx.execute(select(signing_key)).one()
    assert seed not in row.sealed
    assert '"d"' not in row.public_jwk
    assert set(sealed.listed(tx)[0].public_jwk) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_a_key_of_another_root_or_moved_to_another_row_does_not_open(tx, now):
    first, second = token_key(tx, "signing", now), token_key(tx, "upcoming", now)
    with pytest.raises(SealBroken):
        sealed.load(tx, RootKeyring.generate().ring("signing"), ["token"])
    box = tx.execute(select(signing_key.c.sealed).where(signing_key.c.kid == second)).scalar_one()
    tx.execute(update(signing_key).where(signing_key.c.kid == first).values(sealed=box))
    with pytest.raises(SealBroken):
        sealed.load(tx, SIGNING, ["token"])


def test_a_key_may_not_change_its_purpose(tx, now):
    token_key(tx, "signing", now)
    tx.execute(update(signing_key).values(purpose="credential"))
    with pytest.raises(SealBroken):
        sealed.load(tx, SIGNING, ["credential"])


def test_stages_follow_the_clock(tx, now):
    old, new = token_key(tx, "signing", now), token_key(tx, "upcoming", now)
    other = sealed.store(tx, SIGNING, next(PAIRS["ES256"]), purpose="credential", stage="signing", now=now)
    clock = {"schedule": schedule(announce=60, retire=600)}
    assert sealed.advance(tx, now + 59 * SECOND, **clock) == ()
    assert sealed.advance(tx, now + 60 * SECOND, **clock) == ((old, "retiring"), (new, "signing"))
    assert stages(tx) == {old: "retiring", new: "signing", other: "signing"}
    assert sealed.load(tx, SIGNING, ["token"]).signer().kid == new
    assert sealed.advance(tx, now + 659 * SECOND, **clock) == ()
    assert sealed.advance(tx, now + 660 * SECOND, **clock) == ((old, "gone"),)
    assert stages(tx) == {new: "signing", other: "signing"}


def test_two_upcoming_keys_leave_one_signing(tx, now):
    first, second = token_key(tx, "upcoming", now), token_key(tx, "upcoming", now + 1)
    sealed.advance(tx, now + SECOND, schedule(announce=0, retire=600))
    assert stages(tx) == {first: "retiring", second: "signing"}


def test_what_is_due(tx, now):
    """Every kind of key there should be, then the old ones; nothing while the next one is on its way."""
    plan = schedule(announce=60, retire=600, every=1000)
    assert sealed.due(tx, now, plan) == sealed.WANTED
    for purpose, alg in sealed.WANTED[:2]:
        sealed.store(tx, SIGNING, next(PAIRS[alg]), purpose=purpose, stage="signing", now=now)
    sealed.store(tx, LEDGER, next(PAIRS["Ed25519"]), purpose="ledger", stage="signing", now=now)
    assert sealed.due(tx, now + 939 * SECOND, plan) == sealed.WANTED[2:]
    assert sealed.due(tx, now + 940 * SECOND, plan) == sealed.WANTED
    token_key(tx, "upcoming", now + 940 * SECOND)
    assert ("token", "ES256") not in sealed.due(tx, now + 940 * SECOND, plan)
    sealed.advance(tx, now + 1000 * SECOND, plan)
    assert ("token", "ES256") not in sealed.due(tx, now + 1000 * SECOND, plan)


def test_a_leaked_key_is_gone_at_once(tx, now):
    old, following = token_key(tx, "signing", now), token_key(tx, "upcoming", now)
    other = sealed.store(tx, SIGNING, next(PAIRS["EdDSA"]), purpose="token", stage="signing", now=now)
    new = sealed.revoke(tx, SIGNING, next(PAIRS["ES256"]), purpose="token", now=now + 1)
    assert stages(tx) == {new: "signing", other: "signing"}
    assert {old, following} & stages(tx).keys() == set()


def test_the_clock_never_moves_a_ledger_key(tx, now):
    kid = sealed.store(tx, LEDGER, next(PAIRS["Ed25519"]), purpose="ledger", stage="retiring", now=now)
    assert sealed.advance(tx, now + 10**6 * SECOND, schedule(announce=0, retire=0)) == ()
    assert stages(tx) == {kid: "retiring"}
