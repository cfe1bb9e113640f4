"""The outbox: every letter to an agency is a row, written in the transaction that caused it (house).

    wired.outbox.enqueue(tx, kind="backchannel_logout", client_id=…, destination=…, content=…, now=now)

`content` is the body as text or, for a kind that is signed when it is sent (`kinds.Signed`), an `Unsigned`: the client's
algorithm and the claims without `iss`, `iat` and `exp`. What is the same at every try (`jti`, `events`) is in it.
`authorization` is sent as that header, for kinds whose receiver gave us something to show. All of it is sealed: the table
names agencies and addresses and nobody else.

A row is `waiting` until it is received (then deleted) or given up (`dead`: an operator sees it, `semel outbox`). It is sent
at least once: a receiver tells a second copy by its `jti`. Letters of an `ordered` kind reach a destination in the order
in which they were written; one that is waiting holds back those behind it, a dead one does not.
Two rows of one act share no value: times are scattered, ids random.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, insert, or_, select, update

from broker.database import Tx
from broker.notices.kinds import KINDS, Kind
from broker.tables import outbox as table
from keys import canonical
from keys.algorithms import Alg
from keys.errors import KeysError
from keys.keyring import SealingRing

SECOND = 1_000_000  # microseconds
MAX_BOX = 65_536  # bytes of a sealed letter
MAX_DESTINATION = 2000  # characters
LEASE = 60 * SECOND  # longer than any delivery may take
KEPT = 30 * 86_400 * SECOND  # dead letters
BACK_OFF, LONGEST_BACK_OFF = 2, 3600  # seconds


@dataclass(frozen=True)
class Unsigned:
    """Claims that are signed with a client's algorithm when the letter is sent."""

    alg: Alg
    claims: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Content:
    """What is in a letter: its text, or what makes it, and the header that goes with it."""

    text: str | Unsigned = field(repr=False)
    authorization: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Letter:
    """A letter that was claimed, until `LEASE` is over, by whoever holds this; `attempts` counts this one."""

    id: str
    kind: Kind
    client_id: str
    destination: str
    attempts: int
    expires: int
    box: bytes = field(repr=False)


@dataclass(frozen=True)
class Outbox:
    """The rows. `ring` is the root keyring's for the use `outbox`; `kinds` are those this program knows."""

    ring: SealingRing = field(repr=False)
    kinds: Mapping[str, Kind] = field(default_factory=lambda: KINDS)

    def enqueue(
        self,
        tx: Tx,
        *,
        kind: str,
        client_id: str,
        destination: str,
        content: str | Unsigned,
        now: int,
        authorization: str | None = None,
    ) -> str:
        """Write a letter in the caller's transaction and return its id. `now` in microseconds.

        `destination` is an address that was checked when it was registered; it is judged again when something is sent
        there. Raises `KeyError` for an unknown kind, `ValueError` for content the kind does not carry or that is too long.
        """
        chosen = self.kinds[kind]
        if isinstance(content, Unsigned) is not (chosen.signed is not None):
            raise ValueError(f"{kind} carries {'claims to sign' if chosen.signed else 'text'}")
        letter_id = secrets.token_hex(16)  # an operator types it: no id may begin like an option
        body = {"authorization": authorization} | (
            {"alg": content.alg, "claims": dict(content.claims)} if isinstance(content, Unsigned) else {"text": content}
        )
        box = self.ring.seal(canonical.dumps(body), _belongs(letter_id, kind, client_id, destination))
        if len(box) > MAX_BOX or len(destination) > MAX_DESTINATION:
            raise ValueError("the letter is too long")
        tx.execute(
            insert(table).values(
                id=letter_id,
                kind=kind,
                client_id=client_id,
                destination=destination,
                box=box,
                position=_next(tx, kind, client_id, destination, now) if chosen.ordered else None,
                due=_at_once(now),
                expires=_about(now + chosen.max_age * SECOND),
                attempts=0,
                state="waiting",
            )
        )
        return letter_id

    def open(self, letter: Letter) -> Content:
        """Return what is in a letter; raises `KeysError` when its root is gone or the row was changed."""
        belongs = _belongs(letter.id, letter.kind.name, letter.client_id, letter.destination)
        body: Mapping[str, Any] = canonical.loads(self.ring.open(letter.box, belongs))
        text = body["text"] if "text" in body else Unsigned(body["alg"], body["claims"])
        return Content(text, body["authorization"])

    def take_back(self, tx: Tx, kind: str, client_id: str) -> list[Content]:
        """Take a client's waiting letters of a kind out again and return what is in them; what does not open is gone.

        One that is under way may arrive all the same.
        """
        row = table.c
        mine = row.kind == kind, row.client_id == client_id, row.state == "waiting"
        columns = row.id, row.destination, row.attempts, row.expires, row.box
        letters = [
            Letter(one.id, self.kinds[kind], client_id, one.destination, one.attempts, one.expires, one.box)
            for one in tx.execute(delete(table).where(*mine).returning(*columns))
        ]
        found = []
        for letter in letters:
            with suppress(KeysError):
                found.append(self.open(letter))
        return found

    def any_due(self, tx: Tx, now: int) -> bool:
        """Say whether a letter may be due: a look that costs no write."""
        return tx.execute(select(table.c.id).where(*self._due(now)).limit(1)).first() is not None

    def claim(self, tx: Tx, now: int, *, most: int, without: Collection[str] = ()) -> tuple[Letter, ...]:
        """Take up to `most` letters that are due, in one statement: nobody else has them until the lease is over.

        Clients in `without` are left out. `now` in microseconds.
        """
        row, earlier = table.c, table.alias()
        ahead = exists().where(
            earlier.c.state == "waiting",
            earlier.c.kind == row.kind,
            earlier.c.client_id == row.client_id,
            earlier.c.destination == row.destination,
            earlier.c.position < row.position,
        )
        free = select(row.id).where(*self._due(now), or_(row.position.is_(None), ~ahead), row.client_id.not_in(without))
        picked = free.order_by(row.due).limit(most).with_for_update(skip_locked=True, of=table).cte("picked")
        picked = picked.prefix_with("MATERIALIZED", dialect="postgresql")
        taken = (
            update(table)
            .where(row.id.in_(select(picked.c.id)))
            .values(due=now + LEASE + row.due % SECOND, attempts=row.attempts + 1)
            .returning(row.id, row.kind, row.client_id, row.destination, row.attempts, row.expires, row.box)
        )
        return tuple(Letter(one.id, self.kinds[one.kind], *one[2:]) for one in tx.execute(taken))

    def replay(self, tx: Tx, letter_id: str | None, now: int) -> int:
        """Send a dead letter (or, with None, all of them) once more, as if it were new; return how many there were."""
        known = table.c.state == "dead", table.c.kind.in_(sorted(self.kinds))
        chosen = select(table.c.id, table.c.kind).where(*known)
        rows = tx.execute(chosen if letter_id is None else chosen.where(table.c.id == letter_id)).all()
        for one in rows:
            expires = _about(now + self.kinds[one.kind].max_age * SECOND)
            again = {"state": "waiting", "attempts": 0, "due": _at_once(now), "expires": expires}
            tx.execute(update(table).where(table.c.id == one.id, *known).values(again))
        return len(rows)

    def _due(self, now: int) -> tuple[ColumnElement[bool], ...]:
        """What may be sent now; kinds that only a newer version of the program knows are left to it."""
        return table.c.state == "waiting", table.c.due <= now, table.c.kind.in_(sorted(self.kinds))


