"""The connection to a P1 port: kept up by a task of its own, which hands on what arrives."""

import asyncio
import contextlib
from collections.abc import Callable

CHUNK = 4096


class Port:
    """Listens to a P1 port for as long as it is open, and connects again whenever the connection is gone.

    Args:
        host: Where the port is offered by ser2net or a reader with a socket.
        port: Its TCP port.
        heard: Called with every piece that arrives.
        lost: Called whenever a connection is gone.
        silence_s: A connection that says nothing for so long is taken for dead.
        again_s: How long it waits before it connects again.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        heard: Callable[[bytes], None],
        lost: Callable[[], None],
        silence_s: float,
        again_s: float,
    ) -> None:
        self._host, self._port = host, port
        self._heard, self._lost = heard, lost
        self._silence_s, self._again_s = silence_s, again_s
        self.connected = False
        self.trouble = "not connected yet"
        self._task = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Stop listening."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear_one_connection()
            except TimeoutError:
                self.trouble = f"silent for {self._silence_s:g} s"
            except OSError as error:
                self.trouble = str(error)
            self.connected = False
            self._lost()
            await asyncio.sleep(self._again_s)

    async def _hear_one_connection(self) -> None:
        async with asyncio.timeout(self._silence_s):
            reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            self.connected, self.trouble = True, "connected"
            while True:
                async with asyncio.timeout(self._silence_s):
                    piece = await reader.read(CHUNK)
                if not piece:
                    self.trouble = "it closed the connection"
                    return
                self._heard(piece)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
