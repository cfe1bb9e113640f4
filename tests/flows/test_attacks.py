"""Attacks on the running product: by an agency, by a person, from the network, and by who reads the database."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from tests import last_look
from tests.actors import Agency, Citizen, b64
from tests.world import World

HOUR = 3600


def shared(world: World, client_id: str = "norr-planning", *items: str) -> tuple[Citizen, Agency, dict[str, Any]]:
    """A person who has shared, the agency, and its tokens."""
    person, agency = world.neighbour(), world.agency(client_id)
    return person, agency, agency.token(person.shares(person.comes_from(agency.asks()), *items))


# What an agency may try


def test_asking_silently_asks_no_register(world: World) -> None:
    """records §3.5: a look at the registers is an access, entered and shown; `prompt=none` is neither."""
    person, agency = world.neighbour(), world.agency()
    person.sign_in()
    before = world.register.asked()
    page = person.open(agency.asks(prompt="none"))
    assert agency.receives(page) == {"error": "consent_required"}
    assert world.register.asked() == before, "a register was asked about the person"
    assert world.inside.events(person) == []


def test_a_sign_in_for_this_very_request_is_fresh_enough(world: World) -> None:
    """OpenID Connect Core §3.1.2.1: `max_age=0` asks for a sign-in, not for sign-ins without end."""
    person, agency = world.neighbour(), world.agency()
    person.sign_in()
    page = person.comes_from(agency.asks(max_age="0"))
    assert page.has("consent"), page.heading


def test_scope_words_that_mean_nothing_are_not_granted(world: World) -> None:
    """RFC 6749 §3.3: the granted scope is what was granted."""
    person, office = world.neighbour(), world.agency("norr-planning")
    page = person.comes_from(office.asks(scope=f"openid use:{office.use} residence admin offline_access"))
    token = office.token(person.shares(page))
    assert token["scope"] == f"openid use:{office.use}"


@pytest.mark.parametrize("path", ["/prefill", "/userinfo"])
def test_an_id_token_opens_nothing(world: World, path: str) -> None:
    """protocol §5: an ID token is no access token."""
    _, office, token = shared(world)
    answer = office.call("GET", path, token=token["id_token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


def test_a_signed_answer_opens_nothing(world: World) -> None:
    """protocol §5: what we sign for one purpose is refused for another."""
    _, office, token = shared(world)
    answer = office.data(token["access_token"], Accept="application/jwt")
    assert answer.headers["content-type"] == "application/jwt"
    assert office.call("GET", "/prefill", token=answer.text).json()["error"] == "invalid_token"
    office.asked["verifier"] = "v" * 43
    assert office.redeem(answer.text).json()["error"] == "invalid_grant"
    said = {"grant_type": "authorization_code", "code": "x" * 43, "client_assertion": token["id_token"]}
    refused = world.http.post(f"{world.issuer}/token", data=said)
    assert refused.json()["error"] == "invalid_client"


def test_one_agencys_token_is_useless_to_another(world: World) -> None:
    """RFC 9449 §7.1: whoever takes a token has not its key."""
    _, _, token = shared(world)
    thief = world.agency("norr-childcare")
    answer = thief.call("GET", "/prefill", token=token["access_token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_dpop_proof")


def test_an_agencys_token_issues_no_credential(world: World) -> None:
    """credentials N21."""
    _, office, token = shared(world)
    body = {"credential_configuration_id": "residence", "proofs": {"jwt": ["a.b.c"]}}
    office.call("GET", "/userinfo", token=token["access_token"])
    url = f"{world.issuer}/credential"
    headers = {
        "DPoP": office.proof("POST", url, token["access_token"]),
        "Authorization": f"DPoP {token['access_token']}",
    }
    answer = world.http.post(url, json=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")


def test_a_signature_turned_inside_out_is_another_token(world: World) -> None:
    """ECDSA signatures come in pairs (r, s) and (r, n - s): the twin of a token holds no values."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    _, office, token = shared(world)
    signed, _, signature = token["access_token"].rpartition(".")
    raw = last_look.base64url.decode(signature)
    twin = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    assert office.call("GET", "/prefill", token=f"{signed}.{b64(twin)}").status_code == 401
    assert office.data(token["access_token"]).status_code == 200


