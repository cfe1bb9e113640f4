"""One visitor's form, kept in a small SQLite file so that a restart of the agency loses nothing."""

import json
import secrets
import sqlite3
from pathlib import Path
from typing import Any


class Visits:
    """Visits by their random id, which is the visitor's cookie."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("CREATE TABLE IF NOT EXISTS visit (id TEXT PRIMARY KEY, data TEXT NOT NULL) STRICT")
        path.chmod(0o600)

    def start(self) -> str:
        """The id of a fresh, empty visit."""
        visit_id = secrets.token_urlsafe(32)
        self.save(visit_id, {})
        return visit_id

    def find(self, visit_id: str | None) -> dict[str, Any] | None:
        """What is kept for this visit; None for an id that was never given out."""
        row = self.db.execute("SELECT data FROM visit WHERE id = ?", (visit_id or "",)).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def end(self, sid: str) -> None:
        """Forget what belongs to a session at the broker."""
        self.db.execute("DELETE FROM visit WHERE data ->> '$.sid' = ?", (sid,))

    def save(self, visit_id: str, data: dict[str, Any]) -> None:
        """Keep `data` for this visit."""
        self.db.execute(
            "INSERT INTO visit VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data",
            (visit_id, json.dumps(data)),
        )
