"""The REST connector against the sample tax register over real HTTP, and against registers that misbehave."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from broker.egress import Egress
from broker.evidence.connectors.rest import Declaration, RestSource
from broker.evidence.source import Evidence, Found, SourceUnavailable, Subject
from examples.registers import people
from examples.registers.tax import TaxRegister

CONFIG = Path(__file__).parents[4] / "openid-config"
BAND, IBAN = "income.taxable_band", "contact.iban"
SECRET = "a secret:with % and +"
Holds = Callable[[Found, Any], bool]
Check = Callable[[str, Any], None]
Of = Callable[[str], Subject]

NOW = 1_795_302_000_000_000  # 21 November 2026


@pytest.fixture
def register() -> Iterator[TaxRegister]:
    running = TaxRegister(people.read(CONFIG / "personas.toml"), SECRET).start()
    yield running
    running.stop()


@pytest.fixture
def made(tmp_path: Path, check: Check) -> Callable[..., RestSource]:
    (tmp_path / "secret").write_text(SECRET + "\n")

    def make(url: str, **changes: Any) -> RestSource:
        declared = {
            "connector": "rest",
            "url": f"{url}/evidence",
            "token_url": f"{url}/token",
            "client_id": "semel",
            "client_secret_file": "secret",
            "scope": "evidence",
            "seconds": 1.0,
            "attributes": {BAND: "taxable_band", IBAN: "iban"},
        }
        return RestSource(
            tmp_path / "tax.toml", Declaration.model_validate(declared | changes), check, Egress(["127.0.0.1"])
        )

    return make


async def fetch(source: RestSource, subject: Subject, *attributes: str) -> Evidence:
    return await source.fetch(subject, frozenset(attributes), phase="preview", reference="j1", now=NOW)


def ask(source: RestSource, subject: Subject, *attributes: str) -> Evidence:
    async def run() -> Evidence:
        try:
            return await fetch(source, subject, *attributes)
        finally:
            await source._egress.aclose()

    return asyncio.run(run())


def test_the_parent_of_the_story(
    register: TaxRegister, made: Callable[..., RestSource], subject_of: Of, holds: Holds, personas: dict[str, Any]
) -> None:
    found = ask(made(register.url), subject_of("maria"), BAND, IBAN)
    assert holds(found[BAND], "B3")
    assert holds(found[IBAN], personas["maria"]["tax"]["iban"])
    assert {(one.source, one.as_of, one.retrieved_at) for one in found.values()} == {("tax", "2026-03-12", NOW)}
    assert register.asked == [("preview", ("iban", "taxable_band"))]


@pytest.mark.parametrize(
    ("persona", "attribute", "status"),
    [
        ("no-iban", IBAN, "not_held"),
        ("no-iban", BAND, "provided"),
        ("no-record", BAND, "not_held"),
        ("no-tax-record", IBAN, "not_held"),
        ("minor", BAND, "not_held"),
        ("garbled", BAND, "source_unavailable"),
        ("garbled", IBAN, "provided"),
    ],
)
def test_awkward_people(
    register: TaxRegister, made: Callable[..., RestSource], subject_of: Of, persona: str, attribute: str, status: str
) -> None:
    assert ask(made(register.url), subject_of(persona), BAND, IBAN)[attribute].status == status


@pytest.mark.parametrize(("fault", "reason"), [("slow", "timeout"), ("down", "status 503"), ("malformed", "malformed")])
def test_faults(
    register: TaxRegister, made: Callable[..., RestSource], subject_of: Of, fault: str, reason: str
) -> None:
    register.fault(fault, seconds=1.5)
    with pytest.raises(SourceUnavailable) as refused:
        ask(made(register.url, seconds=0.3), subject_of("maria"), BAND)
    assert refused.value.reason == reason
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(("persona", "reason"), [("tax-down", "status 503"), ("tax-malformed", "malformed")])
def test_faults_of_one_person(
    register: TaxRegister, made: Callable[..., RestSource], subject_of: Of, persona: str, reason: str
) -> None:
    with pytest.raises(SourceUnavailable, match=reason):
        ask(made(register.url), subject_of(persona), BAND)
    assert ask(made(register.url), subject_of("maria"), BAND)[BAND].status == "provided"


def test_a_stopped_register_is_unreachable(made: Callable[..., RestSource], subject_of: Of) -> None:
    register = TaxRegister([], SECRET).start()
    register.stop()
    with pytest.raises(SourceUnavailable, match="unreachable"):
        ask(made(register.url), subject_of("maria"), BAND)


def test_without_a_person_number_nothing_is_asked(register: TaxRegister, made: Callable[..., RestSource]) -> None:
    found = ask(made(register.url), Subject("x", None, {}), BAND)
    assert found[BAND].status == "not_held"
    assert register.asked == []


def test_one_token_serves_many_questions_and_an_ended_one_is_replaced_once(
    register: TaxRegister, made: Callable[..., RestSource], subject_of: Of
) -> None:
    async def run() -> list[int]:
        source, counts = made(register.url), []
        for forget in (False, False, True):
            if forget:
                register.forget_tokens()
            await asyncio.gather(*(fetch(source, subject_of("maria"), BAND) for _ in range(4)))
            counts.append(len(register._tokens))
        await source._egress.aclose()
        return counts

    counts = asyncio.run(run())
    assert counts[:2] == [1, 1]
    assert 1 <= counts[2] <= 4
    assert len(register.asked) == 12


@pytest.mark.parametrize("secret", [None, "wrong"])
def test_a_wrong_or_missing_secret(
    register: TaxRegister, made: Callable[..., RestSource], subject_of: Of, tmp_path: Path, secret: str | None
) -> None:
    source = made(register.url)
    (tmp_path / "secret").unlink()
    if secret:
        (tmp_path / "secret").write_text(secret)
    with pytest.raises(SourceUnavailable, match="token refused" if secret else "no client secret"):
        ask(source, subject_of("maria"), BAND)
    (tmp_path / "secret").write_text(SECRET)
    assert ask(source, subject_of("maria"), BAND)[BAND].status == "provided"


def test_plain_http_to_a_place_nobody_allowed_is_refused(
    register: TaxRegister, made: Callable[..., RestSource], subject_of: Of
) -> None:
    source = made(register.url)
    source._egress = Egress()
    with pytest.raises(SourceUnavailable, match="address"):
        ask(source, subject_of("maria"), BAND)


def test_who_is_asked_about_stands_in_no_log(
    register: TaxRegister, made: Callable[..., RestSource], subject_of: Of, caplog: pytest.LogCaptureFixture
) -> None:
    subject = subject_of("maria")
    with caplog.at_level(logging.DEBUG):
        ask(made(register.url), subject, BAND, IBAN)
    assert subject.person_number
    for secret in (subject.person_number, SECRET, "B3"):
        assert secret not in caplog.text


class Fixed:
    """A register that answers the same to everything after its token, and remembers what paths were asked."""

    def __init__(self, body: bytes, status: int = 200, token: bytes | None = None) -> None:
        fixed = self
        self.paths: list[str] = []
        given = token or b'{"access_token": "t", "token_type": "Bearer", "expires_in": 60}'

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fixed.paths.append(self.path)
                self.rfile.read(int(self.headers["Content-Length"]))
                answer = given if self.path == "/token" else body
                self.send_response(200 if self.path == "/token" else status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def items(**of: Any) -> bytes:
    return json.dumps({"items": of}).encode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (items(taxable_band={"status": "provided", "value": "B1"}), "provided"),
        (items(taxable_band={"status": "provided", "value": "B1", "as_of": "2026-01-01", "new": 1}), "provided"),
        (items(taxable_band={"status": "provided", "value": "B1", "as_of": "1.1.2026"}), "source_unavailable"),
        (items(taxable_band={"status": "provided", "value": "B1", "as_of": "2026-11-22"}), "provided"),
        (items(taxable_band={"status": "provided", "value": "B1", "as_of": "2026-11-23"}), "source_unavailable"),
        (items(taxable_band={"status": "provided", "value": "B1", "as_of": "9999-12-31"}), "source_unavailable"),
        (items(taxable_band={"status": "provided", "value": None}), "source_unavailable"),
        (items(taxable_band={"status": "provided", "value": ""}), "source_unavailable"),
        (items(taxable_band={"status": "provided", "value": "B99"}), "source_unavailable"),
        (items(taxable_band={"status": "provided", "value": {"band": "B1"}}), "source_unavailable"),
        (items(taxable_band={"status": "withheld", "value": "B1"}), "withheld"),
        (items(taxable_band={"status": "not_applicable"}), "not_applicable"),
        (items(), "source_unavailable"),
    ],
)
def test_answers_item_by_item(made: Callable[..., RestSource], subject_of: Of, body: bytes, status: str) -> None:
    register = Fixed(body)
    found = ask(made(register.url), subject_of("maria"), BAND)[BAND]
    register.stop()
    assert found.status == status
    assert (found.value is not None) == (status == "provided")
    if status == "withheld":
        assert found.as_of is None


def test_a_register_may_know_of_a_death(made: Callable[..., RestSource], subject_of: Of) -> None:
    whole = {"eligible": False, "items": {"taxable_band": {"status": "provided", "value": "B1"}}}
    register = Fixed(json.dumps(whole).encode())
    found = ask(made(register.url), subject_of("maria"), BAND)
    register.stop()
    assert not found.eligible
    assert found[BAND].value is None


@pytest.mark.parametrize(
    ("body", "status", "token", "reason"),
    [
        (b"", 200, None, "malformed"),
        (b"[]", 200, None, "malformed"),
        (b'{"items": []}', 200, None, "malformed"),
        (b'{"items": {}, "items": {}}', 200, None, "malformed"),
        (b'{"items": {"taxable_band": {"status": "refused"}}}', 200, None, "malformed"),
        (b'{"items": {"taxable_band": {"status": "provided", "value": NaN}}}', 200, None, "malformed"),
        (b'{"eligible": "no", "items": {}}', 200, None, "malformed"),
        (b"[" * 50_000, 200, None, "malformed"),
        (b" " * 300_000, 200, None, "too_large"),
        (b"{}", 500, None, "status 500"),
        (b"{}", 401, None, "status 401"),
        (b"{}", 302, None, "redirect"),
        (b"{}", 200, b"{}", "malformed"),
        (b"{}", 200, b'{"access_token": "a b", "token_type": "Bearer"}', "malformed"),
        (b"{}", 200, b'{"access_token": "a\\r\\nx", "token_type": "Bearer"}', "malformed"),
        (b"{}", 200, b'{"access_token": "a", "token_type": "DPoP"}', "token type"),
    ],
)
def test_answers_refused(
    made: Callable[..., RestSource], subject_of: Of, body: bytes, status: int, token: bytes | None, reason: str
) -> None:
    register = Fixed(body, status, token)
    with pytest.raises(SourceUnavailable) as refused:
        ask(made(register.url), subject_of("maria"), BAND)
    register.stop()
    assert refused.value.reason == reason
    assert refused.value.__cause__ is None
    assert set(register.paths) <= {"/token", "/evidence"}
