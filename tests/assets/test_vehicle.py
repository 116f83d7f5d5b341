"""A car may leave early, come late, and charges on the phases that it has."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.agreement import agrees
from commonwatt.assets import battery, vehicle
from commonwatt.assets.vehicle import Likely
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId, InvalidValue, Priority

CAR = Asset(
    id=AssetId("car-01"), owner=AccountId("member-01"), gateway=GatewayId("HEPEK-0001"), kind=AssetKind.VEHICLE,
    zone="street", max_import_w=22_080, max_export_w=7_360, min_import_w=1_380, capacity_wh=60_000,
    charge_permille=940, discharge_permille=940,
)  # fmt: skip
MIDNIGHT = datetime(2026, 4, 23, tzinfo=UTC)
BOTH = frozenset({1, 3})


def at(hour: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hour)


LEAVES = Likely(((50, at(6.5)), (500, at(7.5)), (950, at(9))))


def test_a_level_is_needed_at_the_stated_hour_and_wished_for_by_an_early_one() -> None:
    need, wish = vehicle.needs(CAR, 48_000, at(7.5), LEAVES)
    assert (need.at, need.priority, need.value) == (at(7.5), Priority.OWNER, 48_000)
    assert (wish.at, wish.priority, wish.value) == (at(6.5), Priority.COMFORT, 48_000)
    assert vehicle.needs(CAR, 48_000, at(7.5), LEAVES, early_permille=275)[1].at == at(7)
    assert vehicle.needs(CAR, 48_000, at(6), LEAVES) == (replace(need, at=at(6)),)
    assert vehicle.needs(CAR, 48_000, at(7.5)) == (need,)


def test_chances_between_those_known_lie_between_and_tails_end_where_knowledge_does() -> None:
    assert LEAVES.by(275) == at(7)
    assert LEAVES.by(1) == at(6.5)
    assert LEAVES.by(999) == at(9)
    with pytest.raises(InvalidValue, match="rise"):
        Likely(((500, at(8)), (50, at(7))))
    with pytest.raises(InvalidValue, match="rise"):
        Likely(((50, at(8)), (500, at(7))))


@given(st.lists(st.integers(0, 1439), min_size=1, max_size=60), st.integers(0, 1000), st.integers(0, 1000))
def test_habits_come_from_past_days(minutes: list[int], one: int, other: int) -> None:
    likely = vehicle.from_past([timedelta(minutes=m) for m in minutes], MIDNIGHT)
    assert likely.by(min(one, other)) <= likely.by(max(one, other))
    assert min(minutes) <= (likely.by(one) - MIDNIGHT) / timedelta(minutes=1) <= max(minutes)


def test_half_of_all_days_are_earlier_than_the_median() -> None:
    likely = vehicle.from_past([timedelta(hours=h) for h in (9, 7, 8)], MIDNIGHT)
    assert likely.by(500) == at(8)


def test_what_is_not_there_yet_is_planned_with_its_likely_stay() -> None:
    comes = Likely(((100, at(0.5)), (900, at(1.1))))
    assert vehicle.stay(MIDNIGHT, comes, LEAVES, 900) == (5, 26)  # comes by 01:06, leaves at 06:37 at the earliest
    envelope = vehicle.envelope(CAR, 20_000, 8, 0, leaves_after=6, wanted_wh=30_000, arrives_after=2)
    assert envelope.hi_w == (0, 0, 22_080, 22_080, 22_080, 22_080, 0, 0)
    assert envelope.lo_w == (0, 0, -7_360, -7_360, -7_360, -7_360, 0, 0)
    assert vehicle.envelope(CAR, 20_000, 4, 0, leaves_after=9, wanted_wh=0, arrives_after=6).hi_w == (0,) * 4


@given(
    st.integers(0, 60_000), st.lists(st.integers(-7_360, 22_080), min_size=10, max_size=10), st.integers(0, 12),
    st.integers(0, 12), st.integers(0, 60_000), st.booleans(),
)  # fmt: skip
def test_steps_do_what_the_envelope_says(
    level: int, powers: list[int], comes: int, leaves: int, wanted: int, discharge: bool
) -> None:
    envelope = vehicle.envelope(
        CAR, level, 10, 0, leaves_after=leaves, wanted_wh=wanted, discharge=discharge, arrives_after=comes
    )
    assert envelope.store is not None
    floors = envelope.store.level_min_wh
    agrees(envelope, powers, lambda now, slot, power: battery.step(CAR, now, power, 900, floors[slot]).level_wh, 4)


@pytest.mark.parametrize(
    ("phases", "most_a", "least_w", "most_w"),
    [({1}, 32, 1_380, 7_360), ({3}, 16, 4_140, 11_040), ({1, 3}, 32, 1_380, 22_080), ({3}, 6, 4_140, 4_140)],
)
def test_phases_and_amperes_bound_the_power(phases: set[int], most_a: int, least_w: int, most_w: int) -> None:
    charged = vehicle.charging(CAR, frozenset(phases), most_a)
    assert (charged.min_import_w, charged.max_import_w) == (least_w, most_w)


def test_the_registered_limit_holds_whatever_the_phases() -> None:
    small = replace(CAR, max_import_w=3_680)
    assert vehicle.charging(small, BOTH).max_import_w == 3_680
    assert vehicle.charging(small, frozenset({3})).min_import_w == 3_680
    for phases, most_a in ((frozenset({2}), 16), (frozenset(), 16), (BOTH, 5)):
        with pytest.raises(InvalidValue, match="1 or 3 phases"):
            vehicle.charging(CAR, phases, most_a)


@given(st.integers(0, 30_000), st.sampled_from([{1}, {3}, {1, 3}]), st.integers(6, 32))
def test_a_signalled_current_is_never_above_the_power_and_near_below_it(
    power: int, phases: set[int], most: int
) -> None:
    count, amperes = vehicle.current(power, frozenset(phases), most)
    assert count * amperes * 230 <= power
    if not count:
        assert power < min(phases) * 6 * 230
        return
    assert count in phases
    assert 6 <= amperes <= most
    steps = [p * a * 230 for p in phases for a in range(6, most + 1)]
    assert count * amperes * 230 == max(step for step in steps if step <= power)


def test_a_gap_between_one_phase_and_three_is_filled_from_below() -> None:
    assert vehicle.current(4_000, BOTH, 16) == (1, 16)
    assert vehicle.current(4_140, BOTH, 16) == (3, 6)
    assert vehicle.current(4_140, BOTH, 32) == (1, 18)
