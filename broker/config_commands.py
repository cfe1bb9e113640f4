"""`semel config`: the settings and declarations in force, what is wrong with them, and the shape they must have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from pydantic import ValidationError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from broker import terminal
from broker.doctor import declared
from broker.doctor.declared import Fault
from broker.settings import Settings, unknown
from broker.terminal import AsJson

WRONG = 1
ENVIRONMENT = "environment"
MASK = "********"

config = typer.Typer(no_args_is_help=True, help="The settings and declarations in force.")


@config.command("show")
def config_show(as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """The settings in force and where each comes from; secrets are masked."""
    settings = Settings()
    values = settings.model_dump(mode="json") | {"database_url": masked(settings.database)}
    if values["key_encryption_key"]:
        values["key_encryption_key"] = MASK
    derived = {"database_url": not settings.database_url, "person_key_dir": settings.person_key_dir is None}
    values["person_key_dir"] = str(settings.person_keys)
    rows = []
    for name, value in values.items():
        given = name in settings.model_fields_set and not derived.get(name, False)
        source = ENVIRONMENT if given else "the data folder" if derived.get(name) else "default"
        rows.append({"setting": f"SEMEL_{name.upper()}", "value": value, "from": source})
    terminal.show(rows, as_json=as_json)


@config.command("check")
def config_check(as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Everything that is wrong with settings and declarations, each with its file and line; exit status 1 when there is something."""
    found = [Fault(ENVIRONMENT, 0, f"{name} is no setting") for name in unknown()]
    try:
        settings = Settings()
    except ValidationError as problem:
        found += [Fault(ENVIRONMENT, 0, said) for said in settings_faults(problem)]
    else:
        folder = settings.config_dir
        if folder.is_dir():
            found += [*declared.placeholders(folder), *declared.faults(settings)]
        else:
            found.append(Fault(ENVIRONMENT, 0, f"SEMEL_CONFIG_DIR: {folder} is not there"))
    terminal.show([{"file": one.file, "line": one.line, "finding": one.what} for one in found], as_json=as_json)
    if found:
        raise typer.Exit(WRONG)
    if not as_json:
        terminal.out.print("Nothing is wrong.", highlight=False)


@config.command("schema")
def config_schema() -> None:
    """The JSON Schema of the settings and of each kind of declaration file, by its place in the folder."""
    terminal.print_json(declared.schema())


def settings_faults(problem: ValidationError) -> Iterator[str]:
    """Say what is wrong with settings, each with its variable, and never what was given: it may be a secret."""
    for error in problem.errors(include_input=False, include_url=False):
        said = error["msg"].removeprefix("Value error, ")
        variable = "".join(f"SEMEL_{str(part).upper()}: " for part in error["loc"][:1])
        for one in said.split("; "):
            yield one if one.startswith("SEMEL_") else variable + one


def masked(address: str) -> Any:
    """Give a database's address without its password; of one that cannot be read, nothing."""
    try:
        return make_url(address).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return MASK
