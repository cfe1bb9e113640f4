"""Bring a database to the schema this version of the program runs on, and say where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def _scripts() -> tuple[Config, ScriptDirectory]:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config, ScriptDirectory.from_config(config)


def newest() -> str:
    """The revision this version of the program needs."""
    head = _scripts()[1].get_current_head()
    if head is None:
        raise LookupError("the program carries no schema history")
    return head


def current(tx: Connection) -> str | None:
    """The revision a database stands at; None for one that was never made."""
    return MigrationContext.configure(tx).get_current_revision()


def upgrade(tx: Connection) -> None:
    """Run what is missing, inside the caller's transaction."""
    config, scripts = _scripts()

    def missing(revision: str, _context: MigrationContext) -> list[Any]:
        return list(scripts._upgrade_revs("head", revision))  # noqa: SLF001 - alembic's own commands do so

    with EnvironmentContext(config, scripts, fn=missing, as_sql=False) as environment:
        environment.configure(connection=tx, target_metadata=None, transactional_ddl=False)
        environment.run_migrations()
