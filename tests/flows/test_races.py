"""What may happen once happens once, however many ask at the same moment; on PostgreSQL of two worker processes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from examples import holder
from examples.browse import Page
from tests.actors import Agency, Citizen
from tests.flows import volley
from tests.flows.service import WORKERS, Service
from tests.world import World

MANY = 64
CODES = 2
PLANNING = "norr-planning"


@pytest.fixture(scope="module", autouse=True)
def every_worker_runs(service: Service) -> Iterator[None]:
    """A race that one worker runs against itself proves half of it."""
    before = service.spread.copy()
    yield
    busy = (service.spread - before).values()
    assert len(busy) == WORKERS
    assert min(busy) * 10 > sum(busy), f"one worker had nearly everything: {busy}"


def told(answers: Sequence[httpx2.Response]) -> Counter[tuple[int, str]]:
    """How often which status came with which error."""
    return Counter((answer.status_code, error(answer)) for answer in answers)


def error(answer: httpx2.Response) -> str:
    is_json = answer.headers.get("content-type") == "application/json" and answer.status_code != 204
    return str(answer.json().get("error", "")) if is_json else ""


def code_at(agency: Agency, citizen: Citizen) -> str:
    """A code that nobody has redeemed."""
    return agency.receives(citizen.shares(citizen.comes_from(agency.asks())))["code"]


def redemption(agency: Agency, code: str) -> httpx2.Request:
    said = {"grant_type": "authorization_code", "code": code, "redirect_uri": agency.callback}
    return volley.signed(agency, "/token", said | {"code_verifier": agency.asked["verifier"]})


def pressed(citizen: Citizen, page: Page, form: str, button: str) -> dict[str, str]:
    """What a browser sends when a button of a form is pressed."""
    found = page.get(form).find("button", value=button)
    assert found is not None
    return citizen.fields(page, form) | {found["name"]: button}


def entries(world: World, citizen: Citizen, kind: str) -> list[Any]:
    """The entries of one kind in a person's line."""
    return [one for one in world.inside.events(citizen) if one.type == kind]


def test_of_64_redemptions_of_a_code_one_gets_tokens_and_they_are_dead(service: Service, world: World) -> None:
    """For each of several codes: the more there are, the likelier two workers look at one at the same moment."""
    citizen = world.neighbour()
    agencies = [world.agency(PLANNING) for _ in range(CODES)]
    codes = [code_at(agency, citizen) for agency in agencies]
    asked = [(a, c) for a, c in zip(agencies, codes, strict=True) for _ in range(MANY)]
    answers = service.volley([redemption(agency, code) for agency, code in asked])
    for number, agency in enumerate(agencies):
        mine = answers[number * MANY : (number + 1) * MANY]
        assert told(mine) == {(200, ""): 1, (400, "invalid_grant"): MANY - 1}
        won = next(answer for answer in mine if answer.status_code == 200)
        refused = agency.data(won.json()["access_token"])
        assert (refused.status_code, error(refused)) == (401, "invalid_token"), (
            "a replayed code leaves its tokens alive"
        )


