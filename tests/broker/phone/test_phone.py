"""Signing in with a phone: the story, and everything that must not let a stranger in (BCP 247; protocol §5 cross-device)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select

from broker import tables
from broker.pages.citizen.phone import describe
from broker.people import activity
from broker.sign_in import handover, session, user_code
from examples.browse import Page
from tests.actors import Citizen
from tests.broker.whole import ISSUER, Whole, journey_of

LOW = "http://eidas.europa.eu/LoA/low"


@pytest.fixture
def screen(whole: Whole) -> Citizen:
    """A browser in which nobody is signed in."""
    return whole.citizen()


def begins(screen: Citizen, path: str = "/sign-in/phone") -> Page:
    return screen.press(screen.open(path), "phone", "show-code")


def scanned(page: Page, screen: Citizen) -> str:
    """The address in the picture, as this browser's cookie makes it."""
    handle = next(value for name, value in screen.walker.http.cookies.items() if name.endswith("semel-phone"))
    return f"/x/{handover.code(handle)}"


def answers(phone: Citizen, address: str, number: str, button: str = "continue") -> str:
    """What came of the phone's answer."""
    page = phone.press(phone.open(address), "phone-confirm", button, number=number)
    return str(page.get("phone-answered")["data-outcome"])


def goes_on(screen: Citizen) -> Page:
    return screen.press(screen.open("/sign-in/phone"), "phone", "continue")


def rows(whole: Whole) -> list[Any]:
    with whole.parts.database.read() as tx:
        return list(tx.execute(select(tables.handover)).all())


def sessions(whole: Whole) -> int:
    with whole.parts.database.read() as tx:
        return int(tx.execute(select(func.count()).select_from(tables.session)).scalar_one())


def test_the_story(whole: Whole, screen: Citizen) -> None:
    """From an agency's request: the phone allows it, and the decision comes on the first screen."""
    page = screen.open(whole.agency().asks())
    page = begins(screen, f"/i/{journey_of(page.url)}/phone")
    phone = whole.present()
    whole.clock.later(20)
    asked = phone.open(scanned(page, screen))
    assert "Childcare allowance" in asked.content.text
    assert "you are in now" in asked.get("origin").text
    assert answers(phone, scanned(page, screen), page.get("number").text) == "approved"
    page = screen.press(screen.open(urlsplit(page.url).path), "phone", "continue")
    assert page.has("consent")
    assert screen.open("/account").status == 200
    assert rows(whole) == []


def test_the_letters_do_the_same(whole: Whole, screen: Citizen) -> None:
    page, phone = begins(screen), whole.present()
    confirm = phone.press(phone.open("/x"), "phone-code", "continue", typed=page.get("typed").text.lower())
    assert confirm.has("phone-confirm")
    assert urlsplit(confirm.url).path == scanned(page, screen)


def test_the_session_is_as_strong_and_as_old_as_the_phones(whole: Whole, screen: Citizen) -> None:
    """Handing over proves nothing anew: no fresh code, no newer sign-in (OpenID Connect Core §3.1.2.1 `max_age`)."""
    phone, began = whole.present(acr=LOW, amr=("pwd",)), whole.clock()
    whole.clock.later(600)
    page = begins(screen)
    assert answers(phone, scanned(page, screen), page.get("number").text) == "approved"
    assert urlsplit(goes_on(screen).url).path == "/account"
    cookie = next(value for name, value in screen.walker.http.cookies.items() if name.endswith("semel"))
    with whole.parts.database.read() as tx:
        live = session.find(tx, cookie, whole.clock())
    assert live is not None
    assert (live.acr, live.amr, live.auth_time, live.fresh_code_at) == (LOW, ("pwd", "mca"), began, None)


