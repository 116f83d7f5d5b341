"""A battery with foxBMS does no more than its BMS bears, and nothing while its BMS is silent."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import can
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.devices import driver
from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.adapters.devices.foxbms.client import SocketcandBus, bus_at, frame_in
from commonwatt.adapters.devices.foxbms.device import FoxBmsBattery, Inverter, Settings, open_device
from commonwatt.adapters.devices.foxbms.translate import READ_IDS, Mode, Pack, clamped, request, told
from commonwatt.model import (
    AccountId,
    Ack,
    Asset,
    AssetId,
    AssetKind,
    Band,
    Caps,
    Command,
    GatewayId,
    InvalidValue,
    Unreachable,
    instant,
)
from commonwatt.simulator.devices.foxbms import CHARGE, ERROR, NORMAL, FoxBms, socketcand_of
from commonwatt.simulator.devices.paper import PaperDevice
from commonwatt.simulator.plant import Plant

NOON_S = 1_767_268_800
BATTERY = Asset(
    id=AssetId("battery"),
    owner=AccountId("anna"),
    gateway=GatewayId("gw-1"),
    kind=AssetKind.BATTERY,
    zone="lane",
    max_import_w=30_000,
    max_export_w=30_000,
    capacity_wh=100_000,
    discharge_permille=950,
)


@given(st.integers(0, 4_095), st.integers(0, 4_095), st.integers(0, 1_000), st.integers(-30_000, 30_000))
def test_frames_packed_by_other_code_are_read_to_the_last_bit(charge: int, out: int, level: int, power_w: int) -> None:
    plant = Plant(asset=BATTERY, now_s=NOON_S, level_wh=level * 100, own_w=lambda: power_w)
    bms = FoxBms(plant=plant, charge_w=charge * 100, discharge_w=out * 100, state=NORMAL)
    read: dict[str, int] = {}
    for number, data in bms.frames():
        read |= told(number, data)
    assert (read["charge_w"], read["discharge_w"]) == (charge * 100, out * 100)
    assert (read["soc_permille"], read["soh_permille"], read["volts"]) == (level, 990, 400)
    assert (read["state"], read["error"]) == (NORMAL, 0)
    assert read["power_w"] == -plant.power_w // 10 * 10


def test_a_request_is_the_frame_that_the_bms_knows() -> None:
    assert [request(mode).hex() for mode in Mode] == ["0000000000000000", "0100000000000000", "0200000000000000"]


@given(st.integers(0, 0x7FF) | st.sampled_from(sorted(READ_IDS)), st.binary(max_size=9))
def test_garbage_frames_are_refused_and_nothing_else(number: int, data: bytes) -> None:
    try:
        told(number, data)
    except InvalidValue:
        return
    assert number in READ_IDS
    assert len(data) == 8


@given(st.text(max_size=60) | st.text(alphabet="< >frame0123456789ABCDEF.", max_size=60))
def test_garbage_words_of_socketcand_are_no_frames(word: str) -> None:
    frame = frame_in(word)
    assert frame is None or isinstance(frame[1], bytes)
    assert frame_in("< frame 232 16.5 0011223344556677 >") == (0x232, bytes.fromhex("0011223344556677"))


@given(st.integers(-60_000, 60_000), st.integers(0, 60_000), st.integers(0, 50_000), st.integers(0, 50_000))
def test_no_order_asks_more_of_the_battery_than_it_bears(lo_w: int, width: int, charge: int, out: int) -> None:
    band = clamped(Band(lo_w=lo_w, hi_w=lo_w + width), Pack(charge_w=charge, discharge_w=out), 950)
    assert band.hi_w <= charge
    assert -band.lo_w * 1_000 <= out * 950, "more comes out of the battery than leaves the inverter"


class Stage:
    """A BMS, an inverter on paper, and a clock that stands still."""

    def __init__(self) -> None:
        self.now_s = NOON_S
        self.plant = Plant(asset=BATTERY, now_s=NOON_S, level_wh=50_000)
        self.bms = FoxBms(plant=self.plant, charge_w=10_000, discharge_w=8_000)
        self.inverter = PaperDevice(self.plant, self.clock, Caps(max_import_w=30_000, max_export_w=30_000, lease_s=60))
        self.device: FoxBmsBattery

    def clock(self) -> Any:
        return instant(self.now_s)

    async def say(self) -> None:
        before = self.device.heard
        await self.bms.push()
        async with asyncio.timeout(3):
            while self.device.heard < before + 4:
                await asyncio.sleep(0.002)

    def command(self, lo_w: int, hi_w: int | None = None, seconds: int = 15) -> Command:
        band = Band(lo_w=lo_w, hi_w=lo_w if hi_w is None else hi_w)
        expires = self.clock() + timedelta(seconds=seconds)
        return Command(id="c", asset=BATTERY.id, band=band, expires=expires, reason="test")


def on_stage(story: Callable[[Stage], Awaitable[None]], *, silent: bool = False) -> None:
    async def whole() -> None:
        stage = Stage()
        async with asyncio.timeout(15), socketcand_of(stage.bms):
            url = f"socketcand://127.0.0.1:{stage.bms.port}/vcan0"
            stage.device = FoxBmsBattery(
                BATTERY,
                stage.inverter,
                Settings(inverter=Inverter(driver="paper", url="none"), close_s=0.2, guard_s=0.02),
                stage.clock,
                lambda heard: bus_at(url, heard, silence_s=5, again_s=0.02),
            )
            try:
                while not stage.bms.listeners or not stage.device.bus.connected:
                    await asyncio.sleep(0.005)
                if not silent:
                    await stage.say()
                await story(stage)
            finally:
                await stage.device.close()

    asyncio.run(whole())


@pytest.mark.row("W8")
def test_a_battery_shows_the_level_of_its_bms_and_the_power_of_its_inverter() -> None:
    async def story(stage: Stage) -> None:
        state = await stage.device.read()
        assert (state.level_wh, state.power_w, state.import_wh) == (50_000, 0, 0)
        pack = stage.device.pack
        assert (pack.state, pack.charge_w, pack.discharge_w, pack.soh_permille) == ("standby", 10_000, 8_000, 990)
        stage.now_s += 4
        assert (await stage.device.read()).level_wh is None, "what the BMS said is too old; the counters are not"

    on_stage(story)


@pytest.mark.row("W8", "W9")
def test_an_order_is_clamped_by_what_the_bms_bears_and_that_is_said() -> None:
    async def story(stage: Stage) -> None:
        ack = await stage.device.apply(stage.command(20_000))
        assert ack.taken == Band(lo_w=10_000, hi_w=10_000)
        assert "bears -8000 to 10000 W" in ack.why
        assert stage.plant.power_w == 10_000
        ack = await stage.device.apply(stage.command(-20_000))
        assert ack.taken == Band(lo_w=-7_600, hi_w=-7_600)
        assert stage.plant.power_w == -7_600

    on_stage(story)


def test_contactors_are_asked_to_close_before_power_flows() -> None:
    async def story(stage: Stage) -> None:
        await stage.device.apply(stage.command(0))
        assert stage.bms.asked == [], "a stop needs no contactors"
        await stage.device.apply(stage.command(5_000))
        assert stage.bms.asked == [Mode.CHARGE]
        assert stage.bms.state == CHARGE
        await stage.device.apply(stage.command(-5_000))
        assert stage.bms.asked == [Mode.CHARGE], "closed is closed"

    on_stage(story)


def test_contactors_that_stay_open_stop_the_inverter() -> None:
    async def story(stage: Stage) -> None:
        stage.bms.stuck = True
        ack = await stage.device.apply(stage.command(-5_000))
        assert ack.taken is None
        assert "contactors stay open (state standby)" in ack.why
        assert stage.plant.held == Band(lo_w=0, hi_w=0)
        stage.bms.stuck, stage.bms.state = False, NORMAL
        await stage.say()
        await asyncio.sleep(0.1)
        assert stage.plant.power_w == 0, "what was refused is not obeyed later either"

    on_stage(story)


@pytest.mark.row("W8")
def test_without_a_word_of_the_bms_nothing_flows() -> None:
    async def story(stage: Stage) -> None:
        ack = await stage.device.apply(stage.command(5_000))
        assert ack.taken is None
        assert "told no limits for 1 s" in ack.why
        assert "the inverter is stopped" in ack.why

    on_stage(story, silent=True)


@pytest.mark.row("W8", "W9")
def test_a_bms_that_falls_silent_stops_the_inverter_without_a_new_order() -> None:
    async def story(stage: Stage) -> None:
        await stage.device.apply(stage.command(5_000))
        assert stage.plant.power_w == 5_000
        stage.now_s += 2
        while stage.plant.power_w:
            await asyncio.sleep(0.01)
        assert stage.plant.held == Band(lo_w=0, hi_w=0)
        await stage.say()
        while stage.plant.power_w != 5_000:
            await asyncio.sleep(0.01)

    on_stage(story)


def test_limits_that_shrink_are_followed_at_once() -> None:
    async def story(stage: Stage) -> None:
        await stage.device.apply(stage.command(9_000))
        stage.bms.charge_w = 2_500
        await stage.say()
        while stage.plant.power_w != 2_500:
            await asyncio.sleep(0.01)
        stage.bms.state = ERROR
        await stage.say()
        while stage.plant.power_w:
            await asyncio.sleep(0.01)
        ack = await stage.device.apply(stage.command(9_000))
        assert ack.taken is None
        assert "shows an error" in ack.why

    on_stage(story)


def test_nothing_is_held_beyond_its_time_or_after_release() -> None:
    async def story(stage: Stage) -> None:
        ack = await stage.device.apply(stage.command(5_000, seconds=0))
        assert ack.taken is None
        assert "expired" in ack.why
        await stage.device.apply(stage.command(5_000))
        await stage.device.release()
        stage.bms.charge_w = 1_000
        await stage.say()
        await asyncio.sleep(0.06)
        assert stage.plant.held is None

    on_stage(story)


def test_a_level_that_cannot_be_is_not_believed() -> None:
    async def story(stage: Stage) -> None:
        stage.bms.lies = True
        await stage.say()
        with pytest.raises(InvalidValue, match="full at 100"):
            await stage.device.read()

    on_stage(story)


@pytest.mark.row("W9")
def test_it_opens_with_its_inverter_and_hears_any_bus_of_python_can(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Plant(asset=BATTERY, now_s=NOON_S, level_wh=70_000)
    opened: list[DeviceSpec] = []

    async def paper(asset: Asset, spec: DeviceSpec, doors: Doors) -> PaperDevice:
        opened.append(spec)
        return PaperDevice(plant, doors.clock)

    monkeypatch.setattr(driver, "drivers", lambda: {"paper": SimpleNamespace(open=lambda: paper)})
    spec = DeviceSpec(
        asset=BATTERY.id,
        driver="foxbms",
        url="can://virtual/foxbms-test",
        settings={"inverter": {"driver": "paper", "url": "tcp://x:1", "settings": {"a": 1}}, "close_s": 2.0},
    )

    async def story() -> None:
        doors = Doors(clock=lambda: instant(NOON_S))
        device = await open_device(BATTERY, spec, doors)
        bms = FoxBms(plant=plant)
        try:
            async with asyncio.timeout(10):
                while not device.bus.connected:
                    await asyncio.sleep(0.01)
                with can.Bus(interface="virtual", channel="foxbms-test") as bus:
                    for number, data in bms.frames():
                        bus.send(can.Message(arbitration_id=number, data=data, is_extended_id=False))
                    while device.heard < 4:
                        await asyncio.sleep(0.01)
                    assert (await device.read()).level_wh == 70_000
                    bms.state = NORMAL
                    command = Stage().command(-2_000)
                    answer = asyncio.create_task(device.apply(command))
                    asked = await asyncio.to_thread(bus.recv, 3)
                    assert asked is not None
                    assert (asked.arbitration_id, asked.data[0]) == (0x210, 1)
                    for number, data in bms.frames():
                        bus.send(can.Message(arbitration_id=number, data=data, is_extended_id=False))
                    ack: Ack = await answer
                    assert ack.taken == Band(lo_w=-2_000, hi_w=-2_000)
        finally:
            await device.close()

    asyncio.run(story())
    assert (opened[0].url, opened[0].settings) == ("tcp://x:1", {"a": 1})


@pytest.mark.parametrize(
    ("url", "inner"),
    [
        ("can://nothing/vcan0", "paper"),
        ("can://virtual", "paper"),
        ("socketcand://host/vcan0", "paper"),
        ("socketcand://host:1/v can >", "paper"),
        ("can://[", "paper"),
        ("can://virtual/x", "foxbms"),
        ("can://virtual/x", "no such driver"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_opened(
    url: str, inner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def paper(asset: Asset, spec: DeviceSpec, doors: Doors) -> PaperDevice:
        return PaperDevice(Plant(asset=BATTERY, now_s=NOON_S), doors.clock)

    monkeypatch.setattr(driver, "drivers", lambda: {"paper": SimpleNamespace(open=lambda: paper)})
    spec = DeviceSpec(asset=BATTERY.id, driver="foxbms", url=url, settings={"inverter": {"driver": inner, "url": "x"}})
    with pytest.raises(InvalidValue):
        asyncio.run(open_device(BATTERY, spec, Doors()))


def test_a_bus_that_is_gone_takes_no_frame_and_is_looked_for_again() -> None:
    async def story(stage: Stage) -> None:
        bus = stage.device.bus
        assert isinstance(bus, SocketcandBus)
        for writer in list(stage.bms.listeners):
            writer.transport.abort()
        while bus.connected:
            await asyncio.sleep(0.001)
        with pytest.raises(Unreachable, match="no CAN bus"):
            await bus.send(0x210, request(Mode.STANDBY))
        while not bus.connected:
            await asyncio.sleep(0.01)
        await bus.send(0x210, request(Mode.STANDBY))
        while not stage.bms.asked:
            await asyncio.sleep(0.01)

    on_stage(story)
