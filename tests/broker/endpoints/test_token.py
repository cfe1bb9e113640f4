"""The token endpoint: which grant, who asks, with which key (RFC 6749 §3.2, §5.2; RFC 9449 §5)."""

from typing import Any

import pytest

from broker.answers import Refusal
from broker.endpoints import token
from broker.endpoints.token import Grant
from broker.errors import Wire
from broker.tokens.token_request import TokenRequest
from tests.broker.provider import Answered, Provider
from tests.broker.relying import CALLBACK, VERIFIER


def ask(
    provider: Provider, code: str, given: dict[str, Any] | None = None, proofs: tuple[str, ...] | None = None
) -> Answered:
    members = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    members |= {"client_id": "rp", **provider.credentials()}
    form = {name: value for name, value in {**members, **(given or {})}.items() if value is not None}
    headers = [("dpop", proof) for proof in (proofs if proofs is not None else (provider.proof("/token"),))]
    return provider.call(token, provider.form("/token", form, headers))


# fmt: off
REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("RFC 6749 §5.2 no grant_type",        {"grant_type": None},                     400, "invalid_request"),
    ("RFC 6749 §5.2 unknown grant_type",   {"grant_type": "password"},               400, "unsupported_grant_type"),
    ("RFC 6749 §5.2 no authentication",    {"client_assertion": None},               401, "invalid_client"),
    ("RFC 6749 §2.3 a second method",      {"client_secret": "x"},                   401, "invalid_client"),
    ("RFC 6749 §3.2.1 another's id",       {"client_id": "other"},                   401, "invalid_client"),
    ("RFC 6749 §4.1.3 no code",            {"code": None},                           400, "invalid_request"),
]
# fmt: on


@pytest.mark.parametrize(("given", "status", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(provider: Provider, given: dict[str, Any], status: int, code: str) -> None:
    issued = provider.code()
    answer = ask(provider, issued, given)
    assert (answer.status, answer.body["error"]) == (status, code)
    assert ask(provider, issued).status == 200


def test_a_nonce_is_needed_and_offered(provider: Provider) -> None:
    """RFC 9449 §8, §8.2: refused with a nonce; with it the code still works and the next nonce comes along."""
    code = provider.code()
    refused = ask(provider, code, proofs=(provider.proof("/token", nonce=None),))
    assert (refused.status, refused.body["error"]) == (400, "use_dpop_nonce")
    given = ask(provider, code, proofs=(provider.proof("/token", nonce=refused.headers["DPoP-Nonce"]),))
    assert given.status == 200
    assert given.headers["DPoP-Nonce"]
    assert given.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("proofs", [(), ("x",), ("x", "y")])
def test_bad_proofs(provider: Provider, proofs: tuple[str, ...]) -> None:
    """RFC 9449 §5: no token without a proof."""
    answer = ask(provider, provider.code(), proofs=proofs)
    assert (answer.status, answer.body["error"]) == (400, "invalid_dpop_proof")


def test_assertion_and_proof_count_once(provider: Provider) -> None:
    """RFC 7523 §3, RFC 9449 §11.1: a replay reaches no code, so it does not end the tokens either."""
    code, given, proof = provider.code(), provider.credentials(), provider.proof("/token")
    assert ask(provider, code, given, (proof,)).status == 200
    assert ask(provider, code, given).body["error"] == "invalid_client"
    assert ask(provider, code, proofs=(proof,)).body["error"] == "invalid_dpop_proof"
    assert provider.ended_families() == 0


def test_a_refusal_of_a_grant_keeps_what_was_written(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grant's `Refusal` is a value: the spent assertion stays spent (it commits), the answer is 400."""

    async def gather(asked: TokenRequest) -> TokenRequest:
        assert asked.client is not None
        return asked

    monkeypatch.setitem(token.GRANTS, "test", Grant(gather, lambda *_: Refusal("invalid_grant", "no"), anonymous=False))
    given = provider.credentials()
    assert ask(provider, "x", {"grant_type": "test", **given}).body["error"] == "invalid_grant"
    assert ask(provider, "x", {"grant_type": "test", **given}).body["error"] == "invalid_client"


def test_anonymous_grants_take_a_client_too(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 6749 §3.2.1: credentials that come along are verified even where none are needed."""
    seen: list[TokenRequest] = []

    async def gather(asked: TokenRequest) -> None:
        seen.append(asked)
        raise Wire("invalid_grant", "no")

    monkeypatch.setitem(token.GRANTS, "test", Grant(gather, lambda *_: {}, anonymous=True))
    nobody = {"client_assertion": None, "client_assertion_type": None, "client_id": None}
    assert ask(provider, "x", {"grant_type": "test", **nobody}).body["error"] == "invalid_grant"
    assert ask(provider, "x", {"grant_type": "test"}).body["error"] == "invalid_grant"
    assert [asked.client and asked.client.client_id for asked in seen] == [None, "rp"]
    bad = {"grant_type": "test", **provider.credentials(aud="https://other.example")}
    assert ask(provider, "x", bad).body["error"] == "invalid_client"
