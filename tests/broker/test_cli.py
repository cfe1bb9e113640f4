"""The command line: exit status 0 good, 1 found wrong, 2 used wrong; JSON where asked; no secret printed."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select, update

from broker import app, cli, installation
from broker.clients import registered, registration
from broker.clients.metadata import ClientMetadata
from broker.database import Database
from broker.notices import outbox
from broker.notices.outbox import Outbox, Unsigned
from broker.routes import ROUTES
from broker.settings import Settings
from broker.tables import install
from keys.keyring import RootKeyring
from tests import machine_clock

ISSUER = "https://id.example"


@pytest.fixture
def environment(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A production installation with its settings in the environment."""
    given = {
        "SEMEL_ISSUER": ISSUER,
        "SEMEL_DATA_DIR": str(tmp_path / "data"),
        "SEMEL_DATABASE_URL": database_url,
        "SEMEL_KEY_ENCRYPTION_KEY": RootKeyring.generate().text(),
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return Settings()


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    return int(ended.value.code or 0)


def published(settings: Settings) -> Path:
    """The folder of a ledger that was published once."""
    installation.create(settings, machine_clock.micros())
    database = Database.open(settings.database)
    app.publisher(settings, database, installation.root_keyring(settings), app.clock).publish_once()
    database.close()
    return settings.ledger_dir


def test_routes_are_those_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("routes", "--json") == 0
    assert [(row["method"], row["path"]) for row in json.loads(capsys.readouterr().out)] == [
        (row.method, row.path) for row in ROUTES
    ]


def test_init_once(environment: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init") == 0
    assert run("db", "status") == 0
    assert run("keys", "list", "--json") == 0
    assert run("init") == 2
    assert "initialised before" in capsys.readouterr().err


def test_keys_are_announced_and_a_leaked_one_is_replaced(
    environment: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    def listed() -> list[dict[str, str]]:
        assert run("keys", "list", "--json") == 0
        rows: list[dict[str, str]] = json.loads(capsys.readouterr().out)
        return [row for row in rows if (row["purpose"], row["alg"]) == ("token", "ES256")]

    installation.create(environment, machine_clock.micros())
    first = listed()
    assert [row["stage"] for row in first] == ["signing"]
    assert run("keys", "rotate", "--alg", "ES256", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["stage"] == "upcoming"
    assert sorted(row["stage"] for row in listed()) == ["signing", "upcoming"]
    assert run("keys", "rotate", "--alg", "ES256", "--revoke") == 0
    capsys.readouterr()
    assert [row["stage"] for row in listed()] == ["signing"]
    assert listed()[0]["kid"] != first[0]["kid"]
    assert run("keys", "rotate", "--purpose", "credential", "--alg", "RS256") == 2


def test_a_token_for_registering_is_shown_once_and_kept_as_a_hash(
    environment: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").mkdir()
    monkeypatch.setenv("SEMEL_CONFIG_DIR", str(tmp_path / "config"))
    assert run("clients", "token") == 2
    assert run("clients", "list") == 0
    installation.create(environment, machine_clock.micros())
    capsys.readouterr()
    assert run("clients", "token", "--profile", "baseline", "--uses", "3", "--json") == 0
    told = json.loads(capsys.readouterr().out)[0]
    assert (told["profile"], told["registration_endpoint"]) == ("baseline", f"{ISSUER}/register")
    database = Database.open(environment.database)
    with database.write() as tx:
        assert registered.spend(tx, told["initial_access_token"], machine_clock.micros())
        made = {"client_id": registration.new_id(), "profile": "baseline", "token_endpoint_auth_method": "none"}
        about = {"client_name": "X", "redirect_uris": ["https://x.example/cb"], "subject_type": "public"}
        registered.add(tx, ClientMetadata.model_validate({**made, **about}), "t", 1)
    database.close()
    assert run("clients", "list", "--json") == 0
    assert [row["client_id"] for row in json.loads(capsys.readouterr().out)] == [made["client_id"]]
    assert run("clients", "lint", "--json") == 1
    assert [row["member"] for row in json.loads(capsys.readouterr().out)] == ["subject_type"]
    assert run("clients", "disable", made["client_id"]) == 0
    assert run("clients", "show", made["client_id"], "--json") == 0
    assert '"disabled": true' in capsys.readouterr().out
    assert run("clients", "disable", "nobody") == 2


def test_the_doctor_says_what_to_do(environment: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything was made, and after; nothing is served at that address."""
    assert run("doctor") == 1
    assert "`semel init`" in capsys.readouterr().out
    installation.create(environment, machine_clock.micros())
    assert run("doctor", "--json") == 1
    told = {line["check"]: line for line in json.loads(capsys.readouterr().out)}
    assert told["database"]["status"] == "pass"
    assert (told["reachable"]["status"], told["reachable"]["group"]) == ("fail", "deployment")
    assert told["reachable"]["fix"].startswith("start the server")


def test_keys_do_not_rotate_under_a_server_on_sqlite(environment: Settings) -> None:
    if not environment.database.startswith("sqlite"):
        pytest.skip("PostgreSQL has many writers")
    installation.create(environment, machine_clock.micros())
    with installation.claim(environment):
        assert run("keys", "rotate", "--alg", "ES256") == 2
        assert run("keys", "list") == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve",),
        ("db", "upgrade"),
        ("ledger", "checkpoint"),
        ("ledger", "export", "nowhere"),
        ("ledger", "verify", "/nowhere/at/all"),
        ("ledger", "verify", "http://127.0.0.1:1/ledger"),
        ("ledger", "verify", "http://169.254.1.1/ledger"),
        ("personas", "list"),
        ("nonsense",),
        ("keys", "nonsense"),
    ],
)
def test_what_is_used_wrong_ends_with_2_and_says_why(
    environment: Settings, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    said = capsys.readouterr().err
    assert said.strip()
    assert "Traceback" not in said


def test_an_unreadable_checkpoint_is_not_served_and_the_alarm_stays_until_it_is_lifted(
    environment: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = published(environment) / "checkpoint"
    note = checkpoint.read_bytes()
    assert run("ledger", "alarm") == 0
    checkpoint.write_bytes(b"")
    assert run("serve") == 2
    assert "cannot be read" in capsys.readouterr().err
    assert run("ledger", "alarm", "--lift") == 1, "its cause stands"
    assert "cannot be read" in capsys.readouterr().err
    checkpoint.write_bytes(note)
    assert run("serve") == 2, "an alarm once raised stays"
    assert "semel ledger alarm" in " ".join(capsys.readouterr().err.split())
    assert run("ledger", "alarm", "--json") == 1
    shown = json.loads(capsys.readouterr().out)
    assert "cannot be read" in shown[0]["what"]
    assert run("ledger", "alarm", "--lift") == 0
    assert run("ledger", "alarm", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == []


def test_an_auditor_is_told_what_lies_ahead_and_whether_an_earlier_checkpoint_is_continued(
    environment: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = published(environment)
    kept = tmp_path / "kept"
    kept.write_bytes((folder / "checkpoint").read_bytes())
    assert run("ledger", "verify", str(folder), "--since", str(kept)) == 0
    assert "ahead" not in capsys.readouterr().out
    (folder / "tile/0/000.p/9").write_bytes((folder / "tile/0/000.p/1").read_bytes() + bytes(32 * 8))
    assert run("ledger", "verify", str(folder)) == 0
    assert "tile/0/000.p/9" in capsys.readouterr().out
    kept.write_bytes(b"")
    assert run("ledger", "verify", str(folder), "--since", str(kept)) == 1
    assert "kept from earlier" in " ".join(capsys.readouterr().out.split())
    assert run("ledger", "verify", str(folder), "--since", str(tmp_path / "nowhere")) == 2


def test_the_clock_is_accepted_by_a_public_entry(environment: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    folder = published(environment)
    assert run("ledger", "accept-clock") == 0
    assert "go on from" in capsys.readouterr().out
    database = Database.open(environment.database)
    app.publisher(environment, database, installation.root_keyring(environment), app.clock).publish_once()
    database.close()
    assert b"clock.accepted" in (folder / "tile/entries/000.p/2").read_bytes()


def test_wrong_settings_end_with_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SEMEL_ISSUER", "http://id.example")
    assert run("config", "show") == 2
    assert "https" in capsys.readouterr().err


def test_config_shows_no_secret(environment: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("config", "show", "--json") == 0
    shown = capsys.readouterr().out
    assert environment.key_encryption_key.split()[1] not in shown
    assert {"setting": "SEMEL_ISSUER", "value": ISSUER, "from": "environment"} in json.loads(shown)


def test_a_good_ledger_is_good(environment: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = published(environment)
    assert run("ledger", "verify", str(folder)) == 0
    assert run("ledger", "export", str(tmp_path / "copy")) == 0
    assert "id.example/ledger: 1 entries" in capsys.readouterr().out


def test_one_flipped_byte_ends_with_1_and_names_the_file(
    environment: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = published(environment)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(files) >= 4
    for path in files:
        whole = path.read_bytes()
        path.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        assert run("ledger", "verify", str(folder), "--json") == 1
        found = [finding["file"] for finding in json.loads(capsys.readouterr().out)]
        assert path.relative_to(folder).as_posix() in found
        path.write_bytes(whole)
    assert run("ledger", "verify", str(folder)) == 0


def test_another_verifier_key_is_not_trusted(environment: Settings) -> None:
    folder = published(environment)
    other = "other.example/ledger" + (folder / "vkeys").read_text().split("\n")[0].removeprefix("id.example/ledger")
    assert run("ledger", "verify", str(folder), "--vkey", other) in {1, 2}


def test_the_outbox_is_listed_and_dead_letters_are_replayed(
    environment: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    def listed(*more: str) -> list[dict[str, object]]:
        assert run("outbox", "list", "--json", *more) == 0
        rows: list[dict[str, object]] = json.loads(capsys.readouterr().out)
        return rows

    now = machine_clock.micros()
    installation.create(environment, now)
    letters = Outbox(installation.root_keyring(environment).ring("outbox"))
    database = Database.open(environment.database)
    for place in ("https://one.example/in?tenant=1", "https://two.example/in"):
        with database.write() as tx:
            content = Unsigned("ES256", {"sub": "whoever"})
            letters.enqueue(tx, kind="backchannel_logout", client_id="rp", destination=place, content=content, now=now)
            (letter,) = letters.claim(tx, now, most=1)
            outbox.failed(tx, letter, "address", now, final=place.startswith("https://two"))
    database.close()
    assert [(row["state"], row["to"]) for row in listed()] == [
        ("waiting", "https://one.example"),
        ("dead", "https://two.example"),
    ]
    (dead,) = listed("--dead")
    assert (dead["kind"], dead["client_id"], dead["error"], dead["attempts"]) == (
        "backchannel_logout",
        "rp",
        "address",
        1,
    )
    assert "whoever" not in str(dead)
    assert run("outbox", "replay") == 2
    assert run("outbox", "replay", str(dead["id"]), "--all") == 2
    assert run("outbox", "replay", "unknown") == 1
    assert run("outbox", "replay", str(dead["id"])) == 0
    assert run("outbox", "replay", "--all") == 1
    capsys.readouterr()
    assert [row["state"] for row in listed()] == ["waiting", "waiting"]


COMMANDS = [
    ("init",),
    ("serve",),
    ("db", "status"),
    ("db", "upgrade"),
    ("keys", "list"),
    ("keys", "rotate"),
    ("clients", "list"),
    ("clients", "token"),
    ("clients", "lint"),
    ("outbox", "list"),
    ("people", "show", "maria"),
    ("personas", "list"),
    ("ledger", "checkpoint"),
]
# fmt: off
MISSING = [
    # what is wrong                  the settings                                                               what is said of it
    ("an unreachable database",      {"SEMEL_DATABASE_URL": "postgresql+psycopg://x:hunter2@127.0.0.1:1/x"},    "database"),
    ("no database address",          {"SEMEL_DATABASE_URL": "nonsense"},                                        "database"),
    ("no such kind of database",     {"SEMEL_DATABASE_URL": "mysql://x:hunter2@127.0.0.1/x"},                   "sqlite and postgresql"),
    ("no declarations",              {"SEMEL_CONFIG_DIR": "/nowhere/at/all", "SEMEL_MODE": "sandbox"},          "/nowhere/at/all"),
    ("no root keyring",              {"SEMEL_KEY_ENCRYPTION_KEY": "", "SEMEL_KEY_ENCRYPTION_KEY_FILE": "/nowhere/roots"}, "/nowhere/roots"),
    ("a keyring that is none",       {"SEMEL_KEY_ENCRYPTION_KEY": "hunter2"},                                   "root keyring"),
    ("settings that contradict",     {"SEMEL_TOKEN_SECONDS": "7200"},                                           "SEMEL_TOKEN_SECONDS"),
]
# fmt: on


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(("what", "settings", "says"), MISSING, ids=[row[0] for row in MISSING])
def test_no_command_answers_with_a_traceback(
    environment: Settings,
    command: tuple[str, ...],
    what: str,
    settings: dict[str, str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever is missing: a sentence, and 2 where the command needs it; a command that does not need it goes on."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    status = run(*command)
    said = capsys.readouterr()
    assert "Traceback" not in said.err + said.out
    assert "hunter2" not in said.err + said.out
    assert status in {0, 1, 2}
    if status == 2:
        assert said.err.startswith("semel: ")
    if command == ("serve",) or what == "settings that contradict":
        assert status == 2
        assert says in said.err


def test_bad_declarations_are_all_said_at_once_by_whichever_command_reads_them(
    environment: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("SEMEL_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "config" / "clients").mkdir(parents=True)
    (tmp_path / "config" / "clients" / "one.toml").write_text('client_id = "one"\ncolour = 3\n')
    (tmp_path / "config" / "clients" / "two.toml").write_text("client_id = \n")
    assert run("clients", "list") == 2
    said = capsys.readouterr().err
    assert "clients/one.toml:2: colour" in said
    assert "clients/two.toml:1: not TOML" in said
    assert run("config", "check", "--json") == 1
    found = {(row["file"], row["line"]) for row in json.loads(capsys.readouterr().out)}
    assert found >= {("clients/one.toml", 2), ("clients/two.toml", 1)}


def test_config_check_finds_what_is_no_setting_and_what_contradicts(
    environment: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEMEL_TOKN_SECONDS", "60")
    monkeypatch.setenv("SEMEL_TOKEN_SECONDS", "7200")
    monkeypatch.setenv("SEMEL_JOURNEY_SECONDS", "50000")
    assert run("config", "check", "--json") == 1
    found = [row["finding"] for row in json.loads(capsys.readouterr().out)]
    assert "SEMEL_TOKN_SECONDS is no setting" in found
    assert any(one.startswith("SEMEL_TOKEN_SECONDS must be") for one in found)
    assert any(one.startswith("SEMEL_JOURNEY_SECONDS must not") for one in found)


def test_config_schema_is_json_schema(environment: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("config", "schema") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["environment"]["properties"]["SEMEL_ISSUER"]["type"] == "string"
    assert made["clients/*.toml"]["properties"]["client_id"]
    assert environment.key_encryption_key.split()[1] not in json.dumps(made)


def test_the_mode_is_recorded_once(environment: Settings) -> None:
    installation.create(environment, machine_clock.micros())
    database = Database.open(environment.database)
    with database.write() as tx:
        assert tx.execute(select(install.c.mode)).scalar_one() == "production"
        tx.execute(update(install).values(mode=None))
    assert run("db", "upgrade") == 0
    with database.read() as tx:
        assert tx.execute(select(install.c.mode)).scalar_one() == "production"
    database.close()


@pytest.mark.parametrize(
    ("text", "says"),
    [("[[personas]]\nid = 'x'\n", "username"), ("personas = 3\n", "personas.toml"), ("[[", "personas.toml:1")],
)
def test_a_file_of_personas_that_is_none_is_a_sentence(
    environment: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    text: str,
    says: str,
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "personas.toml").write_text(text)
    monkeypatch.setenv("SEMEL_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("SEMEL_MODE", "sandbox")
    for command in (("personas", "list"), ("init",), ("serve",)):
        assert run(*command) == 2
        told = capsys.readouterr().err
        assert says in told
        assert "Traceback" not in told
    assert run("config", "check", "--json") == 1
    assert "personas.toml" in {row["file"] for row in json.loads(capsys.readouterr().out)}
    assert run("doctor") == 1
