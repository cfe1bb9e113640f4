"""Lifetimes that contradict each other: every rule holds for the defaults, and each can be broken; all are said at once."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from broker import lifetimes
from broker.settings import Settings
from keys import jws

SAFE: dict[str, Any] = {"issuer": "https://id.example.gov", "mode": "production"}

# fmt: off
CONTRADICTIONS = [
    # what is set                                                   which rule it breaks
    ({"token_seconds": 3601},                                       "SEMEL_TOKEN_SECONDS"),
    ({"session_seconds": 1000, "journey_seconds": 900},             "SEMEL_SESSION_IDLE_SECONDS"),
    ({"journey_seconds": 50_000},                                   "SEMEL_JOURNEY_SECONDS"),
    ({"preview_cut_seconds": 900},                                  "SEMEL_PREVIEW_CUT_SECONDS"),
    ({"code_seconds": 600, "journey_seconds": 300},                 "SEMEL_CODE_SECONDS"),
    ({"device_request_seconds": 10},                                "SEMEL_DEVICE_REQUEST_SECONDS"),
    ({"backchannel_request_seconds": 10},                           "SEMEL_BACKCHANNEL_REQUEST_SECONDS"),
    ({"key_announce_seconds": 10},                                  "SEMEL_KEY_ANNOUNCE_SECONDS"),
    ({"key_rotation_seconds": 3600},                                "SEMEL_KEY_ROTATION_SECONDS"),
    ({"key_retire_seconds": 60},                                    "SEMEL_KEY_RETIRE_SECONDS"),
]
# fmt: on


@pytest.mark.parametrize(("given", "named"), CONTRADICTIONS)
def test_a_contradiction_is_refused_and_names_the_setting(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as problem:
        Settings(**{**SAFE, **given})
    assert f"Value error, {named}" in str(problem.value)


def test_every_rule_can_be_broken_and_the_defaults_break_none() -> None:
    assert lifetimes.contradictions(Settings(**SAFE)) == ()
    assert len(CONTRADICTIONS) == len(lifetimes.RULES)


def test_all_contradictions_are_said_at_once() -> None:
    with pytest.raises(ValidationError) as problem:
        Settings(**{**SAFE, "token_seconds": 7200, "key_retire_seconds": 60, "egress_allow": "10.0.0.1"})
    for named in ("SEMEL_TOKEN_SECONDS", "SEMEL_KEY_RETIRE_SECONDS", "SEMEL_EGRESS_ALLOW"):
        assert named in str(problem.value)


def test_the_longest_token_is_what_this_server_would_still_take() -> None:
    assert lifetimes.LONGEST_TOKEN == jws.ACCESS_TOKEN.lifetime == jws.ID_TOKEN.lifetime
