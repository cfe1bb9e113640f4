"""The runner: a row in, a response out; what is committed when, what is said of an error, what every response carries."""

import asyncio
import json
import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select
from starlette.routing import Route as StarletteRoute

from broker import app as runner
from broker import committer, telemetry
from broker.answers import Cookie, Json, Later, Page, Raw, Redirect, Refusal
from broker.database import Database, Tx
from broker.errors import Malformed, Wire
from broker.openapi.operations import OPERATIONS
from broker.routes import ROUTES, Route
from broker.tables import replay
from consent import ledger
from consent.ledger_entry import SystemRecord
from tests.broker import whole as wholes
from tests.broker.whole import Gone, Whole
from tests.conftest import POSTGRESQL

GOLDEN = Path("tests/golden/security-headers.json")
VARYING = {
    "date",
    "content-length",
    "set-cookie",
    "location",
    "etag",
    "last-modified",
    "dpop-nonce",
    "allow",
    "x-fapi-interaction-id",
}


def mark(tx: Tx, name: str = "x") -> None:
    tx.execute(insert(replay).values(kind="t", id_hash=name.encode(), expires=1))


def marks(whole: Whole) -> int:
    with whole.parts.database.read() as tx:
        return len(tx.execute(select(replay)).all())


def serve(whole: Whole, act: Callable[..., Any], *, runs: Any = "none", speaks: Any = "public", **row: Any) -> Any:
    """Put one more row into the running application, ask it, and take it away again."""

    async def gather(_request: Any) -> Any:
        return None

    made = Route("GET", "/test", row.get("gather", gather), act, runs, "house", speaks)
    route = StarletteRoute(made.path, runner._endpoint(made), methods=[made.method])
    whole.app.router.routes.insert(0, route)
    try:
        return whole.client(**row.get("headers", {})).get("/test")
    finally:
        whole.app.router.routes.remove(route)


# --- what is committed


@pytest.mark.parametrize("hosts", [[], [""], ["id.example", "evil.example"], ["id.example", "id.example"]])
def test_a_request_names_one_host(whole: Whole, hosts: list[str]) -> None:
    """RFC 9112 §3.2: none, an empty one or two are refused before anything is read."""
    lines = [(b"host", host.encode()) for host in hosts]
    got: list[Any] = []

    async def send(message: Any) -> None:
        got.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/jwks", "raw_path": b"/jwks", "query_string": b"",
             "headers": lines, "client": ("192.0.2.1", 1), "server": ("id.example", 443), "scheme": "https", "http_version": "1.1"}  # fmt: skip
    asyncio.run(whole.app(scope, receive, send))
    assert got[0]["status"] == 400


UNSENDABLE = {
    "policy": lambda: Page("home.html", {}, form_action="https://[fe80::1%25eth0]"),
    "frame": lambda: Page("home.html", {}, frames=("https://[fe80::1%25eth0]",)),
    "location": lambda: Redirect("https://agency.example/\u00f6"),
}


@pytest.mark.parametrize("answer", UNSENDABLE.values(), ids=UNSENDABLE)
@pytest.mark.parametrize("runs", ["write", "entry"])
def test_an_answer_that_cannot_be_sent_takes_everything_back(
    whole: Whole, runs: str, answer: Callable[[], Any]
) -> None:
    """Nothing that can fail comes after a commit: the act makes the whole answer, and fails with it."""

    def act(tx: Tx, _facts: Any, _now: int) -> Any:
        mark(tx)
        return (answer(), [SystemRecord("t", {})]) if runs == "entry" else answer()

    before = whole.size()
    assert serve(whole, act, runs=runs).status_code == 500
    assert (marks(whole), whole.size()) == (0, before)


@pytest.mark.parametrize("runs", ["write", "entry"])
def test_an_answer_is_committed_before_it_leaves(whole: Whole, runs: str) -> None:
    def act(tx: Tx, _facts: None, _now: int) -> Any:
        mark(tx)
        return Json({}) if runs == "write" else (Json({}), [])

    assert serve(whole, act, runs=runs).status_code == 200
    assert marks(whole) == 1


@pytest.mark.parametrize("runs", ["write", "entry"])
def test_a_refusal_keeps_what_was_written_beside_it(whole: Whole, runs: str) -> None:
    def act(tx: Tx, _facts: None, _now: int) -> Any:
        mark(tx)
        refused = Refusal("invalid_grant", "used before")
        return refused if runs == "write" else (refused, [])

    answer = serve(whole, act, runs=runs, speaks="oauth")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert marks(whole) == 1


