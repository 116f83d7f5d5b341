"""Faults are put by physics into recorded roofs and made-up stores; healthy ones tell how often alarms are false."""

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from commonwatt.forecasting import health, health_roofs
from commonwatt.forecasting.health import Ailment, ailing_meters, over_limits, store_health
from commonwatt.forecasting.health_roofs import ailing_roofs

Floats = NDArray[np.float64]
RECORDED = Path(__file__).parents[2] / "examples" / "street" / "data" / "homes_2016_hourly_wh.csv"
DAY = 96


@cache
def _recorded() -> tuple[Floats, Floats]:
    """Return load and solar of the recorded homes: (homes, days, 24) Wh."""
    with RECORDED.open() as file:
        rows = list(csv.DictReader(file))
    found = [
        np.array([[float(row[f"{what}_{home:02d}_wh"]) for row in rows] for home in range(1, 11)])
        for what in ("load", "solar")
    ]
    return found[0].reshape(10, -1, 24), found[1].reshape(10, -1, 24)


def _roofs() -> Floats:
    """Roofs that differ as real ones do: each day's yield of each is off by some per cent by itself."""
    roofs = _recorded()[1].copy()
    scatter = np.random.default_rng(7).normal(1, 0.02, roofs.shape[:2])
    return roofs * scatter[:, :, None]


@pytest.mark.row("W11")
def test_healthy_roofs_alarm_more_seldom_than_is_said() -> None:
    roofs = _roofs()
    days = range(health_roofs.REFERENCE_DAYS + health_roofs.WINDOW_DAYS, roofs.shape[1] + 1)
    alarms = sum(len(ailing_roofs(roofs[:, :day])) for day in days)
    allowed = health.FALSE_ALARMS_PERMILLE[Ailment.SOILING] / 1000
    assert alarms <= allowed * len(days) * len(roofs), f"{alarms} false alarms in {len(days) * len(roofs)} roof-days"


def _found_after(roofs: Floats, begins: int) -> tuple[int, health.Finding]:
    for day in range(begins + 1, roofs.shape[1] + 1):
        for one in ailing_roofs(roofs[:, :day]):
            if one.at == 4:
                return day - begins, one
    raise AssertionError("it was never found")


@pytest.mark.row("W11")
def test_a_lost_string_is_found_within_a_week_and_told_by_what_it_lost() -> None:
    roofs, begins = _roofs(), 22
    whole = roofs[4].copy()
    roofs[4, begins:] *= 2 / 3
    delay, found = _found_after(roofs, begins)
    assert delay <= 7 and found.ailment is Ailment.STRING_LOSS
    assert abs(found.since - begins) <= 1, "it says since when"
    lost = (whole - roofs[4])[begins : begins + delay].sum()
    assert found.lost_wh == pytest.approx(lost, rel=0.3)


def _broken(roofs: Floats, how: str) -> Floats:
    """Return the roofs with the first one silent, silent of late, dead, or new; some have a day with a hole."""
    told = roofs.copy()
    told[0, :, :] = {"silent": np.nan, "dead": 0.0}.get(how, told[0])
    told[0, 20:] = np.nan if how == "silent of late" else told[0, 20:]
    told[0, :25] = np.nan if how == "new" else told[0, :25]
    told[2, 9, 12] = told[7, 28, 11] = np.nan
    return told


@pytest.mark.row("W11")
@pytest.mark.parametrize("how", ["silent", "silent of late", "dead", "new", "whole"])
def test_one_roof_that_tells_nothing_hides_no_other_s_fault_and_makes_none_up(how: str) -> None:
    roofs, begins = _broken(_roofs(), how), 22
    for day in range(health_roofs.LEAST_DAYS_ROOF, roofs.shape[1] + 1, 5):
        assert ailing_roofs(roofs[:, :day]) == []
    whole = roofs[4].copy()
    roofs[4, begins:] *= 2 / 3
    delay, found = _found_after(roofs, begins)
    assert delay <= 7 and abs(found.since - begins) <= 1 and found.ailment is Ailment.STRING_LOSS
    assert found.lost_wh == pytest.approx((whole - roofs[4])[begins : begins + delay].sum(), rel=0.3)


@pytest.mark.row("W11")
def test_a_roof_that_dies_alarms_while_its_neighbours_are_left_alone() -> None:
    roofs = _roofs()
    roofs[4, 22:] = 0
    (found,) = ailing_roofs(roofs[:, :32])
    assert (found.at, found.off_permille) == (4, 1000)


@pytest.mark.row("W11")
def test_dirt_that_grows_is_told_from_a_shadow_that_falls_in_the_afternoon() -> None:
    dirty, shaded, begins = _roofs(), _roofs(), 18
    ramp = 1 - 0.015 * np.arange(dirty.shape[1] - begins)
    dirty[4, begins:] *= ramp[:, None]
    shaded[4, begins:, 11:] *= 0.4
    delay, dirt = _found_after(dirty, begins)
    assert dirt.ailment is Ailment.SOILING and delay <= 21
    delay, shade = _found_after(shaded, begins)
    assert shade.ailment is Ailment.SHADING and delay <= 8


def _store(seed: int, fade: float = 1.0, one_way: float = 0.949, days: int = 14) -> health.StoreHealth | None:
    return store_health(*np.rint(_stored(seed, fade, one_way, days)), 949, 949)


def _stored(seed: int, fade: float, one_way: float, days: int) -> Floats:
    """Run a battery of 6.4 kWh through days of charging and giving back; its level is told in whole per cent."""
    draw = np.random.default_rng(seed)
    capacity = 6_400 * fade
    level, told = 0.1 * capacity, np.zeros((3, days, DAY))
    for day in range(days):
        for slot in range(DAY):
            want = draw.normal(500, 200) if 36 <= slot < 60 else -draw.normal(300, 150) if slot >= 64 else 0.0
            inside = min(max(want * one_way if want > 0 else want / one_way, 0.05 * capacity - level), capacity - level)
            level += inside
            drawn = inside / one_way if inside > 0 else inside * one_way
            told[:, day, slot] = max(0, drawn), max(0, -drawn), round(level / capacity * 100) * 64
    return told


