"""Signing in and nothing else: `openid` with the standard scopes, for who has no use of their own (OpenID Connect Core §5.4)."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from broker.authorization import sign_in
from broker.people import people
from broker.people.people import Profile
from broker.tables import person as table
from consent.intended_use import SIGN_IN
from tests.broker.released.relying import SCOPES, Website, claims, website
from tests.broker.whole import NUMBER, Whole

FURTHER = {
    "given_name": "Maria",
    "family_name": "O'Møller",
    "birthdate": "1990-01-01",
    "email_verified": True,
    "address": {"street_address": "Fjordgata 7", "postal_code": "01100", "locality": "Norr", "country": "XN"},
}
PROFILE = Profile("Maria", NUMBER, "maria@example.org", "+4799999999", "en", as_of="2026-03-12", further=FURTHER)
KNOWN = {
    "name": "Maria",
    "given_name": "Maria",
    "family_name": "O'Møller",
    "birthdate": "1990-01-01",
    "locale": "en",
    "email": "maria@example.org",
    "email_verified": True,
    "phone_number": "+4799999999",
    "address": FURTHER["address"],
}
OF_PROFILE = ("name", "given_name", "family_name", "birthdate", "locale")
UPDATED = {"updated_at": 1773273600}


@pytest.fixture
def site(whole: Whole) -> Website:
    return website(whole)


def person(whole: Whole) -> Any:
    whole.person_ids["maria"] = whole.enrol("maria", told=PROFILE)
    return whole.present()


def shared(*names: str) -> dict[str, Any]:
    return {name: KNOWN[name] for name in names}


def test_openid_alone_gives_a_subject_and_nothing_else(whole: Whole, site: Website) -> None:
    """OpenID Connect Core §5.3.2: `sub` is always there; nothing else was asked for."""
    maria = person(whole)
    page = maria.comes_from(site.address())
    assert page.heading == "Sign in to Norr library"
    assert page.get("consent").find(data_item="account.name") is None
    body = site.token(maria.press(page, "consent", "share"))
    identity = site.verified(body["id_token"])
    assert identity["nonce"] == site.asked["nonce"]
    assert set(identity) == {"iss", "sub", "aud", "iat", "exp", "acr", "nonce", "sid"}
    answer = site.userinfo(body["access_token"])
    assert (answer.status_code, answer.json()) == (200, {"sub": identity["sub"]})
    assert body["scope"] == "openid"
    assert "authorization_details" not in body
    assert whole.types() == ["access.previewed", "permission.given"], "nothing was handed over"
    assert whole.registers["population"].asked == [], "no register is asked for a sign-in"


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        ("openid profile", OF_PROFILE),
        ("openid email", ("email", "email_verified")),
        ("openid phone", ("phone_number",)),
        ("openid address", ("address",)),
        (SCOPES, tuple(KNOWN)),
    ],
)
def test_a_word_of_the_scope_stands_for_its_claims(
    whole: Whole, site: Website, scope: str, names: tuple[str, ...]
) -> None:
    """OpenID Connect Core §5.4; the page shows the values before, the ledger has the release before the answer."""
    maria = person(whole)
    page = maria.comes_from(site.address(scope=scope))
    text = page.get("consent").text
    if "profile" in scope:
        assert all(said in text for said in ("O'Møller", "1 January 1990"))
        assert "Short name" not in text, "nobody agrees to what they cannot see"
    if "email" in scope:
        assert "maria@example.org" in text
    body = site.token(maria.press(page, "consent", "share"))
    for method in ("GET", "POST"):
        answer = site.userinfo(body["access_token"], method)
        told = answer.json()
        assert told.pop("sub") == site.verified(body["id_token"])["sub"]
        assert told == shared(*names) | (UPDATED if "profile" in scope else {})
        assert answer.headers["cache-control"] == "no-store"
    assert whole.types() == ["access.previewed", "permission.given", "access.released", "access.released"]
    released = whole.events()[0]
    assert released.private["door"] == "userinfo"
    provided = {item for item, status in released.private["items"].items() if status == "provided"}
    assert len(provided) == len(names)


def test_claims_by_name_may_be_left_out_unless_they_are_essential(whole: Whole, site: Website) -> None:
    """OpenID Connect Core §5.5.1."""
    maria = person(whole)
    wish = claims(
        userinfo={"given_name": None, "email": {"essential": True}, "shoe_size": None}, id_token={"name": None}
    )
    page = maria.comes_from(site.address(claims=wish))
    offered = {box["value"] for box in page.get("consent").find_all("input", type="checkbox")}
    assert offered == {"account.given_name", "account.name"}
    body = site.token(maria.press(page, "consent", "share", item=["account.name"]))
    assert site.verified(body["id_token"])["name"] == "Maria"
    told = site.userinfo(body["access_token"]).json()
    assert told == {"sub": told["sub"], "email": "maria@example.org"}
    assert whole.types()[-2:] == ["access.released", "access.released"]
    assert [event.private["door"] for event in whole.events()[:2]] == ["userinfo", "id_token"]


def test_a_value_that_must_be(whole: Whole, site: Website) -> None:
    """OpenID Connect Core §5.5.1: the claim comes with that value or not at all; no row keeps the value."""
    maria = person(whole)
    wish = {
        "given_name": {"essential": True, "value": "Maria"},
        "family_name": {"essential": True, "values": ["X", "Y"]},
    }
    body = site.token(site.signs_in(maria, claims=claims(userinfo=wish)))
    told = site.userinfo(body["access_token"]).json()
    assert told == {"sub": told["sub"], "given_name": "Maria"}
    assert whole.events()[0].private["items"] == {
        "account.family_name": "provided",
        "account.given_name": "provided",
    }, "whoever learns that it is another name has learned something"


def test_a_client_gets_what_it_registered(whole: Whole) -> None:
    """RFC 6749 §3.3: the scope that is granted is told."""
    site = website(whole, scope="openid email")
    body = site.token(site.signs_in(person(whole), scope=SCOPES, claims=claims(userinfo={"name": None})))
    assert body["scope"] == "openid email"
    told = site.userinfo(body["access_token"]).json()
    assert told == {"sub": told["sub"], **shared("email", "email_verified")}


def test_a_visit_within_what_was_decided_asks_nothing(whole: Whole, site: Website) -> None:
    maria = person(whole)
    first = site.token(site.signs_in(maria, scope="openid email"))
    again = site.token(maria.open(site.address(scope="openid email", prompt="none")))
    assert site.verified(again["id_token"])["sub"] == site.verified(first["id_token"])["sub"]
    assert site.userinfo(again["access_token"]).json()["email"] == "maria@example.org"
    more = site.receives(maria.open(site.address(scope="openid email phone", prompt="none")))
    assert more["error"] == "consent_required"


def keeps(whole: Whole, told: Profile) -> None:
    """Write another profile into the account."""
    person_id = whole.person_ids["maria"]
    with whole.parts.database.write() as tx:
        sealed = people._seal_profile(whole.parts.vault.person(tx, person_id), person_id, told)
        tx.execute(update(table).where(table.c.person_id == person_id).values(profile_sealed=sealed))


def test_what_is_added_later_is_not_sent_without_asking(whole: Whole, site: Website) -> None:
    """ISO/IEC 29184 §5.3: nobody agrees to what they cannot see; it is asked for when it exists."""
    whole.person_ids["maria"] = whole.enrol("maria", told=replace(PROFILE, phone=None, further={}))
    maria = whole.present()
    page = maria.comes_from(site.address(scope="openid email phone profile"))
    assert page.get("consent").find(data_item="contact.phone") is None
    body = site.token(maria.press(page, "consent", "share"))
    given = whole.events()[0]
    assert given.type == "permission.given"
    assert "contact.phone" not in str(given.private)
    shown = next(event for event in whole.events() if event.type == "access.previewed")
    assert "contact.phone" not in str(shown.private)

    keeps(whole, PROFILE)
    for token in (body["access_token"], site.refresh(body["refresh_token"])["access_token"]):
        told = site.userinfo(token).json()
        assert told["email"] == "maria@example.org"
        assert not {"phone_number", "birthdate", "given_name"} & told.keys()

    again = site.receives(maria.open(site.address(scope="openid email phone profile", prompt="none")))
    assert again["error"] == "consent_required"
    page = maria.open(site.address(scope="openid email phone profile"))
    assert "+4799999999" in page.get("consent").find(data_item="contact.phone").text
    body = site.token(maria.press(page, "consent", "share"))
    assert site.userinfo(body["access_token"]).json()["phone_number"] == "+4799999999"


def test_a_repeat_visit_is_not_asked_about_what_is_still_not_there(whole: Whole, site: Website) -> None:
    whole.person_ids["maria"] = whole.enrol("maria", told=replace(PROFILE, phone=None))
    maria = whole.present()
    site.token(site.signs_in(maria, scope="openid email phone profile"))
    assert "code" in site.receives(maria.open(site.address(scope="openid email phone profile", prompt="none")))
    assert "code" in site.receives(maria.open(site.address(scope="openid email phone profile")))


def test_what_is_taken_out_of_the_account_asks_nothing_new(whole: Whole, site: Website) -> None:
    maria = person(whole)
    site.token(site.signs_in(maria, scope="openid email phone"))
    keeps(whole, replace(PROFILE, phone=None))
    body = site.token(maria.open(site.address(scope="openid email phone", prompt="none")))
    assert "phone_number" not in site.userinfo(body["access_token"]).json()


def test_no_means_no(whole: Whole, site: Website) -> None:
    said = site.receives(site.signs_in(person(whole), press="refuse", scope="openid email"))
    assert said["error"] == "access_denied"
    assert whole.types() == ["access.previewed"]


def test_a_stop_in_the_account_ends_it(whole: Whole, site: Website) -> None:
    maria = person(whole)
    body = site.token(site.signs_in(maria, scope="openid email"))
    ((permission, text),) = maria.sharing().items()
    assert "Norr library" in text
    maria.stops(permission)
    answer = site.userinfo(body["access_token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert whole.types()[-1] == "permission.withdrawn"


def test_refreshed_tokens_tell_the_same(whole: Whole, site: Website) -> None:
    """OpenID Connect Core §12; a narrower scope tells less (RFC 6749 §6)."""
    body = site.token(site.signs_in(person(whole), scope="openid email phone", claims=claims(userinfo={"name": None})))
    fresh = site.refresh(body["refresh_token"])
    told = site.userinfo(fresh["access_token"]).json()
    assert told == {"sub": told["sub"], **shared("email", "email_verified", "phone_number")}
    narrow = site.refresh(body["refresh_token"], scope="openid phone")
    told = site.userinfo(narrow["access_token"]).json()
    assert told == {"sub": told["sub"], **shared("phone_number")}


def test_two_sites_learn_two_subjects(whole: Whole) -> None:
    """OpenID Connect Core §8.1, and no value that both get but what was disclosed."""
    maria, sites = person(whole), [website(whole, name="One"), website(whole, name="Two")]
    told = []
    for site in sites:
        whole.clock.later(1)
        body = site.token(site.signs_in(maria, scope="openid email"))
        identity = site.verified(body["id_token"])
        told.append({*identity.values(), *site.userinfo(body["access_token"]).json().values()})
    shared_by_both = told[0] & told[1]
    assert shared_by_both == {"https://id.norr.example", "maria@example.org", True, identity["acr"]}


def test_the_data_answer_is_for_agencies(whole: Whole, site: Website) -> None:
    body = site.token(site.signs_in(person(whole), scope="openid email"))
    answer = whole.client().get("/prefill", headers={"Authorization": f"Bearer {body['access_token']}"})
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    assert whole.types()[-1] == "permission.given"


def test_a_public_client_signs_people_in(whole: Whole) -> None:
    site = website(whole, confidential=False)
    body = site.token(site.signs_in(person(whole), scope="openid email"))
    assert site.userinfo(body["access_token"]).json()["email"] == "maria@example.org"


@pytest.mark.parametrize("scope", ["openid", "openid email"])
def test_an_agency_may_just_sign_somebody_in(whole: Whole, scope: str) -> None:
    """A `fapi2` client without naming its use; what it did not register is not granted."""
    maria, agency = person(whole), whole.agency()
    page = maria.comes_from(agency.asks(scope=scope))
    body = agency.token(maria.press(page, "consent", "share"))
    assert body["scope"] == "openid"
    assert agency.call("GET", "/userinfo", token=body["access_token"]).json() == {"sub": body["subject"]}


def test_in_production_a_secret_buys_a_subject_only(whole: Whole, site: Website) -> None:
    """Data beyond `sub` needs the profile fapi2 there: told to the client, nothing is stored."""
    whole.give(mode="production")
    lean = website(whole, scope="openid")
    assert lean.token(lean.signs_in(person(whole)))["scope"] == "openid"
    answer = whole.client().get(site.address(scope="openid email"))
    assert answer.status_code in {303, 400}
    assert "code=" not in answer.headers.get("location", "")


@pytest.mark.parametrize("scope", ["openid identity.given_name", "openid use:semel.sign-in", "openid use:nobody.knows"])
def test_what_is_no_sign_in_is_refused(whole: Whole, site: Website, scope: str) -> None:
    said = site.receives(person(whole).open(site.address(scope=scope)))
    assert said["error"] == "invalid_scope"
    assert whole.types() == []


def test_the_host_that_people_are_told_is_where_their_answer_goes(whole: Whole) -> None:
    """RFC 9700 §4.1, RFC 8628 §5.4: somebody else's address registered beside one's own is shown to nobody as the service's."""
    theirs, own = "https://taxes.norr.example/cb", "https://evil.example/cb"
    several = website(whole, name="Notes", redirect_uris=[theirs, own])
    maria, page = person(whole), whole.citizen("maria").open(several.address(redirect_uri=own))
    assert page.has("sign-in")
    decision = maria.comes_from(several.address(redirect_uri=own, scope=SCOPES))
    assert decision.has("consent")
    for shown in (page.content.text, decision.content.text):
        assert "evil.example" in shown
        assert "taxes.norr.example" not in shown
    device = {"grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "redirect_uris": [theirs]}
    fetching = website(whole, name="Screen", **device)
    parts = whole.parts
    named = fetching.client_id, SIGN_IN, parts.uses.sign_in.template.version
    told = sign_in.use_of(parts.uses, parts.registry, *named).controller.domain
    assert told == f"taxes.norr.example, {fetching.client_id}"
