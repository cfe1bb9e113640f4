"""An installation is made once, whole or not at all, and served only as what it was made for."""

import multiprocessing
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from broker import installation, personas
from broker.database import Database
from broker.people import people
from broker.settings import Settings
from broker.tables import install, person
from consent import ledger
from keys.keyring import RootKeyring
from keys.sources import sealed


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(mode="sandbox", issuer="https://id.example", data_dir=tmp_path / "data", database_url=database_url)


@pytest.fixture
def few(settings: Settings, tmp_path: Path) -> Settings:
    """The same with two personas: hashing all of them proves nothing more."""
    folder = tmp_path / "config"
    folder.mkdir()
    declared = (settings.config_dir / "personas.toml").read_text().split("[[personas]]")
    (folder / "personas.toml").write_text("[[personas]]".join(declared[:3]))
    return settings.model_copy(update={"config_dir": folder})


def test_it_makes_everything_a_server_needs(few: Settings, now: int) -> None:
    told: list[tuple[str, int, int]] = []
    assert installation.create(few, now, progress=lambda *step: told.append(step)) == 2
    assert told[-1][1:] == (2, 2)
    database = Database.open(few.database)
    with database.read() as tx:
        installation.check(tx, few.issuer)
        assert ledger.head(tx).size == 1
        assert ledger.head(tx).origin == "id.example/ledger"
        kinds = sorted((key.purpose, key.alg) for key in sealed.listed(tx))
        roots = RootKeyring.parse(few.root_keyring_text())
        assert people.by_username(tx, roots, personas.load(few.config_dir)[0].username) is not None
    database.close()
    assert kinds == sorted([*sealed.WANTED, ("ledger", "Ed25519"), ("ledger", "ML-DSA-44")])
    assert (few.data_dir / "key-encryption-key").stat().st_mode & 0o777 == 0o600


def test_it_refuses_to_be_made_twice(few: Settings, now: int) -> None:
    installation.create(few, now)
    with pytest.raises(installation.AlreadyInstalled):
        installation.create(few, now)


def test_what_fails_half_way_leaves_nothing(few: Settings, now: int) -> None:
    declared = few.config_dir / "personas.toml"
    first = declared.read_text().split("[[personas]]")[1]
    declared.write_text("[[personas]]" + first + "[[personas]]" + first)  # one name for two people
    with pytest.raises(people.UsernameTaken):
        installation.create(few, now)
    assert not installation.is_made(few)


def test_production_makes_no_root_keyring_and_no_personas(few: Settings, now: int) -> None:
    real = few.model_copy(update={"mode": "production"})
    with pytest.raises(installation.NotReady):
        installation.create(real, now)
    given = real.model_copy(update={"key_encryption_key": RootKeyring.generate().text()})
    assert installation.create(given, now) == 0
    database = Database.open(given.database)
    with database.read() as tx:
        assert tx.execute(select(func.count()).select_from(person)).scalar_one() == 0
    database.close()


def test_a_server_refuses_what_is_not_ready(few: Settings, now: int) -> None:
    database = Database.open(few.database)
    with database.write() as tx, pytest.raises(installation.NotReady, match="semel init"):
        installation.check(tx, few.issuer)
    installation.create(few, now)
    with database.write() as tx, pytest.raises(installation.NotReady, match=r"other\.example"):
        installation.check(tx, "https://other.example")
    with database.write() as tx:
        tx.execute(update(install).values(issuer="https://other.example"))
        installation.check(tx, "https://other.example")
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = 'older'")
        with pytest.raises(installation.NotReady, match="db upgrade"):
            installation.check(tx, "https://other.example")
    database.close()


def _claim(settings: Settings, outcome: "multiprocessing.Queue[str]") -> None:
    try:
        with installation.claim(settings):
            outcome.put("claimed")
    except installation.Served:
        outcome.put("served")


def test_one_process_at_a_time_writes_to_sqlite(tmp_path: Path) -> None:
    settings = Settings(mode="sandbox", issuer="https://id.example", data_dir=tmp_path)
    spawn = multiprocessing.get_context("spawn")
    outcome: multiprocessing.Queue[str] = spawn.Queue()

    def other() -> str:
        process = spawn.Process(target=_claim, args=(settings, outcome))
        process.start()
        process.join()
        return outcome.get(timeout=5)

    with installation.claim(settings):
        assert other() == "served"
    assert other() == "claimed"