def test_a_service_that_wants_a_new_sign_in_gets_one(whole: Whole, screen: Citizen) -> None:
    """`prompt=login` really re-authenticates (OpenID Connect Core §3.1.2.1)."""
    phone = whole.present()
    whole.clock.later(60)
    start = screen.open(whole.agency().asks(prompt="login"))
    path = f"/i/{journey_of(start.url)}/phone"
    page = begins(screen, path)
    assert answers(phone, scanned(page, screen), page.get("number").text) == "approved"
    back = screen.press(screen.open(path), "phone", "continue")
    assert back.has("sign-in")
    assert back.get("again")["data-cause"] == "anew", "not without a word"
    assert "asks you to sign in anew" in back.get("again").text
    assert "Your phone can do it only if you sign in anew on it" in back.get("again").text


def test_a_phone_that_signed_in_after_the_request_serves(whole: Whole, screen: Citizen) -> None:
    """What the page says of the phone is true."""
    start = screen.open(whole.agency().asks(prompt="login"))
    whole.clock.later(60)
    phone, path = whole.present(), f"/i/{journey_of(start.url)}/phone"
    page = begins(screen, path)
    assert answers(phone, scanned(page, screen), page.get("number").text) == "approved"
    assert screen.press(screen.open(path), "phone", "continue").has("consent")


def test_the_picture_holds_the_address(whole: Whole, screen: Citizen) -> None:
    assert screen.walker.http.get("/sign-in/phone/qr.svg").status_code == 404
    page = begins(screen)
    picture = screen.walker.http.get(page.content.find("img")["src"])
    assert picture.status_code == 200
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert picture.headers["cache-control"] == "no-store"
    assert f"{ISSUER}/x" in page.content.text


@pytest.mark.parametrize("when", ["before", "declined", "mismatch", "late"])
def test_nobody_is_let_in(whole: Whole, screen: Citizen, when: str) -> None:
    """Unanswered, refused, a wrong number, too late: no session, and it cannot be answered again."""
    page, phone = begins(screen), whole.present()
    number, address = page.get("number").text, scanned(page, screen)
    wrong = next(str(other) for other in handover.choices(address[3:], int(number)) if str(other) != number)
    if when == "declined":
        assert answers(phone, address, number, "refuse") == "refused"
    elif when == "mismatch":
        assert answers(phone, address, wrong) == "mismatch"
    elif when == "late":
        whole.clock.later(handover.LIFETIME + 1)
    before = sessions(whole)
    page = screen.press(page, "phone", "continue")
    assert page.has("phone-state")
    assert sessions(whole) == before
    assert screen.open("/account").has("sign-in")
    if when != "before":
        assert phone.open(address).get("phone-answered")["data-outcome"] == "over"


def test_a_dead_code_is_not_shown(whole: Whole, screen: Citizen) -> None:
    """The page says until when the code is good; loaded after that, without scripts, it shows none and offers a new one."""
    page = begins(screen)
    assert page.has("typed")
    said = page.get("phone-state").text
    assert "This works until" in said
    until = page.content.find("time")
    assert until is not None
    shown = datetime.fromisoformat(until["datetime"]).timestamp()
    assert 0 <= whole.clock.seconds() + handover.LIFETIME - shown < 1, "never later than it really is over"
    whole.clock.later(handover.LIFETIME - 1)
    assert screen.open("/sign-in/phone").has("typed")
    whole.clock.later(1)
    page = screen.open("/sign-in/phone")
    assert (page.has("typed"), page.has("number"), page.get("phone-state")["data-state"]) == (False, False, "none")
    assert screen.walker.http.get("/sign-in/phone/qr.svg").status_code == 404
    assert begins(screen).has("typed")


def test_a_press_beside_a_code_that_died_says_so(whole: Whole, screen: Citizen) -> None:
    """The page stayed open while the code died: the press tells the cause, and shows no code."""
    page = begins(screen)
    whole.clock.later(handover.LIFETIME)
    late = screen.press(page, "phone", "continue")
    assert "The code is too old or was used before. Show a new one." in late.content.text
    assert not late.has("typed")


