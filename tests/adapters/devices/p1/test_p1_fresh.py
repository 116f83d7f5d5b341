"""What a P1 port shows is fresh when it was begun after the question, and never older than it says."""

import asyncio
import logging

import pytest
from p1_stage import DUTCH, Stage, on_stage, sealed

from commonwatt.adapters.devices.p1.device import FRESH_WITHIN_S
from commonwatt.adapters.devices.p1.translate import shown
from commonwatt.model import InvalidValue, Unreachable


@pytest.mark.row("X4", "H1")
def test_one_telegram_begun_after_the_question_is_enough() -> None:
    """DSMR 2.2 to 4 send one every 10 s: two would be 20 s, longer than anybody waits at a slot's end."""

    async def story(stage: Stage) -> None:
        await stage.port.push()
        asked = asyncio.create_task(stage.device.fresh())
        await asyncio.sleep(0.05)
        assert not asked.done(), "what came before the question is no answer"
        await stage.port.push()
        await asyncio.wait_for(asked, 1)
        assert stage.device.good == 2

    on_stage(story, version="4")


def test_a_telegram_that_was_on_its_way_at_the_question_is_no_answer() -> None:
    async def story(stage: Stage) -> None:
        telegram = stage.port.telegram()
        await stage.port.push(telegram[:40])
        await asyncio.sleep(0.05)
        asked = asyncio.create_task(stage.device.fresh())
        await asyncio.sleep(0.02)
        await stage.port.push(telegram[40:])
        await stage.heard(1)
        await asyncio.sleep(0.02)
        assert not asked.done()
        await stage.port.push()
        await asyncio.wait_for(asked, 1)

    on_stage(story)


def test_the_keeper_is_told_to_wait_longer_than_the_slowest_meter_is_silent() -> None:
    async def story(stage: Stage) -> None:
        assert 10 < stage.device.fresh_within_s == FRESH_WITHIN_S

    on_stage(story, version="2.2")


def test_a_clock_that_is_put_back_makes_no_dead_meter_look_alive() -> None:
    async def story(stage: Stage) -> None:
        await stage.port.push()
        await stage.heard(1)
        stage.now_s -= 3_600
        with pytest.raises(Unreachable):
            await stage.device.read()
        await stage.port.push()
        await stage.heard(2)
        assert (await stage.device.read()).import_wh == 10_000

    on_stage(story)


def test_noise_on_the_line_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    noisy = [line.replace("123456.789", "12345z.789") for line in DUTCH]
    with caplog.at_level(logging.DEBUG), pytest.raises(InvalidValue):
        shown(sealed(noisy), "5", "crc16")
    assert not caplog.records
