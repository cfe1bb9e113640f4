"""The ledger's alarm: raised once, it stands until an operator has looked, whatever the next look would say.

A file beside the published folder: not in the folder, which is public, nor in the database, whose older state may be the cause.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from consent.errors import AlarmRaised
from keys import canonical
from keys.errors import KeysError


@dataclass(frozen=True)
class Alarm:
    """What broke, and when that was seen first, in microseconds since 1970 (None: the file does not say)."""

    what: str
    since: int | None


class LedgerAlarm:
    """The alarm of one installation on one machine, for the folder its ledger is published in."""

    def __init__(self, folder: Path) -> None:
        self.path = folder.with_name(folder.name + "-alarm.json")

    def standing(self) -> Alarm | None:
        """Return the alarm that stands, None when there is none. A file that cannot be understood is an alarm, too."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            said = canonical.loads(data)
        except KeysError:
            said = None
        if not isinstance(said, dict) or not isinstance(said.get("what"), str):
            return Alarm("an alarm was raised that cannot be read", None)
        since = said.get("since")
        return Alarm(said["what"], since if isinstance(since, int) else None)

    def check(self) -> None:
        """Return when no alarm stands; `AlarmRaised` otherwise."""
        if (alarm := self.standing()) is not None:
            raise AlarmRaised(alarm.what)

    def raise_(self, what: str, now: int) -> None:
        """Raise the alarm, unless one stands: the first cause is the one to know. `now` in microseconds."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return
        with os.fdopen(handle, "wb") as file:
            file.write(canonical.dumps({"since": now, "what": what}))
            file.flush()
            os.fsync(file.fileno())

    def lift(self) -> None:
        """Take the alarm back: an operator's act."""
        self.path.unlink(missing_ok=True)
