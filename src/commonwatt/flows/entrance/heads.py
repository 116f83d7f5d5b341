"""Tie the trail of the entrance to the log: which heads stand there, and the body that puts the next one in."""

from collections.abc import Iterable

import msgspec

from commonwatt.flows.entrance.ports import People
from commonwatt.flows.rulebook.identity.trust_bodies import EntranceTrail
from commonwatt.flows.rulebook.state import State
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Outcome

_MARK = b'"what":"trail"'


class _Head(msgspec.Struct):
    body: EntranceTrail
    kind: str


_DECODER = msgspec.json.Decoder(_Head)


def heads(rows: Iterable[LeafRow]) -> dict[int, str]:
    """Return the hashes of events whose number the log tells, from its leaves."""
    found = {}
    for row in rows:
        if _MARK not in row.body or row.outcome is not Outcome.BOOKED:
            continue
        try:
            told = _DECODER.decode(row.body)
        except msgspec.MsgspecError:
            continue  # another kind of request, in whose text these words stand
        if told.kind == "attest":
            found[told.body.events] = told.body.head
    return found


def next_head(people: People, state: State) -> EntranceTrail | None:
    """Return what the operator signs so that the log knows how far the trail goes; None where it knows."""
    last, known = people.head(), state.trusted.trail
    if last is None or (known is not None and last.number <= known[0]):
        return None
    return EntranceTrail(events=last.number, head=last.hash)
