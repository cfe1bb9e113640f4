"""The one map: every error has one form outside, by the surface that was called; what is not in the map says nothing."""

import importlib
import inspect
import json
import pkgutil
import sqlite3
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

import broker
from broker import committer, connection_limits, database, errors, installation, needs
from broker.answers import Json, Page, Refusal
from broker.authorization import verification
from broker.clients import key_sets, registry
from broker.errors import Malformed, Wire
from broker.evidence import answer as evidence
from broker.evidence import source
from broker.people import people
from broker.sign_in import password
from consent import errors as consent_errors
from keys import errors as keys_errors
from wallet import errors as wallet_errors

DOMAIN = [keys_errors, consent_errors, wallet_errors]
ROOTS = {keys_errors.KeysError, consent_errors.ConsentError, wallet_errors.WalletError}


def classes(module: Any) -> list[type[Exception]]:
    found = inspect.getmembers(module, inspect.isclass)
    return [one for _, one in found if issubclass(one, Exception) and one.__module__ == module.__name__]


def made(kind: type[Exception]) -> Exception:
    """One of a kind, whatever it wants to be told."""
    if kind.__init__ is Exception.__init__:
        return kind("maria@post.example")
    wanted = [p for p in inspect.signature(kind).parameters.values() if p.kind == p.POSITIONAL_OR_KEYWORD]
    return kind(*["tax.band" for p in wanted if p.default is p.empty])


@pytest.mark.parametrize(
    "kind", [kind for module in DOMAIN for kind in classes(module)], ids=lambda kind: kind.__name__
)
def test_every_domain_error_is_mapped(kind: type[Exception]) -> None:
    own = [root for root in ROOTS if issubclass(kind, root)]
    assert len(own) == 1, f"{kind.__name__} has no root"
    said = errors.refusal(made(kind))
    assert any(issubclass(kind, mapped) for mapped, _, _ in errors.MAP)
    assert 400 <= said.status <= 503
    assert said.code == "server_error" if said.status == 500 else said.code != "server_error"
    assert ("Retry-After" in said.headers) == (said.status == 503)


def test_no_row_of_the_map_hides_another() -> None:
    """The first row that fits counts: a root before its own children would swallow them."""
    kinds = [kind for kind, _, _ in errors.MAP]
    for place, kind in enumerate(kinds):
        assert not [earlier for earlier in kinds[:place] if issubclass(kind, earlier)], kind


def exceptions() -> Iterator[type[Exception]]:
    for found in pkgutil.walk_packages(broker.__path__, "broker."):
        if not found.name.startswith(("broker.migrations", "broker.cli", "broker.demo")):
            yield from classes(importlib.import_module(found.name))


#: Those that never reach a caller: who catches them, and where.
INSIDE: dict[type[Exception], str] = {
    database.UnsafeDatabase: "refuses to start",
    installation.NotReady: "refuses to start",
    installation.Served: "refuses to start",
    installation.AlreadyInstalled: "semel init",
    registry.BadClient: "refuses to start",
    people.UsernameTaken: "semel init, enrolment",
    password.Unfit: "enrolment",
    password.Busy: "broker.pages.citizen.sign_in: 503",
    key_sets.NoKeys: "broker.clients.authentication: invalid_client",
    evidence.Malformed: "the connectors: source_unavailable",
    verification.Unmet: "broker.authorization.verification: the claims are left out",
    source.SourceUnavailable: "broker.evidence.collect: the item's status",
    connection_limits.Busy: "broker.egress: EgressRefused",
    committer.TooManyEntries: "a fault of ours: server_error",
    needs.Stop: "the runner: carries the answer itself",
}


