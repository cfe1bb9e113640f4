"""Where a request comes from: the network, as people are told of it, and the code by which attempts from it are counted.

A forwarded header counts only from a trusted proxy; the address itself is never kept for counting.
"""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

from starlette.requests import Request

from broker import needs

WIDER = (56, 48)  # bits: what one subscriber, and what one small network is given (RFC 6177 §2)


def network(request: Request) -> str:
    """Give the caller's address; of IPv6 the network of 64 bits: one household has as many addresses in it as it likes."""
    return _networks(request)[0]


def codes(request: Request) -> tuple[bytes, ...]:
    """Give what `throttle.allow_network` counts this caller's attempts under, the narrowest network first.

    Each is 32 bytes, keyed with a secret of this server. Of IPv6 they are the networks of 64, 56 and 48 bits: whoever is given the
    wider one has hundreds of the narrower.
    """
    ring = needs.parts(request).roots.ring("pepper")
    return tuple(ring.mac(b"semel/address/v1\x00" + name.encode()) for name in _networks(request))


def _networks(request: Request) -> tuple[str, ...]:
    direct = request.client.host if request.client else ""
    if direct in needs.parts(request).trusted_proxies:
        # the last line's last word is the proxy's own; what precedes came from outside
        direct = ",".join(request.headers.getlist("x-forwarded-for")).rpartition(",")[2].strip() or direct
    try:
        address = ip_address(direct)
    except ValueError:
        return (direct,)
    if isinstance(address, IPv4Address):
        return (str(address),)
    if address.ipv4_mapped is not None:
        return (str(address.ipv4_mapped),)
    return tuple(str(ip_network((int(address), bits), strict=False)) for bits in (64, *WIDER))
