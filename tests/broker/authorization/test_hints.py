"""Hints about the person: read, sealed, and refused where they are not ours (OpenID Connect Core §3.1.2.1)."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from broker.authorization import checks, hints
from broker.authorization.checks import At
from broker.authorization.request import Unchecked
from broker.errors import Wire
from consent.intended_use import Uses
from keys import errors as keys_errors
from keys import jws
from keys.keyring import RootKeyring
from tests.broker.authorization.test_checks import unchecked
from tests.broker.relying import ISSUER, Key, keyring

NOW = 1_795_302_000_000_000
SECONDS = NOW // 1_000_000
KEYRING, RING = keyring(), RootKeyring.generate().ring("cookie")


def claims(**changed: Any) -> dict[str, Any]:
    return {"iss": ISSUER, "aud": "rp", "sub": "s-u-b", "iat": SECONDS - 900, "exp": SECONDS - 600, **changed}


def token(typ: str = "JWT", **changed: Any) -> str:
    return jws.sign(KEYRING.signer(), claims(**changed), typ=typ)


def asking(uses: Uses, **given: str) -> Unchecked:
    return replace(unchecked(uses, given), keyring=KEYRING, ring=RING, now=NOW)


def test_an_id_token_of_ours_names_its_person_also_when_it_is_over(uses: Uses) -> None:
    checked = checks.check(asking(uses, id_token_hint=token()), At.PUSH)
    assert hints.of(checked, RING) == hints.Hint(None, "s-u-b", "rp")
    assert "s-u-b" not in checked.to_json()


def test_only_its_own_server_opens_a_hint(uses: Uses) -> None:
    checked = checks.check(asking(uses, login_hint="maria"), At.PUSH)
    with pytest.raises(keys_errors.KeysError):
        hints.of(checked, RootKeyring.generate().ring("cookie"))
    with pytest.raises(keys_errors.KeysError):
        hints.of(replace(checked, client_id="other"), RING)
    assert "maria" not in repr(hints.of(checked, RING))


@pytest.mark.parametrize("login", ["ma\u202eria", "a\u200bb", "a\nb"])
def test_a_hint_that_deceives_the_eye_is_left_out(uses: Uses, login: str) -> None:
    assert checks.check(asking(uses, login_hint=login), At.PUSH).hint is None


def unsigned() -> str:
    parts = ({"alg": "none"}, claims())
    return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in parts) + "."


# fmt: off
REFUSED: list[tuple[str, Callable[[], str]]] = [
    ("no token",              lambda: "x"),
    ("none",                  unsigned),
    ("another's key",         lambda: Key().sign(claims(), {"kid": KEYRING.signer().kid, "typ": "JWT"})),
    ("unknown key",           lambda: Key().sign(claims(), {"kid": "k1", "typ": "JWT"})),
    ("another issuer",        lambda: token(iss="https://other.example")),
    ("another client",        lambda: token(aud="other")),
    ("a list of clients",     lambda: token(aud=["rp", "other"])),
    ("an access token",       lambda: token("at+jwt")),
    ("a logout token",        lambda: token("logout+jwt")),
    ("nobody",                lambda: token(sub="")),
    ("from the future",       lambda: token(iat=SECONDS + 600, exp=SECONDS + 900)),
    ("too large",             lambda: token(more="x" * 70_000)),
]
# fmt: on


@pytest.mark.parametrize("made", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(uses: Uses, made: Callable[[], str]) -> None:
    """OpenID Connect Core §3.1.2.1, RFC 8725 §3.11."""
    with pytest.raises(Wire) as refused:
        checks.check(asking(uses, id_token_hint=made()), At.PUSH)
    assert (refused.value.refusal.code, refused.value.refusal.status) == ("invalid_request", 400)


def test_two_people(uses: Uses) -> None:
    said = json.dumps({"id_token": {"sub": {"value": "another"}}})
    with pytest.raises(Wire) as refused:
        checks.check(asking(uses, id_token_hint=token(), claims=said), At.PUSH)
    assert "different people" in refused.value.refusal.description
