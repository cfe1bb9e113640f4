"""Parameters that are lists of words with a space between (RFC 6749 §3.3); as long as a request may be."""

import re
from collections.abc import Iterable

from broker.authorization.request import Unchecked
from broker.clients.metadata import ClientMetadata
from broker.errors import Wire

OFFLINE = "offline_access"
SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+", re.ASCII)


def read(asked: Unchecked, name: str, form: re.Pattern[str] | None) -> tuple[str, ...]:
    """Split a space-separated list, each word once, in order; refuse what is badly formed."""
    text = asked.parameters.get(name, "")
    words = tuple(dict.fromkeys(text.split(" "))) if text else ()
    if form is not None and any(not form.fullmatch(word) for word in words):
        raise Wire("invalid_scope" if name == "scope" else "invalid_request", f"{name} is malformed")
    return words


def offline(client: ClientMetadata, scope: Iterable[str]) -> tuple[str, ...]:
    """Give `offline_access` where it is asked for and the client may refresh (OpenID Connect Core §11)."""
    return (OFFLINE,) if OFFLINE in scope and client.may_use("refresh_token") else ()
