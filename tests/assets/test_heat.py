"""Buildings, tanks and cold stores do what their envelopes say; a building is learnt from readings or not at all."""

from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assets.agreement import agrees
from commonwatt.assets import cold_store, heat, hot_water, levels, thermal
from commonwatt.assets.heat import Pump
from commonwatt.assets.hot_water import Tank
from commonwatt.assets.thermal import Body
from commonwatt.flexibility.checking.check import violations
from commonwatt.flexibility.exact.solve import solve
from commonwatt.flexibility.problem import Problem
from commonwatt.model import SLOT, AssetId, Interval, InvalidValue, Priority, Quantity, Refused, Relation
from flexibility.problems import honest_plan

HOUSE = Body(wh_per_k=6_000, loss_mw_per_k=150_000)
HEAT_PUMP = Pump(
    most_w=2_000, least_w=2_000, efficiency=((-15_000, 2_100), (2_000, 3_300), (12_000, 4_600)), least_run=2
)
COOLER = Pump(most_w=1_500, least_w=300, efficiency=((20_000, 4_500), (40_000, 2_500)), cools=True)
FREEZER = Pump(most_w=90, least_w=90, efficiency=((20_000, 1_800),), cools=True)
NAME = AssetId("thing")
START = datetime(2026, 7, 23, 12, tzinfo=UTC)
BODIES = st.builds(Body, wh_per_k=st.integers(50, 40_000), loss_mw_per_k=st.integers(500, 400_000)).filter(
    lambda body: body.hours > 2
)
SLOTS = 16
POWERS = st.lists(st.integers(0, 2_000), min_size=SLOTS, max_size=SLOTS)
OUTDOORS = st.lists(st.integers(-20_000, 40_000), min_size=SLOTS, max_size=SLOTS)
FREE = st.lists(st.integers(0, 800), min_size=SLOTS, max_size=SLOTS)


@given(BODIES, st.sampled_from([HEAT_PUMP, COOLER]), st.integers(15_000, 27_000), OUTDOORS, FREE, POWERS)
def test_a_building_steps_as_its_envelope_says(
    body: Body, pump: Pump, indoor: int, outdoor: list[int], free: list[int], powers: list[int]
) -> None:
    envelope = heat.envelope(NAME, "z", body, pump, indoor_mc=indoor, outdoor_mc=outdoor, free_wh=free)
    stepped = [0 if power < pump.least_w else power for power in powers]

    def step(level: int, slot: int, power: int) -> int:
        return heat.step(body, pump, level, power, outdoor_mc=outdoor[slot], free_wh=free[slot]).level_wh

    # A factor in thousandths and millionths errs by half a unit: 0.25 Wh of 500, and of the level as much.
    assert envelope.store is not None
    agrees(envelope, stepped, step, 1.5 + 40 * body.wh_per_k * 0.5e-6)


@given(BODIES, st.integers(-27_000, -16_000), FREE, POWERS)
def test_a_freezer_steps_as_its_envelope_says(goods: Body, inside: int, opened: list[int], powers: list[int]) -> None:
    rooms = [22_000] * SLOTS
    envelope = cold_store.envelope(
        NAME, "z", goods, FREEZER, inside_mc=inside, room_mc=rooms, opened_wh=opened, running=-3
    )
    assert envelope.running == -3
    stepped = [90 if power > 1_000 else 0 for power in powers]

    def step(level: int, slot: int, power: int) -> int:
        return cold_store.step(goods, FREEZER, level, power, room_mc=22_000, opened_wh=opened[slot]).level_wh

    agrees(envelope, stepped, step, 1.5 + 50 * goods.wh_per_k * 0.5e-6)
    with pytest.raises(InvalidValue, match="cools"):
        cold_store.envelope(NAME, "z", goods, HEAT_PUMP, inside_mc=0, room_mc=rooms, opened_wh=opened)


@example(80, 12_000, 0, [691] + [0] * 15, [0] * 16)  # more is drawn than is there and than can be heated
@given(st.integers(80, 500), st.integers(12_000, 70_000), st.sampled_from([0, 2_000]), FREE, POWERS)
def test_a_tank_steps_as_its_envelope_says(
    litres: int, water: int, least: int, drawn: list[int], powers: list[int]
) -> None:
    tank = Tank(litres=litres, loss_mw_per_k=2_000, most_w=2_000, least_w=least, gain_permille=1_000)
    envelope = hot_water.envelope(NAME, "z", tank, water_mc=water, drawn_wh=drawn)
    stepped = [0 if power < least else power for power in powers]

    def step(level: int, slot: int, power: int) -> int:
        return hot_water.step(tank, level, power, drawn_wh=drawn[slot]).level_wh

    agrees(envelope, stepped, step, empty_wh=0)


