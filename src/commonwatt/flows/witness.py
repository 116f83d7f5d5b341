"""The story of a witness: re-run a log, compare it with what its operator signed, remember, and only then cosign.

A witness cosigns what it has reached itself: every signature checked, every outcome and state root decided again, every
leaf and tile held against the signed root. What it is about to sign it writes down first, so that no kill makes it
sign two histories. From a contradiction it keeps its hand away and says where it lies; where two notes of the
operator contradict each other, it makes the proof that convinces everybody else. Only an operator can accuse itself so:
each proof is two notes under its own signature.

After a start the log is downloaded and run again from its first leaf; nothing of it is kept on disk, and in memory only
what the rulebook needs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from commonwatt.flows.evidence import Trust
from commonwatt.flows.publish import MOST_LEAVES_AT_ONCE, checkpoint_note
from commonwatt.flows.replay import Replayed, go_on
from commonwatt.flows.rulebook import State
from commonwatt.identity.eip712 import sign_checkpoint
from commonwatt.identity.keys import NoteKey, SigningKey
from commonwatt.kernels.sha256 import leaf_hashes
from commonwatt.ledger import tiles
from commonwatt.ledger.checkpoint import Checkpoint, parse_vkey, split_note, verify_note
from commonwatt.ledger.cosign import cosignature_line, cosigner_vkey, make_fraud_proof
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import HASH_BYTES
from commonwatt.ledger.tile_format import TILE_WIDTH, tile_path
from commonwatt.ledger.tiles import Frontier
from commonwatt.model import SLOT_SECONDS, Corrupt, Refused

MOST_OPEN_LEAVES = 65_536
"""Leaves that one moment may decide together; an operator who never closes would fill a witness's memory."""


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


class FraudProven(Corrupt):
    """The log's key signed two histories; ``proof`` is for `commonwatt.ledger.cosign.verify_fraud_proof`."""

    def __init__(self, found: str, proof: bytes) -> None:
        self.proof = proof
        super().__init__(found)


