"""Which addresses a client may register: plain, absolute, nothing two readers take differently (RFC 3986, RFC 9700 §4.1)."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

MAX_LENGTH = 2000
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.ASCII)
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.ASCII)


def parse(address: str) -> SplitResult:
    """Return the parts of an address that is safe to send people or requests to; raise `ValueError` saying what is wrong.

    Refused: other schemes than https (http only on this machine), user names, fragments, control and non-ASCII characters,
    backslashes, dot segments also when encoded, matrix parameters on dots, and ports that are the scheme's own.
    """
    if len(address) > MAX_LENGTH or not _PLAIN.fullmatch(address):
        raise ValueError("an address is plain ASCII without spaces or backslashes")
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme not in {"https", "http"} or not address.startswith(f"{parts.scheme}://{parts.netloc}"):
        raise ValueError("an address begins with https://")
    if "#" in address or "@" in parts.netloc:
        raise ValueError("an address has neither a fragment nor a user name")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("http is for addresses of this machine only")
    if not _HOST.fullmatch(host) and not _is_ip(host):
        raise ValueError("the host is not a host name in lower case")
    if parts.netloc not in _spellings(host, parts.port, parts.scheme):
        raise ValueError("the host and port are not written plainly")
    if any(segment.lower().replace("%2e", ".").split(";")[0] in {".", ".."} for segment in parts.path.split("/")):
        raise ValueError("the path has dot segments")
    if "//" in parts.path:
        raise ValueError("the path has an empty segment")
    return parts


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine (RFC 8252 §7.3, §8.3)."""
    return host == "localhost" or (_is_ip(host) and ip_address(host).is_loopback)


def origin(address: str) -> str:
    """Return scheme, host and port of a registered address (RFC 6454 §6.2)."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def policy_source(address: str) -> str:
    """Return how a Content-Security-Policy names where a registered address lives (CSP level 3 §2.3.1 `scheme-source`, `host-source`).

    Its origin; the scheme alone where the grammar has no host to name: an app's own scheme and `[::1]` (RFC 8252 §7.1, §7.3).
    """
    parts = urlsplit(address)
    plain = parts.scheme == "https" or (parts.scheme == "http" and not parts.netloc.startswith("["))
    return origin(address) if plain else f"{parts.scheme}:"


def _spellings(host: str, port: int | None, scheme: str) -> set[str]:
    name = f"[{host}]" if ":" in host else host
    default = {"https": 443, "http": 80}[scheme]
    return {name} if port is None else ({f"{name}:{port}"} if port != default else set())


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