@pytest.mark.parametrize("kind", list(exceptions()), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_exception_of_the_broker_has_a_wire_form_or_a_place_that_catches_it(kind: type[Exception]) -> None:
    said = errors.refusal(made(kind))
    if issubclass(kind, Wire | Malformed):
        assert said.code not in {"", "server_error"}
    else:
        assert kind.__name__ in {"EgressRefused", "Unreachable"} or kind in INSIDE, "who catches it?"
        assert (said.code, said.description, said.status) == ("server_error", "", 500)


def test_a_stopping_server_asks_to_try_again() -> None:
    said = errors.refusal(committer.Closed())
    assert (said.code, said.status, said.headers) == ("temporarily_unavailable", 503, {"Retry-After": "1"})


def lost(state: str | None, kind: type[Exception] = psycopg.OperationalError) -> DBAPIError:
    class Problem(kind):  # type: ignore[misc, valid-type]  # each state in the clothes of its driver
        sqlstate = state

    return OperationalError("SELECT 1", {}, Problem("maria@post.example"))


# fmt: off
DATABASE = [
    # PostgreSQL, appendix A                         problem                                                         busy
    ("40001 serialization_failure",                  lost("40001"),                                                  True),
    ("40P01 deadlock_detected",                      lost("40P01"),                                                  True),
    ("55P03 lock_not_available",                     lost("55P03"),                                                  True),
    ("57014 query_canceled",                         lost("57014"),                                                  True),
    ("57P01 admin_shutdown",                         lost("57P01"),                                                  True),
    ("57P03 cannot_connect_now",                     lost("57P03"),                                                  True),
    ("53300 too_many_connections",                   lost("53300"),                                                  True),
    ("08006 connection_failure",                     lost("08006"),                                                  True),
    ("no server there",                              lost(None),                                                     True),
    ("no connection free",                           PoolTimeoutError(),                                             True),
    ("SQLite: locked",                               OperationalError("", {}, sqlite3.OperationalError("database is locked")), True),
    ("SQLite: locked by another process",            errors.Busy(),                                                  True),
    ("SQLite: no such table",                        OperationalError("", {}, sqlite3.OperationalError("no such table: x")), False),
    ("23505 unique_violation",                       IntegrityError("", {}, SimpleNamespace(sqlstate="23505")),      False),
    ("22P02 invalid_text_representation",            lost("22P02"),                                                  False),
]
# fmt: on


@pytest.mark.parametrize(("name", "problem", "busy"), DATABASE, ids=[row[0] for row in DATABASE])
def test_a_database_that_may_do_it_next_time_is_503(name: str, problem: Exception, *, busy: bool) -> None:
    said = errors.refusal(problem)
    assert said == (errors.BUSY if busy else Refusal("server_error", status=500))
    assert "Retry-After" in errors.BUSY.headers


@pytest.mark.parametrize(
    "problem",
    [
        RuntimeError("maria@post.example"),
        KeyError("maria@post.example"),
        consent_errors.BadValue("maria@post.example"),
        consent_errors.LedgerBroken("maria@post.example"),
        keys_errors.NoSuchKey("maria@post.example"),
        wallet_errors.InvalidSdJwt("maria@post.example"),
    ],
    ids=lambda problem: type(problem).__name__,
)
@pytest.mark.parametrize("speaks", ["page", "oauth", "resource", "public"])
def test_a_fault_of_ours_says_nothing(problem: Exception, speaks: errors.Speaks) -> None:
    said = errors.render(errors.refusal(problem), speaks, "c0ffee")
    assert said.status == 500
    content = said.context if isinstance(said, Page) else said.body
    assert "maria" not in json.dumps({"headers": dict(said.headers), "content": dict(content)})


# fmt: off
FORMS: list[tuple[str, errors.Speaks, Refusal, dict[str, Any]]] = [
    ("RFC 6749 §5.2", "oauth",    Refusal("invalid_grant"),                     {"error": "invalid_grant"}),
    ("RFC 6749 §5.2", "oauth",    Refusal("invalid_request", "a \"b\" \\ é\n"), {"error": "invalid_request", "error_description": "a ?b? ? ??"}),
    ("RFC 6750 §3.1", "resource", Refusal("access_denied", "no", status=403),   {"error": "access_denied", "error_description": "no"}),
    ("RFC 9110",      "public",   Refusal("not_found", status=404),             {"error": "not_found"}),
]
# fmt: on


@pytest.mark.parametrize(("section", "speaks", "refused", "body"), FORMS)
def test_programs_get_json(section: str, speaks: errors.Speaks, refused: Refusal, body: dict[str, Any]) -> None:
    said = errors.render(refused, speaks, "c0ffee")
    assert isinstance(said, Json)
    assert (said.status, said.body) == (refused.status, body | {"correlation_id": "c0ffee"}), section
    assert said.headers["Cache-Control"] == "no-store"
    assert "WWW-Authenticate" not in said.headers


def test_a_resource_challenges_with_the_scheme_it_takes() -> None:
    """RFC 9449 §7.1, RFC 6750 §3: on 401, in quotes that nothing can break out of."""
    refused, algs = Refusal("invalid_token", 'ended, "x"', status=401), 'algs="ES256 Ed25519 EdDSA PS256"'
    wrong = 'error="invalid_token", error_description="ended, ?x?"'
    for sent, challenge in [
        (None, f"Bearer, DPoP {algs}"),
        ("DPoP x", f"DPoP {wrong}, {algs}"),
        ("Basic x", f"DPoP {wrong}, {algs}"),
        ("bearer x", f"Bearer {wrong}, DPoP {algs}"),
    ]:
        assert errors.render(refused, "resource", "c0ffee", sent).headers["WWW-Authenticate"] == challenge
    own = Refusal("use_dpop_nonce", status=401, headers={"WWW-Authenticate": "DPoP x", "DPoP-Nonce": "n"})
    assert errors.render(own, "resource", "c").headers["WWW-Authenticate"] == "DPoP x"


def test_people_get_a_page_with_the_number_they_can_read_out() -> None:
    said = errors.render(Refusal("invalid_request_uri", "for developers", status=400, headers={"X": "y"}), "page", "c0")
    assert isinstance(said, Page)
    assert said.template == "problem.html"
    assert said.context == {"code": "invalid_request_uri", "correlation_id": "c0"}
    assert (said.status, said.headers) == (400, {"X": "y"})


def test_a_wire_error_is_its_own_refusal() -> None:
    problem = Wire("slow_down", "wait", status=429, headers={"Retry-After": "5"})
    assert errors.refusal(problem) == Refusal("slow_down", "wait", status=429, headers={"Retry-After": "5"})
    assert errors.refusal(Malformed("bad")) == Refusal("invalid_request", "bad")
    assert str(problem) == "slow_down"


@pytest.mark.parametrize("status", [408, 413])
def test_nothing_follows_a_body_that_was_not_read(status: int) -> None:
    """RFC 9110 §15.5.9, §15.5.14: the rest of it would be taken for the next request."""
    assert errors.refusal(Malformed("unread", status=status)).headers == {"Connection": "close"}
