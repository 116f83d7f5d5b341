"""Checkpoints are final by two thirds of witnesses and stake, for good; who signs two histories loses the stake."""

from collections.abc import Sequence
from typing import Any

import pytest

from chain_bank import EXIT_AFTER_S, LEAST_BOND, NAME, REWARD, STAKE, UNBONDING_S, WITNESSES, Bank, point, signature
from commonwatt.adapters.chains.evm.words import call_data
from commonwatt.flows.chain_ports import Reverted
from commonwatt.flows.crossing_proofs import point_of
from commonwatt.identity.eip712 import checkpoint_digest
from commonwatt.identity.keys import SigningKey
from commonwatt.ledger.checkpoint import Checkpoint
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.model import SLOT_SECONDS
from on_chain import ALICE, BOB, OPERATOR, key

pytestmark = pytest.mark.row("M5")
NOTHING = bytes(32)


def refused(bank: Bank, words: str, by: SigningKey, function: str, *args: Any) -> None:
    with pytest.raises(Reverted) as caught:
        bank.tell(by, bank.checkpoints, function, *args)
    assert caught.value.reason == words


def refused_anchor(bank: Bank, words: str, told: Checkpoint, by: Sequence[SigningKey] = WITNESSES) -> None:
    refused(bank, words, OPERATOR, "anchor", point_of(told), [signature(one, told) for one in by])


def grown(old: int = 10, new: int = 20) -> tuple[Checkpoint, Checkpoint, MerkleTree]:
    """Return two honest checkpoints and their log's tree."""
    tree = MerkleTree(b"leaf %d" % n for n in range(new))
    return _of(tree, old), _of(tree, new), tree


def _of(tree: MerkleTree, size: int) -> Checkpoint:
    return Checkpoint(
        origin=NAME, size=size, log_root=tree.root(size), state_root=bytes(32), slot_s=size * SLOT_SECONDS
    )


def slash(bank: Bank, by: SigningKey, a: Checkpoint, b: Checkpoint, *shown: Any, who: SigningKey = ALICE) -> None:
    args = point_of(a), signature(by, a), point_of(b), signature(by, b)
    bank.tell(who, bank.checkpoints, "slash", *args, *(shown or (NOTHING, [])))


def stake(bank: Bank, who: SigningKey) -> int:
    return int(bank.ask(bank.checkpoints, "witness", who.id)[0])


def test_what_two_thirds_of_the_stake_signed_is_final_for_good() -> None:
    bank, told = Bank(), point(10)
    assert not bank.ask(bank.checkpoints, "is_final", point_of(told))
    bank.anchor(told, WITNESSES[:4])
    bank.anchor(point(11))
    assert bank.ask(bank.checkpoints, "is_final", point_of(told))
    assert not bank.ask(bank.checkpoints, "is_final", point_of(point(10, log="other")))
    assert not bank.ask(bank.checkpoints, "is_last", point_of(told))
    assert bank.ask(bank.checkpoints, "is_last", point_of(point(11)))
    assert tuple(bank.ask(bank.checkpoints, "last")) == (11, 11)
    assert bank.ask(bank.checkpoints, "anchored_s") == bank.embedded.head.timestamp


def test_what_witnesses_sign_is_what_the_house_signs() -> None:
    bank, told = Bank(bonded=0), point(7)
    digest = checkpoint_digest(NAME, 7, 7, told.log_root, told.state_root)
    assert bank.ask(bank.checkpoints, "digest", point_of(told)) == digest


def test_less_than_two_thirds_make_nothing_final() -> None:
    bank = Bank()
    refused_anchor(bank, "anchor: less than two thirds", point(), WITNESSES[:3])
    refused_anchor(bank, "anchor: less than two thirds", point(), [])
    assert bank.ask(bank.checkpoints, "anchored", 10) == NOTHING


def test_attack_one_witness_with_two_thirds_of_the_stake_anchors_a_state_of_its_own() -> None:
    bank, rich = Bank(), WITNESSES[0]
    bank.tell(OPERATOR, bank.tsl, "transfer", rich.id, 98 * STAKE)
    bank.tell(rich, bank.tsl, "approve", bank.checkpoints.address, 98 * STAKE)
    bank.tell(rich, bank.checkpoints, "bond", 98 * STAKE)
    for by in (WITNESSES[:1], WITNESSES[:3]):
        refused_anchor(bank, "anchor: less than two thirds of the witnesses", point(), by)
    refused_anchor(bank, "anchor: less than two thirds", point(), WITNESSES[1:])
    bank.anchor(point(), WITNESSES[:4])


