"""Encrypted telegrams are found, and opened once, by their keys alone."""

import asyncio
from pathlib import Path

import pytest
from dsmr_parser import telegram_specifications
from dsmr_parser.parsers import TelegramParser
from hypothesis import given
from hypothesis import strategies as st
from p1_stage import DUTCH, METER, NOON_S, Stage, on_stage, sealed

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, open_device
from commonwatt.adapters.devices.p1.sealed import Opener, SealedFramer
from commonwatt.adapters.devices.p1.translate import shown
from commonwatt.model import InvalidValue
from commonwatt.simulator.devices.p1 import P1Port
from commonwatt.simulator.plant import Plant

KEY, AUTHENTICATION = bytes(range(16)), bytes(range(16, 32))


def test_an_encrypted_telegram_is_opened_once_and_only_by_its_keys() -> None:
    port = P1Port(plant=Plant(asset=METER, now_s=NOON_S), key=KEY, authentication_key=AUTHENTICATION)
    frame = port.sealed(sealed(DUTCH))
    opener = Opener(KEY.hex(), AUTHENTICATION.hex())
    assert shown(opener.open(frame), "luxembourg", "crc16").import_wh == 246_913_578
    with pytest.raises(InvalidValue, match="number rises"):
        opener.open(frame)
    for keys in ((AUTHENTICATION.hex(), KEY.hex()), (KEY.hex(), KEY.hex())):
        with pytest.raises(InvalidValue, match="other keys"):
            Opener(*keys).open(frame)
    with pytest.raises(InvalidValue, match="hexadecimal digits"):
        Opener("00", AUTHENTICATION.hex())


def test_a_new_meter_counts_from_the_beginning_and_no_old_telegram_opens_twice() -> None:
    plant = Plant(asset=METER, now_s=NOON_S)
    old, new = (
        P1Port(plant=plant, key=KEY, authentication_key=AUTHENTICATION, title=t) for t in (b"OLD12345", b"NEW12345")
    )
    opener = Opener(KEY.hex(), AUTHENTICATION.hex())
    frames = [old.sealed(sealed(DUTCH)) for _ in range(3)]
    for frame in (*frames, new.sealed(sealed(DUTCH))):
        opener.open(frame)
    with pytest.raises(InvalidValue, match="number rises above 3"):
        opener.open(frames[0])


def test_our_frames_are_the_ones_that_the_library_knows() -> None:
    port = P1Port(plant=Plant(asset=METER, now_s=NOON_S), key=KEY, authentication_key=AUTHENTICATION)
    parser = TelegramParser(telegram_specifications.MSN)
    found = parser.parse(port.sealed(sealed(DUTCH)).hex(), KEY.hex(), AUTHENTICATION.hex())
    assert str(found.ELECTRICITY_USED_TARIFF_1.value) == "123456.789"


@given(st.integers(0, 400), st.integers(0, 7))
def test_no_bit_of_a_sealed_telegram_can_be_flipped(at: int, bit: int) -> None:
    port = P1Port(plant=Plant(asset=METER, now_s=NOON_S), key=KEY, authentication_key=AUTHENTICATION)
    spoilt = bytearray(port.sealed(sealed(DUTCH)))
    spoilt[at % len(spoilt)] ^= 1 << bit
    for frame in SealedFramer().feed(bytes(spoilt)):
        with pytest.raises(InvalidValue):
            Opener(KEY.hex(), AUTHENTICATION.hex()).open(frame)


@given(st.binary(max_size=60), st.lists(st.integers(1, 200), max_size=10))
def test_sealed_telegrams_are_found_among_noise(noise: bytes, cuts: list[int]) -> None:
    port = P1Port(plant=Plant(asset=METER, now_s=NOON_S), key=KEY, authentication_key=AUTHENTICATION)
    frame, framer, found = port.sealed(sealed(DUTCH)), SealedFramer(), []
    stream = noise.replace(b"\xdb", b"x") + frame + frame
    for cut in cuts:
        found += framer.feed(stream[:cut])
        stream = stream[cut:]
    assert found + framer.feed(stream) == [frame, frame]


@pytest.mark.row("X4")
def test_an_encrypted_meter_is_read_end_to_end(tmp_path: Path) -> None:
    file = tmp_path / "p1.key"
    file.write_text(KEY.hex())
    file.chmod(0o600)

    async def story(stage: Stage) -> None:
        stage.port.key, stage.port.authentication_key = KEY, AUTHENTICATION
        await stage.port.push()
        await stage.port.push(b"noise\xdb\x08 and more of it, longer than a head")
        await stage.port.push()
        await asyncio.sleep(0.05)
        assert stage.device.good == 2
        assert (await stage.device.read()).power_w == 1_500

    on_stage(story, version="luxembourg", key_file=str(file), authentication_key=AUTHENTICATION.hex())


def test_a_version_that_is_always_encrypted_needs_its_key() -> None:
    async def story() -> None:
        spec = DeviceSpec(asset=METER.id, driver="p1", url="tcp://m:9", settings={"version": "steiermark"})
        await open_device(METER, spec, Doors())

    with pytest.raises(InvalidValue, match="key_file is missing"):
        asyncio.run(story())
