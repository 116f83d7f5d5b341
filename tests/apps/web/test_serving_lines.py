"""Whoever opens a line to the app says soon what they want, or is let go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from commonwatt.apps.web import serving

ASK = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
SOON_S = 0.2


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer after longer than a head may take."""
    await asyncio.sleep(2 * SOON_S)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def served(**changed: Any) -> AsyncIterator[int]:
    config = uvicorn.Config(app, **{**serving.socket_settings(), **changed})
    config.load()
    state = ServerState()
    speaks: Any = config.http_protocol_class
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: speaks(config, state, {}), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_WITHIN_S", SOON_S)


@pytest.mark.parametrize("begun", [b"", b"GET / HT", ASK[:-2] + b"X-Slow: 1\r\n"])
def test_whoever_does_not_end_the_head_of_a_request_is_let_go(begun: bytes) -> None:
    async def story() -> None:
        async with served() as port, asyncio.timeout(60):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begun)
            assert await reader.read() == b""
            writer.close()

    asyncio.run(story())


def test_an_answer_may_take_as_long_as_it_takes_and_the_next_head_no_longer_than_the_first() -> None:
    async def story() -> None:
        async with served() as port, asyncio.timeout(60):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(2):
                writer.write(ASK)
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200") and await reader.readexactly(2) == b"ok"
            writer.write(ASK[:-2])
            assert await reader.read() == b""
            writer.close()

    asyncio.run(story())


def test_lines_beyond_the_most_are_answered_that_there_are_too_many() -> None:
    assert serving.socket_settings()["limit_concurrency"] == serving.MOST_CONNECTIONS

    async def story() -> None:
        async with served(limit_concurrency=2) as port, asyncio.timeout(60):
            lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            lines[1][1].write(ASK)
            assert (await lines[1][0].readline()).startswith(b"HTTP/1.1 503")
            for _, writer in lines:
                writer.close()

    asyncio.run(story())


def test_one_address_holds_its_part_of_the_lines_and_leaves_the_others_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert serving.of_this_machine("127.0.0.2") and serving.of_this_machine("::1")
    assert not serving.of_this_machine("192.0.2.1") and not serving.of_this_machine("unknown")
    monkeypatch.setattr(serving, "of_this_machine", lambda address: address == "127.0.0.1")
    monkeypatch.setattr(serving, "MOST_OF_ADDRESS", 3)

    async def story() -> None:
        async with served() as port, asyncio.timeout(60):
            lines = []

            async def line(address: str) -> bytes:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
                lines.append(writer)
                writer.write(ASK)
                return (await reader.readline())[:12]

            assert [await line("127.0.0.2") for _ in range(4)] == 3 * [b"HTTP/1.1 200"] + [b"HTTP/1.1 503"]
            assert await line("127.0.0.3") == b"HTTP/1.1 200"
            assert [await line("127.0.0.1") for _ in range(5)] == 5 * [b"HTTP/1.1 200"]
            lines[0].close()
            await asyncio.sleep(SOON_S)
            assert await line("127.0.0.2") == b"HTTP/1.1 200"
            for writer in lines:
                writer.close()

    asyncio.run(story())
