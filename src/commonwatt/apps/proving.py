"""Prove entries, slots and chains from a log that is run again with everything kept, in a process of its own."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, TypeVar

from commonwatt.apps.wiring import open_log
from commonwatt.flows.billing import ProvenEntry, prove_entry
from commonwatt.flows.chain import make_chain
from commonwatt.flows.prove import make_evidence
from commonwatt.flows.replay import Replayed, community_of, go_on, replay
from commonwatt.ledger.checkpoint import read_note
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Refused

T = TypeVar("T")
MOST_WAITING = 32
MOST_EACH = 2
"""Of one asker's questions how many may wait at once, so that nobody waits for them alone."""
AGAIN_S = 5
MOST_KEPT = 256
"""Proofs that are kept, all under the latest checkpoint that anybody asked under."""


class Busy(Refused):
    """Refused for now alone: the same may be asked again in ``wait_s`` seconds."""

    def __init__(self, rule: str, wait_s: int, **found: object) -> None:
        super().__init__(rule, **found)
        self.wait_s = wait_s


class Prover:
    """Proves what needs the whole log run again; the process starts with the first question, and runs it once.

    What is asked under a later checkpoint goes on from there. Of the loop that asks; one question is worked on at a
    time, at the lowest priority.

    Args:
        folder: The community's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool: ProcessPoolExecutor | None = None
        self._ran: Synchronized[int] | None = None
        self._waiting = Counter[str]()
        self._size = 0
        self._kept: dict[tuple[object, ...], asyncio.Future[Any]] = {}

    @property
    def progress(self) -> float | None:
        """How much of the log was run again, as a part of one; None where nothing is asked."""
        if not self._waiting.total() or self._ran is None:
            return None
        return min(1.0, self._ran.value / max(1, self._size))

    async def entry(self, asker: str, note: str, number: int) -> ProvenEntry:
        """Return an entry of the books with its way up to the state root of a note.

        Args:
            asker: Whose questions are counted together.
            note: The checkpoint.
            number: Of the entry.

        Raises:
            Busy: Too much is asked at once, or the process was ended from outside.
            Refused: The books had no such entry yet, or the log does not begin with its first leaf any more.
            Corrupt: The log contradicts itself.
        """
        return await self._ask(asker, _entry, note, number)

    async def evidence(self, asker: str, note: str, account: str, slot_s: int) -> bytes:
        """Return the evidence of an account's slot under a note; see `commonwatt.flows.prove.make_evidence`.

        Raises:
            Busy, Refused, Corrupt: As there and in `entry`.
        """
        return await self._ask(asker, _evidence, note, account, slot_s)

    async def chain(self, asker: str, note: str, asset: str, slot_s: int) -> bytes:
        """Return the chain of evidence of an asset's slot under a note; see `commonwatt.flows.chain.make_chain`.

        Raises:
            Busy, Refused, Corrupt: As there and in `entry`.
        """
        return await self._ask(asker, _chain, note, asset, slot_s)

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    async def _ask(self, asker: str, work: Callable[..., T], note: str, *about: object) -> T:
        size = read_note(note).size
        if size > self._size:
            self._size, self._kept = size, {}
        key = (work, size, *about)
        asked = self._kept.get(key)
        if asked is None:
            asked = self._kept[key] = self._begin(asker, partial(work, note, *about))
            asked.add_done_callback(partial(self._done, asker, key))
        try:
            found: T = await asyncio.shield(asked)
        except BrokenProcessPool as error:
            raise Busy("the process that proves was ended, ask again", AGAIN_S) from error
        return found

    def _begin(self, asker: str, work: Callable[[], T]) -> "asyncio.Future[T]":
        if self._waiting[asker] >= MOST_EACH or self._waiting.total() >= MOST_WAITING:
            raise Busy("so many proofs are made at once, ask again", AGAIN_S, waiting=self._waiting.total())
        try:
            begun = asyncio.wrap_future(self._open().submit(work))
        except BrokenProcessPool:  # It was ended since, and nobody has heard of it yet.
            self.close()
            begun = asyncio.wrap_future(self._open().submit(work))
        self._waiting[asker] += 1
        return begun

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = get_context("spawn")
            self._ran = context.Value("q", 0)
            self._pool = ProcessPoolExecutor(1, context, initializer=_start, initargs=(self._folder, self._ran))
        return self._pool

    def _done(self, asker: str, key: tuple[object, ...], asked: "asyncio.Future[Any]") -> None:
        self._waiting[asker] -= 1
        self._waiting += Counter()  # forgets who waits for nothing
        # What went wrong may go right the next time; of what is kept the oldest goes first.
        if (asked.cancelled() or asked.exception() is not None) and self._kept.get(key) is asked:
            del self._kept[key]
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]


@dataclass(slots=True)
class _Bench:
    """What the process works on: whose log, how far it ran for all to see, and what came of it so far."""

    folder: Path
    ran: "Synchronized[int]"
    run: Replayed | None = None

    def up_to(self, size: int) -> Replayed:
        """Return the log's replay up to a size, going on from the last one where that is earlier."""
        with open_log(self.folder) as log:
            if self.run is None or len(self.run.tree) > size:
                self.run = None
                self.run = replay(self._counted(islice(log.rows(), size), 0), community_of(log), keep=True)
            elif (begun := len(self.run.tree)) < size:
                run, self.run = self.run, None  # what breaks off half-way is not used again
                go_on(run, self._counted(islice(log.rows(begun), size - begun), begun))
                self.run = run
        self.ran.value = size
        return self.run

    def rows(self, size: int) -> list[LeafRow]:
        with open_log(self.folder) as log:
            return list(islice(log.rows(), size))

    def _counted(self, rows: Iterable[LeafRow], begun: int) -> Iterator[LeafRow]:
        for number, row in enumerate(rows, begun):
            self.ran.value = number
            yield row


_bench: _Bench | None = None


def _start(folder: Path, ran: "Synchronized[int]") -> None:
    global _bench  # noqa: PLW0603  the process's own, set once before it works
    _bench = _Bench(folder, ran)
    os.nice(19)
    # Whoever ends the app from a terminal ends it; this process goes with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _at(note: str) -> tuple[_Bench, Replayed, int]:
    assert _bench is not None
    size = read_note(note).size
    return _bench, _bench.up_to(size), size


def _entry(note: str, number: int) -> ProvenEntry:
    return prove_entry(_at(note)[1].state, note, number)


def _evidence(note: str, account: str, slot_s: int) -> bytes:
    bench, run, size = _at(note)
    return make_evidence(run.state, run.whole_tree(), bench.rows(size), note, account, slot_s)


def _chain(note: str, asset: str, slot_s: int) -> bytes:
    bench, run, size = _at(note)
    return make_chain(run.state, run.whole_tree(), bench.rows(size), note, asset, slot_s)
