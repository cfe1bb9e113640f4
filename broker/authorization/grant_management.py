"""Grant management in an authorization request: make a grant, add to one, put another in its place (Grant Management §5.2, §5.4).

A grant is a permission under one use, and `grant_id` its id: it stays when the person decides anew. Of one person and use one
ongoing grant is live, so what `create` makes takes the place of the one before.
"""

import re
from collections.abc import Iterable

from broker.authorization.request import Unchecked
from broker.clients.metadata import ClientMetadata
from broker.database import Database, Tx
from broker.errors import Wire
from broker.parameters import Parameters
from consent import permission
from consent import request as data_request
from consent.decision import Action
from consent.intended_use import IntendedUse
from consent.permission import Permission
from consent.request import DataRequest

ACTIONS: tuple[Action, ...] = ("create", "merge", "replace")
QUERY, REVOKE = "grant_management_query", "grant_management_revoke"  # §6.1
SCOPES = frozenset({QUERY, REVOKE})
ID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)

UNKNOWN = Wire("invalid_grant_id", "the grant is unknown, of another use, or has ended")


def words(client: ClientMetadata, scope: Iterable[str]) -> tuple[str, ...]:
    """Give the words of a scope that are for managing grants and that the client registered."""
    registered = SCOPES & frozenset(client.scope.split())
    return tuple(word for word in scope if word in registered)


def find(tx: Tx, grant_id: str) -> Permission | None:
    """Find a grant, whoever's it is and in whatever state; None for what is no id at all."""
    return permission.get(tx, grant_id) if ID.fullmatch(grant_id) else None


def named(database: Database, given: Parameters) -> Permission | None:
    """Find the grant that a request names, before it is checked; None when it names none."""
    if "grant_id" not in given:
        return None
    with database.read() as tx:
        return find(tx, given["grant_id"])


def read(asked: Unchecked) -> tuple[Action | None, str | None]:
    """Return what is to be done with which grant; both None for a request that says nothing of it.

    Raises `Wire`: `invalid_request` for what does not go together (§5.4), `unauthorized_client` for a client that cannot
    authenticate (§5.1), `invalid_grant_id` for a grant that is not this client's or not live.
    """
    action, grant_id = asked.parameters.get("grant_management_action"), asked.parameters.get("grant_id")
    if action is None:
        if grant_id is not None:
            raise Wire("invalid_request", "grant_id needs a grant_management_action")
        return None, None
    if action not in ACTIONS:
        raise Wire("invalid_request", "grant_management_action must be one of " + " ".join(ACTIONS))
    if not asked.client.authenticates:
        raise Wire("unauthorized_client", "grants are managed by clients that authenticate")
    if (action == "create") is not (grant_id is None):
        raise Wire("invalid_request", "grant_id goes with merge and replace, and they need it")
    grant = asked.grant
    if grant_id is not None and (
        grant is None or grant.client != asked.client.client_id or grant.standing(asked.now) != "live"
    ):
        raise UNKNOWN
    return action, grant_id


def widened(asked: Unchecked, data: DataRequest, use: IntendedUse) -> DataRequest:
    """Return what the person will be asked: with `merge` also what the grant holds already; raises `UNKNOWN` for another use's."""
    if asked.grant is None or asked.grant.client != asked.client.client_id:
        return data
    if asked.grant.use_id != data.use_id:
        raise UNKNOWN
    if asked.parameters.get("grant_management_action") != "merge":
        return data
    return data_request.merged(data, use, asked.grant.items, ongoing=asked.grant.kind == "ongoing")
