"""The person record."""

import pytest
from sqlalchemy import delete, select, update

from broker.people import people
from broker.people.people import Enrolment, Profile, UsernameTaken
from broker.tables import person as table
from consent.release import Sealed
from keys import base64url
from keys.errors import NoSuchKey, SealBroken
from keys.keyring import RootKeyring
from keys.tables import person_root
from keys.vault import Vault

OLD, NEW = (f"{name} {base64url.encode(name.encode() * 32)}" for name in "ab")
ROOTS = RootKeyring.parse(OLD)
PROFILE = Profile("María Núñez", "N-1", email="maria@example.org", language="en", as_of="2026-01-02")


@pytest.fixture
def tx(database):
    with database.write() as open_tx:
        yield open_tx


@pytest.fixture
def vault(tmp_path):
    return Vault(tmp_path / "person-keys")


def enrolment(username="maria", **more):
    return Enrolment(
        username, "hash", more.get("totp", "JBSWY3DPEHPK3PXP"), "substantial", more.get("profile", PROFILE)
    )


def test_who_was_enrolled_is_found_by_name_however_it_is_written(tx, vault, now):
    person_id = people.enrol(tx, vault, ROOTS, enrolment("Maria Nuñez"), now)
    for written in (
        "Maria Nuñez",
        "maria nuñez",
        " MARIA NUÑEZ ",
        "maria nun\u0303ez",
        "\N{FULLWIDTH LATIN CAPITAL LETTER M}aria nuñez",
    ):
        found = people.by_username(tx, ROOTS, written)
        assert (found.person_id, found.proofing, found.disabled, found.totp_step) == (
            person_id,
            "substantial",
            False,
            0,
        )
    assert people.by_id(tx, person_id) == found
    assert people.by_username(tx, ROOTS, "maria") is None
    assert people.by_username(tx, ROOTS, "\ud800") is None
    assert people.by_id(tx, "nobody") is None


def test_names_are_still_found_after_a_new_root(tx, vault, now):
    person_id = people.enrol(tx, vault, ROOTS, enrolment(), now)
    rotated = RootKeyring.parse(f"{NEW}\n{OLD}")
    assert people.by_username(tx, rotated, "maria").person_id == person_id
    assert people.by_username(tx, RootKeyring.parse(NEW), "maria") is None


def test_a_name_belongs_to_one_person(database, vault, now):
    with database.write() as tx:
        people.enrol(tx, vault, ROOTS, enrolment("maria"), now)
    with pytest.raises(UsernameTaken), database.write() as tx:
        people.enrol(tx, vault, ROOTS, enrolment("MARIA"), now)
    with database.read() as tx:
        assert len(tx.execute(select(table)).all()) == len(tx.execute(select(person_root)).all()) == 1


def test_the_profile_opens_with_the_persons_own_key_only(tx, vault, now):
    person_id = people.enrol(tx, vault, ROOTS, enrolment(), now)
    assert people.profile(tx, vault, person_id) == PROFILE
    other = people.enrol(tx, vault, ROOTS, enrolment("other"), now)
    box = tx.execute(select(table.c.profile_sealed).where(table.c.person_id == person_id)).scalar_one()
    tx.execute(update(table).where(table.c.person_id == other).values(profile_sealed=box))
    with pytest.raises(SealBroken):
        people.profile(tx, vault, other)
    tx.execute(delete(person_root).where(person_root.c.person_id == person_id))  # erasure
    for read in (people.profile, people.subject):
        with pytest.raises(NoSuchKey):
            read(tx, vault, person_id)


def test_nothing_personal_lies_in_the_row(tx, vault, now):
    people.enrol(
        tx, vault, ROOTS, enrolment("maria", profile=Profile("Zebra", "N-4711", email="zebra@example.org")), now
    )
    row = b"|".join(
        str(value).encode() if not isinstance(value, bytes) else value for value in tx.execute(select(table)).one()
    )
    for word in (b"maria", b"Zebra", b"4711", b"zebra@", b"JBSWY3DP"):
        assert word not in row


def test_printing_shows_nobody(tx, vault, now):
    person_id = people.enrol(tx, vault, ROOTS, enrolment(), now)
    shown = repr((enrolment(), people.by_id(tx, person_id), PROFILE, people.subject(tx, vault, person_id)))
    for word in ("maria", "Núñez", "N-1", "hash", "JBSW"):
        assert f"'{word}" not in shown
        assert word not in shown.replace("password_hash", "")


def test_the_subject_of_a_register_carries_sealed_values(tx, vault, now):
    person_id = people.enrol(tx, vault, ROOTS, enrolment(), now)
    subject = people.subject(tx, vault, person_id)
    assert (subject.person_id, subject.person_number, subject.account_as_of) == (person_id, "N-1", "2026-01-02")
    assert set(subject.account) == {"name", "email", "language"}
    assert all(isinstance(value, Sealed) for value in subject.account.values())


def test_the_stream_is_the_vaults(tx, vault, now):
    person_id = people.enrol(tx, vault, ROOTS, enrolment(), now)
    stream, key = people.ledger_stream(tx, vault, person_id), vault.stream(tx, f"person:{person_id}")
    assert (stream.stream_id, stream.generation, stream.key) == (key.stream_id, key.generation, key.key)
    with pytest.raises(NoSuchKey):
        people.ledger_stream(tx, vault, "nobody")


def test_a_renewed_hash_is_stored(tx, vault, now):
    person_id = people.enrol(tx, vault, ROOTS, enrolment(), now)
    people.renew_password(tx, person_id, "better")
    assert people.by_id(tx, person_id).password_hash == "better"
