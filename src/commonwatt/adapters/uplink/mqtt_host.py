"""The community's bridge to an MQTT broker: takes and answers bursts in bulk, and leaves orders there, retained."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import uniform

from commonwatt.adapters.uplink import mqtt_wire
from commonwatt.adapters.uplink.translate import Place, number_of, topic
from commonwatt.flows.gateway.post_office import PostOffice
from commonwatt.model import CommonwattError, InvalidValue, Refused, Unreachable

KEEP_ALIVE_S = 30
ANSWERED_WITHIN_S = 20.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
AT_ONCE = 2_048
"""Bursts that are handed in together."""
MOST_RUNNING = 4
MOST_WAITING = 16_384
"""Bursts that may wait; beyond, the broker is not read, and gateways that wait too long send again."""


class MqttHost:
    """One bridge. The broker needs no trust: it sees what is said, and can say nothing itself.

    Args:
        office: Decides.
        where: The broker.
        tls: For ``mqtts``.
        word: Told in words when the line opens and breaks.
        login: Name and password for the broker, where it asks.
    """

    def __init__(
        self,
        office: PostOffice,
        where: Place,
        tls: ssl.SSLContext | None,
        word: Callable[[str], None],
        login: tuple[str, str] | None = None,
    ) -> None:
        self._office, self._where, self._tls, self._word, self._login = office, where, tls, word, login
        self._line: _Line | None = None

    async def run(self) -> None:
        """Keep the line open until cancelled, whatever breaks.

        Raises:
            Refused: The log takes nothing more.
        """
        failed = 0
        while True:
            try:
                why = await self._once()
                failed = 0
            except (InvalidValue, Unreachable, OSError, TimeoutError) as error:
                why = str(error) or "no answer in time"
                failed += 1
            self._word(f"the line to {self._where} is closed: {why}")
            await asyncio.sleep(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failed, 16)) * uniform(0.5, 1))  # noqa: S311  no secret

    async def tell(self, letters: Sequence[tuple[str, bytes]]) -> None:
        """Leave orders at the broker, each in place of the one before; without a line they are left once there is."""
        if self._line is not None and letters:
            community = self._office.community
            self._line.publish([(topic(community, number, "commands"), wire) for number, wire in letters], retain=True)

    async def _once(self) -> str:
        """Serve one connection until it ends, and return why."""
        loop, community = asyncio.get_running_loop(), self._office.community
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            transport, line = await loop.create_connection(
                lambda: _Line(community), self._where.host, self._where.port, ssl=self._tls
            )
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                line.write(mqtt_wire.connect(f"commonwatt-{community}-accept", KEEP_ALIVE_S, self._login))
                await line.connected
                line.write(mqtt_wire.subscribe(1, topic(community, "+", "requests")))
                await line.subscribed
            self._line = line
            self._word(f"the line to {self._where} is open")
            await self.tell(self._office.orders(again=True))
            async with asyncio.TaskGroup() as tasks:
                pinging = tasks.create_task(line.ping())
                serving = tasks.create_task(self._serve(line))
                why = await line.ended
                pinging.cancel()
                serving.cancel()
            return why
        except* Refused as refused:
            raise refused.exceptions[0] from None
        finally:
            self._line = None
            transport.close()

    async def _serve(self, line: "_Line") -> None:
        free = asyncio.Semaphore(MOST_RUNNING)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await free.acquire()
                bursts = await line.some()
                tasks.create_task(self._answer(line, bursts, free))

    async def _answer(self, line: "_Line", bursts: list[tuple[str, bytes]], free: asyncio.Semaphore) -> None:
        try:
            community = self._office.community
            answers = await self._office.take(bursts)
            line.publish([(topic(community, number, "answers"), letter) for number, letter in answers])
        finally:
            free.release()


class _Line(asyncio.Protocol):
    """One connection to the broker."""

    def __init__(self, community: str) -> None:
        loop = asyncio.get_running_loop()
        self._community = community
        self._buffer = bytearray()
        self._bursts: deque[tuple[str, bytes]] = deque()
        self._come = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._paused = self._heard = False
        self._number = 1
        self.connected: asyncio.Future[None] = loop.create_future()
        self.subscribed: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[str] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(str(exc) if exc else "the broker hung up")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._heard = True
        try:
            arrived = list[int]()
            for first, packet in mqtt_wire.split(self._buffer):
                if first & 0xF0 == mqtt_wire.PUBLISH:
                    self._take(first, packet, arrived)
                else:
                    self._note(first, packet)
        except InvalidValue as error:
            self._end(f"the broker says what cannot be read: {error}")
            return
        if arrived:
            # Arrived is not answered: a gateway keeps its requests until it has the signed outcome of each.
            self.write(mqtt_wire.pubacks(arrived))
        if self._bursts:
            self._come.set()
        if len(self._bursts) > MOST_WAITING and self._transport is not None:
            self._transport.pause_reading()
            self._paused = True

    async def some(self) -> list[tuple[str, bytes]]:
        """Return bursts that have come in, as soon as there are any."""
        await self._come.wait()
        found = [self._bursts.popleft() for _ in range(min(AT_ONCE, len(self._bursts)))]
        if not self._bursts:
            self._come.clear()
        if self._paused and len(self._bursts) <= MOST_WAITING // 2 and self._transport is not None:
            self._transport.resume_reading()
            self._paused = False
        return found

    def publish(self, messages: Sequence[tuple[str, bytes]], *, retain: bool = False) -> None:
        """Send messages in one piece. Those that break with the line are said again when they are asked for again."""
        packets = []
        for name, payload in messages:
            self._number = self._number % 65_535 + 1
            packets.append(mqtt_wire.publish(self._number, name, payload, retain=retain))
        self.write(b"".join(packets))

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    async def ping(self) -> None:
        """Say something now and then, and hear something back."""
        while True:
            self._heard = False
            self.write(mqtt_wire.PING)
            await asyncio.sleep(KEEP_ALIVE_S / 2)
            if not self._heard and not self._paused:
                self._end("the broker said nothing in time")

    def _take(self, first: int, packet: bytes, arrived: list[int]) -> None:
        name, packet_id, payload = mqtt_wire.published(first, packet)
        if packet_id is not None:
            arrived.append(packet_id)
        with suppress(CommonwattError):
            self._bursts.append((number_of(name, self._community), payload))

    def _note(self, first: int, packet: bytes) -> None:
        if first == mqtt_wire.CONNACK and not self.connected.done():
            code = packet[1] if len(packet) == 2 else 0xFF
            if code:
                why = mqtt_wire.REFUSALS.get(code, f"code {code}")
                self.connected.set_exception(Unreachable(f"the broker does not let this client in: {why}"))
            else:
                self.connected.set_result(None)
        elif first == mqtt_wire.SUBACK and not self.subscribed.done():
            if packet[2:] in (b"\x00", b"\x01"):
                self.subscribed.set_result(None)
            else:
                self.subscribed.set_exception(Unreachable("the broker does not let this client read requests"))

    def _end(self, why: str) -> None:
        for waiting in (self.connected, self.subscribed):
            if not waiting.done():
                waiting.set_exception(Unreachable(why))
                waiting.exception()  # nobody may be waiting for it any more
        if not self.ended.done():
            self.ended.set_result(why)
        if self._transport is not None:
            self._transport.close()
