"""Every ask is told by its route, never by the path that names things; and once, when its answer begins."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse, StreamingResponse
from fastapi.testclient import TestClient

from commonwatt.apps.api.armour import Armour
from commonwatt.apps.api.problems import Problem, explain_problems
from commonwatt.apps.observing.asked import UNROUTED, Answered, Watched

ORIGIN = "https://sun.example"


@pytest.fixture
def heard() -> list[Answered]:
    return []


@pytest.fixture
def app(heard: list[Answered]) -> FastAPI:
    """Return an application with armour in between, as the real one has it."""
    app, inner = FastAPI(), FastAPI()
    router = APIRouter()
    explain_problems(app)

    @router.get("/homes/{account}")
    async def home(account: str) -> str:
        return account

    @router.get("/broken/{what}")
    async def broken(what: str) -> None:
        raise RuntimeError(what)

    @router.get("/stream")
    async def stream() -> StreamingResponse:
        async def events() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"data\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    @router.websocket("/line/{account}")
    async def line(socket: WebSocket, account: str) -> None:
        if account == "nobody":
            await socket.close(1008)
            return
        await socket.accept()
        await socket.close()

    @inner.get("/page/{account}")
    async def page(account: str) -> HTMLResponse:
        return HTMLResponse(f"<p>{account}</p>")

    app.include_router(router, prefix="/api/v1")
    app.mount("/", inner)
    app.add_middleware(Armour, origins=(ORIGIN,))
    ticks = iter(range(0, 10**9, 1_000))
    app.add_middleware(Watched, ticks_ns=lambda: next(ticks), hear=(heard.append,), under="/api/v1")
    return app


@pytest.mark.parametrize(
    ("method", "path", "accept", "told"),
    [
        ("GET", "/api/v1/homes/member-07", "*/*", ("GET", "/api/v1/homes/{account}", 200)),
        ("GET", "/page/member-07", "text/html", ("GET", "/page/{account}", 200)),
        ("GET", "/api/v1/broken/member-07", "*/*", ("GET", "/api/v1/broken/{what}", 500)),
        ("GET", "/member-07/guessed", "*/*", ("GET", UNROUTED, 404)),
        ("BREW", "/api/v1/homes/member-07", "*/*", ("other", UNROUTED, 403)),
        ("POST", "/api/v1/homes/member-07", "*/*", ("POST", UNROUTED, 403)),
        ("GET", "/api/v1/stream", "*/*", ("GET", "/api/v1/stream", 200)),
    ],
)
def test_an_ask_is_told_once_by_its_route(
    app: FastAPI, heard: list[Answered], method: str, path: str, accept: str, told: tuple[str, str, int]
) -> None:
    async def ask() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            headers = {"Accept": accept, "Origin": "https://evil.test"}
            await client.request(method, path, headers=headers)

    asyncio.run(ask())
    assert [(one.method, one.route, one.status) for one in heard] == [told]
    assert heard[0].took_ns > 0 and "member-07" not in repr(heard)


def test_a_socket_is_told_when_it_opens_and_when_it_is_not_opened(app: FastAPI, heard: list[Answered]) -> None:
    with TestClient(app, base_url=ORIGIN) as client:
        with client.websocket_connect("/api/v1/line/somebody"):
            pass
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/api/v1/line/nobody"):
            pass
    assert [(one.method, one.route, one.status) for one in heard] == [
        ("WEBSOCKET", "/api/v1/line/{account}", 101),
        ("WEBSOCKET", "/api/v1/line/{account}", 403),
    ]


def test_an_error_before_any_answer_is_told_as_one_and_goes_on() -> None:
    heard = list[Answered]()

    async def broken(scope: object, receive: object, send: object) -> None:
        raise Problem(500, "broken")  # type: ignore[arg-type]

    watched = Watched(broken, iter(range(9)).__next__, (heard.append,))  # type: ignore[arg-type]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(Problem):
        asyncio.run(watched(scope, None, None))  # type: ignore[arg-type]
    assert [one.status for one in heard] == [500]
