"""`semel people`: support for citizens without a value of theirs and without acting as them; every use stands in their activity.

Nobody's password or second factor is ever known here: a person sets them on the page of a link that is good once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from broker import installation, logout, terminal, throttle
from broker.app import clock
from broker.database import Tx
from broker.notices.outbox import Outbox
from broker.notices.security_events import Signals
from broker.pages.citizen import credentials, one_time_code
from broker.people import activation, activity, people
from broker.people.people import Person, Proofing
from broker.settings import Settings
from broker.sign_in import attempts, session
from broker.sign_in import one_time_code as codes
from broker.terminal import AsJson
from keys.keyring import RootKeyring
from keys.vault import Vault

LONGEST_LINK = 504  # hours: 21 days (NIST SP 800-63B-4 §4.2)

citizens = typer.Typer(no_args_is_help=True, help="Citizens: make their accounts, and help when they are locked out.")

Username = Annotated[str, typer.Argument(help="What they sign in with.")]
Hours = Annotated[int, typer.Option(min=1, max=LONGEST_LINK, help="How long the link is good.")]


@dataclass(frozen=True)
class Desk:
    """What a command works with: an open transaction, the server's secrets, the time in microseconds."""

    tx: Tx
    settings: Settings
    roots: RootKeyring
    vault: Vault
    signals: Signals
    now: int

    @property
    def outbox(self) -> Outbox:
        """Where letters to agencies are laid down."""
        return self.signals.outbox

    def person(self, username: str) -> Person:
        """Find whom a command is about; ends with status 2 when there is nobody of that name."""
        found = people.by_username(self.tx, self.roots, username)
        if found is None:
            terminal.misused("nobody signs in with this name")
        return found

    def note(self, person_id: str, what: str) -> None:
        """Write into the person's activity what was done for them here."""
        activity.record(self.tx, self.vault, person_id, {"type": what}, self.now)

    def link(self, person_id: str, purpose: activation.Purpose, hours: int) -> dict[str, Any]:
        """Make a link and say what it is and until when."""
        expires = self.now + hours * activation.HOUR
        token = activation.issue(self.tx, person_id, purpose, expires)
        return {"activation_link": f"{self.settings.issuer}/activate/{token}", "good_until": _time(expires)}


@contextmanager
def _desk() -> Iterator[Desk]:
    settings = Settings()
    roots, now = installation.root_keyring(settings), clock()
    signals = Signals(settings.issuer, Outbox(roots.ring("outbox")), roots.ring("signals"))
    with installation.changing(settings) as tx:
        yield Desk(tx, settings, roots, Vault(settings.person_keys), signals, now)


