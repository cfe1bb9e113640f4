"""Clients that registered themselves, and the tokens that let them: rows beside the operator's files (RFC 7591 §3, RFC 7592)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update

from broker.clients.metadata import ClientMetadata
from broker.database import Tx
from broker.tables import initial_access, registered_client
from keys import canonical, opaque

ID = re.compile(r"c-[0-9a-f]{32}", re.ASCII)  # as `registration.new_id` makes them


@dataclass(frozen=True)
class Stored:
    """A registered client as it is stored; `version` grows with every change, `created` is in microseconds."""

    client_id: str
    registered: str
    version: int
    created: int

    def client(self) -> ClientMetadata:
        """Return the client; raises `ValueError` for a row that this version of the program does not accept."""
        members: Mapping[str, Any] = canonical.loads(self.registered)
        return ClientMetadata.model_validate(members)


def find(tx: Tx, client_id: str) -> Stored | None:
    """Return a client that registered itself."""
    table = registered_client.c
    columns = table.client_id, table.registered, table.version, table.created
    row = tx.execute(select(*columns).where(table.client_id == client_id)).first()
    return None if row is None else Stored(*row)


def every(tx: Tx) -> tuple[Stored, ...]:
    """Return all clients that registered themselves, by id."""
    table = registered_client.c
    columns = table.client_id, table.registered, table.version, table.created
    return tuple(Stored(*row) for row in tx.execute(select(*columns).order_by(table.client_id)))


def by_token(tx: Tx, client_id: str, token: str) -> Stored | None:
    """Return the client whose registration access token this is; None tells an unknown client and a wrong token alike."""
    table = registered_client.c
    mine = table.client_id == client_id, table.token_hash == opaque.digest(token)
    return find(tx, client_id) if tx.execute(select(table.version).where(*mine)).first() is not None else None


def add(tx: Tx, client: ClientMetadata, token: str, now: int) -> None:
    """Store a new client and what is kept of its registration access token."""
    tx.execute(
        insert(registered_client).values(
            client_id=client.client_id,
            registered=_text(client),
            version=1,
            token_hash=opaque.digest(token),
            created=now,
        )
    )


def replace(tx: Tx, client: ClientMetadata, version: int) -> bool:
    """Store a client anew; False when it changed since `version` was read, or is gone."""
    table = registered_client.c
    change = update(registered_client).where(table.client_id == client.client_id, table.version == version)
    return tx.execute(change.values(registered=_text(client), version=version + 1)).rowcount == 1


def remove(tx: Tx, client_id: str, token: str) -> bool:
    """Delete a client by its own token; False when there is none."""
    table = registered_client.c
    mine = table.client_id == client_id, table.token_hash == opaque.digest(token)
    return tx.execute(delete(registered_client).where(*mine)).rowcount == 1


def disable(tx: Tx, client_id: str, *, disabled: bool) -> bool:
    """Stop a client, or let it act again, whatever it registers meanwhile; False when there is none."""
    stored = find(tx, client_id)
    if stored is None:
        return False
    return replace(tx, stored.client().model_copy(update={"disabled": disabled}), stored.version)


def issue(tx: Tx, *, profile: str, uses: int, expires: int) -> str:
    """Make an initial access token for so many registrations under a profile; `expires` in microseconds."""
    token = opaque.token()
    tx.execute(
        insert(initial_access).values(token_hash=opaque.digest(token), profile=profile, uses_left=uses, expires=expires)
    )
    return token


def profile_of(tx: Tx, token: str, now: int) -> str | None:
    """Return the profile that an initial access token registers under; None when it is unknown, old or used up."""
    table = initial_access.c
    good = table.token_hash == opaque.digest(token), table.uses_left > 0, table.expires > now
    return tx.execute(select(table.profile).where(*good)).scalar_one_or_none()


def spend(tx: Tx, token: str, now: int) -> bool:
    """Use an initial access token once, in one statement; False when nothing of it is left."""
    table = initial_access.c
    good = table.token_hash == opaque.digest(token), table.uses_left > 0, table.expires > now
    spent = update(initial_access).where(*good).values(uses_left=table.uses_left - 1).returning(table.uses_left)
    return tx.execute(spent).first() is not None


def _text(client: ClientMetadata) -> str:
    """The client as it is read back: registered names only, wordings in their tagged form."""
    members = client.model_dump(mode="json", exclude_none=True, exclude={"wordings"})
    return canonical.dumps({**members, **client.wordings}).decode()
