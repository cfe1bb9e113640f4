"""What the product has inside, read with its own keys: for what a story must not leave behind, or must."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from broker import tables
from broker.database import Database, Tx
from broker.people import activity, people
from consent import history, ledger, permission
from consent.history import Event
from consent.permission import Permission
from keys.keyring import RootKeyring
from keys.vault import Vault
from tests.actors import Citizen


@dataclass
class Inside:
    """One installation. Whatever is read is as fresh as the question."""

    data: Path
    database_url: str

    @contextmanager
    def reading(self) -> Iterator[Tx]:
        """A transaction that only reads, beside the running server."""
        database = Database.open(self.database_url)
        try:
            with database.read() as tx:
                yield tx
        finally:
            database.close()

    @cached_property
    def everyone(self) -> dict[str, Any]:
        """What the declarations say about each persona: account and registers."""
        declared = tomllib.loads((self.data / "config" / "personas.toml").read_text("utf-8"))["personas"]
        return {one["id"]: one for one in declared}

    @property
    def vault(self) -> Vault:
        """The person keys."""
        return Vault(self.data / "person-keys")

    def declared(self, citizen: Citizen) -> dict[str, Any]:
        """What the declarations say about a person."""
        return dict(self.everyone[citizen.person["id"]])

    def person_id(self, tx: Tx, citizen: Citizen) -> str:
        """A person's id."""
        roots = RootKeyring.parse((self.data / "key-encryption-key").read_text())
        person = people.by_username(tx, roots, citizen.person["username"])
        assert person is not None
        return person.person_id

    def events(self, citizen: Citizen) -> list[Event]:
        """A person's own line in the ledger, newest first."""
        with self.reading() as tx:
            line = people.ledger_stream(tx, self.vault, self.person_id(tx, citizen))
            return history.read(tx, line, limit=10_000)

    def permission(self, citizen: Citizen, permission_id: str) -> Permission:
        """A permission as it is stored; it must be this person's."""
        with self.reading() as tx:
            line = people.ledger_stream(tx, self.vault, self.person_id(tx, citizen))
            found = permission.get(tx, permission_id)
        assert found is not None
        assert found.lookup == permission.lookup(line.key, found.client, found.use_id), "another person's"
        return found

    def activity(self, citizen: Citizen) -> list[dict[str, Any]]:
        """What a person did that is no entry of the ledger, newest first."""
        with self.reading() as tx:
            return activity.read(tx, self.vault, self.person_id(tx, citizen))

    def rows(self, table: str) -> int:
        """How many rows one of the broker's tables has."""
        with self.reading() as tx:
            return int(tx.execute(select(func.count()).select_from(tables.metadata.tables[table])).scalar_one())

    def size(self) -> int:
        """How many entries the ledger has."""
        with self.reading() as tx:
            return ledger.head(tx).size
