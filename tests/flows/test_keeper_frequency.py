"""Every armed device follows the grid's frequency, whichever device measures it, and nothing follows nonsense."""

import asyncio
import csv
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from noting import NOW, Noting, asset, command, noting

from commonwatt.flexibility.dispatch import Authority, Limit
from commonwatt.flexibility.droop import respond, symmetric
from commonwatt.flows import keeper as keepers
from commonwatt.flows.hearing import FREQUENCY_LASTS_S
from commonwatt.flows.keeper import FOLLOWED_WITHIN_S, Keeper
from commonwatt.model import Ack, Armed, AssetId, AssetKind, Band, Caps, Command, DeviceState

RECORDED = Path(__file__).parents[1] / "flexibility" / "data" / "iberia_2025-04-28_1100-1110.csv"
CURVE = symmetric(15, ((200, 4_000),))
WIDE = Band(lo_w=-5_000, hi_w=5_000)
BATTERY, CAR, METER = AssetId("battery"), AssetId("car"), AssetId("meter")


def armed(name: AssetId, power_w: int = 0, band: Band | None = None) -> Command:
    whole = command(power_w, power_w) if band is None else replace(command(0, 0), band=band)
    until = NOW + timedelta(seconds=1_800)
    return replace(whole, asset=name, droop=Armed(curve=CURVE, until=until), droop_band=WIDE)


class Home:
    """A battery and a car that measure no frequency, and a meter that does."""

    def __init__(self) -> None:
        self.battery, self.car = noting(), noting()
        self.meter = Noting(Caps(max_import_w=0))
        self.keeper = Keeper(
            {
                BATTERY: (asset("battery"), self.battery),
                CAR: (asset("car", AssetKind.VEHICLE), self.car),
                METER: (asset("meter", AssetKind.CONNECTION), self.meter),
            }
        )
        self.keeper.tell(armed(BATTERY))
        self.keeper.tell(armed(CAR))

    def at(self, frequency_mhz: int | None, now: datetime = NOW, measured: datetime | None = None) -> tuple[int, int]:
        self.meter.frequency_mhz = frequency_mhz
        self.meter.read_at = lambda: measured or now
        asyncio.run(self.keeper.follow(now))
        return self.battery.power_w, self.car.power_w


@pytest.mark.row("M4")
def test_what_one_device_measures_moves_all_that_are_armed() -> None:
    home = Home()
    assert home.at(49_900) == (respond(CURVE, 49_900, 0, WIDE),) * 2
    assert home.at(50_200, NOW + timedelta(seconds=1)) == (4_000, 4_000)
    old = NOW + timedelta(seconds=1)
    assert home.at(50_200, NOW + timedelta(seconds=4), measured=old) == (0, 0)


@pytest.mark.row("M4")
@pytest.mark.parametrize("frequency_mhz", [None, 0, 40_000, 44_999, 55_001, 60_000, 65_001, 2**31])
def test_a_frequency_that_no_living_grid_has_moves_nothing(frequency_mhz: int | None) -> None:
    home = Home()
    assert home.at(frequency_mhz) == (0, 0)


@pytest.mark.row("M4")
@given(st.integers(-(2**40), 2**40), st.integers(-60, 60))
def test_a_measurement_that_is_old_or_impossible_never_moves_anything(frequency_mhz: int, age_s: int) -> None:
    home = Home()
    moved = home.at(frequency_mhz, NOW, NOW - timedelta(seconds=age_s))
    alive = abs(age_s) <= FREQUENCY_LASTS_S and abs(frequency_mhz - 50_000) <= 5_000
    assert moved == ((respond(CURVE, frequency_mhz, 0, WIDE) if alive else 0,) * 2)


def recorded() -> list[tuple[int, int]]:
    """Return seconds since the start and mHz, without the reading that is missing."""
    with RECORDED.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["freq_hz"]]
    first = datetime.fromisoformat(rows[0]["time"])
    return [
        (int((datetime.fromisoformat(row["time"]) - first).total_seconds()), round(float(row["freq_hz"]) * 1_000))
        for row in rows
    ]


@pytest.mark.row("M4")
def test_a_battery_follows_the_morning_of_the_iberian_blackout_and_not_the_dead_bus_after_it() -> None:
    home = Home()

    async def live() -> None:
        for after_s, frequency_mhz in recorded():
            now = NOW + timedelta(seconds=after_s)
            home.meter.frequency_mhz, home.meter.read_at = frequency_mhz, lambda now=now: now
            await home.keeper.follow(now)
            assert home.battery.power_w == home.car.power_w == respond(CURVE, frequency_mhz, 0, WIDE)
        assert len({told.band for told in home.battery.told}) > 20
        # Made up, as the source describes its recorder: with the bus dead, the field decays to 40 Hz and stays.
        for second in range(1, 60):
            now = NOW + timedelta(seconds=600 + second)
            home.meter.frequency_mhz, home.meter.read_at = max(40_000, 44_900 - 200 * second), lambda now=now: now
            await home.keeper.follow(now)
            assert (home.battery.power_w, home.car.power_w) == (0, 0)

    asyncio.run(live())


