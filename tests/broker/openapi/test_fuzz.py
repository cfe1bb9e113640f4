"""Requests made up from the description, right and wrong ones, by strangers and by real callers (OpenAPI 3.1).

Whatever is sent: no server error; a status, a type and a body that are described; of an error the protocol's form.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from broker.clients import registered
from broker.openapi import document
from broker.openapi.operation import TEXT, WHOLE, Body
from broker.openapi.operations import OPERATIONS
from tests.actors import ASSERTION, Agency
from tests.broker import allowed, signals
from tests.broker.whole import ISSUER, Whole
from tests.conftest import NOW

EXAMPLES = int(os.environ.get("SEMEL_TEST_EXAMPLES", "10"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
#: What says who calls; the test's own, where it plays a real caller.
PROOFS = {"client_id", "client_assertion", "client_assertion_type", "client_secret"}
DESCRIBED = schemathesis.openapi.from_dict(document.of(ISSUER))
Row = tuple[str, str, GenerationMode]
OPEN, REFUSED = {"/nonce", "/challenge"}, {400, 401, 404}
DYNAMIC = [one for one in OPERATIONS if one.caller != "anyone" or "{" in one.path or one.method == "POST"]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """One broker for all that is made up; nothing of it should be remembered."""
    with allowed.running(tmp_path_factory.mktemp("fuzzed")) as running:
        yield running


@pytest.fixture(scope="module")
def agency(broker: Whole) -> Agency:
    made = broker.agency()
    assert made.push().status_code == 201  # it knows the server's nonce now
    return made


@pytest.fixture
def about_maria(broker: Whole, agency: Agency) -> tuple[str, dict[str, str]]:
    """A token that opens what a person shared, and what it may be asked about."""
    maria = broker.present()
    page = maria.comes_from(agency.asks())
    back = maria.shares(page, "contact.iban") if page.has("consent") else page  # tests come in any order
    token = str(agency.token(back)["access_token"])
    return token, {"grant_id": agency.data(token).json()["grant_id"]}


@pytest.fixture(scope="module")
def of_its_own(broker: Whole) -> tuple[Agency, str, dict[str, str]]:
    """A client's own token, the program that has its key, and the stream."""
    receiver = signals.receiver(broker)
    receiver.create()
    return receiver.agency, receiver.token, {"id": receiver.stream_id}


@pytest.fixture(scope="module")
def tokens(broker: Whole) -> dict[str, str]:
    """The two tokens of registration, and a client of one's own."""
    with broker.parts.database.write() as tx:
        initial = registered.issue(tx, profile="baseline", uses=10_000, expires=NOW + 10**15)
    about = {"redirect_uris": ["https://new.example/cb"], "token_endpoint_auth_method": "none", "scope": "openid"}
    answer = broker.client().post("/register", json=about, headers={"Authorization": f"Bearer {initial}"})
    assert answer.status_code == 201, answer.text
    return {"initial": initial, "own": answer.json()["registration_access_token"], "id": answer.json()["client_id"]}


def send(broker: Whole, case: schemathesis.Case, change: Callable[[dict[str, Any]], None]) -> int:
    """Send a made-up request, with what the caller adds, and look at the answer; its status."""
    kwargs = case.as_transport_kwargs(base_url=ISSUER)
    sent = {
        name: kwargs[name]
        for name in ("method", "url", "headers", "params", "data", "json")
        if kwargs.get(name) is not None
    }
    if isinstance(sent.get("data"), bytes | str):
        sent["content"] = sent.pop("data")
    sent["headers"] = {name: value for name, value in dict(sent["headers"]).items() if name.lower() != "user-agent"}
    change(sent)
    try:
        answer = broker.client().request(**sent)
    except UnicodeEncodeError:
        hypothesis.reject()  # what no program could send
    case.validate_response(answer, checks=CHECKS)
    return int(answer.status_code)


def tried(path: str, method: str, mode: GenerationMode, run: Callable[[schemathesis.Case], int]) -> set[int]:
    """Make up so many requests; the statuses they got."""
    got: set[int] = set()

    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(hypothesis.HealthCheck), database=None
    )
    @hypothesis.given(case=DESCRIBED[path][method].as_strategy(generation_mode=mode))
    def example(case: schemathesis.Case) -> None:
        got.add(run(case))

    example()
    return got


