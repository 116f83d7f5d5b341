"""A falling balance: topped up once at a time, told once a fall, and cut off only after grace and beyond doubt."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from commonwatt.model import SLOT_SECONDS, AccountId, InvalidValue
from commonwatt.tokens.prepaid import (
    AutoTopUp,
    LowBalance,
    MeterSwitch,
    Supply,
    Switched,
    TopUp,
    TopUpRule,
    TopUps,
)

ANA, BEN = AccountId("ana"), AccountId("ben")
DAY = 86_400
RULE = TopUpRule(threshold_micro=10, amount_micro=50, daily_cap_micro=120)


def ruled(rule: TopUpRule = RULE) -> TopUps:
    top_ups = TopUps()
    top_ups.wish(ANA, rule)
    return top_ups


@pytest.mark.row("H2")
def test_a_top_up_is_asked_for_at_the_threshold_and_one_at_a_time() -> None:
    top_ups = ruled()
    assert top_ups.ask("1", ANA, 11, 0, lasts_s=600) is None
    assert top_ups.ask("1", BEN, -5, 0, lasts_s=600) is None
    asked = top_ups.ask("1", ANA, 10, 0, lasts_s=600)
    assert asked == TopUp(id="1", account=ANA, amount_micro=50, until_s=600)
    assert top_ups.ask("2", ANA, -90, 599, lasts_s=600) is None
    assert top_ups.pending(ANA, 599)
    assert top_ups.arrived("1")
    assert not top_ups.arrived("1")
    assert not top_ups.pending(ANA, 599)
    assert top_ups.ask("2", ANA, 10, 599, lasts_s=600) is not None


@pytest.mark.row("H2")
def test_a_top_up_expires_and_still_counts_against_the_day() -> None:
    top_ups = ruled()
    for second, name in ((0, "1"), (600, "2")):
        assert top_ups.ask(name, ANA, 0, second, lasts_s=600) is not None
        assert not top_ups.pending(ANA, second + 600)
    assert top_ups.ask("3", ANA, 0, 1_200, lasts_s=600) is None
    assert not top_ups.arrived("1")
    assert not top_ups.failed("1")
    assert top_ups.ask("3", ANA, 0, DAY - 1, lasts_s=600) is None
    assert top_ups.ask("3", ANA, 0, DAY, lasts_s=600) is not None


@pytest.mark.row("H2")
def test_a_top_up_that_failed_frees_the_cap_and_is_not_tried_again_at_once() -> None:
    top_ups = ruled(replace(RULE, daily_cap_micro=50))
    top_ups.ask("1", ANA, 0, 0, lasts_s=600)
    assert top_ups.failed("1")
    assert not top_ups.failed("1")
    assert not top_ups.failed("9")
    assert not top_ups.pending(ANA, 1)
    assert top_ups.ask("2", ANA, 0, 599, lasts_s=600) is None
    assert top_ups.ask("2", ANA, 0, 600, lasts_s=600) is not None


def test_a_top_up_that_arrives_after_all_counts_against_the_day_again() -> None:
    top_ups = ruled(replace(RULE, daily_cap_micro=50))
    top_ups.ask("1", ANA, 0, 0, lasts_s=600)
    top_ups.failed("1")
    assert top_ups.arrived("1")
    assert top_ups.ask("2", ANA, 0, 600, lasts_s=600) is None


def test_a_rule_taken_back_asks_nothing_and_does_not_reset_the_day() -> None:
    top_ups = ruled(replace(RULE, daily_cap_micro=50))
    top_ups.ask("1", ANA, 0, 0, lasts_s=600)
    top_ups.wish(ANA, None)
    assert top_ups.pending(ANA, 1)
    assert top_ups.ask("2", ANA, 0, 700, lasts_s=600) is None
    top_ups.wish(ANA, replace(RULE, daily_cap_micro=50))
    assert top_ups.ask("2", ANA, 0, 700, lasts_s=600) is None


def test_a_name_is_used_once_and_a_wait_takes_time() -> None:
    top_ups = ruled()
    top_ups.wish(BEN, RULE)
    top_ups.ask("1", ANA, 0, 0, lasts_s=600)
    for name, lasts_s in (("1", 600), ("", 600), ("2", 0)):
        with pytest.raises(InvalidValue):
            top_ups.ask(name, BEN, 0, 0, lasts_s=lasts_s)


@pytest.mark.parametrize(
    ("threshold", "amount", "cap"), [(-1, 5, 9), (0, 0, 9), (0, 10, 9), (2**53, 5, 9), (0, 5, 2**53)]
)
def test_a_top_up_rule_that_could_not_be_is_refused(threshold: int, amount: int, cap: int) -> None:
    with pytest.raises(InvalidValue):
        TopUpRule(threshold_micro=threshold, amount_micro=amount, daily_cap_micro=cap)


def test_top_ups_are_rebuilt_only_from_what_could_have_been() -> None:
    asked = TopUp(id="1", account=ANA, amount_micro=5, until_s=9)
    ana = AutoTopUp(account=ANA, rule=RULE, asked=asked, day=3, day_micro=5)
    assert TopUps([ana]).items() == [ana]
    ben = AutoTopUp(account=BEN, asked=replace(asked, account=BEN))
    for accounts in ([ana, ana], [ana, ben]):
        with pytest.raises(InvalidValue):
            TopUps(accounts)
    with pytest.raises(InvalidValue):
        replace(ana, account=BEN)
    with pytest.raises(InvalidValue):
        replace(ana, day_micro=-1)
    with pytest.raises(InvalidValue):
        replace(asked, id="")
    with pytest.raises(InvalidValue):
        replace(asked, amount_micro=0)


EVENTS = st.lists(
    st.tuples(st.sampled_from(["ask", "arrived", "failed", "wait"]), st.integers(0, 40), st.integers(0, 20_000)),
    max_size=40,
)


@pytest.mark.row("H2")
@given(EVENTS)
def test_no_day_collects_more_than_its_cap_and_no_two_wait_at_once(events: list[tuple[str, int, int]]) -> None:
    top_ups, now_s = ruled(), 0
    asked: dict[str, tuple[int, int]] = {}
    failed: set[str] = set()
    waiting_to_s = 0
    for event, number, step in events:
        name = str(number % len(asked)) if asked else "0"
        if event == "ask":
            told = top_ups.ask(str(len(asked)), ANA, number - 20, now_s, lasts_s=3_600)
            if told:
                assert number - 20 <= RULE.threshold_micro
                assert now_s >= waiting_to_s
                waiting_to_s = told.until_s
                asked[told.id] = now_s // DAY, told.amount_micro
        elif event == "arrived" and top_ups.arrived(name):
            waiting_to_s = now_s
            failed.discard(name)
        elif event == "failed" and top_ups.failed(name):
            failed.add(name)
        elif event == "wait":
            now_s += step
        for day in {day for day, _ in asked.values()}:
            collected = sum(micro for n, (on, micro) in asked.items() if on == day and n not in failed)
            assert collected <= RULE.daily_cap_micro
        top_ups = TopUps(reversed(top_ups.items()))


@pytest.mark.row("H2")
def test_one_fall_is_told_once_however_long_it_lasts() -> None:
    low = LowBalance(100, 150)
    balances = [120, 100, 90, 101, 99, 149, 50, 150, 101, 100, 80, -9]
    assert [balance for balance in balances if low.look(ANA, balance)] == [100, 100]
    assert low.look(BEN, 0)
    assert low.items() == [ANA, BEN]
    again = LowBalance(100, 150, low.items())
    assert not again.look(ANA, 0)
    with pytest.raises(InvalidValue):
        LowBalance(100, 100)


@given(st.lists(st.integers(0, 200), max_size=60))
def test_between_two_notices_the_balance_was_clear_once(balances: list[int]) -> None:
    low, told = LowBalance(60, 90), []
    for place, balance in enumerate(balances):
        if low.look(ANA, balance):
            assert balance <= 60
            told.append(place)
        low = LowBalance(60, 90, low.items())
    for first, second in pairwise(told):
        assert max(balances[first:second]) >= 90
    falls = [place for place, balance in enumerate(balances) if balance <= 60]
    assert told[:1] == falls[:1]


def fallen(at_s: int = 0, grace_s: int = 3_600) -> MeterSwitch:
    switch = MeterSwitch(20, grace_s)
    began = switch.look(ANA, 20, at_s, sure_to_s=at_s, pending=False)
    assert began == Switched(account=ANA, supply=Supply.GRACE, since_s=at_s, deadline_s=at_s + grace_s)
    return switch


@pytest.mark.row("H4")
def test_a_meter_is_enabled_while_there_is_more_than_the_threshold() -> None:
    switch = MeterSwitch(20, 3_600)
    assert switch.look(ANA, 21, 0, sure_to_s=0, pending=False) is None
    assert (switch.supply(ANA), switch.items()) == (Supply.ENABLED, [])


@pytest.mark.row("H4")
def test_a_meter_is_disabled_after_its_grace_and_enabled_at_once_by_a_top_up() -> None:
    switch = fallen()
    assert switch.due(3_599) == []
    assert switch.look(ANA, -50, 3_599, sure_to_s=3_600, pending=False) is None
    assert switch.due(3_600) == [ANA]
    gone = switch.look(ANA, -50, 3_600, sure_to_s=3_600, pending=False)
    assert gone == Switched(account=ANA, supply=Supply.DISABLED, since_s=3_600, deadline_s=3_600)
    assert (switch.supply(ANA), switch.due(9_999)) == (Supply.DISABLED, [])
    assert switch.look(ANA, 20, 3_700, sure_to_s=3_600, pending=False) is None
    back = switch.look(ANA, 21, 3_701, sure_to_s=0, pending=True)
    assert back == Switched(account=ANA, supply=Supply.ENABLED, since_s=3_701)
    assert (switch.supply(ANA), switch.items()) == (Supply.ENABLED, [])


@pytest.mark.row("H4")
def test_nobody_is_cut_off_by_a_late_packet() -> None:
    switch = fallen()
    assert switch.look(ANA, -1, 90_000, sure_to_s=3_599, pending=False) is None
    assert switch.supply(ANA) is Supply.GRACE
    credited = switch.look(ANA, 40, 90_900, sure_to_s=3_600, pending=False)
    assert credited is not None
    assert credited.supply is Supply.ENABLED


@pytest.mark.row("H4")
def test_nobody_is_cut_off_while_money_is_on_its_way() -> None:
    switch = fallen()
    assert switch.look(ANA, -1, 3_600, sure_to_s=3_600, pending=True) is None
    gone = switch.look(ANA, -1, 3_900, sure_to_s=3_600, pending=False)
    assert gone is not None
    assert gone.supply is Supply.DISABLED


def test_a_second_fall_has_a_grace_of_its_own() -> None:
    switch = fallen()
    switch.look(ANA, 21, 3_599, sure_to_s=0, pending=False)
    again = switch.look(ANA, 0, 3_600, sure_to_s=3_600, pending=False)
    assert again == Switched(account=ANA, supply=Supply.GRACE, since_s=3_600, deadline_s=7_200)


def test_a_switch_that_could_not_be_is_refused() -> None:
    for threshold_micro, grace_s in ((-1, 900), (0, 0), (0, -1)):
        with pytest.raises(InvalidValue):
            MeterSwitch(threshold_micro, grace_s)
    grace = Switched(account=ANA, supply=Supply.GRACE, since_s=0, deadline_s=900)
    for switched in ([grace, grace], [replace(grace, supply=Supply.ENABLED)], [replace(grace, deadline_s=0)]):
        with pytest.raises(InvalidValue):
            MeterSwitch(0, 900, switched)


class Meter(RuleBasedStateMachine):
    """One meter over a day of falling and rising balances, lost packets and pending money."""

    def __init__(self) -> None:
        super().__init__()
        self.switch = MeterSwitch(20, 2_000)
        self.balance, self.now_s, self.sure_to_s, self.pending = 100, 0, 0, False
        self.low_since_s: int | None = None
        self.told = Supply.ENABLED

    @rule(change=st.integers(-150, 150))
    def book(self, change: int) -> None:
        self.balance += change
        self.look()

    @rule(seconds=st.integers(1, 1_500))
    def wait(self, seconds: int) -> None:
        self.now_s += seconds
        if self.now_s and self.switch.due(self.now_s):
            self.look()

    @rule(slots=st.integers(1, 3))
    def settle(self, slots: int) -> None:
        settled = self.now_s // SLOT_SECONDS * SLOT_SECONDS
        self.sure_to_s = min(settled, self.sure_to_s + slots * SLOT_SECONDS)
        self.look()

    @rule(pending=st.booleans())
    def promise(self, pending: bool) -> None:
        self.pending = pending
        self.look()

    @rule()
    def rebuild(self) -> None:
        self.switch = MeterSwitch(20, 2_000, reversed(self.switch.items()))

    def look(self) -> None:
        before = self.switch.supply(ANA)
        change = self.switch.look(ANA, self.balance, self.now_s, sure_to_s=self.sure_to_s, pending=self.pending)
        if self.balance > 20:
            self.low_since_s = None
        elif self.low_since_s is None:
            self.low_since_s = self.now_s
        after = self.switch.supply(ANA)
        assert (change is not None) == (before is not after)
        if change:
            assert (change.supply, change.since_s) == (after, self.now_s)
            self.told = change.supply
        if after is Supply.DISABLED and before is not after:
            assert self.low_since_s is not None
            assert min(self.now_s, self.sure_to_s) >= self.low_since_s + 2_000
            assert not self.pending
            assert before is Supply.GRACE

    @invariant()
    def a_notice_was_given_of_what_is(self) -> None:
        assert self.told is self.switch.supply(ANA)

    @invariant()
    def what_has_to_be_is(self) -> None:
        supply = self.switch.supply(ANA)
        if self.low_since_s is None:
            assert supply is Supply.ENABLED
        else:
            assert supply is not Supply.ENABLED
            past = min(self.now_s, self.sure_to_s) >= self.low_since_s + 2_000
            assert past or supply is Supply.GRACE
            assert supply is Supply.DISABLED or not past or self.pending


@pytest.mark.row("H4")
def test_no_meter_is_disabled_before_its_deadline_or_in_doubt() -> None:
    run_state_machine_as_test(Meter, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))
