"""Which addresses a client may register: plain, absolute, nothing two readers take differently (RFC 3986, RFC 9700 §4.1)."""

import re
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from urllib.parse import SplitResult, quote, unquote_plus, urlsplit

MAX_LENGTH = 2000
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.ASCII)
#: What answers of ours add to an address: RFC 6749 §4.1.2, RFC 9207 §2, JARM §2.3.1, Session Management 1.0 §2,
#: RP-Initiated Logout 1.0 §3, Front-Channel Logout 1.0 §2. Nobody registers one, and none is ever there twice.
ADDED = frozenset(
    {"code", "state", "iss", "error", "error_description", "error_uri", "response", "session_state", "sid"}
)
_SEPARATORS = re.compile("[&;]")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+", re.ASCII)
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
    if _NUMBER.fullmatch(host.rpartition(".")[2]) and not _is_ip(host):
        raise ValueError("the host is a number in disguise")  # 2130706433, 0x7f.1: browsers take it for an address
    if parts.netloc not in _spellings(host, parts.port, parts.scheme):
        raise ValueError("the host and port are not written plainly")
    if any(segment.lower().replace("%2e", ".").split(";")[0] in {".", ".."} for segment in parts.path.split("/")):
        raise ValueError("the path has dot segments")
    if "//" in parts.path:
        raise ValueError("the path has an empty segment")
    return parts


def parse_return(address: str) -> SplitResult:
    """Return the parts of an address that browsers are sent back to; raise `ValueError` as `parse` does.

    Refused too: a query that holds what an answer adds, and a host that no content security policy can name (CSP level 3 §2.3.1).
    """
    parts = parse(address)
    if any(_named(pair) in ADDED for pair in _SEPARATORS.split(parts.query)):
        raise ValueError("the query holds a parameter that an answer adds: " + " ".join(sorted(ADDED)))
    if ":" in (parts.hostname or "") and not is_loopback(parts.hostname or ""):
        raise ValueError("browsers are sent back to a host name, not to an address of the sixth version")
    return parts


def append(address: str, members: Mapping[str, str]) -> str:
    """Return a registered address with members added to its query, which stays as it is (RFC 6749 §3.1.2).

    The values go exactly as they are, percent-encoded. One of these names that the address has already is replaced, so that none is doubled.
    """
    start, mark, query = address.partition("?")
    kept = [pair for pair in query.split("&") if pair and _named(pair) not in members]
    added = [f"{name}={quote(value, safe='')}" for name, value in members.items()]
    return start + ("?" if mark or added else "") + "&".join([*kept, *added])


def _named(pair: str) -> str:
    """The name in `name=value` as a reader takes it, also one that makes lists of `name[]`."""
    return unquote_plus(pair.partition("=")[0]).strip().partition("[")[0]


def is_own(address: str, own: Collection[str]) -> bool:
    """Say whether an address is at one of these origins; all names of this machine are one."""
    return _place(address) in {_place(one) for one in own}


def _place(address: str) -> tuple[str, str, int | None]:
    parts = urlsplit(address)
    host = parts.hostname or ""
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, "localhost" if is_loopback(host) else host, port


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
    """Whether a host is an address as it is written: no zone (RFC 6874), nothing left out or put in."""
    try:
        return str(ip_address(host)) == host and "%" not in host
    except ValueError:
        return False
