"""Fox ESS Cloud is asked with a signature, within its limits, and its errors come in words."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, open_device
from commonwatt.adapters.devices.foxess_cloud.translate import (
    headers,
    nameplate_of,
    readings_of,
    result_of,
    state_of,
    variables,
)
from commonwatt.adapters.devices.paced import TooOften
from commonwatt.flows.device_ports import Device, Identified
from commonwatt.model import (
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    GatewayId,
    InvalidValue,
    Nameplate,
    Unreachable,
    instant,
)
from commonwatt.simulator.devices.clouds import FoxessCloud, cloud_at
from commonwatt.simulator.plant import Plant

NOON_S = 1_767_268_800
AT = instant(NOON_S)
KEY = "f0x-k3y-0000"
BATTERY = Asset(
    id=AssetId("battery"),
    owner=AccountId("anna"),
    gateway=GatewayId("gw-1"),
    kind=AssetKind.BATTERY,
    zone="lane",
    max_import_w=5_000,
    max_export_w=5_000,
    capacity_wh=10_000,
)


def told(**values: object) -> dict[str, dict[str, object]]:
    units = {"SoC": "%"}
    return {
        name: {"variable": name, "value": value, "unit": units.get(name, "kW" if name.endswith("Power") else "kWh")}
        for name, value in values.items()
    }


# The shape of an answer as users publish it: powers in kW, totals in kWh, a level in per cent.
EVENING = told(
    batChargePower=Decimal("0.0"),
    batDischargePower=Decimal("2.513"),
    chargeEnergyToTal=Decimal("1044.4"),
    dischargeEnergyToTal=Decimal("979.7"),
    SoC=Decimal("17.0"),
    gridConsumptionPower=Decimal("0.021"),
    feedinPower=Decimal("0.0"),
    gridConsumption=Decimal("1234.5"),
    feedin=Decimal("11.9"),
    generationPower=Decimal("2.4"),
    generation=Decimal("11641.1"),
)


def test_the_signature_joins_its_parts_by_letters_and_not_by_a_line_break() -> None:
    # The maker's example joins by a raw string: backslash, r, backslash, n.
    signed = headers("/op/v0/x", KEY, AT)
    text = "/op/v0/x" + "\\" + "r" + "\\" + "n" + KEY + "\\r\\n" + str(NOON_S * 1000)
    assert signed["signature"] == hashlib.md5(text.encode()).hexdigest()
    assert signed["timestamp"] == str(NOON_S * 1000)


@pytest.mark.row("X4")
def test_each_thing_at_an_inverter_is_read_with_our_signs() -> None:
    battery = state_of(EVENING, AT, "battery", 10_000)
    assert (battery.power_w, battery.import_wh, battery.export_wh) == (-2_513, 1_044_400, 979_700)
    assert battery.level_wh == 1_700
    home = state_of(EVENING, AT, "connection", 0)
    assert (home.power_w, home.import_wh, home.export_wh, home.level_wh) == (21, 1_234_500, 11_900, None)
    inverter = state_of(EVENING, AT, "inverter", 0)
    assert (inverter.power_w, inverter.import_wh, inverter.export_wh) == (-2_400, None, 11_641_100)


def test_an_inverter_that_charges_from_the_grid_gives_less_than_nothing() -> None:
    assert state_of(told(generationPower=Decimal("-1.5")), AT, "inverter", 0).power_w == 1_500


@pytest.mark.parametrize(
    "broken",
    [
        told(SoC=Decimal(140)),
        {"batDischargePower": {"value": 1, "unit": "kWh"}},
        {"batDischargePower": {"value": "much", "unit": "kW"}},
        {"batDischargePower": {"value": None}},
        {"chargeEnergyToTal": {"value": Decimal("1e30"), "unit": "kWh"}},
        {"chargeEnergyToTal": {"value": Decimal(-1), "unit": "kWh"}},
    ],
)
def test_what_cannot_be_is_not_believed(broken: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        state_of({**EVENING, **broken}, AT, "battery", 10_000)


@pytest.mark.parametrize(
    ("errno", "words"),
    [
        (41808, "expired: make a new one"),
        (41809, "not valid"),
        (40256, "signature"),
        (41203, "in time"),
        (7, "refuses"),
    ],
)
def test_errors_come_in_words(errno: int, words: str) -> None:
    with pytest.raises(Unreachable, match=words):
        result_of({"errno": errno, "result": None}, "msg")
    with pytest.raises(TooOften, match="used up"):
        result_of({"errno": 40402}, "Your request exceeds the limit")
    with pytest.raises(TooOften, match="quickly"):
        result_of({"errno": 40400}, "")
    with pytest.raises(InvalidValue, match="readings"):
        readings_of([])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["datas", "variable", "value", "unit", "x"]), inner)
    ),
    max_leaves=9,
)


@given(JSON, JSON)
def test_garbage_raises_nothing_but_our_errors(errno: Any, result: Any) -> None:
    for answer in ({"errno": errno, "result": result}, {"errno": 0, "result": result}):
        try:
            state_of(readings_of(result_of(answer, "")), AT, "battery", 10_000)
        except (InvalidValue, Unreachable):
            continue


@given(st.dictionaries(st.sampled_from(variables("battery")), st.fixed_dictionaries({"value": JSON, "unit": JSON})))
def test_garbage_in_readings_raises_nothing_but_our_errors(garbage: dict[str, Any]) -> None:
    try:
        state_of({**EVENING, **garbage}, AT, "battery", 10_000)
    except InvalidValue:
        return


class Stage:
    def __init__(self) -> None:
        self.now_s = NOON_S
        self.plant = Plant(asset=BATTERY, now_s=NOON_S, level_wh=5_000, own_w=lambda: 500)
        self.cloud = FoxessCloud(plant=self.plant, key=KEY, serial="SN1")
        self.devices: list[Device] = []
        self.again: Callable[[], Awaitable[Device]]

    def pass_time(self, seconds: int) -> None:
        self.now_s += seconds
        self.plant.pass_time(seconds)


def on_stage(
    folder: Path, story: Callable[[Stage], Awaitable[None]], count: int = 1, key: str = KEY, **settings: object
) -> None:
    async def whole() -> None:
        stage = Stage()
        file = folder / "key"
        file.write_text(key + "\n")
        file.chmod(0o600)
        async with (
            Doors(clock=lambda: instant(stage.now_s), folder=folder) as doors,
            cloud_at(stage.cloud) as port,
        ):
            known = {"serial": "SN1", "key_file": str(file), "within_s": 1.0, "pause_s": 0.0, **settings}
            spec = DeviceSpec(asset=BATTERY.id, driver="foxess_cloud", url=f"http://127.0.0.1:{port}", settings=known)
            stage.devices = [await open_device(BATTERY, spec, doors) for _ in range(count)]
            stage.again = lambda: open_device(BATTERY, spec, doors)
            await story(stage)
            for device in stage.devices:
                await device.close()

    asyncio.run(whole())


@pytest.mark.row("X4")
def test_a_day_asks_no_more_than_a_days_questions_who_it_is_included(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        device = stage.devices[0]
        assert isinstance(device, Identified)
        for _ in range(24 * 60 * 2):
            await device.read()
            assert (await device.identity()).serial == stage.cloud.nameplate.serial
            stage.pass_time(30)
        assert stage.cloud.asked == 1_440

    on_stage(tmp_path, story, every_s=60)


@pytest.mark.row("W11")
def test_an_inverter_says_who_it_is_once_a_day_and_not_before_it_was_read(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        device = stage.devices[0]
        assert isinstance(device, Identified)
        with pytest.raises(Unreachable, match="no reading yet"):
            await device.identity()
        await device.read()
        told = await device.identity()
        assert told == Nameplate(
            make="Fox ESS", model="KH8", serial="60KH00000000000", firmware="master 1.34, slave 1.01"
        )
        stage.cloud.nameplate = replace(stage.cloud.nameplate, firmware="1.35")
        assert (await device.identity()) == told
        stage.pass_time(86_400)
        await device.read()
        assert (await device.identity()).firmware == "master 1.35, slave 1.01"

    on_stage(tmp_path, story)


def test_a_detail_that_is_none_is_not_believed() -> None:
    with pytest.raises(InvalidValue, match="detail"):
        nameplate_of([])
    assert nameplate_of({"deviceSN": 7, "masterVersion": None}) == Nameplate(make="Fox ESS")


@pytest.mark.row("W11")
def test_a_restart_is_no_reason_to_ask_too_soon(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.devices[0].read()
        again = await stage.again()
        with pytest.raises(Unreachable, match="asked again in 120 s"):
            await again.read()
        assert stage.cloud.asked == 1
        stage.pass_time(120)
        await again.read()
        assert stage.cloud.asked == 2

    on_stage(tmp_path, story)


def test_a_cloud_whose_days_questions_are_used_up_is_left_alone(tmp_path: Path) -> None:
    # foxess-ha#312: others use the same key, and the day's questions are gone.
    async def story(stage: Stage) -> None:
        stage.cloud.per_day = 0
        for _ in range(12):
            with pytest.raises(Unreachable, match="used up"):
                await stage.devices[0].read()
            stage.pass_time(290)
        assert stage.cloud.asked == 1

    on_stage(tmp_path, story)


def test_inverters_of_one_key_wait_for_each_other(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        before = asyncio.get_running_loop().time()
        await asyncio.gather(*(device.read() for device in stage.devices))
        assert asyncio.get_running_loop().time() - before >= 0.2
        assert stage.cloud.asked == 3

    on_stage(tmp_path, story, count=3, pause_s=0.1)


def test_a_key_that_is_over_or_wrong_is_said_and_never_repeated(tmp_path: Path) -> None:
    async def expired(stage: Stage) -> None:
        stage.cloud.expired = True
        with pytest.raises(Unreachable, match="expired") as error:
            await stage.devices[0].read()
        assert KEY not in str(error.value)

    async def wrong(stage: Stage) -> None:
        with pytest.raises(Unreachable, match="not valid"):
            await stage.devices[0].read()

    on_stage(tmp_path, expired)
    on_stage(tmp_path, wrong, key="other")


def test_asking_more_than_once_a_minute_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        raise AssertionError

    with pytest.raises(InvalidValue, match="60 or more"):
        on_stage(tmp_path, story, every_s=59)
