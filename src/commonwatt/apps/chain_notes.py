"""What is taken to the chain: the log's checkpoints with their signatures, and the state that each of them signs."""

from itertools import takewhile
from pathlib import Path

from commonwatt.adapters.stores.notes import NoteFile
from commonwatt.flows.handover import state_at, taken_up
from commonwatt.flows.ports import LogStore
from commonwatt.flows.publish import Cosignature
from commonwatt.flows.replay import Replayed, go_on, store_tile
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.bodies import Witness
from commonwatt.identity.eip712 import sign_checkpoint
from commonwatt.identity.keys import SigningKey
from commonwatt.ledger.checkpoint import read_note
from commonwatt.ledger.tiles import Frontier
from commonwatt.model import SLOT_SECONDS, Corrupt

OWN = "operator"


class OwnNotes(NoteFile):
    """A log's notes where no witness is registered: the operator's own second key signs them for the contract.

    It says no more than the note itself does: whoever trusts nobody registers witnesses.

    Args:
        path: The file of notes.
        key: The operator's.
    """

    def __init__(self, path: Path, key: SigningKey) -> None:
        super().__init__(path)
        self._key = key

    @property
    def card(self) -> Witness:
        """The operator as the contract's only witness."""
        return Witness(note=OWN, public=self._key.public.hex())

    def final_size(self, total: int) -> int | None:
        """Return the size of the last note: what the operator signed is final to itself."""
        note = self.note()
        return None if note is None else read_note(note).size

    def cosignatures(self, size: int) -> list[Cosignature]:
        """Return the operator's own signature of a note for contracts."""
        note = self.note(size)
        if note is None:
            return []
        point = read_note(note)
        typed = sign_checkpoint(
            self._key,
            origin=point.origin,
            epoch=point.slot_s // SLOT_SECONDS,
            size=point.size,
            log_root=point.log_root,
            state_root=point.state_root,
        )
        return [Cosignature(size=size, witness=OWN, time_s=0, line="", typed=typed)]


class FinalState:
    """The ledger's state as of checkpoints, run on from one to the next beside the log's writer.

    Args:
        log: Opened for reading.
        community: Whose.
    """

    def __init__(self, log: LogStore, community: str) -> None:
        self._log, self._community = log, community
        self._there: Replayed | None = None

    def at(self, size: int) -> State:
        """Return the state after so many leaves.

        Raises:
            Corrupt: The leaves contradict themselves, or cannot be read.
            Refused: They were pruned, and no snapshot is old enough.
        """
        there, self._there = self._there, None  # what failed halfway is not gone on with
        if there is None or len(there.tree) > size:
            there = self._begun(size)
        go_on(there, takewhile(lambda row: row.position < size, self._log.rows(len(there.tree))))
        if len(there.tree) != size:
            raise Corrupt(f"the log ends before {size} leaves, at {len(there.tree)}")
        self._there = there
        return there.state

    def _begun(self, size: int) -> Replayed:
        content = state_at(self._log, self._community, size)
        if content is None:
            return Replayed(State(self._community), Frontier())
        return taken_up(size, content, self._community, store_tile(self._log))