@pytest.mark.parametrize("place", [0, 8, MANY // 2, MANY])
def test_no_release_comes_after_the_stop(service: Service, world: World, place: int) -> None:
    """The stop goes out first, among the releases, or last; whoever wins, the ledger's order is the truth."""
    citizen, agency = world.neighbour(), world.agency()
    token = agency.token(citizen.shares(citizen.comes_from(agency.asks())))
    page = citizen.open(f"/account/sharing/{token['grant_id']}/stop")
    stop = citizen.walker.http.build_request("POST", page.url, data=pressed(citizen, page, "stop", "stop-sharing"))
    assert agency.data(token["access_token"]).status_code == 200  # learns a nonce
    requests = [volley.release(agency, token["access_token"]) for _ in range(MANY)]
    answers = service.volley([*requests[:place], stop, *requests[place:]])
    stopped = answers.pop(place)
    assert stopped.status_code == 200
    (withdrawal,) = entries(world, citizen, "permission.withdrawn")
    released = [one.seq for one in entries(world, citizen, "access.released")]
    got = [answer.json()["ledger"]["seq"] for answer in answers if answer.status_code == 200]
    assert max(released) < withdrawal.seq
    assert set(got) <= set(released)
    assert len(got) == len(set(got))
    assert told([answer for answer in answers if answer.status_code != 200]).keys() <= {(401, "invalid_token")}
    late = agency.data(token["access_token"])
    assert (late.status_code, error(late)) == (401, "invalid_token")
    world.answers += [a.json() | {"client": agency.client_id} for a in answers if a.status_code == 200]


def test_a_grant_is_given_back_once_and_no_release_comes_after(service: Service, world: World) -> None:
    """Grant Management §6.5: of the agency's calls one ends the grant; the ledger's order says which releases came before."""
    citizen, agency = world.neighbour(), world.agency()
    scope = f"openid use:{agency.use} grant_management_query grant_management_revoke"
    token = agency.token(citizen.shares(citizen.comes_from(agency.asks(scope=scope))))
    access, path = token["access_token"], f"/grants/{token['grant_id']}"
    assert agency.data(access).status_code == 200  # learns a nonce
    ends = [volley.resource(agency, "DELETE", path, access) for _ in range(MANY)]
    answers = service.volley([one for end in ends for one in (volley.release(agency, access), end)])
    assert told(answers[1::2]) == {(204, ""): 1, (404, "not_found"): MANY - 1}
    (ended,) = entries(world, citizen, "permission.ended_by_controller")
    assert max(one.seq for one in entries(world, citizen, "access.released")) < ended.seq
    assert told([answer for answer in answers[::2] if answer.status_code != 200]).keys() <= {(401, "invalid_token")}
    assert [agency.data(access).status_code, agency.call("GET", path, token=access).status_code] == [401, 404]
    world.answers += [a.json() | {"client": agency.client_id} for a in answers[::2] if a.status_code == 200]


def test_64_presses_of_share_give_one_permission_and_one_code(service: Service, world: World) -> None:
    citizen, agency = world.neighbour(), world.agency()
    http = citizen.walker.http
    page = citizen.comes_from(agency.asks())
    share = pressed(citizen, page, "consent", "share")
    shared = service.volley([http.build_request("POST", page.url, data=share) for _ in range(MANY)])
    assert Counter(answer.status_code for answer in shared) == {303: MANY}
    assert len(entries(world, citizen, "permission.given")) == 1
    done = page.url.removesuffix("consent") + "done"
    for answer in shared:  # who came while the first one was written is sent back to the decision, and on from there
        receipt = citizen.open(answer.headers["location"])
        assert receipt.url == done
    onward = pressed(citizen, receipt, "done", "continue")
    going_on = service.volley([http.build_request("POST", done, data=onward) for _ in range(MANY)])
    codes = {parse_qs(urlsplit(answer.headers["location"]).query)["code"][0] for answer in going_on}
    assert (len(going_on), len(codes)) == (MANY, 1)
    assert agency.redeem(codes.pop()).status_code == 200


def test_64_views_of_one_decision_are_one_preview(service: Service, world: World) -> None:
    citizen, agency = world.neighbour(), world.agency()
    citizen.sign_in()
    http = citizen.walker.http
    address = agency.asks()
    arrived = http.get(address)  # the journey has begun, nothing is shown yet
    consent = f"{world.issuer}{arrived.headers['location']}"
    shown = service.volley([http.build_request("GET", consent) for _ in range(MANY)])
    assert told(shown).keys() <= {(200, ""), (303, "")}
    assert len(entries(world, citizen, "access.previewed")) == 1
    assert citizen.open(consent).has("consent")


def test_of_64_browsers_with_one_request_one_begins_a_journey(service: Service, world: World) -> None:
    address = world.agency().asks()
    answers = service.volley([httpx2.Request("GET", address) for _ in range(MANY)])
    assert Counter(answer.status_code for answer in answers) == {303: 1, 400: MANY - 1}


@pytest.mark.parametrize("where", ["authorize", "continue"])
def test_64_arrivals_of_one_browser_are_one_journey(service: Service, world: World, where: str) -> None:
    citizen, agency = world.neighbour(), world.agency()
    citizen.sign_in()
    http = citizen.walker.http
    address = agency.asks(prompt="login") if where == "continue" else agency.asks()
    if where == "continue":
        address = on_the_way(citizen, http.get(address))
    arrived = service.volley([http.build_request("GET", address) for _ in range(MANY)])
    assert Counter(answer.status_code for answer in arrived) == {303: MANY}
    assert len({answer.headers["location"] for answer in arrived}) == 1
    handles = [cookie for answer in arrived for cookie in answer.headers.get_list("set-cookie") if "semel-" in cookie]
    assert len(handles) == 1
    name, _, value = handles[0].split(";")[0].partition("=")
    http.cookies.set(name, value)
    assert citizen.open(arrived[0].headers["location"]).has("consent")


def on_the_way(citizen: Citizen, arrived: httpx2.Response) -> str:
    """Sign in again up to the last redirect, which begins the journey; its address."""
    page = citizen.open(arrived.headers["location"])
    known = {"username": citizen.person["username"], "password": citizen.person["password"]}
    page = citizen.press(page, "sign-in", "sign-in", **known)
    said = citizen.fields(page, "one-time-code") | {"code": citizen.codes.code()}
    answer = citizen.walker.http.post(page.url, data=said)
    assert answer.headers["location"].endswith("/continue")
    return f"{citizen.issuer}{answer.headers['location']}"


def test_a_proof_counts_once(service: Service, world: World) -> None:
    citizen, agency = world.neighbour(), world.agency()
    token = agency.token(citizen.shares(citizen.comes_from(agency.asks())))["access_token"]
    assert agency.data(token).status_code == 200
    answers = service.volley([volley.release(agency, token)] * MANY)
    assert told(answers) == {(200, ""): 1, (401, "invalid_dpop_proof"): MANY - 1}
    assert len(entries(world, citizen, "access.released")) == 2
    one = volley.signed(agency, "/par", agency.request())
    others = [volley.signed(agency, "/par", agency.request()) for _ in range(MANY)]
    for other in others:
        other.headers["DPoP"] = one.headers["DPoP"]
    assert told(service.volley(others)) == {(201, ""): 1, (400, "invalid_dpop_proof"): MANY - 1}


def test_a_client_assertion_counts_once(service: Service, world: World) -> None:
    agency = world.agency()
    agency.asks()  # learns a nonce
    one = volley.signed(agency, "/par", agency.request())
    others = []
    for _ in range(MANY):
        proof = agency.proof("POST", agency.issuer + "/par", None)
        others.append(httpx2.Request("POST", one.url, content=one.content, headers=one.headers | {"DPoP": proof}))
    assert told(service.volley(others)) == {(201, ""): 1, (401, "invalid_client"): MANY - 1}


def test_an_idempotency_key_is_first_used_once(service: Service, world: World) -> None:
    citizen, agency = world.neighbour(), world.agency()
    token = agency.token(citizen.shares(citizen.comes_from(agency.asks())))["access_token"]
    assert agency.data(token).status_code == 200
    requests = [volley.release(agency, token) for _ in range(MANY)]
    for request in requests:
        request.headers["Idempotency-Key"] = "one"
    answers = service.volley(requests)
    assert told(answers) == {(200, ""): MANY}
    released = entries(world, citizen, "access.released")
    first = [one.seq for one in released if "repeat_of" not in one.body]
    assert len(released) == MANY + 1
    assert len(first) == 2  # one without a key, one with
    assert {one.body.get("repeat_of") for one in released} == {None, max(first)}


@pytest.mark.parametrize("claims", [None, '{"userinfo":{"given_name":null}}'])
def test_once_is_one_release(service: Service, world: World, claims: str | None) -> None:
    """However many calls are on their way, at one address or at both; on every worker it is used from then on."""
    citizen, agency = world.neighbour(), world.agency(PLANNING)
    token = agency.token(citizen.shares(citizen.comes_from(agency.asks(claims=claims))))
    paths = ["/prefill"] if claims is None else ["/prefill", "/userinfo"]
    requests = [volley.resource(agency, "GET", paths[n % len(paths)], token["access_token"]) for n in range(MANY)]
    answers = service.volley(requests)
    assert told(answers) == {(200, ""): 1, (401, "invalid_token"): MANY - 1}
    (released,) = entries(world, citizen, "access.released")
    given = world.inside.permission(citizen, token["grant_id"])
    assert (given.state, given.uses, given.ended_seq) == ("exhausted", 1, released.seq)
    world.answers += [a.json() | {"client": PLANNING} for a in answers if a.status_code == 200 and "ledger" in a.json()]


def test_once_under_one_key_is_one_release_and_its_repeats(service: Service, world: World) -> None:
    """Half of the calls carry the key; of two keys one is first."""
    citizen, agency = world.neighbour(), world.agency(PLANNING)
    token = agency.token(citizen.shares(citizen.comes_from(agency.asks())))
    requests = [volley.release(agency, token["access_token"]) for _ in range(MANY)]
    for number, request in enumerate(requests):
        request.headers["Idempotency-Key"] = f"key {number % 2}".replace(" ", "-")
    answers = service.volley(requests)
    assert told(answers) == {(200, ""): MANY // 2, (401, "invalid_token"): MANY // 2}
    items = [answer.json()["items"] for answer in answers if answer.status_code == 200]
    assert all(one == items[0] for one in items)
    released = entries(world, citizen, "access.released")
    first = [one.seq for one in released if "repeat_of" not in one.body]
    assert (len(released), len(first)) == (MANY // 2, 1)
    assert {one.body.get("repeat_of") for one in released} == {None, first[0]}
    world.answers += [a.json() | {"client": PLANNING} for a in answers if a.status_code == 200]


class Wallet:
    """A wallet that holds an offer with its transaction code, and can be asked to be hasty."""

    def __init__(self, world: World, citizen: Citizen) -> None:
        self.world, self.caller = world, holder.Caller(world.http)
        if not citizen.walker.http.cookies.get("semel"):
            citizen.sign_in()
        page = citizen.press(offering(citizen), "add-to-wallet", "offer")
        offer = holder.read_offer(page.get("credential-offer")["href"], world.http)
        number = citizen.open(page.links("code")[0])
        if number.has("one-time-code"):
            number = citizen.press(number, "one-time-code", "continue", code=citizen.codes.code())
        self.tx_code = number.get("tx-code").text.replace(" ", "")
        self.code = offer["grants"][holder.PRE_AUTHORIZED]["pre-authorized_code"]
        self.configuration = offer["credential_configuration_ids"][0]
        self.nonce = self.c_nonce()

    def c_nonce(self) -> str:
        """A nonce for the proof of a key; the answer brings one for DPoP too."""
        answer = self.world.http.post(f"{self.world.issuer}/nonce")
        for path in ("/token", "/credential"):
            self.caller.nonces[self.world.issuer + path] = answer.headers["dpop-nonce"]
        return str(answer.json()["c_nonce"])

    def redemption(self, tx_code: str) -> httpx2.Request:
        url = f"{self.world.issuer}/token"
        form = {"grant_type": holder.PRE_AUTHORIZED, "pre-authorized_code": self.code, "tx_code": tx_code}
        return httpx2.Request("POST", url, data=form, headers={"DPoP": self.caller.proof("POST", url, None)})

    def token(self) -> str:
        return str(self.world.http.send(self.redemption(self.tx_code)).json()["access_token"])

    def collection(self, token: str, nonce: str, key: Any = None) -> httpx2.Request:
        """Ask for the credential, bound to a key of its own unless one is said."""
        url = f"{self.world.issuer}/credential"
        key = key or holder.ec.generate_private_key(holder.ec.SECP256R1())
        body = {"proofs": {"jwt": [holder.key_proof(key, self.world.issuer, nonce)]}}
        headers = {"DPoP": self.caller.proof("POST", url, token), "Authorization": f"DPoP {token}"}
        asked = body | {"credential_configuration_id": self.configuration}
        return httpx2.Request("POST", url, json=asked, headers=headers)


def offering(citizen: Citizen) -> Page:
    return citizen.open(citizen.open("/account/documents").links("add-to-wallet")[0])


def test_a_pre_authorized_code_gives_one_token(service: Service, world: World) -> None:
    wallet = Wallet(world, world.neighbour())
    answers = service.volley([wallet.redemption(wallet.tx_code) for _ in range(MANY)])
    assert told(answers) == {(200, ""): 1, (400, "invalid_grant"): MANY - 1}


def test_64_guesses_at_a_transaction_code_are_five(service: Service, world: World) -> None:
    wallet = Wallet(world, world.neighbour())
    wrong = f"{(int(wallet.tx_code) + 1) % 1_000_000:06}"
    assert told(service.volley([wallet.redemption(wrong) for _ in range(MANY)])) == {(400, "invalid_grant"): MANY}
    assert error(world.http.send(wallet.redemption(wallet.tx_code))) == "invalid_grant", "a guess went uncounted"


def test_a_nonce_gives_one_credential(service: Service, world: World) -> None:
    """Two wallets with one nonce between them: one credential; and then the other wallet's own, with a nonce of its own."""
    people = [world.neighbour(), world.neighbour()]
    wallets = [Wallet(world, citizen) for citizen in people]
    tokens = [wallet.token() for wallet in wallets]
    asked = [(w, t) for w, t in zip(wallets, tokens, strict=True) for _ in range(MANY // 2)]
    requests = [wallet.collection(token, wallets[0].nonce) for wallet, token in asked]
    answers = service.volley(requests)
    assert sum(answer.status_code == 200 for answer in answers) == 1
    assert told(answers).keys() <= {(200, ""), (400, "invalid_nonce"), (400, "credential_request_denied")}
    assert sum(len(entries(world, citizen, "credential.issued")) for citizen in people) == 1
    again = [wallet.collection(token, wallet.c_nonce()) for wallet, token in asked]
    assert sum(answer.status_code == 200 for answer in service.volley(again)) == 1
    assert [len(entries(world, citizen, "credential.issued")) for citizen in people] == [1, 1]


def test_a_holder_key_stands_in_a_credential_of_one_person(service: Service, world: World) -> None:
    """Two people, one key between them, each with a nonce of their own: one credential, and the other is refused for good."""
    people = [world.neighbour(), world.neighbour()]
    wallets = [Wallet(world, citizen) for citizen in people]
    tokens, key = [wallet.token() for wallet in wallets], holder.ec.generate_private_key(holder.ec.SECP256R1())
    asked = [(w, t) for w, t in zip(wallets, tokens, strict=True) for _ in range(MANY // 2)]
    answers = service.volley([wallet.collection(token, wallet.c_nonce(), key) for wallet, token in asked])
    assert sum(answer.status_code == 200 for answer in answers) == 1
    assert told(answers).keys() <= {(200, ""), (400, "invalid_proof"), (400, "credential_request_denied")}
    assert sorted(len(entries(world, citizen, "credential.issued")) for citizen in people) == [0, 1]
    again = [wallet.collection(token, wallet.c_nonce()) for wallet, token in asked]
    assert sum(answer.status_code == 200 for answer in service.volley(again)) == 1
    assert [len(entries(world, citizen, "credential.issued")) for citizen in people] == [1, 1]


def test_one_stream_one_verification_one_event(service: Service, world: World) -> None:
    """SSF 1.0 §8.1.1.1, §8.1.4.2: whatever is asked for at once is there once; what ends once is told once."""
    agency, citizen = world.agency(), world.neighbour()
    token = agency.own_token()
    assert agency.call("GET", "/ssf/streams", token=token).json() == []  # learns a nonce
    made = service.volley([volley.resource(agency, "POST", "/ssf/streams", token, {}) for _ in range(MANY)])
    assert told(made) == {(201, ""): 1, (409, "conflict"): MANY - 1}
    stream = next(answer.json() for answer in made if answer.status_code == 201)
    named = {"stream_id": stream["stream_id"]}
    asked = service.volley([volley.resource(agency, "POST", "/ssf/verify", token, named) for _ in range(MANY)])
    assert told(asked) == {(204, ""): 1, (429, "too_many_requests"): MANY - 1}
    given = agency.token(citizen.shares(citizen.comes_from(agency.asks())))
    page = citizen.open(f"/account/sharing/{given['grant_id']}/stop")
    stop = pressed(citizen, page, "stop", "stop-sharing")
    service.volley([citizen.walker.http.build_request("POST", page.url, data=stop) for _ in range(MANY)])
    path = f"/ssf/poll/{stream['stream_id']}"
    held = agency.call("POST", path, token=token, json={"returnImmediately": True}).json()["sets"]
    assert len(held) == 2
    acknowledged = {"returnImmediately": True, "ack": list(held)}
    polls = service.volley([volley.resource(agency, "POST", path, token, acknowledged) for _ in range(MANY // 2)])
    assert [answer.json() for answer in polls] == [{"sets": {}}] * (MANY // 2)
    gone = agency.call("DELETE", "/ssf/streams", token=token, params=named)
    assert gone.status_code == 204
