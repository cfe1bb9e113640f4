"""Stream management, row by row as the specification has it (OpenID Shared Signals Framework 1.0 §7, §8.1)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest

from broker.database import Database
from broker.endpoints import ssf_configuration
from broker.notices import streams
from tests.broker import signals
from tests.broker.signals import ADD, POLL, PUSH, REMOVE, STATUS, STREAMS, VERIFICATION, VERIFY, Receiver
from tests.broker.whole import ISSUER, Whole

ENDED = signals.grant_ended(ISSUER)
GOLDEN = Path("tests/golden/ssf-configuration.json")


@pytest.fixture
def whole(database: Database, database_url: str, tmp_path: Path, now: int) -> Iterator[Whole]:
    """The broker in this process; its agencies may hear of security events."""
    with signals.running(database, database_url, tmp_path, now) as running:
        yield running


@pytest.fixture
def agency(whole: Whole) -> Receiver:
    return signals.receiver(whole)


@pytest.fixture
def other(whole: Whole) -> Receiver:
    """Another agency, with a stream of its own."""
    made = signals.receiver(whole, "norr-planning")
    made.create()
    return made


# --- §7 what the transmitter says of itself


def test_the_configuration_document(whole: Whole) -> None:
    answer = whole.client().get("/.well-known/ssf-configuration")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == json.loads(GOLDEN.read_text())


def test_the_document_is_about_what_is_served(whole: Whole) -> None:
    """§7.1: the issuer is that of every token; every address answers (401 without a token), none is another's."""
    told = whole.client().get("/.well-known/ssf-configuration").json()
    assert told["issuer"] == ISSUER
    assert told["jwks_uri"] == whole.client().get("/.well-known/openid-configuration").json()["jwks_uri"]
    for name in ("configuration", "status", "add_subject", "remove_subject", "verification"):
        address = told[f"{name}_endpoint"]
        assert address.startswith(f"{ISSUER}/")
        assert whole.client().post(address.removeprefix(ISSUER), json={}).status_code == 401
    assert ssf_configuration.document(ISSUER) == told


def test_our_own_event_has_its_schema_at_its_address(whole: Whole) -> None:
    answer = whole.client().get(ENDED.removeprefix(ISSUER))
    assert (answer.status_code, answer.json()["$id"]) == (200, ENDED)


# --- §8.1.1 the stream


def test_create(agency: Receiver) -> None:
    answer = agency.call("POST", STREAMS, {"events_requested": [ENDED, "urn:unknown"], "description": "one"})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    stream_id = told.pop("stream_id")
    assert told == {
        "iss": ISSUER,
        "aud": "norr-childcare",
        "events_supported": [signals.SESSION_REVOKED, ENDED],
        "events_requested": [ENDED, "urn:unknown"],
        "events_delivered": [ENDED],
        "delivery": {"method": POLL, "endpoint_url": f"{ISSUER}/ssf/poll/{stream_id}"},
        "min_verification_interval": 10,
        "description": "one",
    }
    assert agency.call("GET", STREAMS, stream_id=stream_id).json() == {"stream_id": stream_id, **told}


def test_create_without_a_word(agency: Receiver) -> None:
    """§8.1.1.1: no delivery is poll; nothing named is everything."""
    told = agency.create()
    assert told["delivery"]["method"] == POLL
    assert told["events_delivered"] == told["events_supported"]
    assert "events_requested" not in told


def test_a_second_stream(agency: Receiver) -> None:
    first = agency.create()
    assert agency.call("POST", STREAMS, {}).status_code == 409
    assert agency.call("GET", STREAMS).json() == [first]


def test_list(agency: Receiver, other: Receiver) -> None:
    """§8.1.1.2: one's own, or none."""
    assert agency.call("GET", STREAMS).json() == []
    assert other.call("GET", STREAMS).json() == [other.stream]


def test_update_keeps_what_is_not_named(agency: Receiver) -> None:
    before = agency.create(events_requested=["urn:x"], description="one")
    answer = agency.call("PATCH", STREAMS, agency.named(events_requested=[ENDED]))
    assert answer.status_code == 200
    after = before | {"events_requested": [ENDED], "events_delivered": [ENDED]}
    assert answer.json() == after == agency.call("GET", STREAMS, stream_id=agency.stream_id).json()


