"""Which server a token is for (RFC 8707 §2): this one, or one of those the client was registered to call.

A token that opens personal data is for this server and for no other; what is for another server opens nothing here.
"""

from collections.abc import Sequence

from broker.clients.metadata import ClientMetadata
from broker.errors import Wire

UNKNOWN = "the resource is not one this client may ask tokens for"


def asked(client: ClientMetadata, issuer: str, named: Sequence[str]) -> tuple[str, ...]:
    """Return the resources that a request names, each once, in order; raise `Wire` `invalid_target` for any other.

    They are compared character for character, so what is relative, has a fragment or is written otherwise is unknown.
    """
    known = {issuer, *client.calls}
    if any(resource not in known for resource in named):
        raise Wire("invalid_target", UNKNOWN)
    return tuple(dict.fromkeys(named))


def audience(client: ClientMetadata, issuer: str, named: Sequence[str], granted: Sequence[str]) -> str:
    """Choose the one audience of a token from what the token request names and what was granted.

    Nothing granted means this server. A token has one audience: `invalid_target` for two, for one that was not granted,
    and where none is named and several were granted without this server.
    """
    wanted, allowed = asked(client, issuer, named), tuple(granted) or (issuer,)
    if len(wanted) > 1:
        raise Wire("invalid_target", "a token is for one resource; ask for each by itself")
    if not wanted:
        wanted = (issuer,) if issuer in allowed else allowed
        if len(wanted) > 1:
            raise Wire("invalid_target", "name the resource the token is for")
    if wanted[0] not in allowed:
        raise Wire("invalid_target", "the resource was not granted")
    return wanted[0]
