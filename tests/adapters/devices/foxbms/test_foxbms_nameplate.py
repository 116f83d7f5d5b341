"""A BMS says who it is when it is asked, and what others asked it is not taken for an answer."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_foxbms import Stage, on_stage

from commonwatt.adapters.devices.foxbms.translate import WHOLE, answer, nameplate_of, question
from commonwatt.model import InvalidValue, Nameplate, Unreachable

pytestmark = pytest.mark.row("W11")
DIE, LOT = bytes.fromhex("01cafe0001000000"), bytes.fromhex("020000002a000000")


def test_the_question_is_the_frame_that_the_bms_knows() -> None:
    assert question().hex() == "0007000000000000"


def test_version_die_and_lot_make_a_nameplate() -> None:
    said = answer(bytes.fromhex("00010b0000000000")) | answer(DIE) | answer(LOT)
    assert said.keys() >= WHOLE
    assert nameplate_of(said) == Nameplate(model="foxBMS 2", serial="cafe0001-0000002a", firmware="1.11.0")
    changed = answer(bytes.fromhex("00010b021b000000")) | answer(DIE) | answer(LOT)
    assert nameplate_of(changed).firmware == "1.11.2+3-dirty"


@given(st.binary(max_size=9))
def test_an_answer_to_another_question_says_nothing_of_who_it_is(data: bytes) -> None:
    try:
        said = answer(data)
    except InvalidValue:
        assert len(data) != 8
        return
    assert bool(said) == (data[:1] in (b"\0", b"\1", b"\2"))


def test_a_bms_that_does_not_answer_is_not_asked_at_every_reading() -> None:
    async def story(stage: Stage) -> None:
        stage.bms.knows_names = False
        with pytest.raises(Unreachable, match="within 1 s"):
            await stage.device.identity()
        stage.bms.knows_names = True
        with pytest.raises(Unreachable, match="within a minute"):
            await stage.device.identity()
        told = Nameplate()
        for _ in range(10):  # a busy machine answers late
            stage.now_s += 60
            with suppress(Unreachable):
                told = await stage.device.identity()
                break
        assert told.firmware == "1.11.0"

    on_stage(story)
