"""`semel people`: an account is made and helped without a value told and without acting as the person; all of it is noted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from broker import installation, throttle
from broker.database import Database
from broker.people import activation, activity, people
from broker.settings import Settings
from broker.sign_in import password, relying_parties, session
from broker.sign_in.relying_parties import RelyingParty
from broker.tables import activation as links
from broker.tables import outbox, person
from keys.keyring import RootKeyring
from keys.vault import Vault
from tests import machine_clock
from tests.broker.test_cli import environment, run

__all__ = ["environment"]  # a fixture of the neighbour

NUMBER = "19880314-0142"
CREATE = ("people", "create", "--username", "nora", "--name", "Nora Lind", "--person-number", NUMBER)


class Desk:
    """An installation, its database, and what commands print."""

    def __init__(self, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
        self.settings, self.capsys = settings, capsys
        self.database = Database.open(settings.database)
        self.roots: RootKeyring = installation.root_keyring(settings)
        self.vault = Vault(settings.person_keys)

    def says(self, *arguments: str) -> Any:
        self.capsys.readouterr()
        assert run(*arguments, "--json") == 0, self.capsys.readouterr().err
        return json.loads(self.capsys.readouterr().out)

    def create(self, *more: str) -> dict[str, Any]:
        return dict(self.says(*CREATE, "--proofing", "substantial", *more)[0])

    def noted(self) -> list[str]:
        with self.database.read() as tx:
            of = tx.execute(select(person.c.person_id)).scalar_one()
            return [one["type"] for one in activity.read(tx, self.vault, of)]

    def begin(self, **more: Any) -> session.Session:
        """A session of the one person there is."""
        now = machine_clock.micros()
        with self.database.write() as tx:
            of = tx.execute(select(person.c.person_id)).scalar_one()
            return session.start(
                tx, of, **{"state": "full", "acr": "x", "amr": ("pwd",), "now": now, "idle": 900, "longest": 900} | more
            )[1]

    def person(self) -> people.Person:
        with self.database.read() as tx:
            found = people.by_username(tx, self.roots, "nora")
        assert found is not None
        return found

    def purpose(self, link: str) -> str:
        with self.database.read() as tx:
            found = activation.find(tx, link.rsplit("/", 1)[1], machine_clock.micros())
        assert found is not None
        return f"{found.purpose} {found.state}"


@pytest.fixture
def desk(environment: Settings, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    """A production installation, not served."""
    installation.create(environment, machine_clock.micros())
    made = Desk(environment, capsys)
    yield made
    made.database.close()


def active(desk: Desk, *, app: bool = True) -> None:
    """Let the one person there is have set up their account."""
    with desk.database.write() as tx:
        of = tx.execute(select(person.c.person_id)).scalar_one()
        people.renew_password(tx, of, password.seal("$argon2id$made", desk.roots.ring("pepper")))
        if app:
            people.set_second_factor(tx, desk.roots, of, "JBSWY3DPEHPK3PXP", 0)
        activation.withdraw(tx, of)


def test_create_prints_a_link_that_is_stored_as_a_hash(desk: Desk) -> None:
    made = desk.create()
    assert made["activation_link"].startswith("https://id.example/activate/")
    assert desk.purpose(made["activation_link"]) == "account open"
    with desk.database.read() as tx:
        row = tx.execute(select(links)).one()
        told = people.subject(tx, desk.vault, made["id"])
    assert made["activation_link"].rsplit("/", 1)[1] not in repr(row)
    assert (told.person_number, desk.person().proofing) == (NUMBER, "substantial"), "what registers find them by"
    assert desk.noted() == ["support.account_created"]
    assert desk.person().password_hash == people.UNSET


def test_what_is_not_given_is_asked_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a number need not stand in the shell's history."""
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(f"nora\nNora Lind\n{NUMBER}\nhigh\n"))
    assert run("people", "create", "--hours", "1") == 0
    assert desk.person().proofing == "high"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((*CREATE, "--proofing", "certain"), "low, substantial or high"),
        ((*CREATE, "--proofing", "low", "--hours", "505"), "504"),
        (("people", "create", "--username", " ", "--name", "N", "--person-number", "1", "--proofing", "low"), "empty"),
        (("people", "show", "nobody"), "nobody signs in"),
        (("people", "reset-password", "nobody"), "nobody signs in"),
        (("people", "nonsense"), "nonsense"),
    ],
)
def test_what_is_used_wrong_ends_with_2(desk: Desk, arguments: tuple[str, ...], why: str) -> None:
    assert run(*arguments) == 2
    assert why in desk.capsys.readouterr().err.replace("\n", " ")


def test_a_name_is_taken_once(desk: Desk) -> None:
    desk.create()
    assert run(*CREATE, "--proofing", "low") == 2
    assert "already" in desk.capsys.readouterr().err
    with desk.database.read() as tx:
        assert len(tx.execute(select(person)).all()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        (*CREATE, "--proofing", "low"),
        *(("people", command, "nora") for command in (
            "show", "reset-password", "reset-second-factor", "unlock", "sessions", "end-sessions",
        )),
    ],
)  # fmt: skip
def test_a_served_file_is_left_alone(desk: Desk, arguments: tuple[str, ...]) -> None:
    """Every one of them writes: at least into the person's activity."""
    if not desk.settings.database.startswith("sqlite"):
        pytest.skip("PostgreSQL has many writers")
    with installation.claim(desk.settings):
        assert run(*arguments) == 2
    assert "stop the server first" in desk.capsys.readouterr().err


