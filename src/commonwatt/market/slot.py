"""One slot of the slot market: its orders and trades as rows that grow, and what both hash to."""

from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from commonwatt.market.slot_rows import ROW, TRADE, Rows, Waiting


@dataclass(slots=True)
class Slot:
    """One slot's orders; ``trades`` before its gate those of the open market, after it all."""

    rows: Rows = field(default_factory=lambda: np.empty(4, ROW))
    count: int = 0
    sides: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    """By owner: 0 without an order, else how many, and `SELLER` where they sell."""
    stands_wh: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """By owner: the sum of their orders."""
    trades: Rows = field(default_factory=lambda: np.empty(0, TRADE))
    cleared: bool = False
    settled: bool = False
    digest: bytes | None = None
    waiting: dict[tuple[str, bool], list[Waiting]] | None = None
    """Who waits for somebody in the open market, by zone and whether they sell; the best last."""
    traded: int = 0
    """How many rows of `trades` are in use."""

    def orders(self) -> Rows:
        """Return all orders, in log order."""
        return self.rows[: self.count]

    def made(self) -> Rows:
        """Return all trades, in the order in which they were made."""
        return self.trades[: self.traded]

    def add_trades(self, trades: Rows) -> None:
        """Put trades behind those that are there."""
        need = self.traded + len(trades)
        if need > len(self.trades):
            grown = np.empty(max(need, 2 * len(self.trades)) if self.traded else need, TRADE)
            grown[: self.traded] = self.made()
            self.trades = grown
        self.trades[self.traded : need] = trades
        self.traded, self.digest = need, None

    def reserve(self, more: int) -> None:
        """Make room for more orders."""
        need = self.count + more
        if need > len(self.rows):
            grown = np.empty(max(need, 2 * len(self.rows)), ROW)
            grown[: self.count] = self.orders()
            self.rows = grown

    def add(self, rows: Rows) -> None:
        """Put orders behind those that are there."""
        self.reserve(len(rows))
        self.rows[self.count : self.count + len(rows)] = rows
        self.count, self.digest = self.count + len(rows), None

    def hashed(self, marks: NDArray[np.uint8]) -> bytes:
        """Return a hash of all of it, given what stands for each account."""
        rows, hashed = self.orders(), sha256()
        for name in ("position", "item", "wh", "taken", "limit", "premium", "source", "flags"):
            hashed.update(np.ascontiguousarray(rows[name]).tobytes())
        hashed.update(marks[rows["owner"]].tobytes() + marks[rows["partner"]].tobytes())
        hashed.update(len(rows).to_bytes(8) + self.made().tobytes() + bytes([self.cleared]))
        return hashed.digest()
