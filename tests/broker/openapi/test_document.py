"""The description of what programs call: every such route, nothing else, and the same for people (OpenAPI 3.1)."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import jsonschema_rs
import pytest

from broker.openapi import document
from broker.openapi.operations import OPERATIONS
from broker.routes import ROUTES
from tests.broker.whole import Whole

ISSUER = "https://id.norr.example"
#: Not for agencies' or wallets' programs: what looks after the server, files of pages, the ledger's files, the demo's.
OTHERS = {
    "/healthz",
    "/readyz",
    "/sign-in/phone/qr.svg",
    "/clients/{client_id}/logo.png",
    "/static/{name}",
    "/favicon.ico",
    "/robots.txt",
    "/.well-known/security.txt",
    "/ledger/{path:path}",
    "/sandbox/demo.json",
    "/sandbox/ciba",
}
METHODS = {"get", "put", "post", "patch", "delete"}


def of_programs() -> set[tuple[str, str]]:
    return {(row.method, row.path) for row in ROUTES if row.speaks != "page" and row.path not in OTHERS}


def test_every_route_that_programs_call_is_described() -> None:
    """A new one is a row in `broker/openapi/operations.py`."""
    assert {(one.method, one.path) for one in OPERATIONS} == of_programs()


def test_a_described_route_is_what_the_route_table_says() -> None:
    specs = {(row.method, row.path): row.spec for row in ROUTES}
    for one in OPERATIONS:
        assert one.spec.startswith(specs[one.method, one.path].rsplit(".", 1)[0]), one.name
    assert len({one.name for one in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
def test_a_described_route_says_how_it_refuses(one: Any) -> None:
    """Who must prove something can fail to; who sends a body can send too much of it, or another kind."""
    if one.caller != "anyone":
        assert 401 in one.refusals
    if one.body is not None:
        assert {400, 413} <= one.refusals.keys()
    if "{" in one.path:
        assert [f"{{{field.name}}}" for field in one.path_fields] == re.findall(r"\{[^}]+\}", one.path)


def test_schemas_are_schemas() -> None:
    for operation in operations(document.of(ISSUER)):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for body in bodies:
            for media in body.get("content", {}).values():
                jsonschema_rs.meta.validate(
                    {"$schema": "https://json-schema.org/draft/2020-12/schema", **media["schema"]}
                )


def operations(described: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for methods in described["paths"].values() for name, one in methods.items() if name in METHODS]


def test_it_is_served_to_anyone(whole: Whole) -> None:
    answer = whole.client().get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json() == json.loads(json.dumps(document.of(whole.settings.issuer)))
    assert answer.json()["openapi"].startswith("3.1.")
    assert answer.json()["servers"] == [{"url": whole.settings.issuer}]
    assert "set-cookie" not in answer.headers


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [str(given["id"])] if "id" in given else []
        self.links += [str(given[name]) for name in ("href", "src") if name in given]
        assert not any(name.startswith("on") or name == "style" for name in given), "no inline code or style"

    def handle_data(self, data: str) -> None:
        self.said += data


def test_people_read_the_same(whole: Whole) -> None:
    answer = whole.client().get("/reference")
    page = Page(answer.text)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for one in OPERATIONS:
        assert one.name in page.ids
        assert f"{one.method} {one.path}" in page.said
        for refused in one.refusals.values():
            assert all(code in page.said for code in refused.codes)
    assert len(set(page.ids)) == len(page.ids)
    assert [link for link in page.links if link.startswith("#") and link[1:] not in page.ids] == []


def test_the_page_needs_nothing_from_elsewhere(whole: Whole) -> None:
    """No script at all, no other origin but in links to specifications, no cookie, the policy of every page."""
    answer = whole.client().get("/reference")
    page = Page(answer.text)
    assert "script" not in page.tags
    assert "form" not in page.tags
    assert "set-cookie" not in answer.headers
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'none'" in policy
    for link in page.links:
        if not link.startswith(("#", "/")):
            assert link.startswith(("https://www.rfc-editor.org/", "https://openid.net/", "https://datatracker.ietf.org/", "https://spec.openapis.org/"))  # fmt: skip
