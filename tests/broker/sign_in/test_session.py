"""Sessions."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from broker.people import people
from broker.people.people import Enrolment, Profile
from broker.sign_in import acr, session
from broker.tables import person as person_table
from keys import opaque
from keys.keyring import RootKeyring
from keys.vault import Vault

SECOND = 1_000_000
LOW, SUBSTANTIAL = acr.value("low"), acr.value("substantial")
TIMES = {"idle": 1800, "longest": 43_200}


@pytest.fixture
def person_id(database, tmp_path, now):
    with database.write() as tx:
        made = Enrolment("maria", "hash", None, "substantial", Profile("Maria"))
        return people.enrol(tx, Vault(tmp_path / "k"), RootKeyring.generate(), made, now)


@pytest.fixture
def tx(database, person_id):
    with database.write() as open_tx:
        yield open_tx


def start(tx, person_id, now, state="full"):
    return session.start(tx, person_id, state=state, acr=LOW, amr=("pwd",), now=now, **TIMES)


def test_a_session_is_found_by_its_cookie_of_which_only_the_hash_is_kept(tx, person_id, now):
    cookie, begun = start(tx, person_id, now)
    assert session.find(tx, cookie, now) == begun
    assert begun.id_hash == opaque.digest(cookie)
    row = tx.execute(select(session.session)).one()
    assert cookie.encode() not in b"|".join(value for value in row if isinstance(value, bytes))
    assert begun.secret.hex() not in repr(begun)
    for other in ("", "x", opaque.token(), begun.id_hash.hex(), "\ud83d\ude00"):
        assert session.find(tx, other, now) is None


@pytest.mark.parametrize(
    ("state", "seconds", "alive"),
    [("full", 1799, True), ("full", 1800, False), ("password", 599, True), ("password", 600, False)],
)
def test_lying_idle_ends_it(tx, person_id, now, state, seconds, alive):
    cookie, _ = start(tx, person_id, now, state)
    assert (session.find(tx, cookie, now + seconds * SECOND) is not None) == alive


def test_use_keeps_it_alive_until_its_longest(tx, person_id, now):
    cookie, live = start(tx, person_id, now)
    for minute in range(0, 721, 20):
        clock = now + minute * 60 * SECOND
        live = session.find(tx, cookie, clock)
        assert (live is not None) == (minute < 720)
        if live is not None:
            assert session.touch(tx, live, clock, 1800).idle_until == clock + 1800 * SECOND


def test_use_is_written_at_most_once_a_minute(tx, person_id, now):
    _, live = start(tx, person_id, now)
    assert session.touch(tx, live, now + 59 * SECOND, 1800) is live
    assert session.touch(tx, live, now + 60 * SECOND, 1800) is not live


def test_half_a_session_is_not_kept_alive(tx, person_id, now):
    _, half = start(tx, person_id, now, "password")
    assert session.touch(tx, half, now + 300 * SECOND, 1800) is half


def test_the_second_step_replaces_the_session(tx, person_id, now):
    before, half = start(tx, person_id, now, "password")
    cookie, whole = session.complete(tx, half, acr=SUBSTANTIAL, amr=("pwd", "otp"), now=now + 5, **TIMES)
    assert cookie != before
    assert whole.secret == half.secret  # to agencies it is one session that goes on
    assert (whole.state, whole.acr, whole.amr, whole.auth_time) == ("full", SUBSTANTIAL, ("pwd", "otp"), now + 5)
    assert (half.fresh_code_at, whole.fresh_code_at) == (None, now + 5)
    assert session.find(tx, before, now + 5) is None
    assert session.find(tx, cookie, now + 5) == whole
    assert session.complete(tx, half, acr=SUBSTANTIAL, amr=(), now=now, **TIMES) is None
    assert session.complete(tx, whole, acr=SUBSTANTIAL, amr=(), now=now, **TIMES) is None


def test_of_many_second_steps_one_wins(database, person_id, now):
    with database.write() as tx:
        _, half = start(tx, person_id, now, "password")

    def complete(_):
        with database.write() as tx:
            return session.complete(tx, half, acr=SUBSTANTIAL, amr=("pwd",), now=now, **TIMES) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(complete, range(16))) == 1


def test_leaving_ends_it_once(tx, person_id, now):
    cookie, live = start(tx, person_id, now)
    assert [session.end(tx, live), session.end(tx, live)] == [True, False]
    assert session.find(tx, cookie, now) is None
    session.touch(tx, live, now + 300 * SECOND, 1800)
    assert session.find(tx, cookie, now) is None


def test_a_disabled_person_has_no_session(tx, person_id, now):
    cookie, _ = start(tx, person_id, now)
    tx.execute(update(person_table).values(disabled=1))
    assert session.find(tx, cookie, now) is None


def test_a_fresh_code_is_noted(tx, person_id, now):
    cookie, live = start(tx, person_id, now)
    assert session.freshen(tx, live, now + 9).fresh_code_at == now + 9
    assert session.find(tx, cookie, now).fresh_code_at == now + 9


def test_what_is_over_is_swept(tx, person_id, now):
    kept, _ = start(tx, person_id, now)
    _, left = start(tx, person_id, now)
    start(tx, person_id, now, "password")
    session.end(tx, left)
    session.sweep(tx, now + 700 * SECOND)
    assert len(tx.execute(select(session.session)).all()) == 1
    assert session.find(tx, kept, now + 700 * SECOND) is not None
