"""The files pages ask for: style sheets, the script, the mark. Names carry their content's hash (RFC 8246)."""

from __future__ import annotations

from functools import cache

from starlette.requests import Request

from broker.answers import Raw, Refusal
from broker.pages.render import STATIC

MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


@cache
def files() -> dict[str, tuple[bytes, str]]:
    """Read every file of `static/` once: name to bytes and media type. A name not in it does not exist."""
    kept = [path for path in sorted(STATIC.iterdir()) if path.suffix in MEDIA_TYPES]
    return {path.name: (path.read_bytes(), MEDIA_TYPES[path.suffix]) for path in kept}


async def gather(request: Request) -> str:
    """Read the file's name from the path; nothing is ever looked up on disk by a caller's name."""
    return str(request.path_params["name"])


def act(name: str, _now: int) -> Raw | Refusal:
    """Answer the file, to be kept for ever, or 404."""
    found = files().get(name)
    if found is None:
        return Refusal("not_found", status=404)
    return Raw(found[0], found[1], headers=HEADERS)
