"""What a log hands out: checkpoints with the cosignatures so far, tiles, and settlement bodies to witnesses."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from commonwatt.flows.evidence import Trust
from commonwatt.flows.handover import Handed, state_at
from commonwatt.flows.intake import read_head
from commonwatt.flows.ports import LogStore
from commonwatt.flows.replay import restored
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.identity.witnesses import weights
from commonwatt.identity.eip712 import verify_checkpoint
from commonwatt.identity.keys import VerifyingKey
from commonwatt.ledger.checkpoint import Checkpoint, parse_vkey, split_note, verify_note
from commonwatt.ledger.cosign import Weight, cosigned_at_s, weight
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import HASH_BYTES
from commonwatt.ledger.tile_format import TILE_WIDTH, bundle, parse_entries_path, parse_tile_path
from commonwatt.model import SLOT_SECONDS, Corrupt, InvalidValue, Kind, Outcome, Refused

MOST_LEAVES_AT_ONCE = 1_024
_MOST_BYTES_AT_ONCE = 4_000_000
_PLACES = ("path", "log", "place")
"""Under which names a store tells in an error where it rests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """How one witness stands behind one checkpoint.

    Args:
        size: Of the checkpoint.
        witness: The C2SP word of its key.
        time_s: When it cosigned, as it says.
        line: The line that goes to the end of the note.
        typed: Its signature for contracts, see `commonwatt.identity.eip712`.
    """

    size: int
    witness: str
    time_s: int
    line: str
    typed: str