def test_replace_drops_what_is_not_named(agency: Receiver) -> None:
    agency.create(events_requested=["urn:x"], description="one")
    told = agency.call("PUT", STREAMS, agency.named(description="two")).json()
    assert (told["description"], "events_requested" in told) == ("two", False)
    assert told["events_delivered"] == told["events_supported"]


def test_what_was_read_can_be_sent_back(agency: Receiver) -> None:
    """§8.1.1.3, §8.1.1.4: the transmitter's own properties may be repeated."""
    read = agency.create(events_requested=[ENDED], description="one")
    for method in ("PATCH", "PUT"):
        answer = agency.call(method, STREAMS, read)
        assert (answer.status_code, answer.json()) == (200, read)


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://other.example"},
        {"aud": "norr-planning"},
        {"aud": ["norr-childcare", "norr-planning"]},
        {"events_supported": []},
        {"events_delivered": ["urn:x"]},
        {"min_verification_interval": 0},
    ],
    ids=lambda changed: next(iter(changed)),
)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_the_transmitters_properties_cannot_be_changed(agency: Receiver, method: str, changed: dict[str, Any]) -> None:
    agency.create()
    assert agency.call(method, STREAMS, agency.named(**changed)).status_code == 400
    assert agency.call("GET", STREAMS).json() == [agency.stream]


def test_delete(agency: Receiver) -> None:
    agency.create()
    answer = agency.call("DELETE", STREAMS, stream_id=agency.stream_id)
    assert (answer.status_code, answer.content) == (204, b"")
    assert agency.call("GET", STREAMS).json() == []
    assert agency.call("DELETE", STREAMS, stream_id=agency.stream_id).status_code == 404
    before = agency.stream_id
    assert agency.create()["stream_id"] != before


def test_a_deleted_stream_takes_everything_along(whole: Whole, agency: Receiver) -> None:
    agency.create()
    agency.call("POST", VERIFY, agency.named())
    agency.call("POST", REMOVE, agency.subject("x"))
    agency.call("DELETE", STREAMS, stream_id=agency.stream_id)
    assert not any(signals.everything_at_rest(whole).values())


# --- §8.1.2 status


def test_status(agency: Receiver) -> None:
    agency.create()
    assert agency.call("GET", STATUS, stream_id=agency.stream_id).json() == agency.named(status="enabled")
    told = agency.call("POST", STATUS, agency.named(status="paused", reason="Easter"))
    assert (told.status_code, told.json()) == (200, agency.named(status="paused", reason="Easter"))
    assert agency.call("GET", STATUS, stream_id=agency.stream_id).json() == told.json()
    assert agency.call("POST", STATUS, agency.named(status="enabled")).json() == agency.named(status="enabled")


def test_paused_holds_and_disabled_drops(agency: Receiver, whole: Whole) -> None:
    agency.create()
    agency.call("POST", VERIFY, agency.named(state="a"))
    agency.call("POST", STATUS, agency.named(status="paused"))
    assert agency.polls() == {"sets": {}}
    agency.call("POST", STATUS, agency.named(status="enabled"))
    assert len(agency.polls()["sets"]) == 1
    agency.call("POST", STATUS, agency.named(status="disabled"))
    whole.clock.later(60)
    assert agency.call("POST", VERIFY, agency.named(state="b")).status_code == 204
    agency.call("POST", STATUS, agency.named(status="enabled"))
    assert agency.polls() == {"sets": {}}


# --- §8.1.3 subjects


def test_subjects(agency: Receiver) -> None:
    """§8.1.3: what somebody is called elsewhere, or whether there is such a person, is not told."""
    agency.create()
    for sub in ("never-heard-of", "x" * 255):
        assert agency.call("POST", REMOVE, agency.subject(sub)).status_code == 204
        assert agency.call("POST", REMOVE, agency.subject(sub)).status_code == 204
        answer = agency.call("POST", ADD, agency.subject(sub) | {"verified": True})
        assert (answer.status_code, answer.content) == (200, b"")


def test_so_many_subjects(agency: Receiver, whole: Whole) -> None:
    """A stream leaves out a bounded number of subjects."""
    from sqlalchemy import insert

    from broker.tables import removed_subject

    agency.create()
    rows = [{"stream_id": agency.stream_id, "subject": n.to_bytes(32)} for n in range(streams.MOST_REMOVED)]
    with whole.parts.database.write() as tx:
        tx.execute(insert(removed_subject), rows)
    assert agency.call("POST", REMOVE, agency.subject("one-more")).status_code == 403


