"""A gateway's day: devices every second, meters at every quarter-hour, post whenever there is some; by one clock.

A clock may be set, stand, or lie. No slot is closed twice or out of order, since what was closed is remembered. What
was not read at a slot's end is not guessed from a later moment: the next value tells of both slots. A leap far ahead is
not believed until the community's letters say the same, or an hour has passed: one slot closed in a false year
would close the door to all before it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from commonwatt.flows.gateway.gateway import READ_WITHIN_S, Gateway
from commonwatt.flows.gateway.letters import Orders
from commonwatt.flows.gateway.ports import Clock, Outbox, Uplink
from commonwatt.flows.gateway.post import Post
from commonwatt.model import SLOT_SECONDS, Command, CommonwattError, Unreachable, epoch

EVERY_S = 1.0
JUMP_S = 5.0
"""A clock that differs so much from the steady one was set."""
FAR_S = 3600
"""A leap ahead that is not believed at once; and how long it stands until it is."""
AGREES_S = 300
"""A letter's time that is so near says that the clock is right."""
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


class Watch:
    """Holds a clock against one that nobody sets."""

    def __init__(self, clock: Clock, alarm: Callable[[str], None]) -> None:
        self._clock, self._alarm = clock, alarm
        self._last_s, self._steady_s = epoch(clock.now()), clock.steady_s()
        self._doubted_s: float | None = None

    def look(self, told_s: int) -> bool:
        """Tell whether the clock may be believed enough to close a slot.

        Args:
            told_s: The latest time that a letter told; 0 where none came.
        """
        now_s, steady_s = epoch(self._clock.now()), self._clock.steady_s()
        jumped_s = (now_s - self._last_s) - (steady_s - self._steady_s)
        self._last_s, self._steady_s = now_s, steady_s
        if abs(jumped_s) > JUMP_S:
            self._alarm(f"the clock was set {'ahead' if jumped_s > 0 else 'back'} by {abs(round(jumped_s))} s")
            self._doubted_s = steady_s if jumped_s > FAR_S else None
        if self._doubted_s is not None and (abs(now_s - told_s) <= AGREES_S or steady_s - self._doubted_s >= FAR_S):
            self._doubted_s = None
        return self._doubted_s is None


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
    ) -> None:
        self._gateway, self._outbox, self._post, self._uplink = gateway, outbox, post, uplink
        self._clock, self._alarms, self._word, self._keep, self._show = clock, alarms, word, keep, show
        self._sleep, self._each, self._heard = sleep, each, heard
        self._watch = Watch(clock, alarms.raise_)
        self._orders: Orders | None = None
        self._untold = False
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
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._gateway.keeper.close()
            self._say()

    async def step(self) -> None:
        """Do what one second asks for."""
        now = self._clock.now()
        believed = self._watch.look(self._post.told_s if self._post else 0)
        try:
            if self._each is not None:
                await self._each()
            await self._close(now, believed=believed)
            await self._keep_devices(now)
        except OSError as error:
            # What was not kept was not done: it is tried again; devices hold what they were told all the while.
            self._alarms.raise_(f"the disk takes nothing: {error}")
            await self._gateway.tick(now)
        steady_s = self._clock.steady_s()
        if self._shown_s is None or steady_s - self._shown_s >= SHOWN_EVERY_S:
            self._shown_s = steady_s
            await self._gateway.keeper.read()
            self._say()

    def hear(self, wire: bytes) -> None:
        """Take in a letter."""
        orders = self._post.hear(wire) if self._post else None
        if orders is not None:
            self.obey(orders)
            try:
                self._keep(wire)
            except OSError as error:
                self._alarms.raise_(f"the disk takes nothing: {error}")

    def obey(self, orders: Orders) -> None:
        """Let orders stand in place of those before."""
        self._orders, self._untold = orders, True
        self._heard(orders)

    async def _close(self, now: datetime, *, believed: bool) -> None:
        """Close the slot that ended last, once; one whose end has passed too long ago is left to the next value."""
        now_s = epoch(now)
        begun_s = now_s // SLOT_SECONDS * SLOT_SECONDS
        ended_s = begun_s - SLOT_SECONDS
        if ended_s <= self._gateway.closed_s or not believed:
            return
        if now_s - begun_s > READ_WITHIN_S:
            if self._skipped_s != ended_s and self._gateway.closed_s:
                self._skipped_s = ended_s
                self._word(f"the slot from {ended_s} was not read at its end; the next value tells of it")
            return
        await self._gateway.close_slot(ended_s)

    async def _keep_devices(self, now: datetime) -> None:
        orders = self._orders
        if orders is None or not self._untold:
            await self._gateway.tick(now)
            return
        commands = list[Command]()
        for one in orders.commands:
            try:
                commands.append(one.command())
            except CommonwattError as error:
                self._alarms.raise_(f"a command makes no sense: {error}")
        await self._gateway.tell(commands, orders.slot_s, now)
        self._untold = False

    async def _line(self) -> None:
        if self._uplink is not None:
            await self._uplink.run(self.hear, self._word)

    async def _send(self) -> None:
        """Send what waits, as soon as some does; after a failure again, ever more patiently."""
        failed = 0
        while self._post is not None:
            try:
                await self._post.send_all()
                failed, wait_s = 0, self._post.wait_s(0)
            except Unreachable as error:
                if self._post.trouble:
                    self._alarms.raise_(str(error))
                wait_s = self._post.wait_s(failed)
                failed += 1
            except OSError as error:
                self._alarms.raise_(f"the disk takes nothing: {error}")
                wait_s = self._post.wait_s(failed)
                failed += 1
            await self._sleep(wait_s)

    def _say(self) -> None:
        try:
            self._show()
        except OSError as error:
            self._alarms.raise_(f"the disk takes nothing: {error}")
