"""The front door: a plain path in one look, everything else as FastAPI has it."""

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from broker.door import Door


async def plain(request: Request) -> PlainTextResponse:
    assert request.app is door
    return PlainTextResponse(
        f"plain {dict(request.query_params)} {request.path_params} {(await request.body()).decode()}"
    )


async def found(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.method} {request.path_params}")


door = Door(openapi_url=None, redirect_slashes=False)
door.plain["POST", "/a"] = plain
door.router.routes += [Route("/a", found, methods=["GET", "POST"]), Route("/{b}", found, methods=["GET"])]


@pytest.fixture
def client() -> TestClient:
    return TestClient(door)


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("POST", "/a?x=1", (200, "plain {'x': '1'} {} said")),
        ("GET", "/a", (200, "GET {}")),
        ("GET", "/b", (200, "GET {'b': 'b'}")),
        ("POST", "/b", (405, "")),
        ("POST", "/a/", (404, "")),
        ("PUT", "/a", (405, "")),
    ],
)
def test_who_is_let_through(client: TestClient, method: str, path: str, answer: tuple[int, str]) -> None:
    reply = client.request(method, path, content=b"said" if method == "POST" else None, follow_redirects=False)
    assert (reply.status_code, reply.text if reply.status_code == 200 else "") == answer


def test_the_lifespan_is_fastapis() -> None:
    began = []
    other = Door(on_startup=[lambda: began.append(True)])
    with TestClient(other):
        assert began == [True]
