"""The schema history gives exactly the tables that the program declares, on either kind of database."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from broker import tables as broker_tables
from broker.database import Database
from broker.migrations import history
from consent import tables as consent_tables
from keys import tables as keys_tables
from wallet import tables as wallet_tables

METADATAS = [keys_tables.metadata, consent_tables.metadata, wallet_tables.metadata, broker_tables.metadata]
TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
}


def test_the_history_ends_in_the_declared_tables(database_url: str) -> None:
    database = Database.open(database_url)
    with database.write() as tx:
        assert history.current(tx) is None
        history.upgrade(tx)
    with database.write() as tx:
        assert history.current(tx) == history.newest()
        context = MigrationContext.configure(tx, opts={"compare_type": False})
        assert compare_metadata(context, METADATAS) == []  # type: ignore[arg-type]  # alembic takes a list of metadatas
    database.close()


def test_the_history_guards_the_ledger_as_the_metadata_does(database_url: str, database: Database) -> None:
    with database.read() as tx:
        declared = set(tx.execute(text(TRIGGERS[database.dialect])).scalars())
    with database.write() as tx:
        for metadata in METADATAS:
            metadata.drop_all(tx)
        tx.execute(text("DROP FUNCTION IF EXISTS semel_append_only")) if database.dialect == "postgresql" else None
        history.upgrade(tx)
    with database.read() as tx:
        assert set(tx.execute(text(TRIGGERS[database.dialect])).scalars()) == declared != set()
