"""Plain and signed requests at the front channel: what they lead to, where a refusal goes, and that nothing is written (OpenID Connect Core §3.1.2, RFC 9101 §5)."""

import json
import re
import secrets
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
import pytest
from sqlalchemy import func, select

from broker import needs
from broker.authorization import plain
from broker.authorization.request_object import FETCHES
from broker.clients.key_sets import KeySets
from broker.clients.metadata import ClientMetadata
from broker.clients.registry import Registry
from broker.egress import Egress, EgressRefused, Reply
from broker.tables import metadata
from examples.browse import Page, Tree
from tests.actors import Citizen
from tests.broker.relying import CHALLENGE, Key, merge
from tests.broker.whole import Whole

CALLBACK = "https://norr-planning.example/callback"
REFERENCE = "https://norr-planning.example/request.jwt"
USE = "openid use:norr.building-permit"
KEPT_PLAIN = re.compile(f"__Host-{plain.COOKIE}{plain.ID.pattern}")
KEPT = {"install", "person", "session", "throttle"}  # tables that an arrival may leave as they are found, or touch
ASKED: dict[str, Any] = {
    "client_id": "norr-planning",
    "response_type": "code",
    "redirect_uri": CALLBACK,
    "scope": USE,
    "state": "s" * 384,
    "nonce": "n",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@dataclass
class Asking:
    """A baseline client, and a browser that arrives from it."""

    whole: Whole
    key: Key = field(default_factory=Key)

    def registered(self, **members: Any) -> None:
        declared = {
            "client_id": "norr-planning",
            "client_name": "Planning",
            "profile": "baseline",
            "token_endpoint_auth_method": "none",
            "redirect_uris": [CALLBACK],
            "scope": USE,
            "jwks": {"keys": [self.key.jwk]},
            "request_uris": [REFERENCE],
            **members,
        }
        strict = {
            **declared,
            "client_id": "strict",
            "profile": "fapi2",
            "token_endpoint_auth_method": "private_key_jwt",
        }
        strict.pop("request_uris")
        clients = [ClientMetadata.model_validate(one) for one in (declared, strict)]
        self.whole.give(registry=Registry(clients, KeySets(Egress()), mode="sandbox"))

    def address(self, **changed: Any) -> str:
        return "/authorize?" + urlencode(merge(ASKED, changed))

    def signed(self, **changed: Any) -> str:
        seconds = int(self.whole.clock.seconds())
        own = {"iss": "norr-planning", "aud": self.whole.settings.issuer, "nbf": seconds, "exp": seconds + 60}
        return self.key.sign(merge({**ASKED, **own}, changed), {"kid": self.key.kid})

    def rows(self) -> dict[str, int]:
        with self.whole.parts.database.read() as tx:
            counted = {
                t.name: tx.execute(select(func.count()).select_from(t)).scalar_one() for t in metadata.sorted_tables
            }
        return {name: count for name, count in counted.items() if count and name not in KEPT}


@pytest.fixture
def asking(whole: Whole) -> Asking:
    made = Asking(whole)
    made.registered(authorization_signed_response_alg="ES256")
    return made


def arrive(person: Citizen, address: str) -> Any:
    """Open an address and follow nothing: the bare answer."""
    return person.walker.http.get(person.issuer + address)


def shared(person: Citizen, page: Page) -> Any:
    """Share, press Continue, and stop before the agency."""
    page = person.press(page, "consent", "share", item=[])
    return person.walker.post(page.url, **person.fields(page, "done"), action="continue")


# --- what a request leads to


def test_a_plain_request_writes_nothing_until_sign_in(asking: Asking) -> None:
    person = asking.whole.citizen()
    sent = arrive(person, asking.address())
    assert (sent.status_code, urlsplit(sent.headers["location"]).path.rsplit("/", 1)[1]) == (303, "sign-in")
    assert asking.rows() == {}
    page = person.sign_in(person.open(sent.headers["location"]))
    assert page.has("consent")
    assert asking.rows() == {"journey": 1, "sealed_for": 1, "sealed_row": 1}
    back = shared(person, page)
    said = dict(parse_qsl(urlsplit(back.headers["location"]).query))
    assert back.headers["location"].startswith(CALLBACK + "?")
    assert said.keys() == {"code", "iss", "state"}
    assert (said["iss"], said["state"]) == (asking.whole.settings.issuer, ASKED["state"])


def test_a_restart_between_arrival_and_sign_in(asking: Asking) -> None:
    person = asking.whole.citizen()
    door = person.open(asking.address())
    asking.whole.restart()
    asking.registered()
    assert person.sign_in(door).has("consent")


def test_signed_in_already(asking: Asking) -> None:
    person = asking.whole.citizen()
    person.sign_in()
    assert person.open(asking.address()).has("consent")
    assert not [name for name in person.walker.http.cookies if KEPT_PLAIN.fullmatch(name)]


def test_the_request_is_this_browsers(asking: Asking) -> None:
    person, other = asking.whole.citizen(), asking.whole.citizen()
    door = arrive(person, asking.address()).headers["location"]
    assert other.open(door).get("problem")["data-code"] == "no_cookies", "what both causes have in common"
    assert other.open(door).get("problem")["data-code"] == "invalid_request_uri"
    for name, value in person.walker.http.cookies.items():
        if plain.COOKIE in name:  # the cookie alone, without the browser's own
            other.walker.http.cookies.set(name, value, domain=urlsplit(person.issuer).hostname or "")
    assert other.open(door).get("problem")["data-code"] == "invalid_request_uri"


def test_a_request_waits_half_an_hour(asking: Asking) -> None:
    person = asking.whole.citizen()
    door = arrive(person, asking.address()).headers["location"]
    asking.whole.clock.later(1801)
    assert person.open(door).get("problem")["data-code"] == "invalid_request_uri"


def test_five_at_most_wait(asking: Asking) -> None:
    """The oldest go, and all together fit into one header line."""
    person = asking.whole.citizen()
    doors = []
    for _ in range(8):
        doors.append(arrive(person, asking.address()).headers["location"])
        asking.whole.clock.later(1)
    waiting = [name for name in person.walker.http.cookies if plain.COOKIE in name]
    assert len(waiting) == 5
    assert sum(len(person.walker.http.cookies[name]) for name in waiting) <= plain.TOGETHER
    assert [person.open(door).has("sign-in") for door in doors] == [False] * 3 + [True] * 5


def test_cookies_that_are_none_of_ours(asking: Asking) -> None:
    """Whatever a browser sends under the name of such a cookie opens nothing and breaks nothing."""
    client = asking.whole.client()
    start = "__Host-" + plain.COOKIE
    big = [f"{start}{letter * 22}={'A' * 3000}" for letter in "xy"]
    junk = "; ".join([*big, f"{start}=y", f"{start}a b=z", f"{start}{'z' * 21}ä=z"])
    sent = client.get(asking.address(), headers={"cookie": junk.encode()})
    assert sent.status_code == 303
    dropped = [one for one in sent.headers.get_list("set-cookie") if "Max-Age=0" in one]
    assert [one.partition("=")[0] for one in dropped] in ([f"{start}{'x' * 22}"], [f"{start}{'y' * 22}"])


def test_a_form_from_another_site(asking: Asking) -> None:
    """Core §3.1.2.1 POST: no cookie comes with it and none is replaced; it is kept for a minute and opened with GET."""
    person = asking.whole.citizen()
    person.sign_in()
    stranger = asking.whole.client(**{"sec-fetch-site": "cross-site", "origin": "https://norr-planning.example"})
    sent = stranger.post("/authorize", data=ASKED)
    assert sent.status_code == 303
    assert "set-cookie" not in sent.headers
    assert asking.rows() == {"pushed_request": 1}
    said = parse_qs(urlsplit(sent.headers["location"]).query)
    assert said.keys() == {"client_id", "request_uri"}
    assert person.open(sent.headers["location"]).has("consent")


def test_a_pushed_request_may_come_by_form(asking: Asking) -> None:
    pushed = {"client_id": "strict", "request_uri": "urn:ietf:params:oauth:request_uri:x", "state": "ignored"}
    sent = asking.whole.client().post("/authorize", data=pushed)
    assert sent.status_code == 303
    assert "ignored" not in sent.headers["location"]
    assert asking.rows() == {}


def test_a_client_that_was_disabled_meanwhile(asking: Asking) -> None:
    pushed = asking.whole.client().post("/authorize", data=ASKED).headers["location"]
    asking.registered(disabled=True)
    sent = arrive(asking.whole.citizen(), pushed)
    assert (sent.status_code, told(sent)) == (400, "invalid_request_uri")


def test_forms_are_counted_by_address(asking: Asking) -> None:
    client = asking.whole.client()
    codes = [client.post("/authorize", data=ASKED).status_code for _ in range(102)]
    assert set(codes[:100]) == {303}
    assert 429 in codes[100:]


# --- modes of the response


def test_by_form(asking: Asking) -> None:
    person = asking.whole.citizen()
    page = person.sign_in(person.open(asking.address(response_mode="form_post", state='"><script>')))
    sent = shared(person, page)
    assert sent.status_code == 200
    assert "form-action https://norr-planning.example;" in sent.headers["content-security-policy"]
    assert sent.headers["cache-control"] == "no-store"
    assert "<script>" not in sent.text
    assert "form_token" not in sent.text
    assert f'action="{CALLBACK}"' in sent.text


def test_signed(asking: Asking) -> None:
    """JARM §2.1: in the address is one JWT and no code."""
    sent = arrive(asking.whole.citizen(), asking.address(response_mode="jwt", prompt="none"))
    said = dict(parse_qsl(urlsplit(sent.headers["location"]).query))
    assert said.keys() == {"response"}
    keys = jwt.PyJWKSet.from_dict(asking.whole.client().get("/jwks").json())
    key = keys[jwt.get_unverified_header(said["response"])["kid"]]
    options = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(said["response"], key, algorithms=["ES256"], audience="norr-planning", options=options)
    assert (claims["error"], claims["iss"], claims["state"]) == (
        "login_required",
        asking.whole.settings.issuer,
        ASKED["state"],
    )


# --- refusals


def told(sent: Any) -> str:
    """The code on a page that leads nowhere."""
    assert "location" not in sent.headers
    return str(sent.text.split('data-code="')[1].split('"')[0])


SAYS = {"response_type": "token", "prompt": "none", "scope": "email"}  # other faults beside: none of them is told


# fmt: off
ON_A_PAGE: list[tuple[str, dict[str, Any], str]] = [
    ("RFC 6749 §4.1.2.1 unknown client",        {"client_id": "nobody"},                                "unknown_client"),
    ("RFC 6749 §4.1.2.1 no client",             {"client_id": None},                                    "unknown_client"),
    ("RFC 9126 §5 client that pushes",          {"client_id": "strict"},                                "invalid_request"),
    ("RFC 9700 §2.1 no redirect_uri",           {"redirect_uri": None},                                 "invalid_request"),
    ("RFC 9700 §2.1 case of the path",          {"redirect_uri": "https://norr-planning.example/Callback"},     "invalid_request"),
    ("RFC 9700 §2.1 trailing slash",            {"redirect_uri": CALLBACK + "/"},                       "invalid_request"),
    ("RFC 9700 §2.1 more query",                {"redirect_uri": CALLBACK + "?a=b"},                    "invalid_request"),
    ("RFC 9700 §2.1 encoded dots",              {"redirect_uri": "https://norr-planning.example/x/%2e%2e/callback"}, "invalid_request"),
    ("RFC 9700 §2.1 matrix parameter",          {"redirect_uri": "https://norr-planning.example/..;/callback"}, "invalid_request"),
    ("RFC 9700 §2.1 other host",                {"redirect_uri": "//evil.example/callback"},            "invalid_request"),
    ("RFC 9700 §2.1 backslash",                 {"redirect_uri": "https://norr-planning.example\\@evil.example/"}, "invalid_request"),
    ("RFC 9700 §2.1 line end",                  {"redirect_uri": CALLBACK + "\r\nSet-Cookie: a=b"},     "invalid_request"),
    ("RFC 9700 §2.1 tab",                       {"redirect_uri": CALLBACK + "\t"},                      "invalid_request"),
    ("RFC 9700 §2.1 user name",                 {"redirect_uri": "https://norr-planning.example@evil.example/callback"}, "invalid_request"),
    ("RFC 9700 §2.1 bare fragment",             {"redirect_uri": CALLBACK + "#"},                       "invalid_request"),
    ("RFC 9700 §2.1 homograph",                 {"redirect_uri": "https://n\u043err-planning.example/callback"}, "invalid_request"),
    ("RFC 9700 §2.1 default port",              {"redirect_uri": "https://norr-planning.example:443/callback"}, "invalid_request"),
    ("RFC 9700 §4.11 javascript",               {"redirect_uri": "JaVaScRiPt:alert(1)"},                "invalid_request"),
    ("RFC 9101 §5 both",                        {"request": "x", "request_uri": REFERENCE},             "invalid_request"),
    ("RFC 9101 §6.2 malformed object",          {"request": "a.b.c"},                                   "invalid_request_object"),
    ("RFC 9101 §10.4 address not registered",   {"request_uri": "https://evil.example/r"},              "invalid_request_uri"),
    ("RFC 9101 §10.4 private address",          {"request_uri": "http://169.254.169.254/r"},            "invalid_request_uri"),
    ("RFC 9126 §4 unknown pushed request",      {"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request_uri"),
]
# fmt: on


@pytest.mark.parametrize(("changed", "code"), [row[1:] for row in ON_A_PAGE], ids=[row[0] for row in ON_A_PAGE])
def test_told_on_a_page(asking: Asking, changed: dict[str, Any], code: str) -> None:
    """RFC 6749 §4.1.2.1: nobody is redirected before the redirect URI is known to be the client's."""
    sent = arrive(asking.whole.citizen(), "/authorize?" + urlencode(merge({**ASKED, **SAYS}, changed)))
    assert (sent.status_code, told(sent)) == (400, code)
    assert asking.rows() == {}


@pytest.mark.parametrize(
    ("registered", "reached"),
    [
        ({"contacts": ["desk@norr-planning.example"], "client_uri": "https://norr-planning.example/"}, "desk@norr-planning.example"),
        ({"client_uri": "https://norr-planning.example/"}, "https://norr-planning.example/"),
        ({}, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_cause_is_the_service_for_an_unregistered_redirect_uri(
    asking: Asking, method: str, registered: dict[str, Any], reached: str | None
) -> None:
    """The page that states a cause states the true one: whose fault it is, its name, and whom to reach there."""
    asking.registered(**registered)
    given = {**ASKED, "redirect_uri": CALLBACK + "/elsewhere"}
    client = asking.whole.client()
    sent = client.get("/authorize?" + urlencode(given)) if method == "GET" else client.post("/authorize", data=given)
    assert (sent.status_code, told(sent)) == (400, "invalid_request")
    assert "The service you came from has a problem" in sent.text
    assert "The service is <bdi>Planning</bdi>." in sent.text
    assert ("You can reach the service here" in sent.text) is (reached is not None)
    assert reached is None or f"<bdi>{reached}</bdi>" in sent.text
    assert "This link does not work any more" not in sent.text
    assert "start again" not in sent.text


def test_a_link_that_is_over_is_no_fault_of_the_service(asking: Asking) -> None:
    """The other side: a known client's pushed request that was used or ran out blames nobody."""
    asking.registered(contacts=["desk@norr-planning.example"])
    asking_again = {"client_id": "norr-planning", "request_uri": "urn:ietf:params:oauth:request_uri:x"}
    sent = asking.whole.client().get("/authorize?" + urlencode(asking_again))
    assert "This link does not work any more" in sent.text
    assert "has a problem" not in sent.text


def test_a_form_is_told_on_a_page_too(asking: Asking) -> None:
    client = asking.whole.client()
    for about, changed, code in ON_A_PAGE[:-1]:  # the last goes on to GET
        sent = client.post("/authorize", data=merge({**ASKED, **SAYS}, changed))
        assert (sent.status_code, told(sent)) == (400, code), about
        assert "set-cookie" not in sent.headers or "semel-browser" not in sent.headers["set-cookie"], about
    assert asking.rows() == {}


# fmt: off
TO_THE_CLIENT: list[tuple[str, dict[str, Any], str]] = [
    ("RFC 6749 §4.1.2.1 no response_type",  {"response_type": None},                             "invalid_request"),
    ("RFC 9700 §2.1.2 implicit",            {"response_type": "token"},                          "unsupported_response_type"),
    ("RFC 6749 A.5 state",                  {"state": "a\nb\u00e9 &=+%\"<>"},                     "invalid_request"),
    ("OAuth MRT §2.1 fragment",             {"response_mode": "fragment"},                       "invalid_request"),
    ("RFC 6749 §3.3 no scope",              {"scope": None},                                     "invalid_scope"),
    ("Core §3.1.2.1 no openid",             {"scope": "use:norr.building-permit"},               "invalid_scope"),
    ("wire §5.3 another's use",             {"scope": "openid use:norr.childcare-allowance"},    "invalid_scope"),
    ("wire §5.3 over-asking",               {"scope": USE + " income.taxable_band"},             "invalid_authorization_details"),
    ("RFC 9396 §5 details",                 {"authorization_details": "[{}]"},                   "invalid_authorization_details"),
    ("Core §5.5 claims",                    {"claims": "[]"},                                    "invalid_request"),
    ("RFC 7636 §4.4.1 no challenge",        {"code_challenge": None},                            "invalid_request"),
    ("RFC 9700 §2.1.1 plain",               {"code_challenge_method": "plain"},                  "invalid_request"),
    ("Core §3.1.2.1 prompt",                {"prompt": "none login"},                            "invalid_request"),
    ("Core §3.1.2.1 max_age",               {"max_age": "-1"},                                   "invalid_request"),
    ("Core §3.1.2.1 id_token_hint",         {"id_token_hint": "a.b.c"},                          "invalid_request"),
    ("Core §7.2.1 registration",            {"registration": "{}"},                              "registration_not_supported"),
    ("RFC 8707 §2 resource",                {"resource": "https://other.example"},               "invalid_target"),
    ("Core §3.1.2.6 nobody signed in",      {"prompt": "none"},                                  "login_required"),
]
# fmt: on


@pytest.mark.parametrize(("changed", "code"), [row[1:] for row in TO_THE_CLIENT], ids=[row[0] for row in TO_THE_CLIENT])
def test_told_to_the_client(asking: Asking, changed: dict[str, Any], code: str) -> None:
    """RFC 6749 §4.1.2.1, RFC 9207 §2: with `iss` and the exact `state`, and nothing is written."""
    sent = arrive(asking.whole.citizen(), asking.address(**changed))
    assert sent.status_code == 303
    assert sent.headers["location"].startswith(CALLBACK + "?")
    said = dict(parse_qsl(urlsplit(sent.headers["location"]).query))
    state = changed.get("state", ASKED["state"])
    assert (said["error"], said["iss"], said["state"]) == (code, asking.whole.settings.issuer, state)
    assert asking.rows() == {}


LONG = "".join(secrets.choice('abcdefghijklmnopqrstuvwxyz ~!{}"\\<&=+%') for _ in range(20_000))


@pytest.mark.parametrize("mode", ["query", "form_post", "jwt", "form_post.jwt"])
@pytest.mark.parametrize("way", ["GET", "POST"])
def test_no_arbitrary_limit_state_goes_back_exactly(asking: Asking, way: str, mode: str) -> None:
    """RFC 6749 §4.1.2, A.5: whatever its length, in every mode, on success and on an error; the request's size alone bounds it."""
    for more, wanted in (({}, "code"), ({"scope": "email"}, "error")):
        person = asking.whole.citizen()
        if way == "GET":
            sent = arrive(person, asking.address(state=LONG, response_mode=mode, **more))
        else:
            sent = asking.whole.client().post(
                "/authorize", data={**ASKED, "state": LONG, "response_mode": mode, **more}
            )
        if wanted == "code":
            sent = shared(person, person.sign_in(person.open(sent.headers["location"])))
        said = answered(asking, sent, mode)
        assert (wanted in said, said["state"] == LONG) == (True, True)


def test_no_arbitrary_limit_nonce_is_in_the_id_token_exactly(whole: Whole) -> None:
    """OpenID Connect Core §2: passed through unmodified; pushed, too."""
    agency, maria = whole.agency(), whole.citizen()
    asked = {"state": LONG, "nonce": LONG[::-1]}
    address = agency.asks(**asked)
    agency.asked |= asked
    assert agency.token(maria.shares(maria.comes_from(address)))["id_token"]


def answered(asking: Asking, sent: Any, mode: str) -> dict[str, Any]:
    """What the client receives, whichever way it travels."""
    if mode.startswith("form_post"):
        tree = Tree()
        tree.feed(sent.text)
        said = {one["name"]: one["value"] for one in tree.root.find_all("input")}
    else:
        said = dict(parse_qsl(urlsplit(sent.headers["location"]).query, keep_blank_values=True))
    if "jwt" not in mode:
        return said
    keys = jwt.PyJWKSet.from_dict(asking.whole.client().get("/jwks").json())
    key = keys[jwt.get_unverified_header(said["response"])["kid"]]
    checked = {"verify_exp": False, "verify_iat": False}
    return dict(jwt.decode(said["response"], key, algorithms=["ES256"], audience="norr-planning", options=checked))


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "scope", "state", "code_challenge", "request_uri"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_parameter_twice(asking: Asking, method: str, name: str) -> None:
    """RFC 6749 §3.1."""
    text = urlencode([*ASKED.items(), (name, ASKED.get(name, "x")), (name, ASKED.get(name, "x"))])
    client = asking.whole.client()
    kind = {"content-type": "application/x-www-form-urlencoded"}
    sent = (
        client.get("/authorize?" + text) if method == "GET" else client.post("/authorize", content=text, headers=kind)
    )
    assert (sent.status_code, told(sent)) == (400, "invalid_request")
    assert asking.rows() == {}


def test_no_arbitrary_limit_a_request_too_long_for_a_cookie_is_stored(asking: Asking) -> None:
    """It waits as if it had been pushed, for the browser that brought it alone."""
    claims = json.dumps({"userinfo": {secrets.token_urlsafe(50): None for _ in range(300)}})
    person, other = asking.whole.citizen(), asking.whole.citizen()
    door = arrive(person, asking.address(claims=claims)).headers["location"]
    assert not [name for name in person.walker.http.cookies if KEPT_PLAIN.fullmatch(name)]
    assert asking.rows() == {"pushed_request": 1}
    other.open("/")
    assert other.open(door).get("problem")["data-code"] == "invalid_request_uri"
    page = person.sign_in(person.open(door))
    assert page.has("consent")
    assert "code" in dict(parse_qsl(urlsplit(shared(person, page).headers["location"]).query))


def test_long_requests_are_counted_by_address(asking: Asking) -> None:
    """What anybody can make us store has a bound; a short request beside them still writes nothing and goes on."""
    person = asking.whole.citizen()
    codes = [arrive(person, asking.address(state=LONG)).status_code for _ in range(102)]
    assert set(codes[:100]) == {303}
    assert 429 in codes[100:]
    assert arrive(person, asking.address()).status_code == 303


# --- request objects


def test_signed_by_value(asking: Asking) -> None:
    """RFC 9101 §5, §6.3: what stands beside the object does not count."""
    person = asking.whole.citizen()
    said = {
        "client_id": "norr-planning",
        "request": asking.signed(state="inside"),
        "state": "outside",
        "prompt": "none",
    }
    page = person.sign_in(person.open("/authorize?" + urlencode(said)))
    assert dict(parse_qsl(urlsplit(shared(person, page).headers["location"]).query))["state"] == "inside"


@pytest.mark.parametrize(
    "changed", [{"client_id": "strict"}, {"iss": "strict"}, {"aud": "https://x.example"}, {"exp": 1}, {"request": "x"}]
)
def test_an_object_that_is_not_good(asking: Asking, changed: dict[str, Any]) -> None:
    said = {**ASKED, "request": asking.signed(**changed)}
    sent = arrive(asking.whole.citizen(), "/authorize?" + urlencode(said))
    assert (sent.status_code, told(sent)) == (400, "invalid_request_object")
    assert asking.rows() == {}


class Elsewhere(Egress):
    """The network, as far as this test needs it."""

    def __init__(self, reply: Reply | EgressRefused) -> None:
        super().__init__()
        self.reply = reply
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def request(self, method: str, url: str, *args: Any, **bounds: Any) -> Reply:
        self.asked.append((url, bounds))
        if isinstance(self.reply, EgressRefused):
            raise self.reply
        return self.reply


def test_by_reference_with_a_fragment(asking: Asking) -> None:
    """OpenID Connect Core §6.2: compared whole, fetched without."""
    asking.registered(request_uris=[REFERENCE + "#one"])
    network = Elsewhere(Reply(200, {}, asking.signed().encode()))
    asking.whole.give(outbound=SimpleNamespace(client_addresses=network))
    for fragment, good in (("#one", True), ("#two", False), ("", False)):
        said = {"client_id": "norr-planning", "request_uri": REFERENCE + fragment}
        sent = arrive(asking.whole.citizen(), "/authorize?" + urlencode(said))
        assert (sent.status_code == 303) is good
    assert [url for url, _ in network.asked] == [REFERENCE]


@pytest.mark.parametrize("times", [{"exp": None}, {"nbf": None}, {"exp": None, "nbf": None}])
def test_a_baseline_request_object_needs_neither_exp_nor_nbf(asking: Asking, times: dict[str, Any]) -> None:
    """OpenID Connect Core §6.1; where one is there it counts."""
    person = asking.whole.citizen()
    said = {"client_id": "norr-planning", "request": asking.signed(**times)}
    assert arrive(person, "/authorize?" + urlencode(said)).status_code == 303
    late = int(asking.whole.clock.seconds()) - 1
    for wrong in ({"exp": late}, {"nbf": late - 3600}, {"nbf": late + 3600}):
        said["request"] = asking.signed(**{**times, **wrong})
        assert arrive(person, "/authorize?" + urlencode(said)).status_code == 400


def test_signed_by_reference(asking: Asking) -> None:
    """RFC 9101 §5.2: fetched from the registered address, bounded."""
    network = Elsewhere(Reply(200, {}, asking.signed().encode()))
    asking.whole.give(outbound=SimpleNamespace(client_addresses=network))
    said = {"client_id": "norr-planning", "request_uri": REFERENCE}
    assert asking.whole.citizen().open("/authorize?" + urlencode(said)).has("sign-in")
    ((url, bounds),) = network.asked
    assert url == REFERENCE
    assert bounds["max_bytes"] <= 65_536
    assert bounds["timeout"] <= 5
    assert "application/oauth-authz-req+jwt" in bounds["media_types"]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        pytest.param(Reply(404, {}, b""), "invalid_request_uri", id="RFC 9101 §5.2.3 not there"),
        pytest.param(Reply(200, {}, "ü".encode()), "invalid_request_uri", id="RFC 9101 §5.2.3 no JWT"),
        pytest.param(Reply(200, {}, b"a.b.c"), "invalid_request_object", id="RFC 9101 §6.2 no good JWT"),
        *[pytest.param(EgressRefused(why), "invalid_request_uri", id=f"RFC 9101 §10.4 {why}") for why in ("address", "redirect", "too_large", "timeout", "media_type", "encoding")],
    ],
)  # fmt: skip
def test_what_comes_from_the_address(asking: Asking, reply: Any, code: str) -> None:
    asking.whole.give(outbound=SimpleNamespace(client_addresses=Elsewhere(reply)))
    sent = arrive(
        asking.whole.citizen(), "/authorize?" + urlencode({"client_id": "norr-planning", "request_uri": REFERENCE})
    )
    assert (sent.status_code, told(sent)) == (400, code)
    assert asking.rows() == {}


def test_one_network_sends_us_to_fetch_so_often_and_no_more(asking: Asking) -> None:
    """RFC 9101 §10.4.1: what anybody can cause is counted by where it comes from; an address nobody registered costs nothing."""
    network = Elsewhere(Reply(404, {}, b""))
    asking.whole.give(outbound=SimpleNamespace(client_addresses=network))
    person = asking.whole.citizen()
    known, unknown = ({"client_id": "norr-planning", "request_uri": uri} for uri in (REFERENCE, REFERENCE + "x"))
    for _ in range(FETCHES.burst):
        arrive(person, "/authorize?" + urlencode(unknown))
        arrive(person, "/authorize?" + urlencode(known))
    sent = arrive(person, "/authorize?" + urlencode(known))
    assert (sent.status_code, told(sent)) == (429, "too_many")
    assert int(sent.headers["retry-after"]) >= 1
    assert len(network.asked) == FETCHES.burst
    asking.whole.clock.later(int(sent.headers["retry-after"]))
    assert arrive(person, "/authorize?" + urlencode(known)).status_code == 400


def test_too_many_fetches_from_one_client_are_refused_and_never_queued(asking: Asking) -> None:
    asking.whole.give(outbound=SimpleNamespace(client_addresses=Elsewhere(EgressRefused("busy"))))
    said = {"client_id": "norr-planning", "request_uri": REFERENCE}
    sent = arrive(asking.whole.citizen(), "/authorize?" + urlencode(said))
    assert (sent.status_code, told(sent), sent.headers["retry-after"]) == (503, "temporarily_unavailable", "5")


# --- who signs in, and how


def username(page: Page) -> str:
    (box,) = [e for e in page.content if "id" in e and e["id"] == "username"]
    return str(box["value"]) if "value" in box else ""


def test_a_login_hint_fills_the_form(asking: Asking) -> None:
    """Core §3.1.2.1; what is in it is text, and it is nowhere in clear."""
    hint = '"><script>maria'
    page = asking.whole.citizen().open(asking.address(login_hint=hint))
    assert username(page) == hint
    assert "maria" not in page.url


def test_invisible_characters_in_a_login_hint_are_not_shown(asking: Asking) -> None:
    page = asking.whole.citizen().open(asking.address(login_hint="ma\u202eria\u200b"))
    assert username(page) == ""


def test_prompt_login_signs_in_again(asking: Asking) -> None:
    person = asking.whole.citizen()
    person.sign_in()
    asking.whole.clock.later(60)
    for changed in ({"prompt": "login"}, {"prompt": "select_account"}, {"max_age": 30}):
        page = person.open(asking.address(**changed))
        assert page.has("sign-in")
        assert page.get("again")["data-cause"] == "anew", "they are signed in, and read why once more"
    assert not asking.whole.citizen().open(asking.address(prompt="login")).has("again"), "nobody is signed in there"
    assert person.open(asking.address(max_age=300)).has("consent")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"prompt": "none", "max_age": "0"}, "login_required"),
        ({"prompt": "none"}, "consent_required"),
        ({"claims": json.dumps({"id_token": {"sub": {"value": "another"}}}), "prompt": "none"}, "login_required"),
        ({"claims": json.dumps({"id_token": {"acr": {"essential": True, "values": ["http://eidas.europa.eu/LoA/high"]}}})}, "unmet_authentication_requirements"),
        ({"claims": json.dumps({"id_token": {"acr": {"essential": True, "value": "urn:other"}}})}, "unmet_authentication_requirements"),
    ],
)  # fmt: skip
def test_what_a_session_does_not_serve(asking: Asking, changed: dict[str, Any], error: str) -> None:
    person = asking.whole.citizen()
    person.sign_in()
    asking.whole.clock.later(5)
    sent = arrive(person, asking.address(**changed))
    while CALLBACK not in sent.headers["location"]:
        if "not-possible" in sent.headers["location"]:
            sent = told_why(asking, person, sent.headers["location"], "proof")
            break
        sent = arrive(person, sent.headers["location"])
    said = dict(parse_qsl(urlsplit(sent.headers["location"]).query))
    assert (said["error"], said["iss"], said["state"]) == (error, asking.whole.settings.issuer, ASKED["state"])


