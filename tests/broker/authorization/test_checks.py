"""The checks of a pushed request: what is refused, with which code, and what comes out."""

import hashlib
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from broker import errors
from broker.authorization import checks, hints, request
from broker.authorization.checks import At
from broker.authorization.request import Unchecked
from broker.clients.metadata import ClientMetadata
from broker.errors import Wire
from consent.intended_use import Uses
from keys.keyring import RootKeyring
from tests.broker.relying import CALLBACK, CHALLENGE, ISSUER, Key, client, parameters

KEY = Key()


def detail(**members: Any) -> str:
    return json.dumps([{"type": ISSUER + "/rar/prefill/v1", **members}])


GOOD: dict[str, str] = {
    "client_id": "rp",
    "response_type": "code",
    "redirect_uri": CALLBACK,
    "scope": "openid use:town.permit",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def unchecked(
    uses: Uses,
    changed: dict[str, Any],
    who: ClientMetadata | None = None,
    jkt: str | None = None,
    mode: str = "production",
) -> Unchecked:
    given = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    return Unchecked(who or client(KEY), parameters(**given), ISSUER, uses, jkt, mode=mode)


def test_a_good_request_survives_storage(uses: Uses) -> None:
    asked = {
        "state": "s" * 384,
        "nonce": "n" * 384,
        "prompt": "login consent",
        "max_age": "0",
        "acr_values": "http://eidas.europa.eu/LoA/high http://eidas.europa.eu/LoA/substantial",
        "ui_locales": "ar fr-CA <x>",
        "resource": ISSUER,
        "login_hint": "ignored",
    }
    checked = checks.check(unchecked(uses, asked, jkt=KEY.jkt), At.PUSH)
    assert (checked.state, checked.nonce) == ("s" * 384, "n" * 384)
    assert (checked.prompt, checked.max_age) == (("login", "consent"), 0)
    assert checked.ui_locales == ("ar", "fr-CA")
    assert checked.dpop_jkt == KEY.jkt
    assert checked.data.item_ids == ("identity.given_name", "contact.email")
    assert request.from_json(checked.to_json()) == checked
    assert "ignored" not in checked.to_json()


def test_what_the_client_registered_stands_in(uses: Uses) -> None:
    who = client(KEY, default_max_age=60, default_acr_values=["http://eidas.europa.eu/LoA/high"])
    checked = checks.check(unchecked(uses, {}, who), At.PUSH)
    assert (checked.max_age, checked.acr_values) == (60, ("http://eidas.europa.eu/LoA/high",))


def test_every_spelling_is_one_request(uses: Uses) -> None:
    """RFC 9396 §2, OpenID Connect Core §5.5: scope, details and claims ask for the same, each narrowing."""
    items = [{"id": "identity.given_name"}]
    spellings: list[dict[str, str]] = [
        {"scope": "openid use:town.permit identity.given_name"},
        {"scope": "openid", "authorization_details": detail(intended_use="town.permit", items=items)},
        {"authorization_details": detail(datatypes=["identity"], version=1, actions=["read"], locations=[ISSUER])},
        {"claims": '{"userinfo":{"given_name":{"essential":true},"unknown":null}}'},
        {
            "claims": '{"id_token":{"verified_claims":{"verification":{"trust_framework":null},"claims":{"given_name":null}}}}'
        },
        {
            "claims": '{"userinfo":{"identity.given_name":null}}',
            "authorization_details": detail(access={"kind": "once"}),
        },
    ]
    found = [checks.check(unchecked(uses, one), At.PUSH).data for one in spellings]
    assert set(found) == {found[0]}
    assert found[0].item_ids == ("identity.given_name",)
    assert found[0].required == {"identity.given_name"}


def test_what_is_kept_of_claims_holds_no_value(uses: Uses) -> None:
    said = {"userinfo": {"given_name": {"value": "Maria", "essential": True}}, "id_token": {"sub": {"value": "s-u-b"}}}
    ring = RootKeyring.generate().ring("cookie")
    asked = replace(unchecked(uses, {"claims": json.dumps(said), "login_hint": "maria@example"}), ring=ring)
    checked = checks.check(asked, At.PUSH)
    assert checked.claims is not None
    kept = json.loads(checked.claims)
    (code,) = kept["userinfo"]["given_name"].pop("is")
    assert kept == {
        "userinfo": {"given_name": {"essential": True}},
        "id_token": {"sub": None},
        "salt": kept["salt"],
    }
    guessed = hashlib.sha256(b'"Maria"').hexdigest()
    assert re.fullmatch(r"[0-9a-f]{64}", code)
    assert code != guessed, "who reads the row could try names"
    assert not [word for word in ("Maria", "s-u-b", "maria@") if word in checked.to_json()]
    assert hints.of(checked, ring) == hints.Hint("maria@example", "s-u-b", "rp")
    assert request.from_json(checked.to_json()) == checked


def test_a_level_that_must_be_reached(uses: Uses) -> None:
    """OpenID Connect Core §5.5.1.1: the claim takes the place of `acr_values`."""
    claims = '{"id_token":{"acr":{"essential":true,"values":["b","c"]},"auth_time":{"essential":true}}}'
    checked = checks.check(unchecked(uses, {"claims": claims, "acr_values": "a"}), At.PUSH)
    assert (checked.acr_values, checked.acr_essential, checked.auth_time) == (("b", "c"), True, True)


def test_a_narrower_request(uses: Uses) -> None:
    checked = checks.check(unchecked(uses, {"scope": "openid use:town.permit identity.given_name"}), At.PUSH)
    assert checked.data.item_ids == ("identity.given_name",)


# fmt: off
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("RFC 9126 §2.1 request_uri",         {"request_uri": "urn:x"},                               "invalid_request"),
    ("OIDC Core §7.2.1 registration",     {"registration": "{}"},                                 "registration_not_supported"),
    ("RFC 6749 §4.1.1 no client_id",      {"client_id": None},                                    "invalid_request"),
    ("RFC 9126 §2.1 other client_id",     {"client_id": "other"},                                 "invalid_request"),
    ("RFC 6749 §3.1.2 no redirect_uri",   {"redirect_uri": None},                                 "invalid_request"),
    ("RFC 9700 §2.1 other redirect_uri",  {"redirect_uri": CALLBACK + "/"},                       "invalid_request"),
    ("RFC 6749 §3.1.1 no response_type",  {"response_type": None},                                "invalid_request"),
    ("RFC 9700 §2.1.2 implicit",          {"response_type": "token"},                             "unsupported_response_type"),
    ("RFC 9700 §2.1.2 hybrid",            {"response_type": "code id_token"},                     "unsupported_response_type"),
    ("OAuth MRT §2.1 fragment",           {"response_mode": "fragment"},                          "invalid_request"),
    ("OAuth MRT §2.1 web_message",        {"response_mode": "web_message"},                       "invalid_request"),
    ("RFC 6749 §3.3 no scope",            {"scope": None},                                        "invalid_scope"),
    ("OIDC Core §3.1.2.1 no openid",      {"scope": "use:town.permit"},                           "invalid_scope"),
    ("RFC 6749 §3.3 double space",        {"scope": "openid  use:town.permit"},                   "invalid_scope"),
    ("RFC 6749 §3.3 bad character",       {"scope": 'openid "use:town.permit'},                   "invalid_scope"),
    ("wire §5.3 no use",                  {"scope": "openid"},                                    "invalid_scope"),
    ("wire §5.3 unknown use",             {"scope": "openid use:town.unknown"},                   "invalid_scope"),
    ("wire §5.3 another client's use",    {"scope": "openid use:other.permit"},                   "invalid_scope"),
    ("wire §5.3 two uses",                {"scope": "openid use:town.permit use:other.permit"},   "invalid_scope"),
    ("RFC 9396 §5 over-asking",           {"scope": "openid use:town.permit identity.sex"},       "invalid_authorization_details"),
    ("RFC 9396 §5 details",               {"authorization_details": "[]"},                        "invalid_authorization_details"),
    ("RFC 9396 §5 over-asking",           {"authorization_details": detail(items=[{"id": "identity.birth_date"}])}, "invalid_authorization_details"),
    ("RFC 9396 §2 another's use",         {"authorization_details": detail(intended_use="other.permit")}, "invalid_scope"),
    ("OIDC Core §5.5 claims",             {"claims": "[]"},                                       "invalid_request"),
    ("OIDC Core §5.5 over-asking",        {"claims": '{"userinfo":{"birthdate":null}}'},          "invalid_authorization_details"),
    ("OIDC Core §5.5.1 essential",        {"claims": '{"id_token":{"email":{"essential":true}}}'}, "invalid_authorization_details"),
    ("RFC 9396 §2 wider than details",    {"claims": '{"userinfo":{"email":null}}', "authorization_details": detail(items=[{"id": "identity.given_name"}])}, "invalid_authorization_details"),
    ("OIDC Core §3.1.2.1 id_token_hint",  {"id_token_hint": "a.b.c"},                             "invalid_request"),
    ("RFC 6749 A.5 state characters",     {"state": "a\nb"},                                      "invalid_request"),
    ("RFC 7636 §4.4.1 no challenge",      {"code_challenge": None},                               "invalid_request"),
    ("RFC 7636 §4.3 no method",           {"code_challenge_method": None},                        "invalid_request"),
    ("RFC 9700 §2.1.1 plain",             {"code_challenge_method": "plain"},                     "invalid_request"),
    ("RFC 7636 §4.2 short challenge",     {"code_challenge": "x"},                                "invalid_request"),
    ("RFC 9449 §10 no thumbprint",        {"dpop_jkt": "x"},                                      "invalid_request"),
    ("OIDC Core §3.1.2.1 prompt",         {"prompt": "sometimes"},                                "invalid_request"),
    ("OIDC Core §3.1.2.1 none and login", {"prompt": "none login"},                               "invalid_request"),
    ("OIDC Core §3.1.2.1 max_age",        {"max_age": "-1"},                                      "invalid_request"),
    ("OIDC Core §3.1.2.1 max_age",        {"max_age": "1e3"},                                     "invalid_request"),
    ("RFC 8707 §2 other resource",        {"resource": "https://other.example"},                  "invalid_target"),
    ("RFC 8707 §2 fragment",              {"resource": ISSUER + "#x"},                            "invalid_target"),
]
# fmt: on


