"""Facts about this machine: the kernel's opinion of its clock, the data folder's disk, who may read what (adjtimex(2), fsync(2))."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from broker.doctor.facts import File, Kind, Machine
from broker.settings import Settings

FLUSHES = 7
BLOCK = b"\x00" * 4096
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
NEUTRAL = ("libeatmydata", "libnosync")  # libraries that make fsync(2) do nothing


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def look(settings: Settings) -> Machine:
    """Look at the machine; writes and removes one small file in the data folder, to see how long a flush takes."""
    folder = _existing(settings.data_dir.absolute())
    usage = shutil.disk_usage(folder)
    synchronised, error = _clock()
    return Machine(
        clock_synchronised=synchronised,
        clock_error=error,
        filesystem=filesystem(folder, _mounts()),
        flushes=_flushes(settings.data_dir),
        unflushed=next((name for name in NEUTRAL if name in _text(Path("/proc/self/maps"))), None),
        free=usage.free,
        total=usage.total,
        files=tuple(_secrets(settings)),
        shut=tuple(_shut(settings)),
        month_keys=_month_keys(settings.person_keys),
        unreadable=tuple(_unreadable(settings)),
        newest_file=_newest(settings),
    )


def _shut(settings: Settings) -> Iterator[str]:
    """The folders that a server writes into and may not, or cannot; one that is not there is made in the one above it."""
    wanted = {settings.data_dir.absolute(), settings.ledger_dir.absolute(), settings.person_keys.absolute()}
    for folder in sorted(wanted):
        at = _existing(folder)
        if not at.is_dir():
            yield f"{at} is no folder"
        elif not _takes(at):
            yield f"nothing can be written into {at}"


def _takes(folder: Path) -> bool:
    """Whether a file can be made there: asked of the folder itself, as rights alone do not say it (a disk mounted to be read)."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as problem:
        return problem.errno == errno.ENOSPC  # that is for the disk's line to say
    return True


def _month_keys(folder: Path) -> tuple[str, ...] | None:
    try:
        return tuple(sorted(path.name for path in folder.iterdir() if path.suffix == ".key"))
    except OSError:
        return None


def _unreadable(settings: Settings) -> Iterator[str]:
    named = {
        "SEMEL_EGRESS_CA_FILE": settings.egress_ca_file,
        "SEMEL_CLIENT_CA_FILE": settings.client_ca_file,
    }
    for setting, path in named.items():
        if path is not None:
            try:
                path.read_bytes()
            except OSError as problem:
                yield f"{setting}: {path}: {problem.strerror}"


def _newest(settings: Settings) -> int:
    """When the database's file or the ledger's checkpoint last changed, in microseconds; 0 when neither is there."""
    file = _sqlite(settings.database)
    looked = [settings.ledger_dir / "checkpoint", *([Path(file)] if file is not None else [])]
    return max((path.stat().st_mtime_ns // 1000 for path in looked if path.exists()), default=0)


def _clock() -> tuple[bool | None, float]:
    told = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(told))
    return (None, 0.0) if state < 0 else (state != TIME_ERROR, told.maxerror / 1_000_000)


def filesystem(folder: Path, mounts: str) -> str:
    """Name the kind of file system a folder lies on, given the lines of /proc/self/mounts."""
    found, length = "unknown", -1
    for line in mounts.splitlines():
        _, point, kind, *_ = [*line.split(" "), "", ""]
        at = Path(point.replace("\\040", " "))
        if folder.is_relative_to(at) and len(at.parts) >= length:
            found, length = kind, len(at.parts)
    return found


def _mounts() -> str:
    return _text(Path("/proc/self/mounts"))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def _flushes(folder: Path) -> tuple[float, ...]:
    taken = []
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            for _ in range(FLUSHES):
                file.write(BLOCK)
                started = time.perf_counter_ns()
                os.fsync(file.fileno())
                taken.append((time.perf_counter_ns() - started) / 1_000_000)
    except OSError:
        return ()
    return tuple(taken)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _secrets(settings: Settings) -> Iterator[File]:
    """Everything that only this program's user may read, where it is there."""
    expected: list[tuple[Path, Kind]] = [(settings.person_keys, "secret folder")]
    expected += [(path, "secret") for path in sorted(settings.person_keys.glob("*"))]
    if not settings.key_encryption_key:
        expected.append((settings.key_encryption_key_file or settings.data_dir / "key-encryption-key", "secret"))
    if (file := _sqlite(settings.database)) is not None:
        expected += [(Path(file + end), "database") for end in ("", "-wal", "-shm")]
    expected += [(path, "secret") for path in _of_registers(settings.config_dir / "sources")]
    expected.append((settings.data_dir / "demo.json", "secret"))
    for path, kind in expected:
        if path.exists():
            seen = path.stat()
            yield File(str(path), kind, seen.st_mode & 0o777, seen.st_uid == os.geteuid())


def _sqlite(address: str) -> str | None:
    """Give the file of an SQLite database; None for another, and for what is no address."""
    try:
        url = make_url(address)
        return url.database if url.get_backend_name() == "sqlite" else None
    except SQLAlchemyError:
        return None


def _of_registers(folder: Path) -> Iterator[Path]:
    """The files with the secrets we show to registers."""
    for path in sorted(folder.glob("*.toml")):
        try:
            named = tomllib.loads(path.read_text("utf-8")).get("client_secret_file")
        except (OSError, ValueError):
            continue
        if isinstance(named, str):
            yield path.parent / named
