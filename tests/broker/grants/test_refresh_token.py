"""Refreshing: who may, with which key, for what, and what ends it (RFC 6749 §6, RFC 9700 §4.14, OpenID Connect Core §12)."""

import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from broker.clients.key_sets import KeySets
from broker.clients.registry import Registry
from broker.database import Database
from broker.egress import Egress
from broker.endpoints import token as token_endpoint
from broker.tables import person, refresh_token, sealed_row, token_family
from broker.tokens import family as families
from consent.tables import permission
from keys import opaque
from keys.keyring import Root, RootKeyring
from keys.tables import person_root
from keys.vault import Vault
from tests.broker.endpoints.test_prefill import call as at_prefill
from tests.broker.endpoints.test_token import ask as redeem
from tests.broker.endpoints.test_userinfo import shown as at_userinfo
from tests.broker.grants.test_authorization_code import read
from tests.broker.provider import DAY, RESOURCE, Answered, Provider
from tests.broker.relying import CALLBACK, ISSUER, Key, client, credentials

Given = dict[str, Any]


def issued(provider: Provider, **changed: str) -> Given:
    """The answer to the code of an ongoing permission."""
    answer = redeem(provider, provider.code(provider.asked(scope="openid use:town.benefit", **changed)))
    assert answer.status == 200, answer.body
    body: Given = answer.body
    return body


def refresh(provider: Provider, token: str, given: Given | None = None, key: Key | None = None) -> Answered:
    members = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "rp", **provider.credentials()}
    form = {name: value for name, value in {**members, **(given or {})}.items() if value is not None}
    proof = [("dpop", provider.proof("/token", key=key))]
    return provider.call(token_endpoint, provider.form("/token", form, proof))


def public_client(provider: Provider) -> None:
    """From now on `rp` cannot authenticate: its tokens rotate."""
    public = client(
        provider.client_key,
        profile="baseline",
        token_endpoint_auth_method="none",
        id_token_signed_response_alg="ES256",
        grant_types=["authorization_code", "refresh_token"],
        scope="openid use:town.benefit",
    )
    others = [one for one in provider.parts.registry.all() if one.client_id != "rp"]
    provider.parts.registry = Registry([public, *others], KeySets(Egress()), mode="sandbox")


NOBODY = {"client_assertion": None, "client_assertion_type": None}


def again(provider: Provider, token: str, **given: Any) -> Answered:
    """Refresh as a public client."""
    return refresh(provider, token, {**NOBODY, **given})


def test_the_answer(provider: Provider) -> None:
    """Same person, new tokens; a client that authenticates keeps its refresh token (FAPI 2.0 §5.3.2.1)."""
    first = issued(provider, max_age="3600")
    before = read(provider, first["id_token"], "rp")
    provider.later(200)
    answer = refresh(provider, first["refresh_token"])
    assert answer.status == 200, answer.body
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.body
    assert body["access_token"] != first["access_token"]
    assert "refresh_token" not in body
    assert {body[n] == first[n] for n in ("token_type", "scope", "grant_id", "authorization_details")} == {True}
    identity, access = read(provider, body["id_token"], "rp"), read(provider, body["access_token"], ISSUER)
    assert {identity[name] == before[name] for name in ("iss", "sub", "aud", "auth_time", "acr")} == {True}
    assert identity["iat"] > before["iat"]
    assert "nonce" not in identity
    assert (access["sub"], access["cnf"]) == (before["sub"], {"jkt": provider.dpop_key.jkt})


def test_auth_time_stays_unknown_to_who_did_not_ask(provider: Provider) -> None:
    body = refresh(provider, issued(provider)["refresh_token"]).body
    assert "auth_time" not in read(provider, body["id_token"], "rp")


def test_days_later(provider: Provider) -> None:
    """When every preview key of the time it was issued is destroyed, the token still finds its person."""
    code = provider.code(provider.asked(scope="openid use:town.benefit"))
    with provider.database.write() as tx:
        tx.execute(update(permission).values(valid_to=provider.now + 30 * DAY))
    first = redeem(provider, code).body
    provider.later(5 * 86_400)
    assert provider.parts.vault.sweep(provider.now)
    body = refresh(provider, first["refresh_token"]).body
    answer = at_userinfo(provider, body["access_token"])
    assert (answer.status, answer.body["sub"]) == (200, read(provider, body["id_token"], "rp")["sub"])


