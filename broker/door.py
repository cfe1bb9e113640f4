"""The application's front door: whoever asks for a plain path is let through at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Endpoint = Callable[[Request], Awaitable[Response]]


class Door(FastAPI):
    """FastAPI, with the endpoints of plain paths found in one look; `plain` has them by method and path.

    Everything else is tried pattern by pattern, behind middleware for errors that our endpoints never let out. For the smallest
    requests that takes longer than what they ask for.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.plain: dict[tuple[str, str], Endpoint] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's scope (ASGI 3.0)."""
        endpoint = self.plain.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if endpoint is None:
            await super().__call__(scope, receive, send)
            return
        scope["app"], scope["path_params"] = self, {}
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)
