"""The vault: a person's root and every stream's ledger key, wrapped by month files that never enter the database.

What each month's file wraps dies with the file, so a restored backup cannot bring an erased person back; the day's preview
key lies beside them and is destroyed after two days.
"""

import os
import secrets
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from keys import sealing
from keys.errors import AlreadyExists, NoSuchKey
from keys.tables import ledger_key, person_root

OPERATOR_STREAM = "operator"
FIRST_GENERATION = 0
PREVIEW_DAYS = 2

_ROOT = select(person_root).where(person_root.c.person_id == bindparam("person"))
_GENERATIONS = select(ledger_key).where(ledger_key.c.stream_id == bindparam("stream")).order_by(ledger_key.c.generation)


@dataclass(frozen=True)
class PersonKeys:
    """What is derived from a person's root (32 bytes each): `data` seals their records, `pairwise` makes their subjects."""

    data: bytes = field(repr=False)
    pairwise: bytes = field(repr=False)


@dataclass(frozen=True)
class LedgerKey:
    """One generation of a stream's ledger key (32 bytes)."""

    stream_id: str
    generation: int
    key: bytes = field(repr=False)


def person_stream(person_id: str) -> str:
    """Return the stream id of a person."""
    return f"person:{person_id}"


def agency_stream(client_id: str) -> str:
    """Return the stream id of an agency."""
    return f"agency:{client_id}"


@dataclass(frozen=True)
class Vault:
    """Person roots and ledger keys as rows, opened with the key files in `directory` (mode 0700, files 0600).

    Files are read each time and never kept in memory: once a file is destroyed no process opens what it wrapped.
    """

    directory: Path

    def create_person(self, tx: Connection, person_id: str, now: int) -> PersonKeys:
        """Make a person's root, once; raises `AlreadyExists`. `now` in microseconds."""
        root = sealing.new_key()
        kek, wrapped = self._wrap(root, _person_context(person_id), now)
        try:
            tx.execute(insert(person_root).values(person_id=person_id, kek=kek, wrapped=wrapped))
        except IntegrityError as error:
            raise AlreadyExists("this person has a root") from error
        return _person_keys(root)

    def person(self, tx: Connection, person_id: str) -> PersonKeys:
        """Return a person's keys; raises `NoSuchKey` when the root or what wraps it is gone."""
        row = tx.execute(_ROOT, {"person": person_id}).one_or_none()
        if row is None:
            raise NoSuchKey("no such person")
        return _person_keys(sealing.decrypt(self._kek(row.kek), row.wrapped, _person_context(person_id)))

    def create_stream(self, tx: Connection, stream_id: str, now: int) -> LedgerKey:
        """Make a stream's first ledger key, once; raises `AlreadyExists`. `now` in microseconds."""
        made = LedgerKey(stream_id, FIRST_GENERATION, sealing.new_key())
        kek, wrapped = self._wrap(made.key, _stream_context(stream_id, made.generation), now)
        row = {"stream_id": stream_id, "generation": made.generation, "kek": kek, "wrapped": wrapped}
        try:
            tx.execute(insert(ledger_key).values(row))
        except IntegrityError as error:
            raise AlreadyExists("this stream has a key") from error
        return made

    def stream(self, tx: Connection, stream_id: str) -> LedgerKey:
        """Return the newest generation of a stream's ledger key; raises `NoSuchKey`."""
        return self.generations(tx, stream_id)[-1]

    def generations(self, tx: Connection, stream_id: str) -> tuple[LedgerKey, ...]:
        """Return every generation of a stream's ledger key, oldest first; raises `NoSuchKey` when there is none."""
        rows = tx.execute(_GENERATIONS, {"stream": stream_id}).all()
        if not rows:
            raise NoSuchKey("no such stream")
        return tuple(
            LedgerKey(
                stream_id,
                row.generation,
                sealing.decrypt(self._kek(row.kek), row.wrapped, _stream_context(stream_id, row.generation)),
            )
            for row in rows
        )

    def preview_key(self, day: date) -> bytes:
        """Return the random key of a day (UTC), made when first asked for; what it wrapped dies with it after two days."""
        return self._file(f"preview-{day.isoformat()}", create=True)

    def sweep(self, now: int) -> tuple[date, ...]:
        """Destroy preview keys older than two days and return their days. `now` in microseconds."""
        oldest = _day(now) - timedelta(days=PREVIEW_DAYS - 1)
        gone = []
        for path in sorted(self.directory.glob("preview-????-??-??.key")):
            day = date.fromisoformat(path.stem.removeprefix("preview-"))
            if day < oldest:
                path.unlink(missing_ok=True)
                gone.append(day)
        return tuple(gone)

    def _wrap(self, secret: bytes, context: bytes, now: int) -> tuple[str, bytes]:
        month = f"{_day(now):%Y-%m}"
        return month, sealing.encrypt(self._file(f"kek-{month}", create=True), secret, context)

    def _kek(self, month: str) -> bytes:
        return self._file(f"kek-{month}", create=False)

    def _file(self, name: str, *, create: bool) -> bytes:
        path = self.directory / f"{name}.key"
        try:
            secret = path.read_bytes()
        except FileNotFoundError:
            if not create:
                raise NoSuchKey("what wraps this key was destroyed") from None
            secret = self._make(path)
        if len(secret) != sealing.KEY:
            raise NoSuchKey("a key file is damaged")
        return secret

    def _make(self, path: Path) -> bytes:
        """Create a key file whole or not at all, durable before it is used; of two makers the first wins."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(sealing.new_key())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        folder = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return path.read_bytes()


def _person_keys(root: bytes) -> PersonKeys:
    return PersonKeys(data=sealing.derive(root, "semel/data/v1"), pairwise=sealing.derive(root, "semel/sub/v1"))


def _person_context(person_id: str) -> bytes:
    return b"semel/person-root/v1\x00" + person_id.encode()


def _stream_context(stream_id: str, generation: int) -> bytes:
    return b"semel/ledger-key/v1\x00" + generation.to_bytes(8, "big") + stream_id.encode()


def _day(now: int) -> date:
    return datetime.fromtimestamp(now // 1_000_000, UTC).date()
