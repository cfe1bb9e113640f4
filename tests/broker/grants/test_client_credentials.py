"""A client for itself: never about a person (RFC 6749 §4.4, RFC 9068 §2.2)."""

from typing import Any

import pytest
from sqlalchemy import select

from broker.clients.key_sets import KeySets
from broker.clients.registry import Registry
from broker.egress import Egress
from broker.endpoints import token as token_endpoint
from broker.tables import metadata, replay
from tests.broker.endpoints.test_prefill import call as at_prefill
from tests.broker.endpoints.test_userinfo import shown as at_userinfo
from tests.broker.grants.test_authorization_code import read
from tests.broker.provider import RESOURCE, Answered, Provider
from tests.broker.relying import ISSUER, client, credentials


def ask(provider: Provider, given: dict[str, Any] | None = None, client_id: str = "rp") -> Answered:
    members = {"grant_type": "client_credentials", "client_id": client_id}
    members |= credentials(provider.client_key, provider.now, client_id)
    form = {name: value for name, value in {**members, **(given or {})}.items() if value is not None}
    return provider.call(token_endpoint, provider.form("/token", form, [("dpop", provider.proof("/token"))]))


def test_the_answer(provider: Provider) -> None:
    """The registered words that are about no person; `sub` is the client; no refresh token, no ID token."""
    answer = ask(provider)
    assert set(answer.body) == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer.body["token_type"], answer.body["scope"]) == ("DPoP", "files:read")
    told = read(provider, answer.body["access_token"], ISSUER)
    assert (told["sub"], told["client_id"], told["scope"]) == ("rp", "rp", "files:read")
    assert told["cnf"] == {"jkt": provider.dpop_key.jkt}
    assert not {"grant_id", "family", "acr", "ref"} & set(told)


def test_for_another_server(provider: Provider) -> None:
    body = ask(provider, {"resource": RESOURCE, "scope": "files:read"}).body
    told = read(provider, body["access_token"], RESOURCE)
    assert (told["aud"], told["sub"], told["exp"] - told["iat"]) == (RESOURCE, "rp", 300)


@pytest.mark.parametrize("use", [at_userinfo, at_prefill], ids=["userinfo", "prefill"])
def test_it_opens_nobody(provider: Provider, use: Any) -> None:
    """OpenID Connect Core §5.3: there is no person behind it."""
    answer = use(provider, ask(provider).body["access_token"])
    assert (answer.status, answer.body["error"]) == (401, "invalid_token")


# fmt: off
REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("RFC 6749 §4.4 openid",               {"scope": "openid"},                      400, "invalid_scope"),
    ("RFC 6749 §4.4 openid among others",  {"scope": "files:read openid"},           400, "invalid_scope"),
    ("OIDC Core §11 offline_access",       {"scope": "offline_access"},              400, "invalid_scope"),
    ("RFC 6749 §4.4 a use",                {"scope": "use:town.permit"},             400, "invalid_scope"),
    ("RFC 6749 §4.4 an item",              {"scope": "identity.given_name"},         400, "invalid_scope"),
    ("OIDC Core §5.4 a claim word",        {"scope": "email"},                       400, "invalid_scope"),
    ("RFC 6749 §3.3 not registered",       {"scope": "files:write"},                 400, "invalid_scope"),
    ("RFC 6749 §3.3 huge",                 {"scope": "files:read " * 5000},          400, "invalid_scope"),
    ("RFC 8707 §2 unknown resource",       {"resource": "https://x.example/"},       400, "invalid_target"),
    ("RFC 8707 §2 fragment",               {"resource": RESOURCE + "#a"},            400, "invalid_target"),
    ("RFC 8707 §2 relative",               {"resource": "/"},                        400, "invalid_target"),
    ("RFC 6749 §3.2.1 nobody",             {"client_assertion": None, "client_assertion_type": None}, 401, "invalid_client"),
]
# fmt: on


@pytest.mark.parametrize(("given", "status", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(provider: Provider, given: dict[str, Any], status: int, code: str) -> None:
    answer = ask(provider, given)
    assert (answer.status, answer.body["error"]) == (status, code)


def test_a_disabled_client(provider: Provider) -> None:
    assert ask(provider, client_id="off").body["error"] == "invalid_client"


def test_a_client_not_registered_for_it(provider: Provider) -> None:
    """RFC 6749 §5.2."""
    provider.parts.registry = Registry([client(provider.client_key)], KeySets(Egress()))
    answer = ask(provider)
    assert (answer.status, answer.body["error"]) == (400, "unauthorized_client")


def test_only_markers_are_written(provider: Provider) -> None:
    assert ask(provider).status == 200
    with provider.database.read() as tx:
        written = {table.name for table in metadata.sorted_tables if tx.execute(select(table)).first()}
        assert written == {"replay"}
        assert {row.kind for row in tx.execute(select(replay))} == {"client_assertion", "dpop_proof"}
