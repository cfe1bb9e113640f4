"""Grants as the agency manages them: asked about, given back, made, added to, replaced (Grant Management for OAuth 2.0)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from sqlalchemy import delete, func, select, update

from broker.clients.key_sets import KeySets
from broker.clients.registry import Registry
from broker.tables import refresh_token, replay, sealed_row
from consent.tables import permission
from keys.tables import ledger_key
from tests.actors import Agency, Citizen
from tests.broker import elsewhere
from tests.broker.counting import metered
from tests.broker.whole import Whole
from tests.conftest import POSTGRESQL

USE = "use:norr.childcare-allowance"
MANAGE = "grant_management_query grant_management_revoke"
NARROW = f"openid {USE} identity.given_name {MANAGE}"
WIDER = f"openid {USE} identity.birth_date contact.email {MANAGE}"
GRANTS = ("authorization_code", "refresh_token", "client_credentials")


@pytest.fixture(autouse=True)
def registered(whole: Whole) -> None:
    """Both agencies are registered for everything these tests ask."""
    changed = {"grant_types": GRANTS}
    clients = [
        one.model_copy(update=changed | {"scope": f"{one.scope} {MANAGE}"}) for one in whole.parts.registry.all()
    ]
    whole.give(registry=Registry(clients, KeySets(whole.parts.outbound.client_addresses), mode="sandbox"))


@pytest.fixture
def agency(whole: Whole) -> Agency:
    return whole.agency()


@pytest.fixture
def maria(whole: Whole) -> Citizen:
    return whole.present()


def given(agency: Agency, person: Citizen, *ticked: str, **asked: str) -> dict[str, Any]:
    """What the agency gets when the person shares what it asks."""
    return agency.token(person.shares(person.open(agency.asks(**{"scope": NARROW, **asked})), *ticked))


def query(agency: Agency, token: dict[str, Any], grant_id: str | None = None) -> httpx2.Response:
    return agency.call("GET", f"/grants/{grant_id or token['grant_id']}", token=token["access_token"])


def revoke(agency: Agency, token: dict[str, Any], grant_id: str | None = None) -> httpx2.Response:
    return agency.call("DELETE", f"/grants/{grant_id or token['grant_id']}", token=token["access_token"])


def refresh(agency: Agency, token: dict[str, Any]) -> httpx2.Response:
    return agency.post("/token", {"grant_type": "refresh_token", "refresh_token": token["refresh_token"]})


def items(agency: Agency, token: dict[str, Any]) -> list[str]:
    """What a grant holds, as the agency is told."""
    (detail,) = query(agency, token).json()["authorization_details"]
    return [item["id"] for item in detail["items"]]


def error(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_what_a_grant_holds(whole: Whole, agency: Agency, maria: Citizen) -> None:
    """§6.4: the use, the items that were given, since when and until when; nothing about the person."""
    token = given(agency, maria, "contact.email", scope=f"{NARROW} contact.email contact.iban", duration="90")
    answer = query(agency, token)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.headers["dpop-nonce"]
    wanted = [{"id": "identity.given_name", "required": True}, {"id": "contact.email", "required": False}]
    assert answer.json() == {
        "scopes": [{"scope": f"openid {USE}"}],
        "authorization_details": [
            {
                "type": f"{whole.settings.issuer}/rar/prefill/v1",
                "intended_use": "norr.childcare-allowance",
                "version": 3,
                "actions": ["read"],
                "datatypes": ["identity", "contact"],
                "items": wanted,
                "subject": {"relation": "self"},
                "access": {"kind": "ongoing"},
            }
        ],
        "created_at": whole.clock.now // 1_000_000,
        "expires_at": whole.clock.now // 1_000_000 + 90 * 86_400,
    }


def test_a_clients_own_token_asks_about_all_its_grants(whole: Whole, agency: Agency, maria: Citizen) -> None:
    """§6.1: how the token was obtained is left open; one about nobody ends nothing, and opens nothing else."""
    token = given(agency, maria)
    own = agency.post("/token", {"grant_type": "client_credentials", "scope": "grant_management_query"}).json()
    assert own["scope"] == "grant_management_query"
    assert query(agency, own, token["grant_id"]).json() == query(agency, token).json()
    for path in ("/prefill", "/userinfo"):
        assert error(agency.call("GET", path, token=own["access_token"])) == (401, "invalid_token")
    asked = agency.post("/token", {"grant_type": "client_credentials", "scope": MANAGE})
    assert error(asked) == (400, "invalid_scope")
    whole.clock.later(301)
    assert error(query(agency, own, token["grant_id"])) == (401, "invalid_token")


def test_the_agency_gives_a_grant_back(whole: Whole, agency: Agency, maria: Citizen) -> None:
    """§6.5: 204 and nothing; all tokens end at once, and the person's ledger says who ended it."""
    token = given(agency, maria)
    answer = revoke(agency, token)
    assert (answer.status_code, answer.content) == (204, b"")
    entry = whole.events()[0]
    assert (entry.type, entry.permission) == ("permission.ended_by_controller", token["grant_id"])
    assert (entry.party, entry.private["actor"]) == (agency.client_id, "controller")
    assert error(agency.data(token["access_token"])) == (401, "invalid_token")
    assert error(refresh(agency, token)) == (400, "invalid_grant")
    assert error(query(agency, token)) == (404, "not_found")
    assert error(revoke(agency, token)) == (404, "not_found")
    assert whole.types().count("permission.ended_by_controller") == 1
    with whole.parts.database.read() as tx:
        assert tx.execute(select(func.count()).select_from(sealed_row)).scalar() == 0
        assert tx.execute(select(func.count()).select_from(refresh_token)).scalar() == 0
    seen = maria.open(f"/account/sharing/{token['grant_id']}")
    assert [one["data-state"] for one in seen.content if "data-state" in one] == ["ended_by_controller"]
    assert "Ended by the service" in seen.content.text
    assert "The service ended this and can get nothing more" in maria.activity().content.text


