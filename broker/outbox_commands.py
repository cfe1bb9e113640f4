"""`semel outbox`: the letters that wait for an agency, those given up, and sending them once more (house)."""

from __future__ import annotations

import time
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from broker import installation, terminal
from broker.app import clock
from broker.notices import outbox as letters
from broker.settings import Settings
from broker.terminal import AsJson

outbox = typer.Typer(no_args_is_help=True, help="Letters to agencies: waiting ones and dead ones.")


@outbox.command("list")
def outbox_list(
    dead: Annotated[bool, typer.Option("--dead", help="Only those given up.")] = False,  # noqa: FBT002 - a flag of the command line
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Every letter that was not received yet, oldest first; never what is in it."""
    with installation.reading(Settings()) as tx:
        rows = [_row(one) for one in letters.listed(tx, "dead" if dead else None)]
    terminal.show(rows, as_json=as_json)


@outbox.command("replay")
def outbox_replay(
    letter_id: Annotated[str | None, typer.Argument(help="A dead letter's id.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,  # noqa: FBT002 - a flag of the command line
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Send a dead letter once more, as if it had just been written. Exit status 1 when there is none."""
    if (letter_id is None) is not every:
        terminal.misused("name one letter, or --all")
    settings = Settings()
    kept = letters.Outbox(installation.root_keyring(settings).ring("outbox"))
    with installation.changing(settings) as tx:
        count = kept.replay(tx, letter_id, clock())
    terminal.show([{"replayed": count}], as_json=as_json)
    if count == 0:
        raise typer.Exit(1)


def _row(one: dict[str, Any]) -> dict[str, Any]:
    due = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(one.pop("due") // 1_000_000))
    place = urlsplit(one.pop("destination"))
    return {**one, "to": f"{place.scheme}://{place.netloc}", "due": due if one["state"] == "waiting" else None}
