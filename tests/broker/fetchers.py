"""Everything that fetches from an address somebody else chose: one list, which an architecture test keeps complete.

Each row names the module and drives its real code with an address as if it had been registered; what comes back is the
reason why nothing was got, or `got`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from broker.authorization import request_object
from broker.clients import sector
from broker.clients.key_sets import KeySets, NoKeys
from broker.clients.logos import Logos
from broker.egress import Egress, EgressRefused
from broker.errors import Wire
from broker.evidence.connectors.rest import Declaration, RestSource
from broker.evidence.source import SourceUnavailable, Subject
from broker.notices.delivery import Courier
from broker.notices.kinds import KINDS
from broker.notices.outbox import Content

NOW = 1_795_302_000_000_000
GOT = "got"
LISTED = "https://rp.example/callback"
Fetch = Callable[[Egress, str], Awaitable[str]]


@dataclass(frozen=True)
class Fetcher:
    """One use of the way out: what it is called, the module it stands in, whether it reads what comes back."""

    name: str
    module: str
    fetch: Fetch
    reads: bool = True


def _why(problem: BaseException) -> str:
    """The guard's reason behind a module's own refusal; what it refuses by itself is `content`."""
    return problem.__cause__.reason if isinstance(problem.__cause__, EgressRefused) else "content"


class Noted:
    """The way out, and why it got nothing: of a failed fetch of keys only a sentence is remembered."""

    def __init__(self, egress: Egress) -> None:
        self._egress, self.reason = egress, "content"

    async def request(self, *args: Any, **bounds: Any) -> Any:
        try:
            return await self._egress.request(*args, **bounds)
        except EgressRefused as refused:
            self.reason = refused.reason
            raise


async def jwks_uri(egress: Egress, url: str) -> str:
    """OpenID Connect Core §10.1.1."""
    client: Any = SimpleNamespace(client_id="rp", jwks=None, jwks_uri=url)
    noted: Any = Noted(egress)
    try:
        await KeySets(noted).of(client, None, NOW)
    except NoKeys:
        return str(noted.reason)
    return GOT


async def logo_uri(egress: Egress, url: str) -> str:
    """OpenID Connect Registration §2."""
    client: Any = SimpleNamespace(logo_uri=url)
    noted: Any = Noted(egress)
    return GOT if await Logos(noted).of(client, NOW) is not None else str(noted.reason)


async def request_uri(egress: Egress, url: str) -> str:
    """RFC 9101 §5.2."""
    client: Any = SimpleNamespace(request_uris=(url,))
    try:
        await request_object.fetch(url, client, egress)
    except Wire as problem:
        return _why(problem) if problem.refusal.code == "invalid_request_uri" else problem.refusal.code
    return GOT


async def sector_identifier_uri(egress: Egress, url: str) -> str:
    """OpenID Connect Registration §5."""
    client: Any = SimpleNamespace(sector_identifier_uri=url, redirect_uris=(LISTED,), jwks_uri=None, fetches=False)
    try:
        await sector.check(client, egress)
    except Wire as problem:
        return _why(problem) if problem.refusal.code == "invalid_client_metadata" else problem.refusal.code
    return GOT


async def _register(egress: Egress, url: str, *, known: bool) -> str:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "secret").write_text("s")
        declared = Declaration.model_validate(
            {
                "connector": "rest",
                "url": url,
                "token_url": url,
                "client_id": "semel",
                "client_secret_file": "secret",
                "seconds": 1.0,
                "attributes": {"income.taxable_band": "taxable_band"},
            }
        )
        source = RestSource(Path(folder) / "tax.toml", declared, lambda *_: None, egress)
        if known:
            source._token = ("token", float("inf"))
        wanted = frozenset({"income.taxable_band"})
        try:
            await source.fetch(Subject("p", "1", {}), wanted, phase="preview", reference="j", now=NOW)
        except SourceUnavailable as problem:
            return str(problem)
    return GOT


async def register_token(egress: Egress, url: str) -> str:
    """RFC 6749 §4.4, at a register."""
    return await _register(egress, url, known=False)


async def register_question(egress: Egress, url: str) -> str:
    """A register's answer."""
    return await _register(egress, url, known=True)


def letter(name: str) -> Fetch:
    """Make the sender of one kind of letter out of the outbox."""

    async def send(egress: Egress, url: str) -> str:
        nothing: Any = None
        letters: Any = SimpleNamespace(open=lambda _letter: Content("text"))
        courier = Courier(
            nothing,
            egress,
            letters,
            keyring=nothing,
            active=lambda _: True,
            issuer="https://id.example",
            clock=lambda: NOW,
        )
        kind = replace(KINDS[name], timeout=1.0)
        why, _ = await courier._send(SimpleNamespace(kind=kind, client_id="rp", destination=url))  # type: ignore[arg-type]  # as much of a letter as is looked at
        return why or GOT

    return send


FETCHERS = [
    Fetcher("jwks_uri", "broker/clients/key_sets.py", jwks_uri),
    Fetcher("logo_uri", "broker/clients/logos.py", logo_uri),
    Fetcher("request_uri", "broker/authorization/request_object.py", request_uri),
    Fetcher("sector_identifier_uri", "broker/clients/sector.py", sector_identifier_uri),
    Fetcher("register's token", "broker/evidence/connectors/rest.py", register_token),
    Fetcher("register's answer", "broker/evidence/connectors/rest.py", register_question),
    *(Fetcher(f"letter {name}", "broker/notices/delivery.py", letter(name), reads=False) for name in KINDS),
]
#: Addresses that an operator typed or set: their own issuer, and the ledger they want to verify.
TYPED = {"broker/client_commands.py", "broker/doctor/gather.py", "broker/ledger_files.py"}
