"""A home obeys its bands, and without any it is what the other side is: greedy."""

from pathlib import Path

import pytest

from commonwatt.apps.scenes import Scene, scene
from commonwatt.model import SLOT_SECONDS, AssetKind, Band, epoch
from commonwatt.simulator.home import Home
from commonwatt.simulator.recorded import known_until
from commonwatt.simulator.unmanaged import live_unmanaged
from commonwatt.simulator.world import RecordedFeeds, RecordedPeople, homes

STREET = Path(__file__).parents[2] / "examples" / "street"


@pytest.fixture(scope="module")
def stage() -> Scene:
    return scene(STREET)


def live(home: Home, slots: int, bands: dict[str, Band] | None = None) -> list[tuple[int, int]]:
    """Return the home's own balance and its battery's level, slot by slot."""
    seen = []
    for n in range(slots):
        slot_s = home.around.start_s + n * SLOT_SECONDS
        flows = home.step(
            slot_s, {asset.id: bands[asset.id] for asset in home.assets.values() if bands and asset.id in bands}
        )
        inside = sum(f.import_wh - f.export_wh for a, f in flows.items() if not a.startswith("home"))
        connection = flows[home.assets[AssetKind.CONNECTION].id]
        assert connection.import_wh - connection.export_wh == home.around.load_wh[n] + inside
        seen.append((connection.import_wh - connection.export_wh, home.state.battery_wh))
    return seen


def test_a_greedy_battery_never_exports_what_it_stored_and_never_imports_to_store(stage: Scene) -> None:
    for home in homes(stage.street, stage.recorded):
        levels = [stage.street.battery.level_at_start_wh]
        for n, (net_wh, level_wh) in enumerate(live(home, 96)):
            own_wh = home.around.load_wh[n] - home.around.solar_wh[n]
            if level_wh < levels[-1]:
                assert net_wh >= 0
            if level_wh > levels[-1]:
                assert own_wh < 0
            levels.append(level_wh)
        assert min(levels) >= stage.street.battery.reserve_wh


def test_a_car_by_itself_is_full_as_wished_when_it_leaves(stage: Scene) -> None:
    for home in homes(stage.street, stage.recorded):
        levels = {}
        for n in range(96):
            slot_s = home.around.start_s + n * SLOT_SECONDS
            for asset, flow in home.step(slot_s, {}).items():
                if asset.startswith("car") and home.stay(slot_s):
                    levels[slot_s] = flow.level_wh
        for stay in home.around.stays:
            assert levels[stay.end_s - SLOT_SECONDS] == stay.target_wh


def test_a_band_is_held_and_a_balance_keeps_the_connection_where_it_was_told(stage: Scene) -> None:
    home = homes(stage.street, stage.recorded)[0]
    slot_s = home.around.start_s
    battery = home.assets[AssetKind.BATTERY].id
    flows = home.step(slot_s, {battery: Band(lo_w=2000, hi_w=2000)})
    assert flows[battery].import_wh == 500
    flows = home.step(slot_s + SLOT_SECONDS, {battery: Band(lo_w=-5000, hi_w=5000, balance_w=4000)})
    assert flows[home.assets[AssetKind.CONNECTION].id].import_wh == pytest.approx(1000, abs=1)


def test_the_other_sides_bills_are_its_meters_at_the_grids_prices(stage: Scene) -> None:
    other = live_unmanaged(stage.street, stage.recorded)
    assert other.cost_micro == sum(other.bills_micro.values()) > 0
    assert len(other.net_wh) == len(other.demand_wh) == 96
    assert sum(other.net_wh) > sum(other.demand_wh)  # cars come on top


def test_prices_are_told_when_they_were_published_and_never_twice(stage: Scene) -> None:
    feeds = RecordedFeeds(stage.street, stage.recorded)
    start_s = epoch(stage.street.span.start)
    told: dict[int, tuple[int, int]] = {}
    for slot_s in range(start_s - SLOT_SECONDS, start_s + 96 * SLOT_SECONDS, SLOT_SECONDS):
        first_s, prices = feeds.prices(slot_s)
        for n, price in enumerate(prices):
            assert first_s + n * SLOT_SECONDS not in told
            assert first_s + n * SLOT_SECONDS < known_until(slot_s)
            told[first_s + n * SLOT_SECONDS] = price
        assert slot_s in told
    four_s = start_s + 11 * 3600  # 16:00
    assert known_until(four_s - 1) == start_s // 86_400 * 86_400 + 86_400
    assert known_until(four_s) == start_s // 86_400 * 86_400 + 2 * 86_400


def test_people_speak_only_when_they_arrive(stage: Scene) -> None:
    people = RecordedPeople(stage.street, stage.recorded)
    for n, home in enumerate(homes(stage.street, stage.recorded), 1):
        for stay in home.around.stays:
            said = [line for asset, line in people.say(stay.start_s) if asset == f"car-{n:02d}"]
            assert len(said) == 1
            assert said[0].startswith(f"charge of car-{n:02d} >= 80% at ")
