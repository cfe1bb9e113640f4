"""The publisher: what it writes verifies, never changes, and is mended by the next one after a crash."""

import asyncio
import shutil

import pytest
from sqlalchemy import delete, func, select

from broker.publisher import Publisher
from consent import audit, checkpoint, ledger, ledger_entry, published
from consent.checkpoint import Checkpoint, Signer
from consent.errors import LedgerBroken
from consent.ledger_entry import Stream, SystemRecord
from consent.tables import ledger_checkpoint
from keys import notes

ORIGIN = "id.example.gov/ledger"
MARIA = Stream("person:maria", 0, b"\x01" * 32)
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


def test_every_published_size_verifies_and_old_files_stay(made, publisher, folder, now):
    before = {}
    for size in (1, 2, 200, 256, 257, 700):
        grow(made, now, size)
        publisher.publish_once()
        report = audit.verify_folder(folder, [str(signer.key) for signer in SIGNERS])
        assert report.ok, report.findings
        assert (report.size, report.ahead) == (size, ())
        files = listing(folder)
        kept = {name: data for name, data in before.items() if name != "checkpoint"}
        assert kept.items() <= files.items()
        before = files
    assert "tile/entries/000.p/200" in before
    assert not list(folder.with_name("ledger.new").iterdir())


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
        audit.check(tx, public=published.signed_size(folder))


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
