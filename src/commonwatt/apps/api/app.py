"""Put the application together: the API under /api/v1 with its description, health, and what follows the log."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakValueDictionary

import msgspec
from fastapi import APIRouter, FastAPI, Response

from commonwatt.adapters.stores.written import WrittenFile
from commonwatt.apps.api.answers import Kept
from commonwatt.apps.api.guard import Seating
from commonwatt.apps.api.problems import RESPONSES, ProblemBody, explain_problems
from commonwatt.apps.api.v1 import (
    assets,
    audits,
    chain,
    commons,
    contracts,
    devices,
    events,
    feeds,
    forecasts,
    homes,
    live,
    markets,
    myself,
    notifications,
    people,
    proofs,
    requests,
    signing_in,
    wallets,
)
from commonwatt.apps.community import Community
from commonwatt.apps.observing.readiness import NO_NEEDS, Need, Readiness
from commonwatt.model import Refused

ROUTERS: tuple[APIRouter, ...] = (
    signing_in.router,
    myself.router,
    notifications.router,
    people.router,
    homes.router,
    assets.router,
    feeds.router,
    markets.router,
    wallets.router,
    chain.router,
    requests.router,
    commons.router,
    contracts.router,
    forecasts.router,
    proofs.router,
    audits.router,
    devices.router,
    events.router,
    live.router,
)
PREFIX = "/api/v1"
VERSION = "1.0"
WRITTEN = "written.sqlite"
_log = logging.getLogger(__name__)
_PROBLEM = msgspec.json.schema_components([ProblemBody])[1]["ProblemBody"]


def make_app(
    open_community: Callable[[], Community],
    seating: Seating,
    beside: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    needs: Mapping[str, Need] = NO_NEEDS,
) -> FastAPI:
    """Return the application; while it runs, the community's log is followed on its loop.

    Args:
        open_community: Opens it, in the thread in which the application runs; it is closed when that ends.
        seating: Knows who asks.
        beside: What else is done as long as it runs; each is cancelled at its end.
        needs: What the application needs beside the log that it follows, to be ready.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        community = app.state.community = open_community()
        app.state.written = WrittenFile(community.folder / WRITTEN, lambda: int(time.time()))
        try:
            community.catch_up()  # so that the first page is whole
            tasks = [asyncio.ensure_future(work()) for work in (community.follow, *beside)]
            for task in tasks:
                task.add_done_callback(_note_end)
            yield
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task
        finally:
            app.state.written.close()
            community.close()

    app = FastAPI(
        title="commonwatt",
        version=VERSION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
        responses=RESPONSES,
    )
    app.state.seating, app.state.kept = seating, Kept(time.monotonic)
    app.state.lines = live.Lines()
    app.state.writing = WeakValueDictionary[tuple[str, str], asyncio.Lock]()
    """A lock for each idempotency key under which something is being written, as long as it is."""
    explain_problems(app)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    _describe(app)
    _health(app, needs)
    return app


def _note_end(task: asyncio.Future[Any]) -> None:
    """Say that something ended which was to go on as long as the application runs."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("what goes on beside the pages ended", exc_info=error)


def _describe(app: FastAPI) -> None:
    """Let the API's description hold the shape of problems, which no route returns by name."""
    described: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        told = described()
        told["components"].setdefault("schemas", {})["Problem"] = _PROBLEM
        return told

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's own documentation has it


def _health(app: FastAPI, needs: Mapping[str, Need]) -> None:
    async def followed() -> None:
        community: Community = app.state.community
        if community.broken is not None:
            raise Refused("the log is followed") from community.broken

    readiness = Readiness({"log": followed, **needs}, time.monotonic)
    headers = {"Cache-Control": "no-store"}

    @app.get("/healthz", include_in_schema=False)
    async def alive() -> Response:
        return Response("alive\n", media_type="text/plain", headers=headers)

    @app.get("/readyz", include_in_schema=False)
    async def ready() -> Response:
        lacking = await readiness.lacking()
        told = f"not ready: {', '.join(lacking)}\n" if lacking else "ready\n"
        return Response(told, status_code=503 if lacking else 200, media_type="text/plain", headers=headers)
