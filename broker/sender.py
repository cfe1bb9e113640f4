"""Where a request comes from: the network, as people are told of it, and the code by which attempts from it are counted.

A forwarded header counts only from a trusted proxy; the address itself is never kept for counting.
"""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

from starlette.requests import Request

from broker import needs


def network(request: Request) -> str:
    """Give the caller's address; of IPv6 the network of 64 bits: one household has as many addresses in it as it likes."""
    direct = request.client.host if request.client else ""
    if direct in needs.parts(request).trusted_proxies:
        # the last line's last word is the proxy's own; what precedes came from outside
        direct = ",".join(request.headers.getlist("x-forwarded-for")).rpartition(",")[2].strip() or direct
    try:
        address = ip_address(direct)
    except ValueError:
        return direct
    if isinstance(address, IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((int(address), 64), strict=False))


def code(request: Request) -> bytes:
    """Give what `throttle.allow` counts this network's attempts under: 32 bytes, keyed with a secret of this server."""
    return needs.parts(request).roots.ring("pepper").mac(b"semel/address/v1\x00" + network(request).encode())
