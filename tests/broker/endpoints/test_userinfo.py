"""UserInfo: `sub` for a token with its key, while the permission lives (OpenID Connect Core §5.3, RFC 9449 §7)."""

from typing import Any

import jwt
import pytest
from sqlalchemy import update

from broker.endpoints import userinfo
from consent.tables import permission
from tests.broker.endpoints.test_token import ask
from tests.broker.provider import DAY, Answered, Provider
from tests.broker.relying import Key, ath


def shown(
    provider: Provider, token: str, method: str = "GET", scheme: str = "DPoP", key: Key | None = None, **changed: Any
) -> Answered:
    proof = provider.proof("/userinfo", method, key, ath=ath(token), **changed)
    headers = [("authorization", f"{scheme} {token}"), ("dpop", proof)]
    return provider.call(userinfo, provider.request(method, "/userinfo", headers), "resource")


@pytest.fixture
def token(provider: Provider) -> str:
    body: dict[str, str] = ask(provider, provider.code()).body
    return body["access_token"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_same_subject_as_in_the_id_token(provider: Provider, method: str) -> None:
    """OpenID Connect Core §5.3.2."""
    body = ask(provider, provider.code()).body
    answer = shown(provider, body["access_token"], method)
    identity = jwt.decode(body["id_token"], options={"verify_signature": False})
    assert (answer.status, answer.body) == (200, {"sub": identity["sub"]})
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["DPoP-Nonce"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        pytest.param({"scheme": "Bearer"}, "invalid_token", id="RFC 9449 §7.2 downgrade"),
        pytest.param({"key": Key()}, "invalid_dpop_proof", id="RFC 9449 §7.1 another key"),
        pytest.param({"nonce": None}, "use_dpop_nonce", id="RFC 9449 §9 no nonce"),
        pytest.param({"htm": "PUT"}, "invalid_dpop_proof", id="RFC 9449 §4.3 method"),
        pytest.param({"ath": ath("x")}, "invalid_dpop_proof", id="RFC 9449 §4.3 hash"),
    ],
)
def test_refused(provider: Provider, token: str, given: dict[str, Any], code: str) -> None:
    scheme, key, changed = given.get("scheme", "DPoP"), given.get("key"), dict(given)
    proof = provider.proof("/userinfo", "GET", key, **{"ath": ath(token), **_claims(changed)})
    request = provider.request("GET", "/userinfo", [("authorization", f"{scheme} {token}"), ("dpop", proof)])
    answer = provider.call(userinfo, request, "resource")
    assert (answer.status, answer.body["error"]) == (401, code)
    assert answer.headers["WWW-Authenticate"].startswith(f'{scheme} error="{code}"')


def _claims(changed: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changed.items() if name not in {"scheme", "key"}}


def test_a_proof_counts_once(provider: Provider, token: str) -> None:
    """RFC 9449 §11.1."""
    assert shown(provider, token, jti="1").status == 200
    again = shown(provider, token, jti="1")
    assert (again.status, again.body["error"]) == (401, "invalid_dpop_proof")


def test_a_token_in_the_query_or_the_body_counts_nothing(provider: Provider, token: str) -> None:
    """RFC 9700 §4.3.2."""
    request = provider.form("/userinfo", {"access_token": token}, [("dpop", provider.proof("/userinfo"))])
    assert provider.call(userinfo, request, "resource").status == 401


def test_after_a_withdrawal_it_says_why(provider: Provider, token: str) -> None:
    """wire §5.4: the person ended it, and the very next call fails."""
    provider.end_permission()
    answer = shown(provider, token)
    assert (answer.status, answer.body["error"]) == (401, "invalid_token")
    assert "ended this permission" in answer.body["error_description"]


def test_after_a_second_use_of_the_code(provider: Provider) -> None:
    """RFC 6749 §4.1.2."""
    code = provider.code()
    token = ask(provider, code).body["access_token"]
    assert shown(provider, token).status == 200
    ask(provider, code)
    assert shown(provider, token).body["error"] == "invalid_token"


@pytest.mark.parametrize("values", [{"state": "expired"}, {"client": "other"}, {"valid_to": 1}])
def test_a_permission_that_does_not_live(provider: Provider, token: str, values: dict[str, Any]) -> None:
    with provider.database.write() as tx:
        tx.execute(update(permission).values(**values))
    assert shown(provider, token).body["error"] == "invalid_token"


def test_a_disabled_client(provider: Provider, token: str) -> None:
    from broker.clients.key_sets import KeySets
    from broker.clients.registry import Registry
    from broker.egress import Egress
    from tests.broker.relying import client

    provider.parts.registry = Registry([client(provider.client_key, disabled=True)], KeySets(Egress()))
    assert shown(provider, token).body["error"] == "invalid_token"


def test_an_old_token(provider: Provider, token: str) -> None:
    provider.later(301)
    assert shown(provider, token).body["error"] == "invalid_token"
    assert provider.now < DAY * 365_000
