"""`semel ledger …`: verify what is published, export it, show its checkpoint, and the alarm that stops it from being signed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from broker import app, committer, installation, ledger_files, terminal
from broker.database import now_from
from broker.settings import Settings
from broker.terminal import AsJson
from consent import audit, published, published_state
from consent import errors as consent_errors
from consent.ledger_alarm import LedgerAlarm
from consent.ledger_entry import instant

WRONG = 1

ledger = typer.Typer(no_args_is_help=True, help="The published ledger: verify, export, checkpoint, alarm.")


@ledger.command("verify")
def verify(
    source: Annotated[str, typer.Argument(help="A published ledger's URL, or a folder with its files.")],
    vkey: Annotated[
        list[str] | None, typer.Option(help="A verifier key to trust instead of the published ones.")
    ] = None,
    since: Annotated[
        Path | None, typer.Option(help="A checkpoint kept from earlier: what is published must begin with its tree.")
    ] = None,
    witness: Annotated[list[str] | None, typer.Option(help="A verifier key that must have cosigned.")] = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Check signatures, tiles and entries; needs no database. Exit status 1 names every file that is wrong."""
    if since is not None and not since.is_file():
        terminal.misused(f"{since} is no file")
    kept = since.read_bytes() if since is not None else None
    report = ledger_files.verify(source, vkey or [], kept, witness or [])
    terminal.show([{"file": f.file, "finding": f.what} for f in report.findings], as_json=as_json, title="Wrong")
    if not as_json:
        terminal.out.print(f"{report.origin}: {report.size} entries, {report.files} files read.")
        if report.ahead:
            terminal.out.print(f"{len(report.ahead)} files lie ahead of the checkpoint: of entries not signed yet.")
            terminal.show([{"file": file} for file in report.ahead], as_json=False, title="Ahead")
    if report.findings:
        raise typer.Exit(WRONG)


@ledger.command("checkpoint")
def checkpoint() -> None:
    """The newest checkpoint that this installation has published, as it is signed."""
    path = Settings().ledger_dir / "checkpoint"
    if not path.exists():
        terminal.misused("nothing is published yet")
    terminal.out.out(path.read_text("utf-8"), end="", highlight=False)


@ledger.command("export")
def export(target: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")]) -> None:
    """Copy everything this installation has published into a folder, and check the copy."""
    folder = Settings().ledger_dir
    if target.exists() or not folder.is_dir():
        terminal.misused(f"{target} exists already" if target.exists() else "nothing is published yet")
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns(published.STAGING, "lost+found"))
    verify(str(target))


@ledger.command("alarm")
def alarm(
    lift: Annotated[bool, typer.Option("--lift", help="Take the alarm back, once its cause is mended.")] = False,  # noqa: FBT002 - a flag of the command line
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """The ledger's alarm on this machine. While it stands nothing is signed and no server starts; exit status 1.

    `--lift` looks at the ledger first: an alarm whose cause still stands stays.
    """
    settings = Settings()
    raised = LedgerAlarm(settings.ledger_dir)
    standing = raised.standing()
    if standing is not None and lift:
        with installation.reading(settings) as tx:
            try:
                audit.check(tx, public=published_state.read(settings.ledger_dir))
            except (consent_errors.ConsentError, OSError) as why:
                terminal.err.print(f"The alarm stays: {why}", highlight=False, markup=False, soft_wrap=True)
                raise typer.Exit(WRONG) from why
        raised.lift()
        standing = None
    if standing is None and not as_json:
        terminal.out.print("No alarm stands.")
    since = None if standing is None or standing.since is None else instant(standing.since)
    terminal.show([] if standing is None else [{"since": since, "what": standing.what}], as_json=as_json, title="Alarm")
    if standing is not None:
        raise typer.Exit(WRONG)


@ledger.command("accept-clock")
def accept_clock() -> None:
    """Enter that the clock is right now, though it is far ahead of the ledger's newest entry, or behind it.

    Look at the clock first: what is entered from now on bears its time, and the entry that says so is public.
    """
    settings = Settings()
    with installation.changing(settings) as tx:
        now = now_from(tx) if tx.dialect.name == "postgresql" else app.clock()
        was = instant(committer.accept_clock(tx, now))
    terminal.out.print(f"The newest entry was of {was}; entries go on from {instant(now)}.", highlight=False)