class NoteBook(Protocol):
    """Where a log's notes and their cosignatures rest. What returned survives a power cut."""

    def noted_to(self) -> int:
        """Return how many leaves were looked through for notes."""

    def add(self, notes: Mapping[int, str], noted_to: int) -> None:
        """Keep notes by size, and how far the log was looked through."""

    def note(self, size: int | None = None) -> str | None:
        """Return the note of a size, of the largest where none is given; None where there is none."""

    def cosign(self, cosignature: Cosignature, weight: int) -> None:
        """Keep a cosignature, unless the witness has one there already."""

    def cosignatures(self, size: int) -> list[Cosignature]:
        """Return a note's cosignatures, in the order in which they came."""

    def last_of(self, witness: str) -> Cosignature | None:
        """Return a witness's cosignature of the largest size, or None."""

    def final_size(self, total: int) -> int | None:
        """Return the largest size that two thirds of a total weight cosigned, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """One witness's part; sizes are leaves, None where it has not cosigned yet."""

    name: str
    weight: int
    last_size: int | None
    last_time_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a log has come, how far it is final, and who stands behind it."""

    community: str
    size: int | None
    slot_s: int | None
    final_size: int | None
    total_weight: int
    witnesses: tuple[Watching, ...]


@dataclass(slots=True)
class Publisher:
    """A log as it is shown to the world; reads the log beside its writer and writes nothing but cosignatures.

    Args:
        log: Opened for reading.
        notes: Where notes rest.
        trust: The community's public keys.
    """

    log: LogStore
    notes: NoteBook
    trust: Trust
    _witnesses: tuple[bodies.Witness, ...] | None = field(default=None, init=False)
    _state: tuple[int, bytes] | None = field(default=None, init=False)

    @property
    def witnesses(self) -> tuple[bodies.Witness, ...]:
        """Who is registered, as the first leaf tells, or the last snapshot where that was pruned; nobody before both.

        Raises:
            Corrupt: The first leaf was pruned, and no snapshot holds.
        """
        if self._witnesses is None:
            with _placeless("the first leaf"):
                self._witnesses = self._registered()
        return self._witnesses or ()

    def refresh(self) -> None:
        """Look through what the log's writer appended since, and keep its checkpoints.

        Raises:
            Corrupt: The store is damaged.
        """
        with _placeless("the log"):
            while (begin := self.notes.noted_to()) < self.log.size:
                notes, end = dict[int, str](), begin
                try:
                    for row in islice(self.log.rows(begin), MOST_LEAVES_AT_ONCE):
                        end += 1
                        if found := self._note(row):
                            notes[found[0].size] = found[1]
                except Corrupt:
                    end += 1  # erased since, so no checkpoint; and what is damaged, whoever asks for it is told
                except Refused as refused:
                    end = _pruned_to(refused, begin)
                self.notes.add(notes, end)

    def handed(self) -> bytes | None:
        """Return the state at the last checkpoint that is final, as it travels; see `commonwatt.flows.handover`.

        Where nobody is registered, that is the last one that the operator signed.

        Returns:
            None where there is no such checkpoint, or no snapshot before it: then the log itself is whole, or will be
            handed over once more of it is final.

        Raises:
            Corrupt, Refused: The log cannot be read.
        """
        standing = self.standing()
        size = standing.final_size if standing.total_weight else standing.size
        if size is None:
            return None
        if self._state is None or self._state[0] != size:
            with _placeless(f"the state after {size} leaves"):
                content = state_at(self.log, self.trust.community, size)
            if content is None:
                return None
            self._state = size, content
        return Handed(self.checkpoint(size) or "", self._state[1]).encode()

    def checkpoint(self, size: int | None = None) -> str | None:
        """Return a signed note with its cosignatures, the latest where no size is given; None where there is none."""
        self.refresh()
        note = self.notes.note(size)
        if note is None:
            return None
        return note + "".join(one.line for one in self.notes.cosignatures(_read(note).size))

    def tile(self, path: str) -> bytes | None:
        """Return a tile by its C2SP path, exactly as wide as it says; None where the log has not grown so far.

        Raises:
            InvalidValue: It is no tile's path.
        """
        level, index, width = parse_tile_path(path)
        with _placeless(path):
            hashes = self.log.tile(level, index)[: width * HASH_BYTES]
        return hashes if len(hashes) == width * HASH_BYTES else None

    def entries(self, path: str) -> bytes | None:
        """Return an entry bundle by its C2SP path: the salted hash of each record; None as in `tile`.

        Raises:
            InvalidValue: It is no bundle's path.
            Corrupt, Refused: An owner among them was erased, or they were pruned; their hashes are in the tiles.
        """
        index, width = parse_entries_path(path)
        first = index * TILE_WIDTH
        with _placeless(path):
            if first + width > self.log.size:
                return None
            return bundle([row.data() for row in islice(self.log.rows(first), width)])

    def leaves(self, first: int, limit: int) -> list[LeafRow]:
        """Return leaves in order, as many as fit into one answer, at least one where there is one; no personal part.

        Raises:
            InvalidValue: The position is below zero, or the limit not from 1 to 1,024.
            Corrupt, Refused: As `entries`.
        """
        if first < 0 or not 1 <= limit <= MOST_LEAVES_AT_ONCE:
            raise InvalidValue(f"1 to {MOST_LEAVES_AT_ONCE} leaves from 0 on are asked for, was {limit} from {first}")
        found, count = list[LeafRow](), 0
        with _placeless(f"what stands from position {first} on"):
            for row in islice(self.log.rows(first), limit):
                count += len(row.body) + len(row.items)
                if found and count > _MOST_BYTES_AT_ONCE:
                    break
                found.append(row)
        return found

    def take(self, size: int, line: str, typed: str) -> Weight | None:
        """Keep a witness's cosignature, once both its signatures are found to be good.

        Args:
            size: Of the checkpoint.
            line: The signature line.
            typed: The same witness's signature for contracts.

        Returns:
            How much weight stands behind the checkpoint now; None where this log has signed none of that size.

        Raises:
            Corrupt: The line is none, or does not cover this checkpoint.
            Refused: Nobody registered signed it, or the second signature does not fit.
        """
        self.refresh()
        note = self.notes.note(size)
        if note is None:
            return None
        if not line.endswith("\n") or line.count("\n") > 1:
            raise Corrupt("a cosignature is one line that ends in a newline")
        known, point = weights(self.witnesses), _read(note)
        signed = cosigned_at_s(split_note(note)[0] + "\n" + line, known)
        if not signed:
            raise Refused("a cosignature is by a registered witness", found=line[:80].strip())
        ((word, time_s),) = signed.items()
        public = next(witness.public for witness in self.witnesses if witness.note == word)
        fits = verify_checkpoint(
            VerifyingKey(bytes.fromhex(public)),
            typed,
            origin=point.origin,
            epoch=point.slot_s // SLOT_SECONDS,
            size=point.size,
            log_root=point.log_root,
            state_root=point.state_root,
        )
        if not fits:
            raise Refused("both keys of a witness sign the checkpoint", witness=word, size=size)
        kept = Cosignature(size=size, witness=word, time_s=time_s, line=line, typed=typed)
        self.notes.cosign(kept, known[word])
        return weight(self.checkpoint(size) or "", known)

    def standing(self) -> Standing:
        """Return how far the log has come and who stands behind it."""
        self.refresh()
        note = self.notes.note()
        point = _read(note) if note else None
        total = sum(witness.weight for witness in self.witnesses)
        return Standing(
            community=self.trust.community,
            size=point.size if point else None,
            slot_s=point.slot_s if point else None,
            final_size=self.notes.final_size(total) if total else None,
            total_weight=total,
            witnesses=tuple(self._watching(witness) for witness in self.witnesses),
        )

    def _registered(self) -> tuple[bodies.Witness, ...] | None:
        try:
            first = next(self.log.rows(), None)
        except Refused:  # pruned
            state = restored(self.log, self.trust.community).state
            if state.operator is None:
                raise Corrupt("neither a first leaf nor a snapshot tells who watches this log") from None
            return state.charter.witnesses
        if first is None:
            return None
        body = bodies.read_body(Kind.REGISTER, read_head(first.body).body)
        return body.witnesses if isinstance(body, bodies.RegisterCommunity) else ()

    def _watching(self, witness: bodies.Witness) -> Watching:
        last = self.notes.last_of(witness.note)
        return Watching(
            name=witness.note.partition("+")[0],
            weight=witness.weight,
            last_size=last.size if last else None,
            last_time_s=last.time_s if last else None,
        )

    def _note(self, row: LeafRow) -> tuple[Checkpoint, str] | None:
        """Return the checkpoint that a leaf holds; one that the log's key did not sign is none."""
        note = checkpoint_note(row)
        try:
            return None if note is None else (_signed(note, self.trust), note)
        except Corrupt:
            return None


