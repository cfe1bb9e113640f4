"""A person is asked in their account while they talk to the agency: yes, no, too late, and through the stand-in (CIBA Core §8)."""

import pytest

from tests.actors import Agency
from tests.broker.elsewhere import ciba_asks, ciba_polls, opens, register, told
from tests.broker.whole import Whole


def asked_by(agency: Agency, **changed: str) -> str:
    answer = ciba_asks(agency, **changed)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["auth_req_id"])


def test_what_a_client_gets(behind: Whole) -> None:
    answer = ciba_asks(behind.agency())
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {"auth_req_id", "expires_in", "interval"}
    assert (len(body["auth_req_id"]), body["expires_in"], body["interval"]) == (43, 300, 5)


def test_yes(behind: Whole) -> None:
    maria, agency = behind.present(), behind.agency()
    asked = asked_by(agency, binding_message="Counter 7 & <b>K-41</b>")
    assert told(ciba_polls(agency, asked)) == (400, "authorization_pending")
    assert "waiting for your answer" in maria.open("/account").content.text
    page = opens(maria)
    assert page.get("binding-message").text == "Counter 7 & <b>K-41</b>"
    page = maria.press(page, "request", "continue")
    assert page.has("consent")
    assert page.get("binding-message").text == "Counter 7 & <b>K-41</b>"
    assert "Maria" in page.content.text
    end = maria.press(page, "consent", "share")
    assert end.get("answered")["data-outcome"] == "shared"
    answer = ciba_polls(agency, asked)
    assert answer.status_code == 200, answer.text
    token = answer.json()
    claims = agency.verify(token["id_token"])
    assert "urn:openid:params:jwt:claim:auth_req_id" not in claims, "that is for push alone"
    assert agency.items(token["access_token"])["identity.given_name"]["value"] == "Maria"
    assert behind.types() == ["access.previewed", "permission.given", "access.released"]
    assert told(ciba_polls(agency, asked)) == (400, "invalid_grant")
    assert agency.data(token["access_token"]).status_code == 200


def test_no_at_once_and_no_at_the_decision(behind: Whole) -> None:
    maria, agency = behind.present(), behind.agency()
    first = asked_by(agency)
    page = opens(maria)
    assert maria.press(page, "request", "refuse").get("answered")["data-outcome"] == "refused"
    assert told(ciba_polls(agency, first)) == (400, "access_denied")
    assert behind.types() == []
    second = asked_by(agency)
    consent = maria.press(opens(maria), "request", "continue")
    assert maria.press(consent, "consent", "refuse").get("answered")["data-outcome"] == "refused"
    assert told(ciba_polls(agency, second)) == (400, "access_denied")
    assert behind.types() == ["access.previewed"]
    assert maria.open(page.url).get("already")["data-outcome"] == "refused"


def test_another_person_sees_nothing_of_it(behind: Whole) -> None:
    maria, omar, agency = behind.present(), behind.present("omar"), behind.agency()
    asked_by(agency)
    assert not omar.open("/account/requests").links("/account/requests/")
    page = opens(maria)
    assert omar.open(page.url).status == 410
    form = omar.open("/sign-out")
    answer = omar.walker.post(page.url, **omar.fields(form, "sign-out"), action="continue")
    assert answer.status_code == 410
    assert behind.client().get(page.url).headers["location"] == "/sign-in"


def test_somebody_else_in_the_same_browser_does_not_decide(behind: Whole) -> None:
    """The person that was asked decides; who signs in after them, in their browser, does not."""
    maria, agency = behind.present(), behind.agency()
    asked = asked_by(agency)
    page = opens(maria)
    behind.present("omar")
    fields = maria.fields(page, "request")
    going = maria.walker.http.post(page.url, data=fields | {"action": "continue"}).headers["location"]
    other = behind.present("omar").walker.http.cookies
    for cookie in other.jar:
        if cookie.name.endswith("semel"):
            maria.walker.http.cookies.set(cookie.name, cookie.value or "", domain=cookie.domain, path="/")
    end = maria.open(going)
    assert not end.has("consent")
    assert told(ciba_polls(agency, asked))[1] in {"authorization_pending", "access_denied"}
    assert behind.types() == behind.types("omar") == []


