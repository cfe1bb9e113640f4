"""Pairwise subjects."""

import base64
import hashlib
import hmac

from broker.sign_in import subject


def test_one_person_has_another_name_at_every_sector():
    key = bytes(range(32))
    made = {sector: subject.pairwise(key, sector) for sector in ("a.example", "b.example", "norr-planning")}
    assert len(set(made.values())) == 3
    expected = base64.urlsafe_b64encode(hmac.new(key, b"a.example", hashlib.sha256).digest()).rstrip(b"=").decode()
    assert made["a.example"] == subject.pairwise(key, "a.example") == expected
    assert subject.pairwise(bytes(32), "a.example") != expected


def test_one_session_has_another_name_at_every_client_and_needs_the_persons_key():
    key, secret = bytes(range(32)), bytes(reversed(range(32)))
    names = {subject.session_id(*made) for made in [(key, secret, "a"), (key, secret, "b"), (key, key, "a")]}
    names |= {subject.session_id(secret, secret, "a"), subject.pairwise(key, "a")}
    assert len(names) == 5
    assert {len(name) for name in names} == {43}


def test_who_acts_for_another_knows_the_person_by_another_name() -> None:
    """RFC 8693 §4.1: one for every work; neither agency's own, and no other order of the two."""
    key = b"k" * 32
    names = [subject.acting(key, "town", "office"), subject.acting(key, "county", "office")]
    names += [subject.acting(key, "office", "town"), subject.pairwise(key, "town"), subject.pairwise(key, "office")]
    assert len(set(names)) == 5
    assert subject.acting(b"l" * 32, "town", "office") not in names
    assert all(len(name) == 43 for name in names)
