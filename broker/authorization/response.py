"""The authorization response: back to the client with `iss`, in the query (RFC 6749 §4.1.2, RFC 9207 §2)."""

from urllib.parse import quote


def success(redirect_uri: str, code: str, *, state: str | None, issuer: str) -> str:
    """Return where to send the browser with a code. The address is that of a checked request, never one as sent."""
    return _location(redirect_uri, code=code, iss=issuer, state=state)


def error(redirect_uri: str, code: str, *, state: str | None, issuer: str, description: str = "") -> str:
    """Return where to send the browser with an error code of RFC 6749 §4.1.2.1 or OpenID Connect Core §3.1.2.6."""
    return _location(redirect_uri, error=code, error_description=description, iss=issuer, state=state)


def _location(redirect_uri: str, **members: str | None) -> str:
    """Append to the address, keeping a query it has; the client's `state` goes back exactly as it came."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in members.items() if value)
    if "?" not in redirect_uri:
        return f"{redirect_uri}?{query}"
    return redirect_uri + ("" if redirect_uri.endswith(("?", "&")) else "&") + query
