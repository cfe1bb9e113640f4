"""The page for codes: read generously, guessed slowly, confirmed always (RFC 8628 §3.3, §5.1, §5.4, §6.1)."""

import pytest

from broker.sign_in import user_code
from keys.keyring import RootKeyring
from tests.broker.elsewhere import comes_to_decide, device_asks, enters, linked_code, poll, told
from tests.broker.whole import Whole


def test_there_are_enough_codes() -> None:
    assert len(set(user_code.ALPHABET)) ** user_code.LENGTH >= 20**8
    assert not set("AEIOU0123456789Y") & set(user_code.ALPHABET)
    made = {user_code.new() for _ in range(2000)}
    assert len(made) == 2000
    assert all(set(code) <= set(user_code.ALPHABET) and len(code) == user_code.LENGTH for code in made)
    assert set("".join(made)) == set(user_code.ALPHABET)


@pytest.mark.parametrize(
    "typed", ["WDJB-MJHT", "wdjb-mjht", "WDJBMJHT", " wdjb mjht ", "w.d.j.b/mjht", "WDJB\u2013MJHT", "\uff37DJB-MJHT"]
)
def test_a_code_is_read_as_people_write(typed: str) -> None:
    assert user_code.read(typed) == "WDJBMJHT"


@pytest.mark.parametrize("typed", ["", "WDJB", "WDJB-MJH", "WDJB-MJHTT", "ADJB-MJHT", "WDJB-MJH7", "W" * 90])
def test_what_is_no_code(typed: str) -> None:
    assert user_code.read(typed) is None


def test_a_code_is_found_after_the_root_changed() -> None:
    old = RootKeyring.generate()
    both = RootKeyring((*RootKeyring.generate().roots, *old.roots))
    assert user_code.macs(old, "WDJBMJHT")[0] in user_code.macs(both, "WDJBMJHT")
    assert user_code.macs(old, "WDJBMJHT") != user_code.macs(old, "WDJBMJHX")


@pytest.mark.parametrize(
    "how", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code.replace('-', ' ')} "]
)
def test_any_spelling_opens_it(devices: Whole, how) -> None:
    asked = device_asks(devices.agency()).json()
    page = enters(devices.present(), how(asked["user_code"]))
    assert page.get("user-code").text == asked["user_code"]


def test_the_complete_link_still_asks(devices: Whole) -> None:
    """The code in the link is shown and must be entered and confirmed (RFC 8628 §3.3.1, §5.4)."""
    maria, agency = devices.present(), devices.agency()
    asked = device_asks(agency).json()
    page = maria.open(asked["verification_uri_complete"])
    assert page.get("user_code")["value"] == linked_code(asked)
    assert told(poll(agency, asked["device_code"])) == (400, "authorization_pending")
    page = maria.press(page, "device", "continue")
    assert page.get("user-code").text == asked["user_code"]
    text = page.content.text
    assert "Norr" in text
    assert "network" in page.get("origin").text
    assert maria.press(page, "request", "continue").has("consent")


@pytest.mark.parametrize("code", ["<script>", "%22%3E%3Cscript%3E", "AAAA-AAAA", "x" * 5000])
def test_a_link_with_something_else_fills_in_nothing(devices: Whole, code: str) -> None:
    page = devices.present().open(f"/device?user_code={code}")
    field = page.get("user_code")
    assert "value" not in field or field["value"] == ""


def test_where_it_came_from_is_told(devices: Whole) -> None:
    """The same network is a good sign, another one a reason to look twice (BCP 247)."""
    devices.give(trusted_proxies=("testclient",))
    agency = devices.agency()
    agency.http.headers["x-forwarded-for"] = "203.0.113.7"
    asked = device_asks(agency).json()
    maria = devices.present()
    maria.walker.http.headers["x-forwarded-for"] = "198.51.100.9"
    page = enters(maria, asked["user_code"])
    assert "Another network" in page.get("origin").text
    assert "203.0.113.7" in page.get("origin").text
    maria.walker.http.headers["x-forwarded-for"] = "203.0.113.7"
    assert "you are in now" in maria.open(page.url).get("origin").text


def test_a_wrong_code_and_an_old_one_look_alike(devices: Whole) -> None:
    maria, agency = devices.present(), devices.agency()
    asked = device_asks(agency).json()
    devices.clock.later(601)
    pages = [enters(devices.present(), code) for code in ("BCDF-GHJK", asked["user_code"], "not a code")]
    assert {page.status for page in pages} == {403}
    assert len({page.get("user_code-error").text for page in pages}) == 1
    assert maria.open(f"/device/{'A' * 22}").status == 410


def test_a_stray_enter_decides_nothing(devices: Whole) -> None:
    maria, agency = devices.present(), devices.agency()
    asked = device_asks(agency).json()
    page = enters(maria, asked["user_code"])
    answer = maria.walker.post(page.url, **maria.fields(page, "request"))
    assert answer.status_code == 422
    assert maria.walker.post(page.url, **maria.fields(page, "request"), action="share").status_code == 400
    assert told(poll(agency, asked["device_code"])) == (400, "authorization_pending")


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
@pytest.mark.parametrize("where", ["device", "request"])
def test_another_site_enters_and_presses_nothing(devices: Whole, where: str, headers: dict[str, str]) -> None:
    maria, agency = devices.present(), devices.agency()
    asked = device_asks(agency).json()
    page = maria.open("/device") if where == "device" else enters(maria, asked["user_code"])
    said = {"device": {"user_code": asked["user_code"]}, "request": {"action": "continue"}}[where]
    sent = maria.fields(page, where) | said
    for more in (headers, {}):
        form = sent if more else sent | {"form_token": "0" * 64}
        assert maria.walker.http.post(page.url, data=form, headers=more).status_code == 403
    assert told(poll(agency, asked["device_code"])) == (400, "authorization_pending")


def test_guessing_is_slow_and_locks_nobody_else_out(devices: Whole) -> None:
    """One browser may try ten at once, one network twenty; another network's people go on (RFC 8628 §5.1)."""
    devices.give(trusted_proxies=("testclient",))
    agency, guesser = devices.agency(), devices.present("omar")
    asked = device_asks(agency).json()
    guesser.walker.http.headers["x-forwarded-for"] = "203.0.113.7"
    statuses = [enters(guesser, "BCDF-GHJK").status for _ in range(12)]
    assert statuses == [403] * 10 + [429] * 2
    late = enters(guesser, asked["user_code"])
    assert late.status == 429, "the right code does not count either"
    fresh = devices.present("eve")
    fresh.walker.http.headers["x-forwarded-for"] = "203.0.113.7"
    assert [enters(fresh, "BCDF-GHJK").status for _ in range(12)].count(429) >= 2, "another browser, the same network"
    maria = devices.present()
    maria.walker.http.headers["x-forwarded-for"] = "198.51.100.9"
    assert comes_to_decide(maria, asked).has("consent")


def test_in_arabic(devices: Whole) -> None:
    maria, agency = devices.present(), devices.agency()
    asked = device_asks(agency).json()
    assert maria.open("/device?lang=ar").content.find("h1") is not None
    page = enters(maria, asked["user_code"])
    assert "نور" in page.content.text or "norr" in page.content.text
    end = maria.press(maria.press(page, "request", "continue"), "consent", "share")
    assert end.get("answered")["data-outcome"] == "shared"