def test_attack_the_first_to_bond_anchors_a_state_of_its_own() -> None:
    bank = Bank(bonded=0)
    bank.ruled(*((bank.checkpoints, "admit", one.id, True) for one in WITNESSES[1:3]))
    bank.join(WITNESSES[:1])
    assert bank.ask(bank.checkpoints, "heads") == 3
    refused_anchor(bank, "anchor: less than two thirds of the witnesses", point(), WITNESSES[:1])


def test_one_witness_alone_is_all_of_them() -> None:
    bank = Bank(bonded=1)
    bank.anchor(point(), WITNESSES[:1])
    assert bank.ask(bank.checkpoints, "is_last", point_of(point()))


def test_attack_heads_that_cost_nothing_do_not_bond() -> None:
    bank = Bank(bonded=1)
    poor = WITNESSES[1]
    bank.ruled((bank.checkpoints, "admit", poor.id, True))
    bank.tell(OPERATOR, bank.tsl, "transfer", poor.id, LEAST_BOND)
    bank.tell(poor, bank.tsl, "approve", bank.checkpoints.address, LEAST_BOND)
    refused(bank, "bond: less than the least", poor, "bond", LEAST_BOND - 1)
    bank.tell(poor, bank.checkpoints, "bond", LEAST_BOND)
    bank.tell(OPERATOR, bank.tsl, "transfer", WITNESSES[0].id, 1)
    bank.tell(WITNESSES[0], bank.tsl, "approve", bank.checkpoints.address, 1)
    bank.tell(WITNESSES[0], bank.checkpoints, "bond", 1)
    assert stake(bank, WITNESSES[0]) == STAKE + 1, "whoever has the least may add a little"


def test_attack_a_witness_that_was_let_go_holds_up_anchors_no_longer() -> None:
    bank = Bank(bonded=3)
    silent, rest = WITNESSES[:2], WITNESSES[2:3]
    refused_anchor(bank, "anchor: less than two thirds", point(), rest)
    bank.ruled(*((bank.checkpoints, "admit", one.id, False) for one in silent))
    assert (bank.ask(bank.checkpoints, "bonded"), bank.ask(bank.checkpoints, "heads")) == (STAKE, 1)
    bank.anchor(point(), rest)
    refused_anchor(bank, "anchor: not bonded", point(11), WITNESSES[:3])
    refused(bank, "withdraw: not free yet", silent[0], "withdraw_stake")
    slash(bank, silent[1], point(10), point(10, log="other"))
    assert bank.held(bank.tsl, ALICE) == STAKE // 10, "it answers for what it signed until its stake is free"
    bank.later(UNBONDING_S)
    bank.tell(silent[0], bank.checkpoints, "withdraw_stake")
    assert bank.held(bank.tsl, silent[0]) == STAKE


def test_who_is_on_its_way_out_is_admitted_anew_only_after_that() -> None:
    bank, one = Bank(bonded=3), WITNESSES[0]
    bank.tell(one, bank.checkpoints, "unbond")
    again = bank.checkpoints.address, call_data(bank.checkpoints.abi, "admit", (one.id, True)), b"\1" * 32
    bank.tell(OPERATOR, bank.lock, "schedule", *again)
    bank.later(UNBONDING_S)
    with pytest.raises(Reverted, match="admit: unbonding"):
        bank.tell(OPERATOR, bank.lock, "execute", *again)
    bank.tell(one, bank.checkpoints, "withdraw_stake")
    bank.tell(OPERATOR, bank.lock, "execute", *again)
    assert bank.ask(bank.checkpoints, "heads") == 3


def test_no_more_witnesses_are_admitted_than_can_sign_together() -> None:
    bank = Bank(bonded=0)
    many = [key(f"many {n}").id for n in range(65)]
    bank.ruled(*((bank.checkpoints, "admit", one, True) for one in many[:64]))
    bank.ruled((bank.checkpoints, "admit", many[0], False), (bank.checkpoints, "admit", many[64], True))
    assert bank.ask(bank.checkpoints, "heads") == 64
    with pytest.raises(Reverted, match="admit: too many"):
        bank.ruled((bank.checkpoints, "admit", ALICE.id, True))


def test_without_any_stake_nothing_is_final() -> None:
    refused_anchor(Bank(bonded=0), "anchor: less than two thirds", point(), [])


def test_attack_anchor_with_unsorted_or_duplicate_signers() -> None:
    bank = Bank()
    refused_anchor(bank, "anchor: signers not in order", point(), WITNESSES[::-1])
    refused_anchor(bank, "anchor: signers not in order", point(), [*WITNESSES[:2], WITNESSES[1], WITNESSES[1]])


def test_attack_anchor_with_strangers() -> None:
    bank = Bank(bonded=4)
    refused_anchor(bank, "anchor: not bonded", point(), sorted([*WITNESSES[:4], key("stranger")], key=lambda k: k.id))


