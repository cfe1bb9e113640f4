"""One-time codes."""

from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest
from sqlalchemy import update

from broker.people import people
from broker.people.people import Enrolment, Profile
from broker.sign_in import one_time_code
from broker.tables import person as table
from keys.errors import SealBroken
from keys.keyring import RootKeyring
from keys.vault import Vault

SECOND = 1_000_000
ROOTS = RootKeyring.generate()
SECRET = one_time_code.new_secret()


@pytest.fixture
def person_id(database, tmp_path, now):
    with database.write() as tx:
        made = Enrolment("maria", "hash", SECRET, "substantial", Profile("Maria"))
        return people.enrol(tx, Vault(tmp_path / "k"), ROOTS, made, now)


@pytest.fixture
def check(database, person_id):
    def one(code, now, roots=ROOTS):
        with database.write() as tx:
            return one_time_code.check(tx, roots, people.by_id(tx, person_id), code, now)

    return one


def code(now, drift=0):
    return pyotp.TOTP(SECRET).at(now // SECOND + 30 * drift)


@pytest.mark.parametrize("drift", [-1, 0, 1])
def test_this_step_and_its_neighbours(check, now, drift):
    assert check(code(now, drift), now) == "accepted"


@pytest.mark.parametrize("drift", [-3, -2, 2, 3])
def test_other_steps(check, now, drift):
    assert check(code(now, drift), now) == "wrong"


def test_a_code_is_good_once(check, now):  # RFC 6238 §5.2
    assert [check(code(now), now) for _ in range(2)] == ["accepted", "used"]
    assert check(code(now, -1), now) == "used"
    assert check(code(now, 1), now) == "accepted"


def test_digits_of_the_persons_own_script(check, now):
    arabic = code(now).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    assert check(f"\u200f{arabic[:3]}\u00a0{arabic[3:]}\u200e", now) == "accepted"


def test_spaces_are_how_people_copy_codes(check, now):
    digits = code(now)
    assert check(f" {digits[:3]} {digits[3:]} ", now) == "accepted"


@pytest.mark.parametrize("text", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "12345\ud800", "0" * 1000])
def test_what_is_no_code(check, now, text):
    assert check(text, now) == "wrong"


def test_of_many_at_once_one_is_accepted(check, now):
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: check(code(now), now), range(16)))
    assert sorted(outcomes) == ["accepted"] + ["used"] * 15


def test_somebody_without_a_second_step(database, check, person_id, now):
    with database.write() as tx:
        tx.execute(update(table).values(totp_sealed=None))
    assert check(code(now), now) == "wrong"


def test_somebody_disabled_meanwhile(database, check, now):
    with database.write() as tx:
        tx.execute(update(table).values(disabled=1))
    assert check(code(now), now) == "used"


def test_the_secret_opens_with_our_roots_only(check, now):
    with pytest.raises(SealBroken):
        check(code(now), now, RootKeyring.generate())
