"""A final checkpoint goes to the chain once, whoever is killed; a network that stalls keeps nobody waiting."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from chain_town import STAKERS, WATCHERS, ChainTown
from community import NAME
from watched import NOTE

from chain_bank import STAKE
from commonwatt.adapters.chains.attempts import AttemptFile
from commonwatt.flows.anchoring import PATIENCE, Anchoring, Attempt, Stage, gas_per_member
from commonwatt.flows.chain_ports import Block, Reverted
from commonwatt.flows.crossing_proofs import point_of
from commonwatt.flows.rulebook import bodies
from commonwatt.identity.eip712 import checkpoint_digest, compact_signature, sign_checkpoint
from commonwatt.ledger.checkpoint import sign_note
from commonwatt.model import SLOT_SECONDS, Corrupt, InvalidValue, Kind, Outcome, Unreachable
from on_chain import OPERATOR, key

pytestmark = pytest.mark.row("E14")


class Bent:
    """A chain that does not always do what it is asked."""

    def __init__(self, chain: Any) -> None:
        self._chain = chain
        self.sent = 0
        self.final_at: int | None = None
        self.dies = self.swallows = self.away = False

    def __getattr__(self, name: str) -> Any:
        if self.away:
            raise Unreachable("the node is away")
        return getattr(self._chain, name)

    def final(self) -> Block:
        found: Block = self._chain.final() if self.final_at is None else self._chain.block(self.final_at)
        return found

    def send(self, *args: Any, **more: Any) -> bytes:
        self.sent += 1
        if self.swallows:
            return bytes(32)
        tx: bytes = self._chain.send(*args, **more)
        if self.dies:
            raise KeyboardInterrupt
        return tx


def test_nothing_is_anchored_that_is_not_final_in_the_log(tmp_path: Path) -> None:
    town = ChainTown(tmp_path)
    assert town.anchor().round() == Anchoring(stage=Stage.NOTHING)
    town.close()
    town.cosign(1)
    assert town.anchor().round() == Anchoring(stage=Stage.NOTHING)


def test_one_checkpoint_a_period_goes_to_the_chain_and_is_final_there(tmp_path: Path) -> None:
    town = ChainTown(tmp_path)
    bent = Bent(town.bank.chain)
    for _ in range(2):
        town.close()
        size = town.cosign().size
        for _ in range(3):
            done = town.anchor(bent).round()
            assert done == Anchoring(stage=Stage.FINAL, size=size, seen_size=size, final_size=size)
    assert bent.sent == 2


def test_whoever_is_killed_while_sending_sends_nothing_twice(tmp_path: Path) -> None:
    town = ChainTown(tmp_path)
    bent = Bent(town.bank.chain)
    town.close()
    town.cosign()
    bent.dies = True
    with pytest.raises(KeyboardInterrupt):
        town.anchor(bent).round()
    bent.dies = False
    assert (town.anchor(bent).round().stage, bent.sent) == (Stage.FINAL, 1)


def test_what_is_on_its_way_is_waited_for_and_what_is_lost_is_sent_again(tmp_path: Path) -> None:
    town = ChainTown(tmp_path)
    bent = Bent(town.bank.chain)
    bent.swallows = True
    town.close()
    town.cosign()
    assert [town.anchor(bent).round().stage for _ in range(3)] == [Stage.SENT] * 3
    assert bent.sent == 1
    for _ in range(PATIENCE):
        town.bank.embedded.make_empty_block()
    bent.swallows = False
    assert (town.anchor(bent).round().stage, bent.sent) == (Stage.FINAL, 2)


def test_a_network_that_stalls_is_not_final_and_the_next_period_goes_on(tmp_path: Path) -> None:
    town = ChainTown(tmp_path)
    bent = Bent(town.bank.chain)
    bent.final_at = 0
    sizes = []
    for _ in range(2):
        town.close()
        sizes.append(town.cosign().size)
        done = town.anchor(bent).round()
        assert done == Anchoring(stage=Stage.NOT_FINAL, size=sizes[-1], seen_size=sizes[-1], final_size=0)
    bent.final_at = town.bank.chain.head().number - 1
    assert town.anchor(bent).round().final_size == sizes[0]
    bent.final_at = None
    assert town.anchor(bent).round().stage is Stage.FINAL
    assert bent.sent == 2


def test_a_chain_that_is_away_stops_nothing(tmp_path: Path) -> None:
    town = ChainTown(tmp_path)
    bent = Bent(town.bank.chain)
    bent.away = True
    town.close()
    size = town.cosign().size
    assert town.anchor(bent).round() == Anchoring(stage=Stage.UNREACHED, size=size)
    bent.away = False
    assert town.anchor(bent).round().stage is Stage.FINAL


def test_too_little_stake_waits_for_more(tmp_path: Path) -> None:
    town = ChainTown(tmp_path)
    town.close()
    town.cosign(2)
    (silent,) = {one.id for one in STAKERS} - _signers(town)
    signing = [one for one in STAKERS if one.id != silent]
    town.bank.tell(signing[0], town.bank.checkpoints, "unbond")
    assert town.anchor().round().stage is Stage.WAITING
    town.cosign(3)
    assert town.anchor().round().stage is Stage.FINAL, "two of the two that are bonded"


def test_too_few_witnesses_wait_for_more_however_much_they_stake(tmp_path: Path) -> None:
    town = ChainTown(tmp_path)
    town.close()
    town.cosign(2)
    (silent,) = [one for one in STAKERS if one.id not in _signers(town)]
    rich = next(one for one in STAKERS if one is not silent)
    town.bank.tell(OPERATOR, town.bank.tsl, "transfer", rich.id, 8 * STAKE)
    town.bank.tell(rich, town.bank.tsl, "approve", town.bank.checkpoints.address, 8 * STAKE)
    town.bank.tell(rich, town.bank.checkpoints, "bond", 8 * STAKE)
    late = [key(f"late {n}") for n in range(2)]
    town.bank.ruled(*((town.bank.checkpoints, "admit", one.id, True) for one in late))
    assert town.anchor().round().stage is Stage.WAITING, "two of five, with nearly all of the stake"
    town.bank.ruled((town.bank.checkpoints, "admit", silent.id, False))
    assert town.anchor().round().stage is Stage.WAITING, "two of four"
    town.bank.ruled((town.bank.checkpoints, "admit", late[0].id, False))
    assert town.anchor().round().stage is Stage.FINAL, "two of three"


def test_a_log_in_which_nobody_says_anything_is_anchored_in_each_period(tmp_path: Path) -> None:
    """Its operator's note is a leaf of its own, so a log that somebody keeps grows: silence is the operator's."""
    town, sizes = ChainTown(tmp_path), []
    for _ in range(3):
        slot_s, town.now_s = town.now_s, town.now_s + SLOT_SECONDS
        note = sign_note(town.sequencer.checkpoint(slot_s).note_text(), NAME, NOTE.private)
        assert town.ask("operator", Kind.CHECKPOINT, bodies.CheckpointBody(note=note)) is Outcome.BOOKED
        town.served.note = note
        sizes.append(town.cosign().size)
        assert town.anchor().round().final_size == sizes[-1]
    assert [after - before for before, after in pairwise(sizes)] == [1, 1]


def test_a_contract_that_refuses_is_quoted(tmp_path: Path) -> None:
    town = ChainTown(tmp_path)
    town.close()
    town.cosign()
    town.bank.tell(OPERATOR, town.bank.checkpoints, "pause")
    done = town.anchor().round()
    assert (done.stage, done.why) == (Stage.REFUSED, "governed: paused")
    town.bank.tell(OPERATOR, town.bank.checkpoints, "resume")
    town.close()
    town.cosign()
    assert town.anchor().round().stage is Stage.FINAL


def test_another_history_on_the_chain_is_never_passed_over(tmp_path: Path) -> None:
    town = ChainTown(tmp_path)
    town.close()
    point = town.cosign()
    told: dict[str, Any] = {
        "origin": point.origin,
        "epoch": point.slot_s // 900,
        "size": point.size,
        "log_root": bytes(32),
        "state_root": bytes(32),
    }
    digest = checkpoint_digest(**told)
    signatures = [compact_signature(digest, sign_checkpoint(one, **told), one.id) for one in STAKERS]
    other = (told["epoch"], point.size, bytes(32), bytes(32))
    town.bank.tell(OPERATOR, town.bank.checkpoints, "anchor", other, signatures)
    with pytest.raises(Corrupt, match="another checkpoint"):
        town.anchor().round()
    with pytest.raises(Reverted):
        town.bank.tell(OPERATOR, town.bank.checkpoints, "anchor", point_of(point), signatures)


def test_an_attempt_rests_whole(tmp_path: Path) -> None:
    file = AttemptFile(tmp_path / "attempt.json")
    assert file.last() is None
    for attempt in (Attempt(size=7, block=3), Attempt(size=7, block=3, tx=b"\x01" * 32)):
        file.keep(attempt)
        assert AttemptFile(tmp_path / "attempt.json").last() == attempt
    (tmp_path / "attempt.json").write_bytes(b"{")
    with pytest.raises(Corrupt):
        file.last()


def test_a_signature_is_made_compact_for_its_signer_alone() -> None:
    one, other = STAKERS[:2]
    digest = bytes(31) + b"\x07"
    r, vs = compact_signature(digest, one.sign_digest(digest), one.id)
    assert (r << 256 | vs & (2**255 - 1)).to_bytes(64).hex() == one.sign_digest(digest)
    for signature, who in ((one.sign_digest(digest), other.id), ("00" * 64, one.id), ("zz", one.id)):
        with pytest.raises(InvalidValue):
            compact_signature(digest, signature, who)


def test_a_period_costs_each_member_less_the_more_they_are() -> None:
    assert gas_per_member(120_000, 1_000) == 120
    assert gas_per_member(120_000, 1_000_000) == 0.12
    with pytest.raises(InvalidValue):
        gas_per_member(120_000, 0)


def _signers(town: ChainTown) -> set[str]:
    by_note = {one.word: one.signing.id for one in WATCHERS}
    return {by_note[one.witness] for one in town.notes.cosignatures(town.notes.final_size(3) or 0)}