def test_attack_anchor_by_an_unbonding_witness() -> None:
    bank = Bank()
    bank.tell(WITNESSES[0], bank.checkpoints, "unbond")
    refused_anchor(bank, "anchor: not bonded", point())
    assert bank.ask(bank.checkpoints, "bonded") == 4 * STAKE
    bank.anchor(point(), WITNESSES[2:])  # three of four


def test_attack_rollback_of_epoch_or_size() -> None:
    bank = Bank()
    bank.anchor(point(10))
    refused_anchor(bank, "anchor: not a larger log", point(10, slot=11))
    refused_anchor(bank, "anchor: not a larger log", point(9, slot=11))
    refused_anchor(bank, "anchor: not a later epoch", point(11, slot=10))
    refused_anchor(bank, "anchor: not a later epoch", point(10))


def test_attack_signatures_of_another_log_or_made_malleable() -> None:
    bank, told = Bank(), point()
    other = Checkpoint(origin="other", size=10, log_root=told.log_root, state_root=told.state_root, slot_s=told.slot_s)
    with pytest.raises(Reverted):
        bank.tell(OPERATOR, bank.checkpoints, "anchor", point_of(told), [signature(one, other) for one in WITNESSES])
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    twins = []
    for one in WITNESSES:
        r, vs = signature(one, told)
        s, odd = vs & (2**255 - 1), vs >> 255
        twins.append((r, (order - s) & (2**255 - 1) | (1 - odd) << 255))
    with pytest.raises(Reverted):
        bank.tell(OPERATOR, bank.checkpoints, "anchor", point_of(told), twins)


def test_who_signed_is_paid_by_stake_and_nobody_else() -> None:
    bank = Bank(bonded=4)
    bank.join(WITNESSES[4:], 2 * STAKE)
    bank.tell(OPERATOR, bank.tsl, "approve", bank.checkpoints.address, 1_500)
    bank.tell(OPERATOR, bank.checkpoints, "fund", 1_500)
    bank.anchor(point(10), WITNESSES[1:])
    earned = [bank.ask(bank.checkpoints, "witness", one.id)[1] for one in WITNESSES]
    assert earned == [0, 166, 166, 166, 333]
    bank.anchor(point(11), WITNESSES)
    earned = [bank.ask(bank.checkpoints, "witness", one.id)[1] for one in WITNESSES]
    assert sum(earned) + bank.ask(bank.checkpoints, "pool") == 1_500
    assert earned == [111, 277, 277, 277, 556]
    bank.tell(WITNESSES[1], bank.checkpoints, "collect")
    assert bank.held(bank.tsl, WITNESSES[1]) == 277
    refused(bank, "collect: nothing earned", WITNESSES[1], "collect")
    bank.anchor(point(12))  # two micro are left: too little for five
    assert REWARD > bank.ask(bank.checkpoints, "pool") >= 0


