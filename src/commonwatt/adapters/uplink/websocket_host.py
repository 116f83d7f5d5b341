"""The community's listener for gateways that call by WebSocket: lets in who is registered, and no one else."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import WebSocketException

from commonwatt.adapters.uplink.translate import Challenge, Greeting, Place, Welcome, read_hello
from commonwatt.flows.gateway.letters import MOST_BURST_BYTES
from commonwatt.flows.gateway.post_office import PostOffice
from commonwatt.model import CommonwattError

GREETED_WITHIN_S = 10.0
SENT_WITHIN_S = 10.0
MOST_STRANGERS = 512
"""Connections that have not shown yet who they are."""
PING_S = 20.0


class WebSocketHost:
    """One listener. A gateway that connects a second time takes the place of its first connection.

    Args:
        office: Decides.
        where: Where it listens.
        tls: For ``wss``.
        word: Told in words who comes and goes.
    """

    def __init__(
        self, office: PostOffice, where: Place, tls: ssl.SSLContext | None, word: Callable[[str], None]
    ) -> None:
        self._office, self._where, self._tls, self._word = office, where, tls, word
        self._lines: dict[str, ServerConnection] = {}
        self._strangers = 0

    @property
    def connected(self) -> int:
        """How many gateways' lines are open."""
        return len(self._lines)

    async def listen(self) -> Server:
        """Begin to take connections."""
        return await serve(
            self._serve,
            self._where.host,
            self._where.port,
            ssl=self._tls,
            max_size=MOST_BURST_BYTES,
            max_queue=2,
            ping_interval=PING_S,
            ping_timeout=PING_S,
        )

    async def tell(self, letters: Sequence[tuple[str, bytes]]) -> None:
        """Send letters to those gateways that are connected; the others are told when they connect."""
        await asyncio.gather(*(self._send(number, letter) for number, letter in letters))

    async def _send(self, number: str, letter: bytes) -> None:
        line = self._lines.get(number)
        if line is None:
            return
        with suppress(OSError, WebSocketException, TimeoutError):
            async with asyncio.timeout(SENT_WITHIN_S):
                await line.send(letter.decode())

    async def _serve(self, line: ServerConnection) -> None:
        if self._strangers >= MOST_STRANGERS:
            return
        self._strangers += 1
        try:
            async with asyncio.timeout(GREETED_WITHIN_S):
                number = await self._greet(line)
        except (CommonwattError, OSError, TimeoutError, WebSocketException):
            return
        finally:
            self._strangers -= 1
        before, self._lines[number] = self._lines.get(number), line
        if before is not None:
            await before.close()
        try:
            await self.tell(self._office.orders([number]))
            async for burst in line:
                if isinstance(burst, str):
                    break
                for _, letter in await self._office.take([(number, burst)]):
                    await line.send(letter.decode())
        except (CommonwattError, OSError, WebSocketException):
            return
        finally:
            if self._lines.get(number) is line:
                del self._lines[number]

    async def _greet(self, line: ServerConnection) -> str:
        challenge = self._office.challenge()
        asked = Challenge(community=self._office.community, challenge=challenge)
        await line.send(msgspec.json.encode(asked).decode())
        said = read_hello(await line.recv(), Greeting)
        assert isinstance(said, Greeting)
        try:
            self._office.admit(said.gateway, challenge, said.signature)
        except CommonwattError as error:
            self._word(f"a gateway was not let in: {error}")
            await line.send(msgspec.json.encode(Welcome(refused=str(error))).decode())
            raise
        await line.send(msgspec.json.encode(Welcome()).decode())
        return said.gateway
