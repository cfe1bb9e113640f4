"""The ledger in the database: numbers without gaps, a head that must add up, repeats, a stream's own history."""

from dataclasses import replace

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from consent import audit, commitment, history, ledger, ledger_entry, merkle
from consent.errors import EntryInvalid, LedgerBroken, LedgerExists, LedgerMissing, RepeatDiffers
from consent.ledger_entry import Once, Stream, SystemRecord
from consent.tables import (
    ledger_batch,
    ledger_checkpoint,
    ledger_event,
    ledger_leaf,
    ledger_once,
    ledger_tag,
    ledger_tile,
    stream,
)
from keys import base64url, canonical

ORIGIN = "id.example.gov/ledger"
MARIA = Stream("person:maria", 0, b"\x01" * 32)
OMAR = Stream("person:omar", 0, b"\x02" * 32)


def preview(line=MARIA, number=0, once=None):
    entry = ledger_entry.access_previewed(
        line,
        entry_id=f"0197f3c2-7b1a-7c3e-9d55-{number:012d}",
        party="norr-childcare",
        purpose="norr.childcare-allowance@3",
        journey=f"j{number}",
        items={"address.registered": "provided"},
        sources=["population"],
    )
    return entry if once is None else replace(entry, once=once)


@pytest.fixture
def tx(database, now):
    with database.write() as tx:
        ledger.create(tx, 0, ORIGIN, now, vkeys=["a-key"])
        yield tx


def test_it_is_made_once_and_missing_before(database, now):
    with database.write() as tx:
        with pytest.raises(LedgerMissing):
            ledger.head(tx)
        made = ledger.create(tx, 0, ORIGIN, now)
        assert (made.size, made.origin) == (1, ORIGIN)
        assert ledger.head(tx) == made
        with pytest.raises(LedgerExists):
            ledger.create(tx, 0, ORIGIN, now)


def test_entries_are_numbered_without_gaps_and_hashed_into_the_head(tx, now):
    first = ledger.append(tx, [preview(number=1), preview(OMAR, 2)], now + 1)
    second = ledger.append(tx, [SystemRecord("keys.rotated", {"count": 1}), preview(number=3)], now + 2)
    assert [entry.seq for entry in first + second] == [1, 2, 3, 4]
    leaves = tx.execute(select(ledger_leaf).order_by(ledger_leaf.c.seq)).all()
    assert [row.kind for row in leaves] == [2, 1, 1, 2, 1]
    assert all(row.leaf_hash == merkle.leaf_hash(row.leaf) for row in leaves)
    head = ledger.head(tx)
    assert (head.size, head.ts) == (5, now + 2)
    assert head.root == merkle.root_of(row.leaf_hash for row in leaves)
    counters = {row.stream_id: row.next_n for row in tx.execute(select(stream))}
    assert counters == {commitment.counter_of(MARIA.key): 2, commitment.counter_of(OMAR.key): 1}
    assert "maria" not in str(counters), "written beside the entry, a name would lead from the person to the agency"
    assert [row.size for row in tx.execute(select(ledger_batch).order_by(ledger_batch.c.size))] == [1, 3, 5]


def test_completed_tiles_leave_their_root(tx, now):
    ledger.append(tx, [SystemRecord("filler", {"n": n}) for n in range(600)], now)
    hashes = list(tx.execute(select(ledger_leaf.c.leaf_hash).order_by(ledger_leaf.c.seq)).scalars())
    rows = tx.execute(select(ledger_tile).order_by(ledger_tile.c.idx)).all()
    assert [(row.level, row.idx, row.root) for row in rows] == [
        (0, 0, merkle.root_of(hashes[:256])),
        (0, 1, merkle.root_of(hashes[256:512])),
    ]


def test_nothing_of_the_person_stands_in_the_rows(tx, now):
    ledger.append(tx, [preview()], now)
    row = tx.execute(select(ledger_event)).one()
    assert (row.type, row.party, row.permission) == ("access.previewed", "norr-childcare", None)
    assert b"address" not in row.ct
    assert not {"subject", "sub", "person"} & set(row._fields)