def test_too_late(behind: Whole) -> None:
    maria, agency = behind.present(), behind.agency()
    asked = asked_by(agency)
    consent = maria.press(opens(maria), "request", "continue")
    behind.clock.later(301)
    assert maria.press(consent, "consent", "share").get("already")["data-outcome"] == "expired"
    assert told(ciba_polls(agency, asked)) == (400, "expired_token")
    assert not maria.open("/account/requests").links("/account/requests/")
    assert behind.types() == ["access.previewed"]


@pytest.mark.parametrize(("said", "seconds"), [("30", 30), (45, 45), ("100000", 900), (None, 300)])
def test_how_long_it_waits(behind: Whole, said: str | int | None, seconds: int) -> None:
    assert ciba_asks(behind.agency(), requested_expiry=said).json()["expires_in"] == seconds


def test_who_was_told_a_subject_can_be_asked_by_it(behind: Whole) -> None:
    """An ID token of this client names the person, also when it has expired; another client's does not."""
    maria, agency, office = behind.present(), behind.agency(), behind.agency("norr-planning")
    first = agency.token(maria.shares(maria.comes_from(agency.asks())))
    behind.clock.later(4000)
    asked = asked_by(agency, login_hint=None, id_token_hint=first["id_token"])
    assert told(ciba_polls(agency, asked)) == (400, "authorization_pending")
    maria = behind.present()
    maria.press(maria.press(opens(maria), "request", "continue"), "consent", "share")
    claims = agency.verify(ciba_polls(agency, asked).json()["id_token"])
    assert claims["sub"] == first["subject"]
    answer = ciba_asks(office, login_hint=None, id_token_hint=first["id_token"])
    assert told(answer) == (400, "invalid_request")


def test_nobody_is_asked_as_somebody_is(behind: Whole) -> None:
    """Same status, same members, same errors while it waits and when it is over: whether there is such a person is not told."""
    agency = behind.agency()
    answers = [ciba_asks(agency, login_hint=name) for name in ("maria", "nobody-at-all")]
    assert [told(answer) for answer in answers] == [(200, "")] * 2
    assert answers[0].json().keys() == answers[1].json().keys()
    asked = [answer.json()["auth_req_id"] for answer in answers]
    assert {told(ciba_polls(agency, one)) for one in asked} == {(400, "authorization_pending")}
    behind.clock.later(301)
    assert {told(ciba_polls(agency, one)) for one in asked} == {(400, "expired_token")}


def test_a_disabled_person_is_as_nobody(behind: Whole) -> None:
    from sqlalchemy import func, select, update

    from broker.tables import person, waiting_person

    with behind.parts.database.write() as tx:
        tx.execute(update(person).values(disabled=1))
    agency = behind.agency()
    assert told(ciba_polls(agency, asked_by(agency))) == (400, "authorization_pending")
    with behind.parts.database.read() as tx:
        assert tx.execute(select(func.count()).select_from(waiting_person)).scalar_one() == 1


def test_one_client_cannot_pester_a_person_and_does_not_silence_another(behind: Whole) -> None:
    agency, office = behind.agency(), behind.agency("norr-planning")
    assert [ciba_asks(agency).status_code for _ in range(7)] == [200] * 5 + [429] * 2
    assert [ciba_asks(agency, login_hint="nobody").status_code for _ in range(7)] == [200] * 5 + [429] * 2
    assert ciba_asks(agency, login_hint="MARIA ").status_code == 429, "another spelling of the same name"
    assert ciba_asks(office).status_code == 200


def test_no_row_joins_two_agencies(behind: Whole) -> None:
    """Nothing in the rows of two requests about one person is equal but what every request has."""
    from sqlalchemy import select

    from broker.tables import waiting_person, waiting_request

    agency, office = behind.agency(), behind.agency("norr-planning")
    asked_by(agency)
    behind.clock.later(1)
    asked_by(office)
    with behind.parts.database.read() as tx:
        requests = [set(row) for row in tx.execute(select(waiting_request))]
        people = list(tx.execute(select(waiting_person)))
    assert requests[0] & requests[1] <= {None, "pending", 5}
    for row in people:
        assert not set(row) & (requests[0] | requests[1])
        assert behind.person_ids["maria"].encode() not in b"".join(part for part in row if isinstance(part, bytes))


