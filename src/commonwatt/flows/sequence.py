"""The one writer of a community's log: verify, decide, make durable, answer."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from commonwatt.flows.commit import Commit, NotOfThisLog, Taken
from commonwatt.flows.intake import Arrived, Intake, read_many
from commonwatt.flows.ports import NO_TILES, LogStore
from commonwatt.flows.replay import Replayed, replay, resume
from commonwatt.flows.rulebook import snapshot
from commonwatt.ledger.checkpoint import Checkpoint
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.tiles import Frontier
from commonwatt.model import InvalidValue, Outcome, Refused

__all__ = ["Decided", "Replayed", "Sequencer", "replay"]


@dataclass(frozen=True, slots=True)
class Decided:
    """Outcomes of requests that are decided, and may not be durable yet: nobody is told before `wait` has returned."""

    outcomes: list[Outcome]
    kept: "Future[None]"

    def wait(self) -> list[Outcome]:
        """Return the outcomes once they are durable.

        Raises:
            Exception: What the store failed with; nothing of this is to be answered.
        """
        self.kept.result()
        return self.outcomes


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
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="keeper")
        self._keeping: Future[None] | None = None
        replayed = resume(store, community)
        self.state, self._last_s = replayed.state, replayed.last_s
        self.kept_to = replayed.from_leaf  # leaves that the last snapshot stands for
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
        return self._decide(wires, stamped_s, marks or {}, beside=False).wait()

    def decide(self, wires: Sequence[bytes] | Intake, stamped_s: int) -> Decided:
        """Decide requests, and make them durable beside: the next can be decided meanwhile, none be answered.

        Args:
            wires: Requests as they travel, or what `read` began with.
            stamped_s: The log's time, never before the last batch's.

        Raises:
            Refused: The store failed before, or the time runs backwards.
        """
        return self._decide(wires, stamped_s, {}, beside=True)

    def _decide(
        self, wires: Sequence[bytes] | Intake, stamped_s: int, marks: Mapping[str, str], *, beside: bool
    ) -> Decided:
        if self._broken:
            raise Refused("the log could not be written; open it again to go on")
        if stamped_s < self._last_s:
            raise Refused("the log's time does not run backwards", last_s=self._last_s, found_s=stamped_s)
        try:
            intake = wires if isinstance(wires, Intake) else self.read(wires)
            commit = Commit(self.state, self.tree, stamped_s, self._salt)
            found = [self._take(commit, arrived) for arrived in intake.wait()]
            rows = commit.finish()
            tiles = self.tree.take() if rows or marks else NO_TILES
            if beside:
                self._keeping = self._keeper.submit(self._keep, rows, marks, tiles)
            else:
                self._kept()
                self._keep(rows, marks, tiles)
        except BaseException:
            self._broken = True
            raise
        self._last_s = stamped_s
        outcomes = [one if isinstance(one, Outcome) else one.outcome or Outcome.MALFORMED for one in found]
        return Decided(outcomes, self._keeping or _done())

    def _keep(self, rows: Sequence[LeafRow], marks: Mapping[str, str], tiles: Mapping[tuple[int, int], bytes]) -> None:
        """Make durable what was decided; what comes after a failure is not even tried."""
        if self._broken:
            raise Refused("the log could not be written; open it again to go on")
        try:
            if rows or marks:
                self._store.append(rows, marks, tiles)
        except BaseException:
            self._broken = True
            raise

    def _kept(self) -> None:
        """Wait until everything that was decided is durable: before it, the store is not to be looked into."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.result()

    def checkpoint(self, slot_s: int) -> Checkpoint:
        """Return the roots over everything so far."""
        return Checkpoint(
            origin=self.state.community,
            size=len(self.tree),
            log_root=self.tree.root(),
            state_root=self.state.root(),
            slot_s=slot_s,
        )

    def close(self) -> None:
        """Wait until everything that was decided is kept, or has failed; the store may be closed after that."""
        self._keeper.shutdown(wait=True)

    def save_snapshot(self) -> None:
        """Keep the state as it stands, for the next start; best just before a checkpoint, which then vouches for it."""
        self._kept()
        content = snapshot.dump(self.state, self._last_s, self.tree.root())
        self._store.save_snapshot(len(self.tree), content)
        self.kept_to = len(self.tree)

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
        self._kept()
        row = self._store.answered(request.author, request.seq)
        if row is None:
            return Outcome.SEEN_BEFORE  # so long ago that the store has let go of it
        return row.outcome if row.body == request.head_bytes() else Outcome.WRONG_SEQUENCE


def _done() -> "Future[None]":
    done: Future[None] = Future()
    done.set_result(None)
    return done
