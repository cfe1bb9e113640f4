"""The security events agencies may hear of, and what a token about one says (RFC 8417 §2, OpenID CAEP 1.0 §3, SSF 1.0 §8.1.4).

A token names the person as its receiver knows them and nobody else: two agencies get nothing equal, hence no `txn` and,
where one act concerns several of them, no time of the act.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GRANT_ENDED = "/events/grant-ended/v1"  # below the issuer, where its schema is
SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
_SSF = "https://schemas.openid.net/secevent/ssf/event-type/"
VERIFICATION = f"{_SSF}verification"
TYPE = "secevent+jwt"
SECOND = 1_000_000  # microseconds

Event = dict[str, Any]
"""What of a token is fixed when the event is raised: `sub_id` and `events`."""


def supported(issuer: str) -> list[str]:
    """Name the events a stream of this issuer can carry, beside the verification that every stream has."""
    return [SESSION_REVOKED, issuer + GRANT_ENDED]


def person(issuer: str, subject: str) -> dict[str, str]:
    """Name a person as one client knows them (RFC 9493 §3.2.3)."""
    return {"format": "iss_sub", "iss": issuer, "sub": subject}


def grant_ended(issuer: str, subject: str, grant_id: str, reason: str, at: int, *, erase: bool = False) -> Event:
    """Say that a permission ended: `withdrawn`, `expired` or `superseded`, and whether erasure was asked for.

    `at` in microseconds; the event concerns one client, which may know when.
    """
    told: dict[str, Any] = {"grant_id": grant_id, "reason": reason, "event_timestamp": at // SECOND}
    if erase:
        told["erasure_requested"] = True
    return {"sub_id": person(issuer, subject), "events": {issuer + GRANT_ENDED: told}}


def session_revoked(issuer: str, subject: str, sid: str) -> Event:
    """Say that a person ended a session, named as in this client's ID tokens (OpenID CAEP 1.0 §3.1).

    When is not said: other agencies hear of the same act.
    """
    named = {"format": "complex", "user": person(issuer, subject), "session": {"format": "opaque", "id": sid}}
    told = {"initiating_entity": "user", "reason_admin": {"en": "The person signed out"}}
    return {"sub_id": named, "events": {SESSION_REVOKED: told}}


def verification(stream_id: str, state: str | None) -> Event:
    """Answer a receiver that wants to see an event arrive (SSF 1.0 §8.1.4.1)."""
    told = {} if state is None else {"state": state}
    return {"sub_id": {"format": "opaque", "id": stream_id}, "events": {VERIFICATION: told}}


def schema(issuer: str) -> Mapping[str, Any]:
    """Describe what our own event says, as JSON Schema."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": issuer + GRANT_ENDED,
        "title": "A permission ended",
        "description": "The person it names allows what it allowed no more; tokens that came of it are refused.",
        "type": "object",
        "properties": {
            "grant_id": {"type": "string", "description": "The grant_id of the token response."},
            "reason": {"enum": ["withdrawn", "expired", "superseded"]},
            "event_timestamp": {"type": "integer", "description": "When it ended, in seconds since 1970."},
            "erasure_requested": {"const": True, "description": "The person asked for their data to be erased."},
        },
        "required": ["grant_id", "reason", "event_timestamp"],
    }
