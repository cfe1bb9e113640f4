"""A browser at the sign-in pages: the real rows, runner and templates, one person, a clock that can be moved."""

import html
import re
from dataclasses import dataclass
from typing import Any

import pyotp
from starlette.applications import Starlette
from starlette.routing import Route as StarletteRoute
from starlette.testclient import TestClient

from broker import app
from broker.pages.render import Renderer
from broker.people import people
from broker.people.people import Enrolment, Profile
from broker.routes import ROUTES
from broker.sign_in import one_time_code, password

PASSWORD = "correct horse battery"
DIGEST = password.digest(PASSWORD)
SECRET = one_time_code.new_secret()
RENDERER = Renderer()


@dataclass
class Site:
    """The wired parts behind the pages."""

    provider: Any
    asgi: Starlette

    def browser(self, address: str = "192.0.2.1", **headers: str) -> "Browser":
        client = TestClient(
            self.asgi, self.provider.parts.issuer, follow_redirects=False, client=(address, 5000), headers=headers
        )
        return Browser(self, client)

    def enrol(self, username: str, *, secret: str | None = SECRET, proofing: Any = "substantial") -> str:
        parts = self.provider.parts
        stored = password.seal(DIGEST, parts.roots.ring("pepper"))
        with parts.database.write() as tx:
            made = Enrolment(username, stored, secret, proofing, Profile("Somebody"))
            return people.enrol(tx, parts.vault, parts.roots, made, self.provider.now)

    def code(self) -> str:
        return pyotp.TOTP(SECRET).at(self.provider.now // 1_000_000)


@dataclass
class Browser:
    """Follows nothing by itself; fills in forms as a person without scripts does."""

    site: Site
    client: TestClient

    def get(self, path: str) -> Any:
        return self.client.get(path)

    def post(self, path: str, given: dict[str, str], *, headers: dict[str, str] | None = None) -> Any:
        """Open the page at a path, fill in its form, send it."""
        return self.send(path, {"form_token": token(self.get(path)), **given}, headers=headers)

    def send(self, path: str, given: dict[str, str], *, headers: dict[str, str] | None = None) -> Any:
        return self.client.post(path, data=given, headers=headers)

    def password(self, username: str, secret: str = PASSWORD, path: str = "/sign-in") -> Any:
        return self.post(path, {"username": username, "password": secret, "action": "sign-in"})

    def sign_in(self, username: str, path: str = "/sign-in") -> Any:
        code_path = self.password(username, path=path).headers["location"]
        return self.post(code_path, {"code": self.site.code(), "action": "continue"})


def token(page: Any) -> str:
    found = re.search(r'name="form_token"[^>]*value="([^"]*)"|value="([^"]*)"[^>]*name="form_token"', page.text)
    assert found, page.text[:2000]
    return found[1] or found[2]


def text(page: Any) -> str:
    return html.unescape(page.text)


def site(provider: Any) -> Site:
    parts = provider.parts
    parts.secure, parts.trusted_proxies, parts.mode = parts.issuer.startswith("https:"), (), "demo"
    ours = ("/activate", "/account/security")
    rows = [row for row in ROUTES if "sign" in row.path or row.path.endswith("/code") or row.path.startswith(ours)]
    asgi = Starlette(routes=[StarletteRoute(row.path, app._endpoint(row), methods=[row.method]) for row in rows])
    asgi.state.parts, asgi.state.renderer = parts, RENDERER
    return Site(provider, asgi)