@contextmanager
def _placeless(what: str) -> Iterator[None]:
    """Tell of what cannot be read which it is and why, but not where it rests: that is nobody's concern outside."""
    try:
        yield
    except Refused as refused:
        found = {name: value for name, value in refused.found.items() if name not in _PLACES}
        raise Refused(refused.rule, **found) from refused
    except Corrupt as error:
        leaf = re.match(r"(leaf|position) [0-9]+", str(error))
        raise Corrupt(f"{leaf[0] if leaf else what} cannot be read: erased, missing or damaged") from error


def _pruned_to(refused: Refused, begin: int) -> int:
    """Return where a log begins that refused its leaves from a position on since they were pruned.

    Raises:
        Refused: It was for another reason.
    """
    pruned_to = refused.found.get("pruned_to")
    if not isinstance(pruned_to, int) or pruned_to <= begin:
        raise refused
    return pruned_to


def checkpoint_note(row: LeafRow) -> str | None:
    """Return the note of a leaf that is a checkpoint, whoever signed it; None for every other leaf."""
    if row.outcome is not Outcome.BOOKED or b'"kind":"checkpoint"' not in row.body:
        return None
    request = read_head(row.body)
    body = bodies.read_body(request.kind, request.body)
    return body.note if isinstance(body, bodies.CheckpointBody) else None


def _signed(note: str, trust: Trust) -> Checkpoint:
    return Checkpoint.parse(verify_note(note, dict([parse_vkey(trust.note)])))


def _read(note: str) -> Checkpoint:
    return Checkpoint.parse(split_note(note)[0])
