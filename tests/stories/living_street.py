"""A small street that lives in a thread of this process, by a clock that a test sets."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from commonwatt.adapters.door.client import knock
from commonwatt.apps import door_card
from commonwatt.apps.asking import state_of
from commonwatt.apps.door_card import DoorCard
from commonwatt.apps.living import Living, Manner, Onlooker, Told
from commonwatt.apps.scenes import Scene
from commonwatt.apps.wiring import open_key, open_log
from commonwatt.flows.desk import Desk
from commonwatt.flows.replay import Replayed, replay
from commonwatt.flows.trading_day import PLANNED_AFTER_S
from commonwatt.model import SLOT_SECONDS, Kind, Outcome, epoch

SLOT_MS = 1_000 * SLOT_SECONDS
"""A tick of the test's clock is a thousandth of the log's second."""
WITHIN_S = 180


class Lives:
    """A street on paper with its door open; its time passes when a test says so."""

    def __init__(self, stage: Scene, folder: Path) -> None:
        self.stage, self.folder = stage, folder
        self.ticks_ms = 0
        self.slots, self.words = list[Told](), list[str]()
        self.error: BaseException | None = None
        self._open = threading.Event()
        manner = Manner(slot_ms=SLOT_MS, port=0, on_paper=True)
        onlooker = Onlooker(self._opened, self.slots.append, self.words.append)
        self.living = Living(stage, folder, manner, lambda: self.ticks_ms, lambda: self.ticks_ms, onlooker)
        self._thread = threading.Thread(target=self._run)

    def open(self) -> "Lives":
        """Open the door, or go on where an earlier life was."""
        self._thread.start()
        assert self._open.wait(WITHIN_S)
        assert self.error is None
        return self

    def close(self) -> None:
        """End it as an interruption does."""
        self.living.stop()
        self._thread.join(WITHIN_S)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error

    def at(self, slot: int) -> int:
        """Return the start of a slot, by its number."""
        return epoch(self.stage.street.span.start) + slot * SLOT_SECONDS

    def card(self) -> DoorCard:
        return door_card.read(self.folder)

    def pass_to(self, log_s: int) -> None:
        """Let time pass up to a moment, as soon as nothing is due before."""
        self.until(lambda: log_s <= self._waits_s())
        clock = self.card().clock
        self.ticks_ms = clock.system_ms + 1_000 * (log_s - clock.log_s)

    def plan(self) -> int:
        """Live on until the next slot is planned, and return its start."""
        self.until(lambda: self._waits_s() % SLOT_SECONDS == PLANNED_AFTER_S)
        slot_s = self._waits_s() - PLANNED_AFTER_S
        self.pass_to(slot_s + PLANNED_AFTER_S)
        self.until(lambda: self._waits_s() == slot_s + SLOT_SECONDS)
        return slot_s

    def end(self) -> None:
        """Live on to the end of the slot that was planned."""
        self.until(lambda: self._waits_s() % SLOT_SECONDS == 0)
        end_s, closed = self._waits_s(), len(self.slots)
        self.pass_to(end_s)
        self.until(lambda: len(self.slots) > closed and (self._waits_s() != end_s or bool(self.words)))

    def live(self, slots: int) -> None:
        """Live through some more slots."""
        for _ in range(slots):
            self.plan()
            self.end()

    def say(self, who: str, kind: Kind, body: msgspec.Struct) -> Outcome:
        """Sign a request with a key of the folder, send it through the door, and return its outcome."""
        key, state = open_key(self.folder, who), state_of(self.folder)
        desk = Desk(state)
        desk.write(key, state.keys[key.id].account, kind, body)
        card = self.card()
        (outcome,), _ = knock(card.host, card.port, desk.wires)
        return outcome

    def replayed(self) -> Replayed:
        """Return what the log comes to, run again from zero."""
        with open_log(self.folder) as log:
            return replay(log.rows(), self.stage.street.community, keep=True)

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for something to come true."""
        end = time.monotonic() + WITHIN_S
        while not true():
            assert self.error is None, self.error
            assert time.monotonic() < end, "it never came true"
            time.sleep(0.005)

    def _waits_s(self) -> int:
        """Return for which moment its clock waits."""
        return self.card().clock.until_s or 0

    def _opened(self, card: DoorCard) -> None:
        self._open.set()

    def _run(self) -> None:
        try:
            self.living.run()
        except BaseException as error:
            self.error = error
            self._open.set()


@contextmanager
def living(stage: Scene, folder: Path) -> Iterator[Lives]:
    """Let a street live, and end it."""
    lives = Lives(stage, folder).open()
    try:
        yield lives
    finally:
        lives.close()