def test_a_key_for_repeats_is_bound_to_its_token(world: World) -> None:
    """wire §5.4: the same key under another token is a request of its own; with another question it is refused."""
    parent, agency = world.neighbour(), world.agency()
    first = agency.token(parent.shares(parent.comes_from(agency.asks())))
    second = agency.token(parent.open(agency.asks()))
    key = {"Idempotency_Key": "one"}
    assert agency.data(first["access_token"], **key).status_code == 200
    assert agency.data(second["access_token"], **key).status_code == 200
    assert agency.data(first["access_token"], **key, Accept="application/jwt").status_code == 409
    assert agency.data(first["access_token"], Idempotency_Key="a b").status_code == 400
    assert world.inside.permission(parent, first["grant_id"]).uses == 2
    parent.stops(first["grant_id"])
    assert agency.data(first["access_token"], **key).status_code == 401, "a repeat outlived the permission"


def test_one_agencys_calls_do_not_get_in_the_way_of_a_decision(world: World) -> None:
    """What was shown is found again however many entries another agency's calls put after it."""
    parent, agency, office = world.neighbour(), world.agency(), world.agency("norr-planning")
    token = agency.token(parent.shares(parent.comes_from(agency.asks())))
    page = parent.open(office.asks())
    for _ in range(51):
        assert agency.data(token["access_token"]).status_code == 200
    assert parent.open(page.url).has("consent")
    page = parent.press(page, "consent", "share")
    for _ in range(51):
        assert agency.data(token["access_token"]).status_code == 200
    page = parent.open(page.url)
    assert page.has("done")
    office.token(parent.press(page, "done", "continue"))


def test_a_browser_sent_round_and_round_keeps_few_cookies(world: World) -> None:
    """protocol §5: no cookie jar overflows; the newest journeys go on."""
    person, agency = world.neighbour(), world.agency()
    person.sign_in()
    for _ in range(30):
        person.open(agency.asks(prompt="none"))
    held = [cookie for cookie in person.walker.http.cookies.jar if len(cookie.name) > 20]
    assert len(held) <= 12
    agency.token(person.shares(person.open(agency.asks())))


# What a person may try


def test_another_persons_things_do_not_exist(world: World) -> None:
    """protocol §5: IDOR; the answer is the one for what was never there."""
    owner, _, token = shared(world)
    thief = world.neighbour()
    thief.sign_in()
    owned, unknown = token["grant_id"], "01a20092-edfe-759d-8f15-75ff38bf8661"
    for path in ("/account/sharing/{}", "/account/sharing/{}/stop", "/account/documents/offers/{}"):
        answers = [thief.walker.http.get(world.issuer + path.format(one)) for one in (owned, unknown)]
        assert [answer.status_code for answer in answers] == [404, 404], path
        assert len({re.sub(r"[0-9a-f]{12}", "", answer.text) for answer in answers}) == 1
    form = thief.fields(thief.open("/sign-out"), "sign-out")
    answer = thief.walker.post(f"{world.issuer}/account/sharing/{owned}/stop", **form, action="stop-sharing")
    assert answer.status_code == 404
    assert world.inside.permission(owner, owned).state == "live"


def test_a_journey_is_one_session_in_one_browser(world: World) -> None:
    """protocol §5: neither the address, nor the session, nor the journey's cookie alone opens a decision."""
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    stranger, again = world.neighbour(), person.elsewhere()
    for one in (stranger, again):
        one.sign_in()
        assert one.open(page.url).get("already")["data-outcome"] == "other_browser"
    journey = next(cookie for cookie in person.walker.http.cookies.jar if len(cookie.name) > 20)
    take(again, person, "semel-browser", journey.name)
    assert again.open(page.url).get("already")["data-outcome"] == "other_session", "another session of the same person"
    take(again, person, "semel")
    assert again.open(page.url).has("consent"), "with every cookie it is the same browser: the ones above were sent"
    assert agency.receives(person.press(page, "consent", "refuse")) == {"error": "access_denied"}


