"""Why the last publication failed: the real failure, what readiness and the doctor say of it, and that success ends it."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from broker.app import clock, publisher
from broker.database import Database
from broker.doctor import storage
from broker.doctor.gather import gather, unserved
from broker.installation import root_keyring
from broker.publication_failure import CAUSES, ROOM, LastFailure, failure_code
from broker.publisher import Publisher
from broker.settings import Settings
from consent import ledger
from consent.checkpoint import Signer
from consent.errors import AlarmRaised, ClockAhead, ClockBehind, LedgerBroken
from consent.ledger_alarm import LedgerAlarm
from keys import notes
from tests import machine_clock
from tests.broker.installed import make
from tests.broker.test_publication import publish, reasons
from tests.broker.whole import Whole
from tests.mounts import mount

READ_ONLY, REMOUNT = 1, 32  # mount(2)
SIGNERS = [Signer.of("id.example.gov/ledger", notes.from_seed(alg, bytes(32))) for alg in ("Ed25519", "ML-DSA-44")]


def run(publishing: Publisher, until: Callable[[], object]) -> None:
    """Let a publisher run as the server does, until something is so."""

    async def both() -> None:
        task = asyncio.create_task(publishing.run(0.01))
        patience = machine_clock.Patience()
        while not until():
            assert patience.left
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(both())


def ready(whole: Whole) -> tuple[int, str]:
    answer = whole.client().get("/readyz")
    return answer.status_code, answer.json().get("error_description", "")


def doctor(settings: Settings) -> tuple[str, str]:
    verdict = storage.ledger(asyncio.run(gather(settings, clock, unserved)))
    return verdict.status, verdict.finding


def test_a_file_in_the_folders_place_is_named_by_readiness_until_it_is_gone(
    whole: Whole, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(whole)
    whole.give(publish_every=2.0)
    folder, last = whole.settings.ledger_dir, LastFailure(whole.settings.ledger_dir)
    mine = publisher(whole.settings, whole.parts.database, whole.parts.roots, whole.clock)
    aside = folder.rename(folder.with_name("aside"))
    folder.write_text("no folder")
    run(mine, last.read)
    assert getattr(last.read(), "code", "") == "folder_replaced"
    whole.clock.later(61)
    capsys.readouterr()
    assert ready(whole) == (503, "entries of the ledger are not published: folder_replaced")
    assert "entries of the ledger are not published: folder_replaced" in reasons(capsys)
    folder.unlink()
    aside.rename(folder)
    run(mine, lambda: last.read() is None)
    assert ready(whole) == (200, "")


def test_the_doctor_says_from_the_first_failure_on_why_nothing_is_published(tmp_path: Path, database_url: str) -> None:
    settings = Settings(**make(tmp_path / "made", database_url))
    database, folder = Database.open(settings.database), settings.ledger_dir
    mine = publisher(settings, database, root_keyring(settings), clock)
    mine.publish_once()
    aside = folder.rename(folder.with_name("aside"))
    folder.write_text("no folder")
    run(mine, mine.last_failure.read)
    assert doctor(settings) == ("warn", f"the last publication failed: {CAUSES['folder_replaced']}")
    folder.unlink()
    aside.rename(folder)
    run(mine, lambda: mine.last_failure.read() is None)
    assert doctor(settings)[0] == "pass"
    database.close()


def test_a_raised_alarm_is_a_reason_of_its_own(whole: Whole) -> None:
    publish(whole)
    alarm = LedgerAlarm(whole.settings.ledger_dir)
    alarm.raise_("tile/0/000 was published with other bytes", whole.clock())
    assert ready(whole) == (503, "the ledger's alarm stands: ledger_alarm")
    alarm.lift()
    assert ready(whole) == (200, "")


@pytest.fixture
def publishing(database: Database, tmp_path: Path, now: int) -> Publisher:
    with database.write() as tx:
        ledger.create(tx, 0, "id.example.gov/ledger", now, vkeys=[str(signer.key) for signer in SIGNERS])
    return Publisher(database, tmp_path / "data" / "ledger", SIGNERS, clock=lambda: now)


def test_a_full_disk_still_takes_the_reason_because_its_room_was_kept(publishing: Publisher, tmp_path: Path) -> None:
    last = publishing.last_failure
    with mount(tmp_path / "data"):
        if not os.path.ismount(tmp_path / "data"):
            pytest.skip("we may not mount here")
        last.clear()
        with pytest.raises(OSError, match="No space"):
            (tmp_path / "data" / "filler").write_bytes(bytes(8 << 20))  # twice what the disk has
        run(publishing, last.read)
        assert getattr(last.read(), "code", "") == "disk_full"
        assert last.path.stat().st_size == ROOM
        (tmp_path / "data" / "filler").unlink()
        run(publishing, lambda: last.read() is None)
        assert publishing.alarm.standing() is None


def test_a_folder_that_takes_nothing_is_named(publishing: Publisher, tmp_path: Path) -> None:
    folder, last = tmp_path / "data" / "ledger", publishing.last_failure
    with mount(folder):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"semel-test", os.fsencode(folder), b"tmpfs", REMOUNT | READ_ONLY, None):
            pytest.skip("we may not mount here")
        run(publishing, last.read)
        assert getattr(last.read(), "code", "") == "folder_forbidden"
        assert libc.mount(b"semel-test", os.fsencode(folder), b"tmpfs", REMOUNT, None) == 0
        run(publishing, lambda: last.read() is None)
        assert (folder / "checkpoint").exists()


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (OSError(errno.ENOSPC, "x"), "disk_full"),
        (OSError(errno.EROFS, "x"), "folder_forbidden"),
        (PermissionError(errno.EACCES, "x", "/home/maria"), "folder_forbidden"),
        (FileExistsError(errno.EEXIST, "x"), "folder_replaced"),
        (OSError(errno.EIO, "x"), "disk"),
        (LedgerBroken("x"), "ledger_alarm"),
        (AlarmRaised("x"), "ledger_alarm"),
        (ClockAhead("x"), "clock"),
        (ClockBehind("x"), "clock"),
        (OperationalError("SELECT 'maria'", {}, Exception("x")), "database"),
        (ValueError("maria"), "unexpected"),
    ],
)
def test_a_failure_has_a_code_of_a_closed_set_and_nothing_of_its_text_is_kept(
    tmp_path: Path, problem: Exception, code: str
) -> None:
    last = LastFailure(tmp_path / "ledger")
    last.record(problem, 7)
    last.record(problem, 9)
    assert last.path.read_bytes().strip() == b'{"code":"%s","since":7}' % code.encode()
    assert failure_code(problem) == code
    assert code in CAUSES
    last.clear()
    assert last.read() is None


@pytest.mark.parametrize("data", [b"", b"[]", b'{"code":"mine","since":1}', b'{"code":["disk"],"since":1}', b"\xff"])
def test_a_file_that_is_not_ours_says_nothing(tmp_path: Path, data: bytes) -> None:
    last = LastFailure(tmp_path / "ledger")
    last.path.write_bytes(data)
    assert last.read() is None
    last.record(ValueError(), 3)
    assert getattr(last.read(), "since", 0) == 3
