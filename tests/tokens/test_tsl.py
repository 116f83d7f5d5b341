"""TSL stays as many as there were: rights to store, commissions and grants only move it."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from commonwatt.model import BURN, MAX_SAFE_INTEGER, SLOT_SECONDS, AccountId, InvalidValue
from commonwatt.tokens.tsl import (
    COMMISSION_POOL,
    EDUCATION_POT,
    MOST_HELD_WH,
    NETWORK,
    TOTAL_MICRO,
    Commission,
    HeldTime,
    Payment,
    commission,
    right_wh,
    tsl_needed_micro,
    welcome_grant_micro,
)

pytestmark = pytest.mark.row("E3")

ANA, BEN, CEM, DOT = (AccountId(name) for name in ("ana", "ben", "cem", "dot"))
PEOPLE = (ANA, BEN, CEM, DOT)
NOON = 1_700_000_100 // SLOT_SECONDS * SLOT_SECONDS
AMOUNTS = st.dictionaries(st.sampled_from(PEOPLE), st.integers(0, 10**9))


def paid(*lines: tuple[AccountId, AccountId, int]) -> tuple[Payment, ...]:
    return tuple(Payment(source=source, target=target, amount_micro=amount) for source, target, amount in lines)


def kwh_quarters(**kwh: int) -> dict[AccountId, int]:
    return {AccountId(name): amount * 1000 * SLOT_SECONDS for name, amount in kwh.items()}


def received(done: Commission, source: AccountId = COMMISSION_POOL) -> dict[AccountId, int]:
    return {payment.target: payment.amount_micro for payment in done.payments if payment.source == source}


def test_there_are_a_thousand_million_and_all_of_them_can_be_counted() -> None:
    assert TOTAL_MICRO == 10**15 < MAX_SAFE_INTEGER


def test_tsl_gives_the_right_to_store_rounded_down() -> None:
    assert right_wh(2_500_000, 1_000_000) == 2_500
    assert right_wh(999, 1_000_000) == 0
    assert right_wh(TOTAL_MICRO, 1) == MAX_SAFE_INTEGER
    assert tsl_needed_micro(1, 1_000_001) == 1_001


def test_only_none_means_that_no_tsl_is_asked_for() -> None:
    assert right_wh(0, None) == MAX_SAFE_INTEGER
    assert tsl_needed_micro(10**6, None) == 0
    for amount, parameter in ((1, 0), (1, -5), (-1, 5), (-1, None)):
        with pytest.raises(InvalidValue):
            right_wh(amount, parameter)
        with pytest.raises(InvalidValue):
            tsl_needed_micro(amount, parameter)


@given(st.integers(0, 10**12), st.integers(1, 10**9))
def test_what_is_needed_is_the_least_that_gives_the_right(wh: int, parameter: int) -> None:
    needed_micro = tsl_needed_micro(wh, parameter)
    assert right_wh(needed_micro, parameter) >= wh
    assert needed_micro == 0 or right_wh(needed_micro - 1, parameter) < wh


def test_a_balance_counts_for_as_long_as_it_was_held() -> None:
    held = HeldTime(NOON)
    held.changed(ANA, 1_000, NOON + 300)
    held.changed(ANA, 400, NOON + 300)
    held.changed(ANA, 0, NOON + 600)
    held.changed(BEN, 0, NOON + 600)
    assert held.items() == [(ANA, NOON + 600, 300_000), (BEN, NOON + 600, 0)]
    assert held.close(NOON, {CEM: 5, BEN: 10, ANA: 1, DOT: 0}) == {ANA: 300_300, BEN: 3_000, CEM: 4_500}
    assert (held.start_s, held.items()) == (NOON + 900, [])
    assert held.close(NOON + 900, {ANA: 2}) == {ANA: 1_800}


def test_a_change_outside_the_running_quarter_or_back_in_time_is_refused() -> None:
    held = HeldTime(NOON)
    held.changed(ANA, 7, NOON + 60)
    for account, balance_wh, at_s in (
        (ANA, 7, NOON + 59),
        (BEN, 7, NOON - 1),
        (BEN, 7, NOON + 900),
        (BEN, -1, NOON + 60),
        (BEN, MOST_HELD_WH + 1, NOON + 60),
    ):
        with pytest.raises(InvalidValue):
            held.changed(account, balance_wh, at_s)
    for slot_s, balances in ((NOON + 900, {}), (NOON - 900, {}), (NOON, {BEN: -1}), (NOON, {ANA: MOST_HELD_WH + 1})):
        with pytest.raises(InvalidValue):
            held.close(slot_s, balances)
    assert (held.start_s, held.items()) == (NOON, [(ANA, NOON + 60, 420)])


def test_held_time_is_rebuilt_only_from_what_could_have_been() -> None:
    for start_s, items in (
        (NOON + 1, []),
        (NOON, [(ANA, NOON - 1, 0)]),
        (NOON, [(ANA, NOON + 900, 0)]),
        (NOON, [(ANA, NOON + 1, -1)]),
        (NOON, [(ANA, NOON, 1)]),
        (NOON, [(ANA, NOON + 1, 1), (ANA, NOON + 2, 1)]),
    ):
        with pytest.raises(InvalidValue):
            HeldTime(start_s, items)


CHANGES = st.lists(st.tuples(st.integers(0, 2 * 900 - 1), st.sampled_from(PEOPLE), st.integers(0, 5_000)), max_size=30)


@given(CHANGES, st.integers(0, 30))
def test_held_time_is_the_sum_of_the_balance_at_every_second(
    changes: list[tuple[int, AccountId, int]], kill_after: int
) -> None:
    changes.sort(key=lambda change: change[0])
    balances, held = Counter[AccountId](), HeldTime(NOON)
    told: list[dict[AccountId, int]] = []
    for i, (second, account, wh) in enumerate(changes):
        if second >= 900 and not told:
            told.append(held.close(NOON, balances))
        held.changed(account, balances[account], NOON + second)
        balances[account] = wh
        if i == kill_after:
            held = HeldTime(held.start_s, reversed(held.items()))
    while len(told) < 2:
        told.append(held.close(NOON + 900 * len(told), balances))

    naive, have, quarters = iter(changes), Counter[AccountId](), [Counter[AccountId](), Counter[AccountId]()]
    change = next(naive, None)
    for second in range(2 * 900):
        while change and change[0] == second:
            have[change[1]] = change[2]
            change = next(naive, None)
        for account, wh in have.items():
            quarters[second // 900][account] += wh
    assert told == [{account: s for account, s in quarter.items() if s} for quarter in quarters]
    assert all(list(quarter) == sorted(quarter) for quarter in told)


def test_a_commission_goes_80_10_10_to_owners_by_their_metered_energy() -> None:
    done = commission(kwh_quarters(ben=6, ana=4), 100, {ANA: 10_000, BEN: 10_000}, {DOT: 3_000, CEM: 1_000, ANA: 0})
    assert done.payments == paid(
        (ANA, COMMISSION_POOL, 400),
        (BEN, COMMISSION_POOL, 600),
        (COMMISSION_POOL, CEM, 200),
        (COMMISSION_POOL, DOT, 600),
        (COMMISSION_POOL, EDUCATION_POT, 100),
        (COMMISSION_POOL, NETWORK, 100),
    )
    assert (done.paid_micro, done.carried_micro) == (1_000, 0)


def test_a_fee_is_rounded_once_halves_to_even_and_takes_no_more_than_there_is() -> None:
    half = 1000 * SLOT_SECONDS // 2
    done = commission({ANA: half, BEN: 3 * half, CEM: half + 1, DOT: 40 * half}, 1, dict.fromkeys(PEOPLE, 2), {ANA: 1})
    fees = {payment.source: payment.amount_micro for payment in done.payments if payment.target == COMMISSION_POOL}
    assert fees == {BEN: 2, CEM: 1, DOT: 2}
    assert commission({ANA: half * 2}, 1, {}, {ANA: 1}).payments == ()


def test_without_metered_storage_the_owners_part_waits_in_the_pool() -> None:
    first = commission(kwh_quarters(ana=10), 100, {ANA: 1_000}, {DOT: 0})
    assert first.payments == paid(
        (ANA, COMMISSION_POOL, 1_000), (COMMISSION_POOL, EDUCATION_POT, 100), (COMMISSION_POOL, NETWORK, 100)
    )
    assert (first.paid_micro, first.carried_micro) == (1_000, 800)
    then = commission({}, 100, {}, {CEM: 1, DOT: 3}, carried_micro=first.carried_micro)
    assert then.payments == paid((COMMISSION_POOL, CEM, 200), (COMMISSION_POOL, DOT, 600))
    assert then.carried_micro == 0


def test_a_commission_below_zero_or_on_an_account_of_the_system_is_refused() -> None:
    for held, rate, tsl, storage, carried in (
        ({ANA: -1}, 1, {}, {}, 0),
        ({ANA: 1}, -1, {}, {}, 0),
        ({ANA: 1}, 1, {ANA: -1}, {}, 0),
        ({ANA: 1}, 1, {}, {ANA: -1}, 0),
        ({ANA: 1}, 1, {}, {}, -1),
        ({BURN: 1}, 1, {}, {}, 0),
        ({NETWORK: 1}, 1, {}, {}, 0),
        ({ANA: 1}, 1, {}, {COMMISSION_POOL: 1}, 0),
    ):
        with pytest.raises(InvalidValue):
            commission(held, rate, tsl, storage, carried_micro=carried)


@given(AMOUNTS, st.integers(0, 10**7), AMOUNTS, AMOUNTS, st.integers(0, 10**6))
def test_the_split_is_exact_for_any_weights(
    held: dict[AccountId, int],
    rate: int,
    tsl: dict[AccountId, int],
    storage: dict[AccountId, int],
    carried_micro: int,
) -> None:
    done = commission(held, rate, tsl, storage, carried_micro=carried_micro)
    fees = {payment.source: payment.amount_micro for payment in done.payments if payment.target == COMMISSION_POOL}
    for account in PEOPLE:
        owed = Fraction(rate * held.get(account, 0), SLOT_SECONDS * 1000)
        assert fees.get(account, 0) == min(round(owed), tsl.get(account, 0))
    got = received(done)
    assert done.paid_micro == sum(fees.values())
    assert done.paid_micro + carried_micro == sum(got.values()) + done.carried_micro
    for pot in (EDUCATION_POT, NETWORK):
        assert abs(got.get(pot, 0) - Fraction(done.paid_micro, 10)) < 1
    owners_micro = done.paid_micro + carried_micro - got.get(EDUCATION_POT, 0) - got.get(NETWORK, 0)
    whole = sum(storage.values())
    assert done.carried_micro == (0 if whole else owners_micro)
    for account in PEOPLE if whole else ():
        assert abs(got.get(account, 0) - Fraction(owners_micro * storage.get(account, 0), whole)) < 1


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_a_commission_does_not_depend_on_the_order_in_which_accounts_are_named(
    held: dict[AccountId, int], tsl: dict[AccountId, int], storage: dict[AccountId, int]
) -> None:
    turned = [dict(reversed(list(each.items()))) for each in (held, tsl, storage)]
    assert commission(held, 10**4, tsl, storage) == commission(turned[0], 10**4, turned[1], turned[2])


def test_a_welcome_grant_is_paid_whole_or_not_at_all() -> None:
    assert [welcome_grant_micro(pot, 10) for pot in (0, 9, 10, 11)] == [0, 0, 10, 10]
    assert welcome_grant_micro(0, 0) == 0
    for pot, grant in ((-1, 0), (5, -1)):
        with pytest.raises(InvalidValue):
            welcome_grant_micro(pot, grant)


def test_a_payment_moves_something_between_two() -> None:
    for source, target, amount in ((ANA, BEN, 0), (ANA, BEN, -1), (ANA, ANA, 1)):
        with pytest.raises(InvalidValue):
            paid((source, target, amount))


class Circulation(RuleBasedStateMachine):
    """All TSL in four hands: commissions and grants in any order lose none, make none and indebt nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.tsl = Counter(dict.fromkeys(PEOPLE, TOTAL_MICRO // 4))

    @rule(held=AMOUNTS, rate=st.integers(0, 10**15), storage=AMOUNTS)
    def charge(self, held: dict[AccountId, int], rate: int, storage: dict[AccountId, int]) -> None:
        carried_micro = self.tsl[COMMISSION_POOL]
        done = commission(held, rate, self.tsl, storage, carried_micro=carried_micro)
        for payment in done.payments:
            self.tsl[payment.source] -= payment.amount_micro
            self.tsl[payment.target] += payment.amount_micro
            assert self.tsl[payment.source] >= 0
        assert self.tsl[COMMISSION_POOL] == done.carried_micro

    @rule(new=st.sampled_from(PEOPLE), grant_micro=st.integers(0, 10**13))
    def welcome(self, new: AccountId, grant_micro: int) -> None:
        given_micro = welcome_grant_micro(self.tsl[EDUCATION_POT], grant_micro)
        self.tsl[EDUCATION_POT] -= given_micro
        self.tsl[new] += given_micro

    @invariant()
    def the_sum_is_what_it_was(self) -> None:
        assert sum(self.tsl.values()) == TOTAL_MICRO
        assert min(self.tsl.values()) >= 0


def test_tsl_is_neither_made_nor_lost_by_any_sequence_of_commissions_and_grants() -> None:
    run_state_machine_as_test(Circulation, settings=settings(max_examples=60, stateful_step_count=20, deadline=None))
