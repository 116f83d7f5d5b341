"""P34 and P35: how fast a street's whole loop runs, and how long its plans take."""

import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

from benchmarks.figure import Figure, figure
from commonwatt.apps.scenes import scene
from commonwatt.apps.wiring import durable_day, paper_day
from commonwatt.flexibility.exact.solver import Solver

STREET = Path(__file__).parents[1] / "examples" / "street"


def p34() -> Figure:
    """Slots per second of the whole loop, on durable doors with gateways in processes of their own.

    The limit is what the same day's solver calls alone would allow: the loop cannot be faster than its plans.
    """
    solver = _Stopwatch()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as doors, solver:
        day = durable_day(scene(STREET), Path(folder), doors)
        began = perf_counter()
        slots = sum(1 for _ in day.run())
        seconds = perf_counter() - began
        leaves = len(day.sequencer.tree)
    return figure(
        "P34", slots / seconds, "slots/s", slots / sum(solver.seconds), slots=slots, leaves=leaves,
        plan_share=round(sum(day.watched.plan_s) / seconds, 3), limit_is="solver calls alone",
    )  # fmt: skip


def p35() -> Figure:
    """Median time of a plan in ms over a day; the limit is the solver's own median time per plan."""
    solver = _Stopwatch()
    with solver:
        day = paper_day(scene(STREET))
        for _ in day.run():
            pass
    plans = sorted(day.watched.plan_s)
    per_plan = sum(solver.seconds) / len(plans)
    return figure(
        "P35",
        1000 * statistics.median(plans),
        "ms",
        1000 * per_plan,
        p99_ms=round(1000 * plans[int(len(plans) * 0.99)], 1),
        max_ms=round(1000 * plans[-1], 1),
        plans=len(plans),
        solves=len(solver.seconds),
        limit_is="mean solver time per plan; share above 1 is what building and reading the model adds",
    )


class _Stopwatch:
    """Counts the time inside the solver while it is entered."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._minimise = Solver.minimise

    def __enter__(self) -> "_Stopwatch":
        original, seconds = self._minimise, self.seconds

        def timed(self: Solver, *args: object, **options: object) -> object:
            began = perf_counter()
            try:
                return original(self, *args, **options)  # type: ignore[arg-type]  # passed through unread
            finally:
                seconds.append(perf_counter() - began)

        Solver.minimise = timed  # type: ignore[method-assign, assignment]  # measured from outside, put back below
        return self

    def __exit__(self, *_: object) -> None:
        Solver.minimise = self._minimise  # type: ignore[method-assign]