def test_a_code_begun_for_another_service_is_not_shown(whole: Whole, screen: Citizen) -> None:
    """The phone would be asked about the other one. Each service's own code stands where it was begun."""
    paths = [
        f"/i/{journey_of(screen.open(whole.agency(one).asks()).url)}/phone"
        for one in ("norr-childcare", "norr-planning")
    ]
    first = begins(screen, paths[0])
    for elsewhere in (paths[1], "/sign-in/phone"):
        page = screen.open(elsewhere)
        assert (page.has("typed"), page.get("phone-state")["data-state"]) == (False, "none")
    assert screen.open(paths[0]).get("typed").text == first.get("typed").text
    second = begins(screen, paths[1])
    assert second.get("typed").text != first.get("typed").text
    assert not screen.open(paths[0]).has("typed"), "the browser shows one code, the last"


def test_it_opens_once(whole: Whole, screen: Citizen) -> None:
    page, phone = begins(screen), whole.present()
    address, number = scanned(page, screen), page.get("number").text
    assert answers(phone, address, number) == "approved"
    assert phone.open(address).get("phone-answered")["data-outcome"] == "over"
    kept = dict(screen.walker.http.cookies)
    goes_on(screen)
    again = whole.citizen()
    again.walker.http.cookies.update(kept)
    before = sessions(whole)
    assert again.walker.http.post("/sign-in/phone", data={"action": "continue"}).status_code == 403
    assert sessions(whole) == before


def test_the_screen_goes_on_in_time(whole: Whole, screen: Citizen) -> None:
    page, phone = begins(screen), whole.present()
    assert answers(phone, scanned(page, screen), page.get("number").text) == "approved"
    whole.clock.later(handover.AFTER + 1)
    assert screen.open("/sign-in/phone").get("phone-state")["data-state"] == "none"
    assert rows(whole)[0].state == "approved"


def test_a_code_from_a_stranger_opens_nothing_without_a_session(whole: Whole, screen: Citizen) -> None:
    """Who is not signed in learns nothing of the request, and half a sign-in is none."""
    page, victim = begins(screen), whole.citizen()
    asked = victim.open(scanned(page, screen))
    assert asked.get("phone-answered")["data-outcome"] == "sign_in_first"
    half = whole.present(state="password")
    assert half.open(scanned(page, screen)).get("phone-answered")["data-outcome"] == "sign_in_first"
    typed = half.press(half.open("/x"), "phone-code", "continue", typed=page.get("typed").text)
    assert typed.get("phone-answered")["data-outcome"] == "sign_in_first"


@pytest.mark.parametrize(
    "given", [{}, {"action": "continue"}, {"number": "47"}], ids=["nothing", "no number", "no button"]
)
def test_nothing_is_decided_by_half_an_answer(whole: Whole, screen: Citizen, given: dict[str, str]) -> None:
    page, phone = begins(screen), whole.present()
    asked = phone.open(scanned(page, screen))
    sent = phone.walker.post(scanned(page, screen), **phone.fields(asked, "phone-confirm"), **given)
    assert sent.status_code == 422
    assert rows(whole)[0].state == "shown"


def test_forms_of_others_are_refused(whole: Whole, screen: Citizen) -> None:
    """No token, another session's token, another site."""
    page, phone, other = begins(screen), whole.present(), whole.present("omar")
    address, number = scanned(page, screen), page.get("number").text
    foreign = other.fields(other.open(address), "phone-confirm")
    said = {"action": "continue", "number": number}
    own = phone.fields(phone.open(address), "phone-confirm")
    for fields, headers in [({}, {}), (foreign, {}), (own, {"sec-fetch-site": "cross-site"})]:
        sent = phone.walker.http.post(address, data={**fields, **said}, headers=headers)
        assert sent.status_code == 403
    assert rows(whole)[0].state == "shown"
    assert screen.walker.http.post("/sign-in/phone", data={"action": "show-code"}).status_code == 403
    assert len(rows(whole)) == 1


def test_a_disabled_person_lets_nobody_in(whole: Whole, screen: Citizen) -> None:
    page, phone = begins(screen), whole.present()
    assert answers(phone, scanned(page, screen), page.get("number").text) == "approved"
    with whole.parts.database.write() as tx:
        tx.execute(tables.person.update().values(disabled=1))
    before = sessions(whole)
    assert goes_on(screen).status == 403
    assert sessions(whole) == before


