"""Client secrets (RFC 6749 §2.3.1)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.clients import secret
from keys.errors import Mismatch


def test_a_made_secret_is_long_and_is_not_what_is_kept() -> None:
    one, kept = secret.make()
    assert len(one) >= 43
    assert one not in kept
    assert secret.HASH.fullmatch(kept)
    secret.verify(one, kept)
    assert secret.make()[0] != one


@pytest.mark.parametrize("kept", [None, secret.NOBODY, secret.kept("other")])
def test_another_secret(kept: str | None) -> None:
    with pytest.raises(Mismatch):
        secret.verify("mine", kept)


def test_both_parts_are_form_encoded() -> None:
    header = base64.b64encode(b"a%3Ab:c%2Bd+e").decode()
    assert secret.basic([f"Basic {header}"]) == ("a:b", "c+d e")


@given(st.text(max_size=300))
def test_no_header_breaks_the_reader(text: str) -> None:
    for header in (text, f"Basic {text}", f"Basic {base64.b64encode(text.encode('utf-8', 'surrogatepass')).decode()}"):
        try:
            client_id, given_secret = secret.basic([header])
        except ValueError:
            continue
        assert isinstance(client_id, str)
        assert isinstance(given_secret, str)