def test_attack_leaving_out_another_signature_earns_nothing() -> None:
    earned = []
    for by in (WITNESSES, WITNESSES[:4]):
        bank = Bank()
        bank.tell(OPERATOR, bank.tsl, "approve", bank.checkpoints.address, REWARD)
        bank.tell(OPERATOR, bank.checkpoints, "fund", REWARD)
        bank.anchor(point(), by)
        earned.append(bank.ask(bank.checkpoints, "witness", WITNESSES[0].id)[1])
    assert earned == [REWARD // 5, REWARD // 5]
    assert bank.ask(bank.checkpoints, "pool") == REWARD // 5, "the part of who was left out stays"


def test_a_stake_leaves_after_the_delay_and_not_before() -> None:
    bank, one = Bank(), WITNESSES[0]
    refused(bank, "withdraw: not free yet", one, "withdraw_stake")
    bank.tell(one, bank.checkpoints, "unbond")
    refused(bank, "unbond: nothing bonded", one, "unbond")
    refused(bank, "bond: not admitted", one, "bond", 1)
    bank.later(UNBONDING_S - 10)
    refused(bank, "withdraw: not free yet", one, "withdraw_stake")
    bank.later(10)
    bank.tell(one, bank.checkpoints, "withdraw_stake")
    assert (bank.held(bank.tsl, one), stake(bank, one)) == (STAKE, 0)
    refused(bank, "withdraw: not free yet", one, "withdraw_stake")


def test_only_who_is_admitted_bonds_and_only_the_timelock_admits() -> None:
    bank = Bank(bonded=0)
    refused(bank, "bond: not admitted", WITNESSES[0], "bond", 1)
    refused(bank, "governed: not the timelock", OPERATOR, "admit", ALICE.id, True)
    bank.join(WITNESSES[:1])
    refused(bank, "bond: no such amount", WITNESSES[0], "bond", 0)


def test_attack_witness_equivocation_in_one_slot_or_at_one_size_is_slashed() -> None:
    for a, b in (
        (point(10), point(10, log="other")),
        (point(10), point(12, slot=10)),
        (point(10), point(10, log="other", slot=11)),
    ):
        bank, one = Bank(), WITNESSES[2]
        slash(bank, one, a, b)
        assert (stake(bank, one), bank.ask(bank.checkpoints, "bonded")) == (0, 4 * STAKE)
        assert bank.held(bank.tsl, ALICE) == STAKE // 10
        assert bank.ask(bank.checkpoints, "pool") == STAKE - STAKE // 10
        with pytest.raises(Reverted, match="nothing staked"):
            slash(bank, one, a, b)
        refused(bank, "bond: not admitted", one, "bond", 1)


def test_attack_a_history_that_does_not_go_on_is_slashed_by_a_consistency_proof() -> None:
    bank, one = Bank(), WITNESSES[0]
    honest, later, tree = grown()
    other = point(10)
    proof = tree.consistency_proof(10, 20)
    with pytest.raises(Reverted, match="no proof"):
        slash(bank, one, other, later, honest.log_root, proof[:-1])
    with pytest.raises(Reverted, match="no proof"):
        slash(bank, one, later, other, honest.log_root, proof)
    slash(bank, one, other, later, honest.log_root, proof)
    assert stake(bank, one) == 0


def test_attack_slash_of_an_honest_witness_is_refused() -> None:
    bank, one = Bank(), WITNESSES[0]
    honest, later, tree = grown()
    proof = tree.consistency_proof(10, 20)
    for a, b, shown in (
        (honest, later, (honest.log_root, proof)),
        (honest, later, (point(10).log_root, proof)),
        (honest, honest, (NOTHING, [])),
        (point(10), point(10, slot=11), (NOTHING, [])),
    ):
        with pytest.raises(Reverted, match=r"one history|no proof"):
            slash(bank, one, a, b, *shown)
    args = point_of(point(10)), signature(one, point(10)), point_of(later), signature(WITNESSES[1], later)
    refused(bank, "slash: two signers", ALICE, "slash", *args, NOTHING, [])
    assert stake(bank, one) == STAKE


def test_a_stake_on_its_way_out_is_slashed_all_the_same() -> None:
    bank, one = Bank(), WITNESSES[0]
    bank.tell(one, bank.checkpoints, "unbond")
    bank.later(UNBONDING_S * 2)
    slash(bank, one, point(10), point(10, log="other"))
    assert (stake(bank, one), bank.ask(bank.checkpoints, "bonded")) == (0, 4 * STAKE)
    refused(bank, "withdraw: not free yet", one, "withdraw_stake")


def test_a_pause_stops_what_enters_and_nothing_that_leaves() -> None:
    bank, one = Bank(), WITNESSES[0]
    bank.anchor(point(10))
    bank.tell(OPERATOR, bank.checkpoints, "pause")
    refused_anchor(bank, "governed: paused", point(11))
    refused(bank, "governed: paused", one, "bond", 1)
    bank.tell(one, bank.checkpoints, "unbond")
    slash(bank, WITNESSES[1], point(10), point(10, log="other"), who=BOB)
    bank.later(UNBONDING_S)
    bank.tell(one, bank.checkpoints, "withdraw_stake")


def test_attack_a_guardian_who_pauses_whenever_it_can_never_keeps_anchors_away_until_everybody_exits() -> None:
    bank, began_s, size, longest_s = Bank(), 0, 10, 0
    bank.anchor(point(size))
    for _ in range(6):
        began_s = bank.ask(bank.checkpoints, "anchored_s")
        bank.tell(OPERATOR, bank.checkpoints, "pause")
        bank.later(int(bank.ask(bank.checkpoints, "PAUSE_S")))
        size += 1
        bank.anchor(point(size))
        longest_s = max(longest_s, bank.ask(bank.checkpoints, "anchored_s") - began_s)
        with pytest.raises(Reverted, match="paused a while ago"):
            bank.tell(OPERATOR, bank.checkpoints, "pause")
        bank.later(int(bank.ask(bank.checkpoints, "PAUSE_S")))
        size += 1
        bank.anchor(point(size))
    assert longest_s < EXIT_AFTER_S


@pytest.mark.parametrize("fork", ["cancun", "shanghai"])
def test_five_cosignatures_are_anchored_for_less_than_150_000_gas(fork: Any) -> None:
    bank = Bank(fork)
    bank.tell(OPERATOR, bank.tsl, "approve", bank.checkpoints.address, 10 * REWARD)
    bank.tell(OPERATOR, bank.checkpoints, "fund", 10 * REWARD)
    used = [bank.anchor(point(10 + n)).gas for n in range(3)]
    assert max(used) <= 150_000, used
