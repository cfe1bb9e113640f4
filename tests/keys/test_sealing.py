"""Sealing to a shared key and to an absent holder."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import sealing
from keys.errors import InvalidKey, SealBroken

keys = st.binary(min_size=32, max_size=32)
handles = st.binary(min_size=32, max_size=2000)


@given(keys, st.binary(), st.binary())
def test_what_is_encrypted_opens(key, plaintext, aad):
    assert sealing.decrypt(key, sealing.encrypt(key, plaintext, aad), aad) == plaintext


@given(handles, keys, st.binary())
def test_what_is_sealed_to_a_holder_opens_with_the_handle(handle, mix, secret):
    assert sealing.open_with(handle, mix, sealing.seal_to(sealing.public_of(handle), mix, secret)) == secret


@given(st.data())
def test_no_changed_bit_opens(data):
    handle, mix = secrets.token_bytes(32), sealing.new_key()
    box = bytearray(sealing.seal_to(sealing.public_of(handle), mix, b"secret"))
    position = data.draw(st.integers(0, len(box) * 8 - 1))
    box[position // 8] ^= 1 << position % 8
    with pytest.raises(SealBroken):
        sealing.open_with(handle, mix, bytes(box))


def test_two_boxes_of_the_same_differ():
    key, public = sealing.new_key(), sealing.public_of(b"h" * 32)
    assert sealing.encrypt(key, b"x") != sealing.encrypt(key, b"x")
    assert sealing.seal_to(public, key, b"x") != sealing.seal_to(public, key, b"x")


def test_another_handle_another_day_another_context_open_nothing():
    handle, mix, key = b"h" * 32, sealing.new_key(), sealing.new_key()
    box = sealing.seal_to(sealing.public_of(handle), mix, b"secret")
    for held, mixed, given_box in [
        (b"i" * 32, mix, box),
        (handle, sealing.new_key(), box),
        (handle, mix, box[:-1]),
        (handle, mix, b""),
        (handle, mix, bytes(32) + box[32:]),  # a point of small order
    ]:
        with pytest.raises(SealBroken):
            sealing.open_with(held, mixed, given_box)
    for opener, aad in [(sealing.new_key(), b"a"), (key, b"b")]:
        with pytest.raises(SealBroken):
            sealing.decrypt(opener, sealing.encrypt(key, b"secret", b"a"), aad)


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: sealing.public_of(b"short"),
        lambda: sealing.encrypt(b"short", b""),
        lambda: sealing.decrypt(b"short", bytes(40)),
        lambda: sealing.seal_to(sealing.public_of(b"h" * 32), b"short", b""),
        lambda: sealing.seal_to(bytes(32), sealing.new_key(), b""),
        lambda: sealing.seal_to(b"short", sealing.new_key(), b""),
    ],
)
def test_weak_keys_are_refused(attempt):
    with pytest.raises(InvalidKey):
        attempt()


def test_the_key_of_a_handle_never_changes():
    assert sealing.public_of(b"h" * 32).hex() == "b19f513254847a1c53e8c7cdf6ea967a3b48767ebab4c5fd754966eb54da3a20"
    assert (
        sealing.derive(bytes(32), "semel/data/v1").hex()
        == "7bf1a29062bca9c6c8b4db12cfbea390d41dd8a64f5a4c7729e80ce4a3ff0029"
    )
