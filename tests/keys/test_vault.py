"""The vault: wrapped roots, ledger keys, the day's preview key."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from keys import sealing, vault
from keys.errors import AlreadyExists, NoSuchKey, SealBroken
from keys.tables import ledger_key, person_root
from keys.vault import Vault

DAY = 86_400 * 1_000_000
TODAY = date(2026, 11, 21)


@pytest.fixture
def tx(database):
    with database.write() as open_tx:
        yield open_tx


@pytest.fixture
def safe(tmp_path):
    return Vault(tmp_path / "person-keys")


def test_a_person_has_two_keys_that_never_change(tx, safe, now):
    made = safe.create_person(tx, "p1", now)
    again = Vault(safe.directory).person(tx, "p1")
    assert made == again
    assert len({made.data, made.pairwise, safe.create_person(tx, "p2", now).data}) == 3
    assert made.data.hex() not in repr(made)


def test_a_persons_keys_hang_on_the_published_labels(tx, safe, now):
    made = safe.create_person(tx, "p1", now)
    row = tx.execute(select(person_root)).one()
    root = sealing.decrypt(
        (safe.directory / f"kek-{row.kek}.key").read_bytes(), row.wrapped, b"semel/person-root/v1\0p1"
    )
    assert row.kek == "2026-11"
    assert made.data == sealing.derive(root, "semel/data/v1")
    assert made.pairwise == sealing.derive(root, "semel/sub/v1")


def test_streams_have_keys_of_their_own(tx, safe, now):
    ids = [vault.person_stream("p1"), vault.agency_stream("norr-childcare"), vault.OPERATOR_STREAM]
    made = [safe.create_stream(tx, stream_id, now) for stream_id in ids]
    assert ids == ["person:p1", "agency:norr-childcare", "operator"]
    assert [safe.stream(tx, stream_id) for stream_id in ids] == made
    assert len({key.key for key in made}) == 3
    assert {key.generation for key in made} == {vault.FIRST_GENERATION}


def test_the_newest_generation_counts(tx, safe, now):
    first = safe.create_stream(tx, "person:p1", now)
    key = sealing.new_key()
    kek = (safe.directory / "kek-2026-11.key").read_bytes()
    context = b"semel/ledger-key/v1\0" + (1).to_bytes(8, "big") + b"person:p1"
    wrapped = sealing.encrypt(kek, key, context)
    tx.execute(ledger_key.insert().values(stream_id="person:p1", generation=1, kek="2026-11", wrapped=wrapped))
    assert safe.stream(tx, "person:p1") == vault.LedgerKey("person:p1", 1, key)
    assert safe.generations(tx, "person:p1") == (first, vault.LedgerKey("person:p1", 1, key))


@pytest.mark.parametrize("kind", ["create_person", "create_stream"])
def test_keys_are_made_once(database, safe, now, kind):
    with database.write() as tx:
        getattr(safe, kind)(tx, "x", now)
    with pytest.raises((AlreadyExists, SQLAlchemyError)), database.write() as tx:  # noqa: PT012 - the transaction is over
        with pytest.raises(AlreadyExists):
            getattr(safe, kind)(tx, "x", now)
        raise AlreadyExists


def test_what_was_never_made(tx, safe):
    for read in (safe.person, safe.stream, safe.generations):
        with pytest.raises(NoSuchKey):
            read(tx, "nobody")


def test_with_the_months_file_goes_what_it_wrapped(tx, safe, now):
    safe.create_person(tx, "p1", now)
    safe.create_stream(tx, "person:p1", now)
    later = safe.create_person(tx, "p2", now + 31 * DAY)
    (safe.directory / "kek-2026-11.key").unlink()
    for read, name in ((safe.person, "p1"), (safe.stream, "person:p1")):
        with pytest.raises(NoSuchKey):
            read(tx, name)
    assert safe.person(tx, "p2") == later
    safe.create_person(tx, "p3", now)  # a new file of the same name opens nothing of the old
    with pytest.raises(SealBroken):
        safe.person(tx, "p1")


def test_a_root_moved_to_another_person_does_not_open(tx, safe, now):
    safe.create_person(tx, "p1", now)
    tx.execute(update(person_root).values(person_id="p2"))
    with pytest.raises(SealBroken):
        safe.person(tx, "p2")


def test_files_are_for_the_owner_only_and_whole(tx, safe, now):
    safe.create_person(tx, "p1", now)
    safe.preview_key(TODAY)
    assert stat.S_IMODE(safe.directory.stat().st_mode) == 0o700
    files = sorted(safe.directory.iterdir())
    assert [file.name for file in files] == ["kek-2026-11.key", "preview-2026-11-21.key"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert {file.stat().st_size for file in files} == {32}


def test_a_damaged_file_is_not_a_key(safe):
    safe.preview_key(TODAY)
    (safe.directory / "preview-2026-11-21.key").write_bytes(b"short")
    with pytest.raises(NoSuchKey):
        safe.preview_key(TODAY)


def test_preview_keys_are_random_and_die_after_two_days(safe, now):
    days = [TODAY - timedelta(days=back) for back in range(4)]
    made = {day: safe.preview_key(day) for day in days}
    assert len(set(made.values())) == 4
    assert safe.sweep(now) == (days[3], days[2])
    assert safe.sweep(now) == ()
    assert safe.preview_key(days[0]) == made[days[0]]
    assert safe.preview_key(days[1]) == made[days[1]]
    assert safe.preview_key(days[2]) != made[days[2]]


def test_many_makers_at_once_agree(safe):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: safe.preview_key(TODAY), range(32)))) == 1
    assert len(list(safe.directory.iterdir())) == 1
