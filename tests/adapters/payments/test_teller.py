"""A gateway's line to a till: no answer of a till harms who pays."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI, Request, Response
from starlette.responses import StreamingResponse

from commonwatt.adapters.payments import teller as module
from commonwatt.adapters.payments.shown import TERMS
from commonwatt.adapters.payments.teller import HttpTeller
from commonwatt.model import Unreachable
from commonwatt.simulator.sandbox_bank import serving

pytestmark = pytest.mark.row("H3")


@pytest.mark.parametrize("answer", [b"\xff", b"{", b"[" * 100_000, b'{"community": "\xff"}', b'{"a":' + b"[" * 9_000])
def test_what_cannot_be_read_is_no_answer(answer: bytes) -> None:
    app = FastAPI()
    app.get(TERMS)(lambda: Response(answer, media_type="application/json"))
    with serving(app) as url, HttpTeller(url) as teller, pytest.raises(Unreachable):
        teller.terms()


def test_an_answer_that_has_no_end_is_not_heard_to_it() -> None:
    sent = list[int]()

    def endless() -> Iterator[bytes]:
        for number in range(100_000):
            sent.append(number)
            yield b" " * 4_096

    async def terms(request: Request) -> Response:
        return StreamingResponse(endless(), media_type="application/json")

    app = FastAPI()
    app.get(TERMS)(terms)
    with serving(app) as url, HttpTeller(url) as teller, pytest.raises(Unreachable, match="goes on"):
        teller.terms()
    assert len(sent) < 10_000


def test_an_answer_that_comes_by_drops_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.05)

    async def drops() -> AsyncIterator[bytes]:
        for _ in range(100):
            await asyncio.sleep(0.02)
            yield b" "

    async def terms(request: Request) -> Response:
        return StreamingResponse(drops(), media_type="application/json")

    app = FastAPI()
    app.get(TERMS)(terms)
    with serving(app) as url, HttpTeller(url) as teller, pytest.raises(Unreachable, match="goes on"):
        teller.terms()
