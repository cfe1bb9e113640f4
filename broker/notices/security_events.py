"""Security events: raised in the act that causes them, kept sealed until their receiver has them (RFC 8417; SSF 1.0 §8).

An event is a row of the same transaction as its cause. It is signed when it is handed out, so that no key is needed
where it is raised, and its token is as young as its delivery.

No row leads from a person to an agency: whoever shares leaves, beside the permission, the subject that agency knows them
by, sealed; whatever ends the permission later needs nobody's key to say so. Times are scattered.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from broker import telemetry
from broker.database import Tx
from broker.notices import event_types, outbox, streams
from broker.notices.event_types import Event
from broker.notices.outbox import Outbox, Unsigned
from broker.notices.streams import Stream
from broker.tables import event_stream, grant_subject, security_event
from consent import permission
from consent.ledger import Appended
from keys import canonical, jws
from keys.errors import KeysError
from keys.keyring import Keyring, SealingRing

SECOND = 1_000_000  # microseconds
DAY = 86_400 * SECOND
KEPT = 30 * DAY  # an event nobody fetched
MOST = 10_000  # events kept for a stream; the oldest go
ROWS = 1000  # of one sweep
UNTOLD = frozenset({"exhausted", "ended_by_controller"})  # ends that the agency brought about itself
MOST_TRIED = 100  # events under way to an address, when nobody has to hear of one more
MANY = 200  # permissions asked about at once
KIND = "security_event"  # in the outbox
FIXED = ("sub_id", "events")  # of a token, when it is raised


@dataclass(frozen=True)
class Held:
    """An event that waits in a stream."""

    jti: str
    event: Event = field(repr=False)


@dataclass(frozen=True)
class Signals:
    """Raises events. `ring` is the root keyring's for the use `signals`; `outbox` sends what is pushed."""

    issuer: str
    outbox: Outbox
    ring: SealingRing = field(repr=False)

    def remember(self, tx: Tx, permission_id: str, client_id: str, subject: str, ends: int | None) -> None:
        """Keep by which subject a client knows the person behind a permission, until that ends.

        In the act that gives it or decides about it anew; `ends` in microseconds, None for one without an end of its own.
        """
        box = self.ring.seal(subject.encode(), _of_grant(permission_id))
        due = None if ends is None else _seconds(ends + SECOND)
        make = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
        row = make(grant_subject).values(permission_id=permission_id, client_id=client_id, box=box, due=due)
        tx.execute(row.on_conflict_do_update(index_elements=["permission_id"], set_={"box": box, "due": due}))

    def applied(self, tx: Tx, entry: Appended) -> None:
        """Raise what an entry of the ledger ends, in the transaction that enters it.

        A signal never stops what it tells of: what cannot be opened is left out, and the log says so.
        """
        if entry.type in permission.GIVES:
            earlier = canonical.loads(entry.private).get("supersedes")
            if earlier is not None:
                self._ended(tx, earlier, "superseded", entry.ts)
        elif entry.type in permission.ENDS and entry.permission is not None:
            erase = canonical.loads(entry.body).get("erasure") == "asked"
            self._ended(tx, entry.permission, permission.ENDS[entry.type], entry.ts, erase=erase)

    def session_revoked(self, tx: Tx, client_id: str, subject: str, sid: str, now: int) -> None:
        """Raise the end of a session for one client it signed in to, in the act that ends it. `now` in microseconds."""
        stream = streams.of_client(tx, client_id)
        if stream is not None and event_types.SESSION_REVOKED in stream.delivers(self.issuer):
            self._about(tx, stream, subject, event_types.session_revoked(self.issuer, subject, sid), now)

    def expire(self, tx: Tx, now: int) -> None:
        """Raise what ended by itself since the last look; at most a thousand permissions. `now` in microseconds.

        One that was good once ends within minutes, and its agency knows whether it used it: of that nothing is raised.
        """
        row = grant_subject.c
        due = select(row.permission_id, row.client_id, row.box).where(row.due <= now).order_by(row.due).limit(ROWS)
        over = tx.execute(due.with_for_update(skip_locked=True)).all()
        for start in range(0, len(over), MANY):
            part = over[start : start + MANY]
            ids = [one.permission_id for one in part]
            tx.execute(delete(grant_subject).where(row.permission_id.in_(ids)))
            known = permission.get_many(tx, ids)
            for one in part:
                given = known.get(one.permission_id)
                if given is not None and given.kind != "once" and given.standing(now) == "expired":
                    self._tell(tx, one, "expired", given.valid_to or now)

    def send(self, tx: Tx, stream: Stream, event: Event, now: int) -> None:
        """Put an event into a stream: into the outbox if it is pushed, else it waits; a disabled stream takes none.

        `now` in microseconds. Raises `KeysError` when what goes with it cannot be opened.
        """
        held = Held(secrets.token_urlsafe(32), event)
        if stream.pushed:
            self._push(tx, stream, held, now)
        elif stream.status != "disabled":
            self._hold(tx, stream, [held], now)

    def may_verify(self, tx: Tx, stream: Stream, now: int) -> bool:
        """Note that a verification was asked for; false when one was just now, or too much waits to be sent already."""
        return streams.may_verify(tx, stream, now) and outbox.waiting(tx, KIND, stream.client_id) < MOST_TRIED

    def changed(self, tx: Tx, before: Stream, after: Stream | None, now: int) -> None:
        """Move what waits to where a changed stream has it: out of the outbox or into it; gone with a stream that is none.

        What is under way to the old address may still arrive there.
        """
        if after is not None and after.way == before.way:
            return
        if before.wanted.method == streams.PUSH:
            back = self.outbox.take_back(tx, KIND, before.client_id)
            unsent = [one.text.claims for one in back if isinstance(one.text, Unsigned)]
            self._hold(tx, before, [Held(said["jti"], {name: said[name] for name in FIXED}) for said in unsent], now)
        if after is None or after.status == "disabled":
            tx.execute(delete(security_event).where(security_event.c.stream_id == before.stream_id))
        elif after.pushed:
            self._forward(tx, after, now)

    def forward(self, tx: Tx, now: int) -> None:
        """Send what still waits in streams that are pushed: what was held while they were paused, a thousand of each."""
        for stream in streams.pushed(tx):
            self._forward(tx, stream, now)

    def waiting(self, tx: Tx, stream: Stream, most: int) -> list[Held]:
        """Read the oldest events of a stream; none of one that is not enabled, and none whose root key is gone."""
        found: list[Held] = []
        row = security_event.c
        if stream.status == "enabled":
            chosen = select(row.jti, row.box).where(row.stream_id == stream.stream_id)
            for one in tx.execute(chosen.order_by(row.raised, row.jti).limit(most)):
                try:
                    found.append(Held(one.jti, canonical.loads(self.ring.open(one.box, one.jti.encode()))))
                except KeysError as problem:
                    telemetry.failure("signal_lost", problem, client_id=stream.client_id)
        return found

    def token(self, keyring: Keyring, stream: Stream, held: Held, now: int) -> str:
        """Sign an event for its stream's receiver (RFC 8417 §2.2, SSF 1.0 §4.1)."""
        claims = {"iss": self.issuer, "aud": stream.client_id, "jti": held.jti, "iat": now // SECOND, **held.event}
        return jws.sign(keyring.signer(purpose="token", alg=stream.alg), claims, typ=event_types.TYPE)

    def _hold(self, tx: Tx, stream: Stream, events: list[Held], now: int) -> None:
        rows = [
            {
                "jti": one.jti,
                "stream_id": stream.stream_id,
                "raised": _scattered(now),
                "box": self.ring.seal(canonical.dumps(one.event), one.jti.encode()),
            }
            for one in events
        ]
        if rows:
            tx.execute(insert(security_event), rows)

    def _push(self, tx: Tx, stream: Stream, held: Held, now: int) -> None:
        claims = {"aud": stream.client_id, "jti": held.jti, **held.event}
        self.outbox.enqueue(
            tx,
            kind=KIND,
            client_id=stream.client_id,
            destination=stream.wanted.endpoint or "",
            content=Unsigned(stream.alg, claims),
            now=now,
            authorization=streams.header(self.ring, stream),
        )

    def _forward(self, tx: Tx, stream: Stream, now: int) -> None:
        waiting = self.waiting(tx, stream, ROWS)
        for one in waiting:
            self._push(tx, stream, one, now)
        forget(tx, stream, [one.jti for one in waiting])

    def _ended(self, tx: Tx, permission_id: str, reason: str, at: int, *, erase: bool = False) -> None:
        row = grant_subject.c
        gone = delete(grant_subject).where(row.permission_id == permission_id)
        known = tx.execute(gone.returning(row.permission_id, row.client_id, row.box)).first()
        if known is not None and reason not in UNTOLD:
            self._tell(tx, known, reason, at, erase=erase)

    def _tell(self, tx: Tx, known: Any, reason: str, at: int, *, erase: bool = False) -> None:
        """Tell the client of a permission that it ended, if it wants to hear it."""
        stream = streams.of_client(tx, known.client_id)
        if stream is None or self.issuer + event_types.GRANT_ENDED not in stream.delivers(self.issuer):
            return
        try:
            subject = self.ring.open(known.box, _of_grant(known.permission_id)).decode()
        except KeysError as problem:
            telemetry.failure("signal_lost", problem, client_id=known.client_id)
            return
        told = event_types.grant_ended(self.issuer, subject, known.permission_id, reason, at, erase=erase)
        self._about(tx, stream, subject, told, at)

    def _about(self, tx: Tx, stream: Stream, subject: str, event: Event, now: int) -> None:
        """Send an event about a person unless the receiver took them out; what cannot be sent stops nothing."""
        try:
            if not streams.leaves_out(tx, self.ring, stream, subject):
                self.send(tx, stream, event, now)
        except KeysError as problem:
            telemetry.failure("signal_lost", problem, client_id=stream.client_id)


def forget(tx: Tx, stream: Stream, jtis: Collection[str]) -> None:
    """Delete events their receiver has, or will not have (RFC 8936 §2.4)."""
    row = security_event.c
    tx.execute(delete(security_event).where(row.stream_id == stream.stream_id, row.jti.in_(jtis)))


def sweep(tx: Tx, now: int) -> None:
    """Delete what nobody fetched in time, what is too much, and what belongs to no stream any more."""
    outbox.trim(tx, KIND, MOST, ROWS)
    row = security_event.c
    lost = row.stream_id.not_in(select(event_stream.c.stream_id))
    old = tx.execute(select(row.jti).where((row.raised <= now - KEPT) | lost).limit(ROWS)).scalars().all()
    tx.execute(delete(security_event).where(row.jti.in_(old)))
    full = select(row.stream_id).group_by(row.stream_id).having(func.count() > MOST)
    for stream_id in tx.execute(full).scalars().all():
        newest = select(row.jti).where(row.stream_id == stream_id).order_by(row.raised.desc(), row.jti.desc())
        surplus = tx.execute(newest.offset(MOST).limit(ROWS)).scalars().all()
        tx.execute(delete(security_event).where(row.jti.in_(surplus)))


def _scattered(moment: int) -> int:
    """A moment of the last second, another one each time: two rows of one act share no value."""
    return moment - secrets.randbelow(SECOND)


def _seconds(moment: int) -> int:
    return moment // SECOND * SECOND


def _of_grant(permission_id: str) -> bytes:
    return b"semel/grant-subject/v1\x00" + permission_id.encode()
