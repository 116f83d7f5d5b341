"""The story of a witness: re-run a log, compare it with what its operator signed, remember, and only then cosign.

A witness cosigns what it has reached itself: every signature checked, every outcome and state root decided again, every
leaf and tile held against the signed root. What it is about to sign it writes down first, so that no kill makes it
sign two histories. From a contradiction it keeps its hand away and says where it lies; where two notes of the
operator contradict each other, it makes the proof that convinces everybody else. Only an operator can accuse itself so:
each proof is two notes under its own signature.

After a start it goes on from the state that it kept when it cosigned last; that the log's tree is still the one that it
cosigned it sees first. Without such a state the log is run again from its first leaf, and where leaves are gone that
this takes, from the state that the log hands over: only one of a final checkpoint, for which two thirds of the
witnesses' weight have run what this one cannot. `Witness.began` tells which of the three it was.
"""

from collections.abc import Callable, Sequence

import numpy as np

from commonwatt.flows.evidence import Trust
from commonwatt.flows.follower import Follower
from commonwatt.flows.handover import read_handed, vouched
from commonwatt.flows.publish import MOST_LEAVES_AT_ONCE, checkpoint_note
from commonwatt.flows.replay import Replayed
from commonwatt.flows.rulebook import State, snapshot
from commonwatt.flows.rulebook.identity.witnesses import weights
from commonwatt.flows.witness_ports import Log, Memory, Promise, Seen, Shelf, WitnessKeys
from commonwatt.identity.eip712 import sign_checkpoint
from commonwatt.kernels.sha256 import leaf_hashes
from commonwatt.ledger import tiles
from commonwatt.ledger.checkpoint import Checkpoint, parse_vkey, split_note, verify_note
from commonwatt.ledger.cosign import cosignature_line, make_fraud_proof, weight
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import HASH_BYTES, verify_consistency
from commonwatt.ledger.tile_format import TILE_WIDTH, tile_path
from commonwatt.ledger.tiles import Frontier
from commonwatt.model import SLOT_SECONDS, Corrupt, InvalidValue, Refused

__all__ = ["FraudProven", "Log", "Memory", "Promise", "Seen", "Shelf", "Witness", "WitnessKeys"]

