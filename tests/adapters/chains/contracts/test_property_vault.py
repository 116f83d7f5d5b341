"""Whatever is sent, anchored, withdrawn and paid in: the Vault does what a naive model says, and stays solvent."""

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chain_bank import WITNESSES, Bank, paper, point
from commonwatt.flows.chain_ports import Reverted
from commonwatt.flows.crossing_proofs import exported_proof, withdrawal_proof
from commonwatt.flows.rulebook import State
from commonwatt.ledger.checkpoint import Checkpoint
from commonwatt.model import GRID, Commodity, Refused, chain_account
from commonwatt.tokens.tsl import TOTAL_MICRO
from on_chain import ALICE, BOB, CAROL, OPERATOR

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
EXAMPLES, STEPS = (300, 40) if NIGHTLY else (7, 16)
ERGON, WATT, TSL = TOKENS = (Commodity.ERGON, Commodity.WATT, Commodity.TSL)
PEOPLE = (ALICE, BOB)
BACKING = 5_000
people = st.sampled_from(PEOPLE)
tokens = st.sampled_from(TOKENS)
amounts = st.sampled_from([1, 9, 10, 400, 2_500]) | st.integers(1, 3_000)
Key = tuple[str, Commodity]


class Vaults(RuleBasedStateMachine):
    """A ledger on paper, witnesses who sign what it says, and a Vault that is asked for it again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.bank = Bank(bonded=3, bound=True)
        self.contracts = dict(zip(TOKENS, (self.bank.ergon, self.bank.watt, self.bank.tsl), strict=True))
        self.bank.tell(OPERATOR, self.bank.tsl, "transfer", self.bank.vault.address, BACKING)
        for one in PEOPLE:
            for token in (self.bank.ergon, self.bank.watt, self.bank.tsl):
                self.bank.tell(one, token, "approve", self.bank.vault.address, 2**60)
        self.sent: Counter[Key] = Counter()
        self.paid: Counter[Key] = Counter()
        self.held: Counter[Key] = Counter()
        self.vault = Counter({TSL: BACKING})
        self.finals: list[tuple[State, Checkpoint]] = []
        self.owed = self.sold = self.exported = self.deposits = self.witnesses = 0

    @initialize(token=tokens, amount=amounts)
    def a_first_period(self, token: Commodity, amount: int) -> None:
        """Begin with something to take out."""
        self.sells(2_000)
        for who in PEOPLE:
            self.sends_out(who, token, amount)
            self.sends_out(who, TSL, 100)
        self.anchors()
        self.withdraws(ALICE, 0)

    # The ledger.

    @rule(who=people, token=tokens, amount=amounts)
    def sends_out(self, who: Any, token: Commodity, amount: int) -> None:
        self.sent[who.id, token] += amount

    @rule(amount=st.integers(-2_000, 2_000))
    def exports(self, amount: int) -> None:
        self.owed = max(-3_000, self.owed + amount)

    @rule()
    def anchors(self) -> None:
        rows = {str(chain_account(one.id)): {token: self.sent[one.id, token] for token in TOKENS} for one in PEOPLE}
        state = paper({**rows, "grid": {ERGON: -self.owed}, "anna": {ERGON: 1}}, deposits=self.deposits)
        told = point(len(self.finals) + 2, state)
        self.bank.anchor(told, WITNESSES[:3])
        self.finals.append((state, told))

    # The chain.

    @precondition(lambda self: self.finals)
    @rule(who=people, back=st.integers(0, 3))
    def withdraws(self, who: Any, back: int) -> None:
        state, told = self.finals[-1 - back % len(self.finals)]
        account = chain_account(who.id)
        try:
            proof = withdrawal_proof(state, told, who.id)
        except Refused:
            assert not any(state.accounts.balance(account, token) for token in TOKENS)
            return
        due = {t: max(0, state.accounts.balance(account, t) - self.paid[who.id, t]) for t in TOKENS}
        due = {token: min(amount, self.vault[token]) if token is not WATT else amount for token, amount in due.items()}
        try:
            self.bank.tell(CAROL, self.bank.vault, "withdraw", who.id, *proof.args())
        except Reverted as refused:
            assert (refused.reason, sum(due.values())) == ("vault: nothing is due", 0)
            return
        assert sum(due.values()) > 0
        for token, amount in due.items():
            self.paid[who.id, token] += amount
            self.held[who.id, token] += amount
            self.vault[token] -= amount if token is not WATT else 0

    @rule(who=people, token=tokens, amount=amounts)
    def deposits_some(self, who: Any, token: Commodity, amount: int) -> None:
        place = self.contracts[token].address
        enough = self.held[who.id, token] >= amount
        try:
            self.bank.tell(who, self.bank.vault, "deposit", place, amount, b"anna")
        except Reverted as refused:
            assert (refused.reason, enough) == ("token: more than is held", False)
            return
        assert enough
        self.held[who.id, token] -= amount
        self.vault[token] += amount if token is not WATT else 0
        self.deposits += 1

    @rule(who=people, amount=amounts)
    def pays_for_storage(self, who: Any, amount: int) -> None:
        before = self.bank.chain.head().number
        enough = self.held[who.id, TSL] >= amount
        try:
            self.bank.tell(who, self.bank.vault, "pay_storage", amount)
        except Reverted:
            assert not enough
            return
        told = self.bank.chain.events(self.bank.vault, "Deposited", before + 1, self.bank.chain.head().number)
        tenth = amount // 10
        assert [one.values["amount"] for one in told] == [amount - 2 * tenth, *([tenth] if tenth else [])]
        self.held[who.id, TSL] -= amount
        self.vault[TSL] += amount - tenth
        self.witnesses += tenth
        self.deposits += len(told)

    @rule(more=st.integers(0, 2_000))
    def sells(self, more: int) -> None:
        try:
            self.bank.tell(OPERATOR, self.bank.ergon, "mint_sold", self.sold + more)
        except Reverted:
            assert not more
        self.sold += more
        self.vault[ERGON] += more

    @precondition(lambda self: self.finals)
    @rule(back=st.integers(0, 3))
    def mints_exports(self, back: int) -> None:
        state, told = self.finals[-1 - back % len(self.finals)]
        owed = -state.ergon(GRID)
        if owed <= self.exported:
            return
        self.bank.tell(CAROL, self.bank.ergon, "mint_exported", *exported_proof(state, told).args())
        self.vault[ERGON] += owed - self.exported
        self.exported = owed

    # What always holds.

    @invariant()
    def nothing_was_paid_that_no_final_state_shows(self) -> None:
        for (who, token), amount in self.paid.items():
            shown = [state.accounts.balance(chain_account(who), token) for state, _ in self.finals]
            assert amount <= max(shown, default=0)

    @rule()
    def every_token_is_where_the_model_says(self) -> None:
        """Asks the chain a lot, so not at every step; and at the end of each story."""
        bank = self.bank
        for one in PEOPLE:
            told = bank.ask(bank.vault, "paid", chain_account(one.id).encode())
            assert tuple(told) == tuple(self.paid[one.id, token] for token in TOKENS)
        for token, contract in self.contracts.items():
            assert bank.held(contract, bank.vault) == self.vault[token]
            for one in PEOPLE:
                assert bank.held(contract, one) == self.held[one.id, token]
        supply = {token: bank.ask(contract, "totalSupply") for token, contract in self.contracts.items()}
        assert supply[TSL] == TOTAL_MICRO
        assert supply[ERGON] == self.sold + self.exported
        assert supply[WATT] == sum(self.held[one.id, WATT] for one in PEOPLE)
        assert bank.ask(bank.vault, "deposits") == self.deposits
        assert bank.ask(bank.checkpoints, "pool") == self.witnesses - self.rewarded()

    def rewarded(self) -> int:
        return sum(int(self.bank.ask(self.bank.checkpoints, "witness", one.id)[1]) for one in WITNESSES[:3])

    def teardown(self) -> None:
        self.every_token_is_where_the_model_says()


@pytest.mark.row("M5")
def test_the_vault_does_what_its_model_does_and_stays_solvent() -> None:
    rules = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
    run_state_machine_as_test(Vaults, settings=rules)
