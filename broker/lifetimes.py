"""Lifetimes that contradict each other: what one setting promises another would break (RFC 6749 §4.2.2, RFC 7517 §5, RFC 8628 §3.5).

A server with such settings would run, and refuse what it has made itself. So the settings refuse them, all at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broker.authorization.waiting import INTERVAL
from broker.endpoints.jwks import MAX_AGE as JWKS_SECONDS
from keys import jws

LONGEST_TOKEN = min(jws.ACCESS_TOKEN.lifetime or 0, jws.ID_TOKEN.lifetime or 0)  # seconds; longer ones are refused


@dataclass(frozen=True)
class Rule:
    """Two times that must fit: `holds` is asked of the settings, `demand` is said of those that break it."""

    holds: Callable[[Any], bool]
    demand: str


# fmt: off
RULES: tuple[Rule, ...] = (
    Rule(lambda s: s.token_seconds <= LONGEST_TOKEN,
         f"SEMEL_TOKEN_SECONDS must be at most {LONGEST_TOKEN}: a token that says it lives longer is refused by this very server"),
    Rule(lambda s: s.session_idle_seconds <= s.session_seconds,
         "SEMEL_SESSION_IDLE_SECONDS must not be longer than SEMEL_SESSION_SECONDS, after which every session ends"),
    Rule(lambda s: s.journey_seconds <= s.session_seconds,
         "SEMEL_JOURNEY_SECONDS must not be longer than SEMEL_SESSION_SECONDS: nobody could decide at its end"),
    Rule(lambda s: s.preview_cut_seconds < s.journey_seconds,
         "SEMEL_PREVIEW_CUT_SECONDS must be shorter than SEMEL_JOURNEY_SECONDS: the page would be over before it is shown"),
    Rule(lambda s: s.code_seconds <= s.journey_seconds,
         "SEMEL_CODE_SECONDS must not be longer than SEMEL_JOURNEY_SECONDS: the code would outlive the request it answers"),
    Rule(lambda s: s.device_request_seconds > 2 * INTERVAL,
         f"SEMEL_DEVICE_REQUEST_SECONDS must be longer than {2 * INTERVAL}: a device asks every {INTERVAL} seconds"),
    Rule(lambda s: s.backchannel_request_seconds > 2 * INTERVAL,
         f"SEMEL_BACKCHANNEL_REQUEST_SECONDS must be longer than {2 * INTERVAL}: an agency asks every {INTERVAL} seconds"),
    Rule(lambda s: s.key_announce_seconds >= JWKS_SECONDS,
         f"SEMEL_KEY_ANNOUNCE_SECONDS must be at least {JWKS_SECONDS}: so long are copies kept"),
    Rule(lambda s: s.key_rotation_seconds >= 2 * s.key_announce_seconds,
         "SEMEL_KEY_ROTATION_SECONDS must be at least twice SEMEL_KEY_ANNOUNCE_SECONDS"),
    Rule(lambda s: s.key_retire_seconds >= s.token_seconds + JWKS_SECONDS,
         "SEMEL_KEY_RETIRE_SECONDS must be longer than what was signed is valid"),
)
# fmt: on


def contradictions(settings: Any) -> tuple[str, ...]:
    """Say of settings everything that does not fit together, each as one sentence; empty when all of it does."""
    return tuple(rule.demand for rule in RULES if not rule.holds(settings))
