"""Who asks for proofs: two at once each, told when to ask again, and not for ever without them."""

import asyncio
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from commonwatt.apps import proving
from commonwatt.apps.api.problems import problem_of
from commonwatt.apps.proving import AGAIN_S, MOST_EACH, MOST_WAITING, Busy, Prover

NOTE = "a checkpoint"


class Idle:
    """Stands in for a process that takes its time."""

    def __init__(self, *args: object, **more: object) -> None:
        self.asked: list[Future[Any]] = []

    def submit(self, work: object) -> "Future[Any]":
        if any(one.done() and isinstance(one.exception(), BrokenProcessPool) for one in self.asked):
            raise BrokenProcessPool
        self.asked.append(Future())
        return self.asked[-1]

    def shutdown(self, **how: object) -> None:
        """Do nothing."""


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "ProcessPoolExecutor", Idle)
    monkeypatch.setattr(proving, "read_note", lambda note: SimpleNamespace(size=1))


def test_nobody_keeps_others_from_asking_and_whoever_asks_too_much_is_told_when_to_ask_again() -> None:
    async def story() -> None:
        prover, asked = Prover(Path()), list[asyncio.Task[Any]]()

        async def ask(asker: str, number: int) -> None:
            asked.append(asyncio.ensure_future(prover.entry(asker, NOTE, number)))
            await asyncio.sleep(0)

        for number in range(MOST_EACH):
            await ask("member-01", number)
        with pytest.raises(Busy) as found:
            await prover.entry("member-01", NOTE, 99)
        problem = problem_of(found.value)
        assert problem.status == 503 and problem.found["retry_after_s"] == AGAIN_S
        await ask("member-01", 0)  # the same again is the same question
        for other in range(MOST_WAITING - MOST_EACH):
            await ask(f"other-{other}", 1_000 + other)
        assert not any(one.done() for one in asked)
        with pytest.raises(Busy):
            await prover.entry("the last", NOTE, 100)
        pool: Any = prover._pool
        pool.asked[0].set_result("proven")
        assert await asked[0] == "proven"
        await ask("member-01", 100)
        assert not asked[-1].done()
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    asyncio.run(story())


def test_a_process_that_is_ended_from_outside_is_begun_again() -> None:
    async def story() -> None:
        prover = Prover(Path())
        asked = asyncio.ensure_future(prover.entry("member-01", NOTE, 1))
        await asyncio.sleep(0)
        ended: Any = prover._pool
        ended.asked[0].set_exception(BrokenProcessPool())
        with pytest.raises(Busy, match="ask again"):
            await asked
        again: asyncio.Future[Any] = asyncio.ensure_future(prover.entry("member-01", NOTE, 1))
        await asyncio.sleep(0)
        begun: Any = prover._pool
        assert begun is not ended
        begun.asked[0].set_result("proven")
        assert await again == "proven"

    asyncio.run(story())
