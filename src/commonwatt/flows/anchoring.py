"""The story of a checkpoint on its way to the chain: one a settlement period, whatever the number of members.

What witnesses made final in the log goes to the contract with their signatures, once. What is sent is written down
first, so that nobody who is killed here sends twice. A network that stalls keeps nobody waiting: what it has taken and
not made final is said to be so, and the next period's checkpoint is sent all the same; one anchored checkpoint says all
that those before it said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from commonwatt.flows.chain_ports import Chain, Contract, Reverted, TransactionSigner, TxHash
from commonwatt.flows.crossing_proofs import point_of
from commonwatt.flows.publish import NoteBook
from commonwatt.flows.rulebook.bodies import Witness
from commonwatt.flows.rulebook.identity.witnesses import weights
from commonwatt.identity.eip712 import checkpoint_digest, compact_signature
from commonwatt.identity.keys import VerifyingKey
from commonwatt.ledger.checkpoint import Checkpoint, read_note
from commonwatt.model import SLOT_SECONDS, Corrupt, InvalidValue, Unreachable

PATIENCE = 50
"""Blocks after which what was sent and stands in none of them is taken for lost. A chain that makes blocks only for
transactions may not come so far: then the next period's checkpoint takes its place."""


class Stage(StrEnum):
    """How far the log's last final checkpoint has come."""

    NOTHING = "nothing in the log is final yet"
    WAITING = "too few witnesses have signed, or too little of their stake"
    SENT = "sent, in no block yet"
    NOT_FINAL = "in a block, not final"
    FINAL = "final"
    REFUSED = "refused by the contract"
    UNREACHED = "the chain is not reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchoring:
    """What one round came to.

    Args:
        stage: How far the log's last final checkpoint has come.
        size: Its leaves, where there is one.
        seen_size: Leaves of the last checkpoint that the chain's head has.
        final_size: Leaves of the last one that the chain's last final block has: nobody takes that back.
        why: In the contract's words, where it refused.
    """

    stage: Stage
    size: int | None = None
    seen_size: int = 0
    final_size: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A checkpoint that was sent, or was about to be.

    Args:
        size: Its leaves.
        block: The chain's head when it was sent.
        tx: The transaction, no bytes while it is not known.
    """

    size: int
    block: int
    tx: TxHash = b""


class Attempts(Protocol):
    """Where it is written down. What returned survives a power cut."""

    def last(self) -> Attempt | None:
        """Return what was kept last."""

    def keep(self, attempt: Attempt) -> None:
        """Keep an attempt in place of the one before."""


class Anchor:
    """Takes the log's final checkpoints to the chain, by whoever pays for it; every round can be repeated.

    Args:
        chain: Where the contract is.
        contract: `Checkpoints`.
        key: Pays.
        notes: The log's notes and their cosignatures.
        witnesses: As the community's charter names them.
        attempts: What was sent before.
    """

    def __init__(
        self,
        chain: Chain,
        contract: Contract,
        key: TransactionSigner,
        notes: NoteBook,
        witnesses: Sequence[Witness],
        attempts: Attempts,
    ) -> None:
        self._chain, self._contract, self._key = chain, contract, key
        self._notes, self._attempts = notes, attempts
        self._weights = weights(witnesses)
        self._keys = {one.note: VerifyingKey(bytes.fromhex(one.public)) for one in witnesses}

    def round(self) -> Anchoring:
        """Send the log's last final checkpoint where that is due, and return how far it has come.

        Raises:
            Corrupt: The chain holds another checkpoint of this size: two thirds of the stake signed two histories.
        """
        size = self._notes.final_size(sum(self._weights.values())) if self._weights else None
        if size is None:
            return Anchoring(stage=Stage.NOTHING)
        point = read_note(self._notes.note(size) or "")
        try:
            return self._standing(point) or self._send(point)
        except Unreachable:
            return Anchoring(stage=Stage.UNREACHED, size=size)

    def _standing(self, point: Checkpoint) -> Anchoring | None:
        """Return how far a checkpoint has come; None where it is to be sent."""
        _, seen = self._chain.call(self._contract, "last")
        if seen < point.size:
            return self._on_its_way(point, seen)
        if seen == point.size and not self._chain.call(self._contract, "is_final", (point_of(point),)):
            raise Corrupt(f"the chain holds another checkpoint of {seen} leaves than the log")
        final = self._final_size()
        stage = Stage.FINAL if final >= point.size else Stage.NOT_FINAL
        return Anchoring(stage=stage, size=point.size, seen_size=seen, final_size=final)

    def _on_its_way(self, point: Checkpoint, seen: int) -> Anchoring | None:
        attempt = self._attempts.last()
        if attempt is None or attempt.size != point.size:
            return None
        late = self._chain.head().number - attempt.block >= PATIENCE
        if late or (attempt.tx and self._chain.receipt(attempt.tx) is not None):
            return None  # lost, or refused where it was taken up: a try tells why
        return Anchoring(stage=Stage.SENT, size=point.size, seen_size=seen, final_size=self._final_size())

    def _send(self, point: Checkpoint) -> Anchoring:
        signatures = self._signatures(point)
        if signatures is None:
            return Anchoring(stage=Stage.WAITING, size=point.size, final_size=self._final_size())
        block = self._chain.head().number
        self._attempts.keep(Attempt(size=point.size, block=block))
        try:
            tx = self._chain.send(self._key, self._contract, "anchor", (point_of(point), signatures))
        except Reverted as refused:
            return Anchoring(stage=Stage.REFUSED, size=point.size, why=refused.reason)
        self._attempts.keep(Attempt(size=point.size, block=block, tx=tx))
        return self._standing(point) or Anchoring(stage=Stage.SENT, size=point.size)

    def _signatures(self, point: Checkpoint) -> list[tuple[int, int]] | None:
        """Return the signatures of whoever is bonded, by signer; None where they or their stake are too few."""
        digest = checkpoint_digest(
            point.origin, point.slot_s // SLOT_SECONDS, point.size, point.log_root, point.state_root
        )
        found: dict[str, tuple[int, int]] = {}
        weight = 0
        for one in self._notes.cosignatures(point.size):
            who = self._keys[one.witness].id
            stake, _, free_s, _ = self._chain.call(self._contract, "witness", (who,))
            if stake and not free_s:
                found[who] = compact_signature(digest, one.typed, who)
                weight += stake
        heads, bonded = (self._chain.call(self._contract, name) for name in ("heads", "bonded"))
        if not weight or 3 * weight < 2 * bonded or 3 * len(found) < 2 * heads:
            return None
        return [found[who] for who in sorted(found)]

    def _final_size(self) -> int:
        """Return the leaves of the last checkpoint that nobody takes back; 0 while not even the contract is final."""
        try:
            _, size = self._chain.call(self._contract, "last", block=self._chain.final().number)
        except Unreachable:
            return 0
        return int(size)


def gas_per_member(gas: int, members: int) -> float:
    """Return what a settlement period costs each member on the chain, in gas: one checkpoint, shared by all.

    Args:
        gas: What anchoring the checkpoint used.
        members: Above zero.

    Raises:
        InvalidValue: There are no members.
    """
    if members <= 0:
        raise InvalidValue(f"a checkpoint is shared by its members, was {members}")
    return gas / members
