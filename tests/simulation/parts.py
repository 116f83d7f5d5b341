"""Parts of the simulated world that break as the seed says: a disk, a witness's memory, and the line to a log."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from commonwatt.flows.ports import NO_TILES
from commonwatt.flows.witness import Promise, Seen
from commonwatt.ledger.cosign import weight
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Corrupt, Outcome, Refused
from commonwatt.simulator.paper import PaperLog


class PowerCutError(Exception):
    """The process is dead; nobody hears anything of what it was about to say."""


@dataclass
class Disk:
    """What outlives the writer: a log on paper, who may write, and what is armed to go wrong at the next write."""

    log: PaperLog = field(default_factory=PaperLog)
    epoch: int = 0
    armed: str | None = None

    def open(self) -> "Handle":
        """Return a handle for a new writer, whom older ones give way to."""
        self.epoch += 1
        return Handle(self, self.epoch)

    def write(self, epoch: int, write: Callable[[], None]) -> None:
        """Write durably, or lose power before that, or after it and before anybody is told.

        A disk that ``lies`` writes nothing and says that it did: no world survives that, which a test wants to see.
        """
        if epoch != self.epoch:
            raise Refused("another writer has taken over", own_epoch=epoch, found_epoch=self.epoch)
        armed, self.armed = self.armed, None
        if armed == "before":
            raise PowerCutError
        if armed != "lies":
            write()
        if armed == "after":
            raise PowerCutError


@dataclass
class Handle:
    """Implements `LogStore` for one writer."""

    disk: Disk
    epoch: int

    @property
    def size(self) -> int:
        return self.disk.log.size

    def append(
        self, rows: Sequence[LeafRow], marks: Mapping[str, str], tiles: Mapping[tuple[int, int], bytes] = NO_TILES
    ) -> None:
        self.disk.write(self.epoch, lambda: self.disk.log.append(rows, marks, tiles))

    def save_snapshot(self, size: int, content: bytes) -> None:
        self.disk.write(self.epoch, lambda: self.disk.log.save_snapshot(size, content))

    def rows(self, from_position: int = 0) -> Iterator[LeafRow]:
        return self.disk.log.rows(from_position)

    def tile(self, level: int, index: int) -> bytes:
        return self.disk.log.tile(level, index)

    def answered(self, author: str, seq: int) -> LeafRow | None:
        return self.disk.log.answered(author, seq)

    def snapshots(self) -> Iterator[tuple[int, bytes]]:
        return self.disk.log.snapshots()

    def marks(self) -> dict[str, str]:
        return self.disk.log.marks()


@dataclass
class Notebook:
    """Implements a witness's `Memory`; it outlives the witness, who may die just before or just after a promise."""

    promises: list[Promise] = field(default_factory=list)
    notes: list[Seen] = field(default_factory=list)
    armed: str | None = None

    def last(self) -> Promise | None:
        return self.promises[-1] if self.promises else None

    def promise(self, promise: Promise) -> None:
        armed, self.armed = self.armed, None
        last = self.last()
        if last and (promise.size <= last.size or promise.slot_s <= last.slot_s):
            raise Refused("a witness goes on from what it cosigned last", last=last.size, found=promise.size)
        if armed == "before":
            raise PowerCutError
        self.promises.append(promise)
        if armed == "after":
            raise PowerCutError

    def seen(self, size: int, slot_s: int) -> list[Seen]:
        return [one for one in self.notes if one.size == size or one.slot_s == slot_s]

    def remember(self, notes: Sequence[Seen]) -> None:
        for note in notes:
            if not self.seen(note.size, note.slot_s):
                self.notes.append(note)


@dataclass
class Line:
    """Implements `commonwatt.flows.witness.Log`: a log seen through a network that drops, delays and repeats."""

    disk: Disk
    notes: list[str]
    chance: Random
    breaks: float
    handed_in: list[tuple[int, str]] = field(default_factory=list)

    def checkpoint(self) -> str:
        self._pass()
        if not self.notes:
            raise Refused("the log has no checkpoint yet")
        # What comes may be late: another was signed meanwhile.
        late = self.chance.random() < self.breaks and len(self.notes) > 1
        return self.notes[-2 if late else -1]

    def tile(self, level: int, index: int, width: int) -> bytes:
        self._pass()
        return self.disk.log.tile(level, index)[: width * 32]

    def leaves(self, first: int, limit: int) -> list[LeafRow]:
        self._pass()
        some = self.chance.randint(1, limit) if self.chance.random() < self.breaks else limit
        return list(self.disk.log.rows(first))[:some]

    def handed(self) -> bytes:
        self._pass()
        raise Refused("the log is whole, and hands no state over")

    def hand_in(self, size: int, line: str, typed: str) -> None:
        self._pass()
        self.handed_in.append((size, line))
        self._pass()

    def _pass(self) -> None:
        if self.chance.random() < self.breaks / 4:
            raise Refused("could not be reached")


def replay_answer(disk: Disk, wire: bytes) -> Outcome | None:
    """Return what the log says became of a request that was answered."""
    head = wire.partition(b"\n")[0]
    return next((row.outcome for row in disk.log.rows() if row.body == head), None)


def covers(note: str, line: str, weights: Mapping[str, int]) -> bool:
    """Tell whether a cosignature is for this note; one that is not would condemn the whole note."""
    try:
        weight(note + line, weights)
    except Corrupt:
        return False
    return True
