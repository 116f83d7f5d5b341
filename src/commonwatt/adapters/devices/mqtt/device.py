"""A device behind a broker as a `Device`: what it told last is what it shows, what it is told it answers."""

import asyncio
from datetime import datetime, timedelta

from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.adapters.devices.mqtt.client import Broker, Login, Message, broker
from commonwatt.adapters.devices.mqtt.memory import Memory
from commonwatt.adapters.devices.mqtt.naming import Naming
from commonwatt.adapters.devices.mqtt.orders import Answer, Order, Profile
from commonwatt.adapters.devices.mqtt.profiles import profile_of
from commonwatt.adapters.devices.mqtt.settings import Settings, file_of, place_of
from commonwatt.adapters.devices.mqtt.translate import named
from commonwatt.flexibility.fitting import fitted
from commonwatt.model import (
    NO_NAMEPLATE,
    Ack,
    Asset,
    Caps,
    Command,
    DeviceState,
    InvalidValue,
    Nameplate,
    Unreachable,
    epoch,
)

NAMES_WITHIN_S = 2.0
ASKED_AGAIN_AFTER = timedelta(seconds=60)
"""A device that did not answer who it is, is not asked at every reading."""


async def open_device(asset: Asset, spec: DeviceSpec, doors: Doors) -> "MqttDevice":
    """Open a device behind a broker; neither need be there yet.

    Raises:
        InvalidValue: What is said of it makes no sense.
    """
    place = place_of(spec.url)
    settings, profile = profile_of(asset, spec, place.device)
    login = Login(
        host=place.host,
        port=place.port,
        status_topic=f"commonwatt/{named(asset.gateway)}/status",
        user=settings.user,
        password_file=file_of(settings.password_file),
        tls=place.tls,
        ca_file=file_of(settings.ca_file),
        certificate_file=file_of(settings.certificate_file),
        key_file=file_of(settings.key_file),
        within_s=settings.connect_within_s,
    )
    login.check()
    through = await doors.shared(("mqtt", login), lambda: broker(login))
    device = MqttDevice(asset, profile, settings, through, doors)
    await device.start()
    return device


