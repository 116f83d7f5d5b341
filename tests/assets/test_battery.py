"""A battery obeys its limits and makes no energy."""

from hypothesis import given
from hypothesis import strategies as st

from assets.agreement import agrees
from commonwatt.assets import battery, vehicle
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId

BATTERY = Asset(
    id=AssetId("battery-01"), owner=AccountId("member-01"), gateway=GatewayId("HEPEK-0001"), kind=AssetKind.BATTERY,
    zone="street", max_import_w=5000, max_export_w=4000, capacity_wh=6400, charge_permille=949, discharge_permille=949,
)  # fmt: skip
LEVELS = st.integers(0, 6400)
POWERS = st.integers(-9000, 9000)


@given(LEVELS, POWERS, st.integers(1, 3600), st.integers(0, 6400))
def test_a_step_stays_within_power_fullness_and_floor(level: int, power: int, seconds: int, floor: int) -> None:
    done = battery.step(BATTERY, level, power, seconds, floor)
    assert 0 <= done.import_wh <= 5000 * seconds // 3600
    assert 0 <= done.export_wh <= 4000 * seconds // 3600
    assert min(level, floor) <= done.level_wh <= 6400
    assert not (done.import_wh and done.export_wh)


@given(LEVELS, st.lists(POWERS, max_size=30))
def test_what_comes_out_is_at_most_what_was_there_and_what_went_in(level: int, powers: list[int]) -> None:
    taken = given_back = 0
    now = level
    for power in powers:
        done = battery.step(BATTERY, now, power, 900)
        taken, given_back, now = taken + done.import_wh, given_back + done.export_wh, done.level_wh
    assert given_back * 1000 <= (level - now) * 949 + taken * 949 * 949 / 1000


def test_a_battery_below_its_floor_may_charge_but_not_discharge() -> None:
    assert battery.step(BATTERY, 100, -4000, 900, 320).export_wh == 0
    assert battery.step(BATTERY, 100, 4000, 900, 320).import_wh == 1000


def test_a_car_can_do_nothing_from_its_departure_on_and_takes_no_surplus_along() -> None:
    envelope = vehicle.envelope(BATTERY, 3000, 6, 40_000, leaves_after=4, wanted_wh=5000)
    assert envelope.hi_w == (5000,) * 4 + (0, 0)
    assert envelope.lo_w == (-4000,) * 4 + (0, 0)
    assert envelope.store is not None
    assert envelope.store.level_max_wh == (6400,) * 3 + (5000,) * 3
    assert vehicle.envelope(BATTERY, 3000, 6, 0, leaves_after=4, wanted_wh=0, discharge=False).lo_w == (0,) * 6


@given(LEVELS, st.integers(0, 8), LEVELS, st.booleans())
def test_a_plugged_cars_envelope_can_always_be_obeyed(level: int, leaves: int, wanted: int, discharge: bool) -> None:
    envelope = vehicle.envelope(BATTERY, level, 6, 0, leaves_after=leaves, wanted_wh=wanted, discharge=discharge)
    assert envelope.store is not None
    now = level
    for slot in range(6):
        now = battery.step(BATTERY, now, envelope.lo_w[slot], 900, envelope.store.level_min_wh[slot]).level_wh
        assert now <= envelope.store.level_max_wh[slot] + 3  # a step rounds by a watt-hour, and the bound by another


@given(LEVELS, st.lists(st.integers(-4000, 5000), min_size=12, max_size=12), st.integers(990_000, 1_000_000))
def test_steps_do_what_the_envelope_says_with_standby_and_wear(level: int, powers: list[int], keep: int) -> None:
    envelope = battery.envelope(BATTERY, level, 12, 20_000, 320, deep_wear=((300, 10_000),), keep_ppm=keep)
    assert envelope.store is not None
    assert envelope.store.deep_wear == ((300, 10_000),)
    floors = envelope.store.level_min_wh
    agrees(envelope, powers, lambda at, slot, power: battery.step(BATTERY, at, power, 900, floors[slot], keep_ppm=keep).level_wh, 4)  # fmt: skip  # noqa: E501


def test_what_stands_by_seeps_away_and_no_bound_denies_it() -> None:
    envelope = battery.envelope(BATTERY, 320, 4, 0, 320, keep_ppm=990_000)
    assert envelope.store is not None
    assert envelope.store.level_min_wh == (316, 313, 310, 307)
    assert battery.step(BATTERY, 1000, 0, 900, keep_ppm=990_000).level_wh == 990
    assert battery.step(BATTERY, 1000, 0, 450, keep_ppm=990_000).level_wh == 995
    assert battery.step(BATTERY, 6400, 0, 900).level_wh == 6400
