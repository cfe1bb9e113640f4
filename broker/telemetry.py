"""What is logged: an allow-list of fields, one line of JSON an event, a correlation id on each.

A field that is not in `ALLOWED` is dropped, whoever logs it: personal data, tokens, codes and addresses have no name
here and so cannot be written.
"""

from __future__ import annotations

import contextvars
import logging
import secrets
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from broker import errors

ALLOWED = frozenset(
    {
        "event", "level", "timestamp", "correlation_id", "method", "route", "status", "milliseconds", "error",
        "client_id", "use", "source", "reason", "exception", "where", "size", "entries", "count", "process",
    }
)  # fmt: skip

correlation: contextvars.ContextVar[str] = contextvars.ContextVar("correlation", default="")


def new_correlation_id() -> str:
    """Make the id that a person reads to the help desk and an operator finds in the log: 12 characters."""
    return secrets.token_hex(6)


def _allow(_logger: Any, _name: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    fields["correlation_id"] = correlation.get()
    return {name: value for name, value in fields.items() if name in ALLOWED}


def _standard_error(*_: Any) -> structlog.PrintLogger:
    """Write to standard error as it is now, not as it was when logging was set up."""
    return structlog.PrintLogger(sys.stderr)


def configure(*, level: int = logging.INFO) -> None:
    """Set up logging once a process: our lines as JSON on standard error; libraries at WARNING (authlib logs tokens)."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, force=True)
    logging.getLogger("authlib").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _allow,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_standard_error,
        cache_logger_on_first_use=False,
    )


def log(event: str, **fields: Any) -> None:
    """Log one event; only fields of the allow-list are written."""
    structlog.get_logger().info(event, **fields)


def failure(event: str, problem: BaseException, **fields: Any) -> None:
    """Log that something broke: the kind of exception, where it was raised, a cause of a closed set; never its text."""
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename.rsplit('/', 2)[-1]}:{trace.tb_lineno}" if trace is not None else ""
    if (reason := errors.cause(problem)) is not None:
        fields.setdefault("reason", reason)
    structlog.get_logger().error(event, exception=type(problem).__name__, where=where, **fields)
