"""ERGON and money: what is bought is minted once, what goes back is burned once, whatever is said how often."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from commonwatt.ledger.transfers import FOR_EVER_S, Transfer, Transfers
from commonwatt.model import PAYMENT_PORT, AccountId, Commodity, InvalidValue
from commonwatt.tokens.ergon import Decision, Payout, Payouts, PurchaseFact, Purchases, Said, Stage, Verdict

pytestmark = pytest.mark.row("H2")

ANA, BEN = AccountId("ana"), AccountId("ben")
PEOPLE = (ANA, BEN)
NAMES = ("a", "b", "c", "d", "e", "f")
MICRO = st.integers(1, 1_000)


def new(account: AccountId, minted_micro: int = 0) -> Decision:
    return Decision(verdict=Verdict.NEW, account=account, minted_micro=minted_micro)


def answer(verdict: Verdict, account: AccountId | None = ANA, most_micro: int = 0) -> Decision:
    return Decision(verdict=verdict, account=account, most_micro=most_micro)


def bought(amount_micro: int = 100) -> Purchases:
    purchases = Purchases()
    assert purchases.buy("p", ANA, amount_micro) == new(ANA, amount_micro)
    return purchases


def test_a_webhook_that_comes_twice_mints_once() -> None:
    purchases = bought(100)
    assert purchases.buy("p", ANA, 100) == answer(Verdict.REPEAT)
    assert (purchases.left_micro("p"), purchases.account("p")) == (100, ANA)
    assert (purchases.left_micro("q"), purchases.account("q")) == (0, None)


def test_a_reference_with_another_amount_or_account_is_a_contradiction() -> None:
    purchases = bought(100)
    before = purchases.items()
    assert purchases.buy("p", ANA, 101) == answer(Verdict.CONTRADICTION)
    assert purchases.buy("p", BEN, 100) == answer(Verdict.CONTRADICTION)
    assert purchases.items() == before


def test_several_refunds_never_give_back_more_than_was_bought() -> None:
    purchases = bought(100)
    assert purchases.refund("r1", "p", 60, available_micro=500) == new(ANA, -60)
    assert purchases.refund("r2", "p", 41, available_micro=500) == answer(Verdict.TOO_MUCH, most_micro=40)
    assert purchases.refund("r2", "p", 40, available_micro=500) == new(ANA, -40)
    assert purchases.refund("r3", "p", 1, available_micro=500) == answer(Verdict.TOO_MUCH)
    assert purchases.refund("r1", "p", 60, available_micro=0) == answer(Verdict.REPEAT)
    assert purchases.left_micro("p") == 0


@pytest.mark.parametrize(("available_micro", "most_micro"), [(70, 70), (0, 0), (-5, 0)])
def test_what_is_spent_cannot_be_refunded(available_micro: int, most_micro: int) -> None:
    purchases = bought(100)
    refused = purchases.refund("r", "p", 71, available_micro=available_micro)
    assert refused == answer(Verdict.TOO_MUCH, most_micro=most_micro)
    assert purchases.left_micro("p") == 100


def test_a_charge_back_is_booked_whatever_was_spent_and_counts_once() -> None:
    purchases = bought(100)
    assert purchases.charge_back("c", "p", 100) == new(ANA, -100)
    assert purchases.charge_back("c", "p", 100) == answer(Verdict.REPEAT)
    assert purchases.charge_back("c2", "p", 1) == answer(Verdict.TOO_MUCH)
    assert purchases.refund("r", "p", 1, available_micro=500) == answer(Verdict.TOO_MUCH)


def test_a_charge_back_after_a_refund_takes_only_what_is_left() -> None:
    purchases = bought(100)
    purchases.refund("r", "p", 30, available_micro=100)
    assert purchases.charge_back("c", "p", 100) == new(ANA, -70)
    assert purchases.charge_back("c", "p", 100) == answer(Verdict.REPEAT)
    assert purchases.charge_back("c", "p", 70) == answer(Verdict.CONTRADICTION)


def test_what_goes_back_before_its_purchase_is_known_is_to_be_said_again() -> None:
    purchases = Purchases()
    unknown = answer(Verdict.UNKNOWN, None)
    assert purchases.charge_back("c", "p", 100) == unknown
    assert purchases.refund("r", "p", 100, available_micro=100) == unknown
    assert purchases.items() == []
    purchases.buy("p", ANA, 100)
    assert purchases.charge_back("c", "p", 100) == new(ANA, -100)


def test_one_reference_names_one_thing() -> None:
    purchases = bought(100)
    purchases.buy("q", BEN, 100)
    purchases.refund("r", "p", 10, available_micro=100)
    contradiction = answer(Verdict.CONTRADICTION)
    assert purchases.buy("r", ANA, 10) == contradiction
    assert purchases.charge_back("r", "p", 10) == contradiction
    assert purchases.refund("r", "q", 10, available_micro=100) == contradiction
    assert purchases.refund("r", "never", 10, available_micro=100) == contradiction
    assert purchases.refund("r", "p", 9, available_micro=100) == contradiction
    assert purchases.refund("p", "q", 10, available_micro=100) == contradiction
    assert purchases.charge_back("s", "r", 5) == answer(Verdict.UNKNOWN, None)
    assert (purchases.left_micro("p"), purchases.left_micro("q")) == (90, 100)


@pytest.mark.parametrize(("reference", "amount_micro"), [("", 1), ("x", 0), ("x", -1), ("x", 2**53)])
def test_money_without_a_reference_or_amount_is_refused(reference: str, amount_micro: int) -> None:
    purchases, payouts = bought(), Payouts()
    with pytest.raises(InvalidValue):
        purchases.buy(reference, ANA, amount_micro)
    with pytest.raises(InvalidValue):
        purchases.refund(reference, "p", amount_micro, available_micro=2**60)
    with pytest.raises(InvalidValue):
        purchases.charge_back(reference, "p", amount_micro)
    with pytest.raises(InvalidValue):
        payouts.request(reference, ANA, amount_micro, available_micro=2**60)
    assert (len(purchases.items()), payouts.items()) == (1, [])


def test_purchases_are_rebuilt_only_from_what_could_have_been() -> None:
    buy = PurchaseFact(reference="p", said=Said.BOUGHT, purchase="p", account=ANA, amount_micro=100, booked_micro=100)
    back = replace(buy, reference="r", said=Said.REFUNDED)
    assert Purchases([back, buy]).items() == [buy, back]
    for facts in ([buy, buy], [back], [buy, back, replace(back, reference="s")], [buy, replace(back, account=BEN)]):
        with pytest.raises(InvalidValue):
            Purchases(facts)
    for change in ({"purchase": "q"}, {"said": Said.REFUNDED}, {"booked_micro": 101}, {"booked_micro": 0}):
        with pytest.raises(InvalidValue):
            replace(buy, **change)


def test_a_payout_is_reserved_once_and_burned_once() -> None:
    payouts = Payouts()
    assert payouts.request("o", ANA, 60, available_micro=100) == new(ANA)
    assert payouts.request("o", ANA, 60, available_micro=40) == answer(Verdict.REPEAT)
    assert payouts.confirm("o") == new(ANA, -60)
    assert payouts.confirm("o") == answer(Verdict.REPEAT)
    assert payouts.request("o", ANA, 60, available_micro=40) == answer(Verdict.REPEAT)
    assert payouts.request("o", ANA, 61, available_micro=100) == answer(Verdict.CONTRADICTION)
    assert payouts.request("o", BEN, 60, available_micro=100) == answer(Verdict.CONTRADICTION)


def test_a_payout_that_failed_is_the_members_again_and_cannot_be_confirmed() -> None:
    payouts = Payouts()
    payouts.request("o", ANA, 60, available_micro=60)
    assert payouts.fail("o") == new(ANA)
    assert payouts.fail("o") == answer(Verdict.REPEAT)
    assert payouts.confirm("o") == answer(Verdict.CONTRADICTION)


def test_a_payout_that_the_bank_sends_back_is_minted_again_once() -> None:
    payouts = Payouts()
    payouts.request("o", ANA, 60, available_micro=60)
    payouts.confirm("o")
    assert payouts.fail("o") == new(ANA, 60)
    assert payouts.fail("o") == answer(Verdict.REPEAT)
    assert payouts.confirm("o") == answer(Verdict.REPEAT)


@pytest.mark.parametrize(("available_micro", "most_micro"), [(59, 59), (0, 0), (-1, 0)])
def test_nobody_is_paid_what_they_do_not_have(available_micro: int, most_micro: int) -> None:
    payouts = Payouts()
    refused = payouts.request("o", ANA, 60, available_micro=available_micro)
    assert refused == answer(Verdict.TOO_MUCH, most_micro=most_micro)
    assert payouts.items() == []
    assert payouts.confirm("o") == payouts.fail("o") == answer(Verdict.UNKNOWN, None)


def test_payouts_are_rebuilt_once_each() -> None:
    payout = Payout(reference="o", account=ANA, amount_micro=60, stage=Stage.CONFIRMED)
    assert Payouts([payout]).items() == [payout]
    with pytest.raises(InvalidValue):
        Payouts([payout, replace(payout, stage=Stage.FAILED)])


class Edge(RuleBasedStateMachine):
    """Two members, few references, a provider that says anything twice; against lists of what was booked."""

    def __init__(self) -> None:
        super().__init__()
        self.purchases, self.payouts, self.transfers = Purchases(), Payouts(), Transfers()
        self.has: Counter[AccountId] = Counter()
        self.spent: Counter[AccountId] = Counter()
        self.bought: dict[str, tuple[AccountId, int]] = {}
        self.back: dict[str, list[int]] = {}
        self.used: dict[str, tuple[object, ...]] = {}
        self.paid: dict[str, tuple[AccountId, int, str]] = {}

    @rule(name=st.sampled_from(NAMES), account=st.sampled_from(PEOPLE), micro=MICRO)
    def buy(self, name: str, account: AccountId, micro: int) -> None:
        decision = self.purchases.buy(name, account, micro)
        said = ("buy", account, micro)
        if name in self.used:
            self.expect_known(decision, name, said)
        else:
            assert decision == new(account, micro)
            self.used[name], self.bought[name], self.back[name] = said, (account, micro), []
            self.book(decision)

    @rule(name=st.sampled_from(NAMES), purchase=st.sampled_from(NAMES), micro=MICRO, forced=st.booleans())
    def take_back(self, name: str, purchase: str, micro: int, forced: bool) -> None:
        account, whole = self.bought.get(purchase, (None, 0))
        left = whole - sum(self.back.get(purchase, []))
        free = self.available(account) if account else 0
        if forced:
            decision = self.purchases.charge_back(name, purchase, micro)
            most = left
        else:
            decision = self.purchases.refund(name, purchase, micro, available_micro=free)
            most = max(0, min(left, free))
        said = (forced, purchase, micro)
        booked = min(micro, most) if forced or micro <= most else 0
        if name in self.used:
            self.expect_known(decision, name, said)
        elif account is None:
            assert decision == answer(Verdict.UNKNOWN, None)
        elif not booked:
            assert decision == answer(Verdict.TOO_MUCH, account, most)
        else:
            assert decision == new(account, -booked)
            self.used[name] = said
            self.back[purchase].append(booked)
            self.book(decision)

    @rule(account=st.sampled_from(PEOPLE), micro=MICRO)
    def spend(self, account: AccountId, micro: int) -> None:
        """Use energy, into overdraft if need be."""
        self.has[account] -= micro
        self.spent[account] += micro

    @rule(name=st.sampled_from(NAMES), account=st.sampled_from(PEOPLE), micro=MICRO)
    def ask_for_payout(self, name: str, account: AccountId, micro: int) -> None:
        free = self.available(account)
        decision = self.payouts.request(name, account, micro, available_micro=free)
        if name in self.paid:
            same = self.paid[name][:2] == (account, micro)
            assert decision.verdict is (Verdict.REPEAT if same else Verdict.CONTRADICTION)
        elif micro > free:
            assert decision == answer(Verdict.TOO_MUCH, account, max(0, free))
        else:
            assert decision == new(account)
            self.paid[name] = account, micro, "asked"
            self.transfers.reserve(
                Transfer(
                    id=name,
                    commodity=Commodity.ERGON,
                    source=account,
                    target=PAYMENT_PORT,
                    amount=micro,
                    until_s=FOR_EVER_S,
                )
            )

    @rule(name=st.sampled_from(NAMES))
    def confirm(self, name: str) -> None:
        decision = self.payouts.confirm(name)
        account, micro, stage = self.paid.get(name, (None, 0, ""))
        if stage == "asked":
            posted = self.transfers.void(name)
            assert posted and account
            assert posted.amount == -decision.minted_micro == micro
            self.paid[name] = account, micro, "paid"
            self.book(decision)
        else:
            verdicts = {"": Verdict.UNKNOWN, "failed": Verdict.CONTRADICTION}
            assert decision == answer(verdicts.get(stage, Verdict.REPEAT), account)

    @rule(name=st.sampled_from(NAMES))
    def fail(self, name: str) -> None:
        decision = self.payouts.fail(name)
        account, micro, stage = self.paid.get(name, (None, 0, ""))
        if account and stage in {"asked", "paid"}:
            assert decision == new(account, micro if stage == "paid" else 0)
            assert (self.transfers.void(name) is None) == (stage == "paid")
            self.paid[name] = account, micro, "failed" if stage == "asked" else "returned"
            self.book(decision)
        else:
            assert decision == answer(Verdict.REPEAT if stage else Verdict.UNKNOWN, account)

    @rule()
    def rebuild(self) -> None:
        self.purchases = Purchases(reversed(self.purchases.items()))
        self.payouts = Payouts(reversed(self.payouts.items()))

    def book(self, decision: Decision) -> None:
        assert decision.account is not None
        self.has[decision.account] += decision.minted_micro

    def available(self, account: AccountId) -> int:
        return self.transfers.available(account, Commodity.ERGON, self.has[account])

    def expect_known(self, decision: Decision, name: str, said: tuple[object, ...]) -> None:
        assert decision.verdict is (Verdict.REPEAT if self.used[name] == said else Verdict.CONTRADICTION)
        assert decision.minted_micro == 0

    @invariant()
    def what_members_have_is_what_the_edge_let_in_less_what_they_spent(self) -> None:
        for person in PEOPLE:
            purchases = [name for name, (account, _) in self.bought.items() if account == person]
            kept = sum(self.bought[name][1] - sum(self.back[name]) for name in purchases)
            gone = sum(micro for account, micro, stage in self.paid.values() if (account, stage) == (person, "paid"))
            way = sum(micro for account, micro, stage in self.paid.values() if (account, stage) == (person, "asked"))
            assert self.has[person] == kept - gone - self.spent[person]
            assert self.transfers.reserved(person, Commodity.ERGON) == way

    @invariant()
    def no_purchase_gave_back_more_than_it_was(self) -> None:
        for name, (account, micro) in self.bought.items():
            assert 0 <= self.purchases.left_micro(name) == micro - sum(self.back[name]) <= micro
            assert self.purchases.account(name) == account

    @invariant()
    def all_that_was_booked_is_listed_and_sorted(self) -> None:
        assert [fact.reference for fact in self.purchases.items()] == sorted(self.used)
        assert [payout.reference for payout in self.payouts.items()] == sorted(self.paid)


def test_purchases_refunds_and_payouts_conserve_in_any_order_and_said_any_number_of_times() -> None:
    run_state_machine_as_test(Edge, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))
