"""Where a session signed in to, as it lies beside the session."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import select

from broker.database import Database
from broker.people import people
from broker.people.people import Enrolment, Profile
from broker.sign_in import relying_parties, session
from broker.sign_in.relying_parties import MOST, RelyingParty
from broker.tables import session as table
from keys import errors as keys_errors
from keys.keyring import RootKeyring
from keys.vault import Vault
from tests.broker.relying import Key, client


@pytest.fixture
def vault(tmp_path):
    return Vault(tmp_path / "k")


@pytest.fixture
def tx(database):
    with database.write() as open_tx:
        yield open_tx


@pytest.fixture
def live(tx, vault, now):
    made = Enrolment("maria", "hash", None, "substantial", Profile("Maria"))
    person_id = people.enrol(tx, vault, RootKeyring.generate(), made, now)
    return session.start(tx, person_id, state="full", acr="a", amr=("pwd",), now=now, idle=60, longest=60)[1]


def party(number=0, **changed):
    return RelyingParty(f"rp{number}", f"rp{number}", "ES256", f"https://rp{number}.example/logout", **changed)


def box(tx):
    return tx.execute(select(table.c.relying_parties)).scalar_one()


def test_each_once_the_newest_registration_counts(tx, vault, live):
    keys = vault.person(tx, live.person_id)
    for one in (party(1), party(2), party(1)):
        assert relying_parties.note(tx, keys, live, one)
    assert relying_parties.read(keys, session.take(tx, live)) == (party(1), party(2))


def test_a_changed_registration_replaces_what_was_known(tx, vault, live):
    keys = vault.person(tx, live.person_id)
    moved = replace(party(1), backchannel="https://new.example/logout")
    for one in (party(1), party(2), moved):
        relying_parties.note(tx, keys, live, one)
    assert relying_parties.read(keys, session.take(tx, live)) == (party(2), moved)


def test_how_many_there_are_does_not_show_and_there_is_an_end(tx, vault, live):
    keys = vault.person(tx, live.person_id)
    relying_parties.note(tx, keys, live, party(0))
    one = len(box(tx))
    for number in range(1, 4):
        relying_parties.note(tx, keys, live, party(number))
    assert len(box(tx)) == one
    for number in range(4, MOST + 7):
        relying_parties.note(tx, keys, live, party(number))
    kept = relying_parties.read(keys, session.take(tx, live))
    assert [one.client_id for one in kept] == [f"rp{number}" for number in range(7, MOST + 7)]


def test_nothing_is_noted_for_a_session_that_has_ended(tx, vault, live):
    keys = vault.person(tx, live.person_id)
    assert session.end(tx, live)
    assert not relying_parties.note(tx, keys, live, party())
    assert box(tx) is None


def test_it_opens_with_this_person_and_this_session_only(tx, vault, live, now):
    keys = vault.person(tx, live.person_id)
    relying_parties.note(tx, keys, live, party())
    made = Enrolment("other", "hash", None, "substantial", Profile("Other"))
    other = vault.person(tx, people.enrol(tx, vault, RootKeyring.generate(), made, now))
    ended = session.take(tx, live)
    for key, row in ((other, ended), (keys, replace(ended, secret=bytes(32)))):
        with pytest.raises(keys_errors.SealBroken):
            relying_parties.read(key, row)


def test_it_goes_on_with_the_session(tx, vault, live, now):
    keys = vault.person(tx, live.person_id)
    relying_parties.note(tx, keys, live, party())
    begin = {"state": "full", "acr": "a", "amr": ("pwd",), "now": now, "idle": 60, "longest": 60}
    _, next_ = session.start(tx, live.person_id, **begin, before=session.take(tx, live))
    assert relying_parties.read(keys, session.take(tx, next_)) == (party(),)


def test_who_is_remembered():
    registered = client(Key(), backchannel_logout_uri="https://rp.example/out", id_token_signed_response_alg="PS256")
    assert RelyingParty.of(registered) == RelyingParty("rp", "rp", "PS256", "https://rp.example/out")
    assert RelyingParty.of(client(Key())) is None


def test_whoever_was_noted_is_told_however_close_the_end(database, database_url, vault, now):
    """Sixteen sign-ins and the sign-out at once: each is either in the list that is told, or refused."""
    with database.write() as tx:
        made = Enrolment("maria", "hash", None, "substantial", Profile("Maria"))
        person_id = people.enrol(tx, vault, RootKeyring.generate(), made, now)
    for _ in range(4):
        with database.write() as tx:
            begin = {"state": "full", "acr": "a", "amr": ("pwd",), "now": now, "idle": 60, "longest": 60}
            live, keys = session.start(tx, person_id, **begin)[1], vault.person(tx, person_id)
        alone = database.dialect == "sqlite"  # one process, one connection that writes
        opened = [database if alone else Database.open(database_url) for _ in range(17)]
        ready = threading.Barrier(17)

        def act(number, live=live, keys=keys, opened=opened, ready=ready):
            ready.wait()
            with opened[number].write() as tx:
                if number == 8:
                    return session.take(tx, live)
                return relying_parties.note(tx, keys, live, party(number))

        with ThreadPoolExecutor(17) as pool:
            done = list(pool.map(act, range(17)))
        told = {one.client_id for one in relying_parties.read(keys, done.pop(8))}
        assert told == {f"rp{number}" for number in [*range(8), *range(9, 17)] if done[number - (number > 8)]}
        for one in () if alone else opened:
            one.close()