def test_a_grant_that_the_person_stopped_is_gone(whole: Whole, agency: Agency, maria: Citizen) -> None:
    token = given(agency, maria)
    maria.stops(token["grant_id"])
    assert error(query(agency, token)) == (404, "not_found")
    assert error(revoke(agency, token)) == (404, "not_found")
    assert whole.types().count("permission.withdrawn") == 1


def stranger(whole: Whole, token: dict[str, Any]) -> tuple[Agency, dict[str, Any], str]:
    office = whole.agency("norr-planning")
    other = whole.present("nora")
    scope = f"openid use:norr.building-permit {MANAGE}"
    return office, office.token(other.shares(other.open(office.asks(scope=scope)))), token["grant_id"]


def another_grant(whole: Whole, token: dict[str, Any]) -> tuple[Agency, dict[str, Any], str]:
    return whole.agency(), token, given(whole.agency(), whole.present("nora"))["grant_id"]


def unknown(whole: Whole, token: dict[str, Any]) -> tuple[Agency, dict[str, Any], str]:
    return whole.agency(), token, "nonexistent-grant-id-1234567890"


def malformed(whole: Whole, token: dict[str, Any]) -> tuple[Agency, dict[str, Any], str]:
    return whole.agency(), token, "x" * 300


# fmt: off
NOT_FOUND = [
    ("§6.6 another client's grant",            stranger),
    ("§6.6 another grant than the token's",    another_grant),
    ("§6.6 unknown",                           unknown),
    ("§6.6 no id at all",                      malformed),
]
# fmt: on


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("case", [row[1] for row in NOT_FOUND], ids=[row[0] for row in NOT_FOUND])
def test_what_is_not_there_for_this_token(whole: Whole, maria: Citizen, method: str, case: Any) -> None:
    """One answer for all of it, and nothing ends."""
    keeper = whole.agency()
    caller, token, grant_id = case(whole, given(keeper, maria))
    caller.dpop = keeper.dpop if caller.client_id == keeper.client_id else caller.dpop
    size = whole.size()
    answer = caller.call(method, f"/grants/{grant_id}", token=token["access_token"])
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "not_found", "error_description": "no such grant", "correlation_id": answer.json()["correlation_id"]},
    )
    assert whole.size() == size
    with whole.parts.database.read() as tx:
        assert set(tx.execute(select(permission.c.state)).scalars()) == {"live"}