class Witness:
    """One witness of one log.

    Args:
        log: As the operator serves it.
        memory: This witness's own.
        keys: Its own.
        trust: The community's public keys, from whoever the witness trusts.
        now_s: Tells the time, seconds since 1970.
        on_progress: Told how many leaves were run, and of how many.
    """

    def __init__(
        self,
        log: Log,
        memory: Memory,
        keys: WitnessKeys,
        trust: Trust,
        now_s: Callable[[], int],
        on_progress: Callable[[int, int], None] = lambda done, whole: None,
    ) -> None:
        self._log, self._memory, self._keys, self._trust = log, memory, keys, trust
        self._now_s, self._on_progress = now_s, on_progress
        self._signer = dict([parse_vkey(trust.note)])
        self._follower = Follower(trust.community)
        self._agreed: Seen | None = None

    def look(self) -> Promise:
        """Follow the log to its latest checkpoint, and cosign that where everything agrees.

        Returns:
            What stands as this witness's last word; it was handed in.

        Raises:
            FraudProven: The operator signed two histories.
            Corrupt: The log contradicts itself; says which rule, which position and what was found. Nothing was signed.
            Refused: The log cannot be reached or shows an older checkpoint, or this witness is not registered.
        """
        note = self._log.checkpoint()
        point = self._signed(note)
        self._hold([(point, note)])
        last = self._memory.last()
        if point.size < max(last.size if last else 0, self._follower.size):
            raise Refused("a log does not shrink", cosigned=last.size if last else 0, found=point.size)
        try:
            self._advance(point, note, last)
            self._agree(point)
        except Corrupt:
            self._follower = Follower(self._trust.community)  # its state is of no log any more
            raise
        self._agreed = Seen(point.size, point.slot_s, self._alone(note))
        if last is None or point.size > last.size:
            last = self._promise(point, note)
            self._memory.promise(last)  # before anybody gets it: whoever is killed here, signs the same next time
        if last.line not in note:
            self._log.hand_in(last.size, last.line, last.typed)
        return last

    def hear(self, note: str) -> None:
        """Compare a checkpoint that another witness was shown with the history that was shown here.

        Raises:
            FraudProven: They contradict each other.
            Corrupt: The note is not one that the log's key signed; no reason to doubt the operator.
            Refused: The log cannot be reached.
        """
        point, own = self._signed(note), self._agreed
        known = self._memory.seen(point.size, point.slot_s)
        self._hold([(point, note)])
        if own is None or known or not point.size < own.size:
            return
        # No checkpoint of ours stands beside it, so whether the one log is the start of the other must be asked.
        old_root = tiles.root(point.size, self._log.tile)
        if old_root != point.log_root:
            proof = tiles.consistency_proof(point.size, own.size, self._log.tile)
            self._accuse(note, own.note, old_root, proof)

    def _advance(self, point: Checkpoint, note: str, last: Promise | None) -> None:
        """Run leaves up to a checkpoint, and see on the way that the history cosigned before is still there."""
        follower = self._follower
        while True:
            # Looked at from here too where the line broke right behind it.
            if last and follower.received == last.size:
                self._check_past(last, note, point)
            if (first := follower.received) >= point.size:
                return
            until = last.size if last and first < last.size else point.size
            limit = min(MOST_LEAVES_AT_ONCE - first % TILE_WIDTH, until - first)
            rows = self._log.leaves(first, limit)
            self._check_leaves(rows, first, limit, point)
            self._hold([told for row in rows if (told := self._told(row))])
            follower.take(rows)
            self._check_tiles(follower, point)
            self._check_founding(follower.replayed.state)
            self._on_progress(follower.received, point.size)

    def _check_leaves(self, rows: Sequence[LeafRow], first: int, limit: int, point: Checkpoint) -> None:
        """See that leaves are those whose hashes stand in the log's tiles."""
        positions = [row.position for row in rows]
        if not 1 <= len(rows) <= limit or positions != list(range(first, first + len(rows))):
            raise Corrupt(f"asked for {limit} leaves from position {first}, the log gives out {positions[:3]} ...")
        datas = np.frombuffer(bytearray(b"".join(row.data() for row in rows)), np.uint8)
        found = leaf_hashes(datas.reshape(-1, HASH_BYTES)).tobytes()
        for index in range(first // TILE_WIDTH, positions[-1] // TILE_WIDTH + 1):
            told = self._tile(0, index, point.size)
            begin, end = max(first, index * TILE_WIDTH), min(positions[-1] + 1, (index + 1) * TILE_WIDTH)
            for position in range(begin, end):
                at, place = position - first, position - index * TILE_WIDTH
                own = found[at * HASH_BYTES : (at + 1) * HASH_BYTES]
                if own != told[place * HASH_BYTES : (place + 1) * HASH_BYTES]:
                    # Which of the two is wrong, the signed root tells.
                    tiles.check_tiles(point.size, point.log_root, self._log.tile)
                    raise Corrupt(f"position {position} is given out as another leaf than the one in the log")

    def _check_tiles(self, follower: "Follower", point: Checkpoint) -> None:
        """See that full tiles above the leaves' own are as the leaves make them."""
        while follower.full_tiles:
            level, index = place = next(iter(follower.full_tiles))
            if self._tile(level, index, point.size) != follower.full_tiles[place]:
                raise Corrupt(f"{tile_path(level, index)} is not what the leaves below it make")
            del follower.full_tiles[place]

    def _check_founding(self, state: State) -> None:
        """See that the log is that of the trusted operator, and that it counts this witness."""
        if state.operator is None:
            return
        public = state.keys[state.operator].verifying.public.hex()
        if public != self._trust.operator or state.charter.witnesses != self._trust.witnesses:
            raise Corrupt("position 0 names another operator or other witnesses than are trusted")
        own = (self._keys.word, self._keys.signing.public.hex())
        if own not in [(witness.note, witness.public) for witness in state.charter.witnesses]:
            raise Refused("a witness is one that the community's first leaf names", found=self._keys.word)

    def _check_past(self, last: Promise, note: str, point: Checkpoint) -> None:
        """See that the log up to what was cosigned last is the one that was cosigned."""
        cosigned, follower = Checkpoint.parse(split_note(last.note)[0]), self._follower
        root = follower.replayed.tree.root() if not follower.open else b""
        if root == cosigned.log_root:
            return
        if point.size > last.size:
            old_root = tiles.root(last.size, self._log.tile)
            proof = tiles.consistency_proof(last.size, point.size, self._log.tile)
            self._accuse(last.note, note, old_root, proof)
        raise Corrupt(
            f"the first {last.size} leaves have log root {root.hex()}, cosigned was {cosigned.log_root.hex()}"
        )

    def _agree(self, point: Checkpoint) -> None:
        """See that what was run leads to what the operator signed."""
        follower, where = self._follower, f"the checkpoint of {point.size} leaves"
        if follower.open:
            raise Corrupt(f"{where} cuts through what was decided together from position {follower.size} on")
        log_root, state_root = follower.replayed.tree.root(), follower.replayed.state.root()
        if log_root != point.log_root:
            raise Corrupt(f"{where} tells log root {point.log_root.hex()}, the leaves have {log_root.hex()}")
        if state_root != point.state_root:
            raise Corrupt(f"{where} tells state root {point.state_root.hex()}, the rulebook reaches {state_root.hex()}")
        if tiles.root(point.size, self._log.tile) != log_root:
            tiles.check_tiles(point.size, log_root, self._log.tile)
            raise Corrupt(f"the tiles of {point.size} leaves lead to another root than the leaves")

    def _promise(self, point: Checkpoint, note: str) -> Promise:
        text, now_s = split_note(note)[0], self._now_s()
        typed = sign_checkpoint(
            self._keys.signing,
            origin=point.origin,
            epoch=point.slot_s // SLOT_SECONDS,
            size=point.size,
            log_root=point.log_root,
            state_root=point.state_root,
        )
        line = cosignature_line(text, self._keys.name, self._keys.note.private, now_s)
        return Promise(point.size, point.slot_s, self._alone(note), now_s, line, typed)

    def _hold(self, told: Sequence[tuple[Checkpoint, str]]) -> None:
        """Hold notes of the log's key against all that were ever seen, and remember them."""
        for point, note in told:
            for seen in self._memory.seen(point.size, point.slot_s):
                if Checkpoint.parse(split_note(seen.note)[0]) != point:
                    self._accuse(seen.note, note)
        self._memory.remember([Seen(point.size, point.slot_s, self._alone(note)) for point, note in told])

    def _accuse(self, note_a: str, note_b: str, old_root: bytes = b"", proof: Sequence[bytes] = ()) -> None:
        """Raise the proof that both notes cannot be true.

        Raises:
            FraudProven: There it is.
            Corrupt: They cannot, but nobody else could be convinced of it.
        """
        try:
            content = make_fraud_proof(note_a, note_b, self._trust.note, old_root=old_root, proof=proof)
        except Refused as refused:
            raise Corrupt(
                f"two checkpoints contradict each other, which cannot be shown to others: {refused}"
            ) from None
        a, b = (Checkpoint.parse(split_note(note)[0]) for note in (note_a, note_b))
        raise FraudProven(
            f"the log's key signed {a.size} leaves at {a.slot_s} s with log root {a.log_root.hex()} and state root"
            f" {a.state_root.hex()}, and {b.size} leaves at {b.slot_s} s with log root {b.log_root.hex()} and state"
            f" root {b.state_root.hex()}",
            content,
        )

    def _told(self, row: LeafRow) -> tuple[Checkpoint, str] | None:
        note = checkpoint_note(row)
        if note is None:
            return None
        try:
            return self._signed(note), note
        except Corrupt as error:
            raise Corrupt(f"position {row.position} holds a checkpoint that the log's key did not sign") from error

    def _signed(self, note: str) -> Checkpoint:
        point = Checkpoint.parse(verify_note(note, self._signer))
        if point.origin != self._trust.community:
            raise Corrupt(f"a checkpoint is of {self._trust.community}, was of {point.origin}")
        return point

    def _alone(self, note: str) -> str:
        """Return a note with the signature of the log's key alone."""
        text, lines = split_note(note)
        (name,) = self._signer
        return "\n".join([text, *(line for line in lines if line.startswith(f"— {name} ")), ""])

    def _tile(self, level: int, index: int, size: int) -> bytes:
        """Return a tile as wide as it is in a log of a size."""
        width = min(TILE_WIDTH, (size >> 8 * level) - TILE_WIDTH * index)
        hashes = self._log.tile(level, index, width)
        if len(hashes) != width * HASH_BYTES:
            raise Corrupt(f"{tile_path(level, index, width)} has {width} hashes, the log gives {len(hashes)} bytes")
        return hashes


class Follower:
    """A log as far as it was run; takes leaves as they come, and decides them in whole commits.

    Args:
        community: Whose log it is.
    """

    def __init__(self, community: str) -> None:
        self._frontier = Frontier()
        self.replayed = Replayed(State(community), self._frontier)
        self.open: list[LeafRow] = []
        """Leaves that wait for the last one that was decided together with them."""
        self.full_tiles: dict[tuple[int, int], bytes] = {}
        """Tiles above the leaves' own that became full, by level and index, until somebody takes them away."""

    @property
    def size(self) -> int:
        """Leaves that were run."""
        return len(self._frontier)

    @property
    def received(self) -> int:
        """Leaves that came, run or waiting."""
        return self.size + len(self.open)

    def take(self, rows: Sequence[LeafRow]) -> None:
        """Run further leaves.

        Raises:
            Corrupt: They contradict themselves or what came before; the follower is not to be used any more.
        """
        self.open += rows
        closed = next((n for n in range(len(self.open), 0, -1) if self.open[n - 1].closes), 0)
        if len(self.open) - closed > MOST_OPEN_LEAVES:
            raise Corrupt(f"position {self.size + closed} begins what {MOST_OPEN_LEAVES} leaves later is not closed")
        done, self.open = self.open[:closed], self.open[closed:]
        go_on(self.replayed, done)
        grown = self._frontier.take().items()
        full = TILE_WIDTH * HASH_BYTES
        self.full_tiles |= {place: hashes for place, hashes in grown if place[0] and len(hashes) == full}
