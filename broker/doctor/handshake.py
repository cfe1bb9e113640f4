"""TLS as an address speaks it: one good handshake, and one that must fail (RFC 9325 §4.2, FAPI 2.0 Security Profile §5.2)."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from pathlib import Path

from broker.doctor.facts import NOBODY, Handshake

SECONDS = 5.0
DAY = 86_400
#: Below TLS 1.3 a suite has forward secrecy and authenticated encryption; these are all the others.
WEAK = "ALL:!aNULL:!PSK:!SRP:!ECDHE+AESGCM:!DHE+AESGCM:!CHACHA20:@SECLEVEL=0"


async def look(host: str, port: int, ca_file: Path | None, now: float) -> Handshake:
    """Shake hands with a server; `now` in seconds. A wrong certificate is a problem, in OpenSSL's words."""
    try:
        good = ssl.create_default_context(cafile=ca_file)
        version, ends = await _shake(host, port, good)
    except ssl.SSLError as refused:
        return Handshake(problem=getattr(refused, "verify_message", "") or refused.reason or "no TLS there")
    except (OSError, TimeoutError):
        return Handshake(problem=NOBODY)
    try:
        weak: str | None = (await _shake(host, port, _weak()))[0]
    except (OSError, TimeoutError):
        weak = None
    return Handshake(version=version, days_left=(ends - now) / DAY, weak=weak)


def _weak() -> ssl.SSLContext:
    """Make a client that agrees to nothing but what must be refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(WEAK)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are what is looked for
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


async def _shake(host: str, port: int, context: ssl.SSLContext) -> tuple[str, float]:
    """Return what was agreed on and when the certificate ends, in seconds."""
    async with asyncio.timeout(SECONDS):
        _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    try:
        link: ssl.SSLObject = writer.get_extra_info("ssl_object")
        named = f"{link.version()} with {(link.cipher() or ('nothing',))[0]}"
        ends = (link.getpeercert() or {}).get("notAfter")
        return named, ssl.cert_time_to_seconds(ends) if isinstance(ends, str) else 0.0
    finally:
        writer.transport.abort()