@pytest.mark.parametrize(
    ("method", "scope"),
    [("GET", "grant_management_revoke"), ("DELETE", "grant_management_query"), ("GET", ""), ("DELETE", "")],
)
def test_the_scope_is_needed(agency: Agency, maria: Citizen, method: str, scope: str) -> None:
    """§6.1, RFC 6750 §3.1: 403, naming the scope that is missing."""
    token = given(agency, maria, scope=f"openid {USE} identity.given_name {scope}".strip())
    answer = agency.call(method, f"/grants/{token['grant_id']}", token=token["access_token"])
    assert error(answer) == (403, "insufficient_scope")
    needed = {"GET": "grant_management_query", "DELETE": "grant_management_revoke"}[method]
    assert f'scope="{needed}"' in answer.headers["www-authenticate"]


def test_a_scope_that_was_not_registered_is_not_granted(whole: Whole, agency: Agency, maria: Citizen) -> None:
    plain = [one.model_copy(update={"scope": f"openid {USE}"}) for one in whole.parts.registry.all()]
    whole.give(registry=Registry(plain, KeySets(whole.parts.outbound.client_addresses), mode="sandbox"))
    token = given(agency, maria)
    assert token["scope"] == f"openid {USE} identity.given_name"
    assert error(query(agency, token)) == (403, "insufficient_scope")


def revoked(_whole: Whole, agency: Agency, token: dict[str, Any]) -> None:
    assert agency.post("/revocation", {"token": token["access_token"]}).status_code == 200


def expired(whole: Whole, _agency: Agency, _token: dict[str, Any]) -> None:
    whole.clock.later(301)


def disabled(whole: Whole, _agency: Agency, _token: dict[str, Any]) -> None:
    off = [one.model_copy(update={"disabled": True}) for one in whole.parts.registry.all()]
    whole.give(registry=Registry(off, KeySets(whole.parts.outbound.client_addresses), mode="sandbox"))


def public(whole: Whole, _agency: Agency, _token: dict[str, Any]) -> None:
    """§5.1: only clients that authenticate manage grants."""
    changed = {"token_endpoint_auth_method": "none", "profile": "baseline", "grant_types": GRANTS[:2]}
    clients = [one.model_copy(update=changed) for one in whole.parts.registry.all()]
    whole.give(registry=Registry(clients, KeySets(whole.parts.outbound.client_addresses), mode="sandbox"))


def other_key(whole: Whole, agency: Agency, _token: dict[str, Any]) -> None:
    agency.dpop = whole.agency().dpop


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("how", [revoked, expired, disabled, public, other_key], ids=lambda one: one.__name__)
def test_a_token_that_counts_no_more(whole: Whole, agency: Agency, maria: Citizen, method: str, how: Any) -> None:
    """§6.6, RFC 6750 §3.1, RFC 9449 §7.1."""
    token = given(agency, maria)
    how(whole, agency, token)
    size = whole.size()
    answer = agency.call(method, f"/grants/{token['grant_id']}", token=token["access_token"])
    code = "invalid_dpop_proof" if how is other_key else "invalid_token"
    assert (error(answer), whole.size()) == ((401, code), size)


def test_nobody_is_left_to_enter_it_for(whole: Whole, agency: Agency, maria: Citizen) -> None:
    """A person who was erased has no history any more; the grant is not ended without an entry."""
    token = given(agency, maria)
    with whole.parts.database.write() as tx:
        tx.execute(delete(ledger_key).where(ledger_key.c.stream_id.startswith("person:")))
    size = whole.size()
    assert error(revoke(agency, token)) == (401, "invalid_token")
    assert whole.size() == size


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_without_a_token_or_as_a_bearer(whole: Whole, agency: Agency, maria: Citizen, method: str) -> None:
    token = given(agency, maria)
    path = f"{whole.settings.issuer}/grants/{token['grant_id']}"
    bare = agency.http.request(method, path)
    bearer = agency.http.request(method, path, headers={"Authorization": f"Bearer {token['access_token']}"})
    assert [error(bare), error(bearer)] == [(401, "invalid_token")] * 2


