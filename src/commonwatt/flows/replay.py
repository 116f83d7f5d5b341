"""Run a log again, trusting nobody: from zero, or from the last snapshot and what came after."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice

from commonwatt.flows.commit import Commit, NotOfThisLog
from commonwatt.flows.intake import Arrived, Intake, read_head, read_many
from commonwatt.flows.ports import LogStore
from commonwatt.flows.rulebook import State, snapshot
from commonwatt.ledger import tiles
from commonwatt.ledger.journal import Journal
from commonwatt.ledger.leaf import LeafRow, row_hashes
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.ledger.tile_format import TILE_WIDTH
from commonwatt.ledger.tiles import Frontier
from commonwatt.model import Corrupt, InvalidValue, Outcome, Refused

FIRST_AT_ONCE, MOST_AT_ONCE = 64, 8_192
"""Leaves that a replay reads and checks together: few at first, since it is there that keys are registered, and later
enough to keep every core busy, but not more than memory holds."""


@dataclass(slots=True)
class Replayed:
    """What a log comes to: the state, the tree over its leaves, the time of the last, and from which it was run."""

    state: State
    tree: MerkleTree | Frontier
    last_s: int = 0
    from_leaf: int = 0

    def whole_tree(self) -> MerkleTree:
        """Return the tree with all its hashes.

        Raises:
            Refused: The replay did not keep them.
        """
        if not isinstance(self.tree, MerkleTree):
            raise Refused("proofs are made from a replay that keeps everything")
        return self.tree


def replay(rows: Iterable[LeafRow], community: str, *, keep: bool = False) -> Replayed:
    """Run a log from zero: every signature is checked again, every outcome and checkpoint compared.

    Args:
        rows: All leaves.
        community: Whose log it is.
        keep: Whether to keep all entries, readings and hashes in memory, to prove from or to sum up.

    Raises:
        Corrupt: The log contradicts itself; says at which position and how.
    """
    state = State(community, Journal(keep=keep), doubted=[] if keep else None)
    state.sessions.receipts = [] if keep else None
    state.licences.waived = [] if keep else None
    replayed = Replayed(state, MerkleTree() if keep else Frontier())
    go_on(replayed, rows)
    return replayed


def resume(store: LogStore, community: str) -> Replayed:
    """Return what a stored log comes to: its last snapshot, and all that came after it run again.

    The snapshot's state must have the root that it tells, and the tree over the leaves before it the log root that it
    tells; the first leaf after it is as a rule the checkpoint that signed both. Where there is no snapshot, or the
    last does not hold, the log is run again from further back. The tree that comes out is compared with the stored
    tiles.

    Raises:
        Corrupt: The log contradicts itself or its tiles; says at which position and how.
    """
    replayed, whole = restored(store, community), store.size
    go_on(replayed, store.rows(len(replayed.tree)))
    size = len(replayed.tree)
    if size < whole:
        raise Corrupt(f"leaf {size} is missing, the log has {whole}")
    if store.tile(0, 0) and tiles.root(size, store_tile(store)) != replayed.tree.root():
        raise Corrupt(f"the stored tiles of {size} leaves have another root than the leaves")
    return replayed


def community_of(store: LogStore) -> str:
    """Return whose log a store holds, from its last snapshot or its first leaf.

    Raises:
        Refused: It is empty.
        Corrupt: Neither can be read.
    """
    for _, content in store.snapshots():
        return snapshot.load(content)[0].community
    for row in store.rows():
        return str(read_head(row.body).community)
    raise Refused("the log is empty")


def restored(store: LogStore, community: str, before_s: int | None = None) -> Replayed:
    """Return the state of a store's last snapshot that holds, and its tree; an empty one where none does.

    Args:
        store: The log.
        community: Whose it is.
        before_s: Take a snapshot from before this moment of the log's time only.
    """
    snapshots = store.snapshots()
    while True:
        try:
            size, content = next(snapshots)
            state, last_s = snapshot.load(content)
            frontier = Frontier.stored(size, store_tile(store))
            in_time = before_s is None or last_s < before_s
            if in_time and state.community == community and frontier.root() == snapshot.log_root(content):
                return Replayed(state, frontier, last_s, size)
        except StopIteration:
            break
        except (Corrupt, InvalidValue):
            continue  # an older one, or the whole log, tells the same
    return Replayed(State(community), Frontier())


def go_on(replayed: Replayed, rows: Iterable[LeafRow]) -> None:
    """Run further leaves, in whole commits.

    Raises:
        Corrupt: They contradict themselves or what came before; what was run is not to be used any more.
    """
    for commits, intake in _ahead(rows, replayed.state):
        read = iter(intake.wait())
        for commit_rows in commits:
            _replay_commit(replayed, commit_rows, list(islice(read, len(commit_rows))))


def check_hashes(store: LogStore) -> int:
    """Hash every stored leaf again, compare it with the stored tiles, and these with each other.

    Returns:
        How many leaves the log has.

    Raises:
        Corrupt: A leaf or a tile is not what it was; says which.
    """
    size = store.size
    rows = store.rows()
    for index in range(-(-size // TILE_WIDTH)):
        some = list(islice(rows, TILE_WIDTH))
        if index * TILE_WIDTH + len(some) < min(size, (index + 1) * TILE_WIDTH):
            raise Corrupt(f"leaf {index * TILE_WIDTH + len(some)} is missing, the log has {size}")
        found = b"".join(row_hashes(list(same)).tobytes() for _, same in groupby(some, lambda row: row.stamped_s))
        told = store.tile(0, index)
        if not told.startswith(found):
            wrong = next(n for n in range(len(some)) if found[n * 32 : n * 32 + 32] != told[n * 32 : n * 32 + 32])
            raise Corrupt(f"leaf {some[wrong].position} has another hash than the tile that holds it")
    tiles.check_tiles(size, tiles.root(size, store_tile(store)), store_tile(store))
    return size


def store_tile(store: LogStore) -> tiles.ReadTile:
    """Return a store's tiles as proofs read them."""
    return lambda level, index, _: store.tile(level, index)


