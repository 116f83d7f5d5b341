"""A P1 port's telegrams are read exactly, and whatever is damaged on the way is dropped, counted and never fatal."""

import asyncio
import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from p1_stage import DUTCH, METER, NOON_S, Stage, on_stage, sealed

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, open_device
from commonwatt.adapters.devices.p1.translate import SPECIFICATIONS, Framer, Version, crc, shown
from commonwatt.model import Band, Command, InvalidValue, Unreachable, instant
from commonwatt.simulator.devices.p1 import P1Port
from commonwatt.simulator.plant import Plant


@pytest.mark.row("X4")
def test_a_dutch_telegram_is_read_to_the_watt_hour() -> None:
    told = shown(sealed(DUTCH), "5", "crc16")
    assert (told.import_wh, told.export_wh, told.power_w) == (246_913_578, 4_003, 1_193)


def test_the_checksums_are_the_published_ones() -> None:
    # Check values of CRC-16/ARC and CRC-16/X-25 over "123456789", from the catalogue of parametrised CRC algorithms.
    assert (crc(b"123456789", "crc16"), crc(b"123456789", "x25")) == (0xBB3D, 0x906E)


def test_holley_meters_reckon_otherwise() -> None:
    # dsmr_parser#91: the same telegram under CRC16 is damaged, under X25 it is good.
    with pytest.raises(InvalidValue, match="checksum"):
        shown(sealed(DUTCH, "x25"), "5", "crc16")
    assert shown(sealed(DUTCH, "x25"), "5", "x25").power_w == 1_193


@pytest.mark.row("X4")
def test_it_does_not_matter_which_tariff_is_which() -> None:
    # dsmr-reader#919: Fluvius calls the day tariff 1, the Netherlands call it 2.
    day, night = "1-0:1.8.1(000100.500*kWh)", "1-0:1.8.2(000020.250*kWh)"
    swapped = [day.replace("1.8.1", "1.8.2"), night.replace("1.8.2", "1.8.1")]
    head, tail = ["/FLU5\\253770234_A", ""], ["1-0:2.8.1(000001.000*kWh)", "1-0:2.8.2(000002.000*kWh)"]
    both = [shown(sealed([*head, *lines, *tail]), "belgium", "crc16") for lines in ([day, night], swapped)]
    assert both[0] == both[1]
    assert (both[0].import_wh, both[0].export_wh, both[0].power_w) == (120_750, 3_000, None)


def test_totals_are_read_where_a_country_tells_totals() -> None:
    lines = ["/ELL5\\253833635_A", "", "1-0:1.8.0(00000875.123*kWh)", "1-0:2.8.0(00000012.045*kWh)"]
    power = ["1-0:1.7.0(0000.000*kW)", "1-0:2.7.0(0001.727*kW)"]
    told = shown(sealed([*lines, *power]), "sweden", "crc16")
    assert (told.import_wh, told.export_wh, told.power_w) == (875_123, 12_045, -1_727)
    for version in ("5", "luxembourg", "hungary"):
        assert shown(sealed([*lines, *power]), version, "crc16").import_wh == 875_123  # type: ignore[arg-type]


def test_an_austrian_meter_tells_watts_and_parts_of_a_watt_hour() -> None:
    lines = [
        "/ESY5Q3DB1024 V3.04",
        "",
        "1-0:1.8.0*255(00000036.5991390*kWh)",
        "1-0:2.8.0*255(00000000.0000000*kWh)",
        "1-0:1.7.0*255(000000.42*W)",
        "!",
    ]
    told = shown(("\r\n".join(lines) + "\r\n").encode(), "austria", "crc16")
    assert (told.import_wh, told.export_wh) == (36_599, 0), "a Wh counts when it is whole"


def test_an_old_meter_has_no_checksum() -> None:
    assert shown("\r\n".join([*DUTCH, "!", ""]).encode(), "2.2", "crc16").import_wh == 246_913_578


