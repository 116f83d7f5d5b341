"""Ask an address whether it speaks Modbus TCP, and what it says of itself (function 43/14, device identification)."""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from commonwatt.adapters.devices.driver import Found
from commonwatt.adapters.devices.modbus.nameplate import names
from commonwatt.model import InvalidValue, Nameplate

PORT = 502
UNIT = 1
LONGEST_FRAME = 260
IDENTIFY = bytes((0x2B, 0x0E, 0x01, 0x00))  # the basic names, from the first on
SUNS = (0x5375, 0x6E53)
STILL = "which map: see docs/guide/devices/modbus.md"


async def probe(host: str, port: int | None, within_s: float) -> Sequence[Found]:
    """Return what speaks Modbus at an address and is no SunSpec device; its owner has to name its register map.

    Source: MODBUS Application Protocol V1.1b3, 6.21; MODBUS Messaging on TCP/IP V1.0b, 3.1.3.
    """
    port = port or PORT
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, InvalidValue):
        async with asyncio.timeout(within_s), asked(host, port) as line:
            for base in (40_000, 50_000, 0):
                if await line.registers(UNIT, base, 2) == SUNS:
                    return []
            said = await line.ask(UNIT, IDENTIFY)
            named = names(said) if said[0] == IDENTIFY[0] else Nameplate()
            return [
                Found(
                    driver="modbus", url=url(host, port), nameplate=named, settings={"unit": UNIT}, still=STILL
                )
            ]  # fmt: skip
    return []


class Line:
    """One connection to a Modbus server, one question at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self._number = reader, writer, 0

    async def ask(self, unit: int, question: bytes) -> bytes:
        """Return the answer to a question, function code first; of an exception, its code with the high bit set.

        Raises:
            InvalidValue: What answers does not speak Modbus TCP.
        """
        self._number += 1
        self._writer.write(struct.pack(">HHHB", self._number, 0, len(question) + 1, unit) + question)
        await self._writer.drain()
        number, protocol, length, answering = struct.unpack(">HHHB", await self._reader.readexactly(7))
        if (number, protocol, answering) != (self._number, 0, unit) or not 3 <= length <= LONGEST_FRAME:
            raise InvalidValue(f"no frame of Modbus TCP: number {number}, protocol {protocol}, length {length}")
        answer = await self._reader.readexactly(length - 1)
        if answer[0] & 0x7F != question[0]:
            raise InvalidValue(f"function {answer[0]} answers a question of function {question[0]}")
        return answer

    async def registers(self, unit: int, address: int, count: int) -> tuple[int, ...]:
        """Return holding registers; none where they are refused.

        Raises:
            InvalidValue: What answers does not speak Modbus TCP.
        """
        answer = await self.ask(unit, struct.pack(">BHH", 3, address, count))
        if answer[0] != 3 or len(answer) != 2 + 2 * count or answer[1] != 2 * count:
            return ()
        return struct.unpack(f">{count}H", answer[2:])


@asynccontextmanager
async def asked(host: str, port: int) -> AsyncIterator[Line]:
    """Open a connection for questions.

    Raises:
        OSError: There is none to be had.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


def url(host: str, port: int, scheme: str = "tcp") -> str:
    """Return an address as a devices file has it."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
