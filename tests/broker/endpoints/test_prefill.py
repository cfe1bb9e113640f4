"""Who may call for the data: refused before anything is fetched (RFC 6750 §3.1, RFC 9449 §7, RFC 9470 §3)."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert, update

from broker.endpoints import prefill
from broker.tables import person, revoked_jti, token_family
from broker.tokens import access_token
from keys import opaque
from tests.broker.endpoints.test_token import ask
from tests.broker.endpoints.test_userinfo import shown as at_userinfo
from tests.broker.provider import Answered, Provider
from tests.broker.relying import ISSUER, Key, ath, client


def call(provider: Provider, token: str, scheme: str = "DPoP", key: Key | None = None, **changed: Any) -> Answered:
    proof = provider.proof("/prefill", "GET", key, ath=ath(token), **changed)
    headers = [("authorization", f"{scheme} {token}"), ("dpop", proof)]
    return provider.call(prefill, provider.request("GET", "/prefill", headers), "resource")


def disable_client(provider: Provider, _token: str) -> None:
    from broker.clients.key_sets import KeySets
    from broker.clients.registry import Registry
    from broker.egress import Egress

    provider.parts.registry = Registry([client(provider.client_key, disabled=True)], KeySets(Egress()))


def disable_person(provider: Provider, _token: str) -> None:
    with provider.database.write() as tx:
        tx.execute(update(person).values(disabled=1))


def end_family(provider: Provider, _token: str) -> None:
    with provider.database.write() as tx:
        tx.execute(update(token_family).values(ended=provider.now))


def revoke(provider: Provider, token: str) -> None:
    told = access_token.verify(token, provider.parts.keyring, issuer=ISSUER, now=provider.now)
    with provider.database.write() as tx:
        tx.execute(insert(revoked_jti).values(hash=opaque.digest(told.jti), expires=told.expires))


def withdraw(provider: Provider, _token: str) -> None:
    provider.end_permission()


# fmt: off
ENDS: list[tuple[str, Callable[[Provider, str], None]]] = [
    ("RFC 7009 §2.1 revoked",             revoke),
    ("RFC 6749 §4.1.2 family ended",      end_family),
    ("RFC 6750 §3.1 permission withdrawn", withdraw),
    ("RFC 6750 §3.1 client disabled",     disable_client),
    ("RFC 6750 §3.1 person disabled",     disable_person),
]
# fmt: on


@pytest.mark.parametrize("end", [row[1] for row in ENDS], ids=[row[0] for row in ENDS])
@pytest.mark.parametrize("use", [call, at_userinfo], ids=["prefill", "userinfo"])
def test_what_ends_ends_at_once(
    provider: Provider, end: Callable[[Provider, str], None], use: Callable[[Provider, str], Answered]
) -> None:
    token = ask(provider, provider.code()).body["access_token"]
    end(provider, token)
    answer = use(provider, token)
    assert (answer.status, answer.body["error"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith('DPoP error="invalid_token"')


@pytest.mark.parametrize(
    ("given", "code"),
    [
        pytest.param({"scheme": "Bearer"}, "invalid_token", id="RFC 9449 §7.2 downgrade"),
        pytest.param({"key": Key()}, "invalid_dpop_proof", id="RFC 9449 §7.1 another key"),
        pytest.param({"nonce": None}, "use_dpop_nonce", id="RFC 9449 §9 no nonce"),
    ],
)
def test_refused(provider: Provider, given: dict[str, Any], code: str) -> None:
    answer = call(provider, ask(provider, provider.code()).body["access_token"], **given)
    assert (answer.status, answer.body["error"]) == (401, code)


def test_a_stronger_sign_in_is_asked_for(provider: Provider) -> None:
    """RFC 9470 §3: the challenge names the acr to ask for, which the use of this permission needs."""
    token = ask(provider, provider.code(acr="http://eidas.europa.eu/LoA/low")).body["access_token"]
    answer = call(provider, token)
    assert (answer.status, answer.body["error"]) == (401, "insufficient_user_authentication")
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('DPoP error="insufficient_user_authentication"')
    assert 'acr_values="http://eidas.europa.eu/LoA/substantial"' in challenge