def received(tx: Tx, letter: Letter) -> None:
    """Forget a letter that was received; one that somebody else has claimed meanwhile is theirs."""
    tx.execute(delete(table).where(*_mine(letter)))


def failed(tx: Tx, letter: Letter, error: str, now: int, *, final: bool = False) -> bool:
    """Note why a letter was not received and when to try again; return whether it was given up.

    `error` is a word of a closed set. With `final`, after the kind's last try, or when its time is over, it is dead.
    """
    wait = min(BACK_OFF**letter.attempts, LONGEST_BACK_OFF) * SECOND
    due = now + wait // 2 + secrets.randbelow(wait)  # from half to one and a half times
    dead = final or letter.attempts >= letter.kind.tries or due > letter.expires
    changed = {"state": "dead", "expires": _about(now + KEPT)} if dead else {"due": due}
    tx.execute(update(table).where(*_mine(letter)).values(error=error, **changed))
    return dead


def put_back(tx: Tx, letters: Sequence[Letter], now: int) -> None:
    """Let go of letters that were claimed and not delivered: the next process takes them at once."""
    for letter in letters:
        tx.execute(update(table).where(*_mine(letter)).values(due=_at_once(now)))


def listed(tx: Tx, state: str | None = None) -> list[dict[str, Any]]:
    """Return the rows for an operator, oldest first, without what is in them; times in microseconds."""
    row = table.c
    columns = row.id, row.kind, row.client_id, row.destination, row.state, row.attempts, row.error, row.due
    chosen = select(*columns).order_by(row.due)
    return [dict(one) for one in tx.execute(chosen if state is None else chosen.where(row.state == state)).mappings()]


def waiting(tx: Tx, kind: str, client_id: str) -> int:
    """Count a client's letters of a kind that are not received yet."""
    row = table.c
    mine = row.client_id == client_id, row.kind == kind, row.state == "waiting"
    return int(tx.execute(select(func.count()).where(*mine)).scalar_one())


def trim(tx: Tx, kind: str, most: int, rows: int) -> None:
    """Forget the oldest letters of a kind that are too many for one client, at most so many rows of each."""
    row = table.c
    mine = row.kind == kind, row.state == "waiting"
    full = select(row.client_id).where(*mine).group_by(row.client_id).having(func.count() > most)
    for client_id in tx.execute(full).scalars().all():
        newest = select(row.id).where(*mine, row.client_id == client_id).order_by(row.expires.desc(), row.id)
        surplus = tx.execute(newest.offset(most).limit(rows)).scalars().all()
        tx.execute(delete(table).where(row.id.in_(surplus)))


def sweep(tx: Tx, now: int) -> None:
    """Forget dead letters nobody asked for in thirty days."""
    tx.execute(delete(table).where(table.c.state == "dead", table.c.expires <= now))


def _mine(letter: Letter) -> tuple[ColumnElement[bool], ...]:
    """The row as it was claimed: a lease that ran out and was given to another is not ours any more."""
    return table.c.id == letter.id, table.c.attempts == letter.attempts, table.c.state == "waiting"


def _next(tx: Tx, kind: str, client_id: str, destination: str, now: int) -> int:
    """The place behind whatever waits for the same destination."""
    row = table.c
    same = row.kind == kind, row.client_id == client_id, row.destination == destination
    last = tx.execute(select(func.max(row.position)).where(*same)).scalar_one()
    return now if last is None else max(now, int(last) + 1)


def _at_once(now: int) -> int:
    """Due now, and never at the same microsecond as another."""
    return now - secrets.randbelow(SECOND)


def _about(then: int) -> int:
    return then + secrets.randbelow(60 * SECOND)


def _belongs(letter_id: str, kind: str, client_id: str, destination: str) -> bytes:
    """What a box opens with: no row can be given another's content, nor another address."""
    return b"semel/outbox/v1\x00" + "\x00".join((letter_id, kind, client_id, destination)).encode()