def test_a_proof_counts_once(agency: Agency, maria: Citizen) -> None:
    token = given(agency, maria)
    url = f"{agency.issuer}/grants/{token['grant_id']}"
    query(agency, token)
    headers = {"DPoP": agency.proof("GET", url, token["access_token"])}
    headers["Authorization"] = f"DPoP {token['access_token']}"
    assert [agency.http.get(url, headers=headers).status_code for _ in range(2)] == [200, 401]


# fmt: off
REFUSED: list[tuple[str, dict[str, str | None], str]] = [
    ("§5.4 a grant without an action",      {"grant_id": "own"},                                          "invalid_request"),
    ("§5.4 an unknown action",              {"grant_management_action": "update", "grant_id": "own"},     "invalid_request"),
    ("§5.2 create with a grant",            {"grant_management_action": "create", "grant_id": "own"},     "invalid_request"),
    ("§5.2 merge without a grant",          {"grant_management_action": "merge"},                         "invalid_request"),
    ("§5.2 replace without a grant",        {"grant_management_action": "replace"},                       "invalid_request"),
    ("§5.4 unknown grant, merge",           {"grant_management_action": "merge", "grant_id": "x" * 32},   "invalid_grant_id"),
    ("§5.4 unknown grant, replace",         {"grant_management_action": "replace", "grant_id": "../sharing"}, "invalid_grant_id"),
    ("§5.4 another client's grant",         {"grant_management_action": "merge", "grant_id": "other"},    "invalid_grant_id"),
    ("§5.4 a grant that ended",             {"grant_management_action": "replace", "grant_id": "ended"},  "invalid_grant_id"),
]
# fmt: on