@pytest.mark.parametrize("version", SPECIFICATIONS)
def test_every_version_has_the_lines_that_are_needed(version: str) -> None:
    names = {what["value_name"] for what in SPECIFICATIONS[version]["objects"]}
    assert names & {"ELECTRICITY_IMPORTED_TOTAL", "ELECTRICITY_USED_TARIFF_1"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1-0:1.8.2(123456.789*kW)", "as its version says"),
        ("1-0:1.8.2(12345z.789*kWh)", "as its version says"),
        ("1-0:1.8.2(-00001.000*kWh)", "as its version says"),
        ("1-0:1.8.2()", "as its version says"),
        ("0-0:96.1.1(00)", "both tariffs"),
    ],
)
def test_a_line_that_cannot_be_true_spoils_its_telegram(line: str, words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        shown(sealed([line if "1.8.2" in other else other for other in DUTCH]), "5", "crc16")


def test_lines_that_are_not_ours_may_say_what_they_like() -> None:
    assert shown(sealed([*DUTCH, "0-1:24.2.1(what*ever)", "0-0:96.13.0(\xff)"]), "5", "crc16").power_w == 1_193


def test_a_reader_that_drops_carriage_returns_is_understood_where_no_checksum_stands_in_the_way() -> None:
    assert shown("\n".join([*DUTCH, "!", ""]).encode(), "3", "crc16").power_w == 1_193


@given(st.binary(max_size=400))
def test_garbage_is_never_a_reading(data: bytes) -> None:
    for version in ("5", "2.2"):
        with pytest.raises(InvalidValue):
            shown(data, version, "crc16")  # type: ignore[arg-type]


@given(st.integers(0, len(sealed(DUTCH)) - 8), st.integers(0, 7))
def test_no_flipped_bit_goes_unseen(at: int, bit: int) -> None:
    # dsmr-reader#1408, #1733: Landis+Gyr meters send such noise every few minutes.
    spoilt = bytearray(sealed(DUTCH))
    spoilt[at] ^= 1 << bit
    good = shown(sealed(DUTCH), "5", "crc16")
    for telegram in Framer().feed(bytes(spoilt)):
        with pytest.raises(InvalidValue):
            assert shown(telegram, "5", "crc16") == good


@given(st.lists(st.integers(1, 300), max_size=30))
def test_telegrams_are_found_however_they_arrive(cuts: list[int]) -> None:
    stream, framer, found = sealed(DUTCH) * 3, Framer(), []
    for cut in cuts:
        found += framer.feed(stream[:cut])
        stream = stream[cut:]
    found += framer.feed(stream)
    assert found == [sealed(DUTCH)] * 3
    assert framer.dropped == 0


def test_a_telegram_cut_short_is_dropped_and_the_next_one_is_read() -> None:
    # hassio-addons#114: a telegram that ends in the middle, and the next begins.
    framer = Framer()
    assert framer.feed(sealed(DUTCH)[:120] + b"\r\n" + sealed(DUTCH)) == [sealed(DUTCH)]
    assert framer.dropped == 1
    assert framer.feed(b"1.8.1(000001.000*kWh)\r\n!ABCD\r\n" + sealed(DUTCH)) == [sealed(DUTCH)]
    assert framer.dropped == 2


def test_noise_without_an_end_fills_no_memory() -> None:
    framer = Framer()
    for _ in range(100):
        framer.feed(b"/" + b"x" * 4096)
    assert framer.dropped >= 20
    assert len(framer._buffer) <= 16_384 + 4097


@pytest.mark.row("X4", "E12")
def test_the_latest_good_telegram_is_what_a_meter_shows() -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(Unreachable, match="no good telegram"):
            await stage.device.read()
        await stage.port.push()
        await stage.heard(1)
        state = await stage.device.read()
        assert (state.power_w, state.import_wh, state.export_wh) == (1_500, 10_000, 0)
        assert state.at == instant(NOON_S)

    on_stage(story)


def test_damage_is_counted_and_does_no_harm() -> None:
    async def story(stage: Stage) -> None:
        await stage.port.push()
        good = stage.port.telegram()
        await stage.port.push(good.replace(b"01.500", b"09.500"))
        await stage.port.push(good[:90])
        await stage.port.push(good)
        await stage.heard(4)
        assert (stage.device.good, stage.device.dropped) == (2, 2)
        assert (await stage.device.read()).power_w == 1_500

    on_stage(story)


def test_a_meter_that_falls_silent_is_unreachable_and_says_why() -> None:
    async def story(stage: Stage) -> None:
        await stage.port.push()
        await stage.heard(1)
        stage.now_s += 30
        await stage.device.read()
        await stage.port.push(stage.port.telegram()[:-3] + b"X\r\n")
        await stage.port.push(stage.port.telegram().replace(b"1.500", b"1.501"))
        await stage.heard(2)
        stage.now_s += 1
        with pytest.raises(Unreachable, match="checksum"):
            await stage.device.read()

    on_stage(story)


def test_a_connection_that_is_lost_is_made_again() -> None:
    async def story(stage: Stage) -> None:
        for writer in list(stage.port.listeners):
            writer.transport.abort()
        stage.port.listeners.clear()
        while not stage.port.listeners:
            await asyncio.sleep(0.005)
        await stage.port.push()
        await stage.heard(1)
        assert (await stage.device.read()).import_wh == 10_000

    on_stage(story)


def test_a_connection_that_is_half_open_is_given_up_after_silence() -> None:
    async def story(stage: Stage) -> None:
        first = set(stage.port.listeners)
        while not stage.port.listeners - first:
            await asyncio.sleep(0.02)

    on_stage(story, stale_s=1)


def test_in_real_time_a_meter_tells_every_second() -> None:
    async def story(stage: Stage) -> None:
        await stage.port.every_second(1)
        await stage.heard(1)
        assert stage.device.good == 1

    on_stage(story)


def test_a_meter_takes_no_commands() -> None:
    async def story(stage: Stage) -> None:
        command = Command(id="c", asset=METER.id, band=Band(lo_w=0, hi_w=0), expires=instant(NOON_S + 9), reason="test")
        ack = await stage.device.apply(command)
        assert ack.taken is None
        assert "only measures" in ack.why
        await stage.device.release()

    on_stage(story)


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("tcp://meter", {}),
        ("http://meter:1", {}),
        ("tcp://meter:nine", {}),
        ("tcp://meter:9", {"version": "6"}),
        ("tcp://meter:9", {"stale_s": 0}),
        ("tcp://meter:9", {"colour": "red"}),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_opened(url: str, settings: dict[str, object]) -> None:
    async def story() -> None:
        await open_device(METER, DeviceSpec(asset=METER.id, driver="p1", url=url, settings=settings), Doors())

    with pytest.raises(InvalidValue):
        asyncio.run(story())


def test_a_day_of_telegrams_is_read_without_losing_a_watt_hour() -> None:
    dice, plant = random.Random(1), Plant(asset=METER, now_s=NOON_S)
    port, version = P1Port(plant=plant), Version.__args__[3]
    for _ in range(96):
        power_w = dice.randint(-17_000, 17_000)
        plant.own_w = lambda power_w=power_w: power_w  # type: ignore[misc]
        plant.pass_time(900)
        told = shown(port.telegram(), version, "crc16")
        assert (told.import_wh, told.export_wh, told.power_w) == (plant.import_wh, plant.export_wh, power_w)
    assert Decimal(told.import_wh) > 0
