"""Redeeming a code: what comes, to whom, and once (RFC 6749 §4.1.3, OpenID Connect Core §3.1.3)."""

import threading
from typing import Any

import jwt
import pytest
from sqlalchemy import update

from broker.answers import Refusal
from broker.evidence import preview
from broker.tables import person
from keys import errors as keys_errors
from tests.broker.endpoints.test_token import ask
from tests.broker.provider import ACR, Answered, Provider
from tests.broker.relying import CALLBACK, ISSUER, Key

OPTIONS: Any = {"verify_exp": False, "verify_iat": False}


def read(provider: Provider, token: str, audience: str) -> dict[str, Any]:
    keys = jwt.PyJWKSet.from_dict(provider.parts.keyring.jwks("token"))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["ES256"], audience=audience, issuer=ISSUER, options=OPTIONS
    )
    return claims


def test_the_answer(provider: Provider) -> None:
    body = ask(provider, provider.code()).body
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("DPoP", 300, "openid use:town.permit")
    assert "refresh_token" not in body
    access, identity = read(provider, body["access_token"], ISSUER), read(provider, body["id_token"], "rp")
    assert access["sub"] == identity["sub"]
    assert access["cnf"] == {"jkt": provider.dpop_key.jkt}
    assert access["grant_id"] == body["grant_id"]
    assert (identity["nonce"], identity["acr"]) == ("n", ACR)
    assert "auth_time" not in identity
    (detail,) = body["authorization_details"]
    assert detail["type"] == f"{ISSUER}/rar/prefill/v1"
    assert (detail["intended_use"], detail["version"], detail["access"]) == ("town.permit", 1, {"kind": "once"})
    assert detail["items"] == [
        {"id": "identity.given_name", "required": True},
        {"id": "contact.email", "required": False},
    ]


def test_auth_time_only_when_asked_for(provider: Provider) -> None:
    """Two agencies could compare it."""
    body = ask(provider, provider.code(provider.asked(max_age="3600"))).body
    assert read(provider, body["id_token"], "rp")["auth_time"] == provider.now // 1_000_000


def test_the_values_now_belong_to_the_token(provider: Provider) -> None:
    code = provider.code()
    token = ask(provider, code).body["access_token"]
    with provider.database.read() as tx:
        assert preview.open_(tx, provider.parts.vault, token.encode(), provider.now) is not None
        assert preview.open_(tx, provider.parts.vault, code.encode(), provider.now) is None


# fmt: off
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("RFC 6749 §4.1.3 other redirect_uri",  {"redirect_uri": CALLBACK + "/"}),
    ("RFC 6749 §4.1.3 no redirect_uri",     {"redirect_uri": None}),
    ("RFC 6749 §5.2 unknown code",          {"code": "x" * 43}),
    ("RFC 6749 §5.2 huge code",             {"code": "x" * 20_000}),
    ("RFC 7636 §4.6 no verifier",           {"code_verifier": None}),
    ("RFC 7636 §4.6 other verifier",        {"code_verifier": "w" * 43}),
    ("RFC 7636 §4.1 short verifier",        {"code_verifier": "v" * 42}),
    ("RFC 7636 §4.1 verifier characters",   {"code_verifier": "ü" * 43}),
]
# fmt: on


@pytest.mark.parametrize("given", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_and_not_spent(provider: Provider, given: dict[str, Any]) -> None:
    code = provider.code()
    answer = ask(provider, code, given)
    assert (answer.status, answer.body["error"]) == (400, "invalid_grant")
    assert ask(provider, code).status == 200


@pytest.mark.parametrize("details", ['[{"type":"https://other.example/all"}]', "[]", "{}", "x"])
def test_what_a_person_saw_is_not_widened_afterwards(provider: Provider, details: str) -> None:
    """RFC 9396 §6: refused, not ignored, and the code is still good."""
    code = provider.code()
    answer = ask(provider, code, {"authorization_details": details})
    assert (answer.status, answer.body["error"]) == (400, "invalid_authorization_details")
    assert ask(provider, code).status == 200


def test_another_client(provider: Provider) -> None:
    """RFC 6749 §4.1.3: neither a live nor a spent code is another client's, and asking for it ends nothing."""
    from tests.broker.relying import credentials

    code = provider.code()
    theirs = {"client_id": "other", **credentials(provider.client_key, provider.now, "other")}
    assert ask(provider, code, theirs).body["error"] == "invalid_grant"
    assert ask(provider, code).status == 200
    theirs = {"client_id": "other", **credentials(provider.client_key, provider.now, "other")}
    assert ask(provider, code, theirs).body["error"] == "invalid_grant"
    assert provider.ended_families() == 0


def test_a_disabled_client(provider: Provider) -> None:
    from tests.broker.relying import credentials

    theirs = {"client_id": "off", **credentials(provider.client_key, provider.now, "off")}
    assert ask(provider, provider.code(), theirs).body["error"] == "invalid_client"


def test_the_key_of_the_push(provider: Provider) -> None:
    """RFC 9449 §10: a code bound to a key is redeemed with that key."""
    bound = provider.code(provider.asked(dpop_jkt=provider.dpop_key.jkt))
    other = provider.proof("/token", key=Key())
    assert ask(provider, bound, proofs=(other,)).body["error"] == "invalid_grant"
    assert ask(provider, bound).status == 200


def test_a_minute(provider: Provider) -> None:
    code = provider.code()
    provider.later(59)
    late = provider.code()
    assert ask(provider, code).status == 200
    provider.later(60)
    assert ask(provider, late).body["error"] == "invalid_grant"


def test_a_second_use_ends_the_tokens_of_the_first(provider: Provider) -> None:
    """RFC 6749 §4.1.2: the refusal is a value, so the end of the family is kept."""
    code = provider.code()
    assert ask(provider, code).status == 200
    assert provider.ended_families() == 0
    again = ask(provider, code)
    assert (again.status, again.body["error"]) == (400, "invalid_grant")
    assert provider.ended_families() == 1


def test_after_a_withdrawal(provider: Provider) -> None:
    code = provider.code()
    provider.end_permission()
    answer = ask(provider, code)
    assert (answer.body["error"], answer.status) == ("invalid_grant", 400)


def test_after_the_person_was_disabled(provider: Provider) -> None:
    code = provider.code()
    with provider.database.write() as tx:
        tx.execute(update(person).values(disabled=1))
    assert ask(provider, code).body["error"] == "invalid_grant"


def test_after_the_person_was_erased(provider: Provider) -> None:
    from keys.tables import person_root

    code = provider.code()
    with provider.database.write() as tx:
        tx.execute(person_root.delete())
    with pytest.raises(keys_errors.NoSuchKey), provider.database.read() as tx:
        provider.parts.vault.person(tx, "x")
    assert ask(provider, code).body["error"] == "invalid_grant"


def test_sixteen_at_once(provider: Provider) -> None:
    """RFC 6749 §4.1.2: one success, fifteen refusals, whatever the order; the tokens then do not live."""
    code, answers, start = provider.code(), list[Answered](), threading.Barrier(16)

    def redeem() -> None:
        start.wait()
        answers.append(ask(provider, code))

    threads = [threading.Thread(target=redeem) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200] + [400] * 15
    assert {answer.body["error"] for answer in answers if answer.status == 400} == {"invalid_grant"}
    assert provider.ended_families() == 1


def test_a_refusal_is_falsy() -> None:
    assert not Refusal("invalid_grant")
