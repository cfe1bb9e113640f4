"""The list behind a sector identifier: whoever shares subject identifiers is named in it by its owner (OpenID Connect Core §8.1, Registration §5)."""

from __future__ import annotations

from broker.clients.metadata import ClientMetadata
from broker.egress import Egress, EgressRefused
from broker.errors import Wire
from keys import canonical
from keys import errors as keys_errors

MAX_BYTES = 64 * 1024
TIMEOUT = 5.0  # seconds
CODE = "invalid_client_metadata"


async def check(client: ClientMetadata, egress: Egress) -> None:
    """Return when the client names no list, or its list holds every redirect URI of the client.

    Raises `Wire` `invalid_client_metadata`; why the address could not be read is not told, nor anything of what is there.
    """
    if client.sector_identifier_uri is None:
        return
    try:
        reply = await egress.request(
            "GET",
            client.sector_identifier_uri,
            max_bytes=MAX_BYTES,
            timeout=TIMEOUT,
            media_types=("application/json",),
        )
        listed = canonical.loads(reply.content) if reply.status == 200 else None
    except (EgressRefused, keys_errors.Malformed) as problem:
        raise Wire(CODE, "sector_identifier_uri cannot be read") from problem
    if not isinstance(listed, list):
        raise Wire(CODE, "sector_identifier_uri cannot be read")
    if not all(uri in listed for uri in client.redirect_uris):
        raise Wire(CODE, "sector_identifier_uri does not list every one of redirect_uris")
