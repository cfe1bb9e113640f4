"""What a handler answers, as values: the runner turns them into HTTP after the commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.responses import Response


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


@dataclass(frozen=True)
class Refusal:
    """A refusal that must be remembered: a value, so that what was written beside it commits. Falsy.

    `code` is the protocol's error code; `description` plain ASCII for the developer who reads it.
    """

    code: str
    description: str = ""
    status: int = 400
    headers: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """No: a refusal is not a success."""
        return False


@dataclass(frozen=True)
class Later:
    """An answer that can be made only once the ledger's entries are durable: `finish(appended)` makes it."""

    finish: Callable[[tuple[Any, ...]], Answer | Refusal]


Answer = Json | Raw | Redirect | Page