def take(thief: Citizen, owner: Citizen, *names: str) -> None:
    """Put cookies of one browser into another."""
    for name in names:
        held = owner.walker.http.cookies.get(name)
        assert held
        thief.walker.http.cookies.delete(name) if name in thief.walker.http.cookies else None
        thief.walker.http.cookies.set(name, held, domain="localhost.local")


def test_half_a_sign_in_begins_no_journey(world: World) -> None:
    """The password alone opens no journey, no account, no document."""
    person, agency = world.neighbour(), world.agency()
    page = person.open(agency.asks())
    known = {"username": person.person["username"], "password": person.person["password"]}
    half = person.press(page, "sign-in", "sign-in", **known)
    assert half.has("one-time-code")
    journey = page.url.removesuffix("/sign-in")
    for path in ("/continue", "/consent", "/done"):
        assert not person.open(journey + path).has("consent"), path
    for path in ("/account", "/account/activity", "/account/documents", "/account/documents/residence/add-to-wallet"):
        assert person.open(path).has("sign-in"), path
    assert world.inside.events(person) == []


# What the network may try


PATHS = ["//[", "//evil.example/", "//evil.example/%2e%2e", "/%5b", "/i/%00/sign-in", "/i/a%00b/consent", "/i/%ff/done",
         "/account/documents/offers/%00", "/account/documents/%ff/add-to-wallet", "/account/sharing/%00", "/offers/%00",
         "/static/%00", "/static/..%2fapp.py", "/ledger/..%2fsemel.db", "/ledger/%2e%2e/key-encryption-key", "/ledger//etc/passwd",
         "/ledger/tile/entries/x999/x999/x999/x999/x999/x999/x999/999", "/authorize?client_id=%00&request_uri=%00",
         "/authorize?client_id=%ff", "/account/activity?before=99999999999999999999", "/account/activity?before=-1"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_strange_address_is_told_in_a_page(world: World, path: str) -> None:
    """protocol §5: malformed anything is the surface's own refusal: no failure, no way out, nothing of the inside."""
    person = world.citizen("maria")
    if "/account" in path:
        person.sign_in()
    answer = raw(person.walker.http, world.issuer, path)
    assert answer.status_code < 500, answer.text[:200]
    assert "evil.example" not in answer.text
    assert not re.search(r"Traceback|File \"|sqlite|psycopg", answer.text)


def raw(http: httpx2.Client, issuer: str, path: str) -> httpx2.Response:
    """Ask for a path exactly as it is written."""
    url = httpx2.URL(issuer).copy_with(raw_path=path.encode())
    return http.request("GET", url, headers={"Accept": "text/html"})


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "[", "localhost#", "localhost/?lang=ar&x=", "a b", ""]
)
def test_the_host_header_decides_nothing(world: World, host: str) -> None:
    """protocol §5: host header injection changes no issuer, no link, no cookie's scope."""
    spoofed = {"Host": host, "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example;proto=https"}
    for path in ("/.well-known/openid-configuration", "/.well-known/openid-credential-issuer", "/sign-in", "/nowhere"):
        answer = world.http.get(world.issuer + path, headers={**spoofed, "Accept": "text/html"})
        assert answer.status_code < 500, path
        assert "evil.example" not in answer.text + str(answer.headers)
        assert "domain" not in answer.headers.get("set-cookie", "").lower()
        assert 'lang="ar"' not in answer.text.split("<head>")[0], "the host was read as a query"


@pytest.mark.parametrize("header", ["Cookie", "Authorization", "DPoP", "X-Anything"])
def test_a_head_without_end_is_not_read(world: World, header: str) -> None:
    """protocol §5: headers are bounded before anything of them is kept."""
    answer = world.http.get(f"{world.issuer}/prefill", headers={header: "a" * 200_000})
    assert answer.status_code == 431
    answer = world.http.get(f"{world.issuer}/prefill", headers={header: "a" * 16_000})
    assert answer.status_code == 401


