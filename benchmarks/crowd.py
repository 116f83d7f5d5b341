"""Many open pages without browsers: each loads its page and keeps its socket, as a browser does."""

import asyncio
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

_CLIENT = re.compile(r"'client_id': '([0-9a-f-]{36})'")


@dataclass
class OpenPage:
    """One page, and when it heard what."""

    socket: ClientConnection
    listening: asyncio.Task[None] | None = None
    heard: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    async def listen(self) -> None:
        """Take messages until the socket closes; answers pings, without which it would be closed."""
        async for message in self.socket:
            if message == "2":
                await self.socket.send("3")
            elif isinstance(message, str) and message.startswith("42"):
                name, values = json.loads(message[2:])
                if name == "live":
                    self.heard.append((time.perf_counter(), values))


async def open_page(client: httpx.AsyncClient, address: str, path: str = "/") -> OpenPage:
    """Open one page and wait until its socket stands."""
    answer = await client.get(f"{address}{path}")
    found = _CLIENT.search(answer.text)
    assert found, f"no page at {path}, found status {answer.status_code}"
    query = (
        f"EIO=4&transport=websocket&client_id={found[1]}&next_message_id=0&implicit_handshake=true"
        f"&document_id={found[1]}&tab_id={found[1]}"
    )
    socket = await connect(
        f"{address.replace('http', 'ws')}/_nicegui_ws/socket.io/?{query}", compression=None, max_queue=None
    )
    assert str(await socket.recv()).startswith("0")
    await socket.send("40")
    assert str(await socket.recv()).startswith("40")
    page = OpenPage(socket)
    # At once: a socket that does not answer pings is closed.
    page.listening = asyncio.create_task(page.listen())
    return page


async def open_pages(address: str, count: int, path: str = "/") -> list[OpenPage]:
    """Open so many pages, a few at a time."""
    few = asyncio.Semaphore(8)
    async with httpx.AsyncClient(timeout=60) as client:

        async def one() -> OpenPage:
            async with few:
                return await open_page(client, address, path)

        return list(await asyncio.gather(*(one() for _ in range(count))))


async def all_hear(pages: list[OpenPage], key: str, value: str, within_s: float) -> list[float]:
    """Wait until all pages heard a value under a key, and return when each did."""
    until = time.perf_counter() + within_s
    while time.perf_counter() < until:
        when = [next((at for at, values in page.heard if _says(values.get(key), value)), None) for page in pages]
        if all(at is not None for at in when):
            return [at for at in when if at is not None]
        await asyncio.sleep(0.01)
    raise AssertionError(f"not all {len(pages)} pages heard {key} = {value} within {within_s} s")


def _says(told: Any, value: str) -> bool:
    return told == value or (isinstance(told, dict) and value in told.values())