def test_none_for_once(provider: Provider) -> None:
    assert "refresh_token" not in redeem(provider, provider.code()).body


def test_none_for_a_client_not_registered_for_it(provider: Provider) -> None:
    others = [one for one in provider.parts.registry.all() if one.client_id != "rp"]
    provider.parts.registry = Registry([client(provider.client_key), *others], KeySets(Egress()))
    assert "refresh_token" not in issued(provider)
    answer = refresh(provider, "x" * 43)
    assert (answer.status, answer.body["error"]) == (400, "unauthorized_client")


def test_the_database_alone_opens_nothing(provider: Provider) -> None:
    """Neither the token nor the person's id stands in the row, nor does another root open it."""
    token = issued(provider)["refresh_token"]
    with provider.database.read() as tx:
        (row,) = tx.execute(select(refresh_token)).all()
        person_id = tx.execute(select(person.c.person_id)).scalar_one()
    assert row.hash == opaque.digest(token)
    assert token.encode() not in row.box
    assert person_id.encode() not in row.box
    provider.parts.roots = RootKeyring.generate()
    assert refresh(provider, token).body["error"] == "invalid_grant"


# fmt: off
REFUSED: list[tuple[str, Given, int, str]] = [
    ("RFC 6749 §6 no token",            {"refresh_token": None},                             400, "invalid_request"),
    ("RFC 6749 §5.2 unknown",           {"refresh_token": "x" * 43},                         400, "invalid_grant"),
    ("RFC 6749 §5.2 huge",              {"refresh_token": "x" * 30_000},                     400, "invalid_grant"),
    ("RFC 6749 §5.2 a letter more",     {"refresh_token": "{}A"},                            400, "invalid_grant"),
    ("RFC 6749 §6 broader scope",       {"scope": "openid use:town.benefit use:town.permit"}, 400, "invalid_scope"),
    ("RFC 6749 §6 other scope",         {"scope": "offline_access"},                         400, "invalid_scope"),
    ("RFC 8707 §2 unknown resource",    {"resource": "https://x.example/"},                  400, "invalid_target"),
    ("RFC 8707 §2.2 broader resource",  {"resource": RESOURCE},                              400, "invalid_target"),
    ("RFC 8707 §2 fragment",            {"resource": ISSUER + "#a"},                         400, "invalid_target"),
    ("RFC 9396 §6 other details",       {"authorization_details": "[]"},                     400, "invalid_authorization_details"),
    ("RFC 6749 §3.2.1 nobody",          {**NOBODY},                                          401, "invalid_client"),
    ("RFC 6749 §3.2.1 a disabled one",  {"client_id": "off"},                                401, "invalid_client"),
]
# fmt: on


