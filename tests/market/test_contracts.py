"""Contracts as states: whatever happens in whatever order, nothing pays twice and nothing beyond its stakes."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from commonwatt.market.contracts import (
    BaselineRule,
    Basis,
    Call,
    Contract,
    Contracts,
    Days,
    Direction,
    PaymentRule,
    Status,
    Terms,
    Trigger,
    TriggerKind,
    Window,
    due,
    most_paid_micro,
)
from commonwatt.market.contracts.paying import rate_micro_per_kwh
from commonwatt.model import AccountId, AssetId, InvalidValue, epoch

LONDON = ZoneInfo("Europe/London")
HOUR = Window(direction=Direction.GIVE_BACK, price_micro_per_kwh=400_000, start_s=3600, end_s=7200)
BUDGET = 50_000_000


def terms(*windows: Window, **more: Any) -> Terms:
    told = {
        "most_windows": 3,
        "until_s": 10**9,
        "accept_by_s": 10**8,
        "power_w": 10_000,
        "basis": Basis.ON_TOP,
        "most_micro_per_kwh": 500_000,
        "penalty_micro_per_kwh": 300_000,
        "availability_micro_per_kw_h": 20_000,
        "baseline": BaselineRule.METERED_SETPOINT,
    } | more
    return Terms(windows=windows or (HOUR,), **told)


class Money(RuleBasedStateMachine):
    """One utility and its members: offers accepted, windows called, measured, disputed and paid, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Contracts()
        self.offer = self.book.offer("1", AccountId("u"), terms(), BUDGET)
        self.paid = 0
        self.done: dict[tuple[str, int], int] = {}
        self.now_s = 0

    def calls(self, *statuses: Status) -> list[tuple[Contract, Call]]:
        return [(one, call) for one in self.book.running() for call in one.calls if call.status in statuses]

    @rule(watts=st.integers(1, 4_000))
    def accept(self, watts: int) -> None:
        name = f"c{len(self.book.contracts)}"
        one = self.book.accept(name, self.offer, AccountId("m"), AssetId(name), 0, watts)
        if one:
            one.calls += [Call(window=0, start_s=3600 * n, end_s=3600 * n + 3600) for n in range(3)]

    @precondition(lambda self: self.calls(Status.STANDBY))
    @rule(data=st.data(), from_s=st.integers(0, 14_400), lasts_s=st.integers(0, 7_200))
    def call(self, data: st.DataObject, from_s: int, lasts_s: int) -> None:
        one, call = data.draw(st.sampled_from(self.calls(Status.STANDBY)))
        if self.book.call(one, call, from_s, from_s + lasts_s):
            told = st.none() | st.integers(-3_000, 3_000)
            for column in (call.actual_wh, call.against_wh):
                column[:] = data.draw(st.lists(told, min_size=len(column), max_size=len(column)))
            call.rates = [400_000 for _ in call.rates]
            assert not self.book.call(one, call, from_s, from_s + lasts_s), "a window is called once"

    @precondition(lambda self: self.calls(Status.STANDBY, Status.CALLED, Status.MEASURED, Status.DISPUTED))
    @rule(data=st.data())
    def measure(self, data: st.DataObject) -> None:
        open_ = self.calls(Status.STANDBY, Status.CALLED, Status.MEASURED, Status.DISPUTED)
        one, call = data.draw(st.sampled_from(open_))
        due_s = call.due_s
        self.book.measure(one, call, self.now_s)
        assert due_s in (0, call.due_s), "to measure again moves no date"

    @precondition(lambda self: self.calls(Status.MEASURED))
    @rule(data=st.data())
    def dispute(self, data: st.DataObject) -> None:
        one, call = data.draw(st.sampled_from(self.calls(Status.MEASURED)))
        assert not self.book.dispute(one, call, call.due_s, "late")
        assert self.book.dispute(one, call, call.due_s - 1, "in time")

    @precondition(lambda self: self.calls(Status.MEASURED, Status.DISPUTED))
    @rule(data=st.data())
    def pay(self, data: st.DataObject) -> None:
        one, call = data.draw(st.sampled_from(self.calls(Status.MEASURED, Status.DISPUTED)))
        net = call.due.net_micro
        if call.status is Status.DISPUTED:
            with pytest.raises(InvalidValue, match="stakes"):
                self.book.resolve(one, call, AccountId("m"), one.stake_micro + 1)
            net = data.draw(st.integers(-one.penalty_stake_micro, one.stake_micro))
            assert self.book.resolve(one, call, AccountId("u"), net - 1 if net > 0 else net + 1) is None
            assert self.book.resolve(one, call, AccountId("m"), net) is None, "they do not agree"
            assert self.book.resolve(one, call, AccountId("u"), net) == net
        before_micro = self.book.reserved_micro(self.offer)
        self.book.paid(one, call, net)
        self.offer.free_micro += one.stake_micro - max(0, net)
        self.paid += max(0, net)
        assert -one.penalty_stake_micro <= net <= one.stake_micro
        assert self.book.reserved_micro(self.offer) == before_micro - max(0, net)
        self.done[one.id, call.start_s] = net
        for again in (self.book.paid, self.book.measure):
            with pytest.raises(InvalidValue):
                again(one, call, 0)

    @rule()
    def end(self) -> None:
        for one in self.book.running():
            if all(call.status is Status.PAID for call in one.calls):
                self.book.end(one, self.now_s)
            else:
                with pytest.raises(InvalidValue):
                    self.book.end(one, self.now_s)

    @invariant()
    def every_micro_of_the_budget_is_paid_or_reserved(self) -> None:
        assert self.paid + self.book.reserved_micro(self.offer) == BUDGET
        assert self.offer.free_micro >= 0

    @invariant()
    def what_is_paid_stays_as_it_is(self) -> None:
        for one in self.book.contracts.values():
            for call in one.calls:
                if (one.id, call.start_s) in self.done:
                    assert (call.status, call.paid_micro) == (Status.PAID, self.done[one.id, call.start_s])

    @invariant()
    def no_more_is_promised_than_was_asked_for(self) -> None:
        assert self.book.promised_w(self.offer, Direction.GIVE_BACK) <= self.offer.terms.power_w