def told_why(asking: Asking, person: Citizen, address: str, reason: str) -> Any:
    """The page before the way back says why; its button, pressed."""
    page = person.open(address)
    assert (page.get("not-possible")["data-reason"], "Nothing was shared" in page.content.text) == (reason, True)
    filled = {**person.fields(page, "not-possible-back"), "action": "continue"}
    return person.walker.post(page.url, **filled)


def test_a_wished_level_is_only_a_wish(asking: Asking) -> None:
    person = asking.whole.citizen()
    person.sign_in()
    assert person.open(asking.address(acr_values="http://eidas.europa.eu/LoA/high")).has("consent")


def test_somebody_else_than_the_hint_names(asking: Asking) -> None:
    """Core §3.1.2.1: another session is asked to sign in; who then signs in is not the one either."""
    person = asking.whole.citizen()
    person.sign_in()
    asking.whole.clock.later(60)
    door = person.open(asking.address(claims=json.dumps({"id_token": {"sub": {"value": "another"}}})))
    assert door.has("sign-in")
    assert door.get("again")["data-cause"] == "another"
    person.press(door, "sign-in", "sign-in", username="maria", password=person.person["password"])
    page = person.open(door.url.replace("sign-in", "code"))
    filled = {**person.fields(page, "one-time-code"), "code": person.codes.code(), "action": "continue"}
    sent = person.walker.post(page.url, **filled)
    sent = arrive(person, sent.headers["location"])
    sent = told_why(asking, person, sent.headers["location"], "other_person")
    assert dict(parse_qsl(urlsplit(sent.headers["location"]).query))["error"] == "login_required"


