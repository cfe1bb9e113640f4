"""The table of described endpoints: what agencies' and wallets' programs call; the route table says who answers."""

from __future__ import annotations

from broker.openapi import clients, data, oauth, published, signals
from broker.openapi.operation import Operation

OPERATIONS: tuple[Operation, ...] = (*oauth.ROWS, *data.ROWS, *signals.ROWS, *clients.ROWS, *published.ROWS)