# --- §8.1.4 verification


def test_verification(agency: Receiver) -> None:
    agency.create(events_requested=[])
    state = 'VGhp"\\\n é 🜚' + "s" * 9000
    assert agency.call("POST", VERIFY, agency.named(state=state)).status_code == 204
    (event,) = agency.hears()
    assert event["events"] == {VERIFICATION: {"state": state}}
    assert event["sub_id"] == {"format": "opaque", "id": agency.stream_id}


def test_verification_without_a_state(agency: Receiver) -> None:
    agency.create()
    agency.call("POST", VERIFY, agency.named())
    assert agency.hears()[0]["events"] == {VERIFICATION: {}}


def test_verification_too_often(agency: Receiver, whole: Whole) -> None:
    interval = agency.create()["min_verification_interval"]
    assert agency.call("POST", VERIFY, agency.named()).status_code == 204
    whole.clock.later(interval - 1)
    late = agency.call("POST", VERIFY, agency.named())
    assert (late.status_code, late.headers["retry-after"]) == (429, str(interval))
    whole.clock.later(1)
    assert agency.call("POST", VERIFY, agency.named()).status_code == 204


# --- refusals

# fmt: off
CALLS = [
    ("GET",    STREAMS, False), ("POST", STREAMS, True), ("PATCH", STREAMS, True), ("PUT", STREAMS, True),
    ("DELETE", STREAMS, False), ("GET",  STATUS, False), ("POST",  STATUS, True),  ("POST", VERIFY, True),
    ("POST",   ADD, True),      ("POST", REMOVE, True),  ("POST",  "/ssf/poll/{id}", True),
]
BODIES: list[tuple[str, str, str, Any]] = [
    ("SSF §8.1.1.1 events not a list",        "POST",  STREAMS, {"events_requested": "urn:x"}),
    ("SSF §8.1.1.1 event not text",           "POST",  STREAMS, {"events_requested": [1]}),
    ("SSF §8.1.1.1 event empty",              "POST",  STREAMS, {"events_requested": [""]}),
    ("SSF §8.1.1.1 too many events",          "POST",  STREAMS, {"events_requested": [f"urn:{n}" for n in range(51)]}),
    ("SSF §8.1.1.1 event too long",           "POST",  STREAMS, {"events_requested": ["u" * 501]}),
    ("SSF §8.1.1.1 description not text",     "POST",  STREAMS, {"description": {}}),
    ("SSF §8.1.1.1 description of two lines", "POST",  STREAMS, {"description": "a\x1b[2J\nb"}),
    ("SSF §8.1.1.1 delivery not an object",   "POST",  STREAMS, {"delivery": POLL}),
    ("SSF §6.1 no method",                    "POST",  STREAMS, {"delivery": {}}),
    ("SSF §6.1 unknown method",               "POST",  STREAMS, {"delivery": {"method": "urn:x"}}),
    ("SSF §6.1 method not text",              "POST",  STREAMS, {"delivery": {"method": [POLL]}}),
    ("SSF §6.1.1 no address",                 "POST",  STREAMS, {"delivery": {"method": PUSH}}),
    ("SSF §8.1.1.3 no stream_id",             "PATCH", STREAMS, {"description": "x"}),
    ("SSF §8.1.1.4 no stream_id",             "PUT",   STREAMS, {"description": "x"}),
    ("SSF §8.1.1.3 stream_id not text",       "PATCH", STREAMS, {"stream_id": ["x"]}),
    ("SSF §8.1.1.3 stream_id too long",       "PATCH", STREAMS, {"stream_id": "x" * 101}),
    ("SSF §8.1.1.3 bad delivery",             "PATCH", STREAMS, {"stream_id": "ID", "delivery": {"method": 1}}),
    ("SSF §8.1.2.2 no status",                "POST",  STATUS,  {"stream_id": "ID"}),
    ("SSF §8.1.2.2 unknown status",           "POST",  STATUS,  {"stream_id": "ID", "status": "gone"}),
    ("SSF §8.1.2.2 status not text",          "POST",  STATUS,  {"stream_id": "ID", "status": {}}),
    ("SSF §8.1.2.2 reason too long",          "POST",  STATUS,  {"stream_id": "ID", "status": "paused", "reason": "x" * 501}),
    ("SSF §8.1.2.2 reason not text",          "POST",  STATUS,  {"stream_id": "ID", "status": "paused", "reason": 1}),
    ("SSF §8.1.3.2 no subject",               "POST",  ADD,     {"stream_id": "ID"}),
    ("SSF §8.1.3.2 subject not an object",    "POST",  ADD,     {"stream_id": "ID", "subject": "x"}),
    ("SSF §8.1.3.2 another format",           "POST",  ADD,     {"stream_id": "ID", "subject": {"format": "email", "email": "a@b.example"}}),
    ("SSF §8.1.3.2 another issuer",           "POST",  ADD,     {"stream_id": "ID", "subject": {"format": "iss_sub", "iss": "https://x.example", "sub": "x"}}),
    ("SSF §8.1.3.3 no sub",                   "POST",  REMOVE,  {"stream_id": "ID", "subject": {"format": "iss_sub", "iss": ISSUER}}),
    ("SSF §8.1.3.3 sub not text",             "POST",  REMOVE,  {"stream_id": "ID", "subject": {"format": "iss_sub", "iss": ISSUER, "sub": 1}}),
    ("SSF §8.1.3.3 sub empty",                "POST",  REMOVE,  {"stream_id": "ID", "subject": {"format": "iss_sub", "iss": ISSUER, "sub": ""}}),
    ("SSF §8.1.3.3 sub too long",             "POST",  REMOVE,  {"stream_id": "ID", "subject": {"format": "iss_sub", "iss": ISSUER, "sub": "x" * 256}}),
    ("SSF §8.1.4.2 no stream_id",             "POST",  VERIFY,  {"state": "x"}),
    ("SSF §8.1.4.2 state not text",           "POST",  VERIFY,  {"stream_id": "ID", "state": 1}),
]
# fmt: on