def test_the_one_the_hint_names(asking: Asking) -> None:
    from broker.sign_in import subject

    person = asking.whole.citizen()
    person.sign_in()
    parts = asking.whole.parts
    with parts.database.read() as tx:
        key = parts.vault.person(tx, asking.whole.person_ids["maria"]).pairwise
    sub = subject.pairwise(key, parts.registry.active("norr-planning").pairwise_sector)
    assert person.open(asking.address(claims=json.dumps({"userinfo": {"sub": {"value": sub}}}))).has("consent")


def test_the_cookie_policy() -> None:
    assert needs.cookie_name(True, plain.COOKIE + "x") == "__Host-semel-r-x"


# --- errors that do not hide their cause, and what they leave behind


@pytest.mark.parametrize(
    "header", [{"sec-purpose": "prefetch"}, {"sec-purpose": "prefetch;prerender"}, {"purpose": "prefetch"}]
)
def test_a_prefetch_claims_nothing(whole: Whole, header: dict[str, str]) -> None:
    """Fetch `Sec-Purpose`: nobody pressed anything yet; whoever does has the request."""
    agency, maria = whole.agency(), whole.citizen()
    address = agency.asks()
    ahead = whole.client(**header).get(address)
    assert (ahead.status_code, ahead.headers["cache-control"]) == (503, "no-store")
    assert maria.open(address).has("sign-in")


