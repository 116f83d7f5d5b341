"""Take in batches of orders for slots as whole arrays: sort them by slot, judge them, and write them down."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
SELLS, SELLER, MOST_EACH = 8, 128, 8
"""A bit of an order's flags; a bit of what an owner is noted with in a slot; orders of one owner in one slot."""
FITS, NO_SUCH_SLOT, TOO_MUCH, TAKEN, NO_SOURCE = range(5)
"""Why a batch is refused: a slot that is not open, more than a connection bears, another side, no roof to sell from."""


def by_slot(records: NDArray[np.void], first_s: int, slots: int, seconds: int) -> tuple[Numbers, Numbers]:
    """Sort records by slot, keeping their order in each.

    Args:
        records: With ``start_s``; n of them.
        first_s: Start of the first slot.
        slots: How many there are.
        seconds: The length of each.

    Returns:
        Places of records, slot by slot, those of no such slot last; and where each slot's end: slots + 2 values.
    """
    ends, places = np.zeros(slots + 2, np.int64), np.empty(len(records), np.int64)
    _by_slot(records["start_s"], first_s, slots, seconds, ends, places)
    return places, ends


@njit(nogil=True, cache=True)
def _by_slot(start_s: Any, first_s: int, slots: int, seconds: int, ends: Any, places: Any) -> None:
    for i in range(len(start_s)):
        slot = (start_s[i] - first_s) // seconds
        ends[(slot if 0 <= slot < slots else slots) + 1] += 1
    for slot in range(1, slots + 2):
        ends[slot] += ends[slot - 1]
    at = ends.copy()
    for i in range(len(start_s)):
        slot = (start_s[i] - first_s) // seconds
        slot = slot if 0 <= slot < slots else slots
        places[at[slot]] = i
        at[slot] += 1


def asked_micro(records: NDArray[np.void], begins: Numbers, open_wh: Numbers, stake_micro_per_kwh: int) -> Numbers:
    """Return what each batch asks of its owner's money, in micro: for its bids, and as a stake for all its orders.

    Args:
        records: Of all batches, end to end.
        begins: Where each batch begins, and where the last ends.
        open_wh: Of how many Wh each owner's orders are that stand already.
        stake_micro_per_kwh: What stands behind every kWh that is ordered, up to 10^9.

    Returns:
        One value a batch: its bids at limit and premium, each rounded half to even, and by how much the owner's stake
        grows, which is rounded up as a whole.
    """
    asked = np.zeros(len(begins) - 1, np.int64)
    _asked(records, begins, open_wh, np.int64(stake_micro_per_kwh), asked)
    return asked


def stakes_micro(energy_wh: Numbers, stake_micro_per_kwh: int) -> Numbers:
    """Return what stands behind each amount of energy, in micro, rounded up; amounts are zero or more, n values."""
    whole, rest = np.divmod(energy_wh, 1000)
    # In two parts, so that no product of many Wh leaves 64 bits.
    stakes: Numbers = whole * stake_micro_per_kwh + -(-rest * stake_micro_per_kwh // 1000)
    return stakes


@njit(nogil=True, cache=True)
def _cost(wh: Any, price: Any) -> Any:
    product = np.int64(wh) * np.int64(price)
    whole, rest = product // 1000, product % 1000
    return whole + (1 if rest > 500 or (rest == 500 and whole & 1) else 0)


@njit(nogil=True, cache=True)
def _stake(wh: Any, rate: Any) -> Any:
    return wh // 1000 * rate + (wh % 1000 * rate + 999) // 1000


@njit(nogil=True, cache=True)
def _asked(records: Any, begins: Any, before_wh: Any, rate: Any, asked: Any) -> None:
    for batch in range(len(asked)):
        wh = np.int64(0)
        for i in range(begins[batch], begins[batch + 1]):
            record = records[i]
            wh += record.wh
            if not record.flags & SELLS:
                asked[batch] += _cost(record.wh, np.int64(record.limit) + record.premium)
        if rate:
            asked[batch] += _stake(before_wh[batch] + wh, rate) - _stake(before_wh[batch], rate)


@njit(nogil=True, cache=True)
def judge(
    records: Any, places: Any, whose: Any, owners: Any, sides: Any, stands_wh: Any, most_in_wh: Any, most_out_wh: Any,
    makes: Any, why: Any,
) -> None:  # fmt: skip
    """Write down why batches cannot stand in one slot; see `by_slot` for ``places``, and the constants for ``why``."""
    at = 0
    while at < len(places):
        batch = whose[places[at]]
        owner, count, wh = owners[batch], 0, np.int64(0)
        sells = records[places[at]].flags & SELLS
        while at < len(places) and whose[places[at]] == batch:
            record = records[places[at]]
            count, wh = count + 1, wh + record.wh
            if sells and record.source and not makes[owner]:
                why[batch] = NO_SOURCE
            at += 1
        told = sides[owner]
        if (told and (told & SELLER != 0) != (sells != 0)) or (told & (SELLER - 1)) + count > MOST_EACH:
            why[batch] = TAKEN
        elif stands_wh[owner] + wh > (most_out_wh[owner] if sells else most_in_wh[owner]):
            why[batch] = TOO_MUCH


@njit(nogil=True, cache=True)
def write(
    records: Any, places: Any, whose: Any, begins: Any, owners: Any, partners: Any, positions: Any, why: Any,
    rows: Any, at: int, sides: Any, stands_wh: Any, reserved: Any, open_wh: Any,
) -> int:  # fmt: skip
    """Write the orders of batches that stand into one slot's rows, and note their owners; return where the rows end."""
    for n in range(len(places)):
        i = places[n]
        batch = whose[i]
        if why[batch]:
            continue
        record, row, owner = records[i], rows[at], owners[batch]
        row.position, row.item = positions[batch], i - begins[batch]
        row.owner, row.partner = owner, partners[batch]
        row.wh, row.taken = record.wh, 0
        row.limit, row.premium = record.limit, record.premium
        row.source, row.flags = record.source, record.flags
        at += 1
        sides[owner] += 1
        stands_wh[owner] += record.wh
        open_wh[owner] += record.wh
        if record.flags & SELLS:
            sides[owner] |= SELLER
        else:
            reserved[owner] += _cost(record.wh, np.int64(record.limit) + record.premium)
    return at
