"""`/ledger/…` serves what was published and nothing else, whatever the path (C2SP tlog-tiles)."""

import asyncio
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from broker.endpoints import ledger


@pytest.fixture
def client(tmp_path):
    published = tmp_path / "data" / "ledger"
    (published / "tile" / "0" / "000.p").mkdir(parents=True)
    (published / "tile" / "entries").mkdir(parents=True)
    (published / "checkpoint").write_bytes(b"a checkpoint\n")
    (published / "vkeys").write_bytes(b"keys\n")
    (published / "tile" / "0" / "000.p" / "3").write_bytes(b"\x00" * 96)
    (published / "tile" / "entries" / "000").write_bytes(b"\x01" * 10)
    (published / "tile" / "notes").write_bytes(b"secret")
    (tmp_path / "data" / "key-encryption-key").write_bytes(b"secret")

    async def endpoint(request: Request) -> Response:
        answer = ledger.act(await ledger.gather(request), 0)
        return Response(answer.content, answer.status, dict(answer.headers), answer.media_type)

    app = Starlette(routes=[Route("/ledger/{path:path}", endpoint)])
    app.state.parts = SimpleNamespace(ledger_dir=published)
    return TestClient(app)


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("checkpoint", b"a checkpoint\n", "text/plain; charset=utf-8"),
        ("vkeys", b"keys\n", "text/plain; charset=utf-8"),
        ("tile/0/000.p/3", bytes(96), "application/octet-stream"),
        ("tile/entries/000", b"\x01" * 10, "application/octet-stream"),
    ],
)
def test_published_files_are_served(client, path, content, kind):
    answer = client.get(f"/ledger/{path}")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, content, kind)
    forever = "immutable" in answer.headers["cache-control"]
    assert forever == path.startswith("tile/")


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "tile",
            "tile/0",
            "tile/0/000",
            "tile/0/000.p",
            "tile/0/000.p/4",
            "tile/notes",
            "tile/0/001",
            "checkpoint/",
        ),
        *(
            "../key-encryption-key",
            "..%2fkey-encryption-key",
            "tile/../../key-encryption-key",
            "%2e%2e/key-encryption-key",
        ),
        *(
            "tile/0/../0/000.p/3",
            "/etc/passwd",
            "tile//0/000.p/3",
            "tile/0/000.p/3%00",
            "tile/0/000.p/3%0a",
            "CHECKPOINT",
        ),
        *("tile/0/" + "x000/" * 900 + "000", "tile/entries/000.p/1"),
    ],
)
def test_anything_else_is_not_found(client, path):
    async def ask():
        scope = {"type": "http", "app": client.app, "path_params": {"path": unquote(path)}}
        return ledger.act(await ledger.gather(Request(scope)), 0)

    if "/../" not in path and "%0a" not in path:  # a client resolves the one, the router's pattern drops the other
        assert client.get(f"/ledger/{path}").status_code == 404
    answer = asyncio.run(ask())
    assert (answer.status, answer.headers["Cache-Control"]) == (404, "no-store")
