"""The tables of what a person decides elsewhere; a part of `broker.tables`, whose rules hold here too (RFC 8628, CIBA Core)."""

from sqlalchemy import Column, LargeBinary, MetaData, Table, Text

from keys.tables import Integer64

metadata = MetaData()

waiting_request = Table(
    "waiting_request",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True),
    Column("tx", Text, nullable=False, unique=True),
    Column("public", LargeBinary, nullable=False),
    Column("user_code", LargeBinary, unique=True),
    Column("client_id", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("box", LargeBinary, nullable=False),  # who is asked, whence, and whom to tell
    Column("state", Text, nullable=False),  # pending, approved, refused
    Column("browser", LargeBinary),
    Column("interval", Integer64, nullable=False),  # seconds between two questions of its client
    Column("due", Integer64, nullable=False),
    Column("asked", Integer64, nullable=False),
    Column("expires", Integer64, nullable=False),
    sqlite_strict=True,
)

waiting_person = Table(
    "waiting_person",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", LargeBinary, nullable=False, index=True),
    Column("box", LargeBinary, nullable=False),
    Column("expires", Integer64, nullable=False),
    sqlite_strict=True,
)

known_subject = Table(
    "known_subject",
    metadata,
    Column("sub_hash", LargeBinary, primary_key=True),
    Column("box", LargeBinary, nullable=False),
    Column("expires", Integer64, nullable=False),
    sqlite_strict=True,
)
