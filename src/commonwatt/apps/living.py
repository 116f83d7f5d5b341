"""A street that lives on with its door open: what members ask comes into the log between the phases of its slots."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from commonwatt.adapters.door.server import Door
from commonwatt.apps import door_card
from commonwatt.apps.accepting import LOOK_EVERY_S, see_off
from commonwatt.apps.deeds import claim, tell_keys
from commonwatt.apps.pacing import Pacer
from commonwatt.apps.scenes import Scene, terms
from commonwatt.apps.wiring import durable_day, durable_paper_day, keep_past
from commonwatt.flexibility.plan import Engine
from commonwatt.flows.foreseeing import NOTHING_LEARNT, Chosen
from commonwatt.flows.outlook import Terms
from commonwatt.flows.trading_day import PHASES, Phase, in_place
from commonwatt.model import SLOT_SECONDS, CommonwattError, epoch, instant, round_div
from commonwatt.simulator.street import FEEDER, Street

LIVE_FORMAT = "lives on, door open"
"""Changed when a live run of before cannot be gone on with."""
SNAPSHOT_EVERY = 10_000
"""Leaves between snapshots: what whoever starts, or follows, has to run again at most."""
MOST_EXACT = 20
"""Homes up to which a street is planned by the exact engine: its plans of a hundred with cars take 20 s."""
STEP_S = 0.02
"""The longest sleep, so that a clock that is set wakes whoever waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a street lives on.

    Args:
        slot_ms: How long a slot lasts, ms.
        host: Where its door is.
        port: Likewise; 0 for any free one.
        on_paper: Whether gateways and homes are on paper, in this process: for more homes than processes.
    """

    slot_ms: int = 10_000
    host: str = "127.0.0.1"
    port: int = 7420
    on_paper: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A slot that is over: its start, leaves in the log, what the feeder's meter saw, and how long its plan took."""

    slot_s: int
    leaves: int
    feeder_w: int | None
    plan_ms: int


@dataclass(frozen=True, slots=True)
class Onlooker:
    """Whoever is told what happens: where the door is, each slot that is closed, and in words what else there is."""

    on_open: Callable[[door_card.DoorCard], None] = lambda card: None
    on_slot: Callable[[Told], None] = lambda told: None
    on_word: Callable[[str], None] = lambda word: None


