"""A gateway on paper and a gateway in a process of its own answer alike, byte by byte."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from commonwatt.adapters.devices.gateway.client import GatewayProcess
from commonwatt.adapters.devices.gateway.translate import Live, Lived, Told
from commonwatt.apps.wiring import GATEWAY_PROGRAM, _specs, scene
from commonwatt.flows.intake import read_request
from commonwatt.model import SLOT_SECONDS, AssetId, Kind, epoch, instant
from commonwatt.simulator.box import Spec
from commonwatt.simulator.paper import PaperProgram

STREET = Path(__file__).parents[2] / "examples" / "street"


@pytest.fixture(scope="module")
def spec() -> Spec:
    return _specs(scene(STREET), ())[1]


@pytest.fixture
def process(spec: Spec, tmp_path: Path) -> Iterator[GatewayProcess]:
    with ExitStack() as doors:
        program = GatewayProcess(GATEWAY_PROGRAM, tmp_path / "box", msgspec.json.encode(spec))
        doors.callback(program.close)
        program.greet()
        yield program


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


def live(program: GatewayProcess | PaperProgram, ask: Live) -> Lived:
    program.ask(ask)
    return program.answer(ask)


@pytest.mark.row("H1")
def test_both_sign_the_same_bytes_and_repeat_them_when_asked_again(spec: Spec, process: GatewayProcess) -> None:
    paper = PaperProgram(spec)
    assert paper.greet() == process.greet()
    for ask in asks(spec, 6):
        expected = live(paper, ask)
        assert live(process, ask) == expected
        assert live(process, ask) == expected
    kinds = [read_request(request).kind for request in expected.requests]
    assert kinds == [Kind.ACK, Kind.READING_BATCH]


def test_a_killed_program_comes_back_with_its_key_its_numbers_and_its_levels(
    spec: Spec, process: GatewayProcess
) -> None:
    paper = PaperProgram(spec)
    *before, last = [Live(slot_s=ask.slot_s) for ask in asks(spec, 8)]
    for ask in before:
        assert live(process, ask) == live(paper, ask)
    os.kill(process.pid, signal.SIGKILL)
    assert live(process, last) == live(paper, last)


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
