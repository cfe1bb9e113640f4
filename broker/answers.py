"""What a handler answers, as values: the runner turns them into HTTP after the commit."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.responses import Response

SCHEME = re.compile(r"http:|(?=[^:]*\.)[a-z][a-z0-9+.\-]*:")  # alone: an app's own has a dot (RFC 8252 §7.1)
ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?|https?://\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?")
PRINTED = re.compile(r"[!-~]+")


def check_sources(form_action: str | None, frames: Collection[str] = ()) -> None:
    """Raise `ValueError` for what a policy cannot name: it would be written into the header as it stands."""
    ends = form_action is None or ORIGIN.fullmatch(form_action) or SCHEME.fullmatch(form_action)
    if not ends or any(not ORIGIN.fullmatch(origin) for origin in frames):
        raise ValueError("form_action and frames must be origins: scheme, host and port")


INTERACTION = "x-fapi-interaction-id"


@dataclass(frozen=True)
class Cookie:
    """A cookie to set or, with `delete`, to take away; `max_age` in seconds, None ends with the browser.

    One that is `open` is read by scripts, and sent when our page is a frame of another site's: it must authorise nothing.
    """

    name: str
    value: str = ""
    max_age: int | None = None
    delete: bool = False
    open: bool = False

    def write(self, response: Response, *, secure: bool) -> None:
        """Add it to a response; `secure` on https."""
        age = 0 if self.delete else self.max_age
        same_site: Literal["none", "lax"] = "none" if self.open else "lax"
        response.set_cookie(
            self.name, self.value, age, age, path="/", secure=secure, httponly=not self.open, samesite=same_site
        )


@dataclass(frozen=True)
class Json:
    """A JSON body."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[Cookie, ...] = ()


@dataclass(frozen=True)
class Raw:
    """Bytes as they are."""

    content: bytes
    media_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[Cookie, ...] = ()


@dataclass(frozen=True)
class Redirect:
    """Go there with GET (303)."""

    location: str
    status: int = 303
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[Cookie, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no header can hold while it can still be taken back: an answer is made before the commit."""
        if not PRINTED.fullmatch(self.location):
            raise ValueError("a location is printable ASCII")


@dataclass(frozen=True)
class Page:
    """A page: its template, what fills it, and the one foreign origin its form may end at (CSP `form-action`).

    Without `own_forms` its form may end there and nowhere else. `frames`: the foreign origins it shows frames of.
    """

    template: str
    context: Mapping[str, Any]
    status: int = 200
    form_action: str | None = None
    own_forms: bool = True
    frames: tuple[str, ...] = ()
    language: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[Cookie, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no policy can name, as `Redirect` does."""
        check_sources(self.form_action, self.frames)


@dataclass(frozen=True)
class Refusal:
    """A refusal that must be remembered: a value, so that what was written beside it commits. Falsy.

    `code` is the protocol's error code; `description` plain ASCII for the developer who reads it. `about` is what a page says
    beside it: the `service` at fault and its `contact`.
    """

    code: str
    description: str = ""
    status: int = 400
    headers: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """No: a refusal is not a success."""
        return False


@dataclass(frozen=True)
class Later:
    """An answer that can be made only once the ledger's entries are durable: `finish(appended)` makes it."""

    finish: Callable[[tuple[Any, ...]], Answer | Refusal]


Answer = Json | Raw | Redirect | Page


def interaction_id(sent: str) -> str:
    """Return the caller's own name for an exchange, or make one where it sent none that can go back (FAPI 1.0 Baseline §6.2.1)."""
    return sent if 0 < len(sent) <= 64 and sent.isascii() and sent.isprintable() else str(uuid.uuid4())
