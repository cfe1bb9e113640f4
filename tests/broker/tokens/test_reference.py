"""What a token for another server says to this one alone (RFC 7662 §2.2)."""

from datetime import UTC, datetime
from pathlib import Path

from broker.tokens import reference
from broker.tokens.reference import Reference
from keys.vault import Vault

ABOUT = Reference("family", "a-person")


def test_opened_here_and_in_its_token_only(tmp_path: Path, now: int) -> None:
    vault, issued = Vault(tmp_path), now // 1_000_000
    sealed = reference.seal(vault, ABOUT, jti="one", now=now)
    assert reference.open_(vault, sealed, jti="one", issued=issued) == ABOUT
    assert reference.open_(vault, sealed, jti="other", issued=issued) is None
    assert reference.open_(vault, sealed[:-2] + "AA", jti="one", issued=issued) is None
    assert reference.open_(Vault(tmp_path / "elsewhere"), sealed, jti="one", issued=issued) is None


def test_nothing_in_two_tokens_is_equal(tmp_path: Path, now: int) -> None:
    vault = Vault(tmp_path)
    one, two = (reference.seal(vault, ABOUT, jti=jti, now=now) for jti in ("one", "two"))
    assert one[:16] != two[:16]
    assert "a-person" not in one


def test_after_two_days_it_opens_nothing(tmp_path: Path, now: int) -> None:
    vault, issued = Vault(tmp_path), now // 1_000_000
    sealed = reference.seal(vault, ABOUT, jti="one", now=now)
    assert datetime.fromtimestamp(issued, UTC).date() in vault.sweep(now + 3 * 86_400_000_000)
    assert reference.open_(vault, sealed, jti="one", issued=issued) is None
