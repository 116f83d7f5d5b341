"""Say whether a log's beginning is final: whether those whom the community registered stand behind it."""

from collections.abc import Sequence

from commonwatt.flows.ports import LogStore
from commonwatt.flows.publish import NoteBook, checkpoint_note
from commonwatt.flows.replay import store_tile
from commonwatt.flows.rulebook.bodies import Witness
from commonwatt.flows.rulebook.identity.witnesses import weights
from commonwatt.ledger import tiles
from commonwatt.ledger.checkpoint import read_note
from commonwatt.ledger.cosign import weight
from commonwatt.model import Corrupt, Refused


def check_final(log: LogStore, notes: NoteBook | None, witnesses: Sequence[Witness], size: int) -> None:
    """Refuse to go on from so many leaves before they are final.

    They are once two thirds of the registered witnesses' weight cosigned a checkpoint that covers them. Where a
    community has no witnesses its operator alone answers for the log: a checkpoint in it has to cover them.

    Args:
        log: Whole from there on.
        notes: Where cosignatures rest; None where none was ever handed in.
        witnesses: As the charter names them, see `commonwatt.flows.rulebook.charter.Charter`.
        size: Leaves.

    Raises:
        Refused: They are not final; says how much is.
        Corrupt: The cosignatures do not fit the registered keys, or stand behind another log than this.
    """
    if witnesses:
        final = final_size(log, notes, witnesses)
        if final < size:
            raise Refused("two thirds of the witnesses' weight cosign first what is final", leaves=size, final=final)
        return
    told = (note for row in log.rows(size) if (note := checkpoint_note(row)) is not None)
    if not any(read_note(note).size >= size for note in told):
        raise Refused("a checkpoint in the log covers first what is final", leaves=size, log_size=log.size)


def final_size(log: LogStore, notes: NoteBook | None, witnesses: Sequence[Witness]) -> int:
    """Return how many leaves two thirds of the registered witnesses' weight stand behind; 0 where there are none.

    Raises:
        Corrupt: The cosignatures do not fit the registered keys, or stand behind another log than this.
    """
    known = weights(witnesses)
    size = notes.final_size(sum(known.values())) if notes and known else None
    if notes is None or size is None:
        return 0
    note = notes.note(size) or ""
    found = weight(note + "".join(one.line for one in notes.cosignatures(size)), known)
    if not found.is_final:
        raise Corrupt(f"{found.cosigned} of {found.total} stand behind {size} leaves, the notes tell of more")
    point = read_note(note)
    if point.size != size or size > log.size or tiles.root(size, store_tile(log)) != point.log_root:
        raise Corrupt(f"the witnesses stand behind another log: {size} leaves of theirs are not those of this one")
    return size
