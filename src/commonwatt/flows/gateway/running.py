"""A gateway's day: devices every second, meters at every quarter-hour, post whenever there is some; by one clock.

A clock may be set, stand, or lie. No slot is closed twice or out of order, since what was closed is remembered. What
was not read at a slot's end is not guessed from a later moment: the next value tells of both slots. While the clock is
not to be believed (`clocks.Watch`) nothing is signed; what meters show meanwhile is told once the time is known.
Devices are kept all the while, whatever meters, disk and clock do, and none waits for another.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from commonwatt.flows.gateway.backlog import Backlog
from commonwatt.flows.gateway.clocks import Watch
from commonwatt.flows.gateway.gateway import READ_WITHIN_S, TICK_WITHIN_S, Gateway
from commonwatt.flows.gateway.letters import Orders
from commonwatt.flows.gateway.ports import Clock, Outbox, Uplink
from commonwatt.flows.gateway.post import Post
from commonwatt.model import SLOT_SECONDS, Command, CommonwattError, Corrupt, Refused, Unreachable, epoch

EVERY_S = 1.0
ASKED_EVERY_S = 60.0
"""How often the community is asked what time it is, while the clock is in doubt."""
SHOWN_EVERY_S = 15.0
MOST_ALARMS = 100


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a person should know, since when and until when it was said again."""

    first: datetime
    last: datetime
    count: int
    words: str


@dataclass(slots=True)
class Alarms:
    """The last alarms; the same words again only count."""

    clock: Clock
    word: Callable[[str], None]
    standing: deque[Alarm] = field(default_factory=lambda: deque(maxlen=MOST_ALARMS))

    def raise_(self, words: str) -> None:
        """Note an alarm, and say it where it is new."""
        now = self.clock.now()
        for place, known in enumerate(self.standing):
            if known.words == words:
                self.standing[place] = Alarm(known.first, now, known.count + 1, words)
                return
        self.standing.append(Alarm(now, now, 1, words))
        self.word(words)