def test_show_tells_the_state_and_no_value(desk: Desk) -> None:
    desk.create("--email", "nora@mail.example", "--phone", "+1 555")
    (waits,) = desk.says("people", "show", "NORA")
    assert (waits["state"], waits["second_factor"], waits["sessions"]) == ("waits for activation", False, 0)
    assert waits["link_good_until"]
    active(desk)
    desk.begin()
    (shown,) = desk.says("people", "show", "nora")
    assert (shown["state"], shown["second_factor"], shown["sessions"]) == ("active", True, 1)
    assert shown["link_good_until"] is None
    for value in ("Nora", "Lind", NUMBER, "mail.example", "555"):
        assert value not in json.dumps([waits, shown])
    assert desk.noted() == ["support.looked_up", "support.looked_up", "support.account_created"]


def test_resetting_a_password_ends_it_and_every_session_at_once(desk: Desk) -> None:
    desk.create()
    active(desk)
    for state in ("full", "full", "password"):
        desk.begin(state=state)
    (told,) = desk.says("people", "reset-password", "nora")
    assert told["sessions_ended"] == 2, "half a session is none, and ends all the same"
    assert desk.purpose(told["activation_link"]) == "password open"
    assert desk.person().password_hash == people.UNSET
    with desk.database.read() as tx:
        assert session.of_person(tx, told["id"], machine_clock.micros()) == []
    assert desk.noted()[0] == "support.password_reset"


def test_resetting_an_app_ends_it_at_once(desk: Desk) -> None:
    desk.create()
    active(desk)
    desk.begin()
    (told,) = desk.says("people", "reset-second-factor", "nora")
    assert desk.purpose(told["activation_link"]) == "second_factor open"
    found = desk.person()
    assert found.totp_sealed is not None, "a password alone must not sign in now"
    assert not found.has_app
    assert found.password_hash != people.UNSET
    (shown,) = desk.says("people", "show", "nora")
    assert (shown["second_factor"], shown["sessions"]) == (False, 0)


@pytest.mark.parametrize(
    ("app", "commands", "purpose"),
    [
        (True, [("reset-password",)], "password"),
        (False, [("reset-password",)], "password"),
        (True, [("reset-password", "--second-factor")], "account"),
        (True, [("reset-second-factor",)], "second_factor"),
        (True, [("reset-second-factor",), ("reset-password",)], "account"),
        (True, [("reset-password",), ("reset-second-factor",)], "account"),
        (True, [("reset-password",), ("reset-password",)], "password"),
        (None, [("reset-password",)], "account"),
        (None, [("reset-second-factor",)], "account"),
    ],
)
def test_a_link_sets_what_is_missing_and_no_more(
    desk: Desk, app: bool | None, commands: list[tuple[str, ...]], purpose: str
) -> None:
    """Nobody is left with a link that cannot be completed; an earlier link ends with the next one."""
    first = desk.create()["activation_link"]
    if app is not None:
        active(desk, app=app)
    told = [desk.says("people", command, "nora", *more)[0] for command, *more in commands]
    assert desk.purpose(told[-1]["activation_link"]) == f"{purpose} open"
    with desk.database.read() as tx:
        assert activation.find(tx, first.rsplit("/", 1)[1], 1) is None
        assert len(tx.execute(select(links)).all()) == 1


def test_unlock_forgets_what_was_tried(desk: Desk) -> None:
    desk.create()
    named = people.name_codes(desk.roots, "nora")[0]
    from broker.sign_in.attempts import ACCOUNT

    now = machine_clock.micros()
    with desk.database.write() as tx:
        while throttle.allow(tx, "sign-in-account", named, ACCOUNT, now) is None:
            pass
    (shown,) = desk.says("people", "show", "nora")
    assert shown["wait_seconds"] > 0
    (told,) = desk.says("people", "unlock", "nora")
    assert told["waited_seconds"] > 0
    assert desk.says("people", "show", "nora")[0]["wait_seconds"] == 0
    assert "support.unlocked" in desk.noted()


def test_sessions_are_listed_and_ended_with_the_agencies_told(desk: Desk) -> None:
    desk.create()
    desk.begin(state="password")
    live = desk.begin(acr="http://eidas.europa.eu/LoA/substantial", amr=("pwd", "otp"))
    party = RelyingParty("norr", "norr", "ES256", "https://norr.example/logout", None, False)
    with desk.database.write() as tx:
        assert relying_parties.note(tx, desk.vault.person(tx, live.person_id), live, party)
    (one,) = desk.says("people", "sessions", "nora")
    assert (one["amr"], one["acr"]) == ("pwd otp", "http://eidas.europa.eu/LoA/substantial")
    assert live.id_hash.hex() not in json.dumps(one)
    (told,) = desk.says("people", "end-sessions", "nora")
    assert told["sessions_ended"] == 1
    assert desk.says("people", "sessions", "nora") == []
    with desk.database.read() as tx:
        assert [row.client_id for row in tx.execute(select(outbox))] == ["norr"], "Back-Channel Logout 1.0 §2.5"
    assert desk.noted()[:3] == ["support.sessions_listed", "support.sessions_ended", "support.sessions_listed"]


def test_nothing_is_written_without_an_installation(environment: Settings, tmp_path: Path) -> None:
    assert run(*CREATE, "--proofing", "low") == 2