@pytest.mark.parametrize("problem", [Wire("invalid_grant"), Malformed("no"), RuntimeError("secret")])
@pytest.mark.parametrize("runs", ["write", "entry"])
def test_what_raises_leaves_nothing(whole: Whole, runs: str, problem: Exception) -> None:
    def act(tx: Tx, _facts: None, _now: int) -> Any:
        mark(tx)
        raise problem

    answer = serve(whole, act, runs=runs)
    assert answer.status_code == (500 if isinstance(problem, RuntimeError) else 400)
    assert marks(whole) == 0


def test_an_answer_that_waits_for_its_entries_is_made_after_the_commit(whole: Whole) -> None:
    def act(_tx: Tx, _facts: None, _now: int) -> Any:
        return Later(lambda appended: Json({"seq": appended[0].seq, "size": whole.size()})), [SystemRecord("t", {})]

    assert serve(whole, act, runs="entry").json() == {"seq": 1, "size": 2}


@pytest.mark.skipif(bool(POSTGRESQL), reason="one role reads and writes there")
def test_a_row_that_reads_cannot_write(whole: Whole) -> None:
    assert serve(whole, lambda tx, _facts, _now: mark(tx), runs="read").status_code == 500
    assert marks(whole) == 0


def test_an_act_sees_the_clock_that_was_given(whole: Whole) -> None:
    for runs in ("none", "read", "write"):
        act = (lambda _f, now: Json({"now": now})) if runs == "none" else (lambda _t, _f, now: Json({"now": now}))
        assert serve(whole, act, runs=runs).json() == {"now": whole.clock()}


@pytest.mark.parametrize("early", [Json({"early": True}), Refusal("invalid_request")])
def test_gather_may_answer_itself(whole: Whole, early: Any) -> None:
    async def gather(_request: Any) -> Any:
        return early

    answer = serve(whole, pytest.fail, gather=gather)
    assert answer.status_code == (200 if early else 400)


# --- what is said of an error


def test_a_fault_is_a_number_for_the_help_desk_and_nothing_else(
    whole: Whole, capsys: pytest.CaptureFixture[str]
) -> None:
    def act(_facts: None, _now: int) -> Any:
        raise RuntimeError("maria@post.example")

    telemetry.configure()  # writes to what the test reads
    page = serve(whole, act, speaks="page")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert page.status_code == 500
    assert "maria" not in page.text
    assert 'data-code="server_error"' in page.text
    failed = next(line for line in lines if line["event"] == "failed")
    assert failed["exception"] == "RuntimeError"
    assert failed["correlation_id"] in page.text
    assert len({line["correlation_id"] for line in lines}) == 1
    assert "maria" not in json.dumps(lines)


