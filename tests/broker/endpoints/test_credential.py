"""From the button to the signed credential over HTTP, and every refusal on the way (OpenID4VCI 1.0 §6, §8)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from jwcrypto.jwk import JWK  # type: ignore[import-untyped]  # it ships no types
from sd_jwt.verifier import SDJWTVerifier
from sqlalchemy import update

from broker.database import Database
from broker.tables import person
from consent import permission
from tests.broker import issuing
from tests.broker.issuing import ISSUER, Issuer

holder = issuing.example_wallet()


@pytest.fixture
def issuer(database: Database, tmp_path: Path) -> Iterator[Issuer]:
    with issuing.running(database, tmp_path) as running:
        yield running


class Wallet:
    """A wallet one step at a time, so that any step can go wrong."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.caller = holder.Caller(issuer.wallet, issuer.seconds)
        self.key = holder.ec.generate_private_key(holder.ec.SECP256R1())

    def redeem(self, **form: str | None) -> dict[str, Any]:
        given = {"grant_type": holder.PRE_AUTHORIZED, **form}
        data = {name: value for name, value in given.items() if value is not None}
        token: dict[str, Any] = self.caller.post(f"{ISSUER}/token", data=data)
        return token

    def nonce(self) -> str:
        return str(self.issuer.wallet.post("/nonce").json()["c_nonce"])

    def proof(self, nonce: str | None = None) -> str:
        return str(holder.key_proof(self.key, ISSUER, nonce or self.nonce(), self.issuer.seconds))

    def ask(self, token: str, **body: Any) -> dict[str, Any]:
        wanted = {"credential_configuration_id": "residence", **body}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        wanted.setdefault("proofs", {"jwt": [self.proof()]})
        answer: dict[str, Any] = self.caller.post(f"{ISSUER}/credential", access_token=token, json=wanted)
        return answer


def code_of(issuer: Issuer, uri: str) -> str:
    return str(holder.read_offer(uri, issuer.wallet)["grants"][holder.PRE_AUTHORIZED]["pre-authorized_code"])


def redeemed(issuer: Issuer) -> tuple[Wallet, str]:
    uri, page = issuer.offer()
    wallet = Wallet(issuer)
    token = wallet.redeem(**{"pre-authorized_code": code_of(issuer, uri), "tx_code": issuer.tx_code(page)})
    return wallet, token["access_token"]


