"""Cars that supply and grid support of OCPP 2.1, against a simulated station that checks every message."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_ocpp_profiles import CAR, NOON_S, Place, play

from commonwatt.adapters.devices.ocpp import der, profiles, v2x
from commonwatt.adapters.devices.ocpp.limits import Grid, Wanted, profile
from commonwatt.adapters.devices.ocpp.needs import Needs, needs_of
from commonwatt.adapters.devices.ocpp.schemas import check
from commonwatt.flexibility.droop import change_w, symmetric
from commonwatt.flows.keeper import Keeper
from commonwatt.model import Ack, Armed, Band, Caps, Command, DeviceState, Droop, InvalidValue, instant
from commonwatt.simulator.devices.ocpp_v2x import along

BOTH = {"bidirectional": True}
CURVE = symmetric(20, ((200, 5_000),))


@pytest.mark.row("W9", "E12")
def test_a_set_point_that_moves_every_second_is_changed_in_place_and_still_runs_out() -> None:
    async def story(here: Place) -> None:
        for i in range(10):
            ack = await here.hold(-1_000 - 100 * i)
            assert ack.taken == Band(lo_w=-1_000 - 100 * i, hi_w=-1_000 - 100 * i)
            assert here.plant.power_w == -1_000 - 100 * i
            here.plant.pass_time(1)
        assert len(here.told("SetChargingProfile")) == 2, "its own, and what the next one begins with"
        assert len(here.told("UpdateDynamicSchedule")) == 9
        here.plant.pass_time(291)
        assert here.plant.held is None, "the end is the first one: losing us is safe sooner, never later"

    play(story, "2.1", {**BOTH, "dynamic": True})


def test_a_command_that_outlasts_its_profile_by_much_or_ends_sooner_gets_a_new_one() -> None:
    async def story(here: Place) -> None:
        await here.hold(-1_000)
        here.plant.pass_time(150)
        await here.hold(-1_000)
        await here.hold(-1_000, seconds=15)
        assert len(here.told("SetChargingProfile")) == 6
        here.plant.pass_time(16)
        assert here.plant.held is None

    play(story, "2.1", {**BOTH, "dynamic": True})


def test_a_station_that_asks_is_told_the_newest_numbers_until_the_command_has_run_out() -> None:
    async def story(here: Place) -> None:
        await here.hold(-1_000)
        await here.hold(-2_000)
        told = await here.station.call("PullDynamicScheduleUpdate", {"chargingProfileId": 1001})
        assert told["scheduleUpdate"] == {"limit": 0, "setpoint": -2_000, "dischargeLimit": -2_000}
        here.plant.pass_time(300)
        told = await here.station.call("PullDynamicScheduleUpdate", {"chargingProfileId": 1001})
        assert told["status"] == "Rejected"

    play(story, "2.1", {**BOTH, "dynamic": True})


@pytest.mark.row("M4")
def test_an_armed_curve_is_handed_to_the_station_which_follows_the_frequency_without_us() -> None:
    async def story(here: Place) -> None:
        assert here.device.caps.droops
        now = instant(here.plant.now_s)
        command = Command(
            id="c", asset=CAR.id, band=Band(lo_w=-2_000, hi_w=-2_000), expires=now + timedelta(seconds=300),
            reason="reserve", droop=Armed(curve=CURVE, until=now + timedelta(seconds=100)),
            droop_band=Band(lo_w=-5_000, hi_w=5_000),
        )  # fmt: skip
        assert (await here.device.apply(command)).taken == command.band
        for mhz in (50_000, 50_015, 50_110, 49_900, 49_700, 50_300):
            here.station.frequency_mhz = mhz
            here.station.follow()
            wanted_w = max(-5_000, min(5_000, -2_000 + change_w(CURVE, mhz)))
            wanted_w = 0 if 0 < wanted_w < CAR.min_import_w else wanted_w
            assert abs(here.plant.power_w - wanted_w) <= 1
        here.plant.pass_time(100)
        here.station.follow()
        assert here.plant.power_w == -2_000, "the curve is armed until an instant"

    play(story, "2.1", {**BOTH, "frequency_curve": True})


@given(
    st.integers(0, 50), st.lists(st.tuples(st.integers(51, 900), st.integers(0, 9_000)), min_size=1, max_size=6),
    st.integers(0, 9_000), st.integers(-1_000, 1_000),
)  # fmt: skip
def test_a_curve_in_a_profile_is_the_curve_that_was_armed(
    dead: int, points: list[tuple[int, int]], most_w: int, off_mhz: int
) -> None:
    steps = sorted(dict(points).items())
    moved = sorted(watts for _, watts in steps)
    rising = tuple((at, watts) for (at, _), watts in zip(steps, moved, strict=True))
    curve = Droop(deadband_mhz=dead, points=rising, most_down_w=most_w)
    told = v2x.freq_watt(curve)
    assert len(told) <= v2x.MOST_POINTS
    shown = along(tuple((float(at), float(watts)) for at, watts in told), 50_000 + off_mhz)
    slope = max((b[1] - a[1]) / (b[0] - a[0]) for a, b in zip([(dead, 0), *rising], rising, strict=False))
    assert abs(shown - change_w(curve, 50_000 + off_mhz)) <= 1 + slope


@pytest.mark.parametrize(
    ("mode", "more"),
    [
        ("Idle", {"sleep": True}), ("ChargingOnly", {}), ("CentralSetpoint", {"setpoint_w": -500}),
        ("ExternalSetpoint", {}), ("ExternalLimits", {}), ("LocalLoadBalancing", {}),
        ("CentralFrequency", {"signal_w": ((-100, -5_000), (100, 5_000)), "baseline_w": 200}),
        ("LocalFrequency", {"droop": CURVE, "baseline_w": 0}),
    ],
)  # fmt: skip
def test_every_mode_is_a_profile_that_the_schema_allows(mode: Any, more: dict[str, Any]) -> None:
    made = v2x.period(mode, Band(lo_w=-5_000, hi_w=7_000), **more)
    now = instant(NOON_S)
    wanted = Wanted(0, 0, None, now, now + timedelta(seconds=60), (made,))
    whole = profile("2.1", wanted, Grid(), id=1, purpose="TxDefaultProfile", stack_level=0)
    assert check("2.1", "SetChargingProfile", {"evseId": 1, "chargingProfile": whole}) == []
    with pytest.raises(InvalidValue):
        v2x.period("ChargingOnly", Band(lo_w=0, hi_w=1), setpoint_w=5)


async def work_by(here: Place, made: dict[str, Any]) -> None:
    """Let the station work by a period for a minute, as whoever calls it may."""
    now = instant(here.plant.now_s)
    wanted = Wanted(0, 0, None, now, now + timedelta(seconds=60), (made,))
    await profiles.hold(here.device.station, here.device.evse, wanted, Grid(), stack_level=None, relative=False)


@pytest.mark.row("M4")
def test_power_follows_the_signal_that_is_sent_by_its_curve_and_within_its_limits_until_the_profile_ends() -> None:
    async def story(here: Place) -> None:
        station, now = here.device.station, instant(here.plant.now_s)
        assert "Rejected" in await v2x.signal(station, now, 50), "it has no curve yet"
        band, curve = Band(lo_w=-5_000, hi_w=4_000), ((-100, -5_000), (0, 0), (100, 5_000))
        await work_by(here, v2x.period("CentralFrequency", band, signal_w=curve, baseline_w=-200))
        followed = {50: 2_300, -50: -2_700, 0: -200, 100: 4_000, -1_000: -5_000}
        for signal, power_w in followed.items():
            assert await v2x.signal(station, now, signal) == ""
            assert here.plant.power_w == power_w
        here.plant.pass_time(60)
        here.station.follow()
        assert here.plant.held is None
        assert "Rejected" in await v2x.signal(station, now, 50)

    play(story, "2.1", BOTH)


def test_where_others_at_the_place_say_the_power_a_station_follows_them_and_lets_go_with_the_profile() -> None:
    async def story(here: Place) -> None:
        await work_by(here, v2x.period("ExternalSetpoint", Band(lo_w=-5_000, hi_w=7_000)))
        assert here.plant.power_w == 0, "nobody has said anything"
        here.station.grid.outside = Band(lo_w=-3_000, hi_w=-3_000)
        here.station.follow()
        assert here.plant.power_w == -3_000
        await work_by(here, v2x.period("ExternalLimits", Band(lo_w=-5_000, hi_w=7_000)))
        here.station.grid.outside = Band(lo_w=0, hi_w=2_500)
        here.station.follow()
        assert here.plant.power_w == 2_500
        here.plant.pass_time(60)
        here.station.follow()
        assert here.plant.power_w == CAR.max_import_w

    play(story, "2.1", BOTH)


def test_what_a_car_needs_bounds_what_it_is_told() -> None:
    needs = {
        "requestedEnergyTransfer": "AC_BPT", "departureTime": "2026-01-01T18:00:00Z",
        "v2xChargingParameters": {
            "maxChargePower": 2_000, "maxChargePower_L2": 2_000, "maxChargePower_L3": 2_000,
            "maxDischargePower": 3_000, "evTargetEnergyRequest": 20_000, "targetSoC": 80,
        },
    }  # fmt: skip

    async def story(here: Place) -> None:
        await here.station.call("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": needs})
        assert (here.device.caps.max_import_w, here.device.caps.max_export_w) == (6_000, 3_000)
        assert here.device.needs is not None
        assert here.device.needs.target_wh == 20_000
        ack = await here.hold(-9_000)
        assert ack.taken == Band(lo_w=-3_000, hi_w=-3_000)
        assert await v2x.allow(here.device.station, here.device.evse, ["AC_BPT"]) == ""
        assert await v2x.prioritise(here.device.station, here.device.evse, True) == ""
        assert "Rejected" in await v2x.signal(here.device.station, instant(NOON_S), 5)

    play(story, "2.1", BOTH)


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))


parts = st.dictionaries(st.sampled_from(["maxChargePower", "targetSoC", "energyAmount"]), scalars)
names = st.sampled_from(["departureTime", "v2xChargingParameters", "acChargingParameters"])


@given(st.dictionaries(names, st.one_of(scalars, parts)))
def test_needs_that_make_no_sense_are_an_invalid_value_and_nothing_else(told: dict[str, Any]) -> None:
    try:
        assert isinstance(needs_of(told), Needs)
    except InvalidValue:
        return


@pytest.mark.row("E12")
def test_an_active_control_supersedes_the_default_and_gives_way_to_it_when_its_time_is_over() -> None:
    async def story(here: Place) -> None:
        here.station.patience_s = 2
        station, now = here.device.station, instant(here.plant.now_s)
        default = der.Control(id="d", type="LimitMaxDischarge", settings={"pctMaxDischargePower": 80}, priority=1)
        active = der.Control(
            id="a", type="LimitMaxDischarge", settings={"pctMaxDischargePower": 20}, start=now, duration_s=60
        )
        await here.hold(-10_000)
        assert await der.set_control(station, default) == ""
        assert here.plant.power_w == -8_000
        assert await der.set_control(station, active) == ""
        assert here.plant.power_w == -2_000
        told = {one["id"]: one["isSuperseded"] for one in await der.report(station)}
        assert told == {"d": True, "a": False}
        await until_told(here)
        assert list(station.facts["der runs"]) == ["a"]
        here.plant.pass_time(60)
        here.station.follow()
        assert here.plant.power_w == -8_000
        assert await der.clear(station, default=True) == ""
        assert await der.clear(station, default=True) == "", "what is not there is cleared"
        assert here.plant.power_w == -10_000
        curve = {"yUnit": "PctMaxW", "curveData": [{"x": 105, "y": 100}, {"x": 110, "y": 0}]}
        assert await der.set_control(station, der.Control(id="v", type="VoltWatt", settings=curve)) == ""
        here.station.grid.volts_pct = 107.5
        here.station.follow()
        assert here.plant.power_w == -5_000
        alarm = {"controlType": "VoltWatt", "gridEventFault": "OverVoltage", "timestamp": "2026-01-01T12:00:00Z"}
        await here.station.call("NotifyDERAlarm", alarm)
        assert station.facts["der alarms"] == [alarm]
        with pytest.raises(InvalidValue):
            await der.set_control(station, der.Control(id="x", type="FreqDroop", settings={"overFreq": 1}))

    play(story, "2.1", BOTH)


async def until_told(here: Place) -> None:
    while here.station.queue:
        await asyncio.sleep(0.01)


def test_older_versions_say_in_words_that_they_have_none_of_this() -> None:
    async def story(here: Place) -> None:
        control = der.Control(id="d", type="LimitMaxDischarge", settings={"pctMaxDischargePower": 80})
        assert "has no SetDERControl" in await der.set_control(here.device.station, control)

    play(story, "2.0.1")
    with pytest.raises(InvalidValue):
        der.Control(id="g", type="Gradients", settings={}, start=instant(NOON_S), duration_s=5)


class Follows:
    """A device that follows curves by itself and tells the frequency too."""

    caps = Caps(max_import_w=5_000, max_export_w=5_000, lease_s=60, droops=True)
    told: Command | None = None

    async def read(self) -> DeviceState:
        return DeviceState(at=instant(NOON_S), power_w=0, frequency_mhz=50_200)

    async def apply(self, command: Command) -> Ack:
        self.told = command
        return Ack(command=command.id, asset=command.asset, taken=command.band)

    async def release(self) -> None:
        self.told = None

    async def close(self) -> None:
        self.told = None


def test_the_band_of_a_device_that_follows_curves_itself_is_not_moved_a_second_time() -> None:
    async def story() -> None:
        device, now = Follows(), instant(NOON_S)
        keeper = Keeper({CAR.id: (CAR, device)})
        keeper.tell(
            Command(
                id="c",
                asset=CAR.id,
                band=Band(lo_w=-2_000, hi_w=-2_000),
                expires=now + timedelta(seconds=60),
                reason="reserve",
                droop=Armed(curve=CURVE, until=now + timedelta(seconds=60)),
                droop_band=Band(lo_w=-5_000, hi_w=5_000),
            )
        )
        await keeper.read()
        await keeper.tick(now)
        assert device.told is not None
        assert device.told.band == Band(lo_w=-2_000, hi_w=-2_000)
        assert device.told.droop is not None

    asyncio.run(story())
