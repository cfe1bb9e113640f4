"""A journey: one person, one session, one browser, one decision, one code (RFC 6749 §4.1.2, RFC 9700 §2.1)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from broker.answers import Refusal
from broker.authorization import journey
from broker.authorization.journey import Redeemable, Spent
from broker.database import Database
from broker.evidence import preview
from broker.sign_in.session import Session
from broker.tables import journey as table
from broker.tables import sealed_row, token_family
from keys import sealing
from tests.broker.provider import Provider, wire

SECOND = 1_000_000
HANDLE = b"h" * journey.HANDLE
ID = "public-id"
TOKEN = "an.access.token-of-enough-characters"


@pytest.fixture
def provider(database: Database, tmp_path: Path, now: int) -> Provider:
    return wire(database, tmp_path, now)


@pytest.fixture
def someone(now: int) -> Session:
    return Session(b"s" * 32, "somebody", "full", "acr", ("pwd",), now - 7, None, b"", now + 10**12, now + 10**12)


def begun(provider: Provider, someone: Session, **changed: Any) -> bool:
    given: dict[str, Any] = {
        "journey_id": ID,
        "handle": HANDLE,
        "language": "en",
        "expires": provider.now + 900 * SECOND,
    }
    with provider.database.write() as tx:
        return journey.begin(tx, session=someone, request=provider.asked(), **{**given, **changed})


def shared(provider: Provider, someone: Session) -> str:
    """Go as far as Continue; return the code."""
    begun(provider, someone)
    now, secret = provider.now, journey.code(HANDLE, ID)
    with provider.database.write() as tx:
        assert journey.previewed(tx, ID, "entry", now + 900 * SECOND)
        preview.hold(
            tx,
            provider.parts.vault,
            row_id=ID,
            person_id=someone.person_id,
            auth_time=someone.auth_time,
            found={},
            publics=[sealing.public_of(HANDLE), sealing.public_of(secret.encode())],
            now=now,
            expires=now + 960 * SECOND,
        )
        assert journey.decided(
            tx, ID, before="previewed", state="shared", permission_id="permission", expires=now + 600 * SECOND
        )
        assert journey.mint(tx, ID, now, now + 60 * SECOND)
    return secret


def look(provider: Provider, secret: str) -> Redeemable | Spent | None:
    with provider.database.read() as tx:
        return journey.redeemable(tx, provider.parts.vault, secret, provider.now)


def spend(provider: Provider, taken: Redeemable, token: str = TOKEN) -> Refusal | None:
    now = provider.now
    with provider.database.write() as tx:
        return journey.spend(tx, provider.parts.vault, taken, access_token=token, now=now, expires=now + 300 * SECOND)


def held(provider: Provider, handle: bytes) -> bool:
    with provider.database.read() as tx:
        return preview.open_(tx, provider.parts.vault, handle, provider.now) is not None


def family(provider: Provider) -> Any:
    with provider.database.read() as tx:
        return tx.execute(select(token_family)).one()


# --- the code


def test_the_code_is_the_same_while_it_is_asked_for_and_another_journeys_is_another() -> None:
    assert journey.code(HANDLE, ID) == journey.code(HANDLE, ID)
    assert len(journey.code(HANDLE, ID)) == 43
    assert len({journey.code(HANDLE, ID), journey.code(HANDLE, "x"), journey.code(b"x" * 32, ID)}) == 3


def test_nothing_stored_gives_the_code_the_handle_or_the_person(provider: Provider, someone: Session) -> None:
    secret = shared(provider, someone)
    with provider.database.read() as tx:
        (row,) = tx.execute(select(table)).all()
    stored = b"\x00".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
    for hidden in (secret.encode(), HANDLE, b"somebody", someone.id_hash, str(someone.auth_time).encode()):
        assert hidden not in stored


def test_the_binding_names_a_session_to_its_handle_only(someone: Session) -> None:
    other = replace(someone, secret=b"t" * 32)
    made = {journey.binding(h, s) for h in (HANDLE, b"x" * 32) for s in (someone, other)}
    assert len(made) == 4
    assert not {someone.id_hash, someone.secret} & made
    again = replace(someone, id_hash=b"t" * 32)
    assert journey.binding(HANDLE, again) == journey.binding(HANDLE, someone), "the same person, signed in anew"


# --- from step to step, once


def test_it_begins_once(provider: Provider, someone: Session) -> None:
    assert begun(provider, someone)
    assert not begun(provider, someone, handle=b"x" * 32)
    with provider.database.read() as tx:
        found = journey.get(tx, ID)
        assert journey.get(tx, "unknown") is None
    assert found is not None
    assert (found.state, found.handle_public, found.request) == ("open", sealing.public_of(HANDLE), provider.asked())


STEPS = {
    "previewed": lambda tx, now: journey.previewed(tx, ID, "entry", now + 1),
    "shared": lambda tx, now: journey.decided(
        tx, ID, before="previewed", state="shared", permission_id="p", expires=now + 1
    ),
    "refused": lambda tx, now: journey.decided(
        tx, ID, before="previewed", state="refused", permission_id=None, expires=now + 1
    ),
    "again": lambda tx, now: journey.previewed(tx, ID, "entry", now + 1, again=True),
    "minted": lambda tx, now: journey.mint(tx, ID, now, now + 1),
}

# fmt: off
ORDERS = [
    # steps                                          each goes through
    (["previewed", "previewed"],                     [True, False]),          # two tabs: one preview
    (["previewed", "again", "shared"],               [True, True, True]),
    (["again"],                                      [False]),
    (["shared"],                                     [False]),                # nothing was seen
    (["minted"],                                     [False]),
    (["previewed", "minted"],                        [True, False]),
    (["previewed", "shared", "shared"],              [True, True, False]),    # two presses: one permission
    (["previewed", "shared", "refused"],             [True, True, False]),
    (["previewed", "refused", "shared"],             [True, True, False]),
    (["previewed", "refused", "minted"],             [True, True, False]),
    (["previewed", "shared", "again"],               [True, True, False]),
    (["previewed", "shared", "minted", "minted"],    [True, True, True, True]),  # the same code
]
# fmt: on


@pytest.mark.parametrize(("steps", "through"), ORDERS)
def test_the_order_of_steps(provider: Provider, someone: Session, steps: list[str], through: list[bool]) -> None:
    begun(provider, someone)
    seen = []
    for step in steps:
        with provider.database.write() as tx:
            seen.append(STEPS[step](tx, provider.now))
    assert seen == through


def test_only_who_decides_gets_more_time(provider: Provider, someone: Session) -> None:
    begun(provider, someone)
    ends = []
    for step in (None, "previewed", "shared"):
        with provider.database.write() as tx:
            if step:
                assert STEPS[step](tx, provider.now)
            journey.extend(tx, ID, provider.now + 7777)
            ends.append(tx.execute(select(table.c.expires)).scalar_one() - provider.now)
    assert ends == [900 * SECOND, 7777, 1]


# --- minting


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (59, True), (60, False), (3600, False)])
def test_a_code_is_found_again_within_its_minute(
    provider: Provider, someone: Session, seconds: int, *, good: bool
) -> None:
    secret = shared(provider, someone)
    provider.later(seconds)
    with provider.database.write() as tx:
        assert journey.mint(tx, ID, provider.now, provider.now + 60 * SECOND) == good
        ends = tx.execute(select(table.c.code_expires)).scalar_one()
    assert ends == provider.now - seconds * SECOND + 60 * SECOND, "asking again makes it no longer"
    assert (look(provider, secret) is not None) == good


def test_a_receipt_that_was_read_too_long_gives_no_code(provider: Provider, someone: Session) -> None:
    begun(provider, someone)
    for step in ("previewed", "shared"):
        with provider.database.write() as tx:
            assert STEPS[step](tx, provider.now)
    with provider.database.write() as tx:
        assert not journey.mint(tx, ID, provider.now + 1, provider.now + 60 * SECOND)


# --- redeeming


def test_looking_spends_nothing(provider: Provider, someone: Session) -> None:
    secret = shared(provider, someone)
    for _ in range(2):
        found = look(provider, secret)
        assert isinstance(found, Redeemable)
    assert (found.person_id, found.permission_id) == ("somebody", "permission")
    assert found.held.auth_time == someone.auth_time


@pytest.mark.parametrize("secret", ["", "x" * 43, "é" * 43, journey.code(b"x" * 32, ID)])
def test_what_is_no_code(provider: Provider, someone: Session, secret: str) -> None:
    shared(provider, someone)
    assert look(provider, secret) is None


def test_a_code_that_was_not_minted_is_none(provider: Provider, someone: Session) -> None:
    secret = shared(provider, someone)
    with provider.database.write() as tx:
        tx.execute(update(table).values(code_expires=None, state="shared"))
    assert look(provider, secret) is None


def test_spending_hands_over_to_the_token(provider: Provider, someone: Session) -> None:
    secret = shared(provider, someone)
    found = look(provider, secret)
    assert isinstance(found, Redeemable)
    assert spend(provider, found) is None
    assert held(provider, TOKEN.encode())
    assert not held(provider, HANDLE)
    assert not held(provider, secret.encode())
    started = family(provider)
    assert (started.family, started.permission_id, started.client_id, started.ended) == (
        found.family,
        "permission",
        "rp",
        None,
    )
    with provider.database.read() as tx:
        spent = journey.get(tx, ID)
        assert tx.execute(select(table.c.session)).scalar_one() == b"", "nothing binds a person to it any more"
    assert spent is not None
    assert spent.spent == provider.now
    provider.later(299)
    assert held(provider, TOKEN.encode())
    provider.later(1)
    assert not held(provider, TOKEN.encode())


def test_a_second_use_ends_the_tokens_of_the_first(provider: Provider, someone: Session) -> None:
    secret = shared(provider, someone)
    found = look(provider, secret)
    assert isinstance(found, Redeemable)
    assert spend(provider, found) is None
    again = look(provider, secret)
    assert again == Spent("rp", found.family)
    with provider.database.write() as tx:
        said = journey.reused(tx, again, provider.now)
    assert said == Refusal("invalid_grant", "the code was used before")
    assert family(provider).ended == provider.now


def test_of_two_who_looked_one_spends_and_the_tokens_end(provider: Provider, someone: Session) -> None:
    found = look(provider, shared(provider, someone))
    assert isinstance(found, Redeemable)
    assert spend(provider, found) is None
    said = spend(provider, found, "another.access.token-of-enough-characters")
    assert said is not None
    assert said.code == "invalid_grant"
    assert family(provider).ended == provider.now
    assert not held(provider, b"another.access.token-of-enough-characters")


def test_a_code_that_ran_out_between_look_and_press_is_not_spent(provider: Provider, someone: Session) -> None:
    found = look(provider, shared(provider, someone))
    assert isinstance(found, Redeemable)
    provider.later(60)
    assert spend(provider, found) is not None
    with provider.database.read() as tx:
        assert tx.execute(select(token_family)).all() == []
        assert tx.execute(select(table.c.spent)).scalar_one() is None


def test_without_what_is_sealed_a_code_is_worth_nothing(provider: Provider, someone: Session) -> None:
    secret = shared(provider, someone)
    with provider.database.write() as tx:
        preview.drop(tx, ID)
    assert look(provider, secret) is None


# --- ending


def test_a_stop_forgets_what_is_sealed_and_ends_every_token(provider: Provider, someone: Session, now: int) -> None:
    secret = shared(provider, someone)
    found = look(provider, secret)
    assert isinstance(found, Redeemable)
    assert spend(provider, found) is None
    with provider.database.write() as tx:
        journey.withdraw(tx, "another", now)
    assert held(provider, TOKEN.encode())
    with provider.database.write() as tx:
        journey.withdraw(tx, "permission", now)
    assert not held(provider, TOKEN.encode())
    assert family(provider).ended == now
    with provider.database.read() as tx:
        assert tx.execute(select(sealed_row)).all() == []


def test_a_stop_before_the_code_is_redeemed(provider: Provider, someone: Session, now: int) -> None:
    secret = shared(provider, someone)
    with provider.database.write() as tx:
        journey.withdraw(tx, "permission", now)
    assert look(provider, secret) is None


def test_ended_stays_ended_at_the_time_it_ended(provider: Provider, someone: Session, now: int) -> None:
    found = look(provider, shared(provider, someone))
    assert isinstance(found, Redeemable)
    assert spend(provider, found) is None
    for later in (now, now + 5):
        with provider.database.write() as tx:
            journey.withdraw(tx, "permission", later)
    assert family(provider).ended == now