class MqttDevice:
    """Implements the ports `Device`, `Identified` and `Clocked` over a broker's connection.

    Args:
        asset: What it is.
        profile: What is particular to its kind.
        settings: As the devices file has them.
        through: The connection.
        doors: With the clock.
    """

    def __init__(self, asset: Asset, profile: Profile, settings: Settings, through: Broker, doors: Doors) -> None:
        self._asset, self._profile, self._settings = asset, profile, settings
        self._broker, self._clock = through, doors.clock
        silent_after_s = settings.silent_after_s or profile.silent_after_s
        self._memory = Memory(profile.values, timedelta(seconds=silent_after_s))
        self._one_by_one = asyncio.Lock()
        self._waiting: tuple[Order, asyncio.Future[Answer]] | None = None
        self._untaught = ""
        self._answers = () if profile.orders is None else tuple(profile.orders.answers)
        self._nameplate = NO_NAMEPLATE
        self._named = asyncio.Event()
        self._ask_again: datetime | None = None
        self._ahead_s: int | None = None

    async def start(self) -> None:
        """Ask the broker for what the device says."""
        profile = self._profile
        filters = [*self._memory.topics, *profile.learn_from]
        if profile.presence is not None:
            filters.append(profile.presence.topic)
        filters += self._answers
        if profile.naming is not None:
            filters += profile.naming.topics
        for topic_filter in dict.fromkeys(filters):
            await self._broker.listen(topic_filter, self._hear)
        if profile.hello:
            await self._broker.greet(self._hello)

    @property
    def caps(self) -> Caps:
        """What it can be told."""
        return self._profile.caps

    @property
    def broker(self) -> Broker:
        """The connection that it shares."""
        return self._broker

    async def read(self) -> DeviceState:
        """Return what it told last.

        Raises:
            Unreachable: It is gone, silent for too long, or there is no broker.
            InvalidValue: What it told last cannot be true.
        """
        if not self._broker.connected:
            raise Unreachable(f"{self._asset.id}: no connection to the broker: {self._broker.trouble}")
        if self._untaught and not self._memory.topics:
            raise InvalidValue(f"{self._asset.id}: {self._untaught}")
        return self._memory.state(self._clock(), self._asset.id, capacity_wh=self._asset.capacity_wh)

    async def identity(self) -> Nameplate:
        """Return what it says that it is, asked anew where it can be asked; nothing where it never does.

        Raises:
            Unreachable: There is no broker, or it did not say.
        """
        naming = self._profile.naming
        if naming is None:
            return NO_NAMEPLATE
        if not self._broker.connected:
            raise Unreachable(f"{self._asset.id}: no connection to the broker: {self._broker.trouble}")
        now = self._clock()
        if naming.ask and (self._ask_again is None or not now < self._ask_again <= now + ASKED_AGAIN_AFTER):
            self._ask_again = now + ASKED_AGAIN_AFTER
            await self._ask_names(naming)
            self._ask_again = None
        if self._nameplate == NO_NAMEPLATE:
            raise Unreachable(f"{self._asset.id} has not said who it is")
        return self._nameplate

    @property
    def clock_ahead_s(self) -> int | None:
        """By how much its clock was ahead of ours when it told the time last, where its kind does."""
        return self._ahead_s

    async def apply(self, command: Command) -> Ack:
        """Tell it a band, until the command expires or its lease is over, whichever comes first.

        Raises:
            Unreachable: There is no broker, or the device did not answer.
        """
        left_s = epoch(command.expires) - epoch(self._clock())
        if left_s <= 0:
            return Ack(command=command.id, asset=command.asset, taken=None, why="command has expired")
        taken, why = fitted(self.caps, command.band)
        orders = self._profile.orders
        if taken is None or orders is None:
            return Ack(command=command.id, asset=command.asset, taken=None, why=why)
        answer = await self._tell(orders.hold(taken, min(left_s, self.caps.lease_s or left_s)))
        if answer.refused:
            return Ack(command=command.id, asset=command.asset, taken=None, why=answer.refused)
        return Ack(command=command.id, asset=command.asset, taken=answer.taken or taken, why=why)

    async def release(self) -> None:
        """Let it go to its safe default.

        Raises:
            Unreachable: There is no broker, or the device did not answer.
        """
        if self._profile.orders is not None:
            await self._tell(self._profile.orders.release())

    async def close(self) -> None:
        """Hear it no more; the connection is the process's."""
        self._broker.leave(self._hear)
        self._broker.ungreet(self._hello)

    async def _tell(self, order: Order) -> Answer:
        within_s = self._settings.answer_within_s
        if order.hear is None and not self._memory.fresh(self._clock()):
            raise Unreachable(f"{self._asset.id} was not heard lately, and gives no answers: it may not be there")
        async with self._one_by_one:
            future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            self._waiting = (order, future) if order.hear is not None else None
            try:
                async with asyncio.timeout(within_s):
                    return await self._broker.unless_lost(self._send(order, future))
            except TimeoutError as error:
                raise Unreachable(f"{self._asset.id} gave no answer within {within_s:g} s") from error
            finally:
                self._waiting = None

    async def _send(self, order: Order, future: asyncio.Future[Answer]) -> Answer:
        for note in order.notes:
            await self._broker.publish(note.topic, note.payload, within_s=self._settings.answer_within_s)
        return Answer() if order.hear is None else await future

    async def _hello(self) -> None:
        for note in self._profile.hello:
            await self._broker.publish(note.topic, note.payload)

    async def _ask_names(self, naming: Naming) -> None:
        within_s = min(NAMES_WITHIN_S, self._settings.answer_within_s)
        self._named.clear()
        self._nameplate = NO_NAMEPLATE  # what it said before may have been another device's
        try:
            async with asyncio.timeout(within_s):
                for note in naming.ask:
                    await self._broker.publish(note.topic, note.payload, within_s=within_s)
                await self._broker.unless_lost(self._named.wait())
        except TimeoutError as error:
            raise Unreachable(f"{self._asset.id} did not say within {within_s:g} s who it is") from error

    def _hear_name(self, naming: Naming, message: Message) -> None:
        """Take in who it is, which may be retained, and what time it has, which may not."""
        said, clock_s = naming.hear(message.topic, message.payload)
        self._nameplate = said.over(self._nameplate)
        if not message.retained:
            if said.serial:
                self._named.set()
            if clock_s is not None:
                self._ahead_s = clock_s - epoch(self._clock())

    def _hear(self, message: Message) -> None:
        profile, topic = self._profile, message.topic
        if profile.presence is not None and topic == profile.presence.topic:
            gone = message.payload == profile.presence.gone
            self._memory.away(f"{topic} says {message.payload[:40].decode(errors='replace')}" if gone else "")
        if profile.naming is not None and any(_under(topic, one) for one in profile.naming.topics):
            self._hear_name(profile.naming, message)
        if profile.learn is not None and any(_under(topic, one) for one in profile.learn_from):
            self._learn(message)
        if self._waiting is not None and not message.retained and topic in self._answers:
            self._answer(message)
        self._memory.hear(topic, message.payload, self._clock(), retained=message.retained)

    def _answer(self, message: Message) -> None:
        assert self._waiting is not None
        order, future = self._waiting
        assert order.hear is not None
        try:
            answer = order.hear(message.topic, message.payload)
        except InvalidValue:
            return  # spoiled on its way: the order is answered again when it is told again
        if answer is not None and not future.done():
            future.set_result(answer)

    def _learn(self, message: Message) -> None:
        assert self._profile.learn is not None
        known = set(self._memory.topics)
        try:
            self._memory.know(self._profile.learn(message.topic, message.payload))
        except InvalidValue as error:
            self._untaught = str(error)
            return
        for topic in sorted(set(self._memory.topics) - known):
            self._broker.soon(self._broker.listen(topic, self._hear))


def _under(topic: str, topic_filter: str) -> bool:
    """Tell whether a topic matches a filter without ``#``."""
    steps, wanted = topic.split("/"), topic_filter.split("/")
    return len(steps) == len(wanted) and all(want in ("+", step) for step, want in zip(steps, wanted, strict=True))