@pytest.mark.parametrize(("changed", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_when_pushed(
    whole: Whole, agency: Agency, maria: Citizen, changed: dict[str, str | None], code: str
) -> None:
    own = given(agency, maria)["grant_id"]
    office, nora = whole.agency("norr-planning"), whole.present("nora")
    scope = f"openid use:norr.building-permit {MANAGE}"
    other = office.token(nora.shares(nora.open(office.asks(scope=scope))))["grant_id"]
    if changed.get("grant_id") == "ended":
        maria.stops(own)
    named = {"own": own, "ended": own, "other": other}
    asked = changed | (
        {"grant_id": named.get(str(changed["grant_id"]), changed["grant_id"])} if "grant_id" in changed else {}
    )
    agency.push()
    with whole.parts.database.read() as tx:
        before = tx.execute(select(func.count()).select_from(replay)).scalar()
    answer = agency.push(scope=NARROW, **asked)
    assert error(answer) == (400, code)
    assert "request_uri" not in answer.json()
    with whole.parts.database.read() as tx:
        assert tx.execute(select(func.count()).select_from(replay)).scalar() == before


def test_a_grant_of_another_use(whole: Whole, agency: Agency, maria: Citizen) -> None:
    """A grant is a permission under one use; what is asked under another is another grant."""
    grant_id = given(agency, maria)["grant_id"]
    with whole.parts.database.write() as tx:
        tx.execute(update(permission).values(use_id="norr.other"))
    answer = agency.push(scope=NARROW, grant_management_action="merge", grant_id=grant_id)
    assert error(answer) == (400, "invalid_grant_id")


def test_public_clients_do_not_manage_grants(whole: Whole, agency: Agency) -> None:
    public(whole, agency, {})
    said = agency.request(scope=NARROW, grant_management_action="create")
    assert error(agency.http.post(f"{agency.issuer}/par", data=said)) == (400, "unauthorized_client")


def test_merge_asks_for_all_that_will_be_allowed(whole: Whole, agency: Agency, maria: Citizen) -> None:
    """§5.2: what is given is added to the same grant; its old tokens end, and one notice showed all of it."""
    first = given(agency, maria)
    page = maria.open(agency.asks(scope=WIDER, grant_management_action="merge", grant_id=first["grant_id"]))
    shown = [element["data-item"] for element in page.content if "data-item" in element]
    assert set(shown) == {"identity.given_name", "identity.birth_date", "contact.email"}
    assert agency.data(first["access_token"]).status_code == 200, "until it is decided, what was decided before holds"
    second = agency.token(maria.shares(page))
    assert second["grant_id"] == first["grant_id"]
    assert items(agency, second) == ["identity.given_name", "identity.birth_date"]
    assert error(refresh(agency, first)) == (400, "invalid_grant")
    assert error(agency.data(first["access_token"])) == (401, "invalid_token")
    provided = {item for item, one in agency.items(second["access_token"]).items() if one["status"] == "provided"}
    assert provided == {"identity.given_name", "identity.birth_date"}
    assert refresh(agency, second).status_code == 200
    assert [kind for kind in whole.types() if kind.startswith("permission")] == [
        "permission.given",
        "permission.amended",
    ]
    assert list(maria.sharing()) == [first["grant_id"]]
    assert "You changed what you share" in maria.activity().content.text


def test_merge_with_nothing_new_asks_nothing(whole: Whole, agency: Agency, maria: Citizen) -> None:
    first = given(agency, maria)
    page = maria.open(agency.asks(scope=NARROW, grant_management_action="merge", grant_id=first["grant_id"]))
    second = agency.token(page)
    assert second["grant_id"] == first["grant_id"]
    assert error(refresh(agency, first)) == (400, "invalid_grant")
    assert agency.data(second["access_token"]).status_code == 200
    assert whole.types().count("permission.amended") == 0


def test_merge_asks_again_for_what_was_left_out(agency: Agency, maria: Citizen) -> None:
    """The agency names it, so the person is asked; a plain visit would go through without."""
    scope = f"{NARROW} contact.email"
    first = given(agency, maria, scope=scope)
    page = maria.open(agency.asks(scope=scope, grant_management_action="merge", grant_id=first["grant_id"]))
    second = agency.token(maria.shares(page, "contact.email"))
    assert items(agency, second) == ["identity.given_name", "contact.email"]


def test_merge_keeps_what_is_refused_out(whole: Whole, agency: Agency, maria: Citizen) -> None:
    """Don't share: nothing of the grant changes."""
    first = given(agency, maria)
    page = maria.open(agency.asks(scope=WIDER, grant_management_action="merge", grant_id=first["grant_id"]))
    back = agency.receives(maria.press(page, "consent", "refuse"))
    assert back == {"error": "access_denied"}
    assert items(agency, first) == ["identity.given_name"]
    assert refresh(agency, first).status_code == 200


def test_replace_leaves_only_what_is_asked_now(agency: Agency, maria: Citizen) -> None:
    """§5.2: the same grant, and in it nothing but what was asked and given last."""
    first = given(agency, maria)
    scope = f"openid {USE} identity.birth_date {MANAGE}"
    second = given(agency, maria, scope=scope, grant_management_action="replace", grant_id=first["grant_id"])
    assert second["grant_id"] == first["grant_id"]
    assert items(agency, second) == ["identity.birth_date"]
    assert error(agency.data(first["access_token"])) == (401, "invalid_token")
    assert error(refresh(agency, first)) == (400, "invalid_grant")


def test_replace_always_asks(agency: Agency, maria: Citizen) -> None:
    first = given(agency, maria)
    asked = {"scope": NARROW, "grant_management_action": "replace", "grant_id": first["grant_id"]}
    assert maria.open(agency.asks(**asked)).has("consent")
    back = agency.receives(maria.open(agency.asks(**asked, prompt="none")))
    assert back == {"error": "consent_required"}


def test_create_takes_the_place_of_the_one_before(whole: Whole, agency: Agency, maria: Citizen) -> None:
    """§5.2: a fresh grant, asked for anew; of one use and person one ongoing grant is live."""
    first = given(agency, maria)
    second = given(agency, maria, grant_management_action="create")
    assert second["grant_id"] != first["grant_id"]
    assert error(query(agency, first)) == (404, "not_found")
    assert query(agency, second).status_code == 200
    with whole.parts.database.read() as tx:
        rows = {row.permission_id: row.state for row in tx.execute(select(permission))}
    assert rows == {first["grant_id"]: "superseded", second["grant_id"]: "live"}


@pytest.mark.parametrize("action", ["merge", "replace"])
def test_another_person_is_shown_nothing(whole: Whole, agency: Agency, maria: Citizen, action: str) -> None:
    """A grant is of one person: whoever else is signed in is sent back before anything of theirs is fetched."""
    first = given(agency, maria)
    nora = whole.present("nora")
    page = nora.open(agency.asks(scope=WIDER, grant_management_action=action, grant_id=first["grant_id"]))
    assert page.get("not-possible")["data-reason"] == "permission_ended"
    assert agency.receives(nora.goes_back(page)) == {"error": "invalid_grant_id"}
    assert whole.types("nora") == []
    assert items(agency, first) == ["identity.given_name"]


@pytest.mark.parametrize("action", ["merge", "replace"])
def test_a_grant_that_ends_while_the_person_decides(whole: Whole, agency: Agency, maria: Citizen, action: str) -> None:
    first = given(agency, maria)
    page = maria.open(agency.asks(scope=WIDER, grant_management_action=action, grant_id=first["grant_id"]))
    assert revoke(agency, first).status_code == 204
    back = agency.receives(maria.goes_back(maria.press(page, "consent", "share", item=[])))
    assert back == {"error": "invalid_grant_id"}
    assert "permission.amended" not in whole.types()


def test_two_merges_at_once_lose_nothing(whole: Whole, agency: Agency, maria: Citizen) -> None:
    """The second Share did not show what the first one added: the agency asks again."""
    first = given(agency, maria)
    other = whole.agency()
    one = {"grant_management_action": "merge", "grant_id": first["grant_id"]}
    a = maria.open(agency.asks(scope=f"openid {USE} identity.birth_date {MANAGE}", **one))
    b = maria.open(other.asks(scope=f"openid {USE} identity.family_name {MANAGE}", **one))
    second = agency.token(maria.shares(a))
    assert other.receives(maria.press(b, "consent", "share", item=[])) == {"error": "invalid_grant_id"}
    assert items(agency, second) == ["identity.given_name", "identity.birth_date"]


def test_an_old_code_is_dead_after_a_new_decision(agency: Agency, maria: Citizen, whole: Whole) -> None:
    """A code of the earlier decision that nobody redeemed yet stands for more, or less, than is allowed now."""
    first = given(agency, maria)
    later = whole.agency()
    code = agency.receives(maria.open(agency.asks(scope=NARROW)))["code"]
    scope = f"openid {USE} identity.birth_date {MANAGE}"
    second = given(later, maria, scope=scope, grant_management_action="replace", grant_id=first["grant_id"])
    assert error(agency.redeem(code)) == (400, "invalid_grant")
    assert later.data(second["access_token"]).status_code == 200


def test_merge_of_details(agency: Agency, maria: Citizen) -> None:
    """RFC 9396 beside it: the same request in another spelling."""
    first = given(agency, maria)
    detail = {
        "type": f"{agency.issuer}/rar/prefill/v1",
        "intended_use": "norr.childcare-allowance",
        "items": [{"id": "identity.birth_date"}],
    }
    asked = {"scope": f"openid {MANAGE}", "authorization_details": json.dumps([detail])}
    second = given(agency, maria, **asked, grant_management_action="merge", grant_id=first["grant_id"])
    assert items(agency, second) == ["identity.given_name", "identity.birth_date"]


def test_a_sign_in_alone_is_a_grant_too(whole: Whole, agency: Agency, maria: Citizen) -> None:
    """OpenID Connect Core §5.4: what it holds are claims, those that the account can answer."""
    wider = [one.model_copy(update={"scope": f"openid profile email {MANAGE}"}) for one in whole.parts.registry.all()]
    whole.give(registry=Registry(wider, KeySets(whole.parts.outbound.client_addresses), mode="sandbox"))
    page = maria.open(agency.asks(scope=f"openid email {MANAGE}"))
    token = agency.token(maria.press(page, "consent", "share"))
    told = query(agency, token).json()
    assert (told["scopes"], told["claims"]) == ([{"scope": "openid"}], ["email"])
    assert "authorization_details" not in told
    asked = {"scope": f"openid profile {MANAGE}", "grant_management_action": "merge", "grant_id": token["grant_id"]}
    second = agency.token(maria.press(maria.open(agency.asks(**asked)), "consent", "share"))
    assert second["grant_id"] == token["grant_id"]
    assert set(query(agency, second).json()["claims"]) > {"email"}
    assert revoke(agency, second).status_code == 204


@pytest.mark.parametrize("action", ["merge", "replace"])
def test_a_device_asks_about_a_grant(whole: Whole, agency: Agency, maria: Citizen, action: str) -> None:
    """§5.2: whatever serves as an authorization request may say it; the person decides on another screen."""
    elsewhere.register(whole, grant_types=(*GRANTS, elsewhere.DEVICE))
    first = given(agency, maria)
    scope = f"openid {USE} identity.birth_date {MANAGE}"
    named = {"scope": scope, "grant_management_action": action, "grant_id": first["grant_id"]}
    asked = elsewhere.device_asks(agency, **named).json()
    maria.press(elsewhere.comes_to_decide(maria, asked), "consent", "share", item=[])
    second = elsewhere.poll(agency, asked["device_code"]).json()
    assert second["grant_id"] == first["grant_id"]
    held = ["identity.given_name", "identity.birth_date"]
    assert items(agency, second) == (held if action == "merge" else held[1:])
    assert error(agency.data(first["access_token"])) == (401, "invalid_token")
    asked = elsewhere.device_asks(agency, **named).json()
    nora = whole.present("nora")
    nora.press(elsewhere.enters(nora, asked["user_code"]), "request", "continue")
    assert error(elsewhere.poll(agency, asked["device_code"]))[0] == 400
    assert whole.types("nora") == []
    assert items(agency, second) == (held if action == "merge" else held[1:])


@pytest.mark.parametrize(("changed", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_where_a_device_asks(
    whole: Whole, agency: Agency, maria: Citizen, changed: dict[str, str | None], code: str
) -> None:
    """The same table where no browser is sent: another client's grant is no other answer than none."""
    elsewhere.register(whole, grant_types=(*GRANTS, elsewhere.DEVICE))
    own = given(agency, maria)["grant_id"]
    office, nora = whole.agency("norr-planning"), whole.present("nora")
    scope = f"openid use:norr.building-permit {MANAGE}"
    other = office.token(nora.shares(nora.open(office.asks(scope=scope))))["grant_id"]
    if changed.get("grant_id") == "ended":
        maria.stops(own)
    named = {"own": own, "ended": own, "other": other}
    asked = {name: named.get(str(value), str(value)) for name, value in changed.items()}
    assert error(elsewhere.device_asks(agency, scope=NARROW, **asked)) == (400, code)


@pytest.mark.parametrize("door", ["/par", "/device_authorization"])
def test_a_sign_in_of_another_client_is_not_joined(whole: Whole, agency: Agency, maria: Citizen, door: str) -> None:
    """All sign-ins are of one use: whose it is counts, and nothing of another client's grant is shown or asked."""
    elsewhere.register(whole, grant_types=(*GRANTS, elsewhere.DEVICE), scope=f"openid profile email {MANAGE}")
    office = whole.agency("norr-planning")
    page = maria.open(office.asks(scope="openid profile email"))
    theirs = office.token(maria.press(page, "consent", "share"))["grant_id"]
    said = agency.request(scope="openid email", grant_management_action="merge", grant_id=theirs)
    assert error(agency.post(door, said)) == (400, "invalid_grant_id")


def test_refused_at_the_front_door(whole: Whole, agency: Agency, maria: Citizen) -> None:
    """§5.4: a plain request is told where its answer may go."""
    changed = {"profile": "baseline", "require_pushed_authorization_requests": False}
    plain = [one.model_copy(update=changed) for one in whole.parts.registry.all()]
    whole.give(registry=Registry(plain, KeySets(whole.parts.outbound.client_addresses), mode="sandbox"))
    said = agency.request(scope=NARROW, grant_management_action="merge", grant_id="x" * 32)
    back = agency.receives(maria.open(f"/authorize?{urlencode(said)}"))
    assert back["error"] == "invalid_grant_id"
    assert "code" not in back


def test_what_it_costs(whole: Whole, agency: Agency, maria: Citizen) -> None:
    """One commit each; on PostgreSQL an entry costs one more, its lock."""
    token = given(agency, maria)
    with metered(whole) as meter:
        query(agency, token)
        revoke(agency, token)
    costs = [(cost.name, cost.statements, cost.commits) for cost in meter.take() if cost.status < 400]
    assert costs == [("GET /grants/{grant_id}", 4, 1), ("DELETE /grants/{grant_id}", 19 + bool(POSTGRESQL), 1)]
