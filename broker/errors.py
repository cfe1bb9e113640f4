"""The one map from what went wrong inside to what is said outside.

Inside, errors are domain errors that know nothing of HTTP; outside they take the form of the surface that was called:
OAuth JSON (RFC 6749 §5.2), a resource's challenge (RFC 6750 §3, RFC 9449 §7.1), or a page. What is not in the map
becomes `server_error` and says nothing.
"""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Mapping
from typing import Any, Literal

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from broker.answers import Json, Page, Refusal
from consent import errors as consent_errors
from keys import errors as keys_errors
from keys import jws
from wallet import errors as wallet_errors

Speaks = Literal["page", "oauth", "resource", "public"]

ALGS = f'algs="{" ".join(sorted(jws.ASYMMETRIC))}"'
CORRELATION = (
    "correlation_id"  # a member of ours in every error (RFC 6749 §5.2 lets there be more): it finds our log's lines
)
NO_STORE = {"Cache-Control": "no-store"}
UNREAD = frozenset(
    {408, 413}
)  # the rest of the body is not read, so nothing can follow on this connection (RFC 9110 §15.5.14)
UNPRINTABLE = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")
TRANSIENT = ("40001", "40P01", "53300", "55P03", "57014", "57P01", "57P02", "57P03", "08")
NO_ROOM = ("53100",)  # PostgreSQL: disk_full
LOCKED = ("55P03",)  # PostgreSQL: lock_not_available
BUSY = Refusal("temporarily_unavailable", "busy; try again", status=503, headers={"Retry-After": "1"})
FULL = Refusal(
    "temporarily_unavailable", "nothing can be written; try later", status=503, headers={"Retry-After": "30"}
)


class Wire(Exception):
    """An error that already knows its protocol form; nothing was or will be written."""

    def __init__(
        self, code: str, description: str = "", *, status: int = 400, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code)
        self.refusal = Refusal(code, description, status=status, headers=dict(headers or {}))


