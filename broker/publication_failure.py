"""Why the ledger's last publication on this machine failed: kept beside the published folder until one succeeds (house)."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from broker import errors
from consent.errors import ClockAhead, ClockBehind, LedgerBroken
from keys import canonical
from keys.errors import KeysError

FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
ROOM = 128  # bytes of the failure's file: always as long, so that it can still be written on a full disk

#: Why a publication failed: a code for machines, and its cause in words for an operator. Nothing of the failure itself.
CAUSES = {
    "disk_full": "the disk is full",
    "ledger_alarm": "the ledger's alarm stands; `semel ledger alarm` says why",
    "clock": "the clock is not believed; set it right, or run `semel ledger accept-clock`",
    "database": "the database is busy or away",
    "folder_forbidden": "nobody, or not this user, may write to the folder of the published ledger",
    "folder_replaced": "another kind of file stands where a folder of the published ledger belongs",
    "disk": "the disk does not take what is written to it",
    "unexpected": "its cause is not known; the server's log has it in the event `publish`",
}


@dataclass(frozen=True)
class Failure:
    """Why the last publication failed, a key of `CAUSES`, and since when each one has for this reason (microseconds)."""

    code: str
    since: int

    @property
    def cause(self) -> str:
        """The cause in words."""
        return CAUSES[self.code]


class LastFailure:
    """The failure of the last publication on this machine, None after a success: a file beside the published folder.

    It is written in place and never grows. A file that cannot be read or written says nothing: the entries that wait do.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder.with_name(folder.name + "-failure.json")

    def read(self) -> Failure | None:
        """Return the failure, None when the last publication succeeded or nothing is known of it. Reads a file."""
        try:
            said = canonical.loads(self.path.read_bytes().strip())
        except (OSError, KeysError):
            return None
        code, since = (said.get("code"), said.get("since")) if isinstance(said, dict) else (None, None)
        if not isinstance(code, str) or code not in CAUSES or not isinstance(since, int):
            return None
        return Failure(code, since)

    def record(self, problem: BaseException, now: int) -> None:
        """Record why a publication failed; `now` in microseconds is kept only when the one before did not fail so."""
        there, code = self.read(), failure_code(problem)
        if there is None or there.code != code:
            self._write(canonical.dumps({"code": code, "since": now}))

    def clear(self) -> None:
        """Record that a publication succeeded."""
        if self.read() is not None or not self.path.exists():
            self._write(b"{}")

    def _write(self, said: bytes) -> None:
        with suppress(OSError):
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            try:
                os.pwrite(handle, said.ljust(ROOM), 0)
            finally:
                os.close(handle)


def failure_code(problem: BaseException) -> str:
    """Name why a publication failed: a key of `CAUSES`, in their order of precedence."""
    if errors.out_of_room(problem):
        return "disk_full"
    if isinstance(problem, OSError) and problem.errno in FORBIDDEN:
        return "folder_forbidden"
    kinds: tuple[tuple[str, tuple[type[BaseException], ...]], ...] = (
        ("ledger_alarm", (LedgerBroken,)),
        ("clock", (ClockAhead, ClockBehind)),
        ("database", (SQLAlchemyError,)),
        ("folder_replaced", (NotADirectoryError, FileExistsError, IsADirectoryError)),
        ("disk", (OSError,)),
    )
    return next((code for code, of in kinds if isinstance(problem, of)), "unexpected")
