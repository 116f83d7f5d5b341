"""An event on a planned fleet: first prices that keep the new limits, then who changes at once, then the best plan."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.flexibility.fleet.columns import Rooms
from commonwatt.flexibility.fleet.mend import mend
from commonwatt.flexibility.fleet.solve import SETTLING, Found, pass_over, prices_from_sample, solve, stiffen
from commonwatt.flexibility.fleet.sweep import Fleet, Powers

Floats = NDArray[np.float64]
ASKED_FIRST = 3_000
"""Assets whose answers find the first prices."""
PASSES = 3
MOVED_AT_ONCE = 0.5
"""The part of those who draw or give during the event that is asked at once; the rest follows with the best plan."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an answer: ``prices``, ``told`` (the changed rows are inside all limits), ``best`` (with its gap)."""

    name: str
    changed: NDArray[np.int64]
    found: Found | None = None


def respond(
    fleet: Fleet,
    high: Floats,
    low: Floats,
    slots: NDArray[np.int64],
    memory: list[Rooms],
    gap: float = 1e-3,
    heard: Callable[[str, float], bool] = lambda stage, gap: True,
) -> Iterator[Step]:
    """Bring a planned fleet under changed limits, in three steps, each of use by itself.

    Args:
        fleet: As planned, with its nodes' kinks already those of the event; changed in place.
        high, low: (m, n) the new limits in W.
        slots: Numbers of the slots in which limits changed: who draws or gives there is asked first.
        memory: Working memory per thread.
        gap: When the last step ends.
        heard: As in `solve.solve`.

    Yields:
        Three steps; rows that changed are numbers of assets.
    """
    prices_from_sample(fleet, memory, ASKED_FIRST, PASSES)
    stiffen(fleet, SETTLING)
    yield Step("prices", np.zeros(0, np.int64))
    drawn = np.random.default_rng(0).random(len(fleet.own)) < MOVED_AT_ONCE
    touched = ((fleet.power[:, slots] != 0).any(axis=1) & drawn).astype(np.int8)
    before = fleet.power.copy()
    pass_over(fleet, memory, 0, only=touched)
    mend(fleet, high, low, memory)
    yield Step("told", changed_rows(before, fleet.power))
    # From nothing: the prices of a sample and one pass over all end nearer to the best, and sooner, than many passes on
    # from here; what has been told stands until then.
    fleet.power[:], fleet.own[:], fleet.nodes.load[:] = 0, 0.0, fleet.nodes.base
    found = solve(fleet, high, low, gap, heard, memory)
    yield Step("best", changed_rows(before, fleet.power), found)


def changed_rows(before: Powers, after: Powers) -> NDArray[np.int64]:
    """Return the numbers of the assets that are told something else."""
    return np.flatnonzero((before != after).any(axis=1))
