"""A fleet in columns: what a million assets can do, as arrays that compiled kernels read."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from commonwatt.flexibility.fleet import counting, switching

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Wholes = NDArray[np.int32]
Shorts = NDArray[np.int16]
Bytes = NDArray[np.int8]


class Kind(IntEnum):
    """Which kernel answers for an asset."""

    CHARGE = 0
    STORE = 1
    COUNT = 2
    SWITCH = 3
    ONCE = 4
    FREE = 5


class Columns(NamedTuple):
    """n assets, sorted by the group (the leaf of the tree) in which they stand.

    Powers in W, levels in Wh, worths in micro per Wh. A row of the tables below gives what changes from slot to slot;
    assets with ``row`` -1 have their scalar bounds from slot ``first`` to before ``last`` and nothing outside.

    Args:
        kind: `Kind` of each.
        first, last: Slots between which it can do something; for ``ONCE`` the first and last start.
        draw, give: Most power in and out, zero or more.
        least_in, least_out: Least power, if any.
        level, low, top: Now, least and most.
        into, out, keep: Efficiencies and what is left after a slot, as shares.
        wear, final: Per Wh discharged; per Wh of level in the end.
        run, rest, running: As in `Envelope`; only for ``COUNT`` and ``SWITCH``.
        wish: n + 1 offsets into the wishes: below ``wish_level`` after slot ``wish_at``, a Wh costs ``wish_slope``;
            above it where the slope is below zero (not for ``CHARGE``, which has all its wishes at its departure).
        row: Row of the tables, or -1.
        most_w, least_w: (r, slots) bounds on power, import positive.
        low_wh, top_wh, drift_wh, gain: (r, slots) bounds on levels, what enters by itself, efficiency in.
        profile: n + 1 offsets into ``profile_w``; only for ``ONCE``.
    """

    kind: Bytes
    first: Shorts
    last: Shorts
    draw: Wholes
    give: Wholes
    least_in: Wholes
    least_out: Wholes
    level: Singles
    low: Singles
    top: Singles
    into: Singles
    out: Singles
    keep: Singles
    wear: Singles
    final: Singles
    run: Bytes
    rest: Bytes
    running: Bytes
    wish: Wholes
    wish_at: Shorts
    wish_level: Singles
    wish_slope: Singles
    row: Wholes
    most_w: Wholes
    least_w: Wholes
    low_wh: Singles
    top_wh: Singles
    drift_wh: Singles
    gain: Singles
    profile: Wholes
    profile_w: Wholes


class Rooms(NamedTuple):
    """What one thread needs to answer for any asset; see `rooms`."""

    into: Floats
    drift: Floats
    draw: Floats
    give: Floats
    low: Floats
    high: Floats
    slopes: Floats
    widths: Floats
    up_to: Floats
    down_to: Floats
    floor: Floats
    soft_low: Floats
    soft_high: Floats
    low_cost: Floats
    high_cost: Floats
    allowed: Bytes
    cost: Floats
    levels: Floats
    back: Shorts
    base: NDArray[np.int64]
    width: NDArray[np.int64]
    value: Floats
    turn: Bytes
    wish_at: NDArray[np.int64]
    wish_level: Floats
    wish_slope: Floats


def rooms(slots: int, wishes: int = 16) -> Rooms:
    """Return working memory for one thread, for assets with at most so many wishes."""

    def floats(*shape: int) -> Floats:
        return np.zeros(shape)

    pieces = 4 * slots + 8 + 2 * wishes
    return Rooms(
        into=floats(slots), drift=floats(slots), draw=floats(slots), give=floats(slots), low=floats(slots),
        high=floats(slots), slopes=floats(pieces), widths=floats(pieces), up_to=floats(slots), down_to=floats(slots),
        floor=floats(slots), soft_low=floats(slots), soft_high=floats(slots), low_cost=floats(slots),
        high_cost=floats(slots), allowed=np.zeros(slots, np.int8),
        cost=floats(2, switching.STATES, switching.CELLS), levels=floats(2, switching.STATES, switching.CELLS),
        back=np.zeros((slots, switching.STATES, switching.CELLS), np.int16),
        base=np.zeros(slots + 1, np.int64), width=np.zeros(slots + 1, np.int64),
        value=floats(2, counting.WIDTH, counting.STATES),
        turn=np.zeros((slots, counting.WIDTH, counting.STATES), np.int8),
        wish_at=np.zeros(wishes, np.int64), wish_level=floats(wishes), wish_slope=floats(wishes),
    )  # fmt: skip
