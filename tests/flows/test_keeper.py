"""The keeper tells devices what stands, again in time, and lets go when nothing does."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from noting import LEASE_S, NOW, Noting, asset, command, noting

from commonwatt.flexibility.dispatch import Authority, Limit
from commonwatt.flows.keeper import Keeper
from commonwatt.model import (
    Ack,
    Armed,
    AssetId,
    AssetKind,
    Band,
    Caps,
    Command,
    DeviceState,
    Droop,
    InvalidValue,
    Unreachable,
)


def keeper_of(device: Noting) -> Keeper:
    return Keeper({AssetId("battery"): (asset("battery"), device)})


def tick(keeper: Keeper, after_s: int = 0) -> Ack | None:
    asyncio.run(keeper.tick(NOW + timedelta(seconds=after_s)))
    return keeper.kept[AssetId("battery")].ack


def test_a_command_is_written_once_and_again_at_a_third_of_its_lease() -> None:
    device = noting()
    keeper = keeper_of(device)
    keeper.tell(command(1_000, 1_000))
    for second in range(61):
        tick(keeper, second)
    assert len(device.told) == 1 + 60 // (LEASE_S // 3)
    assert all(told.expires - NOW <= timedelta(seconds=60 + LEASE_S) for told in device.told)


def test_a_command_that_ran_out_lets_the_device_go_once() -> None:
    device = noting()
    keeper = keeper_of(device)
    keeper.tell(command(1_000, 1_000, seconds=10))
    tick(keeper)
    tick(keeper, 10)
    assert device.released == 1, "it holds until, and not at, its expiry"
    tick(keeper, 11)
    assert device.released == 1


def test_a_grid_limit_binds_the_plan_and_stands_alone_when_the_plan_ends() -> None:
    device = noting()
    keeper = keeper_of(device)
    keeper.tell(command(5_000, 5_000, seconds=10))
    dimmed = Limit(authority=Authority.DSO, band=Band(lo_w=-5_000, hi_w=1_500), reason="dimmed")
    keeper.limit(AssetId("battery"), "dso", dimmed)
    tick(keeper)
    tick(keeper, 11)
    keeper.limit(AssetId("battery"), "dso", None)
    tick(keeper, 12)
    assert [told.band for told in device.told] == [Band(lo_w=1_500, hi_w=1_500), Band(lo_w=-5_000, hi_w=1_500)]
    assert device.released == 1


def test_the_owners_off_removes_the_plan_and_never_safety() -> None:
    device = noting()
    keeper = keeper_of(device)
    keeper.tell(command(5_000, 5_000))
    off = Limit(authority=Authority.OWNER, band=Band(lo_w=0, hi_w=0), reason="off")
    keeper.limit(AssetId("battery"), "off", off)
    tick(keeper)
    assert device.told[-1].band == Band(lo_w=0, hi_w=0)


def test_a_device_that_gave_no_answer_is_told_again_at_once_and_its_trouble_is_known() -> None:
    device = noting()
    keeper = keeper_of(device)
    keeper.tell(command(1_000, 1_000))
    device.fails = Unreachable("no answer")
    ack = tick(keeper)
    assert ack is not None
    assert (ack.taken, ack.why) == (None, "no answer")
    assert keeper.kept[AssetId("battery")].trouble == "no answer"
    device.fails = None
    tick(keeper, 1)
    assert len(device.told) == 1
    assert keeper.kept[AssetId("battery")].trouble == ""


@pytest.mark.row("H6")
@pytest.mark.parametrize("others_w", [-3_000, 0, 2_500, 9_000])
def test_a_battery_holds_the_line_of_its_home(others_w: int) -> None:
    battery = noting()
    meter = Noting(Caps(max_import_w=0), line=lambda: others_w + battery.power_w)
    keeper = Keeper(
        {
            AssetId("battery"): (asset("battery"), battery),
            AssetId("line"): (asset("line", AssetKind.CONNECTION), meter),
        },
        line=AssetId("line"),
    )
    keeper.tell(command(-5_000, 5_000, balance_w=200))
    for second in range(3):
        ack = tick(keeper, second)
        assert ack is not None
        assert ack.taken == Band(lo_w=-5_000, hi_w=5_000, balance_w=200)
        assert battery.power_w == max(-5_000, min(5_000, 200 - others_w))


def test_a_device_with_a_meter_of_its_own_is_given_the_line() -> None:
    device = noting(balances=True)
    keeper = keeper_of(device)
    keeper.tell(command(-5_000, 5_000, balance_w=0))
    tick(keeper)
    assert device.told[-1].band == Band(lo_w=-5_000, hi_w=5_000, balance_w=0)


def test_a_device_with_a_meter_of_its_own_never_waits_for_ours() -> None:
    device, meter, home = noting(balances=True), noting(), AssetId("home")
    meter.fails = Unreachable("no answer")
    battery = AssetId("battery")
    keeper = Keeper({battery: (asset("battery"), device), home: (asset("home", AssetKind.CONNECTION), meter)}, home)
    keeper.tell(command(-5_000, 5_000, balance_w=0))
    tick(keeper)
    assert device.told
    assert keeper.kept[home].trouble == "", "it was not asked"


def test_an_armed_curve_moves_the_device_with_the_frequency_it_measures() -> None:
    device = noting()
    keeper = keeper_of(device)
    curve = Droop(deadband_mhz=15, points=((-200, -4_000), (200, 4_000)))
    wide = Band(lo_w=-5_000, hi_w=5_000)
    armed = Armed(curve=curve, until=NOW + timedelta(seconds=1_800))
    told = command(1_000, 1_000)
    keeper.tell(
        Command(
            id=told.id,
            asset=told.asset,
            band=told.band,
            expires=told.expires,
            reason=told.reason,
            droop=armed,
            droop_band=wide,
        )
    )
    device.frequency_mhz = 49_800
    asyncio.run(keeper.read())
    tick(keeper)
    assert device.told[-1].band.lo_w == 1_000 - 4_000


def test_a_reading_that_cannot_be_true_is_left_out() -> None:
    device = noting()
    keeper = keeper_of(device)
    assert AssetId("battery") in asyncio.run(keeper.read())
    device.fails = InvalidValue("counters and levels are zero or more")
    assert asyncio.run(keeper.read()) == {}


def test_a_command_for_somebody_else_is_refused() -> None:
    stranger = Command(id="c", asset=AssetId("stranger"), band=Band(lo_w=0, hi_w=0), expires=NOW, reason="r")
    with pytest.raises(InvalidValue, match="stranger"):
        keeper_of(noting()).tell(stranger)


def test_closing_lets_go_of_what_is_held() -> None:
    device = noting()
    keeper = keeper_of(device)
    keeper.tell(command(1_000, 1_000))
    tick(keeper)
    asyncio.run(keeper.close())
    assert device.released == 1


def test_a_lease_that_is_known_only_after_the_first_command_is_renewed_in_time() -> None:
    class Late(Noting):
        async def apply(self, command: Command) -> Ack:
            self.caps = Caps(max_import_w=5_000, lease_s=LEASE_S)
            return await super().apply(command)

    device = Late(Caps(max_import_w=0))
    keeper = keeper_of(device)
    keeper.tell(command(1_000, 1_000))
    for second in range(LEASE_S // 3 + 1):
        tick(keeper, second)
    assert len(device.told) == 2


class Refusing(Noting):
    """Takes nothing below 3 kW."""

    async def apply(self, command: Command) -> Ack:
        if command.band.hi_w < 3_000:
            self.told.append(command)
            return Ack(command=command.id, asset=command.asset, taken=None, why="too little")
        return await super().apply(command)


def test_a_device_that_refuses_a_limit_is_let_go_once_and_told_again_at_once() -> None:
    device = Refusing(Caps(max_import_w=5_000, max_export_w=5_000, lease_s=600))
    keeper = keeper_of(device)
    keeper.tell(command(4_000, 4_000))
    tick(keeper)
    keeper.limit(AssetId("battery"), "dso", Limit(authority=Authority.DSO, band=Band(lo_w=-5_000, hi_w=1_000)))
    tick(keeper, 1)
    ack = tick(keeper, 2)
    assert (device.released, device.power_w, len(device.told)) == (1, 0, 3)
    assert ack is not None
    assert (ack.taken, ack.why) == (None, "too little")


class Mute(Noting):
    """Does what it is told, and its answers are lost."""

    async def apply(self, command: Command) -> Ack:
        await super().apply(command)
        raise Unreachable("the answer was lost")


def test_what_may_hold_a_command_whose_answer_was_lost_is_let_go() -> None:
    forgotten, closed = Mute(Caps(max_import_w=5_000)), Mute(Caps(max_import_w=5_000))
    for device in (forgotten, closed):
        keeper = keeper_of(device)
        keeper.tell(command(3_000, 3_000))
        tick(keeper)
        if device is forgotten:
            keeper.forget(AssetId("battery"))
            tick(keeper, 1)
            assert device.released == 1
        asyncio.run(keeper.close())
        assert (device.released, device.power_w) == (1, 0)


def test_a_command_is_told_again_in_its_last_second() -> None:
    device = noting()
    keeper = keeper_of(device)
    keeper.tell(command(3_000, 3_000, seconds=10))
    for after_s in (9.2, 9.7):
        asyncio.run(keeper.tick(NOW + timedelta(seconds=after_s)))
    assert len(device.told) == 2


def test_a_drivers_mistake_is_trouble_of_its_own_device_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    broken, good = noting(), noting()
    broken.fails = KeyError("a mistake")
    keeper = Keeper({AssetId("battery"): (asset("battery"), broken), AssetId("other"): (asset("other"), good)})
    keeper.tell(command(1_000, 1_000))
    keeper.tell(replace(command(-5_000, 5_000, balance_w=0), asset=AssetId("other")))
    for second in range(3):
        tick(keeper, second)
        asyncio.run(keeper.read())
    assert good.told
    assert keeper.kept[AssetId("battery")].trouble == "its driver failed: KeyError: 'a mistake'"
    assert len(caplog.records) == 1
    asyncio.run(keeper.close())
    assert good.released == 1, "closing goes on after a device that fails"


def test_a_limit_for_nobody_is_refused_and_one_that_ran_out_long_ago_is_dropped() -> None:
    keeper = keeper_of(noting())
    limit = Limit(authority=Authority.DSO, band=Band(lo_w=0, hi_w=0), expires=NOW)
    with pytest.raises(InvalidValue, match="no such asset"):
        keeper.limit(AssetId("nobody"), "dso", limit)
    keeper.limit(AssetId("battery"), "dso", limit)
    keeper.limit(AssetId("battery"), "failsafe", replace(limit, failsafe=Band(lo_w=0, hi_w=0)))
    tick(keeper, 3_599)
    assert len(keeper.kept[AssetId("battery")].limits) == 2
    tick(keeper, 3_600)
    assert list(keeper.kept[AssetId("battery")].limits) == ["failsafe"]


def test_a_command_ends_with_its_expiry_with_the_limits_it_rests_on_and_within_the_assets_own_power() -> None:
    device = noting(lease_s=None)
    keeper = keeper_of(device)
    keeper.tell(command(-9_000, 9_000, seconds=100))
    tick(keeper)
    assert (device.told[-1].expires, device.told[-1].band) == (
        NOW + timedelta(seconds=100),
        Band(lo_w=-5_000, hi_w=5_000),
    )
    limit = Limit(authority=Authority.DSO, band=Band(lo_w=-5_000, hi_w=1_000), expires=NOW + timedelta(seconds=50))
    keeper.limit(AssetId("battery"), "dso", limit)
    tick(keeper, 1)
    assert device.told[-1].expires == limit.expires


def test_a_tick_that_comes_second_is_told_last() -> None:
    class Slow(Noting):
        async def apply(self, command: Command) -> Ack:
            if not self.told and command.id == "old":
                await asyncio.sleep(0.05)
            return await super().apply(command)

    device = Slow(Caps(max_import_w=5_000, lease_s=LEASE_S))
    keeper = keeper_of(device)

    async def overlap() -> None:
        keeper.tell(command(4_000, 4_000, name="old"))
        first = asyncio.create_task(keeper.tick(NOW))
        await asyncio.sleep(0.01)
        keeper.tell(command(0, 0, name="new"))
        await keeper.tick(NOW)
        await first

    asyncio.run(overlap())
    assert [told.id for told in device.told] == ["old", "new"]


class Hanging(Noting):
    """Never answers, be it asked or told."""

    async def apply(self, command: Command) -> Ack:
        await asyncio.sleep(3_600)
        return await super().apply(command)

    async def read(self) -> DeviceState:
        await asyncio.sleep(3_600)
        return await super().read()


def test_a_device_that_hangs_holds_up_no_limit_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commonwatt.flows.keeper.ANSWER_WITHIN_S", 0.5)
    caps = Caps(max_import_w=5_000, max_export_w=5_000, lease_s=LEASE_S)
    good, holder, hanging = noting(), noting(), Hanging(caps)
    names = [AssetId(name) for name in ("battery", "holder", "hanging")]
    keeper = Keeper({name: (asset(name), device) for name, device in zip(names, (good, holder, hanging), strict=True)})
    limit = Limit(authority=Authority.DSO, band=Band(lo_w=-5_000, hi_w=500))
    for name, balance_w in zip(names, (None, 0, None), strict=True):
        keeper.tell(replace(command(-5_000, 5_000, balance_w=balance_w), asset=name))

    async def live() -> None:
        began_s = asyncio.get_running_loop().time()
        await keeper.tick(NOW, 0.05)
        keeper.limit(AssetId("battery"), "dso", limit)
        await keeper.tick(NOW, 0.05)
        assert asyncio.get_running_loop().time() - began_s < 0.4
        assert good.told[-1].band == limit.band
        assert holder.told
        await asyncio.sleep(0.55)
        assert keeper.kept[AssetId("hanging")].trouble == "no answer in time"
        began_s = asyncio.get_running_loop().time()
        await keeper.close()
        assert asyncio.get_running_loop().time() - began_s < 0.9

    asyncio.run(live())


def test_a_limit_reaches_a_device_that_holds_a_line_before_the_lines_meter_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("commonwatt.flows.keeper.ANSWER_WITHIN_S", 0.2)
    battery, meter = noting(), Hanging(Caps(max_import_w=0))
    battery.power_w = 3_000
    home = AssetId("home")
    keeper = Keeper(
        {AssetId("battery"): (asset("battery"), battery), home: (asset("home", AssetKind.CONNECTION), meter)}, home
    )
    keeper.tell(command(3_000, 5_000, balance_w=0))

    async def live() -> None:
        await keeper.tick(NOW)
        assert battery.power_w == 3_000
        keeper.limit(AssetId("battery"), "dso", Limit(authority=Authority.DSO, band=Band(lo_w=-5_000, hi_w=1_000)))
        await keeper.tick(NOW, 0.05)
        assert (battery.power_w, keeper.kept[AssetId("battery")].measuring) == (1_000, True)
        await keeper.close()

    asyncio.run(live())


class Rare(Noting):
    """A meter that speaks now and then, and says how long it may be silent."""

    fresh_within_s = 5

    async def fresh(self) -> None:
        await asyncio.sleep(0.1)


@pytest.mark.row("H1", "X4")
def test_a_meter_that_speaks_rarely_is_waited_for_as_long_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commonwatt.flows.keeper.ANSWER_WITHIN_S", 0.02)
    keeper = keeper_of(Rare(noting().caps))
    assert asyncio.run(keeper.read(fresh=True))
