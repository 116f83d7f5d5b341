"""How benchmarks hand requests in: written by all processes, a few pieces ahead, and decided as at the door."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from time import perf_counter

from commonwatt.flows.sequence import Decided, Sequencer
from commonwatt.model import Outcome

AT_ONCE = 4_096
"""Requests a commit: one fsync each."""
_AHEAD = 4
"""Pieces that may be written before they are wanted: all at once would not fit into memory."""


def written(
    pool: ProcessPoolExecutor, make: Callable[..., list[bytes]], count: int, *more: int, step: int = AT_ONCE
) -> Iterator[list[bytes]]:
    """Let all processes write and sign requests of some of so many things each; yield them piece by piece, in order."""
    waiting: deque[Future[list[bytes]]] = deque()
    for first in range(0, count, step):
        waiting.append(pool.submit(make, first, min(first + step, count), *more))
        if len(waiting) > _AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def submit(sequencer: Sequencer, commits: Iterable[tuple[list[bytes], int]]) -> tuple[float, float]:
    """Submit commits with their times: one is read while another is decided and two become durable.

    Returns:
        Seconds in all, and of the slowest from its decision until it was durable.
    """
    slowest_s, began = 0.0, perf_counter()
    keeping: deque[tuple[float, Decided]] = deque()

    def wait(most: int) -> None:
        nonlocal slowest_s
        while len(keeping) > most:
            since, decided = keeping.popleft()
            outcomes = {*decided.wait()}
            assert outcomes <= {Outcome.BOOKED}, outcomes
            slowest_s = max(slowest_s, perf_counter() - since)

    reading = None
    for wires, stamped_s in commits:
        begun = (sequencer.read(wires), stamped_s)
        if reading is not None:
            keeping.append((perf_counter(), sequencer.decide(*reading)))
            wait(2)
        reading = begun
    if reading is not None:
        keeping.append((perf_counter(), sequencer.decide(*reading)))
    wait(0)
    return perf_counter() - began, slowest_s
