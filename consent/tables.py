"""Tables of permissions and the ledger: leaves and batches only grow, events can be deleted (erasure)."""

from sqlalchemy import DDL, Column, Index, LargeBinary, MetaData, Table, Text, event

from keys.tables import Integer64

metadata = MetaData()

# One row a batch, never updated: the newest is the head. `frontier` is the Merkle right edge (`merkle.Frontier`).
ledger_batch = Table(
    "ledger_batch",
    metadata,
    Column("log_id", Integer64, primary_key=True, autoincrement=False),
    Column("size", Integer64, primary_key=True, autoincrement=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("ts", Integer64, nullable=False),  # microseconds
    sqlite_strict=True,
)

# `leaf` is the published entry itself: 65 bytes of pseudonym and commitment, or a system record.
ledger_leaf = Table(
    "ledger_leaf",
    metadata,
    Column("log_id", Integer64, primary_key=True, autoincrement=False),
    Column("seq", Integer64, primary_key=True, autoincrement=False),
    Column("kind", Integer64, nullable=False),  # 1 an event of a stream, 2 a system record
    Column("leaf", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    sqlite_strict=True,
)

ledger_tag = Table(
    "ledger_tag",
    metadata,
    Column("tag", LargeBinary, primary_key=True),
    Column("log_id", Integer64, nullable=False),
    Column("seq", Integer64, nullable=False),
    sqlite_strict=True,
)

# What a leaf commits to, encrypted, with the columns an auditor may query; no subject column, on purpose.
ledger_event = Table(
    "ledger_event",
    metadata,
    Column("log_id", Integer64, primary_key=True, autoincrement=False),
    Column("seq", Integer64, primary_key=True, autoincrement=False),
    Column("ts", Integer64, nullable=False),  # microseconds
    Column("type", Text, nullable=False),
    Column("party", Text),
    Column("purpose", Text),
    Column("permission", Text),
    Column("outcome", Text, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ct", LargeBinary, nullable=False),
    Index("ledger_event_permission", "permission"),
    sqlite_strict=True,
)

# Requests that may come twice: the key's first answer, and the digest of what was asked. Swept after `expires`.
ledger_once = Table(
    "ledger_once",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("seq", Integer64, nullable=False),
    Column("expires", Integer64, nullable=False),  # microseconds
    Index("ledger_once_expires", "expires"),
    sqlite_strict=True,
)

# The next counter value of each stream; the stream's keys are rows of the key store.
stream = Table(
    "stream",
    metadata,
    Column("stream_id", Text, primary_key=True),
    Column("generation", Integer64, primary_key=True, autoincrement=False),
    Column("log_id", Integer64, primary_key=True, autoincrement=False),
    Column("next_n", Integer64, nullable=False),
    sqlite_strict=True,
)

# Root of every completed tile, so that any tile above level 0 is 256 rows of the level below.
ledger_tile = Table(
    "ledger_tile",
    metadata,
    Column("log_id", Integer64, primary_key=True, autoincrement=False),
    Column("level", Integer64, primary_key=True, autoincrement=False),
    Column("idx", Integer64, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    sqlite_strict=True,
)

# What was signed. Written by the publisher alone.
ledger_checkpoint = Table(
    "ledger_checkpoint",
    metadata,
    Column("log_id", Integer64, primary_key=True, autoincrement=False),
    Column("size", Integer64, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("signed_at", Integer64, nullable=False),  # microseconds
    Column("cosigned_at", Integer64),  # microseconds; when enough witnesses had signed too
    sqlite_strict=True,
)

# A projection of the ledger: `permission.apply` is its only writer, and a replay gives the same rows.
permission = Table(
    "permission",
    metadata,
    Column("permission_id", Text, primary_key=True),
    Column("lookup", LargeBinary, nullable=False),
    Column("client", Text, nullable=False),
    Column("use_id", Text, nullable=False),
    Column("use_version", Integer64, nullable=False),
    Column("mode", Text, nullable=False),
    Column("items", Text, nullable=False),  # canonical JSON: the granted attribute ids
    Column("notice_digest", LargeBinary, nullable=False),
    Column("valid_from", Integer64, nullable=False),  # microseconds
    Column("valid_to", Integer64),  # microseconds
    Column("state", Text, nullable=False),  # live, withdrawn, ended_by_controller, expired, superseded, exhausted
    Column("kind", Text, nullable=False),  # once, ongoing
    Column("uses", Integer64, nullable=False),
    Column("max_uses", Integer64),
    Column("given_seq", Integer64, nullable=False),
    Column("ended_seq", Integer64),
    Column("ended_at", Integer64),  # microseconds
    Index("permission_lookup", "lookup"),
    sqlite_strict=True,
)

# What people read before they decided, by its digest: what a permission's `notice_digest` stands for.
notice = Table(
    "notice",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("body", Text, nullable=False),  # canonical JSON
    sqlite_strict=True,
)


def _ddl(text: str) -> DDL:
    return DDL(text)  # type: ignore[no-untyped-call]  # SQLAlchemy leaves DDL unannotated


_REFUSE_FUNCTION = _ddl("""
CREATE OR REPLACE FUNCTION semel_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '%% only grows', TG_TABLE_NAME; END $$
""")


def _only_grows(table: Table) -> None:
    """Let the database itself refuse an update or a delete of the table's rows, on either kind of database."""
    for change in ("UPDATE", "DELETE"):
        trigger = _ddl(
            f"CREATE TRIGGER {table.name}_no_{change.lower()} BEFORE {change} ON {table.name} "
            f"BEGIN SELECT RAISE(ABORT, '{table.name} only grows'); END"
        )
        event.listen(table, "after_create", trigger.execute_if(dialect="sqlite"))
    event.listen(table, "after_create", _REFUSE_FUNCTION.execute_if(dialect="postgresql"))
    refuse = _ddl(
        f"CREATE TRIGGER {table.name}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table.name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION semel_append_only()"
    )
    event.listen(table, "after_create", refuse.execute_if(dialect="postgresql"))


_only_grows(ledger_leaf)
_only_grows(ledger_batch)
