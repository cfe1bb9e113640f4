"""The command line `semel`: exit status 0 good, 1 found wrong, 2 used wrong; `--json` on every command that prints."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from broker import app, installation, ledger_files, personas, serve, terminal
from broker import demo as whole_demo
from broker.client_commands import clients
from broker.config_commands import config, settings_faults
from broker.database import UnsafeDatabase
from broker.doctor import checks, declared, gather
from broker.errors import Busy
from broker.key_commands import keys
from broker.ledger_commands import ledger
from broker.migrations import history
from broker.outbox_commands import outbox
from broker.people_commands import citizens
from broker.routes import ROUTES
from broker.settings import Settings
from broker.tables import install
from broker.terminal import AsJson
from consent import errors as consent_errors
from keys import errors as keys_errors

WRONG = 1

cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="A once-only identity and consent broker.")
groups = {
    "db": "The database's schema.",
    "personas": "People of the demo and the sandbox.",
}
db, invented = (typer.Typer(no_args_is_help=True, help=text) for text in groups.values())
for _name, _group in {
    **dict(zip(groups, (db, invented), strict=True)),
    "config": config,
    "ledger": ledger,
    "keys": keys,
    "clients": clients,
    "outbox": outbox,
    "people": citizens,
}.items():
    cli.add_typer(_group, name=_name)

MENDABLE = (
    installation.NotReady,
    installation.AlreadyInstalled,
    installation.Served,
    whole_demo.DemoFailed,
    ledger_files.Unreachable,
    consent_errors.ConsentError,
    keys_errors.KeysError,
    UnsafeDatabase,
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; what the user can mend is said on standard error, a line for each thing, never a traceback.

    `arguments` are those of the process when not given. Ends with `SystemExit`.
    """
    try:
        cli(arguments)
    except ValidationError as problem:
        terminal.misused("; ".join(settings_faults(problem)))
    except BrokenPipeError:  # whoever read what is printed has gone
        sys.exit(WRONG)
    except (*declared.FAULTY, SQLAlchemyError, Busy, *MENDABLE) as problem:
        terminal.misused(_told(problem))


def _told(problem: Exception) -> str:
    """Say what went wrong in words that hold no secret; of a faulty declaration, every fault of all of them."""
    if isinstance(problem, Busy):
        return "another process holds the database's lock: try again, or end what keeps it"
    if isinstance(problem, SQLAlchemyError):
        return f"the database cannot be used: {gather.told(problem)}; `semel doctor` says more"
    if isinstance(problem, declared.FAULTY):
        with suppress(ValidationError):
            folder = Settings().config_dir
            if not folder.is_dir():
                return f"SEMEL_CONFIG_DIR: {folder} is not there"
            faults = [*declared.placeholders(folder), *declared.faults(Settings())]
            if faults and not isinstance(problem, OSError):
                return "\n".join(["declarations are wrong:", *map(str, faults)])
    if isinstance(problem, OSError):
        return f"{problem.filename or 'a file'}: {problem.strerror or problem}"
    return str(problem)


@cli.command()
def demo(
    port: Annotated[int, typer.Option(help="The broker's port; the next three are taken too.")] = 8000,
    data: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path("data/demo"),
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Run everything on this machine: sample registers, two reference agencies, the broker. Ctrl-C stops all of it."""
    source = Settings(mode="demo").config_dir.resolve()
    plan = whole_demo.Plan(port, data.resolve())
    with terminal.progress(quiet=as_json) as progress:
        whole_demo.run(
            plan, source=source, announce=terminal.print_json if as_json else terminal.tell_demo, progress=progress
        )


@cli.command()
def init() -> None:
    """Make the tables, the first keys and the ledger, and write the issuer into the database: once."""
    settings = Settings()
    with terminal.progress(quiet=False) as progress, installation.claim(settings):
        enrolled = installation.create(settings, app.clock(), progress=progress)
    terminal.out.print(f"Initialised for {settings.issuer} (mode {settings.mode}, {enrolled} personas).")


@cli.command(name="serve")
def serve_command(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes; SQLite allows one.")] = 1,
) -> None:
    """Serve; refuses an installation that was never initialised or stands at another version."""
    serve.run(Settings(), host=host, port=port, workers=workers)


@cli.command()
def doctor(as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """What is right and what is wrong with this installation, and what mends it; exit status 1 when something fails.

    What is `fatal` is refused by `semel serve`, too.
    """
    findings = checks.judge(asyncio.run(gather.gather(Settings(), app.clock)))
    rows = [
        {
            "status": found.verdict.status,
            "check": found.check.name,
            "group": found.check.group,
            "spec": found.check.spec,
            "finding": found.verdict.finding,
            "fix": found.verdict.fix,
        }
        for found in findings
    ]
    terminal.show(rows if as_json else [_short(row) for row in rows], as_json=as_json)
    if any(found.verdict.status in {"fail", "fatal"} for found in findings):
        raise typer.Exit(WRONG)


def _short(row: dict[str, str]) -> dict[str, str]:
    """One line a check: what a terminal has room for."""
    said = row["finding"] + (f". To mend it: {row['fix']}." if row["fix"] else "")
    return {"": row["status"], "check": f"{row['group']}: {row['check']}", "finding": said}


@cli.command()
def routes(as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Every URL: how it runs and the text that defines it."""
    rows = [{"method": r.method, "path": r.path, "runs": r.runs, "speaks": r.speaks, "spec": r.spec} for r in ROUTES]
    terminal.show(rows, as_json=as_json)


@db.command("status")
def db_status(as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Where the database stands; exit status 1 when it is not at this version."""
    settings = Settings()
    with installation.reading(settings) as tx:
        revision, newest = history.current(tx), history.newest()
        issuer = tx.execute(select(install.c.issuer)).scalar_one_or_none() if revision else None
    terminal.show([{"revision": revision, "newest": newest, "issuer": issuer}], as_json=as_json)
    if revision != newest:
        raise typer.Exit(WRONG)


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to this version."""
    settings = Settings()
    with installation.changing(settings) as tx:
        history.upgrade(tx)
        installation.record_mode(tx, settings)
    terminal.out.print(f"The database is at {history.newest()}.")


@invented.command("list")
def personas_list(as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """The personas and what they sign in with; only outside production."""
    settings = Settings()
    if settings.mode == "production":
        terminal.misused("there are no personas in production")
    rows = [
        {"id": p.id, "username": p.username, "password": p.password, "totp_secret": p.totp_secret}
        for p in personas.load(settings.config_dir)
    ]
    terminal.show(rows, as_json=as_json)


if __name__ == "__main__":
    main()
