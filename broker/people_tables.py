"""The tables of how a person comes to what they sign in with; a part of `broker.tables`, whose rules hold here too."""

from sqlalchemy import Column, LargeBinary, Table, Text

from broker.waiting_tables import metadata
from keys.tables import Integer64

activation = Table(
    "activation",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("person_id", Text, nullable=False, index=True),
    Column("purpose", Text, nullable=False),  # account, password, second_factor
    Column("expires", Integer64, nullable=False),
    Column("spent", Integer64),
    sqlite_strict=True,
)
