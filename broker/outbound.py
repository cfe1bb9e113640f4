"""The ways out by purpose, each with its own connections and openings (OWASP API4:2023; OpenID Connect Core 1.0 §16).

None can take another's connections, and an address that is open for registers is not open for what a client names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.connection_limits import Limits
from broker.egress import Egress

REGISTERS: Final = Limits(calls=256, per_host=32, waits=True)
CLIENT_ADDRESSES: Final = Limits(calls=64, per_host=4, waits=False)
DELIVERIES: Final = Limits(calls=32, per_host=8, waits=True)


@dataclass(frozen=True)
class Outbound:
    """`client_addresses` fetches what clients name: key sets, request objects, sector documents, logos."""

    registers: Egress
    client_addresses: Egress
    deliveries: Egress

    @classmethod
    def open(cls, registers: Iterable[str], clients: Iterable[str], ca_file: Path | None) -> Outbound:
        """Make all of them: `registers` and `clients` are the addresses beyond public ones that each may reach."""
        named = tuple(clients)
        return cls(
            Egress(registers, ca_file, limits=REGISTERS),
            Egress(named, ca_file, limits=CLIENT_ADDRESSES),
            Egress(named, ca_file, limits=DELIVERIES),
        )

    async def aclose(self) -> None:
        """Close what is kept open."""
        for way in (self.registers, self.client_addresses, self.deliveries):
            await way.aclose()
