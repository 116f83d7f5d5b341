"""Requests that are decided together, at one moment: what both the log's writer and every replay go through."""

from collections.abc import Callable
from dataclasses import dataclass, field

from commonwatt.flows import rulebook
from commonwatt.flows.intake import Arrived
from commonwatt.flows.rulebook import Batch, OrderBatch, State, bodies
from commonwatt.ledger.checkpoint import read_note
from commonwatt.ledger.leaf import LeafRow, row_hashes
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.ledger.tiles import Frontier
from commonwatt.model import CommonwattError, Corrupt, Outcome


class NotOfThisLog(CommonwattError):
    """A checkpoint tells of another log, or of another state, than the one that it was sent to."""


@dataclass(slots=True)
class Taken:
    """An admitted request in its commit, and its outcome as soon as that is known."""

    arrived: Arrived
    position: int
    outcome: Outcome | None = None
    batch: Batch | OrderBatch | None = None


@dataclass(slots=True)
class Commit:
    """Requests that are decided together, at one moment: batches of readings and orders in runs, all else one by one.

    Args:
        state: Changed as requests are taken.
        tree: Over the leaves before; grows in `finish`.
        stamped_s: The moment.
        salt: Gives 32 bytes for a position.
    """

    state: State
    tree: MerkleTree | Frontier
    stamped_s: int
    salt: Callable[[int], bytes]
    taken: list[Taken] = field(default_factory=list)
    _readings: list[Batch] = field(default_factory=list)
    _orders: list[OrderBatch] = field(default_factory=list)
    _first: int = field(init=False)

    def __post_init__(self) -> None:
        self._first = len(self.tree)

    def take(self, arrived: Arrived) -> Outcome | Taken:
        """Decide a request: why it is not admitted, or its place in this commit.

        Raises:
            NotOfThisLog: It is a checkpoint of another log or state than this; nothing changed.
            InvalidValue: A rule met what it cannot book. The state may be half changed: nobody may go on from it.
        """
        state, request = self.state, arrived.request
        refusal = rulebook.admit(state, request, arrived.signed)
        if refusal is not None:
            return refusal
        # Anybody else's is refused by the rules, and not worth a state root.
        if isinstance(arrived.body, bodies.CheckpointBody) and request.author == state.operator:
            if self.taken:
                raise NotOfThisLog("comes after other requests, where no state is settled")
            if wrong := _contradiction(state, self.tree, arrived.body):
                raise NotOfThisLog(wrong)
        if not self.taken:
            rulebook.begin(state, self.stamped_s)
        taken = Taken(arrived, self._first + len(self.taken))
        if isinstance(arrived.body, bodies.ReadingBatch):
            self._take_orders()
            taken.batch = rulebook.read_batch(state, request, arrived.body, taken.position)
            self._readings.append(taken.batch)
        elif isinstance(arrived.body, bodies.OrderBatch):
            self._take_readings()
            taken.batch = rulebook.read_orders(state, request, arrived.body, taken.position, self.stamped_s)
            self._orders.append(taken.batch)
        else:
            self._take_readings()
            self._take_orders()
            taken.outcome = rulebook.apply(state, request, arrived.body, taken.position, self.stamped_s)
        self.taken.append(taken)
        return taken

    def finish(self) -> list[LeafRow]:
        """Settle what has come due, put everything under the tree, and return the leaves of all that was taken."""
        self._take_readings()
        self._take_orders()
        if not self.taken:
            return []
        rulebook.end(self.state, self.stamped_s)
        rows = [self._row(taken) for taken in self.taken]
        self.tree.extend(row_hashes(rows))
        return rows

    def _take_readings(self) -> None:
        """Judge the readings that have come in a row."""
        if self._readings:
            rulebook.apply_readings(self.state, self._readings, self.stamped_s)
            self._readings.clear()

    def _take_orders(self) -> None:
        """Take in the batches of orders that have come in a row."""
        if self._orders:
            rulebook.apply_orders(self.state, self._orders, self.stamped_s)
            self._orders.clear()

    def _row(self, taken: Taken) -> LeafRow:
        request = taken.arrived.request
        outcome = taken.batch.outcome if taken.batch else taken.outcome
        assert outcome is not None
        taken.outcome = outcome
        return LeafRow(
            position=taken.position,
            stamped_s=self.stamped_s,
            salt=self.salt(taken.position),
            body=request.head_bytes(),
            outcome=outcome,
            author=request.author,
            seq=request.seq,
            owner=request.on_behalf_of,
            closes=taken is self.taken[-1],
            items=request.items,
            personal=request.personal,
        )


def _contradiction(state: State, tree: MerkleTree | Frontier, body: bodies.CheckpointBody) -> str | None:
    """Return how a checkpoint differs from what stands before it, or None."""
    try:
        told = read_note(body.note)
    except Corrupt as error:
        return str(error)
    if told.origin != state.community:
        return f"is a checkpoint of {told.origin}"
    if told.size != len(tree):
        return f"is a checkpoint of size {told.size}, the log has {len(tree)} leaves before it"
    if told.log_root != tree.root():
        return "tells another log root than the leaves before it have"
    if told.state_root != state.root():
        return "tells another state root than the rulebook reaches"
    return None