def can_be_wrong(body: Body) -> bool:
    """Whether something of a body must be there, or be something else than any text or number."""
    return any(one.required or one.schema not in (TEXT, WHOLE) for one in body.fields)


def rows(*callers: str) -> Any:
    """Each described call of these callers, with what is right and, where a body can be wrong, with what is wrong."""
    chosen = [one for one in DYNAMIC if (not callers or one.caller in callers) and one.method != "DELETE"]
    modes = [(one, GenerationMode.POSITIVE) for one in chosen]
    modes += [(one, GenerationMode.NEGATIVE) for one in chosen if one.body is not None and can_be_wrong(one.body)]
    return pytest.mark.parametrize(
        "row",
        [(one.method, one.path, mode) for one, mode in modes],
        ids=[f"{one.method} {one.path} {mode.value}" for one, mode in modes],
    )


@rows()
def test_strangers(broker: Whole, row: Row) -> None:
    method, path, mode = row
    got = tried(path, method, mode, lambda case: send(broker, case, lambda sent: None))
    if path not in OPEN:
        assert got <= REFUSED, "a stranger got something"


@rows("client", "client or wallet")
def test_clients(broker: Whole, agency: Agency, row: Row) -> None:
    """A client that authenticates and proves its key: what it sends besides is made up."""
    method, path, mode = row

    def genuine(sent: dict[str, Any]) -> None:
        data = sent.get("data") if isinstance(sent.get("data"), dict) else {}
        kept = {name: value for name, value in dict(data or {}).items() if name not in PROOFS}
        sent.pop("content", None)
        sent["data"] = kept | {"client_id": agency.client_id, "client_assertion_type": ASSERTION, "client_assertion": agency.assertion()}  # fmt: skip
        sent["headers"] = {"DPoP": agency.proof(method, ISSUER + path, None)}

    assert 401 not in tried(path, method, mode, lambda case: send(broker, case, genuine)), "it is known who it is"


def held(broker: Whole, row: Row, agency: Agency, token: str, ids: dict[str, str]) -> set[int]:
    """Make up calls with a good token; what stands in the address is there."""
    method, path, mode = row
    own = path.format(**ids) if "{" in path else path

    def genuine(sent: dict[str, Any]) -> None:
        kept = {n: v for n, v in sent["headers"].items() if n.lower() not in {"dpop", "authorization"}}
        proof = agency.proof(method, ISSUER + own, token)
        sent["headers"] = {**kept, "DPoP": proof, "Authorization": f"DPoP {token}"}
        sent["url"] = ISSUER + own

    return tried(path, method, mode, lambda case: send(broker, case, genuine))


@rows("access token")
def test_holders_of_a_token(broker: Whole, agency: Agency, about_maria: Any, row: Row) -> None:
    assert 401 not in held(broker, row, agency, *about_maria), "the token is good"


@rows("own token")
def test_clients_for_themselves(broker: Whole, of_its_own: Any, row: Row) -> None:
    assert 401 not in held(broker, row, *of_its_own), "the token is good"


@rows("initial access token", "registration token")
def test_clients_that_register(broker: Whole, tokens: dict[str, str], row: Row) -> None:
    method, path, mode = row
    own = "{id}" in path

    def genuine(sent: dict[str, Any]) -> None:
        kept = {n: v for n, v in sent["headers"].items() if n.lower() != "authorization"}
        sent["headers"] = {**kept, "Authorization": f"Bearer {tokens['own' if own else 'initial']}"}
        if own:
            sent["url"] = f"{ISSUER}/register/{tokens['id']}"
        if isinstance(sent.get("json"), dict) and own:
            sent["json"] = {**sent["json"], "client_id": tokens["id"]}

    assert 401 not in tried(path, method, mode, lambda case: send(broker, case, genuine)), "the token is good"


def test_nothing_of_it_stays(broker: Whole, tmp_path: Path) -> None:
    """The broker still works when all is over: a person shares, an agency gets it."""
    agency, maria = broker.agency(), broker.present()
    page = maria.comes_from(agency.asks(prompt="consent"))
    token = agency.token(maria.shares(page))["access_token"]
    assert agency.data(token).status_code == 200
