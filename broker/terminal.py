"""What the command line shows: tables or JSON on standard output, progress and complaints on standard error."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

MISUSED = 2

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

WIDE = 200  # columns, where no terminal says how many there are

out = Console(width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Give a function `(what, done, of)` that moves a bar; shown only on a terminal, and gone afterwards."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True, disable=quiet or not err.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def advance(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done)

        yield advance


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, title: str | None = None) -> None:
    """Print rows as a table, their keys as its head; or as one line of JSON."""
    if as_json:
        print_json(rows)
        return
    if not rows:
        return
    table = Table(title=title, box=None, header_style="bold", title_justify="left")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    out.print(table, highlight=False, markup=False)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def print_json(value: Any) -> None:
    """Print one line of JSON, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def tell_demo(summary: Mapping[str, Any]) -> None:
    """Say where the demo's parts are and who may sign in."""
    places = [
        {"": "broker", "address": summary["issuer"]},
        {"": "your account", "address": f"{summary['issuer']}/account"},
    ]
    places += [{"": agency["id"], "address": f"{agency['url']}/"} for agency in summary["agencies"]]
    show(places, as_json=False)
    out.print()
    show([{k: p[k] for k in ("username", "password", "totp_secret")} for p in summary["personas"]], as_json=False)
    out.print(
        f"\nReady. Start at {summary['agencies'][0]['url']}/ as {summary['personas'][0]['username']}.", highlight=False
    )
    out.print(
        f"One-time codes come from totp_secret. Everything is in {summary['data']}. Ctrl-C stops it.", highlight=False
    )
    out.print("\nFor your own client, in another terminal (docs/quickstart-agency.md):", highlight=False)
    data = summary["data"]
    values = {"MODE": "demo", "ISSUER": summary["issuer"], "DATA_DIR": data, "CONFIG_DIR": f"{data}/config"}
    for name, value in values.items():
        out.print(f"export SEMEL_{name}={shlex.quote(value)}", highlight=False, markup=False, soft_wrap=True)


def misused(why: str) -> NoReturn:
    """Say on standard error what was used wrong, and end with status 2."""
    err.print(f"semel: {why}", highlight=False, markup=False, soft_wrap=True)
    sys.exit(MISUSED)
