"""The person record: who may sign in, and their profile sealed with their own data key (erased with it)."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from broker.database import Tx
from broker.tables import person as table
from consent import release
from consent.ledger_entry import Stream
from consent.release import Sealed
from keys import canonical, sealing
from keys.keyring import RootKeyring
from keys.vault import PersonKeys, Vault, person_stream

Proofing = Literal["low", "substantial", "high"]

UNSET = ""  # in place of a password's hash: no password fits
NO_APP = 1 << 62  # in place of the last step: the app was taken away, and no code counts until another is set up

_BY_ID = select(table).where(table.c.person_id == bindparam("person"))
_PROFILE = select(table.c.profile_sealed).where(table.c.person_id == bindparam("person"))


class UsernameTaken(Exception):
    """Somebody signs in with this name already."""


@dataclass(frozen=True)
class Profile:
    """What a person told this service, and the number by which registers know them; `as_of` a day `YYYY-MM-DD`.

    `further`: other claims of OpenID Connect Core §5.1, by their names.
    """

    display_name: str = field(repr=False)
    person_number: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    language: str | None = field(default=None, repr=False)
    as_of: str | None = field(default=None, repr=False)
    further: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Person:
    """The row behind a sign-in. `password_hash` and `totp_sealed` open with the server's roots only.

    `created` in microseconds.
    """

    person_id: str
    password_hash: str = field(repr=False)
    totp_sealed: bytes | None = field(repr=False)
    totp_step: int
    proofing: Proofing
    disabled: bool
    created: int
    username_mac: bytes = field(repr=False)

    @property
    def has_app(self) -> bool:
        """Whether codes of an authenticator app count for them now."""
        return self.totp_sealed is not None and self.totp_step != NO_APP

    def is_named(self, roots: RootKeyring, text: str) -> bool:
        """Whether they sign in with this name."""
        return self.username_mac in name_codes(roots, text)


@dataclass(frozen=True)
class Enrolment:
    """A new person: what they sign in with, how well they were identified, what they told us.

    `password_hash` as `sign_in.password.seal` gives it, `UNSET` until they choose one; `totp_secret` in base32 (RFC 6238), None for a password alone.
    """

    username: str = field(repr=False)
    password_hash: str = field(repr=False)
    totp_secret: str | None = field(repr=False)
    proofing: Proofing
    profile: Profile


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """Whom the registers are asked about. `account` holds sealed values by name: name, email, phone, language, and `Profile.further`."""

    person_id: str
    person_number: str | None = field(repr=False)
    account: Mapping[str, Sealed[Any]] = field(repr=False)
    account_as_of: str | None = None


def enrol(tx: Tx, vault: Vault, roots: RootKeyring, enrolment: Enrolment, now: int) -> str:
    """Make a person with root, ledger stream and row; return their id. Raises `UsernameTaken`. `now` in microseconds."""
    person_id = str(uuid.uuid4())
    keys = vault.create_person(tx, person_id, now)
    vault.create_stream(tx, person_stream(person_id), now)
    secret = enrolment.totp_secret
    row = {
        "person_id": person_id,
        "username_mac": name_codes(roots, enrolment.username)[0],
        "password_hash": enrolment.password_hash,
        "totp_sealed": None if secret is None else roots.ring("totp").seal(secret.encode(), person_id.encode()),
        "totp_step": 0,
        "profile_sealed": _seal_profile(keys, person_id, enrolment.profile),
        "proofing": enrolment.proofing,
        "disabled": 0,
        "created": now,
    }
    try:
        tx.execute(insert(table).values(row))
    except IntegrityError as error:
        raise UsernameTaken from error
    return person_id


def by_username(tx: Tx, roots: RootKeyring, username: str) -> Person | None:
    """Find who signs in with a name, written in any case and Unicode form; also a disabled person."""
    row = tx.execute(select(table).where(table.c.username_mac.in_(name_codes(roots, username)))).first()
    return None if row is None else _person(row)


def by_id(tx: Tx, person_id: str) -> Person | None:
    """Find a person by id."""
    row = tx.execute(_BY_ID, {"person": person_id}).first()
    return None if row is None else _person(row)


def name_codes(roots: RootKeyring, username: str) -> tuple[bytes, ...]:
    """Name whoever signs in with a name without keeping the name: one code under every root, the newest first."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).strip().casefold())
    return roots.ring("pepper").macs(b"semel/username/v1\x00" + folded.encode("utf-8", "replace"))


def set_second_factor(tx: Tx, roots: RootKeyring, person_id: str, secret: str, step: int) -> None:
    """Store another secret (base32) of the authenticator app; codes up to `step` (of 30 s since 1970) count no more."""
    sealed = roots.ring("totp").seal(secret.encode(), person_id.encode())
    tx.execute(update(table).where(table.c.person_id == person_id).values(totp_sealed=sealed, totp_step=step))


def renew_password(tx: Tx, person_id: str, password_hash: str) -> None:
    """Store another hash: of the same password at today's costs, of a new one, or `UNSET`."""
    tx.execute(update(table).where(table.c.person_id == person_id).values(password_hash=password_hash))


def profile(tx: Tx, vault: Vault, person_id: str) -> Profile:
    """Open a person's profile; raises `keys.errors.NoSuchKey` for nobody and for an erased person."""
    keys = vault.person(tx, person_id)
    box = tx.execute(_PROFILE, {"person": person_id}).scalar_one()
    return Profile(**canonical.loads(sealing.decrypt(keys.data, box, _profile_context(person_id))))


def subject(tx: Tx, vault: Vault, person_id: str) -> Subject:
    """Say whom the registers are asked about; raises as `profile`."""
    told = profile(tx, vault, person_id)
    named = {"name": told.display_name, "email": told.email, "phone": told.phone, "language": told.language}
    given = {**told.further, **named}
    account = {name: release.seal(value) for name, value in given.items() if value is not None}
    return Subject(person_id, told.person_number, account, told.as_of)


def ledger_stream(tx: Tx, vault: Vault, person_id: str) -> Stream:
    """Return the newest generation of a person's stream; raises `keys.errors.NoSuchKey`."""
    key = vault.stream(tx, person_stream(person_id))
    return Stream(key.stream_id, key.generation, key.key)


def _seal_profile(keys: PersonKeys, person_id: str, told: Profile) -> bytes:
    given = {name: value for name, value in asdict(told).items() if value not in (None, {})}
    return sealing.encrypt(keys.data, canonical.dumps(given), _profile_context(person_id))


def _profile_context(person_id: str) -> bytes:
    return b"semel/profile/v1\x00" + person_id.encode()


def _person(row: Row[Any]) -> Person:
    return Person(
        row.person_id,
        row.password_hash,
        row.totp_sealed,
        row.totp_step,
        row.proofing,
        bool(row.disabled),
        row.created,
        row.username_mac,
    )