def _ahead(rows: Iterable[LeafRow], state: State) -> Iterator[tuple[list[list[LeafRow]], Intake]]:
    """Yield whole commits, some thousand leaves at a time, each chunk read while the one before is decided."""
    waiting: tuple[list[list[LeafRow]], Intake] | None = None
    for commits in _chunks(rows):
        wires = [_wire(row) for commit in commits for row in commit]
        intake = read_many(wires, state.keys)
        if waiting:
            yield waiting
        waiting = commits, intake
    if waiting:
        yield waiting


def _chunks(rows: Iterable[LeafRow]) -> Iterator[list[list[LeafRow]]]:
    chunk: list[list[LeafRow]] = []
    commit: list[LeafRow] = []
    count, enough = 0, FIRST_AT_ONCE
    for row in rows:
        commit.append(row)
        if row.closes:
            chunk.append(commit)
            count += len(commit)
            commit = []
        if count >= enough:
            yield chunk
            chunk, count, enough = [], 0, min(2 * enough, MOST_AT_ONCE)
    if commit:
        raise Corrupt(f"position {commit[-1].position} is the last, and does not close what was decided with it")
    if chunk:
        yield chunk


def _wire(row: LeafRow) -> bytes:
    return row.body + b"\n" + row.items + row.personal if row.items else row.body


def _replay_commit(replayed: Replayed, rows: list[LeafRow], read: list[Arrived | InvalidValue]) -> None:
    """Decide again what was decided together, and compare."""
    first, stamped_s = rows[0].position, rows[0].stamped_s
    if stamped_s < replayed.last_s:
        raise Corrupt(f"position {first} is stamped {stamped_s} s, before {replayed.last_s} s")
    replayed.last_s = stamped_s
    commit = Commit(replayed.state, replayed.tree, stamped_s, lambda position: rows[position - first].salt)
    for row, arrived in zip(rows, read, strict=True):
        where = f"position {row.position}"
        if isinstance(arrived, InvalidValue):
            raise Corrupt(f"{where} holds no request: {arrived}")
        if row.stamped_s != stamped_s:
            raise Corrupt(f"{where} is stamped {row.stamped_s} s, what was decided with it {stamped_s} s")
        try:
            found = commit.take(arrived)
        except (NotOfThisLog, InvalidValue) as error:
            raise Corrupt(f"{where} {error}") from error
        if isinstance(found, Outcome):
            raise Corrupt(f"{where} should never have been admitted: {found}")
    for row, again in zip(rows, commit.finish(), strict=True):
        if again.outcome is not row.outcome:
            raise Corrupt(f"position {row.position} was answered {row.outcome}, the rulebook says {again.outcome}")
        if again != row:
            raise Corrupt(f"position {row.position} rests under another name than its request tells")
