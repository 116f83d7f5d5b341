"""Files that browsers may keep for ever: served compressed once, under addresses that change with what is in them."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOLDER: Final = Path(__file__).parent / "static"
FOR_EVER: Final = "public, max-age=31536000, immutable"
_MOST_KEPT = 500
mimetypes.add_type("application/manifest+json", ".webmanifest")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of ours as it travels."""

    path: str
    body: bytes
    packed: bytes
    media_type: str


@cache
def assets() -> dict[str, Asset]:
    """Return our files by name; their addresses hold the first twelve digits of their SHA-256."""
    found = {}
    for file in sorted(FOLDER.iterdir()):
        body = file.read_bytes()
        mark = hashlib.sha256(body).hexdigest()[:12]
        media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        found[file.name] = Asset(f"/assets/{mark}/{file.name}", body, gzip.compress(body, 9, mtime=0), media_type)
    return found


def address(name: str) -> str:
    """Return where a file of ours is served."""
    return assets()[name].path


def serve_assets(app: FastAPI) -> None:
    """Serve our files; an address of an older version is not there any more."""

    @app.get("/assets/{mark}/{name}", include_in_schema=False)
    async def asset(mark: str, name: str, request: Request) -> Response:
        found = assets().get(name)
        if found is None or found.path != f"/assets/{mark}/{name}":
            return Response(status_code=404)
        return answer(found, request, FOR_EVER)


def answer(found: Asset, request: Request, caching: str) -> Response:
    """Return a file of ours, compressed where the browser takes it so and it is any smaller."""
    headers = {"Cache-Control": caching, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    if "gzip" in request.headers.get("Accept-Encoding", "") and len(found.packed) < len(found.body):
        headers["Content-Encoding"] = "gzip"
        return Response(found.packed, headers=headers, media_type=found.media_type)
    return Response(found.body, headers=headers, media_type=found.media_type)


class Packed(GZipMiddleware):
    """Compresses answers, and NiceGUI's own files only once: they never change while a process lives.

    Args:
        app: What answers.
        kept_under: Where the files are that are kept compressed.
    """

    def __init__(self, app: ASGIApp, kept_under: str) -> None:
        super().__init__(app, minimum_size=500, compresslevel=6)
        self._inner = app
        self._kept_under = kept_under
        self._kept: dict[str, list[Message]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from what is kept, or have it answered and keep it."""
        path = scope.get("path", "")
        if scope["type"] != "http" or scope["method"] != "GET" or not path.startswith(self._kept_under):
            await super().__call__(scope, receive, send)
            return
        accepted = dict(scope["headers"]).get(b"accept-encoding", b"")
        if b"gzip" not in accepted or "dynamic" in path:
            await super().__call__(scope, receive, send)
            return
        messages = self._kept.get(path)
        if messages is None:
            messages = await self._packed(scope, receive)
            if messages[0]["status"] == 200 and len(self._kept) < _MOST_KEPT:
                self._kept[path] = messages
        for message in messages:
            await send(message)

    async def _packed(self, scope: Scope, receive: Receive) -> list[Message]:
        gathered: list[Message] = []

        async def keep(message: Message) -> None:
            if message["type"].startswith("http.response.") and message["type"] != "http.response.pathsend":
                gathered.append(message)

        # Conditional and partial answers are for one browser, and must not be kept for all.
        plain = {b"if-none-match", b"if-modified-since", b"range", b"if-range"}
        whole = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] not in plain], "extensions": {}}
        await GZipMiddleware(self._inner, minimum_size=500, compresslevel=9)(whole, receive, keep)
        return gathered