@citizens.command("create")
def people_create(  # noqa: PLR0917 - options of the command line, given by name
    username: Annotated[str, typer.Option(prompt=True, help="What they will sign in with.")],
    name: Annotated[str, typer.Option(prompt=True, help="Their name, as their account shows it.")],
    person_number: Annotated[str, typer.Option(prompt=True, help="The number by which registers know them.")],
    proofing: Annotated[
        str, typer.Option(prompt=True, help="How well they were identified: low, substantial or high.")
    ],
    email: Annotated[str | None, typer.Option(help="Their e-mail address.")] = None,
    phone: Annotated[str | None, typer.Option(help="Their telephone number.")] = None,
    language: Annotated[str, typer.Option(help="The language they read: en or ar.")] = "en",
    hours: Hours = 24,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Make a citizen's account; prints the link on which they set their password and second factor. It is shown once.

    What is not given as an option is asked for, so that it need not stand in the shell's history.
    """
    level = _proofing(proofing)
    told = {"username": username, "name": name, "person-number": person_number}
    for option, value in told.items():
        if not value.strip() or not value.isprintable():
            terminal.misused(f"--{option} must not be empty or hold control characters")
    with _desk() as desk:
        day = time.strftime("%Y-%m-%d", time.gmtime(desk.now // 1_000_000))
        profile = people.Profile(name.strip(), person_number.strip(), email, phone, language, as_of=day)
        made = people.Enrolment(username, people.UNSET, None, level, profile)
        try:
            person_id = people.enrol(desk.tx, desk.vault, desk.roots, made, desk.now)
        except people.UsernameTaken:
            terminal.misused("somebody signs in with this name already")
        desk.note(person_id, "support.account_created")
        row = {"id": person_id, "proofing": level, **desk.link(person_id, "account", hours)}
    terminal.show([row], as_json=as_json)


@citizens.command("show")
def people_show(username: Username, as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """How somebody's account stands: no name, no number, nothing that they share."""
    with _desk() as desk:
        person = desk.person(username)
        until = activation.pending(desk.tx, person.person_id, desk.now)
        live = session.of_person(desk.tx, person.person_id, desk.now)
        row = {
            "id": person.person_id,
            "state": _state(person),
            "proofing": person.proofing,
            "second_factor": person.has_app,
            "created": _time(person.created),
            "sessions": sum(one.state == "full" for one in live),
            "wait_seconds": max(
                throttle.waits(desk.tx, *one, desk.now) for one in _counts(desk.roots, person, username)
            ),
            "link_good_until": None if until is None else _time(until),
        }
        desk.note(person.person_id, "support.looked_up")
    terminal.show([row], as_json=as_json)


@citizens.command("reset-password")
def people_reset_password(
    username: Username,
    second_factor: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--second-factor", help="The app is lost, too: only after they were identified anew.")
    ] = False,
    hours: Hours = 24,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """End a password and every session at once; prints the link on which the person chooses a new one.

    There they also need a code from their app; with `--second-factor` they set up a new app instead.
    """
    _reset(username, hours, password=True, second_factor=second_factor, as_json=as_json)


@citizens.command("reset-second-factor")
def people_reset_second_factor(
    username: Username,
    hours: Hours = 24,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """End an authenticator app and every session at once; prints the link on which the person sets up another, with their password."""
    _reset(username, hours, password=False, second_factor=True, as_json=as_json)


def _reset(username: str, hours: int, *, password: bool, second_factor: bool, as_json: bool) -> None:
    with terminal.progress(quiet=as_json) as progress, _desk() as desk:
        person = desk.person(username)
        of, unset = person.person_id, password or person.password_hash == people.UNSET
        no_app = second_factor or (person.totp_sealed is not None and not person.has_app)
        first = unset and person.totp_sealed is None and person.password_hash == people.UNSET  # never activated
        purpose: activation.Purpose = "second_factor" if no_app else "password"
        if unset and (no_app or first):
            purpose = "account"
        if password:
            people.renew_password(desk.tx, of, people.UNSET)
            desk.note(of, "support.password_reset")
        if second_factor:  # nobody knows this secret: no code fits until the person has set up an app
            people.set_second_factor(desk.tx, desk.roots, of, codes.new_secret(), people.NO_APP)
            desk.note(of, "support.second_factor_reset")
        ended = logout.end_all(
            desk.tx, desk, of, desk.now, progress=lambda done, all_: progress("Ending sessions", done, all_)
        )
        row = {"id": of, "sessions_ended": ended, **desk.link(of, purpose, hours)}
    terminal.show([row], as_json=as_json)


@citizens.command("unlock")
def people_unlock(username: Username, as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Forget failed attempts, so that somebody need not wait."""
    with _desk() as desk:
        person = desk.person(username)
        counts = _counts(desk.roots, person, username)
        waited = max(throttle.waits(desk.tx, *one, desk.now) for one in counts)
        for kind, mac, _ in counts:
            throttle.clear(desk.tx, kind, mac)
        desk.note(person.person_id, "support.unlocked")
    terminal.show([{"id": person.person_id, "waited_seconds": waited}], as_json=as_json)


@citizens.command("sessions")
def people_sessions(username: Username, as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Where somebody is signed in: since when, until when, how; never what a session could be used with."""
    with _desk() as desk:
        person = desk.person(username)
        rows = [
            {
                "since": _time(one.auth_time),
                "ends_unused": _time(one.idle_until),
                "ends": _time(one.expires),
                "acr": one.acr,
                "amr": " ".join(one.amr),
            }
            for one in session.of_person(desk.tx, person.person_id, desk.now)
            if one.state == "full"
        ]
        desk.note(person.person_id, "support.sessions_listed")
    terminal.show(rows, as_json=as_json)


@citizens.command("end-sessions")
def people_end_sessions(
    username: Username,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Sign somebody out everywhere, agencies included."""
    with terminal.progress(quiet=as_json) as progress, _desk() as desk:
        person = desk.person(username)
        ended = logout.end_all(
            desk.tx, desk, person.person_id, desk.now, progress=lambda n, of: progress("Ending sessions", n, of)
        )
        desk.note(person.person_id, "support.sessions_ended")
    terminal.show([{"id": person.person_id, "sessions_ended": ended}], as_json=as_json)


def _counts(roots: RootKeyring, person: Person, username: str) -> list[tuple[str, bytes, throttle.Limit]]:
    """Name what counts a person's attempts wherever they come from; a browser that is known has counts of its own."""
    named, of = people.name_codes(roots, username)[0], person.person_id.encode()
    return [
        ("sign-in-account", named, attempts.ACCOUNT),
        ("code-account", of, one_time_code.CODES),
        (credentials.KIND, of, credentials.LIMIT),
    ]


def _state(person: Person) -> str:
    if person.disabled:
        return "disabled"
    return "waits for activation" if person.password_hash == people.UNSET else "active"


def _proofing(text: str) -> Proofing:
    levels: dict[str, Proofing] = {"low": "low", "substantial": "substantial", "high": "high"}
    if text.strip() not in levels:
        terminal.misused("--proofing must be low, substantial or high")
    return levels[text.strip()]


def _time(micros: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(micros // 1_000_000))
