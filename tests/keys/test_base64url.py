"""base64url: one text per byte string."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import base64url
from keys.errors import Malformed


@given(st.binary())
def test_decoding_what_was_encoded(data):
    assert base64url.decode(base64url.encode(data)) == data


@given(st.text())
def test_what_decodes_has_no_second_text(text):
    try:
        data = base64url.decode(text)
    except Malformed:
        return
    assert base64url.encode(data) == text


@pytest.mark.parametrize("text", ["A", "AA==", "AB", "A+", "A/", "AA\n", " AA", "é"])  # RFC 7515 §2; RFC 4648 §3.5
def test_refused(text):
    with pytest.raises(Malformed):
        base64url.decode(text)