def refused(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(holder.Refused) as problem:
        call()
    return problem.value.status, problem.value.code


def test_the_whole_way(issuer: Issuer) -> None:
    uri, page = issuer.offer()
    held = holder.receive(uri, issuer.tx_code(page), http=issuer.wallet, clock=issuer.seconds)
    claims = holder.verify(held.credential, issuer.wallet, issuer.seconds)
    assert claims["address"] == issuing.ADDRESS
    assert claims["family_name"] == "O'Møller"
    assert issuer.register.asked == [(frozenset(issuing.VALUES), "issue")]
    assert issuer.types() == ["permission.given", "credential.issued"]
    issued = issuer.events()[0]
    assert issued.party == "semel.wallet"
    assert issued.body["configuration"] == "residence"
    assert set(issued.private["items"].values()) == {"provided"}
    shown = holder.present(
        held, ["address.locality"], audience="https://verifier.example", nonce="n", clock=issuer.seconds
    )
    published = issuer.wallet.get("/.well-known/jwt-vc-issuer").json()["jwks"]["keys"][0]
    key = JWK.from_json(json.dumps(published))
    seen = SDJWTVerifier(shown, lambda _i, _h: key, "https://verifier.example", "n").get_verified_payload()
    assert seen["address"] == {"locality": "Norr"}


@pytest.mark.parametrize("moved", [-86_401, 86_401])
def test_the_wallet_keeps_time_by_its_own_clock(issuer: Issuer, moved: int) -> None:
    uri, page = issuer.offer()
    held = holder.receive(uri, issuer.tx_code(page), http=issuer.wallet, clock=issuer.seconds)
    with pytest.raises(holder.Refused, match="not_verified"):
        holder.verify(held.credential, issuer.wallet, lambda: issuer.seconds() + moved)


def test_no_value_in_the_ledger_entry(issuer: Issuer) -> None:
    wallet, token = redeemed(issuer)
    wallet.ask(token)
    written = json.dumps([[event.body, event.private] for event in issuer.events()], ensure_ascii=False)
    for value in ("Fjordgata", "Møller", "01100", "2019-05-01"):
        assert value not in written


def test_the_permission_is_used_up(issuer: Issuer) -> None:
    wallet, token = redeemed(issuer)
    wallet.ask(token)
    permission_id = issuer.events()[0].permission
    assert permission_id is not None
    with issuer.parts.database.read() as tx:
        given = permission.get(tx, permission_id)
    assert given is not None
    assert (given.state, given.uses, given.mode) == ("exhausted", 1, "explicit_request")


def test_one_copy_for_one_offer(issuer: Issuer) -> None:
    wallet, token = redeemed(issuer)
    wallet.ask(token)
    assert refused(lambda: wallet.ask(token)) == (400, "credential_request_denied")
    assert issuer.types().count("credential.issued") == 1
    assert len(issuer.register.asked) == 1


def test_a_holder_key_stands_in_one_credential(issuer: Issuer) -> None:
    """Refused before a register is asked; whoever's the second credential is, and a new key gets it."""
    wallet, token = redeemed(issuer)
    wallet.ask(token)
    again, second = redeemed(issuer)
    own, again.key = again.key, wallet.key
    assert refused(lambda: again.ask(second)) == (400, "invalid_proof")
    assert issuer.types().count("credential.issued") == 1
    assert len(issuer.register.asked) == 1
    again.key = own
    again.ask(second)
    assert issuer.types().count("credential.issued") == 2


def test_n01_a_proof_is_good_once(issuer: Issuer) -> None:
    wallet, token = redeemed(issuer)
    proof = wallet.proof()
    wallet.ask(token, proofs={"jwt": [proof]})
    other, second = redeemed(issuer)
    assert refused(lambda: other.ask(second, proofs={"jwt": [proof]})) == (400, "invalid_nonce")
    assert issuer.types().count("credential.issued") == 1
    other.ask(second)


@pytest.mark.parametrize("wait", [300, 301])
def test_n02_a_nonce_expires(issuer: Issuer, wait: int) -> None:
    nonce = Wallet(issuer).nonce()
    issuer.later(wait)
    wallet, token = redeemed(issuer)
    assert refused(lambda: wallet.ask(token, proofs={"jwt": [wallet.proof(nonce)]})) == (400, "invalid_nonce")


def test_n17_a_code_is_good_once_and_for_one_key(issuer: Issuer) -> None:
    uri, page = issuer.offer()
    form = {"pre-authorized_code": code_of(issuer, uri), "tx_code": issuer.tx_code(page)}
    Wallet(issuer).redeem(**form)
    assert refused(lambda: Wallet(issuer).redeem(**form)) == (400, "invalid_grant")
    assert refused(lambda: code_of(issuer, uri)) == (404, "not_found")


def test_n17_a_code_expires(issuer: Issuer) -> None:
    uri, page = issuer.offer()
    form = {"pre-authorized_code": code_of(issuer, uri), "tx_code": issuer.tx_code(page)}
    issuer.later(600)
    assert refused(lambda: Wallet(issuer).redeem(**form)) == (400, "invalid_grant")


# N18 and the grant's parameters: what is sent instead of what is right
# fmt: off
BAD_FORMS: list[tuple[str, dict[str, str | None], tuple[int, str]]] = [
    ("tx_code missing",                 {"tx_code": None},                                    (400, "invalid_request")),
    ("tx_code wrong",                   {"tx_code": "x"},                                     (400, "invalid_grant")),
    ("tx_code endless",                 {"tx_code": "1" * 65},                                (400, "invalid_request")),
    ("code missing",                    {"pre-authorized_code": None},                        (400, "invalid_request")),
    ("code unknown",                    {"pre-authorized_code": "q" * 43},                    (400, "invalid_grant")),
    ("another grant type",              {"grant_type": "pre-authorized_code"},                (400, "unsupported_grant_type")),
    ("client credentials",              {"client_secret": "s"},                               (401, "invalid_client")),
    ("details are not JSON",            {"authorization_details": "["},                       (400, "invalid_authorization_details")),
    ("details ask for more",            {"authorization_details": "[{},{}]"},                 (400, "invalid_authorization_details")),
    ("details ask for something else",  {"authorization_details": '[{"type":"openid_credential","credential_configuration_id":"permit"}]'}, (400, "invalid_authorization_details")),
]
# fmt: on


@pytest.mark.parametrize(("why", "changed", "expected"), BAD_FORMS, ids=[row[0] for row in BAD_FORMS])
def test_refused_at_the_token_endpoint(
    issuer: Issuer, why: str, changed: dict[str, str | None], expected: tuple[int, str]
) -> None:
    uri, page = issuer.offer()
    form: dict[str, str | None] = {"pre-authorized_code": code_of(issuer, uri), "tx_code": issuer.tx_code(page)}
    assert refused(lambda: Wallet(issuer).redeem(**{**form, **changed})) == expected
    Wallet(issuer).redeem(**form)  # the right one still works


def test_n18_the_fifth_wrong_number_kills_the_code(issuer: Issuer) -> None:
    uri, page = issuer.offer()
    code, right = code_of(issuer, uri), issuer.tx_code(page)
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    for _ in range(5):
        form = {"pre-authorized_code": code, "tx_code": wrong}
        assert refused(lambda form=form: Wallet(issuer).redeem(**form)) == (400, "invalid_grant")  # type: ignore[misc]  # mypy cannot infer the default's type
    form = {"pre-authorized_code": code, "tx_code": right}
    assert refused(lambda: Wallet(issuer).redeem(**form)) == (400, "invalid_grant")


def test_n18_no_number_no_credential(issuer: Issuer) -> None:
    uri, _ = issuer.offer()
    form = {"pre-authorized_code": code_of(issuer, uri), "tx_code": "000000"}
    assert refused(lambda: Wallet(issuer).redeem(**form)) == (400, "invalid_grant")


def test_asked_for_by_details_then_by_identifier(issuer: Issuer) -> None:
    uri, page = issuer.offer()
    wanted = [{"type": "openid_credential", "credential_configuration_id": "residence"}]
    wallet = Wallet(issuer)
    token = wallet.redeem(
        **{
            "pre-authorized_code": code_of(issuer, uri),
            "tx_code": issuer.tx_code(page),
            "authorization_details": json.dumps(wanted),
        }
    )
    (detail,) = token["authorization_details"]
    (identifier,) = detail["credential_identifiers"]
    assert refused(lambda: wallet.ask(token["access_token"])) == (400, "invalid_credential_request")
    other = {"credential_configuration_id": None, "credential_identifier": identifier[::-1]}
    assert refused(lambda: wallet.ask(token["access_token"], **other)) == (400, "unknown_credential_identifier")
    wallet.ask(token["access_token"], credential_configuration_id=None, credential_identifier=identifier)


# N20, N21 and the rest of §8.3.1: refused with the token still good afterwards
Bad = Callable[[Wallet, str], Any]


def _plain(wallet: Wallet, token: str, **changed: Any) -> Any:
    headers = {"Authorization": f"DPoP {token}", "DPoP": wallet.caller.proof("POST", f"{ISSUER}/credential", token)}
    sent = {"headers": {**headers, **changed.pop("headers", {})}, "content": b"{}", **changed}
    return wallet.caller._answer(wallet.issuer.wallet.post("/credential", **sent))


def _other_key(wallet: Wallet, token: str) -> Any:
    stranger = Wallet(wallet.issuer)
    return stranger.ask(token)


def _no_ath(wallet: Wallet, token: str) -> Any:
    wallet.caller.nonces[f"{ISSUER}/credential"] = wallet.caller.nonces[f"{ISSUER}/token"]
    return _plain(wallet, token, headers={"DPoP": wallet.caller.proof("POST", f"{ISSUER}/credential", None)})


def _other_address(wallet: Wallet, token: str) -> Any:
    return _plain(wallet, token, headers={"DPoP": wallet.caller.proof("POST", f"{ISSUER}/prefill", token)})


# fmt: off
BAD_REQUESTS: list[tuple[str, Bad, tuple[int, str]]] = [
    ("N20 token in the query",     lambda w, t: w.caller._answer(w.issuer.wallet.post(f"/credential?access_token={t}", json={})), (401, "invalid_token")),
    ("N20 Bearer",                 lambda w, t: _plain(w, t, headers={"Authorization": f"Bearer {t}"}),   (401, "invalid_token")),
    ("N20 no proof",               lambda w, t: w.caller._answer(w.issuer.wallet.post("/credential", headers={"Authorization": f"DPoP {t}"}, json={})), (401, "invalid_dpop_proof")),
    ("N20 another key",            _other_key,                                                            (401, "invalid_dpop_proof")),
    ("N20 no ath",                 _no_ath,                                                               (401, "invalid_dpop_proof")),
    ("N20 another address",        _other_address,                                                        (401, "invalid_dpop_proof")),
    ("N20 no nonce",               _plain,                                                                  (401, "use_dpop_nonce")),
    ("N20 another token",          lambda w, t: w.ask(t[:-4] + "AAAA"),                                   (401, "invalid_token")),
    ("N21 unknown configuration",  lambda w, t: w.ask(t, credential_configuration_id="permit"),           (400, "unknown_credential_configuration")),
    ("N21 identifier not given",   lambda w, t: w.ask(t, credential_configuration_id=None, credential_identifier="x"), (400, "unknown_credential_identifier")),
    ("N21 both",                   lambda w, t: w.ask(t, credential_identifier="x"),                      (400, "invalid_credential_request")),
    ("N11 singular proof",         lambda w, t: w.ask(t, proof={"proof_type": "jwt", "jwt": w.proof()}),  (400, "invalid_credential_request")),
    ("N12 two proofs",             lambda w, t: w.ask(t, proofs={"jwt": [w.proof(), w.proof()]}),         (400, "invalid_proof")),
    ("N04 empty nonce",            lambda w, t: w.ask(t, proofs={"jwt": [holder.key_proof(w.key, ISSUER, "", w.issuer.seconds)]}), (400, "invalid_proof")),
    ("N03 foreign nonce",          lambda w, t: w.ask(t, proofs={"jwt": [w.proof("A" * 76)]}),            (400, "invalid_nonce")),
    ("N06 proof for another",      lambda w, t: w.ask(t, proofs={"jwt": [holder.key_proof(w.key, ISSUER + "/", w.nonce(), w.issuer.seconds)]}), (400, "invalid_proof")),
    ("encryption",                 lambda w, t: w.ask(t, credential_response_encryption={"jwk": {}}),     (400, "invalid_encryption_parameters")),
    ("not JSON",                   lambda w, t: w.caller.post(f"{ISSUER}/credential", access_token=t, data={"a": "b"}), (400, "invalid_credential_request")),
]
# fmt: on


@pytest.mark.parametrize(("why", "bad", "expected"), BAD_REQUESTS, ids=[row[0] for row in BAD_REQUESTS])
def test_refused_at_the_credential_endpoint(issuer: Issuer, why: str, bad: Bad, expected: tuple[int, str]) -> None:
    wallet, token = redeemed(issuer)
    assert refused(lambda: bad(wallet, token)) == expected
    assert issuer.types() == ["permission.given"]
    assert issuer.register.asked == []
    wallet.ask(token)


def test_n21_a_token_for_something_else(issuer: Issuer) -> None:
    wallet, token = redeemed(issuer)
    kinds = dict(issuer.parts.credentials)
    kinds["permit"] = kinds["residence"].model_copy(update={"id": "permit", "scope": "permit"})
    object.__setattr__(issuer.parts, "credentials", kinds)
    assert refused(lambda: wallet.ask(token, credential_configuration_id="permit")) == (403, "insufficient_scope")


@pytest.mark.parametrize(
    ("status", "expected"),
    [("withheld", (400, "credential_request_denied")), ("not_held", (400, "credential_request_denied"))],
)
def test_what_the_register_withholds_is_not_issued(issuer: Issuer, status: str, expected: tuple[int, str]) -> None:
    wallet, token = redeemed(issuer)
    issuer.register.statuses["address.registered"] = status
    assert refused(lambda: wallet.ask(token)) == expected
    assert issuer.types() == ["permission.given"]


def test_a_register_that_is_down_can_be_asked_again(issuer: Issuer) -> None:
    wallet, token = redeemed(issuer)
    issuer.register.down = True
    assert refused(lambda: wallet.ask(token)) == (503, "temporarily_unavailable")
    issuer.register.down = False
    wallet.ask(token)


def test_nothing_is_issued_for_who_has_died(issuer: Issuer) -> None:
    wallet, token = redeemed(issuer)
    issuer.register.eligible = False
    assert refused(lambda: wallet.ask(token)) == (400, "credential_request_denied")


def test_a_single_name_is_left_as_it_is(issuer: Issuer) -> None:
    wallet, token = redeemed(issuer)
    issuer.register.statuses["identity.family_name"] = "not_applicable"
    claims = holder.verify(wallet.ask(token)["credentials"][0]["credential"], issuer.wallet, issuer.seconds)
    assert "family_name" not in claims
    assert issuer.events()[0].private["items"]["identity.family_name"] == "not_applicable"


def test_stopping_ends_the_offer_and_the_token(issuer: Issuer) -> None:
    wallet, token = redeemed(issuer)
    _stop(issuer)
    assert refused(lambda: wallet.ask(token)) == (401, "invalid_token")
    assert issuer.types() == ["permission.given", "permission.withdrawn"]


def test_stopping_before_the_wallet_came(issuer: Issuer) -> None:
    uri, page = issuer.offer()
    form = {"pre-authorized_code": code_of(issuer, uri), "tx_code": issuer.tx_code(page)}
    _stop(issuer)
    assert refused(lambda: Wallet(issuer).redeem(**form)) == (400, "invalid_grant")
    assert issuer.browser.get(page.url.path).status_code == 404
    assert issuer.offer()[1].url.path != page.url.path


def test_a_disabled_person_gets_nothing_more(issuer: Issuer) -> None:
    """protocol §4: disabled citizens are honoured by every grant and endpoint at once."""
    uri, page = issuer.offer()
    form = {"pre-authorized_code": code_of(issuer, uri), "tx_code": issuer.tx_code(page)}
    with issuer.parts.database.write() as tx:
        tx.execute(update(person).values(disabled=1))
    assert refused(lambda: Wallet(issuer).redeem(**form)) == (400, "invalid_grant")
    with issuer.parts.database.write() as tx:
        tx.execute(update(person).values(disabled=0))
    wallet = Wallet(issuer)
    token = wallet.redeem(**form)["access_token"]
    with issuer.parts.database.write() as tx:
        tx.execute(update(person).values(disabled=1))
    assert refused(lambda: wallet.ask(token)) == (401, "invalid_token")
    assert issuer.types() == ["permission.given"]


def _stop(issuer: Issuer) -> None:
    page = issuer.browser.get(f"/account/sharing/{issuer.events()[0].permission}/stop")
    assert issuer.submit(page, "stop", action="stop-sharing").status_code == 200


def test_the_token_says_nothing_about_the_person(issuer: Issuer) -> None:
    subjects = set()
    for _ in range(2):
        wallet, token = redeemed(issuer)
        claims = jwt.decode(token, options={"verify_signature": False})
        assert issuer.person_id not in json.dumps(claims)
        subjects.add(claims["sub"])
        wallet.ask(token)
    assert len(subjects) == 2
