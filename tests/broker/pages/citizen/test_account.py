"""The account's pages: what is shared and used, stopping it, and nobody else's."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from broker.database import Database
from broker.people import activity, people
from broker.people.people import Enrolment, Profile
from broker.sign_in import session
from tests.broker import issuing
from tests.broker.issuing import Issuer

PATHS = ["", "/sharing", "/sharing/{id}", "/sharing/{id}/stop", "/activity"]


@pytest.fixture
def issuer(database: Database, tmp_path: Path) -> Iterator[Issuer]:
    with issuing.running(database, tmp_path) as running:
        yield running


def given(issuer: Issuer) -> str:
    """Let the person share something; return the permission's id."""
    issuer.offer()
    return issuer.events()[0].permission or ""


def stop(issuer: Issuer, permission: str, **ticked: str):
    page = issuer.browser.get(f"/account/sharing/{permission}/stop")
    return issuer.submit(page, "stop", action="stop-sharing", **ticked)


def stranger(issuer: Issuer) -> TestClient:
    """Another person, signed in at the same place."""
    parts = issuer.parts
    with parts.database.write() as tx:
        made = Enrolment("nils", "x", None, "low", Profile("Nils"))
        person = people.enrol(tx, parts.vault, parts.roots, made, issuer.now)
        cookie, _ = session.start(
            tx, person, state="full", acr="", amr=("pwd",), now=issuer.now, idle=7200, longest=7200
        )
    client = TestClient(issuer.browser.app, base_url=parts.issuer, follow_redirects=False)
    client.cookies.set("__Host-semel", cookie, domain="id.example.gov", path="/")
    return client


def test_an_empty_account_says_what_will_be_there(issuer: Issuer) -> None:
    assert "Hello" in issuer.browser.get("/account").text
    assert "No service may use your information now." in issuer.browser.get("/account/sharing").text
    assert "No one has used your information yet." in issuer.browser.get("/account/activity").text


def test_what_was_shared_is_listed_with_its_items(issuer: Issuer) -> None:
    permission = given(issuer)
    listed = issuer.browser.get("/account/sharing").text
    assert f'data-permission="{permission}" data-state="live"' in listed
    page = issuer.browser.get(f"/account/sharing/{permission}").text
    assert f'href="/account/sharing/{permission}/stop"' in page
    assert "You agreed to share" in page
    assert "Home address" in page
    assert "Proof of residence" in page


def test_stopping_ends_it_at_once_and_is_entered_once(issuer: Issuer) -> None:
    permission = given(issuer)
    page = stop(issuer, permission, ask_erasure="yes")
    assert "Sharing has stopped" in page.text
    assert "delete what they already got" in page.text
    assert issuer.types() == ["permission.given", "permission.withdrawn"]
    assert issuer.events()[0].body["erasure"] == "asked"
    listed = issuer.browser.get("/account/sharing").text
    assert f'data-permission="{permission}" data-state="withdrawn"' in listed
    assert "You stopped sharing" in issuer.browser.get("/account/activity").text


def test_stopping_twice_says_that_it_had_ended(issuer: Issuer) -> None:
    permission = given(issuer)
    page = issuer.browser.get(f"/account/sharing/{permission}/stop")
    assert "Sharing has stopped" in issuer.submit(page, "stop", action="stop-sharing").text
    assert "This had already ended" in issuer.submit(page, "stop", action="stop-sharing").text
    assert issuer.types() == ["permission.given", "permission.withdrawn"]
    assert issuer.events()[0].body.get("erasure") is None
    again = issuer.browser.get(f"/account/sharing/{permission}/stop")
    assert again.url.path == f"/account/sharing/{permission}"
    assert "/stop" not in again.text


