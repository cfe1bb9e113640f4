"""The reference of what programs call, for people: `/reference`, written from the OpenAPI document, in English, without scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from starlette.requests import Request

from broker import needs
from broker.answers import Raw
from broker.openapi import document
from broker.pages import render

PATH = "/reference"
TEMPLATE = "reference.html"
MAX_AGE = 300  # seconds


async def gather(request: Request) -> bytes:
    """Take the page, written once."""
    return _written(needs.parts(request).issuer, request.app.state.renderer)


def act(content: bytes, _now: int) -> Raw:
    """Publish it: the same for everybody, so no cookie is set, and it may be kept for a while."""
    headers = {**render.headers(own_forms=False), "Cache-Control": f"public, max-age={MAX_AGE}"}
    return Raw(content, "text/html; charset=utf-8", headers=headers)


@lru_cache(maxsize=4)
def _written(issuer: str, renderer: render.Renderer) -> bytes:
    described = document.of(issuer)
    context = {
        "title": described["info"]["title"],
        "summary": described["info"]["summary"],
        "version": described["info"]["version"],
        "issuer": issuer,
        "description": document.PATH,
        "schemes": {n: one["description"] for n, one in described["components"]["securitySchemes"].items()},
        "chapters": [{"name": tag["name"], "calls": list(_calls(described, tag["name"]))} for tag in described["tags"]],
    }
    return renderer.render(TEMPLATE, context, language="en").encode()


def _calls(described: Mapping[str, Any], chapter: str) -> Iterator[dict[str, Any]]:
    """Give a chapter's calls as the template takes them."""
    for path, methods in described["paths"].items():
        for method, call in methods.items():
            if chapter in call["tags"]:
                yield {
                    "id": call["operationId"],
                    "line": f"{method.upper()} {path}",
                    "title": call["summary"],
                    "text": call["description"],
                    "spec": call["externalDocs"],
                    "takes": [*_parameters(call), *_members(call.get("requestBody", {}), "body")],
                    "answers": [_answer(status, answer) for status, answer in call["responses"].items()],
                }


def _parameters(call: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for one in call["parameters"]:
        yield {"name": one["name"], "place": one["in"], "needed": one["required"], "text": one["description"]}


def _members(body: Mapping[str, Any], place: str) -> Iterator[dict[str, Any]]:
    schema = _schema(body)
    for name, member in schema.get("properties", {}).items():
        needed = name in schema.get("required", [])
        yield {"name": name, "place": place, "needed": needed, "text": member["description"]}


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the schema of a body's first media type."""
    content = list(body.get("content", {}).values())
    schema: Mapping[str, Any] = content[0]["schema"] if content else {}
    return schema


def _answer(status: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    codes = _schema(answer).get("properties", {}).get("error", {}).get("enum", [])
    return {
        "status": f"{status} {HTTPStatus(int(status)).phrase}",
        "text": answer["description"],
        "kinds": list(answer.get("content", {})),
        "codes": codes,
        "members": [] if codes else list(_members(answer, "")),
    }
