"""The log: one line of JSON an event, an allow-list of fields, a correlation id; never a value, a name or a token."""

import json
import logging
from typing import Any

import pytest

from broker import telemetry


@pytest.fixture(autouse=True)
def _restored() -> Any:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:], logging.getLogger().level = before[0], before[1]


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


#: The whole list, written a second time on purpose: a field more is a decision somebody reviews.
FIELDS = {
    "event", "level", "timestamp", "correlation_id", "method", "route", "status", "milliseconds", "error", "client_id",
    "use", "source", "reason", "exception", "where", "size", "entries", "count", "process",
}  # fmt: skip


def test_the_allow_list() -> None:
    assert telemetry.ALLOWED == FIELDS


@pytest.mark.parametrize(
    "field",
    ["username", "password", "code", "access_token", "sub", "person_id", "ip", "user_agent", "url", "value", "body"],
)
def test_what_is_not_on_the_list_is_not_written(field: str, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure()
    telemetry.log("request", status=200, **{field: "O'Møller"})
    (line,) = written(capsys)
    assert line["status"] == 200
    assert field not in line
    assert "ller" not in json.dumps(line)


def test_a_line_carries_the_correlation_id_of_its_request(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure()
    made = telemetry.new_correlation_id()
    assert len(made) == 12
    assert made != telemetry.new_correlation_id()
    token = telemetry.correlation.set(made)
    telemetry.log("request")
    telemetry.correlation.reset(token)
    telemetry.log("request")
    first, second = written(capsys)
    assert first["correlation_id"] == made
    assert second["correlation_id"] == ""
    assert first["timestamp"].endswith("Z")


def test_a_failure_is_its_kind_and_its_place_never_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure()
    try:
        int("maria@post.example")
    except ValueError as problem:
        telemetry.failure("failed", problem, route="/par")
    (line,) = written(capsys)
    assert line["exception"] == "ValueError"
    assert line["level"] == "error"
    assert line["where"].startswith("test_telemetry.py:")
    assert "maria" not in json.dumps(line)


def test_an_error_that_was_never_raised_has_no_place(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure()
    telemetry.failure("failed", ValueError("secret"))
    (line,) = written(capsys)
    assert line["where"] == ""


@pytest.mark.parametrize("library", ["authlib", "httpx2", "sqlalchemy.engine", "asyncio"])
def test_libraries_are_heard_from_warnings_on(library: str) -> None:
    telemetry.configure()
    assert not logging.getLogger(library).isEnabledFor(logging.INFO)
