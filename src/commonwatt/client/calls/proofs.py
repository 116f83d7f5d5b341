"""Proofs over HTTP; written by scripts/client.py, not by hand."""

from commonwatt.apps.views.proof import Proof
from commonwatt.client.line import Line, part


class Proofs:
    """Proofs over HTTP."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def checkpoint(self) -> Proof:
        """The last checkpoint.

        The signed note, and which witnesses cosigned it so far.
        """
        return self._line.call("GET", "/proofs/checkpoint", Proof)

    def leaf(self, position: int) -> Proof:
        """Prove a leaf.

        A request, what became of it, and its inclusion proof; without content where that is its owner's.
        """
        return self._line.call("GET", f"/proofs/leaves/{part(position)}", Proof)

    def reading(self, name: str, slot_s: int) -> Proof:
        """Prove a reading.

        One meter's record of a slot, out of its gateway's signed batch.
        """
        return self._line.call("GET", f"/proofs/readings/{part(name)}/{part(slot_s)}", Proof)

    def entry(self, number: int) -> Proof:
        """Prove an entry.

        An entry of the books up to the state root; the first question runs the whole log again, so it may wait.
        """
        return self._line.call("GET", f"/proofs/entries/{part(number)}", Proof)

    def evidence(self, account: str, slot_s: int) -> bytes:
        """Evidence of a slot.

        How an account's slot was settled, as a file for `commonwatt verify`.
        """
        return self._line.call("GET", f"/proofs/evidence/{part(account)}/{part(slot_s)}", bytes)

    def chain(self, name: str, slot_s: int) -> bytes:
        """Chain of evidence.

        From what was asked of an asset to what flowed, as a file for `commonwatt verify`.
        """
        return self._line.call("GET", f"/proofs/chains/{part(name)}/{part(slot_s)}", bytes)

    def trust(self) -> bytes:
        """Whom to believe.

        The community's public keys, `community.pub`; who checks in earnest has them from somebody else.
        """
        return self._line.call("GET", "/proofs/trust", bytes)
