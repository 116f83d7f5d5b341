"""Follow a log leaf by leaf, from its beginning or from a state that was reached before."""

from collections.abc import Sequence

from commonwatt.flows.replay import Replayed, go_on
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import HASH_BYTES
from commonwatt.ledger.tile_format import TILE_WIDTH
from commonwatt.ledger.tiles import Frontier
from commonwatt.model import Corrupt

MOST_OPEN_LEAVES = 65_536
"""Leaves that one moment may decide together; an operator who never closes would fill a witness's memory."""


class Follower:
    """A log as far as it was run; takes leaves as they come, and decides them in whole commits.

    Args:
        replayed: Where it begins; its tree is a frontier.
    """

    def __init__(self, replayed: Replayed) -> None:
        assert isinstance(replayed.tree, Frontier)
        self._frontier, self.replayed = replayed.tree, replayed
        self.open: list[LeafRow] = []
        """Leaves that wait for the last one that was decided together with them."""
        self.full_tiles: dict[tuple[int, int], bytes] = {}
        """Tiles above the leaves' own that became full, by level and index, until somebody takes them away."""

    @property
    def size(self) -> int:
        """Leaves that were run."""
        return len(self._frontier)

    @property
    def received(self) -> int:
        """Leaves that came, run or waiting."""
        return self.size + len(self.open)

    def take(self, rows: Sequence[LeafRow]) -> None:
        """Run further leaves.

        Raises:
            Corrupt: They contradict themselves or what came before; the follower is not to be used any more.
        """
        self.open += rows
        closed = next((n for n in range(len(self.open), 0, -1) if self.open[n - 1].closes), 0)
        if len(self.open) - closed > MOST_OPEN_LEAVES:
            raise Corrupt(f"position {self.size + closed} begins what {MOST_OPEN_LEAVES} leaves later is not closed")
        done, self.open = self.open[:closed], self.open[closed:]
        go_on(self.replayed, done)
        grown = self._frontier.take().items()
        full = TILE_WIDTH * HASH_BYTES
        self.full_tiles |= {place: hashes for place, hashes in grown if place[0] and len(hashes) == full}
