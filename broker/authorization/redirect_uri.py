"""The redirect URI: one of those registered, character for character (RFC 9700 §2.1, RFC 6749 §3.1.2, RFC 8252 §7.3)."""

from urllib.parse import urlsplit

from broker.clients import web_address
from broker.clients.metadata import ClientMetadata

_ANY_PORT = {"127.0.0.1", "::1"}


def check(client: ClientMetadata, redirect_uri: str | None) -> str:
    """Return the redirect URI when the client registered it; `ValueError` otherwise, also when it is left out.

    Only a native client's address on this machine may differ, and only in its port. Nothing that failed here may ever be
    redirected to.
    """
    if redirect_uri is None:
        raise ValueError("redirect_uri is required")
    if redirect_uri in client.redirect_uris:
        return redirect_uri
    if client.application_type == "native" and _matches_but_for_port(redirect_uri, client.redirect_uris):
        return redirect_uri
    raise ValueError("redirect_uri is not registered for this client")


def _matches_but_for_port(asked: str, registered: tuple[str, ...]) -> bool:
    try:
        parts = web_address.parse(asked)
    except ValueError:
        return False
    if parts.scheme != "http" or parts.hostname not in _ANY_PORT:
        return False
    return any(_without_port(asked) == _without_port(uri) for uri in registered)


def _without_port(uri: str) -> str:
    parts = urlsplit(uri)
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return parts._replace(netloc=name).geturl()