@pytest.mark.parametrize(("method", "path", "body"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_a_bad_body(whole: Whole, agency: Receiver, method: str, path: str, body: dict[str, Any]) -> None:
    if (method, path) != ("POST", STREAMS):
        agency.create()
    before = signals.everything_at_rest(whole)
    said = {name: agency.stream_id if value == "ID" else value for name, value in body.items()}
    answer = agency.call(method, path, said)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert signals.everything_at_rest(whole) == before


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'"x"', 400),
        (b'{"stream_id":"a","stream_id":"b"}', 400),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, 413),
        (b'{"a":' * 50 + b"1" + b"}" * 50, 400),
        (b'{"a":"\xff"}', 400),
        (b'{"n":NaN}', 400),
        (b'{"a":"' + b"x" * 20_000 + b'"}', 413),
    ],
)
def test_a_body_that_is_none(whole: Whole, agency: Receiver, content: bytes, status: int) -> None:
    before = signals.everything_at_rest(whole)
    for method, path in [(method, path) for method, path, body in CALLS if body]:
        answer = raw(agency, method, path.format(id="x"), content, "application/json")
        assert answer.status_code == status, path
    assert signals.everything_at_rest(whole) == before


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"])
def test_another_content_type(agency: Receiver, kind: str) -> None:
    assert raw(agency, "POST", STREAMS, b"{}", kind).status_code == 415


def raw(agency: Receiver, method: str, path: str, content: bytes, kind: str) -> httpx2.Response:
    program = agency.agency
    headers = {"Authorization": f"DPoP {agency.token}", "Content-Type": kind}
    headers["DPoP"] = program.proof(method, program.issuer + path, agency.token)
    return program.http.request(method, program.issuer + path, content=content, headers=headers)


def test_an_unknown_stream(whole: Whole, agency: Receiver, other: Receiver) -> None:
    """§8.1: another's stream is as unknown as none; nothing of it changes."""
    other.call("POST", VERIFY, other.named(state="x"))
    before = signals.everything_at_rest(whole)
    for stream_id in ("unknown", other.stream_id):
        said = {"stream_id": stream_id, "status": "disabled", "description": "mine"}
        said |= {"subject": {"format": "iss_sub", "iss": ISSUER, "sub": "x"}}
        for method, path, has_body in CALLS:
            if (method, path) == ("POST", STREAMS):
                continue
            named = {} if has_body else {"stream_id": stream_id}
            answer = agency.call(method, path.format(id=stream_id), said if has_body else None, **named)
            assert (answer.status_code, answer.json()["error"]) == (404, "not_found"), (method, path)
    assert signals.everything_at_rest(whole) == before


