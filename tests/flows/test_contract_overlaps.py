"""One kWh is paid once: what contracts measure is not told twice, not guessed, and not compared with other calls."""

import pytest
from community import EXPORT, NOON
from test_rulebook_contracting import ASSET, DAY_S, HOUR_S, PEAK, SURPLUS, Contracting, paid

from commonwatt.flows.rulebook.market.contracts import contract_bodies
from commonwatt.market.contracts import BaselineRule, Basis, Days, Direction
from commonwatt.metering.batch import Flag, Quality
from commonwatt.model import AssetId, Kind, Outcome

pytestmark = pytest.mark.row("W5")
HOME = "anna-home"


def give_back(day: int = 0, direction: Direction = Direction.GIVE_BACK) -> contract_bodies.WindowItem:
    """Return an hour in the afternoon of a day."""
    start_s = NOON + day * DAY_S + 3 * HOUR_S
    price = 400_000 if direction is Direction.GIVE_BACK else 0
    return contract_bodies.WindowItem(
        direction=direction, price_micro_per_kwh=price, start_s=start_s, end_s=start_s + HOUR_S
    )


def daily(from_minute: int, days: Days = Days.ALL) -> contract_bodies.WindowItem:
    return contract_bodies.WindowItem(
        direction=Direction.GIVE_BACK,
        price_micro_per_kwh=400_000,
        days=days,
        from_minute=from_minute,
        to_minute=from_minute + 60,
    )


def promised(lane: Contracting, asset: str, *windows: contract_bodies.WindowItem) -> Outcome:
    """Guarantee an asset, and accept a new offer with it."""
    charge = any(window.direction is Direction.CHARGE for window in windows)
    back = any(window.direction is Direction.GIVE_BACK for window in windows)
    assert lane.agree("anna", asset) is Outcome.BOOKED
    assert lane.guarantee(asset) is Outcome.BOOKED
    offer = lane.offer(*windows, budget_micro=3_000_000)
    return lane.accept(offer, asset, charge_w=2_000 * charge, give_back_w=2_000 * back)


def test_a_connection_is_counted_on_by_nobody_while_anything_behind_it_is() -> None:
    lane = Contracting()
    assert promised(lane, ASSET, PEAK) is Outcome.BOOKED
    assert promised(lane, HOME, PEAK) is Outcome.ALREADY_THERE
    assert promised(lane, HOME, SURPLUS) is Outcome.ALREADY_THERE, "what it does at other hours is in its baseline"


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        (PEAK, PEAK, Outcome.ALREADY_THERE),
        (PEAK, SURPLUS, Outcome.BOOKED),
        (PEAK, daily(16 * 60), Outcome.ALREADY_THERE),  # 15:00 UTC is 16:00 on the clocks of London in June
        (daily(16 * 60), PEAK, Outcome.ALREADY_THERE),
        (daily(15 * 60), PEAK, Outcome.BOOKED),
        (daily(17 * 60), daily(17 * 60 + 45), Outcome.ALREADY_THERE),
        (daily(17 * 60), daily(18 * 60), Outcome.BOOKED),
        (daily(17 * 60, Days.WEEKEND), daily(17 * 60, Days.WORKING), Outcome.BOOKED),
        (daily(17 * 60, Days.WEEKEND), daily(17 * 60), Outcome.ALREADY_THERE),
    ],
)
def test_what_is_behind_a_connection_that_is_counted_on_is_so_at_other_hours_only(
    before: contract_bodies.WindowItem, after: contract_bodies.WindowItem, outcome: Outcome
) -> None:
    lane = Contracting()
    assert promised(lane, HOME, before) is Outcome.BOOKED
    assert promised(lane, ASSET, after) is outcome