@pytest.mark.parametrize("path", PATHS)
def test_nobody_sees_an_account_without_signing_in(issuer: Issuer, path: str) -> None:
    answer = issuer.wallet.get("/account" + path.format(id=given(issuer)), follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize("path", ["/sharing/{id}", "/sharing/{id}/stop"])
def test_a_permission_is_its_persons(issuer: Issuer, path: str) -> None:
    other = stranger(issuer)
    for permission in (given(issuer), "0197f3c2-0000-7000-8000-000000000007", "x" * 4000):
        assert other.get("/account" + path.format(id=permission)).status_code == 404


def test_nobody_stops_for_another(issuer: Issuer) -> None:
    permission, other = given(issuer), stranger(issuer)
    token = re.findall(r'name="form_token" value="([^"]+)"', other.get("/sign-out").text)[0]
    headers = {"Sec-Fetch-Site": "same-origin"}
    form = {"form_token": token, "action": "stop-sharing"}
    assert other.post(f"/account/sharing/{permission}/stop", data=form, headers=headers).status_code == 404
    assert issuer.types() == ["permission.given"]


@pytest.mark.parametrize(("headers", "token"), [({"Sec-Fetch-Site": "cross-site"}, True), ({"Sec-Fetch-Site": "same-origin"}, False)])  # fmt: skip
def test_another_site_stops_nothing(issuer: Issuer, headers: dict[str, str], token: bool) -> None:
    permission = given(issuer)
    page = issuer.browser.get(f"/account/sharing/{permission}/stop")
    known = re.findall(r'name="form_token" value="([^"]+)"', page.text)[0]
    form = {"form_token": known if token else "00" * 32, "action": "stop-sharing"}
    answer = issuer.browser.post(f"/account/sharing/{permission}/stop", data=form, headers=headers)
    assert answer.status_code == 403
    assert issuer.types() == ["permission.given"]


def test_pages_come_in_the_language_chosen(issuer: Issuer) -> None:
    permission = given(issuer)
    page = issuer.browser.get(f"/account/sharing/{permission}?lang=ar").text
    assert '<html lang="ar" dir="rtl"' in page
    assert "عنوان السكن" in page
    assert '<html lang="ar" dir="rtl"' in issuer.browser.get("/account/activity").text


def test_older_events_are_a_page_further(issuer: Issuer) -> None:
    permission = given(issuer)
    stop(issuer, permission)
    assert "You agreed to share" not in issuer.browser.get("/account/activity?before=0").text
    first = issuer.browser.get("/account/activity?before=1").text
    assert "You agreed to share" in first
    assert "You stopped sharing" not in first
    assert issuer.browser.get("/account/activity?before=x").status_code == 200


def noted(issuer: Issuer, *kinds: str) -> None:
    with issuer.parts.database.write() as tx:
        for kind in kinds:
            issuer.later(1)
            activity.record(tx, issuer.parts.vault, issuer.person_id, {"type": kind}, issuer.now)


def test_refusals_and_the_support_desk_stand_in_the_activity(issuer: Issuer) -> None:
    noted(issuer, "permission.refused", "support.looked_up")
    page = issuer.browser.get("/account/activity").text
    assert page.index("The support desk looked at the state of your account") < page.index("You said no")


def test_entries_and_notes_are_one_list_over_all_pages(issuer: Issuer) -> None:
    """Every one once, newest first, however they are mixed."""
    for _ in range(3):
        noted(issuer, *["sign_in.handed_over"] * 20)
        issuer.later(1000)  # an offer that waits would only be shown again
        given(issuer)
    seen, path = "", "/account/activity"
    for _ in range(3):
        page = issuer.browser.get(path).text
        seen += page
        more = re.search(r'href="(/account/activity[^"]+)"', page)
        path = html.unescape(more[1]) if more else ""
        if not path:
            break
    assert not path
    kinds = re.findall("You agreed to share|You let another screen", seen)
    entries = sum(one.type == "permission.given" for one in issuer.events())
    assert kinds.count("You let another screen") == 60
    assert kinds.count("You agreed to share") == entries
    whens = re.findall(r'class="semel-events__when"><time datetime="([^"]+)"', seen)
    assert whens == sorted(whens, reverse=True)


def test_an_offer_that_no_wallet_collected_ran_out(issuer: Issuer) -> None:
    """It was not used up: nobody got anything."""
    permission = given(issuer)
    issuer.later(3600)
    listed = issuer.browser.get("/account/sharing").text
    assert f'data-permission="{permission}" data-state="expired"' in listed
    assert "Ran out" in listed
    assert "Used up" not in listed


@pytest.mark.parametrize(("level", "offered"), [("substantial", True), ("low", False)])
def test_the_account_tells_of_a_proof_exactly_when_the_documents_page_offers_it(
    database: Database, tmp_path: Path, level: str, offered: bool
) -> None:
    """What one page promises the next one holds: after a sign-in that is too weak, neither tells of it."""
    with issuing.running(database, tmp_path, acr=level) as issuer:
        assert ("You can put a proof in your wallet" in issuer.browser.get("/account").text) is offered
        assert ("/residence/add-to-wallet" in issuer.browser.get("/account/documents").text) is offered
        page = issuer.browser.get("/account/documents/residence/add-to-wallet")
        assert page.status_code == (200 if offered else 403)
