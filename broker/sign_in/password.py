"""Passwords: which may be chosen, how they rest, how they are checked (NIST SP 800-63B-4 §3.1.1; RFC 9106).

A hash rests sealed with the server's `pepper` ring: a stolen database alone does not let anyone guess.
"""

from __future__ import annotations

import asyncio
import base64
import os
import unicodedata
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from keys.errors import SealBroken
from keys.keyring import SealingRing

ALONE, WITH_CODE, LONGEST = 15, 8, 256  # code points
CONTEXT = b"semel/password/v1"
CONTEXT_WORDS = ("semel", "government", "password")
ARGON2 = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
#: Compared with when there is nobody: same cost, no password fits.
NOBODY = f"$argon2id$v=19$m=19456,t=2,p=1${base64.b64encode(bytes(16)).decode()[:-2]}${base64.b64encode(bytes(32)).decode()[:-1]}"
WAITING = 64
THREADS = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="argon2")
COMMON = Path(__file__).with_name("common_passwords.txt")


class Unfit(Exception):
    """A password may not be chosen; `reason` is one of `short long common context`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Busy(Exception):
    """Too many passwords are being checked already; nothing was decided."""


@dataclass(frozen=True)
class Verdict:
    """What a check found; `renewed` is the hash to store instead when the costs were raised since."""

    fits: bool
    renewed: str | None = field(default=None, repr=False)


def check_choice(password: str, username: str, *, alone: bool) -> None:
    """Return when a password may be chosen: at least 15 characters when used alone, 8 beside a one-time code.

    No rules of composition. Raises `Unfit` for the too short, the too long, the common and the name of person or place.
    """
    normal = _normal(password)
    if len(normal) < (ALONE if alone else WITH_CODE):
        raise Unfit("short")
    if len(normal) > LONGEST:
        raise Unfit("long")
    folded = normal.casefold()
    if folded in _common():
        raise Unfit("common")
    words = [word for word in (_normal(username).casefold(), *CONTEXT_WORDS) if word]
    if any(not folded.replace(word, "").strip("0123456789 !.-_") for word in words if word in folded):
        raise Unfit("context")


def digest(password: str) -> str:
    """Return the argon2id hash of a new password; about 20 ms of one core. Check the choice first, seal what comes out."""
    return ARGON2.hash(_normal(password))


def seal(made: str, pepper: SealingRing) -> str:
    """Return what is stored of a password's hash."""
    return base64.b64encode(pepper.seal(made.encode(), CONTEXT)).decode()


async def verify(stored: str | None, password: str, pepper: SealingRing) -> Verdict:
    """Check a password in a thread, as many at a time as there are cores; None takes as long as somebody does.

    Raises `Busy` when more than `WAITING` wait already.
    """
    if THREADS._work_queue.qsize() > WAITING:  # noqa: SLF001 - the pool has no public measure of its queue
        raise Busy
    return await asyncio.get_running_loop().run_in_executor(THREADS, _verify, stored, password, pepper)


async def store(chosen: str, pepper: SealingRing) -> str:
    """Return what is stored of a new password, hashed in a thread; check the choice first. Raises as `verify`."""
    if THREADS._work_queue.qsize() > WAITING:  # noqa: SLF001 - as above
        raise Busy
    return seal(await asyncio.get_running_loop().run_in_executor(THREADS, digest, chosen), pepper)


def _verify(stored: str | None, password: str, pepper: SealingRing) -> Verdict:
    if len(password) > LONGEST:
        password, stored = "", None
    try:
        known = NOBODY if not stored else pepper.open(base64.b64decode(stored), CONTEXT).decode()
        ARGON2.verify(known, _normal(password))
    except (VerificationError, InvalidHashError, SealBroken):
        return Verdict(fits=False)
    return Verdict(fits=True, renewed=seal(digest(password), pepper) if ARGON2.check_needs_rehash(known) else None)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


@lru_cache(maxsize=1)
def _common() -> Collection[str]:
    return frozenset(line for line in COMMON.read_text("utf-8").splitlines() if not line.startswith("#"))
