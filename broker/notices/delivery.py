"""Delivery: the outbox's letters go out, a few at a time, until they are received or given up (house).

One task a process. Several processes share one outbox: a letter is claimed in one statement, and claimed again by whoever
comes first when the process that had it died. No connection is held while a receiver is waited for.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlencode

from broker import telemetry
from broker.database import Database
from broker.egress import Egress, EgressRefused
from broker.notices import outbox
from broker.notices.outbox import Letter, Outbox, Unsigned
from keys import jws
from keys.errors import KeysError
from keys.keyring import Keyring

LOOK_EVERY = 1.0  # seconds
AT_ONCE = 32  # letters under way in a process
FOR_ONE = 4  # of them for one client: a receiver that is slow holds up nobody else
GRACE = 2.0  # seconds for what is under way when the process stops
SECOND = 1_000_000  # microseconds
#: What no second try mends: the address itself is wrong.
HOPELESS = frozenset({"url", "host", "port", "plain_http", "address", "header"})


class Courier:
    """Delivers. `keyring` gives the signing keys in force, `active` says whether a client may still be written to."""

    def __init__(
        self,
        database: Database,
        egress: Egress,
        letters: Outbox,
        *,
        keyring: Callable[[], Keyring],
        active: Callable[[str], bool],
        issuer: str,
        clock: Callable[[], int],
    ) -> None:
        self._database, self._egress, self._letters, self._clock = database, egress, letters, clock
        self._keyring, self._active, self._issuer = keyring, active, issuer
        self._under_way: dict[asyncio.Task[None], Letter] = {}

    async def run(self, every: float = LOOK_EVERY) -> None:
        """Deliver until cancelled; a failure of the database is logged and the outbox looked at again."""
        try:
            while True:
                more = False
                try:
                    more = self._take()
                except Exception as problem:  # noqa: BLE001 - letters wait in the table; the log says what broke
                    telemetry.failure("outbox", problem)
                if more and len(self._under_way) < AT_ONCE:
                    await asyncio.sleep(0)
                else:
                    await self._rest(every)
        finally:
            await self._stop()

    def _take(self) -> bool:
        """Claim what is due and set it on its way; return whether there may be more."""
        now, room = self._clock(), min(FOR_ONE, AT_ONCE - len(self._under_way))
        busy = Counter(letter.client_id for letter in self._under_way.values())
        with self._database.read() as tx:
            if room <= 0 or not self._letters.any_due(tx, now):
                return False
        full = [client_id for client_id, count in busy.items() if count >= FOR_ONE]
        with self._database.write() as tx:
            letters = self._letters.claim(tx, now, most=room, without=full)
        for letter in letters:
            task = asyncio.create_task(self._deliver(letter))
            self._under_way[task] = letter
            task.add_done_callback(self._under_way.pop)
        return len(letters) == room

    async def _rest(self, every: float) -> None:
        """Wait until it is time to look again, or, with all hands full, until one is free."""
        if len(self._under_way) >= AT_ONCE:
            await asyncio.wait(list(self._under_way), timeout=every, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(every)

    async def _stop(self) -> None:
        """Let what is under way arrive, then give the rest back."""
        tasks = dict(self._under_way)
        if not tasks:
            return
        _, late = await asyncio.wait(list(tasks), timeout=GRACE)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        with self._database.write() as tx:
            outbox.put_back(tx, [tasks[task] for task in late], self._clock())

    async def _deliver(self, letter: Letter) -> None:
        """Send one letter and write down what became of it."""
        try:
            error, final = await self._send(letter)
        except Exception as problem:  # noqa: BLE001 - one letter that breaks something must not stop the others
            telemetry.failure("outbox", problem, client_id=letter.client_id)
            error, final = "failed", False
        try:
            with self._database.write() as tx:
                if error is None:
                    outbox.received(tx, letter)
                    return
                dead = outbox.failed(tx, letter, error, self._clock(), final=final)
        except Exception as problem:  # noqa: BLE001 - its lease runs out and it is sent again
            telemetry.failure("outbox", problem, client_id=letter.client_id)
            return
        said = "letter_dead" if dead else "letter_late"
        telemetry.log(said, client_id=letter.client_id, source=letter.kind.name, reason=error, count=letter.attempts)

    async def _send(self, letter: Letter) -> tuple[str | None, bool]:
        """Send; return what went wrong as a word of a closed set, and whether trying again is useless."""
        kind = letter.kind
        if not self._active(letter.client_id):
            return "client", True
        try:
            content = self._letters.open(letter)
            body = self._signed(letter, content.text) if isinstance(content.text, Unsigned) else content.text
        except KeysError:
            return "sealed", True
        headers = {"content-type": kind.content_type}
        if kind.accept is not None:
            headers["accept"] = kind.accept
        if content.authorization is not None:
            headers["authorization"] = content.authorization
        try:
            reply = await self._egress.request(
                kind.method, letter.destination, headers, body.encode(), max_bytes=kind.max_reply, timeout=kind.timeout
            )
        except EgressRefused as refused:
            return refused.reason, refused.reason in HOPELESS
        if reply.status in kind.received:
            return None, False
        return f"status_{reply.status}", reply.status in kind.refused

    def _signed(self, letter: Letter, unsigned: Unsigned) -> str:
        """Sign a letter's claims now: issuer, audience and times are ours, the rest was decided when it was written."""
        how, now = letter.kind.signed, self._clock() // SECOND
        if how is None:
            raise TypeError("this kind is not signed")
        times = {"iat": now} | ({} if how.lifetime is None else {"exp": now + how.lifetime})
        claims = {**unsigned.claims, "iss": self._issuer, **times}
        token = jws.sign(self._keyring().signer(purpose="token", alg=unsigned.alg), claims, typ=how.typ)
        return token if how.field is None else urlencode({how.field: token})