def stand_in(behind: Whole, asked: str, how: str) -> tuple[int, dict[str, str]]:
    answer = behind.client().post("/sandbox/ciba", params={"token": asked, "type": how})
    return answer.status_code, answer.json()


def test_the_stand_in_says_yes_as_a_person_would(behind: Whole) -> None:
    agency = behind.agency()
    asked = asked_by(agency)
    assert stand_in(behind, asked, "allow") == (200, {"state": "approved"})
    assert behind.types() == ["access.previewed", "permission.given"]
    token = ciba_polls(agency, asked).json()
    items = agency.items(token["access_token"])
    assert items["identity.given_name"]["value"] == "Maria"
    assert items["contact.email"]["status"] == "not_provided"
    assert stand_in(behind, asked, "allow")[0] == 404


def test_the_stand_in_says_no(behind: Whole) -> None:
    agency = behind.agency()
    asked = asked_by(agency)
    assert stand_in(behind, asked, "deny") == (200, {"state": "refused"})
    assert told(ciba_polls(agency, asked)) == (400, "access_denied")
    assert behind.types() == []
    assert stand_in(behind, asked, "allow")[0] == 404


def test_the_stand_in_knows_nobody_else(behind: Whole) -> None:
    agency = behind.agency()
    nobody = asked_by(agency, login_hint="nobody")
    assert stand_in(behind, nobody, "allow")[0] == 404
    assert stand_in(behind, "x" * 43, "allow")[0] == 404
    assert stand_in(behind, asked_by(agency), "maybe")[0] == 400
    assert behind.types() == []


def test_there_is_no_stand_in_in_production(behind: Whole) -> None:
    agency = behind.agency()
    asked = asked_by(agency)
    behind.give(mode="production")
    for how in ("allow", "deny"):
        assert stand_in(behind, asked, how)[0] == 404
    assert told(ciba_polls(agency, asked)) == (400, "authorization_pending")
    assert behind.types() == []


def test_a_ping_is_written_in_the_act_that_decides(behind: Whole) -> None:
    from sqlalchemy import select

    from broker.notices.kinds import KINDS
    from broker.notices.outbox import Letter
    from broker.tables import outbox
    from tests.broker.ciba.conftest import METADATA

    to = "https://norr-childcare.example/ping"
    register(
        behind,
        **{**METADATA, "backchannel_token_delivery_mode": "ping", "backchannel_client_notification_endpoint": to},
    )
    maria, agency = behind.present(), behind.agency()
    token = "t" * 32
    asked = [asked_by(agency, client_notification_token=token) for _ in range(2)]
    with behind.parts.database.read() as tx:
        assert not tx.execute(select(outbox)).all()
    for button in ("refuse", "share"):
        consent = maria.press(opens(maria), "request", "continue")
        maria.press(consent, "consent", button)
    with behind.parts.database.read() as tx:
        rows = tx.execute(select(outbox)).all()
    assert {(row.kind, row.client_id, row.destination) for row in rows} == {("ciba_ping", agency.client_id, to)}
    kind = KINDS["ciba_ping"]
    letters = [Letter(r.id, kind, r.client_id, r.destination, r.attempts, r.expires, r.box) for r in rows]
    contents = [behind.parts.outbox.open(one) for one in letters]
    assert {one.authorization for one in contents} == {f"Bearer {token}"}
    assert {one.text for one in contents} == {f'{{"auth_req_id":"{one}"}}' for one in asked}
    assert {told(ciba_polls(agency, one))[0] for one in asked} == {200, 400}


def test_what_is_over_is_forgotten(behind: Whole) -> None:
    from sqlalchemy import func, select

    from broker import cleanup
    from broker.tables import known_subject, waiting_person, waiting_request

    def kept() -> list[int]:
        with behind.parts.database.write() as tx:
            cleanup.sweep(tx, behind.clock())
            tables = (waiting_request, waiting_person, known_subject)
            return [tx.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]

    agency = behind.agency()
    asked = asked_by(agency)
    stand_in(behind, asked, "allow")
    assert ciba_polls(agency, asked).status_code == 200
    assert kept() == [1, 1, 1]
    behind.clock.later(2 * 3600)
    assert kept() == [0, 0, 1]
    behind.clock.later(400 * 86_400)
    assert kept() == [0, 0, 0]
