"""The authorization response: back to the client with `iss`, in the query (RFC 6749 §4.1.2, RFC 9207 §2)."""

from urllib.parse import quote

from broker.authorization.request import AuthorizationRequest


def success(request: AuthorizationRequest, *, issuer: str, code: str) -> str:
    """Return where to send the browser with a code. Only a checked request has an address to send anybody to."""
    return _location(request, code=code, iss=issuer, state=request.state)


def error(request: AuthorizationRequest, *, issuer: str, code: str, description: str = "") -> str:
    """Return where to send the browser with an error code of RFC 6749 §4.1.2.1 or OpenID Connect Core §3.1.2.6."""
    return _location(request, error=code, error_description=description, iss=issuer, state=request.state)


def _location(request: AuthorizationRequest, **members: str | None) -> str:
    """Append to the address, keeping a query it has; the client's `state` goes back exactly as it came."""
    address = request.redirect_uri
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in members.items() if value)
    if "?" not in address:
        return f"{address}?{query}"
    return address + ("" if address.endswith(("?", "&")) else "&") + query
