"""What an agency is told of a browser's state, and what it can do with it (OpenID Connect Session Management 1.0 §3.2)."""

import hashlib

from broker.sign_in import browser_state

SECRET, OTHER = bytes(range(32)), bytes(32)
ORIGIN = "https://rp.example"


def test_the_hash_is_that_of_the_specification():
    told = browser_state.session_state("rp", ORIGIN, SECRET)
    found, salt = told.split(".")
    text = f"rp {ORIGIN} {browser_state.of(SECRET)} {salt}"
    assert found == hashlib.sha256(text.encode()).hexdigest()
    assert " " not in told
    assert len(salt) == 22


def test_no_two_are_equal():
    """Not for one client twice, not for two, not for two sessions: agencies that compare find nothing."""
    told = [
        browser_state.session_state(*said)
        for said in [("rp", ORIGIN, SECRET)] * 2 + [("other", ORIGIN, SECRET), ("rp", ORIGIN, OTHER)]
    ]
    assert len({part for one in told for part in one.split(".")}) == 8


def test_the_cookie_is_no_secret_of_the_session():
    made = browser_state.cookie("name", SECRET)
    assert (made.open, made.delete, made.max_age) == (True, False, None)
    assert SECRET.hex() not in made.value
    assert browser_state.of(SECRET) != browser_state.of(OTHER)
    assert browser_state.cookie("name", None).delete
