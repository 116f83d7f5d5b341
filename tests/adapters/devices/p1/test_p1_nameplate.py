"""A meter says who it is and what time it has, and its number is kept nowhere."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from p1_stage import DUTCH, Stage, on_stage, sealed

from commonwatt.adapters.devices.p1.nameplate import fingerprint, nameplate_of, told_s
from commonwatt.model import Nameplate, Unreachable

pytestmark = pytest.mark.row("W11")
NUMBER = "4B384547303034303436333935353037"


def test_a_telegram_says_who_sends_it_and_its_number_only_by_a_fingerprint() -> None:
    said = nameplate_of(sealed([*DUTCH, f"0-0:96.1.1({NUMBER})", "0-1:96.1.0(3232323241424344)"]))
    assert said == Nameplate(make="ISk", model="MT382-1000", serial=fingerprint(NUMBER.encode()))
    assert said is not None
    assert bytes.fromhex(NUMBER).decode() not in str(said)
    assert fingerprint(NUMBER.encode()) == fingerprint(NUMBER.lower().encode())
    assert fingerprint(NUMBER.encode()) != fingerprint(NUMBER[:-1].encode() + b"8")
    assert nameplate_of(b"1-0:1.8.0(1*kWh)\r\n!") is None


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("101209113020W", 1_291_890_620),  # 10:30:20 UTC
        ("100709113020S", 1_278_667_820),  # 09:30:20 UTC
        ("101309113020W", None),
        ("101209113020", None),
    ],
)
def test_a_telegrams_time_is_central_european_by_its_letter(told: str, seconds: int | None) -> None:
    assert told_s(f"0-0:1.0.0({told})\r\n".encode()) == seconds


def test_ireland_is_an_hour_behind_central_europe() -> None:
    assert told_s(b"0-0:1.0.0(101209113020W)", hours_less=1) == 1_291_890_620 + 3_600


@given(st.binary(max_size=120))
def test_noise_names_nobody_and_breaks_nothing(noise: bytes) -> None:
    said = nameplate_of(noise)
    assert said is None or len(said.make) == 3
    assert told_s(noise) is None or isinstance(told_s(noise), int)


def test_a_meter_without_a_checksum_is_believed_to_be_another_when_it_said_so_twice() -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(Unreachable, match="who sends it"):
            await stage.device.identity()
        for serial, believed in (("A1", None), ("A1", "A1"), ("A7", "A1"), ("A1", "A1"), ("A7", "A1"), ("A7", "A7")):
            stage.port.nameplate = Nameplate(make="SIM", model="X", serial=serial)
            seen = stage.device.good
            await stage.port.push(stage.port.telegram().replace(b"0-0:1.0.0", b"0-0:9.9.9"))
            async with asyncio.timeout(5):
                while stage.device.good == seen:
                    await asyncio.sleep(0.005)
            if believed is not None:
                told = await stage.device.identity()
                assert told.serial == fingerprint(believed.encode().hex().encode())
        assert stage.device.clock_ahead_s is None, "it tells no time"

    on_stage(story, version="2.2")
