"""Hand a state over: where a log is not whole any more, who never followed it can begin at a checkpoint that is final.

What is handed over is the settlement state: balances, registrations, orders and statements under accounts that are
pseudonyms. It tells no more than the settlement bodies from which it follows, and as with these nobody but registered
witnesses gets it.
"""

from itertools import takewhile

import msgspec
from msgspec import Struct

from commonwatt.flows.ports import LogStore
from commonwatt.flows.replay import Replayed, go_on, store_tile
from commonwatt.flows.rulebook import snapshot
from commonwatt.ledger import tiles
from commonwatt.ledger.checkpoint import Checkpoint
from commonwatt.ledger.tiles import Frontier
from commonwatt.model import Corrupt, InvalidValue


class Handed(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A checkpoint's note with its cosignatures, and the state there, see `commonwatt.flows.rulebook.snapshot`."""

    note: str
    content: bytes

    def encode(self) -> bytes:
        """Return it as it travels."""
        return msgspec.msgpack.encode(self)


def read_handed(content: bytes) -> Handed:
    """Return what `Handed.encode` wrote.

    Raises:
        Corrupt: It is something else.
    """
    try:
        return msgspec.msgpack.decode(content, type=Handed)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Corrupt(f"a state is handed over as note and content: {error}") from error


def state_at(log: LogStore, community: str, size: int) -> bytes | None:
    """Return a log's state after so many leaves, from the snapshot before; None where no snapshot is old enough.

    Raises:
        Corrupt: The leaves after the snapshot contradict it, or cannot be read.
    """
    for begin, content in log.snapshots():
        if begin > size:
            continue
        try:
            there = taken_up(begin, content, community, store_tile(log))
        except (Corrupt, InvalidValue):
            continue  # an older one tells the same
        go_on(there, takewhile(lambda row: row.position < size, log.rows(begin)))
        return snapshot.dump(there.state, there.last_s, there.tree.root())
    return None


def taken_up(size: int, content: bytes, community: str, read_tile: tiles.ReadTile) -> Replayed:
    """Return a state to go on from, and the edge of its log's tree, whose root is the one that the state tells.

    Raises:
        Corrupt: The state leads to another root than it tells, is of another log, or the tiles are.
        InvalidValue: No log has that size.
    """
    state, last_s = snapshot.load(content)
    frontier = Frontier.stored(size, read_tile)
    if state.community != community:
        raise Corrupt(f"a state is of {community}, was of {state.community}")
    if frontier.root() != snapshot.log_root(content):
        raise Corrupt(f"the tiles of {size} leaves lead to another root than the state was reached from")
    return Replayed(state, frontier, last_s)


def vouched(point: Checkpoint, content: bytes, community: str, read_tile: tiles.ReadTile) -> Replayed:
    """Return a state to go on from that is the one of a checkpoint, log root and state root both.

    Raises:
        Corrupt: It is another one, or `taken_up` finds a fault.
        InvalidValue: No log has that size.
    """
    there = taken_up(point.size, content, community, read_tile)
    roots = there.tree.root(), there.state.root()
    if roots != (point.log_root, point.state_root):
        raise Corrupt(f"a state is the one of the checkpoint of {point.size} leaves, its roots are others")
    return there
