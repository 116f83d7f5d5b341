"""A box on paper says in words why it takes a command or not; over wires the same day ends with the same roots."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from commonwatt.adapters.devices.gateway.translate import Live, Lived, Told
from commonwatt.apps.scenes import scene, specs
from commonwatt.apps.wiring import durable_day, paper_day
from commonwatt.flows.intake import read_request
from commonwatt.model import SLOT_SECONDS, AssetId, epoch, instant
from commonwatt.simulator.box import Spec
from commonwatt.simulator.paper import PaperProgram

STREET = Path(__file__).parents[2] / "examples" / "street"


@pytest.fixture(scope="module")
def spec() -> Spec:
    return specs(scene(STREET), ())[1]


def asks(spec: Spec, slots: int) -> list[Live]:
    assert spec.around is not None
    first_s = spec.around.start_s - SLOT_SECONDS
    told = Told(
        id="c",
        asset=AssetId("battery-01"),
        lo_w=2000,
        hi_w=2000,
        expires=instant(first_s) + timedelta(hours=9),
        reason="r",
    )
    return [Live(slot_s=first_s + n * SLOT_SECONDS, commands=[told] if n % 2 else []) for n in range(slots)]


def live(program: PaperProgram, ask: Live) -> Lived:
    program.ask(ask)
    return program.answer(ask)


@pytest.mark.row("H1", "W9", "X4", "E12")
def test_a_day_over_sunspec_ocpp_and_p1_has_the_roots_of_a_day_on_paper(tmp_path: Path) -> None:
    """One home from noon on: its car comes, charges and gives back; every watt-hour went over a socket."""
    told = scene(STREET)
    noon = type(told)(replace(told.street, home=told.street.home[:1], starts="12:00"), told.recorded)
    paper, asked = paper_day(noon), set()
    with ExitStack() as doors:
        wired = durable_day(noon, tmp_path, doors)
        for slot_s, _ in zip(wired.run(), paper.run(), strict=True):
            asked |= set(wired.commands(slot_s))
        state, expected = wired.sequencer.state, paper.sequencer.state
        assert wired.sequencer.tree.root() == paper.sequencer.tree.root()
        assert state.root() == expected.root()
    assert asked == {"battery-01", "car-01"}


def test_an_expired_or_unknown_command_is_refused_in_words(spec: Spec) -> None:
    assert spec.around is not None
    paper = PaperProgram(spec)
    first, second = asks(spec, 2)
    live(paper, first)
    old = instant(epoch(instant(second.slot_s)))
    commands = [
        Told(id="old", asset=AssetId("battery-01"), lo_w=0, hi_w=0, expires=old, reason="r"),
        Told(id="strange", asset=AssetId("battery-02"), lo_w=0, hi_w=0, expires=old + timedelta(hours=1), reason="r"),
        Told(id="upside", asset=AssetId("battery-01"), lo_w=1, hi_w=0, expires=old + timedelta(hours=1), reason="r"),
    ]
    lived = live(paper, Live(slot_s=second.slot_s, commands=commands))
    body = read_request(lived.requests[0]).body
    assert [ack["why"] for ack in body["acks"]] == [  # type: ignore[index, union-attr]  # JSON
        "command has expired",
        "no such asset here",
        "a band runs from low to high, was 1 to 0 W",
    ]