def test_pages_cannot_be_framed(world: World) -> None:
    """protocol §5: `frame-ancestors` and the older header, on ordinary and on problem pages."""
    for path in ("/sign-in", "/nowhere"):
        answer = world.http.get(world.issuer + path, headers={"Accept": "text/html"})
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"


def test_a_head_request_changes_nothing(world: World) -> None:
    """RFC 9110 §9.2.1: a link checker's HEAD neither claims a pushed request nor shows anything."""
    person, agency = world.neighbour(), world.agency()
    address = agency.asks()
    assert world.http.head(address).status_code == 405
    page = person.comes_from(address)
    assert page.has("consent")
    assert person.walker.http.head(page.url).status_code == 405


# What whoever reads the database may try


PERSONAL = {"person", "person_root", "session"}
SECOND = 1_000_000


def test_no_equal_value_leads_from_a_person_to_an_agency(world: World) -> None:
    """ledger §4.5, house: no table joins a person's agencies; what is equal in two rows joins them, times too."""
    before = set(marks(world, agencies=True))
    person, agency, office = world.neighbour(), world.agency(), world.agency("norr-planning")
    agency.items(agency.token(person.shares(person.comes_from(agency.asks())))["access_token"])
    person.press(person.open(agency.asks(prompt="consent")), "consent", "refuse")
    person.press(person.open(office.asks()), "consent", "share")  # at the receipt
    assert person.open(office.asks()).has("consent")  # still deciding
    theirs = set(marks(world, agencies=False, person=person))
    assert len(theirs) > 5
    found = theirs & (set(marks(world, agencies=True)) - before)
    assert not found, f"these lead from the person to an agency: {found}"


def test_no_equal_value_joins_two_agencies(world: World) -> None:
    """protocol §2: what stands in one agency's rows about a browser stands in no other agency's."""
    before = set(marks(world, agencies=True))
    person = world.neighbour()
    for client_id in ("norr-childcare", "norr-planning"):
        person.comes_from(world.agency(client_id).asks())
    rows: dict[str, set[Any]] = {"norr-childcare": set(), "norr-planning": set()}
    for table, row in everything(world):
        client = row.get("client_id") or row.get("client") or row.get("party")
        if client in rows:
            rows[client] |= {mark for _, mark in distinctive(table, row)}
    assert not (rows["norr-childcare"] & rows["norr-planning"]) - before


def marks(world: World, *, agencies: bool, person: Citizen | None = None) -> Iterator[Any]:
    """What could join rows: the distinctive values of the tables on one side (of one person when named)."""
    with world.inside.reading() as tx:
        person_id = "" if person is None else world.inside.person_id(tx, person)
    for table, row in everything(world):
        personal = table in PERSONAL or (table == "ledger_key" and str(row["stream_id"]).startswith("person:"))
        if personal is agencies or (person_id and person_id not in str(row.get("person_id", row.get("stream_id")))):
            continue
        yield from (mark for _, mark in distinctive(table, row))


def everything(world: World) -> Iterator[tuple[str, dict[str, Any]]]:
    with world.inside.reading() as tx:
        for name in last_look.all_tables():
            for row in tx.execute(text(f"SELECT * FROM {name}")).mappings():
                yield name.strip('"'), {c: bytes(v) if isinstance(v, memoryview) else v for c, v in row.items()}


def distinctive(table: str, row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Values that are equal in two rows only because one was made from the other; of times the fraction of a second."""
    for column, value in row.items():
        named = isinstance(value, str) and len(value) >= 20 and not value.startswith(("http:", "{", "["))
        if named or (isinstance(value, bytes) and len(value) >= 12):
            yield column, value
        elif isinstance(value, int) and value > 10**12 and value % SECOND and table not in {"replay", "throttle"}:
            yield column, ("a moment", value % SECOND)
