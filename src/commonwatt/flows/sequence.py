"""The one writer of a community's log: verify, decide, make durable, answer."""

from collections.abc import Callable, Mapping, Sequence

from commonwatt.flows.commit import Commit, NotOfThisLog, Taken
from commonwatt.flows.intake import Arrived, Intake, read_many
from commonwatt.flows.ports import LogStore
from commonwatt.flows.replay import Replayed, replay, resume
from commonwatt.flows.rulebook import snapshot
from commonwatt.ledger.checkpoint import Checkpoint
from commonwatt.ledger.tiles import Frontier
from commonwatt.model import InvalidValue, Outcome, Refused

__all__ = ["Replayed", "Sequencer", "replay"]


class Sequencer:
    """Takes requests in, in order, for one community.

    A request that cannot be admitted gets its reason and leaves no trace. An admitted one is decided by the rulebook,
    logged with its outcome, and answered only after the store has made it durable. Should the store fail, the
    sequencer refuses everything from then on: its memory is ahead of the log, and only a replay can be believed.

    Args:
        store: The community's log; its last snapshot is taken up and what came after it run again.
        community: Its name.
        salt: Gives 32 bytes for a position. Random in production; a function of the seed in simulations.
    """

    def __init__(self, store: LogStore, community: str, salt: Callable[[int], bytes]) -> None:
        self._store, self._salt, self._broken = store, salt, False
        replayed = resume(store, community)
        self.state, self._last_s = replayed.state, replayed.last_s
        assert isinstance(replayed.tree, Frontier)
        self.tree = replayed.tree
        self.tree.take()

    @property
    def last_s(self) -> int:
        """The log's time: the stamp of its last leaf, or of what was submitted since."""
        return self._last_s

    def read(self, wires: Sequence[bytes]) -> Intake:
        """Begin to read requests and check their signatures, while others are still being decided."""
        return read_many(wires, self.state.keys)

    def submit(
        self, wires: Sequence[bytes] | Intake, stamped_s: int, marks: Mapping[str, str] | None = None
    ) -> list[Outcome]:
        """Decide requests, make them durable in one batch, and answer.

        Args:
            wires: Requests as they travel, or what `read` began with.
            stamped_s: The log's time, never before the last batch's.
            marks: Set in the same transaction, so that who resumes knows how far the log had come.

        Returns:
            One outcome each; a repeat returns its first outcome.

        Raises:
            Refused: The store failed before, or the time runs backwards; nothing of this batch was answered.
        """
        if self._broken:
            raise Refused("the log could not be written; open it again to go on")
        if stamped_s < self._last_s:
            raise Refused("the log's time does not run backwards", last_s=self._last_s, found_s=stamped_s)
        try:
            intake = wires if isinstance(wires, Intake) else self.read(wires)
            commit = Commit(self.state, self.tree, stamped_s, self._salt)
            found = [self._take(commit, arrived) for arrived in intake.wait()]
            rows = commit.finish()
            if rows or marks:
                self._store.append(rows, marks or {}, self.tree.take())
        except BaseException:
            self._broken = True
            raise
        self._last_s = stamped_s
        return [one if isinstance(one, Outcome) else one.outcome or Outcome.MALFORMED for one in found]

    def checkpoint(self, slot_s: int) -> Checkpoint:
        """Return the roots over everything so far."""
        return Checkpoint(
            origin=self.state.community,
            size=len(self.tree),
            log_root=self.tree.root(),
            state_root=self.state.root(),
            slot_s=slot_s,
        )

    def save_snapshot(self) -> None:
        """Keep the state as it stands, for the next start; best just before a checkpoint, which then vouches for it."""
        content = snapshot.dump(self.state, self._last_s, self.tree.root())
        self._store.save_snapshot(len(self.tree), content)

    def _take(self, commit: Commit, arrived: Arrived | InvalidValue) -> Outcome | Taken:
        if isinstance(arrived, InvalidValue):
            return Outcome.MALFORMED
        try:
            found = commit.take(arrived)
        except NotOfThisLog:
            return Outcome.MALFORMED
        return self._first(commit, arrived) if found is Outcome.SEEN_BEFORE else found

    def _first(self, commit: Commit, arrived: Arrived) -> Outcome | Taken:
        """Return how a repeat was answered the first time; another request under a used number is no repeat."""
        request = arrived.request
        for taken in commit.taken:
            old = taken.arrived.request
            if (old.author, old.seq) == (request.author, request.seq):
                return taken if old.head_bytes() == request.head_bytes() else Outcome.WRONG_SEQUENCE
        row = self._store.answered(request.author, request.seq)
        if row is None:
            return Outcome.SEEN_BEFORE  # so long ago that the store has let go of it
        return row.outcome if row.body == request.head_bytes() else Outcome.WRONG_SEQUENCE
