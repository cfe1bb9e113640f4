"""PKCE: only S256, only a fitting verifier (RFC 7636)."""

import pytest

from broker.authorization import pkce
from keys.errors import Mismatch

# RFC 7636 Appendix B
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_example_of_the_specification() -> None:
    assert pkce.check_challenge(CHALLENGE, "S256") == CHALLENGE
    pkce.verify(VERIFIER, CHALLENGE)


@pytest.mark.parametrize(
    ("challenge", "method"),
    [
        pytest.param(None, "S256", id="method without challenge §4.3"),
        pytest.param(CHALLENGE, None, id="no method means plain §4.3"),
        pytest.param(CHALLENGE, "plain", id="plain RFC 9700 §2.1.1"),
        pytest.param(CHALLENGE, "s256", id="the method is case-sensitive"),
        pytest.param(CHALLENGE[:-1], "S256", id="too short for a SHA-256"),
        pytest.param(CHALLENGE + "A", "S256", id="too long for a SHA-256"),
        pytest.param(CHALLENGE[:-1] + "=", "S256", id="padding"),
        pytest.param(CHALLENGE[:-1] + "\n", "S256", id="line end"),
    ],
)
def test_refused_challenges(challenge: str | None, method: str | None) -> None:
    with pytest.raises(ValueError):
        pkce.check_challenge(challenge, method)


def test_without_a_challenge_there_is_no_verifier() -> None:
    """RFC 9700 §4.8.2: a challenge somebody took out of the request is found at the token endpoint."""
    pkce.verify(None, None)
    with pytest.raises(ValueError):
        pkce.verify(VERIFIER, None)


@pytest.mark.parametrize(
    ("verifier", "problem"),
    [
        pytest.param(None, ValueError, id="missing: a downgrade RFC 9700 §4.8.2"),
        pytest.param("a" * 42, ValueError, id="too short §4.1"),
        pytest.param("a" * 129, ValueError, id="too long §4.1"),
        pytest.param("é" * 43, ValueError, id="other characters §4.1"),
        pytest.param("a" * 42 + "\n", ValueError, id="line end §4.1"),
        pytest.param("a" * 43, Mismatch, id="another's verifier §4.6"),
        pytest.param(CHALLENGE, Mismatch, id="the challenge itself: plain"),
    ],
)
def test_refused_verifiers(verifier: str | None, problem: type[Exception]) -> None:
    with pytest.raises(problem):
        pkce.verify(verifier, CHALLENGE)
