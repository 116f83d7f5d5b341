"""What a witness holds and needs from outside: keys, promises, its log, its memory and a shelf for its state."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from commonwatt.identity.keys import NoteKey, SigningKey
from commonwatt.ledger.cosign import cosigner_vkey
from commonwatt.ledger.leaf import LeafRow


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint that the log's key signed, wherever it came from."""

    size: int
    slot_s: int
    note: str


@dataclass(frozen=True, slots=True)
class Promise:
    """A checkpoint that this witness cosigned, and both its signatures.

    ``note`` bears the operator's signature alone, ``line`` is the witness's own for its end, ``typed`` the one for
    contracts.
    """

    size: int
    slot_s: int
    note: str
    time_s: int
    line: str
    typed: str


@dataclass(frozen=True, slots=True)
class WitnessKeys:
    """A witness's name and its two keys, which its community's first leaf binds to each other."""

    name: str
    note: NoteKey
    signing: SigningKey

    @property
    def word(self) -> str:
        """The C2SP word of the key that cosigns notes."""
        return cosigner_vkey(self.name, self.note.public)


class Log(Protocol):
    """A log as its operator serves it; every call can raise Refused where it cannot be reached."""

    def checkpoint(self) -> str:
        """Return the latest signed note."""

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Return a tile of so many hashes, or no bytes where there is none."""

    def leaves(self, first: int, limit: int) -> list[LeafRow]:
        """Return leaves from a position on, as many as the log gives at once."""

    def hand_in(self, size: int, line: str, typed: str) -> None:
        """Hand in a cosignature."""

    def handed(self) -> bytes:
        """Return the state that the log hands over, see `commonwatt.flows.handover`."""


class Shelf(Protocol):
    """Where a witness keeps the state that it reached itself."""

    def kept(self) -> tuple[int, bytes] | None:
        """Return the state that was kept last, after how many leaves; None where there is none."""

    def keep(self, size: int, content: bytes) -> None:
        """Keep a state in place of the one before, whole or not at all."""


class Memory(Protocol):
    """What a witness must never forget. What returned survives a power cut."""

    def last(self) -> Promise | None:
        """Return the promise of the largest size, or None."""

    def promise(self, promise: Promise) -> None:
        """Remember what is about to be given out; refuses a second one for a size or slot, and to go back."""

    def seen(self, size: int, slot_s: int) -> list[Seen]:
        """Return the log's notes that were remembered for a size or a slot."""

    def remember(self, notes: Sequence[Seen]) -> None:
        """Remember notes of the log; the first of a size or slot stays."""
