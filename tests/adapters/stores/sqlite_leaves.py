"""Leaves for a log in SQLite, the key that seals them, and a hand that spoils its file."""

import sqlite3
from pathlib import Path

from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Outcome

MASTER = MasterKey(bytes(32))


def leaf(
    position: int, body: bytes = b"{}", outcome: Outcome = Outcome.BOOKED, owner: str = "anna", **more: bytes
) -> LeafRow:
    return LeafRow(
        position=position,
        stamped_s=1_700_000_100,
        salt=b"s" * 32,
        body=body,
        outcome=outcome,
        author="0xa",
        seq=position + 1,
        owner=owner,
        closes=position % 2 == 0,
        **more,
    )


def leaves(start: int, end: int) -> list[LeafRow]:
    return [leaf(position, b"%d" % position) for position in range(start, end)]


def spoil(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()