def test_a_page_that_cannot_be_written_says_only_its_number(whole: Whole, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure()
    answer = serve(whole, lambda _facts, _now: Page("nothing.html", {"value": "maria"}), speaks="page")
    line = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (answer.status_code, answer.text) == (500, f"error {line['correlation_id']}\n")
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_database_that_is_gone_is_a_page_to_people_and_says_when_to_come_back(whole: Whole) -> None:
    maria = whole.citizen()
    maria.sign_in()
    whole.give(database=Gone())
    page = maria.walker.http.get("/account/sharing")
    assert (page.status_code, page.headers["retry-after"]) == (503, "1")
    assert 'data-code="temporarily_unavailable"' in page.text


def test_a_stopped_server_says_so(whole: Whole) -> None:
    async def gather(_request: Any) -> None:
        await whole.parts.committer.close()

    answer = serve(whole, lambda *_: pytest.fail("acted"), runs="entry", speaks="oauth", gather=gather)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"] == "1"


def test_stopping_finishes_what_waits_and_takes_no_more(whole: Whole) -> None:
    whole.stop()
    with pytest.raises(committer.Closed):
        asyncio.run(whole.parts.committer.submit(lambda _tx, _now: (None, [])))


# fmt: off
UNROUTED = [
    # method    path                 Accept                     status  allow
    ("GET",     "/nothing",          "*/*",                     404,    None),
    ("GET",     "/nothing",          "text/html",               404,    None),
    ("GET",     "/par",              "application/json",        405,    "POST"),
    ("DELETE",  "/userinfo",         "application/json",        405,    "GET, POST"),
    ("DELETE",  "/sign-in",          "text/html",               405,    "GET, HEAD, POST"),
    ("HEAD",    "/authorize",        "*/*",                     405,    "GET, POST"),   # what writes is not set off by a look
    ("HEAD",    "/prefill",          "*/*",                     405,    "GET"),
    ("POST",    "/jwks",             "*/*",                     405,    "GET, HEAD"),
    ("GET",     "/par/",             "*/*",                     404,    None),
    ("TRACE",   "/par",              "*/*",                     405,    "POST"),
]
# fmt: on


@pytest.mark.parametrize(("method", "path", "accept", "status", "allow"), UNROUTED)
def test_what_no_row_serves(whole: Whole, method: str, path: str, accept: str, status: int, allow: str | None) -> None:
    """RFC 9110 §15.5.5, §15.5.6."""
    answer = whole.client(accept=accept).request(method, path)
    assert (answer.status_code, answer.headers.get("allow")) == (status, allow)
    code = "not_found" if status == 404 else "method_not_allowed"
    if method == "HEAD":
        return
    if accept == "text/html":
        assert f'data-code="{code}"' in answer.text
        assert 'id="correlation-id"' in answer.text
    else:
        assert answer.json() == {"error": code, "correlation_id": answer.json()["correlation_id"]}


# --- what every response carries


@pytest.mark.parametrize(
    "path", ["/token", "/userinfo", "/nothing", "/registration", "/introspection", "/credential", "/ssf/streams"]
)
def test_every_json_error_names_its_log_lines(whole: Whole, capsys: pytest.CaptureFixture[str], path: str) -> None:
    """An error does not hide its cause: `correlation_id` is the one our log has, beside the reason."""
    answer = whole.client().post(path)
    assert answer.status_code >= 400
    said = answer.json()["correlation_id"]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert [line["error"] for line in lines if line.get("correlation_id") == said and line["event"] == "refused"]


@pytest.mark.parametrize(
    ("sent", "back"),
    [
        ("c770aef3-6784-41f7-8e0e-ff5f97bddb3a", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("", False),
        ("a\tb", False),
        ("caf\u00e9", False),
    ],
)
def test_the_interaction_id_comes_back(whole: Whole, sent: str, *, back: bool) -> None:
    """FAPI 1.0 Baseline §6.2.1: only what cannot harm a log or a header; else one is made, a new one each time."""
    headers = {"x-fapi-interaction-id": sent.encode("latin-1")}
    told = [whole.client().get("/healthz", headers=headers).headers["x-fapi-interaction-id"] for _ in range(2)]
    if back:
        assert told == [sent] * 2
    else:
        assert len({uuid.UUID(one) for one in told}) == 2


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/jwks", "/userinfo", "/authorize", "/token"])
def test_an_interaction_id_is_made_when_it_is_missing(whole: Whole, path: str) -> None:
    """On every answer, refusals too (FAPI 1.0 Baseline §6.2.1)."""
    assert uuid.UUID(whole.client().get(path).headers["x-fapi-interaction-id"])


def examples(whole: Whole) -> Mapping[str, Any]:
    """One response of each kind that leaves the server."""
    client, agency, maria = whole.client(), whole.agency(), whole.citizen()
    consent = maria.comes_from(agency.asks())
    http = maria.walker.http
    return {
        "page": client.get("/sign-in"),
        "page with a form that ends at an agency": http.get(consent.url),
        "problem page": client.get("/authorize?client_id=x&request_uri=y"),
        "page not found": client.get("/nothing", headers={"accept": "text/html"}),
        "redirect": client.get("/account"),
        "style sheet": client.get(asset(client.get("/").text, ".css")),
        "pushed request": agency.push(),
        "pushed request refused": client.post("/par", data={"client_id": "x"}),
        "token refused": client.post("/token", data={"grant_type": "authorization_code"}),
        "data refused": client.get("/prefill"),
        "userinfo refused": client.get("/userinfo"),
        "discovery": client.get("/.well-known/openid-configuration"),
        "keys": client.get("/jwks"),
        "health": client.get("/healthz"),
        "ready": client.get("/readyz"),
        "ledger file absent": client.get("/ledger/tile/0/999"),
        "not found": client.get("/nothing"),
        "fault": serve(whole, lambda _facts, _now: Page("nothing.html", {}), speaks="page"),
    }


def asset(text: str, ending: str) -> str:
    """The path of the first static file of this kind that a page names."""
    return next(path for path in re.findall(r'"(/static/[^"]+)"', text) if path.endswith(ending))


def test_security_headers(whole: Whole) -> None:
    """A golden file: a header less, or a policy wider, is seen in review."""
    found = {
        name: {
            "status": answer.status_code,
            **{key: value for key, value in sorted(answer.headers.items()) if key not in VARYING},
        }
        for name, answer in examples(whole).items()
    }
    assert found == json.loads(GOLDEN.read_text())


def story(whole: Whole) -> list[str]:
    """Walk from the button to the data and out again; every cookie that was set on the way."""
    maria, agency = whole.citizen(), whole.agency()
    seen: list[str] = []
    maria.walker.http.event_hooks["response"].append(lambda answer: seen.extend(answer.headers.get_list("set-cookie")))
    maria.open("/?lang=en")
    agency.token(maria.shares(maria.comes_from(agency.asks())))
    maria.press(maria.open("/sign-out"), "sign-out", "sign-out")
    return seen


def test_cookies_on_https(whole: Whole) -> None:
    """RFC 6265bis §4.1.3.2: `__Host-`, so Secure, the path `/` and no Domain; none readable by a script."""
    seen = story(whole)
    names = {cookie.split("=")[0] for cookie in seen}
    assert {"__Host-semel", "__Host-semel-browser", "__Host-semel-known", "__Host-semel-lang"} < names
    assert len([name for name in names if name.removeprefix("__Host-semel-") not in {"browser", "known", "lang"}]) == 2
    for cookie in seen:
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert cookie.startswith("__Host-semel")
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= attributes, cookie
        assert not [one for one in attributes if one.startswith("domain")]


def test_cookies_on_http_are_for_loopback_alone(
    database: Database, database_url: str, tmp_path: Path, now: int
) -> None:
    with wholes.running(database, database_url, tmp_path, now, issuer="http://localhost:8000") as whole:
        seen = story(whole)
        assert not whole.client().get("/healthz").headers.get("strict-transport-security")
    for cookie in seen:
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert cookie.startswith("semel")
        assert {"httponly", "samesite=lax", "path=/"} <= attributes
        assert "secure" not in attributes


def test_a_session_cookie_ends_with_the_browser_and_with_the_sign_out(whole: Whole) -> None:
    seen = [cookie for cookie in story(whole) if cookie.startswith("__Host-semel=")]
    assert all("max-age" not in cookie.lower() for cookie in seen[:-1])
    assert "max-age=0" in seen[-1].lower()


@pytest.mark.parametrize(
    ("answer", "kind", "content"),
    [
        (Json({"b": 1, "a": "é"}), "application/json", '{"a":"é","b":1}'.encode()),
        (Raw(b"\x00", "application/octet-stream"), "application/octet-stream", b"\x00"),
        (Redirect("https://a.example/?x=1"), None, b""),
    ],
    ids=["json", "raw", "redirect"],
)
def test_answers_become_responses(whole: Whole, answer: Any, kind: str | None, content: bytes) -> None:
    response = serve(whole, lambda _facts, _now: answer)
    assert (response.headers.get("content-type"), response.content) == (kind, content)
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["strict-transport-security"] == "max-age=31536000"
    if isinstance(answer, Redirect):
        assert (response.status_code, response.headers["location"]) == (303, "https://a.example/?x=1")
        assert response.headers["cache-control"] == "no-store"


def test_answers_set_and_take_cookies(whole: Whole) -> None:
    answer = Json({}, cookies=(Cookie("__Host-a", "v", 60), Cookie("__Host-b", "v"), Cookie("__Host-c", delete=True)))
    first, second, third = serve(whole, lambda _facts, _now: answer).headers.get_list("set-cookie")
    assert "Max-Age=60" in first
    assert "Max-Age" not in second
    assert "Max-Age=0" in third
    assert "__Host-c=" in third


# --- the rows


def test_every_row_is_served_as_the_table_says(whole: Whole) -> None:
    served = {(route.path, method) for route in whole.app.router.routes for method in route.methods}  # type: ignore[attr-defined]  # all are routes
    wanted = {(row.path, row.method) for row in ROUTES}
    looks = {(row.path, "HEAD") for row in ROUTES if row.method == "GET" and row.runs in {"none", "read"}}
    assert served == wanted | looks


def test_only_what_we_wrote_describes_the_server(whole: Whole) -> None:
    """The framework's own description would name every page and parameter of ours, and load scripts of others."""
    for path in ("/docs", "/redoc"):
        assert whole.client().get(path).status_code == 404
    described = {operation.path for operation in OPERATIONS}
    assert set(whole.client().get("/openapi.json").json()["paths"]) == described


def test_a_server_without_its_installation_does_not_start(
    database_url: str, database: Database, tmp_path: Path, now: int
) -> None:
    with wholes.running(database, database_url, tmp_path, now) as whole:
        settings = whole.settings
    with database.write() as tx:
        tx.exec_driver_sql("DELETE FROM signing_key")
        assert ledger.head(tx).size == 1
    if database.dialect == "sqlite":
        with pytest.raises(Exception, match="key"):
            runner.create_app(settings, now=lambda: now)
