"""`semel clients`: the agencies' services, and the tokens that let new ones register (RFC 7591 §3)."""

from __future__ import annotations

import asyncio
import json
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import typer
from sqlalchemy.exc import DBAPIError

from broker import installation, terminal
from broker.app import clock
from broker.clients import profile, registered, web_address
from broker.clients.mutual_tls import MutualTls
from broker.clients.registry import Registry
from broker.database import Database, Tx
from broker.egress import Egress, EgressRefused
from broker.endpoints.registration import PATH as REGISTRATION
from broker.errors import Busy
from broker.migrations import history
from broker.notices import streams
from broker.settings import Settings
from broker.terminal import AsJson

WRONG = 1
CREATED = 201
LOOPBACK = ("127.0.0.1", "::1")
DAY = 86_400_000_000  # microseconds
MINUTE = 60_000_000  # microseconds

clients = typer.Typer(no_args_is_help=True, help="The agencies' services.")


@clients.command("list")
def clients_list(as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Every client with its name, its profile and where it may be sent back to."""
    with _registry() as registry:
        rows = [
            {
                "client_id": c.client_id,
                "name": c.client_name,
                "profile": c.profile,
                "redirect_uris": list(c.redirect_uris),
                "disabled": c.disabled,
            }
            for c in registry.all()
        ]
    terminal.show(rows, as_json=as_json)


@clients.command("show")
def clients_show(client_id: str, as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """One client as it is registered (RFC 7591 names)."""
    with _registry() as registry:
        found = registry.get(client_id)
    if found is None:
        terminal.misused(f"there is no client {client_id}")
    members = {name: value for name, value in found.model_dump(mode="json").items() if value not in (None, (), [], {})}
    if as_json:
        terminal.print_json(members)
    else:
        terminal.show([{"member": name, "value": value} for name, value in members.items()], as_json=False)


@clients.command("streams")
def clients_streams(as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Every stream of security events: whose it is, how it is delivered, its status, and how much waits in it."""
    with installation.reading(Settings()) as tx:
        rows = streams.listed(tx)
    terminal.show(rows, as_json=as_json)


@clients.command("lint")
def clients_lint(as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """What production would refuse of the clients as they are; exit status 1 when there is something."""
    with _registry() as registry:
        rows = [
            {"client_id": client.client_id, "member": rule.member, "finding": rule.demand, "spec": rule.spec}
            for client in registry.all()
            for rule in profile.broken(client, "production")
        ]
    terminal.show(rows, as_json=as_json)
    if rows:
        raise typer.Exit(WRONG)


@clients.command("token")
def clients_token(
    profile_name: Annotated[
        Literal["baseline", "fapi2"], typer.Option("--profile", help="What its clients are held to.")
    ] = "fapi2",
    uses: Annotated[int, typer.Option(min=1, max=10_000, help="How many clients it registers.")] = 1,
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it is good.")] = 7,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Make an initial access token: whoever has it may register clients (RFC 7591 §3). It is shown once.

    It works while the broker is being served.
    """
    settings, expires = Settings(), clock() + days * DAY
    with _changing(settings) as tx:
        token = registered.issue(tx, profile=profile_name, uses=uses, expires=expires)
    endpoint = settings.issuer + REGISTRATION
    row = {"initial_access_token": token, "profile": profile_name, "uses": uses, "registration_endpoint": endpoint}
    terminal.show([row], as_json=as_json)
    if not as_json:
        _tell_exports({"INITIAL_ACCESS_TOKEN": token, "REGISTRATION_ENDPOINT": endpoint})


@clients.command("add")
def clients_add(
    file: Annotated[Path, typer.Argument(help="The client's metadata, JSON or TOML, with the names of RFC 7591.")],
    profile_name: Annotated[
        Literal["baseline", "fapi2"], typer.Option("--profile", help="What it is held to.")
    ] = "fapi2",
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Register a client at the running broker, as it would itself (RFC 7591 §3). Its secret and token are shown once."""
    settings, now = Settings(), clock()
    metadata = _metadata(file)
    with _changing(settings) as tx:
        token = registered.issue(tx, profile=profile_name, uses=1, expires=now + MINUTE)
    told = _register(settings, token, metadata)
    if as_json:
        terminal.print_json(told)
        return
    terminal.show([{"member": name, "value": value} for name, value in told.items()], as_json=False)
    names = "client_id", "client_secret", "registration_access_token", "registration_client_uri"
    _tell_exports({name.upper(): str(told[name]) for name in names if name in told} | {"ISSUER": settings.issuer})


def _metadata(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text("utf-8")
        given = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as problem:
        terminal.misused(f"{file}: {problem}")
    if not isinstance(given, dict):
        terminal.misused(f"{file}: not an object of members")
    return given


def _register(settings: Settings, token: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Let the running server check and store a client; ends the command with its reason where it refuses."""
    here = web_address.is_loopback(urlsplit(settings.issuer).hostname or "")
    egress = Egress(LOOPBACK if here else settings.egress_allow, settings.egress_ca_file)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    call = egress.request(
        "POST",
        settings.issuer + REGISTRATION,
        headers,
        json.dumps(metadata).encode(),
        media_types=("application/json",),
    )
    try:
        reply = asyncio.run(call)
        told: dict[str, Any] = json.loads(reply.content)
    except (EgressRefused, ValueError) as problem:
        terminal.misused(f"{settings.issuer} does not answer ({problem}): a client is added at the running broker")
    if reply.status != CREATED:
        why, trace = told.get("error_description", told.get("error")), told.get("correlation_id")
        terminal.misused(f"the broker refuses this client: {why} (correlation id {trace})")
    return told


def _tell_exports(values: Mapping[str, str]) -> None:
    """Print lines that a shell reads."""
    terminal.out.print()
    for name, value in values.items():
        terminal.out.print(f"export {name}={shlex.quote(value)}", highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _changing(settings: Settings) -> Iterator[Tx]:
    try:
        with installation.changing_beside(settings) as tx:
            yield tx
    except Busy:
        terminal.misused("the database is busy; nothing was done, try again")


@clients.command("disable")
def clients_disable(
    client_id: str,
    undo: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--undo", help="Let it act again.")
    ] = False,
) -> None:
    """Stop a client that registered itself, at once and everywhere; one of the files is stopped in its file.

    It works while the broker is being served.
    """
    with _changing(Settings()) as tx:
        found = registered.disable(tx, client_id, disabled=not undo)
    if not found:
        terminal.misused(f"no client {client_id} registered itself")
    terminal.out.print(f"{client_id} {'acts again' if undo else 'is disabled'}.", highlight=False)


@contextmanager
def _registry() -> Iterator[Registry]:
    """The clients of the files and, where there is an installation, those that registered themselves."""
    settings = Settings()
    database = Database.open(settings.database)
    try:
        yield Registry.load(
            settings.config_dir,
            Egress(),
            mode=settings.mode,
            database=database if _is_made(database) else None,
            mutual_tls=MutualTls.load(settings.mtls_origin, settings.client_ca_file),
            own=(settings.issuer, settings.mtls_origin),
        )
    finally:
        database.close()


def _is_made(database: Database) -> bool:
    try:
        with database.read() as tx:
            return history.current(tx) is not None
    except DBAPIError:
        return False