def test_what_a_gateway_estimated_earns_nothing_until_it_is_measured() -> None:
    lane = Contracting()
    offer = lane.offer(PEAK)
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer, charge_w=0) is Outcome.BOOKED
    lane.plan(PEAK.start_s, -2_000)
    lane.pass_to(PEAK.end_s)
    lane.meter(PEAK.start_s, *[(0, 500)] * 4, quality=Quality.ESTIMATED)
    lane.pass_to(PEAK.end_s + HOUR_S)
    ((call,),) = (one.calls for one in lane.state.contracted.book.contracts.values())
    assert (call.actual_wh, call.delivered_wh) == ([None] * 4, 0)
    lane.meter(PEAK.start_s, (0, 400), flags=Flag.CORRECTS)
    assert call.actual_wh == [-400, None, None, None]
    lane.pass_to(PEAK.end_s + 2 * HOUR_S + 900)
    lane.pass_to(PEAK.end_s + 4 * HOUR_S)
    assert paid(lane) == {"payment": 400 * (400_000 - EXPORT) // 1_000, "penalty": 160_000}
    lane.sure()


def test_estimates_are_no_part_of_a_baseline() -> None:
    lane = Contracting(grace_slots=1)
    lane.tell_more(15)
    window = give_back(14)
    offer = lane.offer(window, basis=Basis.ON_TOP, baseline=BaselineRule.TEN_LIKE_DAYS, adjust_permille=0)
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer, charge_w=0) is Outcome.BOOKED
    for day in range(14):
        lane.pass_to(NOON + day * DAY_S + 4 * HOUR_S)
        quality = Quality.ESTIMATED if day < 8 else Quality.MEASURED
        lane.meter(NOON + day * DAY_S, *[(300, 0)] * 16, quality=quality)
    lane.pass_to(window.end_s)
    lane.meter(window.start_s, *[(0, 0)] * 4)
    lane.pass_to(window.end_s + HOUR_S)
    ((call,),) = (one.calls for one in lane.state.contracted.book.contracts.values())
    assert call.against_wh == [None] * 4, "four working days were measured, and ten guessed"


@pytest.mark.parametrize("later", [ASSET, HOME])
def test_days_called_under_a_contract_that_ended_are_no_like_days_for_the_next(later: str) -> None:
    lane = Contracting(grace_slots=1, correction_slots=96 * 20)
    lane.tell_more(16)
    first = lane.offer(
        *[give_back(day, Direction.CHARGE) for day in range(14)],
        basis=Basis.ON_TOP,
        penalty_micro_per_kwh=0,
        budget_micro=16_000_000,
        until_s=give_back(13).end_s,
    )
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(first, give_back_w=0) is Outcome.BOOKED
    for day in range(14):
        window = give_back(day)
        lane.pass_to(window.start_s)
        lane.pass_to(window.end_s)
        lane.meter(window.start_s, *[(500, 0)] * 4)
    lane.pass_to(give_back(13).end_s + 4 * HOUR_S)
    lane.pass_to(give_back(13).end_s + 8 * HOUR_S)
    (ended,) = lane.state.contracted.book.contracts.values()
    assert ended.ended_s is not None
    assert lane.agree("anna", later) is Outcome.BOOKED
    assert lane.guarantee(later) is Outcome.BOOKED
    offer = lane.offer(
        give_back(14),
        basis=Basis.ON_TOP,
        baseline=BaselineRule.TEN_LIKE_DAYS,
        accept_by_s=NOON + 14 * DAY_S,
        adjust_permille=0,
        budget_micro=2_000_000,
        until_s=NOON + 20 * DAY_S,
    )
    assert lane.accept(offer, later, charge_w=0) is Outcome.BOOKED
    days = lane.state.contracted.days[AssetId(later)].dump()
    assert sum(called for _, called, _ in days) == 14
    if later == ASSET:
        lane.pass_to(give_back(14).end_s)
        lane.meter(give_back(14).start_s, *[(0, 0)] * 4)
        lane.pass_to(give_back(14).end_s + HOUR_S)
        (call,) = [*lane.state.contracted.book.contracts.values()][-1].calls
        assert call.against_wh == [None] * 4, "every like day was a day with a call"
    lane.sure()


def test_what_was_called_is_forgotten_once_nothing_can_be_told_of_it_any_more() -> None:
    lane = Contracting(correction_slots=4)
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(lane.offer(PEAK, dispute_s=60), charge_w=0) is Outcome.BOOKED
    for hours in range(1, 48):
        lane.pass_to(NOON + hours * HOUR_S)
    assert not lane.state.contracted.days
    lane.sure()


@pytest.mark.parametrize(("role", "outcome"), [("utility", Outcome.BOOKED), ("car", Outcome.NOT_ALLOWED)])
def test_an_arbiter_is_somebody_whose_word_the_log_takes(role: str, outcome: Outcome) -> None:
    lane = Contracting()
    assert lane.register_key("arbiter", role, "arbiter") is Outcome.BOOKED
    terms = contract_bodies.MakeOffer(
        windows=(PEAK,),
        most_windows=1,
        until_s=NOON + DAY_S,
        accept_by_s=NOON + HOUR_S,
        power_w=1_000,
        budget_micro=1_000_000,
        basis=Basis.INSTEAD,
        most_micro_per_kwh=400_000,
        arbiter="arbiter",
    )
    assert lane.ask("utility", Kind.CONTRACT, terms) is outcome