def test_no_stream_named(agency: Receiver) -> None:
    for method, path in (("DELETE", STREAMS), ("GET", STATUS)):
        assert agency.call(method, path).status_code == 400


def tokens(whole: Whole, agency: Receiver) -> dict[str, str]:
    """What is no token for this."""
    program, person = agency.agency, whole.present()
    about = program.token(person.shares(person.comes_from(program.asks())))
    revoked = program.own_token()
    program.post("/revocation", {"token": revoked})
    unsigned = jwt.encode(jwt.decode(agency.token, options={"verify_signature": False}), "", "none")
    return {
        "garbage": "x",
        "about a person": about["access_token"],
        "an ID token": about["id_token"],
        "revoked": revoked,
        "altered": agency.token[:-8] + "AAAAAAAA",
        "alg none": unsigned,
    }


def test_a_bad_token(whole: Whole, agency: Receiver) -> None:
    """RFC 6750 §3.1, protocol §5: 401 at every call, and nothing is written."""
    bad = tokens(whole, agency)
    agency.create()
    good, before = agency.token, signals.everything_at_rest(whole)
    for name, token in bad.items():
        agency.token = token
        for method, path, _ in CALLS:
            answer = agency.call(method, path.format(id=agency.stream_id), agency.named(), stream_id=agency.stream_id)
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token"), (name, method, path)
            assert "invalid_token" in answer.headers["www-authenticate"]
    agency.token = good
    assert signals.everything_at_rest(whole) == before


def test_an_expired_token(whole: Whole, agency: Receiver) -> None:
    whole.clock.later(301)
    assert agency.call("GET", STREAMS).status_code == 401


def test_a_token_of_a_client_that_was_disabled(whole: Whole, agency: Receiver) -> None:
    """protocol §4: at once, at every endpoint."""
    registry = whole.parts.registry
    known = registry._clients["norr-childcare"]
    registry._clients["norr-childcare"] = known.model_copy(update={"disabled": True})
    for method, path, _ in CALLS:
        assert agency.call(method, path.format(id="x"), {}).status_code == 401


def test_a_token_without_its_key(agency: Receiver) -> None:
    """RFC 9449 §7.1: no downgrade to a bearer token, no proof used twice, none of another key."""
    program = agency.agency
    address = program.issuer + STREAMS
    bearer = program.http.get(address, headers={"Authorization": f"Bearer {agency.token}"})
    assert bearer.status_code == 401
    alone = program.http.get(address, headers={"Authorization": f"DPoP {agency.token}"})
    assert alone.status_code == 401
    shown = {"Authorization": f"DPoP {agency.token}", "DPoP": program.proof("GET", address, agency.token)}
    assert [program.http.get(address, headers=shown).status_code for _ in range(2)] == [200, 401]
    assert program.http.get(f"{address}?access_token={agency.token}").status_code == 401


def test_without_the_scope(whole: Whole) -> None:
    """RFC 6750 §3.1: 403; who may read may poll, and changes nothing."""
    reader = signals.receiver(whole, scope="ssf.read")
    for method, path, _ in CALLS:
        answer = reader.call(method, path.format(id="x"), {"stream_id": "x"})
        reads = method == "GET" or "poll" in path
        assert (answer.status_code == 403) is not reads, (method, path)
        if not reads:
            assert answer.json()["error"] == "insufficient_scope"
            assert 'scope="ssf.manage"' in answer.headers["www-authenticate"]


def test_a_client_that_was_not_registered_for_it(whole: Whole) -> None:
    """RFC 6749 §3.3: the scope is a registered one or there is no token."""
    program = whole.agency()
    whole.parts.registry._clients["norr-childcare"] = whole.parts.registry.get("norr-childcare").model_copy(
        update={"scope": "openid"}
    )
    answer = program.post("/token", {"grant_type": "client_credentials", "scope": "ssf.manage"})
    assert answer.json()["error"] == "invalid_scope"


def test_one_stream_however_many_ask_at_once(whole: Whole, agency: Receiver) -> None:
    """§8.1.1.1: two processes that both saw none make one (unique, in one statement)."""
    with whole.parts.database.write() as tx:
        wanted = streams.Wanted()
        made = [streams.create(tx, "norr-childcare", "ES256", wanted, whole.clock()) for _ in range(3)]
    assert [one is not None for one in made] == [True, False, False]