def test_the_agency_can_prove_what_it_was_given(tx, now):
    entry = ledger.append(tx, [preview()], now)[0]
    receipt = ledger.receipt_for_agency(entry, MARIA.key, "norr-childcare")
    assert receipt.keys() == {"origin", "seq", "leaf", "salt", "body", "mac"}
    leaf, salt, mac = (base64url.decode(receipt[name]) for name in ("leaf", "salt", "mac"))
    commitment.commits(leaf, salt, receipt["body"].encode())
    assert mac == commitment.receipt_mac(MARIA.key, ORIGIN, "norr-childcare")
    assert entry.items_digest == ledger_entry.items_digest({"address.registered": "provided"})
    assert entry.journey == "j0"


def test_a_repeat_is_recognised_and_another_request_refused(tx, now):
    key, digest = b"k" * 32, b"d" * 32
    assert ledger.once(tx, key, digest, now) is None
    first = ledger.append(tx, [preview(once=Once(key, digest))], now)[0]
    assert ledger.once(tx, key, digest, now) == first.seq
    with pytest.raises(RepeatDiffers):
        ledger.once(tx, key, b"e" * 32, now)
    later = now + ledger.REPEAT_SECONDS * 1_000_000
    assert ledger.once(tx, key, b"e" * 32, later) is None
    ledger.append(tx, [preview(number=2, once=Once(key, digest))], later)
    ledger.sweep(tx, later + ledger.REPEAT_SECONDS * 1_000_000)
    assert tx.execute(select(func.count()).select_from(ledger_once)).scalar_one() == 0


def test_a_stream_reads_its_own_entries_newest_first_and_no_others(tx, now):
    for number in range(7):
        ledger.append(tx, [preview(number=number), preview(OMAR, 100 + number)], now + number * 1000)
    events = history.read(tx, MARIA)
    assert [event.n for event in events] == [6, 5, 4, 3, 2, 1, 0]
    assert events[0].private["journey"] == "j6"
    assert events[0].body["ts"] == ledger_entry.instant(now + 6000)
    page = history.read(tx, MARIA, limit=3)
    assert [event.n for event in page] == [6, 5, 4]
    assert [event.n for event in history.read(tx, MARIA, limit=3, before=page[-1].n)] == [3, 2, 1]
    assert history.read(tx, Stream("person:new", 0, bytes(32))) == []


@pytest.mark.parametrize(
    "harm",
    [
        lambda tx: tx.execute(delete(ledger_event).where(ledger_event.c.seq == 2)),
        lambda tx: tx.execute(update(ledger_event).where(ledger_event.c.seq == 2).values(ct=bytes(100))),
        lambda tx: tx.execute(update(ledger_event).where(ledger_event.c.seq == 2).values(party="another")),
        lambda tx: tx.execute(update(ledger_event).where(ledger_event.c.seq == 2).values(ts=1)),
        lambda tx: tx.execute(delete(ledger_tag).where(ledger_tag.c.seq == 2)),
        lambda tx: tx.execute(update(stream).values(next_n=4)),
    ],
    ids=["deleted", "damaged", "other party", "other time", "tag gone", "counter raised"],
)
def test_a_history_with_a_hole_is_not_shown(tx, now, harm):
    ledger.append(tx, [preview(number=n) for n in range(3)], now)
    harm(tx)
    with pytest.raises(LedgerBroken):
        history.read(tx, MARIA)


@pytest.mark.parametrize(
    "change", ["UPDATE ledger_leaf SET kind = 2", "DELETE FROM ledger_leaf", "DELETE FROM ledger_batch"]
)
def test_the_database_refuses_to_change_what_was_appended(database, now, change):
    with database.write() as tx:
        ledger.create(tx, 0, ORIGIN, now)
    with pytest.raises(DBAPIError, match="only grows"), database.write() as tx:
        tx.execute(text(change))


