"""A call of the grid, as the street lives it: announced, planned for, told to devices, met by the feeder's meter."""

from dataclasses import replace

import pytest

from commonwatt.apps.deeds import feeder_w
from commonwatt.apps.scenes import Scene
from commonwatt.apps.wiring import paper_day
from commonwatt.model import SLOT, Interval
from stories.paper_street import stage

SLOTS = 12
CALLED_W = 4_000


def feeder(*dso: str) -> list[int]:
    """Return what the feeder's meter saw from 17:00 on under what the grid operator states, W per slot."""
    told = stage(starts="17:00")
    day = paper_day(Scene(replace(told.street, dso=dso), told.recorded))
    for _ in zip(range(SLOTS), day.run(), strict=False):
        pass
    start = day.terms.span.start
    day.terms = replace(day.terms, span=Interval(start, start + SLOTS * SLOT))
    return feeder_w(day)


@pytest.mark.row("X5")
def test_a_called_hour_is_met_by_the_sum_that_the_feeder_measures() -> None:
    free = feeder("power of zone street <= 60 kW from 17:00 to 24:00 on 14 November for dso")
    called = feeder(f"power of zone street <= {CALLED_W / 1000:g} kW from 18:00 to 19:00 on 14 November for dso")
    hour = slice(4, 8)
    assert max(free[hour]) > CALLED_W
    # A forecast errs by a kettle; the bound is held by the plan and nearly by the meter.
    assert max(called[hour]) <= 1.1 * CALLED_W