@pytest.mark.row("M4")
@given(st.lists(st.integers(45_000, 55_000), min_size=1, max_size=5), st.integers(45_000, 55_000))
def test_one_broken_meter_among_good_ones_moves_nothing_that_they_do_not(good: list[int], broken_mhz: int) -> None:
    meters = {AssetId(f"m{n}"): Noting(Caps(max_import_w=0)) for n in range(len(good) + 1)}
    for meter, frequency_mhz in zip(meters.values(), [broken_mhz, *good], strict=True):
        meter.frequency_mhz = frequency_mhz
    keeper = Keeper({name: (asset(name, AssetKind.CONNECTION), meter) for name, meter in meters.items()})
    asyncio.run(keeper.read())
    heard = keeper.frequency_mhz(NOW, 50_000)
    assert heard is not None
    if len(good) > 1:
        assert min(good) <= heard <= max(good)
    else:
        assert abs(heard - 50_000) == min(abs(good[0] - 50_000), abs(broken_mhz - 50_000))


class Deaf(Noting):
    """A device that answers nothing for as long as anybody waits."""

    async def read(self) -> DeviceState:
        await asyncio.sleep(60)
        raise AssertionError

    async def apply(self, command: Command) -> Ack:
        self.told.append(command)
        await asyncio.sleep(60)
        raise AssertionError


@pytest.mark.row("M4")
def test_a_device_that_is_dead_holds_up_nobody_elses_answer_to_the_frequency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepers, "HEARD_WITHIN_S", 0.1)
    monkeypatch.setattr(keepers, "FOLLOWED_WITHIN_S", 0.2)
    assert FOLLOWED_WITHIN_S < 1
    battery, dead, meter = noting(), Deaf(noting().caps), Noting(Caps(max_import_w=0))
    keeper = Keeper(
        {
            CAR: (asset("car", AssetKind.VEHICLE), dead),
            BATTERY: (asset("battery"), battery),
            METER: (asset("meter", AssetKind.CONNECTION), meter),
        }
    )
    keeper.tell(armed(CAR))
    keeper.tell(armed(BATTERY))

    async def live() -> list[int]:
        powers = []
        for second, frequency_mhz in enumerate((49_900, 49_800, 50_000)):
            now = NOW + timedelta(seconds=second)
            meter.frequency_mhz, meter.read_at = frequency_mhz, lambda now=now: now
            began = time.monotonic()
            await keeper.follow(now)
            assert time.monotonic() - began < 0.9
            powers.append(battery.power_w)
        await keeper.close()
        return powers

    assert asyncio.run(live()) == [respond(CURVE, f, 0, WIDE) for f in (49_900, 49_800, 50_000)]
    assert len(dead.told) == 1, "what is in flight is not sent again"


@pytest.mark.row("M4")
@given(st.integers(45_000, 55_000), st.integers(-5_000, 5_000), st.integers(0, 5_000))
def test_whatever_the_frequency_a_limit_of_somebody_who_outranks_the_plan_is_kept(
    frequency_mhz: int, lo_w: int, width_w: int
) -> None:
    home = Home()
    band = Band(lo_w=lo_w, hi_w=min(5_000, lo_w + width_w))
    home.keeper.limit(BATTERY, "grid", Limit(authority=Authority.GRID, band=band))
    home.at(frequency_mhz)
    assert band.lo_w <= home.battery.power_w <= band.hi_w


@pytest.mark.row("M4")
def test_an_owners_off_disarms_while_it_lasts_and_no_longer() -> None:
    home = Home()
    off = Limit(authority=Authority.OWNER, band=Band(lo_w=0, hi_w=0), expires=NOW + timedelta(seconds=5), reason="off")
    home.keeper.limit(BATTERY, "wish", off)
    assert home.at(49_800) == (0, -4_000)
    assert home.at(49_800, NOW + timedelta(seconds=5)) == (-4_000, -4_000)


@pytest.mark.row("M4")
def test_a_battery_that_holds_its_line_answers_the_frequency_from_there() -> None:
    battery = noting()
    meter = Noting(Caps(max_import_w=0), line=lambda: 700 + battery.power_w)
    keeper = Keeper(
        {BATTERY: (asset("battery"), battery), METER: (asset("meter", AssetKind.CONNECTION), meter)}, line=METER
    )
    keeper.tell(armed(BATTERY, band=Band(lo_w=-5_000, hi_w=5_000, balance_w=0)))
    for frequency_mhz in (50_000, 49_900, 50_000):
        meter.frequency_mhz = frequency_mhz
        asyncio.run(keeper.follow(NOW))
        assert battery.power_w == respond(CURVE, frequency_mhz, -700, WIDE)


@pytest.mark.row("H6")
def test_a_line_that_nobody_can_read_is_held_by_doing_nothing_and_the_answer_says_so() -> None:
    battery = noting()
    keeper = Keeper({BATTERY: (asset("battery"), battery)})
    keeper.tell(command(-5_000, 5_000, balance_w=-2_000))
    asyncio.run(keeper.tick(NOW))
    ack = keeper.kept[BATTERY].ack
    assert battery.told[-1].band == Band(lo_w=0, hi_w=0)
    assert ack is not None
    assert (ack.taken, ack.why) == (Band(lo_w=0, hi_w=0), "no meter shows the line that it shall hold")