def test_start_up_replays_what_came_after_the_last_checkpoint(tx, now):
    ledger.append(tx, [preview(number=n) for n in range(3)], now)
    signed = ledger.head(tx)
    row = {"log_id": 0, "size": signed.size, "root": signed.root, "note": b"", "signed_at": now}
    tx.execute(insert(ledger_checkpoint).values(row))
    ledger.append(tx, [preview(number=n) for n in range(3, 5)], now)
    assert audit.check(tx).size == 6
    assert audit.check(tx, since=0) == ledger.head(tx)


@pytest.mark.parametrize(
    ("size", "root"), [(99, None), (3, bytes(32)), (2, None)], ids=["larger than the head", "other root", "no batch"]
)
def test_start_up_refuses_a_database_that_is_not_the_signed_one(tx, now, size, root):
    ledger.append(tx, [preview(number=n) for n in range(2)], now)
    row = {"log_id": 0, "size": size, "root": root or ledger.head(tx).root, "note": b"", "signed_at": now}
    tx.execute(insert(ledger_checkpoint).values(row))
    with pytest.raises(LedgerBroken):
        audit.check(tx)


def test_start_up_refuses_rows_that_do_not_replay(tx, now):
    head = ledger.head(tx)
    tx.execute(
        insert(ledger_leaf).values(log_id=0, seq=1, kind=2, leaf=b"\x02{}", leaf_hash=merkle.leaf_hash(b"\x02{}"))
    )
    with pytest.raises(LedgerBroken):
        audit.check(tx)
    tx.execute(insert(ledger_batch).values(log_id=0, size=2, frontier=head.frontier, root=head.root, ts=now))
    with pytest.raises(LedgerBroken):
        audit.check(tx)


@pytest.mark.parametrize(("frontier", "root"), [(bytes(32), None), (bytes(31), bytes(32)), (b"", bytes(32))])
def test_a_head_that_does_not_add_up_is_refused(tx, now, frontier, root):
    root = ledger.head(tx).root if root is None else root
    tx.execute(insert(ledger_batch).values(log_id=0, size=2, frontier=frontier, root=root, ts=now))
    with pytest.raises(LedgerBroken):
        ledger.head(tx)


@pytest.mark.parametrize(
    ("type_", "body", "private"),
    [
        ("access.peeked", {}, {}),
        ("access.released", {"name": "Maria"}, {}),
        ("access.released", {}, {"birth_date": "1990-01-01"}),
        ("access.released", {"items": {"identity.given_name": "Maria"}}, {}),
        ("access.released", {"items": {"Maria Lind": "provided"}}, {}),
        ("access.previewed", {}, {"items": {"address.municipality": "0180"}}),
    ],
)
def test_an_entry_has_no_room_for_a_value(type_, body, private):
    with pytest.raises(EntryInvalid):
        ledger_entry.Entry("id", type_, MARIA, body=body, private=private)


@pytest.mark.parametrize("ts", [0, 999, 1_000_000, 1_795_294_800_123_999, 253_402_300_799_999_000])
def test_instants_are_milliseconds_and_read_back(ts):
    written = ledger_entry.instant(ts)
    assert len(written) == 24
    assert ledger_entry.microseconds(written) == ts // 1000 * 1000


def test_permission_events_carry_what_their_projection_needs():
    entry = ledger_entry.permission_given(
        MARIA,
        entry_id="e",
        party="norr-childcare",
        purpose="norr.childcare-allowance@3",
        permission="p",
        kind="ongoing",
        mode="consent",
        granted=["address.registered"],
        decisions={"address.registered": "given", "contact.email": "refused"},
        lookup=b"l" * 32,
        notice=b"n" * 32,
        language="en",
        valid_to=1_795_294_800_123_456,
        acr="urn:semel:acr:substantial",
    )
    sealed = commitment.seal(entry, 0, ORIGIN, 0)
    assert b"refused" not in sealed.body
    assert canonical.loads(sealed.body)["valid_to"] == "2026-11-21T21:00:00.123Z"
    assert canonical.loads(sealed.private)["items"]["contact.email"] == "refused"
    stopped = ledger_entry.permission_withdrawn(
        MARIA, entry_id="e", party="a", purpose="u@1", permission="p", ask_erasure=True
    )
    assert stopped.body == {"erasure": "asked"}