def test_a_use_that_is_not_there_and_one_of_another(asking: Asking) -> None:
    """A typing error is told from another's use: the register of uses is public."""
    said = []
    for use in ("norr.building-permt", "norr.childcare-allowance"):
        sent = arrive(asking.whole.citizen(), asking.address(scope=f"openid use:{use}"))
        said.append(dict(parse_qsl(urlsplit(sent.headers["location"]).query))["error_description"])
    assert said == [
        "no use has this id; this client's: norr.building-permit",
        "this use is registered for another client",
    ]


HINTS = {"id_token_hint": "a.b.c", "login_hint": "maria"}


@pytest.mark.parametrize("name", HINTS)
def test_a_refused_address_that_tells_of_a_person_does_not_stay(asking: Asking, name: str) -> None:
    """What the browser keeps in its history is an address of ours that says nothing and shows the same page."""
    person = asking.whole.citizen()
    sent = arrive(person, asking.address(client_id="nobody", **{name: HINTS[name]}))
    assert (sent.status_code, sent.headers["referrer-policy"]) == (303, "no-referrer")
    assert HINTS[name] not in sent.headers["location"]
    page = arrive(person, sent.headers["location"])
    assert (page.status_code, told(page)) == (400, "unknown_client")
    asking.whole.clock.later(3601)
    assert arrive(person, sent.headers["location"]).status_code == 404
    assert arrive(person, "/problem?about=" + "A" * 200).status_code == 404
    assert arrive(person, "/problem").status_code == 404
