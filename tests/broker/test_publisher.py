"""The publisher: what it writes verifies, never changes, and is mended by the next one after a crash."""

import asyncio
import shutil
import threading
import time
from contextlib import contextmanager

import pytest
from sqlalchemy import delete, func, select, text

from broker.publisher import Publisher
from consent import audit, checkpoint, ledger, ledger_entry, published_state
from consent.checkpoint import Checkpoint, Signer
from consent.errors import AlarmRaised, LedgerBroken
from consent.ledger_entry import Stream, SystemRecord
from consent.tables import ledger_batch, ledger_checkpoint, ledger_event, ledger_leaf, ledger_tag, stream
from keys import notes
from tests.mounts import mount

ORIGIN = "id.example.gov/ledger"
MARIA = Stream("person:maria", 0, b"\x01" * 32)
STRANGER = Signer.of(ORIGIN, notes.from_seed("Ed25519", b"\x01" * 32))
SIGNERS = [Signer.of(ORIGIN, notes.from_seed(alg, bytes(32))) for alg in ("Ed25519", "ML-DSA-44")]


@pytest.fixture
def made(database, now):
    with database.write() as tx:
        ledger.create(tx, 0, ORIGIN, now, vkeys=[str(signer.key) for signer in SIGNERS])
    return database


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "published" / "ledger"


@pytest.fixture
def publisher(made, folder, now):
    return Publisher(made, folder, SIGNERS, clock=lambda: now)


def grow(made, now, to):
    with made.write() as tx:
        size = ledger.head(tx).size
        preview = ledger_entry.access_previewed(MARIA, entry_id="e", party="a", purpose="u@1", journey="j", items={})
        entries = [preview if n % 3 else SystemRecord("filler") for n in range(size, to)]
        for start in range(0, len(entries), 1000):
            ledger.append(tx, entries[start : start + 1000], now)


