"""Ending a token: the client's own, whatever is said of it; an answer that tells nothing (RFC 7009)."""

from typing import Any

import pytest
from sqlalchemy import select

from broker.endpoints import revocation
from broker.tables import metadata, refresh_token, revoked_jti, sealed_for
from tests.broker.endpoints.test_prefill import call as at_prefill
from tests.broker.endpoints.test_userinfo import shown as at_userinfo
from tests.broker.grants.test_client_credentials import ask as for_itself
from tests.broker.grants.test_refresh_token import again, at_once, issued, refresh, start
from tests.broker.provider import Answered, Provider
from tests.broker.relying import credentials


def revoke(provider: Provider, text: str, caller: str = "rp", **given: Any) -> Answered:
    members = {"token": text, **credentials(provider.client_key, provider.now, caller), **given}
    form = {name: value for name, value in members.items() if value is not None}
    return provider.call(revocation, provider.form("/revocation", form))


def said_nothing(answer: Answered) -> bool:
    return (answer.status, answer.body, answer.headers["Cache-Control"]) == (200, {}, "no-store")


@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "pct"])
def test_one_access_token(provider: Provider, hint: str | None) -> None:
    """RFC 7009 §2.1: at once, that one only, and what was sealed to it is gone; a wrong hint does not matter."""
    first = issued(provider)
    second = refresh(provider, first["refresh_token"]).body
    assert said_nothing(revoke(provider, first["access_token"], token_type_hint=hint))
    for use in (at_userinfo, at_prefill):
        answer = use(provider, first["access_token"])
        assert (answer.status, answer.body["error"]) == (401, "invalid_token")
    assert at_userinfo(provider, second["access_token"]).status == 200
    assert refresh(provider, first["refresh_token"]).status == 200
    with provider.database.read() as tx:
        assert len(tx.execute(select(sealed_for)).all()) == 2  # of the second and the third


@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token"])
def test_a_refresh_token_ends_all_that_came_of_it(provider: Provider, hint: str | None) -> None:
    """RFC 7009 §2.1."""
    first = issued(provider)
    second = refresh(provider, first["refresh_token"]).body
    assert said_nothing(revoke(provider, first["refresh_token"], token_type_hint=hint))
    assert refresh(provider, first["refresh_token"]).body["error"] == "invalid_grant"
    for token in (first["access_token"], second["access_token"]):
        assert at_userinfo(provider, token).body["error"] == "invalid_token"
    assert provider.ended_families() == 1
    with provider.database.read() as tx:
        assert tx.execute(select(refresh_token)).all() == []


def test_within_the_grace(provider: Provider) -> None:
    """RFC 9700 §4.14.2: what was revoked on purpose does not come back because an answer may have been lost."""
    token = start(provider)
    following = again(provider, token).body["refresh_token"]
    nobody = {"client_assertion": None, "client_assertion_type": None, "client_id": "rp"}
    assert said_nothing(revoke(provider, following, **nobody))
    assert again(provider, token).body["error"] == "invalid_grant"
    assert again(provider, following).body["error"] == "invalid_grant"


def test_a_token_of_its_own(provider: Provider) -> None:
    token = for_itself(provider).body["access_token"]
    assert said_nothing(revoke(provider, token))
    with provider.database.read() as tx:
        assert len(tx.execute(select(revoked_jti)).all()) == 1


def test_twice(provider: Provider) -> None:
    first = issued(provider)
    for token in (first["access_token"], first["refresh_token"]):
        assert said_nothing(revoke(provider, token))
        assert said_nothing(revoke(provider, token))


def test_another_clients(provider: Provider) -> None:
    """RFC 7009 §2.1: nothing ends, and the answer is the same as for one's own."""
    first = issued(provider)
    for token in (first["access_token"], first["refresh_token"]):
        assert said_nothing(revoke(provider, token, "other"))
    assert at_userinfo(provider, first["access_token"]).status == 200
    assert refresh(provider, first["refresh_token"]).status == 200


# fmt: off
UNKNOWN = [
    ("RFC 7009 §2.2 unknown",         "x" * 43),
    ("RFC 7009 §2.2 no JWT",          "a.b.c"),
    ("RFC 7009 §2.2 huge",            "x" * 60_000),
    ("RFC 7009 §2.2 other letters",   "ü"),
    ("RFC 7009 §2.2 another issuer's", "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJhdWQiOiJ4In0.AAAA"),
]
# fmt: on


@pytest.mark.parametrize("token", [row[1] for row in UNKNOWN], ids=[row[0] for row in UNKNOWN])
def test_unknown(provider: Provider, token: str) -> None:
    """Said nothing, and nothing written but that the assertion was used."""
    assert said_nothing(revoke(provider, token))
    with provider.database.read() as tx:
        assert {table.name for table in metadata.sorted_tables if tx.execute(select(table)).first()} == {"replay"}


# fmt: off
REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("RFC 7009 §2.1 no token",         {"token": None},                                           400, "invalid_request"),
    ("RFC 7009 §2.1 nobody",           {"client_assertion": None, "client_assertion_type": None}, 401, "invalid_client"),
    ("RFC 7009 §2.1 a disabled one",   {"client_id": "off"},                                      401, "invalid_client"),
]
# fmt: on


@pytest.mark.parametrize(("given", "status", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(provider: Provider, given: dict[str, Any], status: int, code: str) -> None:
    first = issued(provider)
    answer = revoke(provider, first["refresh_token"], **given)
    assert (answer.status, answer.body["error"]) == (status, code)
    assert refresh(provider, first["refresh_token"]).status == 200


def test_an_assertion_counts_once(provider: Provider) -> None:
    """RFC 7523 §3."""
    given = provider.credentials()
    assert revoke(provider, "x", **given).status == 200
    assert revoke(provider, "x", **given).body["error"] == "invalid_client"


def test_sixteen_at_once(provider: Provider) -> None:
    """RFC 7009 §2.2: all are answered; the one mark stands."""
    first = issued(provider)
    answers = at_once(16, provider, lambda _, worker: revoke(worker, first["access_token"]))
    assert all(said_nothing(answer) for answer in answers)
    with provider.database.read() as tx:
        assert len(tx.execute(select(revoked_jti)).all()) == 1


def test_refreshed_while_it_is_revoked(provider: Provider) -> None:
    """Whichever came first: in the end nothing lives."""
    first = issued(provider)
    given: list[str] = []

    def either(n: int, worker: Provider) -> Answered:
        if n % 2:
            return revoke(worker, first["refresh_token"])
        answer = refresh(worker, first["refresh_token"])
        given.extend(answer.body[name] for name in ("access_token",) if name in answer.body)
        return answer

    assert {answer.status for answer in at_once(16, provider, either)} <= {200, 400}
    for token in given:
        assert at_userinfo(provider, token).body["error"] == "invalid_token"
    assert refresh(provider, first["refresh_token"]).body["error"] == "invalid_grant"
