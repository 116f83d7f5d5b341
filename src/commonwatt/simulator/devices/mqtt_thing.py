"""A simulated device that speaks MQTT: a client of a broker with physics behind it, as real plugs and meters are."""

import asyncio
import socket
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiomqtt

from commonwatt.simulator.devices.label import label_of
from commonwatt.simulator.plant import Plant

AT_ONCE = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
"""Small messages do not wait for each other."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message that it published."""

    topic: str
    payload: str
    retain: bool = False


class Thing(ABC):
    """One device. It tells what it measures when it is told to (`tell`), and answers by itself.

    Args:
        plant: Its physics.
        name: Its topic or id.

    Attributes:
        lies: Whether it shows what cannot be true.
        nameplate: What it says of itself, as far as its kind does.
    """

    will: Said
    birth: Said
    hears: tuple[str, ...] = ()

    def __init__(self, plant: Plant, name: str) -> None:
        self.plant, self.name = plant, name
        self.lies = False
        self.nameplate = label_of(plant)
        self._client: aiomqtt.Client | None = None
        self._there = asyncio.Event()
        self._last: list[Said] = []
        self._restarts = asyncio.Event()

    def announcements(self) -> list[Said]:
        """Return what it tells of itself when it has connected, beside that it is there."""
        return []

    @abstractmethod
    def telemetry(self) -> list[Said]:
        """Return what it tells of itself at each interval."""

    @abstractmethod
    async def heard(self, topic: str, payload: bytes) -> None:
        """Do what a message asks."""

    @asynccontextmanager
    async def plugged_in(self, host: str, port: int) -> AsyncIterator[None]:
        """Keep it connected; yields once it is."""
        living = asyncio.ensure_future(self._live(host, port))
        try:
            async with asyncio.timeout(10):
                await self._there.wait()
            yield
        finally:
            living.cancel()
            with suppress(asyncio.CancelledError, aiomqtt.MqttError):
                await living

    async def tell(self) -> None:
        """Publish what it measures now."""
        self._last = self.telemetry()
        await self.say(*self._last)

    async def repeat(self) -> None:
        """Publish its last messages again, the last first, and then some of before that again."""
        await self.say(*reversed(self._last), *self._last[:1], *self._last[:1])

    async def restart(self) -> None:
        """Lose power for a moment: it forgets what it was told, says goodbye through its broker, and comes back."""
        self.plant.restart()
        self._there.clear()
        self._restarts.set()
        async with asyncio.timeout(10):
            await self._there.wait()

    async def say(self, *messages: Said) -> None:
        """Publish messages."""
        assert self._client is not None
        for message in messages:
            await self._client.publish(message.topic, message.payload, qos=1, retain=message.retain)

    async def _live(self, host: str, port: int) -> None:
        while True:
            self._restarts.clear()
            will = aiomqtt.Will(self.will.topic, self.will.payload, 1, self.will.retain)
            try:
                async with aiomqtt.Client(host, port, will=will, timeout=5, socket_options=AT_ONCE) as client:
                    self._client = client
                    for topic in self.hears:
                        await client.subscribe(topic, 1)
                    await self.say(self.birth, *self.announcements())
                    self._there.set()
                    await self._listen(client)
                    # Its power is gone; a broker would say so for it after a while.
                    await self.say(self.will)
            except aiomqtt.MqttError:
                await asyncio.sleep(0.05)

    async def _listen(self, client: aiomqtt.Client) -> None:
        async def hear() -> None:
            async for message in client.messages:
                if not any(message.topic.matches(mine) for mine in self.hears):
                    continue  # amqtt hands out what it retains on topics that nobody asked for
                await self.heard(message.topic.value, bytes(message.payload) if message.payload else b"")

        hearing, restarts = asyncio.ensure_future(hear()), asyncio.ensure_future(self._restarts.wait())
        try:
            done, _ = await asyncio.wait((hearing, restarts), return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            for one in (hearing, restarts):
                one.cancel()
            await asyncio.gather(hearing, restarts, return_exceptions=True)
