"""One slot's settlement of many members at once, a line each: what would be six entries in one packed leaf."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.kernels.sha256 import leaf_hashes
from commonwatt.ledger.accounts import MARK_BYTES, Accounts
from commonwatt.model import GRID, MARKET, SLOT_SECONDS, Commodity, Entry, InvalidValue, Memo

Numbers = NDArray[np.int64]
LINE = np.dtype(
    [
        ("mark", f"V{MARK_BYTES}"),
        ("slot", "<u4"),
        ("bought_wh", "<u4"),
        ("sold_wh", "<u4"),
        ("import_wh", "<u4"),
        ("export_wh", "<u4"),
        ("traded_micro", "<i8"),
        ("grid_micro", "<i8"),
    ]
)
"""A line as it is hashed, see `accounts.mark` for whom it is about: with a leaf's prefix one block of SHA-256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Lines of one slot, n values each; a line is of energy in Wh and of money in micro.

    Args:
        slot_s: Start of the slot.
        members: Numbers of their accounts, each once.
        bought_wh: What came from neighbours, as traded.
        sold_wh: What went to neighbours.
        import_wh: What came from the grid.
        export_wh: What went to it.
        traded_micro: What neighbours paid, less what was paid to them and for their part of the grid.
        grid_micro: What the grid paid, less what was paid to it.

    Raises:
        InvalidValue: What is bought was not sold.
    """

    slot_s: int
    members: Numbers
    bought_wh: Numbers
    sold_wh: Numbers
    import_wh: Numbers
    export_wh: Numbers
    traded_micro: Numbers
    grid_micro: Numbers

    def __post_init__(self) -> None:
        if int(self.bought_wh.sum()) != int(self.sold_wh.sum()):
            raise InvalidValue(f"what is bought was sold, was {self.bought_wh.sum()} and {self.sold_wh.sum()} Wh")

    def __len__(self) -> int:
        return len(self.members)

    def lines(self, accounts: Accounts) -> NDArray[np.uint8]:
        """Return the lines as they are hashed; (n, 52) bytes."""
        lines = np.zeros(len(self), LINE)
        lines["mark"] = accounts.marks()[self.members].view(f"V{MARK_BYTES}")[:, 0]
        lines["slot"] = self.slot_s // SLOT_SECONDS
        for name in ("bought_wh", "sold_wh", "import_wh", "export_wh", "traded_micro", "grid_micro"):
            lines[name] = getattr(self, name)
        return lines.view(np.uint8).reshape(len(self), LINE.itemsize)

    def hashes(self, accounts: Accounts) -> NDArray[np.uint8]:
        """Return the leaf hash of each line (RFC 6962); (n, 32) bytes."""
        return leaf_hashes(self.lines(accounts))

    def entries(self, accounts: Accounts) -> list[Entry]:
        """Return what the lines say as entries, in order; what neighbours trade passes through `MARKET`."""
        found = []
        for line in range(len(self)):
            member = accounts.name(int(self.members[line]))
            for commodity, other, amount, memo in (
                (Commodity.ENERGY, MARKET, int(self.bought_wh[line]), Memo.TRADE),
                (Commodity.ENERGY, MARKET, -int(self.sold_wh[line]), Memo.TRADE),
                (Commodity.ENERGY, GRID, int(self.import_wh[line]), Memo.GRID_IMPORT),
                (Commodity.ENERGY, GRID, -int(self.export_wh[line]), Memo.GRID_EXPORT),
                (Commodity.ERGON, MARKET, int(self.traded_micro[line]), Memo.TRADE),
                (Commodity.ERGON, GRID, int(self.grid_micro[line]), Memo.GRID_BALANCE),
            ):
                if amount:
                    source, target = (other, member) if amount > 0 else (member, other)
                    found.append(
                        Entry(
                            commodity=commodity,
                            source=source,
                            target=target,
                            amount=abs(amount),
                            memo=memo,
                            slot_s=self.slot_s,
                        )
                    )
        return found
