"""What a fleet is told, as records for the bus and for files: one for each change of an asset's power."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from commonwatt.flexibility.fleet.sweep import Powers

RECORD = np.dtype([("asset", "<u4"), ("slot", "<u2"), ("slots", "<u2"), ("power_w", "<i4")])
"""From a slot on, for so many slots, this power; import positive. Twelve bytes, little-endian."""


def records(power: Powers, rows: NDArray[np.int64]) -> NDArray[np.void]:
    """Return the diary of some assets as records, asset by asset in the order of rows, slot by slot.

    Args:
        power: (n, slots) W, import positive.
        rows: Which of the n; a record's ``asset`` is its number there.
    """
    counts = _count(power, rows)
    starts = np.r_[0, np.cumsum(counts)]
    out = np.empty(int(starts[-1]), RECORD)
    _fill(power, rows, starts, out["asset"], out["slot"], out["slots"], out["power_w"])
    return out


def read(told: NDArray[np.void], slots: int) -> dict[int, NDArray[np.int32]]:
    """Return the powers that records tell, per asset: the way back."""
    found: dict[int, NDArray[np.int32]] = {}
    for record in told:
        power = found.setdefault(int(record["asset"]), np.zeros(slots, np.int32))
        power[record["slot"] : record["slot"] + record["slots"]] = record["power_w"]
    return found


@njit(cache=True, nogil=True)
def _count(power, rows):  # type: ignore[no-untyped-def]  # compiled
    counts = np.ones(rows.shape[0], np.int64)
    for n in range(rows.shape[0]):
        own = power[rows[n]]
        for t in range(1, own.shape[0]):
            counts[n] += own[t] != own[t - 1]
    return counts


@njit(cache=True, nogil=True)
def _fill(power, rows, starts, asset, slot, slots, watts):  # type: ignore[no-untyped-def]  # compiled
    for n in range(rows.shape[0]):
        own, at = power[rows[n]], starts[n]
        begin = 0
        for t in range(1, own.shape[0] + 1):
            if t == own.shape[0] or own[t] != own[begin]:
                asset[at], slot[at], slots[at], watts[at] = rows[n], begin, t - begin, own[begin]
                begin, at = t, at + 1
