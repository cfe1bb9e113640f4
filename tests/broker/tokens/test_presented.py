"""Tokens shown at a resource: with their key, never downgraded (RFC 9449 §7.1, §7.2)."""

from typing import Any

import pytest

from broker import freshness
from broker.errors import Wire
from broker.tokens import access_token, presented
from keys.keyring import RootKeyring
from tests.broker.relying import ISSUER, Key, ath, keyring, proof

URL = f"{ISSUER}/userinfo"
RING = RootKeyring.generate().ring("dpop-nonce")
KEYS = keyring()
KEY = Key()


def token(now: int) -> str:
    return access_token.mint(
        KEYS,
        issuer=ISSUER,
        subject="s",
        client_id="rp",
        scope=("openid",),
        acr="a",
        cnf={"jkt": KEY.jkt},
        grant_id="g",
        family="f",
        now=now,
    )


def show(authorization: list[str], now: int, text: str, key: Key = KEY, **changed: Any) -> presented.Presented:
    made = proof(key, now, method="GET", url=URL, nonce=freshness.make(RING, now), ath=ath(text), **changed)
    return presented.verify(
        authorization, [made], method="GET", url=URL, keyring=KEYS, ring=RING, issuer=ISSUER, now=now
    )


@pytest.mark.parametrize("scheme", ["DPoP", "dPoP", "DPOP"])
def test_shown(now: int, scheme: str) -> None:
    text = token(now)
    shown = show([f"{scheme} {text}"], now, text)
    assert (shown.token.subject, shown.text, shown.proof.jkt) == ("s", text, KEY.jkt)


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param([], id="RFC 6750 §3.1 none"),
        pytest.param(["Bearer {}"], id="RFC 9449 §7.2 downgrade"),
        pytest.param(["DPoP {}", "DPoP {}"], id="RFC 9110 §5.3 twice"),
        pytest.param(["DPoP"], id="no token"),
        pytest.param(["DPoP {} x"], id="two tokens"),
        pytest.param(["DPoP " + "x" * 5000], id="huge"),
        pytest.param(["DPoP é"], id="other characters"),
    ],
)
def test_refused(now: int, authorization: list[str]) -> None:
    text = token(now)
    with pytest.raises(Wire) as refused:
        show([header.format(text) for header in authorization], now, text)
    said = refused.value.refusal
    assert (said.code, said.status) == ("invalid_token", 401)


def test_a_stolen_token(now: int) -> None:
    """RFC 9449 §7.2: the thief's own key does not help."""
    text = token(now)
    with pytest.raises(Wire) as refused:
        show([f"DPoP {text}"], now, text, Key())
    assert (refused.value.refusal.code, refused.value.refusal.status) == ("invalid_dpop_proof", 401)