def listing(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_published_size_verifies_and_old_files_stay_until_their_tile_is_full(made, publisher, folder, now):
    before = {}
    for size in (1, 2, 200, 256, 257, 700):
        grow(made, now, size)
        publisher.publish_once()
        report = audit.verify_folder(folder, [str(signer.key) for signer in SIGNERS])
        assert report.ok, report.findings
        assert (report.size, report.ahead) == (size, ())
        files = listing(folder)
        completed = {f"tile/{level}/{tile:03}.p" for level in (0, "entries") for tile in range(size // 256)}
        kept = {n: d for n, d in before.items() if n != "checkpoint" and n.rpartition("/")[0] not in completed}
        assert kept.items() <= files.items()
        assert not {name.rpartition("/")[0] for name in files} & completed
        before = files
    assert {"tile/entries/000", "tile/entries/001", "tile/entries/002.p/188"} <= before.keys()
    assert not list((folder / ".stage").iterdir())


def test_partial_files_are_served_for_every_signed_size_until_the_full_one_is_there(made, publisher, folder, now):
    """Whoever holds an older checkpoint finds its files, or the full tile whose beginning they are (C2SP tlog-tiles)."""
    for size in (3, 9, 255):
        grow(made, now, size)
        publisher.publish_once()
    assert {path.name for path in (folder / "tile/0/000.p").iterdir()} == {"3", "9", "255"}
    other = Publisher(made, folder, SIGNERS, clock=lambda: now)
    other.publish_once()
    assert {path.name for path in (folder / "tile/0/000.p").iterdir()} == {"3", "9", "255"}
    grow(made, now, 600)
    publisher.publish_once()
    assert not list((folder / "tile/0").glob("000.p")) + list((folder / "tile/entries").glob("000.p"))
    (folder / "tile/entries/001.p").mkdir()
    shutil.copyfile(folder / "tile/entries/001", folder / "tile/entries/001.p/7")  # an earlier version left it
    Publisher(made, folder, SIGNERS, clock=lambda: now).publish_once()
    assert not list(folder.rglob("001.p"))
    assert audit.verify_folder(folder).ok


def test_a_ledger_folder_on_a_mount_of_its_own_publishes(made, publisher, folder, now):
    with mount(folder):
        assert folder.stat().st_dev != folder.parent.stat().st_dev
        for size in (9, 300):
            grow(made, now, size)
            publisher.publish_once()
        report = audit.verify_folder(folder)
        assert report.ok, report.findings
        assert report.size == 300


def test_nothing_new_signs_nothing(made, publisher, folder):
    publisher.publish_once()
    before = listing(folder)
    publisher.publish_once()
    assert listing(folder) == before
    with made.read() as tx:
        assert tx.execute(select(func.count()).select_from(ledger_checkpoint)).scalar_one() == 1


@pytest.mark.parametrize("lost", ["checkpoint", "tile/0/000.p/200", "tile/entries/000.p/200", "vkeys", "."])
def test_a_new_publisher_mends_what_a_crash_left_undone(made, publisher, folder, now, lost):
    grow(made, now, 200)
    publisher.publish_once()
    whole = listing(folder)
    if lost == ".":
        shutil.rmtree(folder)
    else:
        (folder / lost).unlink()
    Publisher(made, folder, SIGNERS, clock=lambda: now).publish_once()
    assert listing(folder) == whole


def test_a_crash_between_the_files_and_the_signature_is_finished_by_the_next(made, publisher, folder, now):
    grow(made, now, 5)
    publisher.publish_once()
    grow(made, now, 9)
    assert publisher.prepare() is not None
    report = audit.verify_folder(folder)
    assert report.ok
    assert set(report.ahead) == {"tile/0/000.p/9", "tile/entries/000.p/9"}
    grow(made, now, 12)
    Publisher(made, folder, SIGNERS, clock=lambda: now).publish_once()
    assert audit.verify_folder(folder).size == 12
    assert audit.verify_folder(folder).ok


def test_the_public_checkpoint_never_goes_back(made, publisher, folder, now):
    """Of two publishers each shows what is newest when it is alone with the folder, not what it read before."""
    grow(made, now, 41)
    publisher.publish_once()
    other = Publisher(made, folder, SIGNERS, clock=lambda: now)
    earlier = other.prepare()
    assert earlier is None
    grow(made, now, 46)

    class Slow:
        """A database whose reader is held up after it has looked, while the other publisher goes on."""

        dialect, write = made.dialect, made.write

        @contextmanager
        def read(self):
            with made.read() as tx:
                yield tx
            waiting.start()
            time.sleep(0.2)  # not a timed wait for the thread: those hang where Debian's faketime moves the clock

    waiting = threading.Thread(target=publisher.publish_once)
    Publisher(Slow(), folder, SIGNERS, clock=lambda: now).show()
    waiting.join()
    assert b"\n46\n" in (folder / "checkpoint").read_bytes()
    other.show()
    assert b"\n46\n" in (folder / "checkpoint").read_bytes()


def test_of_two_publishers_one_counts(made, publisher, folder, now):
    grow(made, now, 5)
    other = Publisher(made, folder, SIGNERS, clock=lambda: now + 5_000_000)
    mine, theirs = publisher.prepare(), other.prepare()
    publisher.record(mine)
    other.record(theirs)
    other.show()
    assert (folder / "checkpoint").read_bytes() == mine.note
    with made.read() as tx:
        assert tx.execute(select(func.count()).select_from(ledger_checkpoint)).scalar_one() == 1


@pytest.mark.parametrize("damaged", ["tile/0/000.p/9", "tile/entries/000.p/9"])
def test_a_file_with_other_bytes_is_never_rewritten_nor_signed(made, publisher, folder, now, damaged):
    grow(made, now, 9)
    (folder / damaged).parent.mkdir(parents=True)
    (folder / damaged).write_bytes(b"other bytes")
    with pytest.raises(LedgerBroken):
        publisher.publish_once()
    assert (folder / damaged).read_bytes() == b"other bytes"
    assert not (folder / "checkpoint").exists()


@pytest.mark.parametrize("size", [9, 12, 20])
def test_a_database_that_knows_less_than_was_published_signs_nothing(made, publisher, folder, now, size):
    """ledger §5.3: a database brought back from a backup would sign another history under numbers that are taken."""
    grow(made, now, 5)
    publisher.publish_once()
    note = checkpoint.sign(Checkpoint(ORIGIN, size, bytes(32)), SIGNERS, now)
    (folder / "checkpoint").write_bytes(note)
    grow(made, now, 12)
    with pytest.raises(LedgerBroken, match="older state"):
        Publisher(made, folder, SIGNERS, clock=lambda: now).publish_once()
    assert (folder / "checkpoint").read_bytes() == note
    with made.read() as tx, pytest.raises(LedgerBroken, match="older state"):
        audit.check(tx, public=published_state.read(folder))


def emptied(folder):
    (folder / "checkpoint").write_bytes(b"")


def cut(folder):
    path = folder / "checkpoint"
    path.write_bytes(path.read_bytes()[:-40])


def forged(folder):
    (folder / "checkpoint").write_bytes(checkpoint.sign(Checkpoint(ORIGIN, 1, bytes(32)), [STRANGER], 1))


def removed(folder):
    (folder / "checkpoint").unlink()


@pytest.mark.parametrize("damage", [emptied, cut, forged, removed])
def test_an_unreadable_checkpoint_beside_an_older_database_is_refused_and_nothing_signed(
    made, publisher, folder, now, damage
):
    """Absent and unreadable are not the same; and where the checkpoint is gone, its files still say how far it went."""
    grow(made, now, 46)
    publisher.publish_once()
    damage(folder)
    before = listing(folder)
    with made.write() as tx:
        bring_back(tx, now)
    with made.read() as tx, pytest.raises(LedgerBroken, match=r"cannot be read|older state"):
        audit.check(tx, public=published_state.read(folder))
    for size in (None, 6, 50):  # entries came all the same: more than were published, in the end
        if size is not None:
            grow(made, now, size)
        with pytest.raises(LedgerBroken):
            Publisher(made, folder, SIGNERS, clock=lambda: now).publish_once()
    assert listing(folder) == before
    with made.read() as tx:
        assert tx.execute(select(func.count()).select_from(ledger_checkpoint)).scalar_one() == 0, "0 signatures"


def bring_back(tx, now):
    """Make the database the one it was after its first entry; the ledger's own triggers allow no deleting."""
    for table in (ledger_leaf, ledger_batch):
        if tx.dialect.name == "postgresql":
            tx.execute(text(f"ALTER TABLE {table.name} DISABLE TRIGGER ALL"))
        else:
            tx.execute(text(f"DROP TRIGGER {table.name}_no_delete"))
    tx.execute(delete(ledger_leaf).where(ledger_leaf.c.seq > 0))
    tx.execute(delete(ledger_batch).where(ledger_batch.c.size > 1))
    for table in (ledger_tag, ledger_event, stream, ledger_checkpoint):
        tx.execute(delete(table))


def test_files_of_another_history_beyond_what_is_signed_stop_the_signing(made, publisher, folder, now):
    """A database brought back that grew past what was published: the checkpoint is gone, the bundles are not."""
    grow(made, now, 9)
    publisher.prepare()
    (folder / "tile/entries/000.p/9").rename(folder / "tile/entries/000.p/8")
    grow(made, now, 12)
    with pytest.raises(LedgerBroken, match="other bytes"):
        Publisher(made, folder, SIGNERS, clock=lambda: now).publish_once()
    assert not (folder / "checkpoint").exists()


def test_an_alarm_once_raised_stays_until_an_operator_lifts_it(made, publisher, folder, now):
    grow(made, now, 9)
    publisher.publish_once()
    note = (folder / "checkpoint").read_bytes()
    emptied(folder)
    with pytest.raises(LedgerBroken, match="cannot be read"):
        publisher.publish_once()
    (folder / "checkpoint").write_bytes(note)  # as if nothing had been
    grow(made, now, 12)
    for each in (publisher, Publisher(made, folder, SIGNERS, clock=lambda: now + 1)):
        with pytest.raises(AlarmRaised, match="cannot be read"):
            each.publish_once()
    assert publisher.alarm.standing().since == now
    publisher.alarm.lift()
    publisher.publish_once()
    assert audit.verify_folder(folder).size == 12


def test_a_disk_that_does_not_answer_is_no_alarm(made, publisher, folder, now):
    grow(made, now, 9)
    folder.mkdir(parents=True)
    (folder / "checkpoint").mkdir()  # cannot be read as a file
    with pytest.raises(OSError, match="directory"):
        publisher.publish_once()
    assert publisher.alarm.standing() is None
    (folder / "checkpoint").rmdir()
    publisher.publish_once()
    assert audit.verify_folder(folder).ok


def test_a_tree_that_does_not_begin_with_the_signed_one_is_not_signed(made, publisher, folder, now):
    grow(made, now, 9)
    publisher.publish_once()
    with made.write() as tx:
        row = tx.execute(select(ledger_checkpoint)).one()._asdict()
        tx.execute(delete(ledger_checkpoint))
        tx.execute(ledger_checkpoint.insert().values(**row | {"root": bytes(32)}))
    grow(made, now, 20)
    with pytest.raises(LedgerBroken):
        publisher.publish_once()
    with made.read() as tx:
        assert list(tx.execute(select(ledger_checkpoint.c.size)).scalars()) == [9]


def test_an_older_database_than_what_was_signed_is_refused(made, publisher, now):
    with made.write() as tx:
        row = {"log_id": 0, "size": 50, "root": bytes(32), "note": b"", "signed_at": now}
        tx.execute(ledger_checkpoint.insert().values(**row))
    with pytest.raises(LedgerBroken):
        publisher.publish_once()


def test_it_runs_until_cancelled_and_survives_a_failure(made, folder, now, capsys):
    times = iter([1, 1, 1])

    def clock():
        if next(times, None) is None:
            return now
        raise OSError("no clock yet")

    async def story():
        task = asyncio.create_task(Publisher(made, folder, SIGNERS, clock=clock).run(0.01))
        for _ in range(500):
            await asyncio.sleep(0.01)
            if (folder / "checkpoint").exists():
                break
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())
    assert audit.verify_folder(folder).ok
