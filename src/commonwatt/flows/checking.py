"""Hash every stored leaf again: whether the leaves, the tiles and the checkpoints of a log still say the same."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from commonwatt.flows.ports import LogStore
from commonwatt.flows.publish import checkpoint_note
from commonwatt.flows.replay import store_tile
from commonwatt.ledger import tiles
from commonwatt.ledger.checkpoint import read_note
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import HASH_BYTES, leaf_hash
from commonwatt.ledger.tile_format import TILE_WIDTH
from commonwatt.model import Corrupt, Erased


class StoredLog(LogStore, Protocol):
    """A log that says how much of it was let go of."""

    @property
    def pruned_to(self) -> int:
        """The first position that was never pruned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check went through.

    Args:
        leaves: How many the log had when it began.
        hashed: How many were read and hashed again.
        pruned: How many lie in the archive alone.
        erased: How many nobody can read any more.
        checkpoints: How many were compared with the tiles.
        log_root: Over all leaves, hex.
    """

    leaves: int
    hashed: int
    pruned: int
    erased: int
    checkpoints: int
    log_root: str


def check_log(log: StoredLog, on_progress: Callable[[int, int], None] = lambda done, whole: None) -> Checked:
    """Hash every leaf that can be read again, and compare it with the tiles, these with each other, and checkpoints
    with them.

    Beyond the leaves that there are at the beginning nothing is looked at, so that a writer may append meanwhile. Of
    what was pruned or erased the hashes stay, and are checked. Requests are not run again, see
    `commonwatt.flows.replay`.

    Args:
        log: Any store.
        on_progress: Told after some leaves how many were looked at, and of how many; may take its time, or raise.

    Raises:
        Corrupt: A leaf, a tile or a checkpoint is not what it was; says which.
    """
    size, pruned, read_tile = log.size, log.pruned_to, store_tile(log)
    erased = checkpoints = 0
    rows = _readable(log, pruned, size)
    for first in range(pruned, size, TILE_WIDTH):
        some = list(islice(rows, min(TILE_WIDTH, size - first)))
        for position, row in enumerate(some, first):
            erased += row is None
            _compare(position, row, log.tile(0, position // TILE_WIDTH))
            if row is not None and (note := checkpoint_note(row)) is not None:
                _compare_note(position, note, read_tile)
                checkpoints += 1
        on_progress(first + len(some), size)
    root = tiles.root(size, read_tile)
    tiles.check_tiles(size, root, read_tile)
    return Checked(
        leaves=size,
        hashed=size - pruned - erased,
        pruned=pruned,
        erased=erased,
        checkpoints=checkpoints,
        log_root=root.hex(),
    )


def _readable(log: StoredLog, position: int, size: int) -> Iterator[LeafRow | None]:
    """Yield one row for each position, None where it was erased."""
    rows = log.rows(position)
    while position < size:
        try:
            row = next(rows, None)
        except Erased:
            yield None
            rows = log.rows(position + 1)
        else:
            if row is None:
                raise Corrupt(f"leaf {position} is missing, the log has {size}")
            yield row
        position += 1


def _compare(position: int, row: LeafRow | None, told: bytes) -> None:
    at = position % TILE_WIDTH * HASH_BYTES
    here = told[at : at + HASH_BYTES]
    if len(here) < HASH_BYTES:
        raise Corrupt(f"leaf {position} has no hash, the tile that holds it is short")
    if row is not None and leaf_hash(row.data()) != here:
        raise Corrupt(f"leaf {position} has another hash than the tile that holds it")


def _compare_note(position: int, note: str, read_tile: tiles.ReadTile) -> None:
    point = read_note(note)
    if point.size != position:
        raise Corrupt(f"leaf {position} is a checkpoint of {point.size} leaves")
    if tiles.root(point.size, read_tile) != point.log_root:
        raise Corrupt(f"leaf {position} is a checkpoint over other leaves than those before it")
