"""The list behind a sector identifier: whoever shares subject identifiers is named in it by its owner (OpenID Connect Core §8.1, Registration §5, CIBA Core §4).

Two clients of one sector know a person by one name. So a list joins them only when it names both, or the operator's files do; and
a client that people are known to stays in its sector.
"""

from __future__ import annotations

from collections.abc import Iterable

from broker.clients.metadata import ClientMetadata
from broker.egress import Egress, EgressRefused
from broker.errors import Wire
from keys import canonical
from keys import errors as keys_errors

MAX_BYTES = 64 * 1024
TIMEOUT = 5.0  # seconds
CODE = "invalid_client_metadata"


async def check(client: ClientMetadata, egress: Egress, others: Iterable[ClientMetadata] = ()) -> None:
    """Return when the client names no list, or its list holds every address of it and of each other client of the sector.

    `others` are all clients of this server. Raises `Wire` `invalid_client_metadata`; why the address could not be read is not
    told, nor anything of what is there; `temporarily_unavailable` (503) when too much is being fetched from there.
    """
    if client.sector_identifier_uri is None:
        return
    listed = await _read(client.sector_identifier_uri, egress)
    if not _is_proven(client):
        raise Wire(CODE, "sector_identifier_uri needs a jwks_uri, and authentication with its keys (CIBA Core 4)")
    own = addresses(client)
    if not own:
        raise Wire(CODE, "sector_identifier_uri needs an address of the client that its list can hold (CIBA Core 4)")
    if not own <= listed:
        raise Wire(CODE, "sector_identifier_uri does not list every one of redirect_uris, or not the jwks_uri")
    for other in others:
        joined = other.client_id != client.client_id and other.pairwise_sector == client.pairwise_sector
        if joined and not (_is_proven(other) and addresses(other) and addresses(other) <= listed):
            raise Wire(
                CODE, "sector_identifier_uri: another client of this sector is not in the list; ask the operator"
            )


def check_kept(client: ClientMetadata, before: ClientMetadata) -> None:
    """Raise `Wire` `invalid_client_metadata` for a change after which people would be known by another name."""
    if client.pairwise_sector != before.pairwise_sector:
        member = "subject_type" if client.subject_type != before.subject_type else "sector_identifier_uri"
        raise Wire(CODE, f"{member}: people are known to this client by names that would change; register a new client")


def addresses(client: ClientMetadata) -> frozenset[str]:
    """Return what a list must hold of a client: where it gets answers, and its keys where answers go to whoever has them."""
    keys = client.jwks_uri if client.fetches else None
    return frozenset(client.redirect_uris) | frozenset(() if keys is None else (keys,))


def _is_proven(client: ClientMetadata) -> bool:
    """Whether the addresses that stand in a list are the client's own: each gets the answers, or has the keys that fetch them."""
    return not client.fetches or client.keys_fetch


async def _read(address: str, egress: Egress) -> frozenset[str]:
    try:
        reply = await egress.request(
            "GET", address, max_bytes=MAX_BYTES, timeout=TIMEOUT, media_types=("application/json",)
        )
        listed = canonical.loads(reply.content) if reply.status == 200 else None
    except (EgressRefused, keys_errors.Malformed) as problem:
        if isinstance(problem, EgressRefused) and problem.reason == "busy":
            raise Wire("temporarily_unavailable", "try again", status=503, headers={"Retry-After": "5"}) from problem
        raise Wire(CODE, "sector_identifier_uri cannot be read") from problem
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise Wire(CODE, "sector_identifier_uri is not a list of addresses")
    return frozenset(listed)