class Runner:
    """Runs a gateway until it is told to stop.

    Args:
        gateway: Its devices, memory and pen.
        outbox: What waits.
        post: Its letters; None where it has no uplink and only keeps.
        uplink: The line of the post.
        clock: On its wall.
        alarms: Where trouble is said.
        word: Told in words what happens.
        keep: Is given the orders that were heard, as they travelled, to be kept for the next start.
        show: Called every so often, to tell whoever wants to know.
        each: Done at the beginning of every second, before anything is read.
        heard: Is given the orders that stand from now on.
        sleep: How it waits.
        known_s: A time that has certainly passed: something was written down then in the life before.
    """

    def __init__(
        self,
        gateway: Gateway,
        outbox: Outbox,
        post: Post | None,
        uplink: Uplink | None,
        clock: Clock,
        alarms: Alarms,
        *,
        word: Callable[[str], None] = lambda word: None,
        keep: Callable[[bytes], None] = lambda wire: None,
        show: Callable[[], None] = lambda: None,
        each: Callable[[], Awaitable[None]] | None = None,
        heard: Callable[[Orders], None] = lambda orders: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        known_s: int = 0,
    ) -> None:
        self._gateway, self._outbox, self._post, self._uplink = gateway, outbox, post, uplink
        self._clock, self._alarms, self._word, self._keep, self._show = clock, alarms, word, keep, show
        self._sleep, self._each, self._heard = sleep, each, heard
        closed_s = gateway.closed_s + SLOT_SECONDS if gateway.closed_s else 0
        self._watch = Watch(clock, alarms.raise_, max(known_s, closed_s), asks=post is not None)
        self._backlog = Backlog()
        self._believed = False
        self._asked_s: float | None = None
        self._orders: Orders | None = None
        self._orders_end_s = 0.0
        self._untold = False
        self._measuring: asyncio.Task[None] | None = None
        self._telling = set[asyncio.Task[None]]()
        self._skipped_s = 0
        self._shown_s: float | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Keep devices, read meters and send post until told to stop; then let every device go."""
        tasks = [asyncio.create_task(self._line()), asyncio.create_task(self._send())]
        try:
            while not stop.is_set():
                for task in tasks:
                    if task.done():
                        task.result()  # it ends for nothing but an error of ours: better to be started again
                await self.step()
                await self._sleep(EVERY_S)
        finally:
            tasks += [*self._telling, *([self._measuring] if self._measuring else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._gateway.keeper.close()
            self._say()

    async def step(self) -> None:
        """Do what one second asks for; meters that are slow to answer are read beside, and hold up no device."""
        self._believed = self._watch.look(self._post.time if self._post else None)
        if self._each is not None:
            async with self._trying():
                await self._each()
        if self._measuring is None or self._measuring.done():
            self._measuring = asyncio.create_task(self._measure(self._clock.now()))
        async with self._trying():
            await self._keep_devices(self._clock.now())
        await asyncio.wait({self._measuring}, timeout=TICK_WITHIN_S)
        for task in [task for task in (self._measuring, *self._telling) if task.done()]:
            self._telling.discard(task)
            task.result()

    async def _measure(self, now: datetime) -> None:
        """Read what is to be read in this second, sign what comes of it, and show how all fare."""
        async with self._trying():
            await (self._close(now) if self._believed else self._note())
        steady_s = self._clock.steady_s()
        if self._shown_s is None or steady_s - self._shown_s >= SHOWN_EVERY_S:
            self._shown_s = steady_s
            await self._gateway.keeper.read()
            self._say()

    @asynccontextmanager
    async def _trying(self) -> AsyncIterator[None]:
        """Say what the disk, or a token with the key, refuses; what was not kept was not done, and is tried again."""
        try:
            yield
        except (OSError, Corrupt) as error:
            self._alarms.raise_(f"the disk refuses: {error}")
        except Refused as error:
            self._alarms.raise_(f"nothing is signed: {error}")

    def hear(self, wire: bytes) -> None:
        """Take in a letter."""
        orders = self._post.hear(wire) if self._post else None
        if orders is not None:
            self.obey(orders)
            try:
                self._keep(wire)
            except OSError as error:
                self._alarms.raise_(f"the disk refuses: {error}")

    def obey(self, orders: Orders) -> None:
        """Let orders stand in place of those before, no longer than they are worth believing, whatever clocks show."""
        self._orders, self._untold = orders, True
        lasts_s = orders.until_s - max(orders.told_s, epoch(self._clock.now()))
        self._orders_end_s = self._clock.steady_s() + max(0, lasts_s)
        self._heard(orders)

    async def _note(self) -> None:
        """Read meters while nobody knows the time."""
        steady_s, now = self._clock.steady_s(), self._clock.now()
        if self._backlog.due(steady_s):
            self._backlog.note(steady_s, now, await self._gateway.keeper.read())

    async def _close(self, now: datetime) -> None:
        """Close the slot that ended last, once; one whose end has passed too long ago is left to the next value."""
        for slot_s, states in self._backlog.slots(self._clock.steady_s(), now, self._gateway.closed_s):
            await self._gateway.close_slot(slot_s, states)
        self._backlog.clear()
        now_s = epoch(now)
        begun_s = now_s // SLOT_SECONDS * SLOT_SECONDS
        ended_s = begun_s - SLOT_SECONDS
        if ended_s <= self._gateway.closed_s:
            return
        if now_s - begun_s > READ_WITHIN_S:
            if self._skipped_s != ended_s and self._gateway.closed_s:
                self._skipped_s = ended_s
                self._word(f"the slot from {ended_s} was not read at its end; the next value tells of it")
            return
        await self._gateway.close_slot(ended_s)

    async def _keep_devices(self, now: datetime) -> None:
        orders = self._orders
        if orders is not None and self._clock.steady_s() >= self._orders_end_s:
            # By a clock that stands, or is behind, no command of these would ever expire.
            self._orders = orders = None
            for name in self._gateway.keeper.kept:
                self._gateway.keeper.forget(name)
        if orders is None or not self._untold:
            await self._gateway.tick(now)
            return
        commands = list[Command]()
        for one in orders.commands:
            try:
                commands.append(one.command())
            except CommonwattError as error:
                self._alarms.raise_(f"a command makes no sense: {error}")
        self._untold = False
        telling = asyncio.create_task(self._tell(orders, commands, now))
        self._telling.add(telling)
        await asyncio.wait({telling}, timeout=TICK_WITHIN_S)

    async def _tell(self, orders: Orders, commands: Sequence[Command], now: datetime) -> None:
        """Tell devices, and sign what they answer: who is slow is waited for here, and by nobody else."""
        async with self._trying():
            await self._gateway.tell(commands, orders.slot_s, now)
            return
        if self._orders is orders:
            self._untold = True  # their answers could not be kept

    async def _line(self) -> None:
        if self._uplink is not None:
            await self._uplink.run(self.hear, self._word)

    async def _send(self) -> None:
        """Send what waits, as soon as some does; after a failure again, ever more patiently."""
        failed = 0
        while self._post is not None:
            try:
                await self._post.send_all()
                await self._ask_time(self._post)
                failed, wait_s = 0, self._post.wait_s(0)
            except (Unreachable, OSError, Refused) as error:
                if not isinstance(error, Unreachable):
                    self._alarms.raise_(f"nothing is sent: {error}")
                elif self._post.trouble:
                    self._alarms.raise_(str(error))
                wait_s = self._post.wait_s(failed)
                failed += 1
            await self._sleep(wait_s)

    async def _ask_time(self, post: Post) -> None:
        """Ask what time it is while the clock is in doubt, now and then."""
        steady_s = self._clock.steady_s()
        if self._believed or (self._asked_s is not None and steady_s - self._asked_s < ASKED_EVERY_S):
            return
        await post.ask_time()
        self._asked_s = steady_s

    def _say(self) -> None:
        try:
            self._show()
        except OSError as error:
            self._alarms.raise_(f"the disk refuses: {error}")
