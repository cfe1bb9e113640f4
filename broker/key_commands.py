"""`semel keys`: the signing keys by stage, and the next ones announced (RFC 7517 §5)."""

from __future__ import annotations

import time
from functools import partial
from typing import Annotated

import typer

from broker import installation, terminal
from broker.app import clock
from broker.settings import Settings
from broker.terminal import AsJson
from keys import algorithms
from keys.algorithms import Alg
from keys.keyring import Purpose
from keys.sources import sealed

keys = typer.Typer(no_args_is_help=True, help="Signing keys.")


@keys.command("list")
def keys_list(as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Every signing key with its stage; never a private part."""
    with installation.reading(Settings()) as tx:
        rows = [
            {"kid": k.kid, "alg": k.alg, "purpose": k.purpose, "stage": k.stage, "since": _time(k.staged)}
            for k in sealed.listed(tx)
        ]
    terminal.show(rows, as_json=as_json)


@keys.command("rotate")
def keys_rotate(
    purpose: Annotated[Purpose, typer.Option(help="What the key signs.")] = "token",
    alg: Annotated[Alg | None, typer.Option(help="Only this algorithm; all of the purpose otherwise.")] = None,
    revoke: Annotated[  # noqa: FBT002 - a flag of the command line
        bool,
        typer.Option("--revoke", help="A key leaked: the new one signs at once, what the old ones signed is refused."),
    ] = False,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Announce new keys; each signs once the announce window is over. The clock does this by itself: `semel keys list`."""
    wanted = [name for kind, name in sealed.WANTED if kind == purpose and alg in (None, name)]
    if not wanted:
        terminal.misused(f"{alg} does not sign for {purpose}")
    settings, now = Settings(), clock()
    made = [algorithms.generate(name) for name in wanted]
    with installation.changing(settings) as tx:
        ring = installation.root_keyring(settings).ring("signing")
        store = partial(sealed.revoke, tx, ring) if revoke else partial(sealed.store, tx, ring, stage="upcoming")
        kids = [store(pair, purpose=purpose, now=now) for pair in made]
    stage = "signing" if revoke else "upcoming"
    rows = [
        {"kid": kid, "alg": name, "purpose": purpose, "stage": stage} for kid, name in zip(kids, wanted, strict=True)
    ]
    terminal.show(rows, as_json=as_json)


def _time(micros: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(micros // 1_000_000))
