"""The CAN bus of a battery: through socketcand over TCP, or any bus that python-can knows, kept up by itself."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Protocol

import can

from commonwatt.adapters.devices.addresses import NAMED, NO_PORT, address_of
from commonwatt.model import InvalidValue, Unreachable

Heard = Callable[[int, bytes], None]
LIKE = "socketcand://host:port/channel or can://interface/channel"


class Bus(Protocol):
    """A bus that is listened to."""

    connected: bool
    trouble: str

    async def send(self, number: int, data: bytes) -> None:
        """Send a frame.

        Raises:
            Unreachable: It did not leave.
        """

    async def close(self) -> None:
        """Stop listening."""


def bus_at(url: str, heard: Heard, *, silence_s: float, again_s: float) -> Bus:
    """Listen to a bus: ``socketcand://host:port/can0``, or ``can://interface/channel`` as python-can calls them.

    Args:
        url: Where it is.
        heard: Called with every frame, in the event loop.
        silence_s: A bus that is silent for so long is connected to again.
        again_s: Seconds between tries.

    Raises:
        InvalidValue: It is no such address.
    """
    at = address_of(url, LIKE, {"socketcand": NAMED, "can": NO_PORT})
    if at.scheme == "socketcand" and at.path.isalnum():
        return SocketcandBus(at.host, at.port, at.path, heard, silence_s=silence_s, again_s=again_s)
    if at.scheme == "can" and at.host in can.VALID_INTERFACES and at.path:
        return PythonCanBus(at.host, at.path, heard, silence_s=silence_s, again_s=again_s)
    raise InvalidValue(f"an address is like {LIKE}, was {url!r}")


class SocketcandBus:
    """Speaks socketcand's line protocol itself: python-can's client waits for ever on a connection that is half open.

    Source: socketcand, doc/protocol.md: hi, open, rawmode, then frame and send.
    """

    def __init__(self, host: str, port: int, channel: str, heard: Heard, *, silence_s: float, again_s: float) -> None:
        self._host, self._port, self._channel, self._heard = host, port, channel, heard
        self._silence_s, self._again_s = silence_s, again_s
        self._writer: asyncio.StreamWriter | None = None
        self.connected = False
        self.trouble = "not connected yet"
        self._task = asyncio.create_task(self._listen())

    async def send(self, number: int, data: bytes) -> None:
        """Send a frame."""
        if self._writer is None or not self.connected:
            raise Unreachable(f"no CAN bus: {self.trouble}")
        words = " ".join(f"{byte:x}" for byte in data)
        try:
            self._writer.write(f"< send {number:03X} {len(data):X} {words} >".encode())
            async with asyncio.timeout(self._silence_s):
                await self._writer.drain()
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"the CAN bus took no frame: {error or 'in time'}") from error

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
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
                self.trouble = str(error) or "connection lost"
            self.connected, self._writer = False, None
            await asyncio.sleep(self._again_s)

    async def _hear_one_connection(self) -> None:
        async with asyncio.timeout(self._silence_s):
            reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=4096)
        try:
            for says, wants in (("", "< hi >"), (f"< open {self._channel} >", "< ok >"), ("< rawmode >", "< ok >")):
                self._writer.write(says.encode())
                if (told := await self._word(reader)) != wants:
                    self.trouble = f"socketcand says {told[:40]!r} instead of {wants!r}"
                    return
            self.connected, self.trouble = True, "connected"
            while True:
                frame = frame_in(await self._word(reader))
                if frame is not None:
                    self._heard(*frame)
        finally:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()

    async def _word(self, reader: asyncio.StreamReader) -> str:
        async with asyncio.timeout(self._silence_s):
            return (await reader.readuntil(b">")).decode("latin-1").strip()


def frame_in(word: str) -> tuple[int, bytes] | None:
    """Return identifier and data of a word such as ``< frame 232 16.5 0011223344556677 >``; None for any other."""
    match word.strip("<> ").split(" "):
        case ["frame", number, _, *data]:
            try:
                return int(number, 16), bytes.fromhex("".join(data))
            except ValueError:
                return None
        case _:
            return None


class PythonCanBus:
    """Listens with python-can, in a thread of its own: its buses wait."""

    def __init__(self, interface: str, channel: str, heard: Heard, *, silence_s: float, again_s: float) -> None:
        self._interface, self._channel, self._heard = interface, channel, heard
        self._silence_s, self._again_s = silence_s, again_s
        self._loop = asyncio.get_running_loop()
        self._bus: can.BusABC | None = None
        self._over = threading.Event()
        self.connected = False
        self.trouble = "not connected yet"
        self._thread = threading.Thread(target=self._listen, daemon=True, name=f"can {channel}")
        self._thread.start()

    async def send(self, number: int, data: bytes) -> None:
        """Send a frame."""
        bus = self._bus
        if bus is None:
            raise Unreachable(f"no CAN bus: {self.trouble}")
        message = can.Message(arbitration_id=number, data=data, is_extended_id=False)
        try:
            await asyncio.to_thread(bus.send, message, self._silence_s)
        except (can.CanError, OSError, ValueError) as error:
            raise Unreachable(f"the CAN bus took no frame: {error}") from error

    async def close(self) -> None:
        """Stop listening."""
        self._over.set()
        await asyncio.to_thread(self._thread.join, 2.0)

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                with can.Bus(interface=self._interface, channel=self._channel) as bus:
                    self._bus, self.connected, self.trouble = bus, True, "connected"
                    self._hear(bus)
            except (can.CanError, OSError, ValueError, ImportError) as error:
                self.trouble = str(error)
            self._bus, self.connected = None, False
            self._over.wait(self._again_s)

    def _hear(self, bus: can.BusABC) -> None:
        last = time.monotonic()
        while not self._over.is_set():
            message = bus.recv(0.1)
            if message is None:
                if time.monotonic() - last > self._silence_s:
                    self.trouble = f"silent for {self._silence_s:g} s"
                    return
                continue
            last = time.monotonic()
            if message.is_error_frame or message.is_remote_frame or message.is_extended_id:
                continue
            with contextlib.suppress(RuntimeError):  # the event loop has ended before us
                self._loop.call_soon_threadsafe(self._heard, message.arbitration_id, bytes(message.data))