@pytest.mark.parametrize(("changed", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(uses: Uses, changed: dict[str, Any], code: str) -> None:
    with pytest.raises(Exception) as refused:
        checks.check(unchecked(uses, changed), At.PUSH)
    said = errors.refusal(refused.value)
    assert (said.code, said.status) == (code, 400)
    assert said.description
    for value in changed.values():
        assert value is None or len(value) < 30 or value not in said.description


LONG = 60_000  # characters: nearly all that a request may have
# fmt: off
NO_LIMIT: list[tuple[str, dict[str, Any], str, Any]] = [
    ("RFC 6749 A.5",          {"state": "s" * LONG},                            "state",      "s" * LONG),
    ("OIDC Core §3.1.2.1",    {"nonce": "n" * LONG},                            "nonce",      "n" * LONG),
    ("OIDC Core §3.1.2.1",    {"nonce": "\u00fc \u4e2d"},                       "nonce",      "\u00fc \u4e2d"),
    ("OIDC Core §3.1.2.1",    {"max_age": "9" * LONG},                          "max_age",    checks.MAX_SECONDS),
    ("OIDC Core §3.1.2.1",    {"acr_values": " ".join(map(str, range(9000)))},  "acr_values", tuple(map(str, range(9000)))),
    ("OIDC Core §3.1.2.1",    {"ui_locales": "en " * 9000 + "ar"},              "ui_locales", ("en", "ar")),
    ("OIDC Core §5.2",        {"claims_locales": "de " + "x" * LONG},           "claims_locales", ("de",)),
    ("OIDC Core §3.1.2.1",    {"login_hint": "x" * LONG},                       "hint",       None),
    ("RFC 6749 §3.3 unknown", {"scope": "openid use:town.permit " + "x" * LONG}, "scope",     ("openid", "use:town.permit")),
    ("RFC 6749 §3.3 many",    {"scope": "openid use:town.permit " + " ".join(map(str, range(9000)))}, "scope", ("openid", "use:town.permit")),
    ("OIDC Core §5.5 name",   {"claims": json.dumps({"userinfo": {"x" * LONG: None}})},              "acr_values", ()),
    ("OIDC Core §5.5 many",   {"claims": json.dumps({"id_token": {f"c{n}": None for n in range(3000)}})}, "acr_values", ()),
    ("OIDC Core §5.5.1 many", {"claims": json.dumps({"id_token": {"acr": {"values": [str(n) for n in range(3000)]}}})}, "acr_values", tuple(str(n) for n in range(3000))),
]
# fmt: on


@pytest.mark.parametrize(
    ("changed", "member", "value"), [row[1:] for row in NO_LIMIT], ids=[f"{row[0]} {row[2]}" for row in NO_LIMIT]
)
@pytest.mark.parametrize("at", [At.AUTHORIZE, At.PUSH])
def test_no_arbitrary_limit(uses: Uses, at: At, changed: dict[str, Any], member: str, value: Any) -> None:
    """What the specification does not bound is as long as the request may be; what nobody knows is passed over."""
    assert getattr(checks.check(unchecked(uses, changed), at), member) == value


def test_over_asking_by_thousands_is_told_briefly(uses: Uses) -> None:
    """RFC 9396 §5: the refusal travels in an address."""
    many = " ".join(f"no.item{n}" for n in range(5000))
    with pytest.raises(Exception) as refused:
        checks.check(unchecked(uses, {"scope": f"openid use:town.permit {many}"}), At.PUSH)
    said = errors.refusal(refused.value).description
    assert "and 4980 more" in said
    assert len(said) < 600


BARE: dict[str, Any] = {"code_challenge": None, "code_challenge_method": None}


def baseline(method: str) -> ClientMetadata:
    secret = {"client_secret_hash": "x" * 43} if method.startswith("client_secret") else {}
    return client(KEY, profile="baseline", token_endpoint_auth_method=method, **secret)


@pytest.mark.parametrize("method", ["client_secret_basic", "private_key_jwt"])
def test_a_baseline_client_that_authenticates_may_leave_pkce_out(uses: Uses, method: str) -> None:
    """OpenID Connect Core §3.1.2.1, RFC 9700 §2.1.1; but not when it pushes, and not half."""
    who = baseline(method)
    assert checks.check(unchecked(uses, BARE, who, mode="sandbox"), At.AUTHORIZE).code_challenge is None
    assert checks.check(unchecked(uses, {}, who, mode="sandbox"), At.AUTHORIZE).code_challenge == CHALLENGE
    for changed, at in [(BARE, At.PUSH), ({"code_challenge": None}, At.AUTHORIZE)]:
        with pytest.raises(errors.Wire):
            checks.check(unchecked(uses, changed, who, mode="sandbox"), at)


@pytest.mark.parametrize("who", [baseline("none"), client(KEY)], ids=["public", "fapi2"])
def test_nobody_else_may_leave_pkce_out(uses: Uses, who: ClientMetadata) -> None:
    """RFC 9700 §2.1.1, FAPI 2.0 §5.3.2.2."""
    with pytest.raises(errors.Wire) as refused:
        checks.check(unchecked(uses, BARE, who, mode="sandbox"), At.AUTHORIZE)
    assert refused.value.refusal.code == "invalid_request"


def test_over_asking_names_the_items(uses: Uses) -> None:
    """RFC 9396 §5: the agency's developer reads which items were too many."""
    with pytest.raises(Exception) as refused:
        checks.check(unchecked(uses, {"scope": "openid use:town.permit identity.sex family.custody"}), At.PUSH)
    assert "family.custody identity.sex" in errors.refusal(refused.value).description


def test_two_dpop_keys(uses: Uses) -> None:
    """RFC 9449 §10.1: a proof and a thumbprint of another key."""
    with pytest.raises(errors.Wire) as refused:
        checks.check(unchecked(uses, {"dpop_jkt": KEY.jkt}, jkt=Key().jkt), At.PUSH)
    assert refused.value.refusal.code == "invalid_dpop_proof"


def test_a_client_without_the_flow(uses: Uses) -> None:
    """RFC 6749 §4.1.2.1."""
    who = client(KEY, grant_types=["client_credentials"])
    with pytest.raises(errors.Wire) as refused:
        checks.check(unchecked(uses, {}, who), At.PUSH)
    assert refused.value.refusal.code == "unauthorized_client"


def test_a_client_that_signs_its_requests(uses: Uses) -> None:
    """RFC 9101 §10.5: an unsigned request of one is a downgrade."""
    who = client(KEY, require_signed_request_object=True)
    with pytest.raises(errors.Wire) as refused:
        checks.check(unchecked(uses, {}, who), At.PUSH)
    assert refused.value.refusal.code == "invalid_request"
    assert checks.check(replace(unchecked(uses, {}, who), signed=True), At.PUSH)


def test_every_check_guards_the_push() -> None:
    """The table's only blanks are decisions: nothing at the front channel is unchecked at PAR."""
    front = [step for step, endpoints in checks.CHECKS if At.AUTHORIZE in endpoints and At.PUSH not in endpoints]
    assert front == [checks.s256_challenge_or_secret]  # of which a push takes the stricter half
    pushed = [check.__name__ for check, at in checks.CHECKS if At.PUSH in at and At.AUTHORIZE not in at]
    assert pushed == ["no_request_uri", "s256_challenge"]


def test_what_a_request_decided_elsewhere_is_not_asked() -> None:
    """Nobody is sent back, so nothing of a way back is checked; whom the back channel asks, it says in its own way."""
    way_back = {
        "no_request_uri", "signed_where_registered", "client_is_who_asks", "registered_redirect_uri",
        "response_type_is_code", "registered_response_mode", "state_and_nonce", "s256_challenge", "known_prompt",
    }  # fmt: skip
    blank = {
        at: {step.__name__ for step, places in checks.CHECKS if At.PUSH in places and at not in places}
        for at in (At.DEVICE, At.BACKCHANNEL)
    }
    assert blank == {At.DEVICE: way_back, At.BACKCHANNEL: way_back | {"hint"}}


def test_data_is_for_clients_held_to_fapi(uses: Uses) -> None:
    """House: a baseline client asks for data while things are tried out, never in production."""
    plain = client(KEY, profile="baseline", token_endpoint_auth_method="none")
    asked = unchecked(uses, {}, plain)
    assert checks.check(replace(asked, mode="sandbox"), At.PUSH).data.use_id == "town.permit"
    with pytest.raises(Wire) as refused:
        checks.check(asked, At.PUSH)
    assert refused.value.refusal.code == "unauthorized_client"
    assert checks.check(unchecked(uses, {}), At.PUSH).data.use_id == "town.permit"
