"""An installation as `semel init` makes one, with an operator's own declarations, keys and folders, published once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from broker import installation
from broker.app import clock, publisher
from broker.database import Database
from broker.demo import PLACEHOLDER
from broker.settings import Settings
from keys.keyring import RootKeyring
from tests.broker.whole import declare

ISSUER = "https://id.norr.example"


def make(folder: Path, database_url: str = "", mode: str = "production", now: int | None = None) -> dict[str, Any]:
    """Run `semel init` with an operator's own declarations; the settings."""
    (folder / "declared").mkdir(parents=True)
    declare(folder / "declared", folder)
    shutil.copyfile(Path("openid-config/personas.toml"), folder / "declared" / "personas.toml")
    for file in (folder / "declared" / "uses").iterdir():
        file.write_text(PLACEHOLDER.sub("https://agency.example", file.read_text("utf-8")), "utf-8")
    keyring = folder / "roots"
    keyring.write_text(RootKeyring.generate().text())
    keyring.chmod(0o600)
    given: dict[str, Any] = {
        "issuer": ISSUER,
        "mode": mode,
        "data_dir": folder / "data",
        "config_dir": folder / "declared",
        "person_key_dir": folder / "person-keys",
        "key_encryption_key_file": keyring,
        "trusted_proxies": ("10.0.0.7",),
        "database_url": database_url,
    }
    settings = Settings(**given)
    made = clock() if now is None else now
    installation.create(settings, made)
    database = Database.open(settings.database)
    publisher(settings, database, installation.root_keyring(settings), lambda: made).publish_once()
    database.close()
    return given