FROM_ZERO = "all of it run again"


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
        shelf: Where its state is kept; without one it begins anew after every start.
    """

    def __init__(
        self,
        log: Log,
        memory: Memory,
        keys: WitnessKeys,
        trust: Trust,
        now_s: Callable[[], int],
        on_progress: Callable[[int, int], None] = lambda done, whole: None,
        shelf: Shelf | None = None,
    ) -> None:
        self._log, self._memory, self._keys, self._trust = log, memory, keys, trust
        self._now_s, self._on_progress, self._shelf = now_s, on_progress, shelf
        self._signer = dict([parse_vkey(trust.note)])
        self._follower: Follower | None = None
        self._kept = 0
        self._agreed: Seen | None = None
        self.began = FROM_ZERO
        """Where what it cosigns was run from, in words."""

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
        run = self._follower.size if self._follower else 0
        if point.size < max(last.size if last else 0, run):
            raise Refused("a log does not shrink", cosigned=last.size if last else 0, found=point.size)
        try:
            follower = self._follower = self._follower or self._begin(note, point)
            follower = self._follower = self._advance(follower, point, note, last)
            self._agree(follower, point)
        except Corrupt:
            self._follower = None  # its state is of no log any more
            raise
        self._agreed = Seen(point.size, point.slot_s, self._alone(note))
        if last is None or point.size > last.size:
            last = self._promise(point, note)
            self._memory.promise(last)  # before anybody gets it: whoever is killed here, signs the same next time
        self._keep(follower)
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

    def _begin(self, note: str, point: Checkpoint) -> Follower:
        """Go on from the state that was kept, where it is one that this witness saw signed; else from zero."""
        kept = self._shelf.kept() if self._shelf else None
        seen = next((one for one in self._memory.seen(kept[0], -1) if one.size == kept[0]), None) if kept else None
        nothing = Follower(Replayed(State(self._trust.community), Frontier()))
        self.began = FROM_ZERO
        if kept is None or seen is None:
            return nothing
        then, (size, content) = Checkpoint.parse(split_note(seen.note)[0]), kept
        self._check_same(seen.note, tiles.root(size, self._log.tile), note, point)
        try:
            follower = Follower(vouched(then, content, self._trust.community, self._log.tile))
        except (Corrupt, InvalidValue):
            return nothing  # the log was just seen to be the same, so what was kept is damaged
        self._check_founding(follower.replayed.state)
        self.began, self._kept = f"run from leaf {size} on, which this witness had reached itself", size
        return follower

    def _take_over(self, last: Promise | None, point: Checkpoint) -> Follower | None:
        """Begin at the final state that the log hands over; None where it hands over none that is of use."""
        try:
            handed = read_handed(self._log.handed())
        except Refused:
            return None
        then = self._signed(handed.note)
        self._hold([(then, handed.note)])
        if then.size > point.size:
            return None  # the log has grown meanwhile: at the next look
        known = weights(self._trust.witnesses)
        found = weight(handed.note, known)
        if known and not found.is_final:
            raise Corrupt(f"a state is handed over whose {then.size} leaves {found.cosigned} of {found.total} cosigned")
        follower = Follower(vouched(then, handed.content, self._trust.community, self._log.tile))
        self._check_founding(follower.replayed.state)
        if last and last.size < then.size:
            self._check_between(last, handed.note, then)
        behind = f"{found.cosigned} of {found.total} of the witnesses' weight" if known else "its operator"
        self.began = f"run from leaf {then.size} on; the state there was handed over, {behind} cosigned it"
        return follower

    def _keep(self, follower: Follower) -> None:
        """Keep the state that was just agreed on, for the next start."""
        if self._shelf and self._kept != follower.size:
            there = follower.replayed
            self._shelf.keep(follower.size, snapshot.dump(there.state, there.last_s, there.tree.root()))
            self._kept = follower.size

    def _advance(self, follower: Follower, point: Checkpoint, note: str, last: Promise | None) -> Follower:
        """Run leaves up to a checkpoint, and see on the way that the history cosigned before is still there."""
        while True:
            # Looked at from here too where the line broke right behind it.
            if last and follower.received == last.size:
                self._check_same(last.note, follower.replayed.tree.root() if not follower.open else b"", note, point)
            if (first := follower.received) >= point.size:
                return follower
            until = last.size if last and first < last.size else point.size
            limit = min(MOST_LEAVES_AT_ONCE - first % TILE_WIDTH, until - first)
            try:
                rows = self._log.leaves(first, limit)
            except Refused:
                # Only after a start: who is following is owed every leaf, and jumps over none.
                other = self._take_over(last, point) if self._agreed is None else None
                if other is None or other.size <= first:
                    raise
                follower = other
                continue
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

    def _check_tiles(self, follower: Follower, point: Checkpoint) -> None:
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

    def _check_same(self, old_note: str, root: bytes, note: str, point: Checkpoint) -> None:
        """See that the log up to what was cosigned before is the one that was cosigned."""
        cosigned = Checkpoint.parse(split_note(old_note)[0])
        if root == cosigned.log_root:
            return
        if point.size > cosigned.size:
            old_root = tiles.root(cosigned.size, self._log.tile)
            proof = tiles.consistency_proof(cosigned.size, point.size, self._log.tile)
            self._accuse(old_note, note, old_root, proof)
        raise Corrupt(
            f"the first {cosigned.size} leaves have log root {root.hex()}, cosigned was {cosigned.log_root.hex()}"
        )

    def _check_between(self, last: Promise, note: str, then: Checkpoint) -> None:
        """See that what was cosigned before is the start of what is taken over."""
        cosigned = Checkpoint.parse(split_note(last.note)[0])
        proof = tiles.consistency_proof(cosigned.size, then.size, self._log.tile)
        if not verify_consistency(cosigned.size, then.size, cosigned.log_root, then.log_root, proof):
            self._accuse(last.note, note, tiles.root(cosigned.size, self._log.tile), proof)

    def _agree(self, follower: Follower, point: Checkpoint) -> None:
        """See that what was run leads to what the operator signed."""
        where = f"the checkpoint of {point.size} leaves"
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