@given(BODIES, st.sampled_from([HEAT_PUMP, COOLER]), st.integers(-5_000, 45_000), OUTDOORS, FREE)
def test_level_bounds_can_always_be_kept(
    body: Body, pump: Pump, indoor: int, outdoor: list[int], free: list[int]
) -> None:
    envelope = heat.envelope(NAME, "z", body, pump, indoor_mc=indoor, outdoor_mc=outdoor, free_wh=free)
    store = envelope.store
    assert store is not None
    low = high = float(store.level_now_wh)
    for slot in range(SLOTS):
        low = max(levels.after(store, slot, low, 0), store.level_min_wh[slot])
        high = min(levels.after(store, slot, high, pump.most_w), store.level_max_wh[slot])
        assert low <= high


@settings(max_examples=40)
@given(
    st.integers(-2_000, 40_000), st.integers(-20_000, 40_000), st.integers(-4, 4), st.integers(1, 4), st.integers(1, 3),
    st.booleans(),
)  # fmt: skip
def test_a_machine_that_must_stay_on_or_off_for_a_while_is_never_left_without_a_plan(
    indoor: int, outdoor: int, running: int, run: int, rest: int, cools: bool
) -> None:
    pump = replace(HEAT_PUMP, least_run=run, least_rest=rest, cools=cools)
    envelope = heat.envelope(
        NAME, "z", HOUSE, pump, indoor_mc=indoor, outdoor_mc=[outdoor] * 10, free_wh=[0] * 10, running=running
    )
    asked = Problem(start=START, envelopes=(envelope,), import_price=(100_000,) * 10, export_price=(0,) * 10)
    assert violations(asked, solve(asked)) == []


def test_a_body_forgets_by_its_time_constant_and_settles_where_heat_meets_loss() -> None:
    assert HOUSE.hours == 40
    level = thermal.stored_wh(heat.warmth(HOUSE, HEAT_PUMP, 20_000), 20_000)
    assert level == 0
    for _ in range(4_000):
        level = heat.step(HOUSE, HEAT_PUMP, level, 2_000, outdoor_mc=2_000).level_wh
    # 2 kW at 3.3 are 6.6 kW, over 150 W/K: 44 degrees above 2.
    assert abs(thermal.temperature_mc(heat.warmth(HOUSE, HEAT_PUMP, 20_000), level) - 46_000) < 30


def test_efficiency_follows_the_data_sheet_and_stays_level_beyond_it() -> None:
    assert [HEAT_PUMP.permille(t) for t in (-30_000, -15_000, 7_000, 50_000)] == [2_100, 2_100, 3_950, 4_600]
    for wrong in ((), ((0, 3_000), (0, 3_100)), ((0, 0),)):
        with pytest.raises(InvalidValue, match="efficiency"):
            Pump(most_w=1, efficiency=wrong)
    with pytest.raises(InvalidValue, match="least power"):
        Pump(most_w=1, least_w=2, efficiency=((0, 1_000),))


def test_comfort_is_a_wish_with_two_sides() -> None:
    window = Interval(START, START + 4 * SLOT)
    warm, cool = heat.comfort(NAME, [(window, 20_000, 24_000)], "member-01")
    assert (warm.relation, warm.value, cool.relation, cool.value) == (
        Relation.AT_LEAST, 20_000, Relation.AT_MOST, 24_000,
    )  # fmt: skip
    assert warm.quantity is cool.quantity is Quantity.TEMPERATURE
    assert warm.priority is cool.priority is Priority.COMFORT


