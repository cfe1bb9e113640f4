"""Root keyring, rings, loaded signing keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import algorithms, base64url
from keys.errors import Malformed, Mismatch, NoSuchKey, SealBroken, UnknownRoot
from keys.keyring import Keyring, RootKeyring, SigningKey

A, B = base64url.encode(b"a" * 32), base64url.encode(b"b" * 32)
USES = ["signing", "ledger", "totp", "cookie", "dpop-nonce", "c-nonce", "pepper", "form"]
RING = RootKeyring.parse(f"a {A}\n").ring("totp")


def test_lines_are_read_in_order_and_written_back():
    text = f"# made by hand\n\nnew {A}\nold {B}=\n"
    keyring = RootKeyring.parse(text)
    assert [root.id for root in keyring.roots] == ["new", "old"]
    assert RootKeyring.parse(keyring.text()) == keyring


def test_a_generated_keyring_has_one_new_root_and_does_not_show_it():
    one, two = RootKeyring.generate(), RootKeyring.generate()
    assert one.roots[0].secret != two.roots[0].secret
    assert len(one.roots[0].secret) == 32
    assert base64url.encode(one.roots[0].secret) not in repr(one)
    assert RootKeyring.parse(one.text()) == one


@pytest.mark.parametrize(
    "text",
    ["", "# only\n", "a", A, f"a {A} b", f"a {A[:-2]}", f"a {A}AA", f"a b {A}", f"/ {A}", f"a {A}\na {B}", "a !"],
)
def test_not_a_keyring(text):
    with pytest.raises(Malformed) as error:
        RootKeyring.parse(text)
    assert A not in str(error.value)


@given(st.binary(), st.binary())
def test_what_is_sealed_opens(plaintext, aad):
    assert RING.open(RING.seal(plaintext, aad), aad) == plaintext


def test_each_use_has_its_own_keys():
    keyring = RootKeyring.parse(f"a {A}\n")
    for use in USES:
        box, tag = keyring.ring(use).seal(b"x", b""), keyring.ring(use).mac(b"x")
        for other in USES:
            if other == use:
                assert keyring.ring(other).open(box, b"") == b"x"
                continue
            with pytest.raises(SealBroken):
                keyring.ring(other).open(box, b"")
            with pytest.raises(Mismatch):
                keyring.ring(other).verify_mac(b"x", tag)


def test_after_a_rotation_the_new_root_seals_and_the_old_opens():
    old, new = RootKeyring.parse(f"a {A}").ring("totp"), RootKeyring.parse(f"b {B}\na {A}").ring("totp")
    assert new.open(old.seal(b"x", b"y"), b"y") == b"x"
    new.verify_mac(b"x", old.mac(b"x"))
    assert new.macs(b"x") == (new.mac(b"x"), old.mac(b"x"))
    with pytest.raises(UnknownRoot):
        old.open(new.seal(b"x", b"y"), b"y")


@pytest.mark.parametrize(
    "change",
    [
        lambda box: b"",
        lambda box: box[:1],
        lambda box: box[:2],
        lambda box: box[:-1],
        lambda box: box + b"x",
        lambda box: bytes([255]) + box[1:],
        lambda box: bytes([0]) + box[2:],
        lambda box: box[:1] + b"b" + box[2:],
        lambda box: box[:20] + bytes([box[20] ^ 1]) + box[21:],
    ],
)
def test_a_changed_box_does_not_open(change):
    with pytest.raises(SealBroken):
        RING.open(change(RING.seal(b"secret", b"")), b"")


def test_a_box_opens_only_for_what_it_belongs_to():
    with pytest.raises(SealBroken):
        RING.open(RING.seal(b"secret", b"person 1"), b"person 2")


@pytest.mark.parametrize("tag", [b"", bytes(32), RING.mac(b"x")[:-1], RING.mac(b"y")])
def test_a_wrong_code(tag):
    RING.verify_mac(b"x", RING.mac(b"x"))
    with pytest.raises(Mismatch):
        RING.verify_mac(b"x", tag)


def made(purpose, stage, seed, alg="ES256"):
    return SigningKey.of(algorithms.from_seed(alg, bytes([seed]) * 32), purpose=purpose, stage=stage)


KEYS = Keyring(
    (
        made("token", "upcoming", 1),
        made("token", "signing", 2),
        made("token", "retiring", 3),
        made("credential", "signing", 4),
        made("ledger", "signing", 5, "Ed25519"),
    )
)


def test_the_signer_is_the_one_in_its_stage():
    assert KEYS.signer() is KEYS.keys[1]
    assert KEYS.signer("credential") is KEYS.keys[3]
    assert KEYS.signer("ledger", "Ed25519") is KEYS.keys[4]
    with pytest.raises(NoSuchKey):
        KEYS.signer("ledger", "ML-DSA-44")


def test_every_stage_verifies():
    assert [key["kid"] for key in KEYS.verification_keys("token").keys] == [key.kid for key in KEYS.keys[:3]]


def test_the_published_set():  # RFC 7517 §5
    published = KEYS.jwks()["keys"]
    ids = [key["kid"] for key in published]
    assert ids == sorted(key.kid for key in KEYS.keys[:4])
    assert len(set(ids)) == 4
    for key in published:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert (key["use"], key["alg"]) == ("sig", "ES256")
    assert [key["kid"] for key in KEYS.jwks("credential")["keys"]] == [KEYS.keys[3].kid]


def test_a_signing_key_does_not_show_itself():
    assert "pair" not in repr(KEYS)
    with pytest.raises(TypeError):
        KEYS.keys[0].public_jwk["kid"] = "x"


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        (bytes(32), "pattern"),
        (b"\xff" * 32, "pattern"),
        (bytes(range(32)), "pattern"),
        (bytes(range(64, 0, -2)), "pattern"),
        (bytes(range(16)) * 2, "pattern"),
        (b"correct horse battery staple 123", "text"),
        (b"zu-Semel-gehoert-dieses-Passwort", "text"),
    ],
)
def test_a_root_that_somebody_thought_of_is_no_secret(secret, why):
    keyring = RootKeyring.parse(f"new {base64url.encode(secret)}\n")
    said = keyring.weakness()
    assert said is not None
    assert why in said
    assert "root new" in said
    assert base64url.encode(secret) not in said


def test_one_secret_under_two_ids_is_one_secret():
    (root,) = RootKeyring.generate().roots
    text = base64url.encode(root.secret)
    assert RootKeyring.parse(f"a {text}\nb {text}\n").weakness() == "two roots are the same secret"


def test_random_roots_are_not_called_weak():
    assert [RootKeyring.generate().weakness() for _ in range(2000)] == [None] * 2000
