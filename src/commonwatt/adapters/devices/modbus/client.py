"""One connection to a Modbus TCP server, shared by all behind it: one request after another, never a wrong answer."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

import msgspec
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ModbusPDU

from commonwatt.adapters.devices.addresses import address_of
from commonwatt.adapters.devices.driver import Doors
from commonwatt.adapters.devices.modbus.translate import Block, Told
from commonwatt.model import InvalidValue, Unreachable

EXCEPTIONS = {
    1: "illegal function",
    2: "illegal address",
    3: "illegal value",
    4: "device failure",
    5: "acknowledged, not done yet",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "device behind the gateway gave no answer",
}
"""Modbus Application Protocol V1.1b3, 7."""
NO_ANSWER = {5, 6, 10, 11}
"""What says that nobody who could know was asked."""
BASIC = 1
"""Read device id code of function 43/14: vendor, product code and revision."""
PORT = 502
LIKE = "tcp://192.168.1.20:502"
SILENT = 3
"""A connection on which so many requests in a row got no answer is half-open: it is given up."""

# The library logs every late or repeated answer that it drops, as an error.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


Seconds = Annotated[float, msgspec.Meta(gt=0, le=600)]


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait.

    Args:
        timeout_s: For an answer, and for a connection.
        backoff_s: After a failure, before a new connection is tried; doubles up to ``backoff_most_s``.
        backoff_most_s: See above.
    """

    timeout_s: Seconds = 2.0
    backoff_s: Seconds = 0.5
    backoff_most_s: Seconds = 30.0


class Link:
    """A connection that is made when it is needed, and again, ever more patiently, when it was lost.

    Answers are told apart by their transaction id and unit: one that comes late is not taken for a later one.
    """

    def __init__(self, host: str, port: int, wire: Wire) -> None:
        self._host, self._port, self._wire = host, port, wire
        self._client: AsyncModbusTcpClient | None = None
        self._one_by_one = asyncio.Lock()
        self._asking = False
        self._silent = 0
        self._wait_s = 0.0
        self._not_before_s = 0.0

    async def read(self, unit: int, blocks: Sequence[Block]) -> dict[tuple[str, int], int]:
        """Return registers by table and address; nobody else's request comes between these reads.

        Raises:
            Unreachable: No answer, or none in time, or the server says that the unit gave none.
            InvalidValue: The server refuses, in its own words, or answers something else than it was asked.
        """
        words: dict[tuple[str, int], int] = {}
        async with self._one_by_one:
            client = await self._connected()
            for block in blocks:
                ask = client.read_input_registers if block.table == "input" else client.read_holding_registers
                answer = await self._answer(partial(ask, block.address, count=block.count, device_id=unit), unit)
                got = answer.registers
                if len(got) != block.count:
                    raise InvalidValue(f"{self} was asked for {block.count} registers, answered {len(got)}")
                words.update({(block.table, block.address + n): word for n, word in enumerate(got)})
        return words

    async def write(self, unit: int, writes: Sequence[Told]) -> None:
        """Write registers, in this order; nobody else's request comes between.

        Raises:
            Unreachable: As above; some of them may have been written.
            InvalidValue: As above.
        """
        async with self._one_by_one:
            client = await self._connected()
            for told in writes:
                if told.single:
                    ask = partial(client.write_register, told.address, told.words[0], device_id=unit)
                else:
                    ask = partial(client.write_registers, told.address, list(told.words), device_id=unit)
                answer = await self._answer(ask, unit)
                if answer.function_code != (6 if told.single else 16) or answer.address != told.address:
                    raise InvalidValue(f"{self} was told register {told.address}, answered {answer.address}")

    async def names(self, unit: int) -> dict[int, bytes]:
        """Return what a unit says of itself by function 43/14, its basic names by their numbers.

        Raises:
            Unreachable: As above; what does not know the function may be silent too.
            InvalidValue: As above.
        """
        async with self._one_by_one:
            client = await self._connected()
            ask = partial(client.read_device_information, read_code=BASIC, object_id=0, device_id=unit)
            answer = await self._answer(ask, unit)
        said = getattr(answer, "information", None)
        if not isinstance(said, dict) or not all(isinstance(one, bytes) for one in said.values()):
            raise InvalidValue(f"{self} was asked for its names, answered something else")
        return said

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def __str__(self) -> str:
        return f"{self._host}:{self._port}"

    async def _connected(self) -> AsyncModbusTcpClient:
        if self._client is not None and self._client.connected:
            return self._client
        self.close()
        left_s = self._not_before_s - asyncio.get_running_loop().time()
        if left_s > 0:
            raise Unreachable(f"{self} gave no connection; tried again in {left_s:.1f} s")
        client = AsyncModbusTcpClient(
            self._host,
            port=self._port,
            timeout=self._wire.timeout_s,
            retries=0,
            reconnect_delay=0,
            trace_connect=self._changed,
        )
        if not await client.connect():
            client.close()
            self._failed()
            raise Unreachable(f"{self} takes no connection")
        self._client, self._silent = client, 0
        return client

    def _changed(self, connected: bool) -> None:
        """Give up waiting when the connection goes: the library would wait for its time-out."""
        if not connected and self._asking and self._client is not None:
            answer = self._client.ctx.response_future
            if not answer.done():
                answer.set_exception(ConnectionException("connection lost"))

    async def _answer(self, ask: Callable[[], Awaitable[ModbusPDU]], unit: int) -> ModbusPDU:
        self._asking = True
        try:
            answer = await ask()
        except (ModbusException, OSError) as error:
            self._silent += 1
            if self._client is None or not self._client.connected or self._silent >= SILENT:
                self.close()
                self._failed()
            raise Unreachable(f"unit {unit} at {self} gave no answer within {self._wire.timeout_s} s") from error
        finally:
            self._asking = False
        self._silent, self._wait_s = 0, 0.0
        if answer.isError():
            code = answer.exception_code
            words = f"unit {unit} at {self}: {EXCEPTIONS.get(code, 'unknown exception')} (Modbus exception {code})"
            raise Unreachable(words) if code in NO_ANSWER else InvalidValue(words)
        return answer

    def _failed(self) -> None:
        wire = self._wire
        self._wait_s = min(wire.backoff_most_s, max(wire.backoff_s, 2 * self._wait_s))
        self._not_before_s = asyncio.get_running_loop().time() + self._wait_s


async def shared_link(doors: Doors, url: str, wire: Wire) -> Link:
    """Return the connection to a server, one for all devices of this process: many take no second one.

    Raises:
        InvalidValue: The address is none.
    """
    at = address_of(url if "//" in url else f"//{url}", LIKE, dict.fromkeys(("", "tcp", "modbus"), PORT))

    @asynccontextmanager
    async def open_link() -> AsyncIterator[Link]:
        link = Link(at.host, at.port, wire)
        try:
            yield link
        finally:
            link.close()

    return await doors.shared(("modbus", at.host, at.port), open_link)
