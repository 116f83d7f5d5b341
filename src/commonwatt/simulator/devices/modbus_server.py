"""A lean Modbus TCP server for simulated devices: many units on one socket of loopback, many sockets in one process."""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, runtime_checkable

READ_HOLDING, READ_INPUT, WRITE_ONE, WRITE_MANY, IDENTIFY = 3, 4, 6, 16, 0x2B
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, NO_SUCH_UNIT = 1, 2, 3, 11
MOST_READ, MOST_WRITTEN = 125, 123
"""Modbus Application Protocol V1.1b3, 6.3 and 6.12."""


class ModbusError(Exception):
    """A request that a unit refuses, by its exception code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Modbus exception {code}")
        self.code = code


class Unit(Protocol):
    """One device behind a server."""

    def read(self, table: str, address: int, count: int) -> Sequence[int]:
        """Return registers of ``input`` or ``holding``, or raise `ModbusError`."""

    def write(self, address: int, words: Sequence[int]) -> None:
        """Take registers, all or none, or raise `ModbusError`."""


@runtime_checkable
class Named(Protocol):
    """A device that knows function 43/14 beside the others."""

    def names(self) -> Mapping[int, str]:
        """Return what it says of itself, by the numbers of the objects, or raise `ModbusError`."""


class ModbusServer(asyncio.Protocol):
    """One connection to a server of units."""

    def __init__(self, units: Mapping[int, Unit]) -> None:
        self._units = units
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request; what is no Modbus ends the connection."""
        self._buffer += data
        while len(self._buffer) >= 8:
            tid, protocol, length, unit = struct.unpack_from(">HHHB", self._buffer)
            if protocol != 0 or not 2 <= length <= 254:
                self._transport.abort()
                return
            if len(self._buffer) < 6 + length:
                return
            body, self._buffer = self._buffer[7 : 6 + length], self._buffer[6 + length :]
            answer = self._answer(unit, body)
            self._transport.write(struct.pack(">HHHB", tid, 0, len(answer) + 1, unit) + answer)

    def _answer(self, unit: int, body: bytes) -> bytes:
        function = body[0]
        try:
            if unit not in self._units:
                raise ModbusError(NO_SUCH_UNIT)
            return bytes([function]) + self._done(self._units[unit], function, body[1:])
        except ModbusError as error:
            return bytes([function | 0x80, error.code])

    @staticmethod
    def _done(unit: Unit, function: int, rest: bytes) -> bytes:
        if function == IDENTIFY and rest[:1] == b"\x0e" and isinstance(unit, Named):
            return _told(unit.names())
        if len(rest) < 4 or function == IDENTIFY:
            raise ModbusError(ILLEGAL_FUNCTION if function == IDENTIFY else ILLEGAL_VALUE)
        address, count = struct.unpack_from(">HH", rest)
        if function in (READ_HOLDING, READ_INPUT):
            if not 1 <= count <= MOST_READ or address + count > 65_536:
                raise ModbusError(ILLEGAL_VALUE)
            words = unit.read("input" if function == READ_INPUT else "holding", address, count)
            return bytes([2 * count]) + struct.pack(f">{count}H", *words)
        if function == WRITE_ONE:
            unit.write(address, [count])
            return rest[:4]
        if function == WRITE_MANY:
            if not 1 <= count <= MOST_WRITTEN or len(rest) != 5 + 2 * count or rest[4] != 2 * count:
                raise ModbusError(ILLEGAL_VALUE)
            unit.write(address, struct.unpack_from(f">{count}H", rest, 5))
            return rest[:4]
        raise ModbusError(ILLEGAL_FUNCTION)


def _told(names: Mapping[int, str]) -> bytes:
    """Return the basic names as function 43/14 has them, all in one answer."""
    said = b"".join(bytes((number, len(name))) + name.encode() for number, name in names.items())
    return bytes((0x0E, 1, 1, 0, 0, len(names))) + said


@asynccontextmanager
async def serve(units: Mapping[int, Unit]) -> AsyncIterator[int]:
    """Serve units on loopback and yield the port."""
    server = await asyncio.get_running_loop().create_server(lambda: ModbusServer(units), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
