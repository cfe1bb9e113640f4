"""Passwords: choosing, keeping, checking."""

import asyncio
import threading

import pytest
from argon2 import PasswordHasher

from broker.sign_in import password
from keys import base64url
from keys.keyring import RootKeyring
from tests import machine_clock

PEPPER = RootKeyring.generate().ring("pepper")
STORED = password.seal(password.digest("correct horse battery"), PEPPER)


def verify(stored, given, pepper=PEPPER):
    return asyncio.run(password.verify(stored, given, pepper))


@pytest.mark.parametrize(
    ("chosen", "alone", "reason"),
    [
        ("", False, "short"),
        ("seven77", False, "short"),
        ("fourteen chars", True, "short"),
        ("x" * 257, False, "long"),
        ("password1", False, "common"),
        ("PassWord1", False, "common"),
        ("\N{FULLWIDTH LATIN SMALL LETTER P}assword1", False, "common"),  # the same after NFKC
        ("maria1990", False, "context"),
        ("Semel-2026", False, "context"),
        ("government government", True, "context"),
    ],
)
def test_not_fit(chosen, alone, reason):  # NIST SP 800-63B-4 §3.1.1.2
    with pytest.raises(password.Unfit) as refusal:
        password.check_choice(chosen, "maria", alone=alone)
    assert refusal.value.reason == reason


@pytest.mark.parametrize(
    ("chosen", "alone"),
    [
        ("eightch8", False),
        ("aaaaaaaa b", False),  # no rules of composition
        ("fifteen chars..", True),
        ("x" * 64, True),
        ("пароль из слов", False),
        ("😀😀😀😀😀😀😀😀", False),  # code points count
        ("maria likes long walks", True),
    ],
)
def test_fit(chosen, alone):
    password.check_choice(chosen, "maria", alone=alone)


def test_the_right_password_fits_and_no_other():
    assert verify(STORED, "correct horse battery") == password.Verdict(fits=True, renewed=None)
    for wrong in ("", "correct horse batterY", "correct horse battery ", "x" * 300):
        assert not verify(STORED, wrong).fits


def test_two_ways_to_type_the_same_are_the_same():
    stored = password.seal(password.digest("motörhead lives"), PEPPER)
    assert verify(stored, "moto\u0308rhead lives").fits


def test_nobody_fits_nothing_and_takes_as_long():
    def work(stored, given):
        return machine_clock.work(lambda: verify(stored, given))

    assert not any(verify(stored, "wrong").fits for stored in (STORED, None))
    somebody, nobody, long = work(STORED, "wrong"), work(None, "wrong"), work(STORED, "x" * 9999)
    assert 0.3 < nobody / somebody < 3
    assert 0.3 < long / somebody < 3


def test_the_hash_for_nobody_costs_what_ours_cost():
    assert not password.ARGON2.check_needs_rehash(password.NOBODY)


def test_without_the_pepper_nothing_fits():
    assert not verify(STORED, "correct horse battery", RootKeyring.generate().ring("pepper")).fits
    assert "argon2" not in STORED


def test_a_new_pepper_still_opens_the_old():
    old = RootKeyring.parse(f"a {base64url.encode(b'a' * 32)}")
    new = RootKeyring.parse(f"b {base64url.encode(b'b' * 32)}\n{old.text()}")
    stored = password.seal(password.digest("correct horse"), old.ring("pepper"))
    assert verify(stored, "correct horse", new.ring("pepper")).fits


def test_a_hash_made_at_lower_cost_is_renewed():
    cheap = password.seal(PasswordHasher(1, 8, 1).hash("correct horse"), PEPPER)
    verdict = verify(cheap, "correct horse")
    assert verdict.fits
    assert verify(verdict.renewed, "correct horse") == password.Verdict(fits=True)
    assert verify(cheap, "wrong").renewed is None


def test_a_flood_is_turned_away():
    gate = threading.Event()

    async def flood():
        blockers = [asyncio.get_running_loop().run_in_executor(password.THREADS, gate.wait) for _ in range(200)]
        try:
            with pytest.raises(password.Busy):
                await password.verify(STORED, "x", PEPPER)
        finally:
            gate.set()
            await asyncio.gather(*blockers)

    asyncio.run(flood())


def test_the_list_of_common_passwords_is_there():
    assert len(password._common()) > 10_000