@pytest.mark.row("H7")
def test_a_house_that_is_cooled_before_the_peak_stays_pleasant_through_it_with_the_cooler_off() -> None:
    outdoor, free = [33_000] * 12, [150] * 12
    envelope = heat.envelope(
        NAME, "z", HOUSE, COOLER, indoor_mc=24_500, outdoor_mc=outdoor, free_wh=free, zero_mc=26_000
    )
    pleasant = heat.comfort(NAME, [(Interval(START, START + 12 * SLOT), 22_000, 25_000)])
    asked = Problem(
        start=START, envelopes=(envelope,), import_price=(100_000,) * 8 + (600_000,) * 4, export_price=(0,) * 12,
        constraints=pleasant,
    )  # fmt: skip
    ahead = honest_plan(asked, {NAME: (800,) * 8 + (0,) * 4})
    assert violations(asked, ahead) == []
    late = honest_plan(asked, {NAME: (300,) * 8 + (0,) * 4})
    assert {v.rule for v in violations(asked, late)} == {"keeps a statement or owns up to it"}
    found = solve(asked)
    assert violations(asked, found) == []
    assert found.unmet == ()
    assert sum(found.power_w[NAME][8:]) < sum(found.power_w[NAME][:8]) / 10
    assert found.cost_micro <= ahead.cost_micro


def test_a_tank_runs_cold_rather_than_below_what_comes_in_and_takes_no_more_than_its_most() -> None:
    tank = Tank(litres=200, loss_mw_per_k=2_000, most_w=2_000)
    assert hot_water.step(tank, 300, 0, drawn_wh=5_000).level_wh == 0
    full = thermal.stored_wh(tank.warmth, tank.most_mc)
    done = hot_water.step(tank, full, 2_000)
    assert done.import_wh < 40
    assert abs(done.level_wh - full) <= 1
    hold = hot_water.legionella(NAME, Interval(START, START + 2 * SLOT))
    assert (hold.value, hold.priority, hold.relation) == (60_000, Priority.SAFETY, Relation.AT_LEAST)


def history(
    body: Body, *, free_w: int, days: int, noise_mc: int, seed: int, idle: bool = False
) -> tuple[list[int], ...]:
    """Return indoor and outdoor readings and heat of a thermostat's days."""
    random = Random(seed)
    outdoor = [round(4_000 + 5_000 * ((slot % 96) / 96 - 0.5) + random.gauss(0, 1_500)) for slot in range(96 * days)]
    inside, indoor, heats, on = 20_000.0, [20_000], [], False
    for slot, outside in enumerate(outdoor):
        wish = 21_000 if 24 <= slot % 96 < 88 else 18_000
        on = not idle and (inside < wish - 300 or (on and inside < wish + 300))
        heats.append(6_600 if on else 0)
        steady = outside + (heats[-1] + free_w) * 1e6 / body.loss_mw_per_k
        inside = steady + (inside - steady) * body.kept()
        indoor.append(round(inside + random.gauss(0, noise_mc)))
    return indoor, outdoor, heats


@pytest.mark.row("H9")
@pytest.mark.parametrize("seed", range(8))
def test_a_building_is_found_again_in_noisy_readings(seed: int) -> None:
    random = Random(seed)
    capacity, loss, free_w = random.randint(3_000, 20_000), random.randint(90_000, 300_000), random.randint(0, 500)
    body = Body(wh_per_k=capacity, loss_mw_per_k=loss)
    found = heat.fit(*history(body, free_w=free_w, days=10, noise_mc=60, seed=seed))
    assert abs(found.body.loss_mw_per_k / loss - 1) < 0.15
    assert abs(found.body.wh_per_k / capacity - 1) < 0.15
    assert abs(found.free_w - free_w) < 300
    assert found.error_mc < 250
    assert found.doubt_permille <= 200


def test_a_building_is_not_told_from_days_in_which_nothing_happened() -> None:
    with pytest.raises(Refused, match="too few readings"):
        heat.fit([20_000] * 51, [5_000] * 50, [0] * 50)
    with pytest.raises(Refused, match="too little happened"):
        heat.fit([20_000] * 401, [5_000] * 400, [3_000] * 400)
    with pytest.raises(Refused, match="too little happened"):  # nobody heated, so no watt tells of the house
        heat.fit(*history(HOUSE, free_w=200, days=6, noise_mc=50, seed=1, idle=True))
    random = Random(3)
    noise = [20_000 + random.randint(-600, 600) for _ in range(501)]
    with pytest.raises(Refused, match="too little happened"):
        heat.fit(noise, [5_000] * 500, [random.choice([0, 3_000]) for _ in range(500)])
    with pytest.raises(InvalidValue, match="one indoor reading more"):
        heat.fit([20_000] * 400, [5_000] * 400, [0] * 400)
