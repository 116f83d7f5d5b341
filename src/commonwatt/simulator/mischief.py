"""A wire with faults on demand: a TCP relay that delays, cuts, swallows, repeats or spoils what passes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 65_536


@dataclass(slots=True)
class Mischief:
    """What the wire does wrong just now, both ways; change it at any time.

    Args:
        delay_s: Everything arrives so much later.
        swallow: Bytes vanish and nobody is told: a half-open connection.
        hold: Bytes wait until this is taken back, then all arrive at once, late.
        spoil: One bit of every piece is flipped.
        repeat: Every piece arrives twice.
        refuse: New connections are closed at once.
    """

    delay_s: float = 0.0
    swallow: bool = False
    hold: bool = False
    spoil: bool = False
    repeat: bool = False
    refuse: bool = False
    connections: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """Break every connection at once, as a reset."""
        for writer in list(self._open):
            with suppress(OSError):
                writer.transport.abort()
        self._open.clear()

    def heal(self) -> None:
        """Do nothing wrong any more; connections stay as they are."""
        self.delay_s, self.swallow, self.hold, self.spoil, self.repeat, self.refuse = (
            0.0,
            False,
            False,
            False,
            False,
            False,
        )

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes one way until the end."""
        with suppress(OSError, asyncio.IncompleteReadError):
            while piece := await reader.read(CHUNK):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                while self.hold:
                    await asyncio.sleep(0.005)
                if self.swallow:
                    continue
                if self.spoil:
                    middle = len(piece) // 2
                    piece = piece[:middle] + bytes([piece[middle] ^ 0x10]) + piece[middle + 1 :]
                writer.write(piece * 2 if self.repeat else piece)
                await writer.drain()
        with suppress(OSError):
            writer.close()


@asynccontextmanager
async def wire(mischief: Mischief, host: str, port: int) -> AsyncIterator[int]:
    """Run a relay on loopback to a server, and yield the port on which it listens."""
    tasks: set[asyncio.Task[None]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mischief.connections += 1
        if mischief.refuse:
            writer.transport.abort()
            return
        try:
            there_reader, there_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.transport.abort()
            return
        mischief._open |= {writer, there_writer}
        for ends in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.ensure_future(mischief.pass_on(*ends))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        mischief.cut()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