class Living:
    """A street of a folder with its door.

    Everything that touches the state happens on one loop, so that nothing comes between the writing of a phase's
    requests and their place in the log. What takes long and touches no state, a plan or the passing of a slot behind
    the gateways, is done by a thread beside; the log's time waits for it, and the door does not.

    Args:
        stage: The street with all days that it is to live through.
        folder: The run's own; one that was interrupted goes on where it was.
        manner: How it lives.
        ticks_ms: A clock that is never set, in milliseconds.
        system_ms: The system's clock, milliseconds since 1970, by which others read the log's.
        onlooker: Is told what happens.
    """

    def __init__(
        self,
        stage: Scene,
        folder: Path,
        manner: Manner,
        ticks_ms: Callable[[], int],
        system_ms: Callable[[], int],
        onlooker: Onlooker,
    ) -> None:
        self._stage, self._folder, self._manner = stage, folder, manner
        self._ticks_ms, self._system_ms, self._onlooker = ticks_ms, system_ms, onlooker
        self._stop = threading.Event()
        self._chosen = NOTHING_LEARNT

    def stop(self) -> None:
        """End it, once the phase that is under way is done; may be called from anywhere."""
        self._stop.set()

    def run(self, *, fresh: bool = False) -> None:
        """Live until stopped, or interrupted.

        Args:
            fresh: Throw away what an earlier run left in the folder.

        Raises:
            Refused: The folder holds another street or another kind of run; or the log cannot be written any more.
            OSError: The door cannot be opened there.
        """
        claim(self._stage, self._folder, f"{LIVE_FORMAT} {self._manner.on_paper}", fresh=fresh)
        wired = durable_paper_day if self._manner.on_paper else durable_day
        with ExitStack() as doors:
            self._day = day = wired(self._stage, self._folder, doors)
            doors.callback(day.sequencer.close)  # its thread may still be writing to the store that is closed next
            self._days = self._stage.street.each_day()
            day.grid = {epoch(one.span.start): one.dso for one in self._days[1:]}
            day.terms = self._terms(self._days[0])
            self._begin()
            tell_keys(self._stage, day, self._folder)
            keep_past(self._stage, self._folder)
            self._pacer = Pacer(self._ticks_ms, self._manner.slot_ms, day.sequencer.last_s)
            asyncio.run(self._live())

    def now_s(self) -> int:
        """Return the log's time, seconds since 1970."""
        return max(self._day.sequencer.last_s, self._pacer())

    def _begin(self) -> None:
        """Onboard everyone before the door opens: before that there is no community to knock at."""
        for phase in self._day.phases():
            if phase.slot_s >= epoch(self._day.terms.span.start):
                return
            if not phase.done:
                in_place(phase.work())

    async def _live(self) -> None:
        """Hold the door open, and live slot after slot."""
        loop, day = asyncio.get_running_loop(), self._day
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):  # no phase is torn apart by an interruption
                loop.add_signal_handler(number, self.stop)
        door = Door(day.sequencer, day.cast.operator, self.now_s, lambda: None)
        server = await door.listen(self._manner.host, self._manner.port)
        self._port = server.sockets[0].getsockname()[1]
        living, keeping = (asyncio.ensure_future(one) for one in (self._pass(), door.keep_time(LOOK_EVERY_S)))
        with door_card.posted(self._folder, self._card()):
            try:
                self._onlooker.on_open(self._card())
                await asyncio.wait((living, keeping), return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.stop()
                await asyncio.wait((living,))
                keeping.cancel()
                await see_off(server, door)
        living.result()
        if door.failed is not None:
            raise door.failed

    async def _pass(self) -> None:
        """Live through all phases when they are due, and then wait to be stopped."""
        for phase in self._phases():
            if phase.done:
                continue
            if not await self._reached(phase.due_s):
                return
            if phase.name == PHASES[-1] and self._grown() >= SNAPSHOT_EVERY:
                self._day.sequencer.save_snapshot()
            await self._do(phase)
            if phase.name == PHASES[-1]:
                self._onlooker.on_slot(self._told(phase.slot_s))
        last = instant(self._day.sequencer.last_s)
        self._onlooker.on_word(f"the recording ends: it stays {last:%Y-%m-%d %H:%M} UTC, and the door stays open")
        while not self._stop.is_set():
            await asyncio.sleep(STEP_S)

    def _phases(self) -> Iterator[Phase]:
        for one in self._days:
            self._day.terms = self._terms(one)
            yield from self._day.phases()

    def _terms(self, one: Street) -> Terms:
        """Return what plans of a day take as given; a large street is no day to compare, and a fleet."""
        given = terms(self._stage, one.span)
        if len(self._stage.street.home) <= MOST_EXACT:
            return given
        return replace(given, hands_over=False, engine=Engine.FLEET)

    async def _reached(self, due_s: int) -> bool:
        """Wait until something is due; tell whether nobody has stopped us meanwhile."""
        self._pacer.go_on(due_s)
        door_card.write(self._folder, self._card())
        while not self._stop.is_set():
            left_ms = self._pacer.left_ms()
            if not left_ms:
                return True
            await asyncio.sleep(min(STEP_S, left_ms / 1_000))
        return False

    async def _do(self, phase: Phase) -> None:
        """Do a phase; what it would have done aside is done by a thread, while the door decides on this one."""
        work = phase.work()
        try:
            aside = next(work)
            while True:
                aside = work.send(await asyncio.to_thread(aside))
        except StopIteration:
            self._tell_forecasts()
            return
        except CommonwattError as error:
            if phase.name != "planned":
                raise
            self._day.go_without_plan(phase.slot_s)
            self._onlooker.on_word(f"no plan at {instant(phase.slot_s):%H:%M} UTC, devices are told nothing: {error}")

    def _tell_forecasts(self) -> None:
        """Say once a local day by how many learnt forecasts is planned, where any are learnt."""
        foresee = self._day.terms.foresee
        if isinstance(foresee, Chosen) and foresee.choices is not self._chosen:
            self._chosen = foresee.choices
            used = sum(choice.used for choice in self._chosen.values())
            self._onlooker.on_word(f"of {len(self._chosen)} homes and roofs {used} are planned by a learnt forecast")

    def _card(self) -> door_card.DoorCard:
        return door_card.DoorCard(
            community=self._day.sequencer.state.community,
            host=self._manner.host,
            port=self._port,
            clock=self._pacer.card(self._system_ms()),
        )

    def _grown(self) -> int:
        return len(self._day.sequencer.tree) - self._day.sequencer.kept_to

    def _told(self, slot_s: int) -> Told:
        state, took_s = self._day.sequencer.state, self._day.watched.plan_s
        feeder = state.readings.told(slot_s).get(FEEDER)
        return Told(
            slot_s=slot_s,
            leaves=len(self._day.sequencer.tree),
            feeder_w=None if feeder is None else round_div((feeder.import_wh - feeder.export_wh) * 3600, SLOT_SECONDS),
            plan_ms=round(1_000 * took_s[-1]) if took_s else 0,
        )
