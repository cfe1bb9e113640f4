"""Tables of the key store: sealed signing keys by stage, wrapped person roots and ledger keys (no plaintext key)."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

#: Numbers, booleans (0/1) and times: 64 bits on both databases.
Integer64 = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

signing_key = Table(
    "signing_key",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("alg", Text, nullable=False),
    Column("purpose", Text, nullable=False),  # token, ledger, credential
    Column("stage", Text, nullable=False),  # upcoming, signing, retiring
    Column("public_jwk", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created", Integer64, nullable=False),  # microseconds
    Column("staged", Integer64, nullable=False),  # microseconds, when the stage began
    Index("signing_key_purpose", "purpose", "stage"),
    sqlite_strict=True,
)

person_root = Table(
    "person_root",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("kek", Text, nullable=False),  # name of the month's file that wraps it
    Column("wrapped", LargeBinary, nullable=False),
    sqlite_strict=True,
)

ledger_key = Table(
    "ledger_key",
    metadata,
    Column("stream_id", Text, primary_key=True),
    Column("generation", Integer64, primary_key=True, autoincrement=False),
    Column("kek", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    sqlite_strict=True,
)