@pytest.mark.row("W11")
def test_a_battery_that_was_replaced_is_left_alone_within_a_fortnight() -> None:
    old, new = (np.rint(_stored(seed, fade, 0.949, 42)) for seed, fade in ((1, 0.8), (2, 1.0)))
    told = store_health(*np.concatenate([old, new[:, :1]], 1), 949, 949)
    assert told is not None and [(one.ailment, one.since) for one in told.findings] == [(Ailment.CAPACITY, 29)]
    healthy = store_health(*np.concatenate([old, new[:, :14]], 1), 949, 949)
    assert healthy is not None and healthy.findings == [] and healthy.days == 14


@pytest.mark.row("W11")
def test_a_store_that_faded_is_told_from_one_that_loses_more_and_healthy_ones_are_left_alone() -> None:
    healthy = [_store(seed) for seed in range(40)]
    assert all(one is not None and not one.findings for one in healthy), "no false alarm in 40 fortnights"
    faded, lossy = _store(1, fade=0.8), _store(1, one_way=0.9)
    assert faded is not None and [one.ailment for one in faded.findings] == [Ailment.CAPACITY]
    assert abs(faded.capacity_permille - 800) < 25
    assert lossy is not None and [one.ailment for one in lossy.findings] == [Ailment.EFFICIENCY]
    assert abs(lossy.return_permille - 1000 * (0.9 / 0.949) ** 2) < 20
    assert lossy.findings[0].lost_wh > 0 == faded.findings[0].lost_wh


def _feeder(seed: int, homes: Floats) -> Floats:
    """Return what is missing in a healthy street: losses in the wires, and meters that round."""
    draw = np.random.default_rng(seed)
    total = homes.sum(0)
    return 2e-6 * total**2 + 3 + draw.normal(0, 4, homes.shape[1])


@pytest.mark.row("W11")
def test_a_meter_that_shows_too_little_is_found_by_the_energy_balance_and_no_other_with_it() -> None:
    load, solar = _recorded()
    true = np.repeat((load - solar).reshape(10, -1) / 4, 4, 1)[:, : 14 * DAY]
    alarms = sum(len(ailing_meters(_feeder(seed, true) + true.sum(0), true)) for seed in range(20))
    assert alarms == 0, "healthy streets, twenty fortnights of ten meters"
    slow, passed = true.copy(), true.copy()
    slow[3] *= 0.93
    passed[6] *= 0.5
    for told, home, what in ((slow, 3, Ailment.DRIFT), (passed, 6, Ailment.BYPASS)):
        (found,) = ailing_meters(_feeder(1, true) + true.sum(0), told)
        assert (found.at, found.ailment) == (home, what)
        assert found.lost_wh == pytest.approx((true - told).sum(), rel=0.2)
    silent = np.full(true.shape[1], np.nan)
    assert ailing_meters(silent, true) == [], "of what nobody measured nothing is said"


@pytest.mark.row("W11")
def test_a_meter_that_was_mended_is_left_alone_within_a_fortnight() -> None:
    load, solar = _recorded()
    true = np.repeat((load - solar).reshape(10, -1) / 4, 4, 1)
    slow = true.copy()
    slow[3, : 30 * DAY] *= 0.9
    feeder = _feeder(1, true) + true.sum(0)
    (found,) = ailing_meters(feeder[: 30 * DAY], slow[:, : 30 * DAY])
    assert (found.at, found.since) == (3, 16 * DAY)
    assert ailing_meters(feeder[: 44 * DAY], slow[:, : 44 * DAY]) == []


@pytest.mark.row("W11")
def test_a_silent_meter_s_use_is_blamed_on_no_neighbour_and_still_a_bypass_is_found() -> None:
    load, solar = _recorded()
    days = load.shape[1]
    every = np.repeat((load - solar).reshape(10, -1) / 4, 4, 1)
    found = tried = 0
    for last in range(14, days + 1, 16):
        true = every[:, : last * DAY]
        feeder = _feeder(last, true) + true.sum(0)
        for quiet in ([0], [1], [2], [3], [4], [5], [6], [7], [8], [9], [0, 5], [3, 8], [4, 6]):
            told = true.copy()
            told[quiet] = np.nan
            assert ailing_meters(feeder, told) == [], f"{quiet} silent"
            passed = 7 if 6 in quiet else 6
            told[passed] *= 0.5
            accused = [(one.at, one.ailment) for one in ailing_meters(feeder, told)]
            assert accused in ([], [(passed, Ailment.BYPASS)])
            found, tried = found + len(accused), tried + 1
        told = true.copy()
        told[:3] = np.nan
        told[6] *= 0.5
        assert ailing_meters(feeder, told) == [], "where many are silent nothing is said"
    assert found > 0.75 * tried, f"{found} of {tried}"


@pytest.mark.row("W11")
def test_a_charger_alarms_only_where_it_draws_more_than_it_was_told_for_three_quarters() -> None:
    told, drawn = np.full(40, 3_680.0), np.full(40, 920.0)
    drawn[5:7] = 1_800
    assert over_limits(drawn, told) == []
    drawn[20:26] = 1_800
    (found,) = over_limits(drawn, told)
    assert (found.since, found.score, found.ailment) == (20, 6, Ailment.OVER_LIMIT)
    assert over_limits(drawn, np.full(40, np.nan)) == [], "who was told nothing ignores nothing"
