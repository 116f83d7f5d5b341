"""Serve a log: C2SP tlog-tiles for everybody, leaves for its witnesses, and who stands behind which checkpoint.

============================  ==========================================================================================
``GET /checkpoint``           the latest signed note with the cosignatures so far; ``?size=`` an earlier one
``GET /tile/<L>/<N>[.p/<W>]``  Merkle tiles
``GET /tile/entries/<N>...``  entry bundles: the salted hash of each record
``GET /leaves?from=&limit=``  settlement bodies, to registered witnesses, see `commonwatt.identity.caller`
``GET /snapshot``             the state at the last final checkpoint, to registered witnesses, so that they can begin
                              where older leaves are gone; accounts are pseudonyms, nothing personal is in it
``POST /cosignature``         a witness hands in its two signatures of a checkpoint
``GET /witnesses``            who watches, how far: JSON, or a page where a browser asks
``GET /community.pub``        the public keys; to be trusted, they come from somewhere else
============================  ==========================================================================================

Source: C2SP tlog-tiles, https://c2sp.org/tlog-tiles.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from commonwatt.adapters.witness.translate import read_posted, write_leaves
from commonwatt.apps.api.page import witnesses_page
from commonwatt.flows.evidence import encode
from commonwatt.flows.publish import MOST_LEAVES_AT_ONCE, Publisher
from commonwatt.identity.caller import check_call
from commonwatt.model import MAX_SAFE_INTEGER, Corrupt, InvalidValue, Refused

FOR_EVER = "public, max-age=31536000, immutable"
FOR_A_WHILE = "public, max-age=3600"
NEVER = "no-cache"
NOWHERE = "no-store"
_MOST_POSTED_BYTES = 4_000
_BODY_WITHIN_S = 10
_BYTES = "application/octet-stream"
_T = TypeVar("_T")


def log_app(publisher: Publisher, now_s: Callable[[], int]) -> FastAPI:
    """Return the application; it must run in the thread that opened the publisher's files.

    Args:
        publisher: What is served.
        now_s: Tells the time, seconds since 1970.
    """
    app = FastAPI(title="commonwatt log", docs_url=None, redoc_url=None)
    _explain_errors(app)
    _serve_tiles(app, publisher)
    _serve_witnesses(app, publisher, now_s)
    _serve_pages(app, publisher, now_s)
    return app


# Each answer is short work on local files, done on the loop itself: one thread owns the files.


def _serve_tiles(app: FastAPI, publisher: Publisher) -> None:
    """What everybody may read: checkpoints, tiles and hashes of entries."""

    @app.get("/checkpoint")
    async def checkpoint(size: int | None = Query(None, ge=0, le=MAX_SAFE_INTEGER)) -> Response:
        note = publisher.checkpoint(size)
        return _missing("no such checkpoint") if note is None else PlainTextResponse(note, headers=_caching(NEVER))

    @app.get("/tile/entries/{place:path}")
    async def entries(place: str) -> Response:
        try:
            found = publisher.entries(path := f"tile/entries/{place}")
        except (InvalidValue, Corrupt, Refused) as error:
            return _missing(str(error))
        return _tile(found, path)

    @app.get("/tile/{place:path}")
    async def tile(place: str) -> Response:
        try:
            found = publisher.tile(path := f"tile/{place}")
        except InvalidValue as error:
            return _missing(str(error))
        return _tile(found, path)


def _serve_witnesses(app: FastAPI, publisher: Publisher, now_s: Callable[[], int]) -> None:
    """What registered witnesses fetch, and what they hand in."""

    @app.get("/leaves")
    async def leaves(
        request: Request,
        first: int = Query(0, alias="from", ge=0, le=MAX_SAFE_INTEGER),
        limit: int = Query(MOST_LEAVES_AT_ONCE, ge=1, le=MOST_LEAVES_AT_ONCE),
    ) -> Response:
        _check_witness(request, publisher, now_s())
        rows = publisher.leaves(first, limit)
        return Response(write_leaves(rows), media_type="application/json", headers=_caching(NOWHERE))

    @app.get("/snapshot")
    async def snapshot(request: Request) -> Response:
        _check_witness(request, publisher, now_s())
        handed = publisher.handed()
        if handed is None:
            return _missing("no state is handed over yet: nothing is final that a snapshot covers")
        return Response(handed, media_type=_BYTES, headers=_caching(NOWHERE))

    @app.post("/cosignature")
    async def cosignature(request: Request) -> Response:
        posted = read_posted(await _body(request))
        weight = publisher.take(posted.size, posted.line, posted.typed)
        if weight is None:
            return _missing(f"this log has signed no checkpoint of {posted.size} leaves")
        told = {"cosigned": weight.cosigned, "final": weight.is_final, "total": weight.total}
        return Response(encode(told), media_type="application/json")


def _serve_pages(app: FastAPI, publisher: Publisher, now_s: Callable[[], int]) -> None:
    """Who watches, and by which keys."""

    @app.get("/witnesses")
    async def witnesses(request: Request) -> Response:
        standing = publisher.standing()
        if "text/html" in request.headers.get("Accept", ""):
            return HTMLResponse(witnesses_page(standing, now_s()), headers=_caching(NEVER) | {"Vary": "Accept"})
        return Response(encode(standing), media_type="application/json", headers=_caching(NEVER) | {"Vary": "Accept"})

    @app.get("/")
    async def page() -> Response:
        return HTMLResponse(witnesses_page(publisher.standing(), now_s()), headers=_caching(NEVER))

    @app.get("/community.pub")
    async def community() -> Response:
        return Response(encode(publisher.trust), media_type="application/json", headers=_caching(NEVER))


def _check_witness(request: Request, publisher: Publisher, now_s: int) -> None:
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    known = [witness.public for witness in publisher.witnesses]
    check_call(request.headers.get("Authorization", ""), publisher.trust.community, target, now_s, known)


def _explain_errors(app: FastAPI) -> None:
    """Answer our own refusals in a line: 403 where a rule says no, 400 where the bytes make no sense."""

    async def refused(request: Request, error: Exception) -> Response:
        return PlainTextResponse(f"{error}\n", status_code=403 if isinstance(error, Refused) else 400)

    for kind in (Refused, Corrupt, InvalidValue):
        app.add_exception_handler(kind, refused)


async def _body(request: Request) -> bytes:
    content = bytearray()

    async def read() -> None:
        async for chunk in request.stream():
            content.extend(chunk)
            if len(content) > _MOST_POSTED_BYTES:
                raise Corrupt(f"what is handed in has {_MOST_POSTED_BYTES} bytes at most")

    await _within(_BODY_WITHIN_S, read())
    return bytes(content)


async def _within(limit_s: float, work: Awaitable[_T]) -> _T:
    try:
        async with asyncio.timeout(limit_s):
            return await work
    except TimeoutError as error:
        raise Corrupt(f"what is handed in arrives within {limit_s} s") from error


def _tile(found: bytes | None, path: str) -> Response:
    if found is None:
        return _missing("the log has not grown so far")
    caching = FOR_A_WHILE if ".p/" in path else FOR_EVER
    return Response(found, media_type=_BYTES, headers=_caching(caching))


def _missing(why: str) -> Response:
    return PlainTextResponse(f"{why}\n", status_code=404, headers=_caching(NEVER))


def _caching(rule: str) -> dict[str, str]:
    return {"Cache-Control": rule}
