"""`semel clients`: the agencies' services, and what lets new ones register."""

from __future__ import annotations

import typer

from broker import terminal
from broker.clients.registry import Registry
from broker.egress import Egress
from broker.settings import Settings
from broker.terminal import AsJson

clients = typer.Typer(no_args_is_help=True, help="The agencies' services.")


@clients.command("list")
def clients_list(as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Every client with its name and where it may be sent back to."""
    settings = Settings()
    registered = Registry.load(settings.config_dir, Egress(), mode=settings.mode).all()
    rows = [
        {
            "client_id": c.client_id,
            "name": c.client_name,
            "redirect_uris": list(c.redirect_uris),
            "disabled": c.disabled,
        }
        for c in registered
    ]
    terminal.show(rows, as_json=as_json)


@clients.command("show")
def clients_show(client_id: str, as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """One client as it is registered (RFC 7591 names)."""
    settings = Settings()
    found = Registry.load(settings.config_dir, Egress(), mode=settings.mode).get(client_id)
    if found is None:
        terminal.misused(f"there is no client {client_id}")
    members = {name: value for name, value in found.model_dump(mode="json").items() if value not in (None, (), [], {})}
    if as_json:
        terminal.print_json(members)
    else:
        terminal.show([{"member": name, "value": value} for name, value in members.items()], as_json=False)