class Malformed(Exception):
    """The request is not one; `description` says why in plain ASCII, `status` is the HTTP status that fits."""

    def __init__(self, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.description = description
        self.status = status


class Busy(Wire):
    """Another process holds the database's lock; nothing was done, so trying again is safe."""

    def __init__(self) -> None:
        super().__init__(BUSY.code, BUSY.description, status=BUSY.status, headers=BUSY.headers)


# fmt: off
MAP: list[tuple[type[Exception], str, int]] = [
    (consent_errors.OverAsked,                     "invalid_authorization_details",    400),
    (consent_errors.UnknownUse,                    "invalid_scope",                    400),
    (consent_errors.NotAsked,                      "invalid_request",                  400),
    (consent_errors.RepeatDiffers,                 "invalid_request",                  409),
    (consent_errors.ImpossibleEvent,               "invalid_request",                  409),
    (consent_errors.ClockAhead,                    "temporarily_unavailable",          503),
    (consent_errors.ClockBehind,                   "temporarily_unavailable",          503),
    (consent_errors.ConsentError,                  "server_error",                     500),
    (wallet_errors.InvalidProof,                   "invalid_proof",                    400),
    (wallet_errors.InvalidNonce,                   "invalid_nonce",                    400),
    (wallet_errors.InvalidEncryptionParameters,    "invalid_encryption_parameters",    400),
    (wallet_errors.UnknownCredentialConfiguration, "unknown_credential_configuration", 400),
    (wallet_errors.UnknownCredentialIdentifier,    "unknown_credential_identifier",    400),
    (wallet_errors.InvalidCredentialRequest,       "invalid_credential_request",       400),
    (wallet_errors.CredentialRequestDenied,        "credential_request_denied",        400),
    (wallet_errors.NotAvailableNow,                "temporarily_unavailable",          503),
    (wallet_errors.WalletError,                    "server_error",                     500),
    (keys_errors.InvalidToken,                     "invalid_token",                    401),
    (keys_errors.KeysError,                        "server_error",                     500),
]
# fmt: on


def refusal(problem: Exception) -> Refusal:
    """Say what a raised problem is on the wire; unknown ones are `server_error` (500) with no detail."""
    if isinstance(problem, Wire):
        return problem.refusal
    if isinstance(problem, Malformed):
        unread = {"Connection": "close"} if problem.status in UNREAD else {}
        return Refusal("invalid_request", problem.description, status=problem.status, headers=unread)
    if out_of_room(problem):
        return FULL
    if (
        locked(problem)
        or isinstance(problem, PoolTimeoutError)
        or (isinstance(problem, DBAPIError) and _transient(problem))
    ):
        return BUSY
    for kind, code, status in MAP:
        if isinstance(problem, kind):
            said = "" if status == 500 else getattr(problem, "description", "")
            return Refusal(code, said, status=status, headers=BUSY.headers if status == BUSY.status else {})
    return Refusal("server_error", "", status=500)


def out_of_room(problem: BaseException) -> bool:
    """Whether something could not be written because the disk, or what may be used of it, is full."""
    if isinstance(problem, OSError):
        return problem.errno in {errno.ENOSPC, errno.EDQUOT}
    if not isinstance(problem, DBAPIError):
        return False
    if isinstance(problem.orig, sqlite3.Error):
        return getattr(problem.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    return getattr(problem.orig, "sqlstate", None) in NO_ROOM


def locked(problem: BaseException) -> bool:
    """Whether somebody else's lock was in the way; what was begun has been rolled back, so trying again is safe."""
    if not isinstance(problem, DBAPIError):
        return isinstance(problem, Busy)
    if isinstance(problem.orig, sqlite3.Error):
        code = getattr(problem.orig, "sqlite_errorcode", 0) & 0xFF
        return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} or "locked" in str(problem.orig)
    return getattr(problem.orig, "sqlstate", None) in LOCKED


def cause(problem: BaseException) -> str | None:
    """Name the cause that an operator must know, as a word of a closed set; None where the kind of exception says enough."""
    if out_of_room(problem):
        return "the disk is full"
    if locked(problem):
        return "another process holds the database's lock"
    if isinstance(problem, DBAPIError) and _transient(problem):
        return "the database is busy or away"
    return None


def _transient(problem: DBAPIError) -> bool:
    """Whether trying again may help: a lock or statement timeout, a deadlock, a server that is not there or went away."""
    state = getattr(problem.orig, "sqlstate", None)
    if state is not None:
        return any(state.startswith(prefix) for prefix in TRANSIENT)
    return isinstance(problem.orig, psycopg.OperationalError) or locked(problem)


def render(refused: Refusal, speaks: Speaks, correlation_id: str, sent: str | None = None) -> Json | Page:
    """Give a refusal the form of the surface that was called; `sent` is the request's `Authorization` header, if it had one."""
    if speaks == "page":
        return Page(
            "problem.html",
            {"code": refused.code, "correlation_id": correlation_id, **refused.about},
            status=refused.status,
            headers=refused.headers,
        )
    body: dict[str, Any] = {"error": refused.code}
    if refused.description:
        body["error_description"] = UNPRINTABLE.sub("?", refused.description)
    headers = {**NO_STORE, **refused.headers}
    if speaks == "resource" and refused.status == 401 and "WWW-Authenticate" not in headers:
        headers["WWW-Authenticate"] = _challenge(body, sent)
    body[CORRELATION] = correlation_id
    return Json(body, status=refused.status, headers=headers)


def _challenge(body: Mapping[str, str], sent: str | None) -> str:
    """What a resource takes (RFC 9449 §7.1, §7.2), and what was wrong with what was sent, if anything was (RFC 6750 §3.1)."""
    if sent is None:
        return f"Bearer, DPoP {ALGS}"
    wrong = ", ".join(f'{name}="{value}"' for name, value in body.items())
    return f"Bearer {wrong}, DPoP {ALGS}" if sent[:7].lower() == "bearer " else f"DPoP {wrong}, {ALGS}"
