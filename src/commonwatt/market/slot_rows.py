"""Orders and trades of slots as rows of columns, and what they meet under."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import AccountId, OrderId, Side, SlotOrder

ALONE = 65_535
"""In place of an item's number: the order came by itself."""
NEAR, STRICT, NOW = 1, 2, 4
"""Bits of ``flags``, beside `SELLS`."""
ROW = np.dtype(
    [
        ("position", "<i8"),
        ("owner", "<i4"),
        ("partner", "<i4"),
        ("wh", "<i4"),
        ("taken", "<i4"),
        ("limit", "<i4"),
        ("premium", "<i4"),
        ("item", "<u2"),
        ("source", "u1"),
        ("flags", "u1"),
    ]
)
"""``wh`` is what was wanted and not cancelled, ``taken`` what of it was traded before the gate."""
TRADE = np.dtype([("bid", "<i4"), ("ask", "<i4"), ("wh", "<i4"), ("price", "<i4"), ("fee", "<i4")])
"""Rows of both orders, Wh, price and fee in micro per kWh."""
Rows = NDArray[np.void]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OpenMarket:
    """What orders for now meet under.

    Args:
        import_price: What the grid takes in the slot, micro per kWh.
        export_price: What the grid gives, less than it takes.
        of: Returns an account's zone, and what the grid takes for energy that is traded inside it.
    """

    import_price: int
    export_price: int
    of: Callable[[AccountId], tuple[str, int]]

    def rank(self, order: SlotOrder) -> int:
        """Return what makes the better order come first: a seller's limit, or minus a buyer's, in grid's prices."""
        if order.side is Side.ASK:
            return max(order.price_micro_per_kwh, self.export_price)
        return -min(order.price_micro_per_kwh, self.import_price)


@dataclass(slots=True)
class Waiting:
    """An order for now that waits for somebody: its rank and row, and what is left of it."""

    rank: int
    row: int
    left_wh: int

    def worst_first(self) -> tuple[int, int]:
        """Return what sorts the best, and of equals the earliest, last."""
        return -self.rank, -self.row


@dataclass(frozen=True, slots=True, kw_only=True)
class Batched:
    """Batches of orders as columns.

    Args:
        records: Of all batches, end to end, see `commonwatt.market.order_batch`; n of them.
        begins: Where each batch begins, and where the last ends.
        whose: Of each record its batch; n values.
        owners: Of each batch the number of its account.
        partners: Likewise of whom it would rather deal with, or `NOBODY`.
        positions: Where each stands in the log.
        why: Why each is refused; zero where it is not.
    """

    records: Rows
    begins: Numbers
    whose: Numbers
    owners: NDArray[np.int32]
    partners: NDArray[np.int32]
    positions: Numbers
    why: NDArray[np.uint8]


def costs(rows: Rows) -> Numbers:
    """Return what orders may come to at their limit and premium, in micro, halves rounded to even."""
    product = rows["wh"].astype(np.int64) * (rows["limit"].astype(np.int64) + rows["premium"])
    whole, rest = np.divmod(product, 1000)
    cost: Numbers = whole + ((rest > 500) | ((rest == 500) & (whole % 2 == 1)))
    return cost


def order_id(row: Any) -> OrderId:
    """Return the name of an order: where it stands in the log, and in its batch if it came with others."""
    item = int(row["item"])
    return OrderId(f"{row['position']}" if item == ALONE else f"{row['position']}.{item}")
