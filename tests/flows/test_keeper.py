"""The keeper tells devices what stands, again in time, and lets go when nothing does."""

import asyncio
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
