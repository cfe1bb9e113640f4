"""The last look at a world: what was published replays, what was answered has its entry, what is personal is nowhere else."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from sqlalchemy import select, text

from broker import tables as broker_tables
from broker.database import Database, Tx
from broker.routes import ROUTES
from consent import audit, commitment, history, permission
from consent import tables as consent_tables
from consent.history import Event
from consent.ledger_entry import Stream
from keys import base64url
from keys import tables as keys_tables
from tests import machine_clock
from tests.databases import METADATAS

if TYPE_CHECKING:
    from tests.world import World

SHORTEST = 5  # bytes of a value that is looked for: shorter ones stand anywhere by chance
#: Usernames that are ordinary words and so may stand in a file for another reason.
WORDS = {"stale", "minor", "abroad", "deceased", "protected", "markup", "chinese", "arabic", "hebrew", "greek", "plain"}


def check(world: World) -> None:
    """Look at everything; AssertionError (or the product's own complaint) says what does not hold."""
    database = Database.open(world.database_url)
    try:
        with database.read() as tx:
            size = audit.check(tx, since=0).size
            events = opened(tx, world)
            projected(tx, events)
            answered(tx, world, events)
            families(tx, events)
        published(world, size)
        hidden(world, database)
    finally:
        database.close()
    discovery(world)


def opened(tx: Tx, world: World) -> dict[int, Event]:
    """Open every event with the keys: each leaf of the first kind belongs to exactly one stream, no number is missing."""
    streams = world.memory.setdefault("streams", {})
    for row in tx.execute(select(keys_tables.ledger_key.c.stream_id).distinct()):
        if row.stream_id not in streams:
            key = world.inside.vault.stream(tx, row.stream_id)
            streams[row.stream_id] = Stream(key.stream_id, key.generation, key.key)
    known, counts = world.memory.setdefault("events", {}), consent_tables.stream.c
    ends = {row.stream_id: row.next_n for row in tx.execute(select(counts.stream_id, counts.next_n))}
    found: dict[int, Event] = {}
    for name, stream in streams.items():
        events = known.get(name, [])
        if len(events) != ends.pop(
            commitment.counter_of(stream.key), 0
        ):  # what has not grown is read again when the last story is told
            events = known[name] = history.read(tx, stream, limit=1_000_000)
        assert [event.n for event in reversed(events)] == list(range(len(events))), "a stream has a gap"
        assert not found.keys() & {event.seq for event in events}, "an entry opens in two streams"
        found |= {event.seq: event for event in events}
    assert not ends, "a stream has no key"
    leaf = consent_tables.ledger_leaf
    public = {row.seq for row in tx.execute(select(leaf.c.seq).where(leaf.c.kind == 1))}
    assert public == found.keys(), "an entry belongs to nobody"
    return found


def projected(tx: Tx, events: dict[int, Event]) -> None:
    """Replay the permissions from their events alone; the table says the same. An impossible event raises."""
    replayed: dict[str, permission.Permission] = {}
    for seq in sorted(events):
        one = events[seq]
        if one.permission is None or one.type not in {"permission.given", *permission.ENDS, *permission.USES}:
            continue
        event = permission.Event(
            seq, one.ts // 1000 * 1000, one.type, one.permission, one.party or "", one.body, one.private
        )
        if event.supersedes is not None and event.type == "permission.given":
            replayed[event.supersedes] = permission.supersede(replayed.get(event.supersedes), event)
        replayed[one.permission] = permission.step(replayed.get(one.permission), event)
    table = consent_tables.permission
    stored = {row.permission_id: permission.get(tx, row.permission_id) for row in tx.execute(select(table))}
    assert stored == replayed, "the permissions are not what their events make them"


def answered(tx: Tx, world: World, events: dict[int, Event]) -> None:
    """Every data answer and every credential that a client got has its entry, and that entry says what was handed over."""
    leaves = consent_tables.ledger_leaf
    for answer in world.answers:
        receipt = answer["ledger"]
        event = events[receipt["seq"]]
        assert (event.type, event.party, event.permission) == ("access.released", answer["client"], answer["grant_id"])
        assert event.body["items"] == {item: said["status"] for item, said in answer["items"].items()}
        assert {i for i, s in event.private["items"].items() if s == "provided"} == {
            i for i, said in answer["items"].items() if "value" in said
        }
        leaf = tx.execute(select(leaves.c.leaf).where(leaves.c.seq == receipt["seq"])).scalar_one()
        assert base64url.encode(leaf) == receipt["leaf"], "the agency's receipt shows another leaf"
    issued = world.memory.get("issued", 0) + len(world.received)
    assert sum(event.type == "credential.issued" for event in events.values()) >= issued, "a credential has no entry"
    world.memory["issued"] = issued


def families(tx: Tx, events: dict[int, Event]) -> None:
    """Every family of tokens hangs on a permission that was given to its client; every refresh token on such a family."""
    given = {e.permission: e.party for e in events.values() if e.type == "permission.given"}
    known = set()
    for row in tx.execute(select(broker_tables.token_family)):
        assert row.permission_id in given, "tokens hang on nothing"
        assert given[row.permission_id] in {row.client_id, "semel.wallet"}, "tokens of another client"
        known.add(row.family)
    renewing = broker_tables.metadata.tables["refresh_token"].c
    assert set(tx.execute(select(renewing.family)).scalars()) <= known, "a refresh token hangs on nothing"


def published(world: World, size: int) -> None:
    """The published files verify, and reach what the database held when this look began."""
    folder = world.data / "ledger"
    machine_clock.wait_for(lambda: signed(folder) >= size, lambda: "the publisher does not keep up")
    patience = machine_clock.Patience()
    while not (report := audit.verify_folder(folder)).ok:  # files are replaced while they are read
        assert patience.left, report.findings
        time.sleep(0.2)
    assert report.size >= size


def signed(folder: Path) -> int:
    """How many entries the published checkpoint covers; none before the first is published."""
    try:
        return int((folder / "checkpoint").read_text().split("\n")[1])
    except FileNotFoundError:
        return -1


def hidden(world: World, database: Database) -> None:
    """Nothing personal of those who acted stands in the published files, the log, an address or the database."""
    secret = {persona: list(personal(world, persona)) for persona in world.acted}
    log, since = world.log.read_bytes(), world.memory.get("log", 0)
    fresh = log[since:]
    world.memory["log"] = len(log)
    places = {
        "the published ledger": b"\n".join(
            p.read_bytes() for p in sorted((world.data / "ledger").rglob("*")) if p.is_file()
        ),
        "the log": fresh,
        "an address": "\n".join(world.visited).encode(),
        "the database": at_rest(world, database),
    }
    for persona, values in secret.items():
        for name, value in values:
            for spelling in spellings(value):
                found = [place for place, content in places.items() if spelling in content]
                assert not found, f"{name} of {persona} stands in {', '.join(found)}"
    failed = [
        line
        for line in fresh.decode("utf-8", "replace").splitlines()
        if '"level": "error"' in line or "Traceback" in line
    ]
    assert len(failed) == world.expected_failures, f"the server failed: {failed}"


def personal(world: World, persona: str) -> Iterator[tuple[str, str]]:
    """What is known about a persona, by what it is called: account and registers alike."""
    one = world.inside.everyone[persona]
    account = ("username", "password", "totp_secret", "person_number", "display_name", "email", "phone")
    values = [(name, one.get(name)) for name in account]
    names = ("given_name", "family_name", "full_name", "street_address", "birth_date")
    values += [(name, one.get("population", {}).get(name)) for name in names]
    values += [(f"child's {name}", child.get(name)) for child in one.get("children", []) for name in names[:2]]
    values += [("iban", one.get("tax", {}).get("iban"))]
    for name, value in values:
        if value and len(value.encode()) >= SHORTEST and value not in WORDS:
            yield name, value


def spellings(value: str) -> set[bytes]:
    """A value as it might stand somewhere: as it is, escaped, encoded for an address, as hexadecimal digits."""
    escaped = json.dumps(value)[1:-1]
    return {value.encode(), escaped.encode(), quote(value).encode(), value.encode().hex().encode()}


def at_rest(world: World, database: Database) -> bytes:
    """The database as somebody finds it who takes its disk."""
    if database.dialect == "sqlite":
        return b"\n".join(p.read_bytes() for p in sorted(world.data.glob("semel.db*")))
    with database.read() as tx:
        return "\n".join(
            row[0] for table in all_tables() for row in tx.execute(text(f"SELECT t::text FROM {table} t"))
        ).encode()


def all_tables() -> Iterator[str]:
    for metadata in METADATAS:
        yield from (f'"{name}"' for name in metadata.tables)


def discovery(world: World) -> None:
    """Every endpoint that is announced is served, with the method it is for."""
    served = {(row.method, row.path) for row in ROUTES}
    for name in ("openid-configuration", "oauth-authorization-server", "openid-credential-issuer"):
        document = world.http.get(f"{world.issuer}/.well-known/{name}").json()
        for member, value in document.items():
            if not member.endswith(("_endpoint", "_uri")):
                continue
            assert value.startswith(f"{world.issuer}/"), f"{member} is somewhere else"
            path = urlsplit(value).path
            known = {method for method, served_path in served if served_path == path or _fits(served_path, path)}
            assert known, f"{member} leads nowhere"


def _fits(served: str, path: str) -> bool:
    """Also where something of a path's own is served below it: `/grants/{grant_id}`."""
    below = served.startswith(f"{path}/{{")
    return below or (served.endswith("{path:path}") and path.startswith(served.removesuffix("{path:path}")))