TestMoney = pytest.mark.row("W5")(Money.TestCase)


@pytest.mark.row("W5")
@given(
    st.integers(1, 10_000),
    st.integers(0, 10_000),
    st.sampled_from(PaymentRule),
    st.integers(1, 1000),
    st.integers(-(10**9), 10**9),
    st.integers(-(10**9), 10**9),
)
def test_a_window_never_costs_more_than_its_most(
    watts: int, delivered: int, how: PaymentRule, whole: int, bought: int, sold: int
) -> None:
    for direction in Direction:
        window = Window(direction=direction, price_micro_per_kwh=70_000, start_s=0, end_s=3600)
        agreed = terms(window, basis=Basis.INSTEAD, rule=how, whole_permille=whole)
        rate = rate_micro_per_kwh(agreed, window, (bought, sold))
        found = due(
            agreed,
            promised_wh=watts,
            delivered_wh=min(watts, delivered),
            rates=[rate] * 4,
            availability_micro=20 * watts,
            called=True,
        )
        assert min(found) >= 0
        assert found.payment_micro + found.availability_micro <= most_paid_micro(agreed, watts, watts)
        if how is PaymentRule.ALL_OR_NOTHING:
            whole_delivered = min(watts, delivered) * 1000 >= watts * whole
            assert (found.payment_micro + found.availability_micro == 0) or whole_delivered
            assert (found.penalty_micro == 0) or not whole_delivered


def test_a_repeating_window_follows_the_clocks_on_the_wall() -> None:
    evening = Window(
        direction=Direction.CHARGE, price_micro_per_kwh=1, days=Days.WORKING, from_minute=17 * 60, to_minute=19 * 60
    )
    agreed = terms(evening, until_s=epoch(datetime(2026, 11, 1, tzinfo=UTC)))
    friday, monday = datetime(2026, 10, 23, 16, tzinfo=UTC), datetime(2026, 10, 26, 17, tzinfo=UTC)
    assert agreed.next_window(epoch(friday), LONDON) == (0, epoch(friday), epoch(friday) + 7200)
    assert agreed.next_window(epoch(friday) + 1, LONDON) == (0, epoch(monday), epoch(monday) + 7200), "winter time"
    assert agreed.next_window(epoch(datetime(2026, 10, 30, 18, tzinfo=UTC)), LONDON) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"windows": ()},
        {"most_windows": 0},
        {"accept_by_s": 10**9},
        {"power_w": 0},
        {"whole_permille": 1001},
        {"most_micro_per_kwh": 1},
        {"dispute_s": 0},
    ],
)
def test_terms_that_contradict_themselves_are_refused(wrong: dict[str, Any]) -> None:
    windows = wrong.pop("windows", (HOUR,))
    with pytest.raises(InvalidValue):
        Terms(**({f: getattr(terms(), f) for f in Terms.__slots__} | wrong | {"windows": windows}))


@pytest.mark.row("E13")
def test_a_quorum_is_of_distinct_named_oracles() -> None:
    with pytest.raises(InvalidValue):
        Trigger(kind=TriggerKind.FREQUENCY_BELOW, oracles=(AccountId("a"), AccountId("a")), quorum=2)
    with pytest.raises(InvalidValue):
        Trigger(kind=TriggerKind.FREQUENCY_BELOW, oracles=(AccountId("a"),), quorum=2)
