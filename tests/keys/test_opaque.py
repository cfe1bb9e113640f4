"""Opaque secrets."""

import base64
import hashlib

import pytest

from keys import opaque
from keys.errors import Mismatch


def test_a_token_is_32_bytes_of_base64url_and_never_the_same():
    first, second = opaque.token(), opaque.token()
    assert first != second
    assert len(first) == 43
    assert len(base64.urlsafe_b64decode(first + "=")) == 32


def test_the_digest_is_sha256_of_the_text():
    assert opaque.digest("abc") == opaque.digest(b"abc") == hashlib.sha256(b"abc").digest()


def test_equal_values_pass():
    opaque.equal("a", b"a")


@pytest.mark.parametrize(("left", "right"), [("a", "b"), ("a", "aa"), ("", "a"), ("é", "e")])
def test_unequal_values_raise(left, right):
    with pytest.raises(Mismatch):
        opaque.equal(left, right)


def test_no_text_is_beyond_it():
    assert opaque.digest("\ud800") != opaque.digest("\udfff")
    with pytest.raises(Mismatch):
        opaque.equal("\ud800", "?")