@pytest.mark.parametrize(("given", "status", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_and_nothing_lost(provider: Provider, given: Given, status: int, code: str) -> None:
    token = issued(provider)["refresh_token"]
    given = {name: value.format(token) if value else value for name, value in given.items()}
    answer = refresh(provider, token, given)
    assert (answer.status, answer.body["error"]) == (status, code)
    assert provider.ended_families() == 0
    assert refresh(provider, token).status == 200


def test_another_client_ends_nothing(provider: Provider) -> None:
    """RFC 6749 §6: bound to the client it was issued to; finding one is no way to end it."""
    token = issued(provider)["refresh_token"]
    theirs = {"client_id": "other", **credentials(provider.client_key, provider.now, "other")}
    answer = refresh(provider, token, theirs)
    assert (answer.status, answer.body["error"]) == (400, "invalid_grant")
    assert refresh(provider, token).status == 200


def test_a_client_that_authenticates_may_come_with_another_key(provider: Provider) -> None:
    """RFC 9449 §5: its refresh token is bound to the client; what it gets is bound to the key it came with."""
    token, key = issued(provider)["refresh_token"], Key()
    answer = refresh(provider, token, key=key)
    assert answer.status == 200, answer.body
    assert read(provider, answer.body["access_token"], ISSUER)["cnf"] == {"jkt": key.jkt}
    assert refresh(provider, token).status == 200


def test_a_token_from_before_may_come_with_another_key(provider: Provider) -> None:
    """The row of an older version of the program names the key; what it was worth then it is worth now."""
    token = issued(provider)["refresh_token"]
    with provider.database.write() as tx:
        tx.execute(update(refresh_token).values(jkt=provider.dpop_key.jkt))
    assert refresh(provider, token, key=Key()).status == 200


def test_a_public_client_comes_with_its_key(provider: Provider) -> None:
    """RFC 9449 §5: the key is all that ties the token to it; a new one changes nothing and ends nothing."""
    token = start(provider)
    answer = refresh(provider, token, NOBODY, key=Key())
    assert (answer.status, answer.body["error"]) == (400, "invalid_grant")
    assert provider.ended_families() == 0
    assert again(provider, token).status == 200


def test_offline_access_is_granted_where_refreshing_is(provider: Provider) -> None:
    """OpenID Connect Core §11; a permission for once is not, nor does a refresh widen what was granted."""
    asked = provider.asked(scope="openid offline_access use:town.benefit")
    body = redeem(provider, provider.code(asked)).body
    assert body["scope"].split() == ["openid", "offline_access", "use:town.benefit"]
    again_with = refresh(provider, body["refresh_token"]).body
    assert again_with["scope"] == body["scope"]
    narrower = refresh(provider, body["refresh_token"], {"scope": "openid use:town.benefit"}).body
    assert (
        narrower["authorization_details"] == body["authorization_details"]
    )  # it opens no data: leaving it out closes none


def test_offline_access_is_not_granted_for_once(provider: Provider) -> None:
    once = redeem(provider, provider.code(provider.asked(scope="openid offline_access use:town.permit"))).body
    assert (once["scope"], "refresh_token" in once) == ("openid use:town.permit", False)


def test_offline_access_is_not_granted_to_who_cannot_refresh(provider: Provider) -> None:
    others = [one for one in provider.parts.registry.all() if one.client_id != "rp"]
    provider.parts.registry = Registry(
        [client(provider.client_key, scope="openid use:town.benefit"), *others], KeySets(Egress())
    )
    assert provider.asked(scope="openid offline_access use:town.benefit").scope == ("openid", "use:town.benefit")


def test_no_proof(provider: Provider) -> None:
    token = issued(provider)["refresh_token"]
    members = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "rp", **provider.credentials()}
    answer = provider.call(token_endpoint, provider.form("/token", members))
    assert (answer.status, answer.body["error"]) == (400, "invalid_dpop_proof")


def disable_person(provider: Provider) -> None:
    with provider.database.write() as tx:
        tx.execute(update(person).values(disabled=1))


def erase_person(provider: Provider) -> None:
    with provider.database.write() as tx:
        tx.execute(delete(person_root))


def disable_client(provider: Provider) -> None:
    provider.parts.registry = Registry([client(provider.client_key, disabled=True)], KeySets(Egress()))


def end_family(provider: Provider) -> None:
    with provider.database.write() as tx:
        tx.execute(update(token_family).values(ended=provider.now))


def expire(provider: Provider) -> None:
    provider.later(86_400)


# fmt: off
ENDS: list[tuple[str, Callable[[Provider], None], str]] = [
    ("RFC 6749 §5.2 permission withdrawn", Provider.end_permission, "invalid_grant"),
    ("RFC 6749 §5.2 permission over",      expire,                  "invalid_grant"),
    ("RFC 6749 §5.2 person disabled",      disable_person,          "invalid_grant"),
    ("RFC 6749 §5.2 person erased",        erase_person,            "invalid_grant"),
    ("RFC 7009 §2.1 family ended",         end_family,              "invalid_grant"),
    ("RFC 6749 §5.2 client disabled",      disable_client,          "invalid_client"),
]
# fmt: on


@pytest.mark.parametrize(("end", "code"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS])
def test_what_ends_it(provider: Provider, end: Callable[[Provider], None], code: str) -> None:
    body = issued(provider)
    end(provider)
    assert refresh(provider, body["refresh_token"]).body["error"] == code


def test_a_withdrawal_leaves_nothing_of_it(provider: Provider) -> None:
    from broker.authorization import journey

    body = issued(provider)
    assert refresh(provider, body["refresh_token"]).status == 200
    with provider.database.write() as tx:
        journey.withdraw(tx, body["grant_id"], provider.now)
    with provider.database.read() as tx:
        assert tx.execute(select(refresh_token)).all() == []
        assert tx.execute(select(sealed_row)).all() == []


def test_the_code_a_second_time(provider: Provider) -> None:
    """RFC 6749 §4.1.2: what the first use gave ends, the refresh token with it."""
    code = provider.code(provider.asked(scope="openid use:town.benefit"))
    body = redeem(provider, code).body
    assert redeem(provider, code).body["error"] == "invalid_grant"
    assert refresh(provider, body["refresh_token"]).body["error"] == "invalid_grant"


def test_a_restart_changes_nothing(provider: Provider, database_url: str) -> None:
    body = issued(provider)
    provider.database.close()
    provider.parts.database = Database.open(database_url)
    provider.parts.vault = Vault(provider.parts.vault.directory)
    provider.parts.roots = RootKeyring.parse(provider.parts.roots.text())
    assert refresh(provider, body["refresh_token"]).status == 200
    provider.parts.database.close()


def test_without_its_data(provider: Provider) -> None:
    """RFC 6749 §6: a narrower scope gives a token that says who, and opens nothing."""
    body = refresh(provider, issued(provider)["refresh_token"], {"scope": "openid"}).body
    assert body["scope"] == "openid"
    assert "authorization_details" not in body
    assert at_userinfo(provider, body["access_token"]).status == 200
    answer = at_prefill(provider, body["access_token"])
    assert (answer.status, answer.body["error"]) == (403, "insufficient_scope")


def test_without_openid(provider: Provider) -> None:
    body = refresh(provider, issued(provider)["refresh_token"], {"scope": "use:town.benefit"}).body
    assert "id_token" not in body
    answer = at_userinfo(provider, body["access_token"])
    assert (answer.status, answer.body["error"]) == (403, "insufficient_scope")


def test_for_another_server(provider: Provider) -> None:
    """RFC 8707 §2.2: one audience; the token names no permission and no item, and opens nothing here."""
    first = issued(provider, resource=RESOURCE)
    answer = refresh(provider, first["refresh_token"], {"resource": RESOURCE})
    told = read(provider, answer.body["access_token"], RESOURCE)
    assert set(told) == {"iss", "aud", "sub", "client_id", "iat", "exp", "jti", "acr", "ref", "cnf"}
    assert told["exp"] - told["iat"] <= 300
    for token in (first["access_token"], answer.body["access_token"]):
        for use in (at_userinfo, at_prefill):
            assert (use(provider, token).status, use(provider, token).body["error"]) == (401, "invalid_token")
    second = refresh(provider, first["refresh_token"]).body
    assert read(provider, second["access_token"], RESOURCE)["ref"] != told["ref"]


def test_rotation(provider: Provider) -> None:
    """RFC 9700 §2.2.2: a public client gets a new token each time, and only the newest goes on."""
    token = start(provider)
    for _ in range(3):
        answer = again(provider, token)
        assert answer.status == 200, answer.body
        assert answer.body["refresh_token"] != token
        token = answer.body["refresh_token"]
    assert provider.ended_families() == 0


def start(provider: Provider) -> str:
    """A refresh token of a public client."""
    code = provider.code(provider.asked(scope="openid use:town.benefit"))
    public_client(provider)
    answer = redeem(provider, code, NOBODY)
    assert answer.status == 200, answer.body
    token: str = answer.body["refresh_token"]
    return token


def test_a_lost_answer(provider: Provider) -> None:
    """RFC 9700 §4.14.2: the immediate predecessor, within the grace, gives the same successor."""
    token = start(provider)
    first = again(provider, token).body
    provider.later(29)
    second = again(provider, token).body
    assert second["refresh_token"] == first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert again(provider, first["refresh_token"]).status == 200


def test_a_lost_answer_while_the_root_changes(provider: Provider) -> None:
    token = start(provider)
    first = again(provider, token).body
    newer = Root("newer", b"n" * 32)
    provider.parts.roots = RootKeyring((newer, *provider.parts.roots.roots))
    assert again(provider, token).body["refresh_token"] == first["refresh_token"]


def test_too_late(provider: Provider) -> None:
    token = start(provider)
    following = again(provider, token).body["refresh_token"]
    provider.later(30)
    answer = again(provider, token)
    assert (answer.status, answer.body["error"]) == (400, "invalid_grant")
    assert provider.ended_families() == 1
    assert again(provider, following).body["error"] == "invalid_grant"


def test_two_generations_old(provider: Provider) -> None:
    token = start(provider)
    following = again(provider, again(provider, token).body["refresh_token"]).body["refresh_token"]
    assert again(provider, token).body["error"] == "invalid_grant"
    assert provider.ended_families() == 1
    assert again(provider, following).body["error"] == "invalid_grant"


def test_another_key_within_the_grace(provider: Provider) -> None:
    """Not the one who lost the answer; who holds the key goes on."""
    token = start(provider)
    following = again(provider, token).body["refresh_token"]
    assert refresh(provider, token, NOBODY, key=Key()).body["error"] == "invalid_grant"
    assert again(provider, following).status == 200


def test_an_end_beats_the_grace(provider: Provider) -> None:
    token = start(provider)
    again(provider, token)
    with provider.database.write() as tx:
        families.end(tx, tx.execute(select(token_family.c.family)).scalar_one(), provider.now)
    assert again(provider, token).body["error"] == "invalid_grant"


def at_once(count: int, provider: Provider, one: Callable[[int, Provider], Answered]) -> list[Answered]:
    """Call all at the same instant; on PostgreSQL from four workers, each with a connection of its own."""
    workers = [provider]
    if provider.database.dialect == "postgresql":
        url = provider.database._writer.url
        opened = [Database.open(url.render_as_string(hide_password=False)) for _ in range(3)]
        workers += [
            replace(provider, parts=SimpleNamespace(**{**vars(provider.parts), "database": made})) for made in opened
        ]
    answers, start_line = list[Answered](), threading.Barrier(count)

    def run(n: int) -> None:
        start_line.wait()
        answers.append(one(n, workers[n // 2 % len(workers)]))

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for worker in workers[1:]:
        worker.database.close()
    assert len(answers) == count
    return answers


def test_sixteen_at_once(provider: Provider) -> None:
    """A token that is not rotated serves all; each gets tokens of its own."""
    token = issued(provider)["refresh_token"]
    answers = at_once(16, provider, lambda _, worker: refresh(worker, token))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body["access_token"] for answer in answers}) == 16
    assert provider.ended_families() == 0


def test_sixteen_at_once_of_a_rotating_one(provider: Provider) -> None:
    """RFC 9700 §4.14.2: exactly one successor, whoever was first."""
    token = start(provider)
    answers = at_once(16, provider, lambda _, worker: again(worker, token))
    assert {answer.status for answer in answers} == {200}
    (following,) = {answer.body["refresh_token"] for answer in answers}
    with provider.database.read() as tx:
        assert len(tx.execute(select(refresh_token)).all()) == 2
    assert provider.ended_families() == 0
    assert again(provider, following).status == 200


def test_sixteen_at_once_of_an_old_one(provider: Provider) -> None:
    token = start(provider)
    again(provider, token)
    provider.later(31)
    answers = at_once(16, provider, lambda _, worker: again(worker, token))
    assert {(answer.status, answer.body["error"]) for answer in answers} == {(400, "invalid_grant")}
    assert provider.ended_families() == 1


def test_forgotten_on_time(provider: Provider) -> None:
    from broker import cleanup

    issued(provider)
    with provider.database.write() as tx:
        cleanup.sweep(tx, provider.now + DAY - 1)
        assert len(tx.execute(select(refresh_token)).all()) == 1
        assert len(tx.execute(select(token_family)).all()) == 1
        cleanup.sweep(tx, provider.now + DAY)
        assert tx.execute(select(refresh_token)).all() == []


def test_the_redirect_is_no_matter_here(provider: Provider) -> None:
    """RFC 6749 §3.2: what is not of this grant is ignored."""
    token = issued(provider)["refresh_token"]
    assert refresh(provider, token, {"redirect_uri": CALLBACK, "code": "x"}).status == 200