def test_letters_are_guessed_slowly(whole: Whole, screen: Citizen) -> None:
    begins(screen)
    phone, seen = whole.present(), []
    for _ in range(12):
        page = phone.press(phone.open("/x"), "phone-code", "continue", typed="BBBB-BBBB")
        seen.append(page.status)
    assert set(seen) == {403, 429}
    assert seen.count(403) <= 10


def test_pictures_are_made_slowly(whole: Whole) -> None:
    seen = [begins(whole.citizen()).status for _ in range(22)]
    assert seen.count(200) == 20
    assert seen[-1] == 429


@pytest.mark.parametrize("typed", ["", "WDJB", "A" * 500, "<script>"])
def test_what_is_no_code(whole: Whole, typed: str) -> None:
    phone = whole.present()
    page = phone.press(phone.open("/x"), "phone-code", "continue", typed=typed)
    assert page.status == (422 if not typed else 403)


def test_no_row_leads_from_a_person_to_an_agency(whole: Whole, screen: Citizen) -> None:
    """What was asked for is gone as soon as a person is in the row; before that it is sealed."""
    start = screen.open(whole.agency().asks())
    page = begins(screen, f"/i/{journey_of(start.url)}/phone")
    (row,) = rows(whole)
    assert row.person_id is None
    assert b"norr" not in row.box
    phone = whole.present()
    answers(phone, scanned(page, screen), page.get("number").text)
    (row,) = rows(whole)
    assert (row.person_id, row.box) == (whole.person_ids["maria"], b"")


def test_the_person_finds_it_in_their_activity(whole: Whole, screen: Citizen) -> None:
    page, phone = begins(screen), whole.present()
    answers(phone, scanned(page, screen), page.get("number").text)
    with whole.parts.database.read() as tx:
        kept = activity.read(tx, whole.parts.vault, whole.person_ids["maria"])
    assert [one["type"] for one in kept] == ["sign_in.handed_over"]


def test_sixteen_presses_let_one_in(whole: Whole, screen: Citizen) -> None:
    page, phone = begins(screen), whole.present()
    assert answers(phone, scanned(page, screen), page.get("number").text) == "approved"
    form = screen.open("/sign-in/phone")
    sent = {**screen.fields(form, "phone"), "action": "continue"}
    jar, before = dict(screen.walker.http.cookies), sessions(whole)
    clients = [whole.client() for _ in range(16)]
    for client in clients:
        client.cookies.update(jar)
    with ThreadPoolExecutor(16) as pool:
        statuses = [
            one.status_code for one in pool.map(lambda client: client.post("/sign-in/phone", data=sent), clients)
        ]
    assert sorted(set(statuses)) in ([303, 403], [303, 422])
    assert statuses.count(303) == 1
    assert sessions(whole) == before + 1


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", ["Firefox", "Windows"]),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36", ["Chrome", "Linux"]),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 15_0) AppleWebKit/605.1 Version/19.0 Safari/605.1", ["Safari", "Mac"]),
        ("<script>alert(1)</script>", []),
        ("", []),
    ],
)  # fmt: skip
def test_a_screen_is_named_by_known_words(sent: str, told: list[str]) -> None:
    assert describe(sent) == told


def test_what_a_handle_makes() -> None:
    """The code has 128 bits and more, the letters are the alphabet's, the number has two digits and is among the choices."""
    handles = [f"handle-{n}" for n in range(500)]
    assert len({handover.code(one) for one in handles}) == 500
    assert {len(handover.code(one)) for one in handles} == {22}
    assert all(user_code.read(handover.typed(one)) == handover.typed(one) for one in handles)
    numbers = {handover.number(one) for one in handles}
    assert min(numbers) >= 10
    assert max(numbers) <= 99
    for one in handles:
        offered = handover.choices(handover.code(one), handover.number(one))
        assert handover.number(one) in offered
        assert list(offered) == sorted(set(offered))
        assert len(offered) == 3
