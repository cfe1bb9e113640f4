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
