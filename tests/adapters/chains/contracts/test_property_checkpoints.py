"""Whoever bonds, leaves, is let go, signs, earns or lies: the contract holds what its witnesses and its pool have."""

import os
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from chain_bank import LEAST_BOND, REWARD, STAKE, UNBONDING_S, WITNESSES, Bank, point, signature
from commonwatt.adapters.chains.evm.words import call_data
from commonwatt.flows.chain_ports import Reverted
from commonwatt.flows.crossing_proofs import point_of
from commonwatt.identity.keys import SigningKey
from on_chain import ALICE, OPERATOR

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
EXAMPLES, STEPS = (300, 40) if NIGHTLY else (6, 18)
PEOPLE = WITNESSES[:3]
people = st.sampled_from(PEOPLE)


@dataclass
class Stake:
    """What the model knows of a witness: who is admitted is not on its way out, and the other way round."""

    stake: int = STAKE
    earned: int = 0
    free_s: int = 0
    admitted: bool = True

    def leave(self, now_s: int) -> None:
        """Be no witness any more."""
        self.admitted, self.free_s = False, now_s + UNBONDING_S if self.stake else 0


class Staking(RuleBasedStateMachine):
    """Three witnesses, one log, and whoever shows two histories of it."""

    def __init__(self) -> None:
        super().__init__()
        self.bank = Bank(bonded=3)
        for one in (*PEOPLE, OPERATOR):
            self.bank.tell(one, self.bank.tsl, "approve", self.bank.checkpoints.address, 2**60)
        self.known = {one.id: Stake() for one in PEOPLE}
        self.pool = self.size = self.reported = 0
        self.salts = count(1)

    def told(self, by: SigningKey, expected: bool, function: str, *args: Any) -> bool:
        try:
            self.bank.tell(by, self.bank.checkpoints, function, *args)
        except Reverted:
            assert not expected, function
            return False
        assert expected, function
        return True

    @rule(who=people, amount=st.sampled_from([0, 1, 700, LEAST_BOND, STAKE]))
    def bonds(self, who: SigningKey, amount: int) -> None:
        it = self.known[who.id]
        self.bank.tell(OPERATOR, self.bank.tsl, "transfer", who.id, amount)
        if self.told(who, it.admitted and amount > 0 and it.stake + amount >= LEAST_BOND, "bond", amount):
            it.stake += amount

    @rule(who=people)
    def unbonds(self, who: SigningKey) -> None:
        it = self.known[who.id]
        if self.told(who, it.stake > 0 and it.admitted, "unbond"):
            it.leave(self.bank.embedded.head.timestamp)

    @rule(who=people, allowed=st.booleans())
    def is_admitted_or_not(self, who: SigningKey, allowed: bool) -> None:
        it = self.known[who.id]
        call = call_data(self.bank.checkpoints.abi, "admit", (who.id, allowed))
        announced = self.bank.checkpoints.address, call, next(self.salts).to_bytes(32)
        self.bank.tell(OPERATOR, self.bank.lock, "schedule", *announced)
        self.bank.later(2)
        try:
            self.bank.tell(ALICE, self.bank.lock, "execute", *announced)
        except Reverted:
            assert allowed and it.free_s
            return
        assert not (allowed and it.free_s)
        if allowed:
            it.admitted = True
        elif it.admitted:
            it.leave(self.bank.embedded.head.timestamp)

    @rule(who=people)
    def takes_the_stake_out(self, who: SigningKey) -> None:
        it = self.known[who.id]
        # Where a block is made, its second is later than the last one's.
        if self.told(who, 0 < it.free_s <= self.bank.embedded.head.timestamp + 1, "withdraw_stake"):
            it.stake = it.free_s = 0

    @rule(who=people)
    def collects(self, who: SigningKey) -> None:
        it = self.known[who.id]
        if self.told(who, it.earned > 0, "collect"):
            it.earned = 0

    @rule(amount=st.sampled_from([0, 1, 2, REWARD, 10 * REWARD]))
    def funds(self, amount: int) -> None:
        self.told(OPERATOR, True, "fund", amount)
        self.pool += amount

    @rule(signers=st.sets(st.integers(0, 2)), more=st.integers(0, 3))
    def anchors(self, signers: set[int], more: int) -> None:
        by = [PEOPLE[n] for n in sorted(signers)]
        those = [self.known[one.id] for one in by]
        weight = sum(it.stake for it in those)
        bonded = all(it.stake and it.admitted for it in those)
        enough = 3 * weight >= 2 * self.bonded() and 3 * len(by) >= 2 * self.heads()
        final = bonded and more > 0 and weight > 0 and enough
        checkpoint = point(self.size + more)
        args = point_of(checkpoint), [signature(one, checkpoint) for one in by]
        if self.told(OPERATOR, final, "anchor", *args):
            self.size += more
            paid = min(REWARD, self.pool)
            for it in those:
                it.earned += paid * it.stake // self.bonded()
                self.pool -= paid * it.stake // self.bonded()

    @rule(who=people, lies=st.booleans())
    def is_accused(self, who: SigningKey, lies: bool) -> None:
        it, first = self.known[who.id], point(5)
        second = point(5, log="other") if lies else point(5, slot=6)
        shown: tuple[Any, ...] = (
            point_of(first),
            signature(who, first),
            point_of(second),
            signature(who, second),
            bytes(32),
            [],
        )
        if self.told(ALICE, lies and it.stake > 0, "slash", *shown):
            self.reported += it.stake // 10
            self.pool += it.stake - it.stake // 10
            self.known[who.id] = Stake(stake=0, earned=it.earned, admitted=False)

    @rule()
    def time_passes(self) -> None:
        self.bank.later(UNBONDING_S)

    def bonded(self) -> int:
        return sum(it.stake for it in self.known.values() if it.admitted)

    def heads(self) -> int:
        return sum(it.admitted for it in self.known.values())

    @invariant()
    def nothing_is_lost_and_nobody_has_more(self) -> None:
        bank = self.bank
        held = sum(it.stake + it.earned for it in self.known.values()) + self.pool
        assert bank.held(bank.tsl, bank.checkpoints) == held

    def teardown(self) -> None:
        bank = self.bank
        for one in PEOPLE:
            it = self.known[one.id]
            told = bank.ask(bank.checkpoints, "witness", one.id)
            assert tuple(told) == (it.stake, it.earned, it.free_s, it.admitted)
        assert bank.ask(bank.checkpoints, "pool") == self.pool
        assert bank.ask(bank.checkpoints, "bonded") == self.bonded()
        assert bank.ask(bank.checkpoints, "heads") == self.heads()
        assert bank.held(bank.tsl, ALICE) == self.reported


@pytest.mark.row("M3")
def test_the_contract_of_checkpoints_does_what_its_model_does() -> None:
    rules = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
    run_state_machine_as_test(Staking, settings=rules)
