"""A recorded week, metered and settled: run again from zero and from within, it comes to the same root."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from commonwatt.apps.scenes import Scene, scene
from commonwatt.apps.wiring import paper_day
from commonwatt.flows.replay import replay, resume
from commonwatt.flows.trading_day import Day
from commonwatt.model import SLOT_SECONDS, SLOTS_PER_DAY, Commodity, epoch
from commonwatt.simulator import recorded as recordings

FOLDER = Path(__file__).parents[2] / "examples" / "street"
DAYS = 7
SNAPSHOT_AT = 3 * SLOTS_PER_DAY + 17


@pytest.fixture(scope="module")
def week() -> Iterator[Day]:
    """All ten homes and six cars, seven recorded days in one run; planning, which takes most of a day, is left out."""
    street = replace(scene(FOLDER).street, days=DAYS)
    day = paper_day(Scene(street, recordings.load(FOLDER / "data", street)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Day, "_plan", lambda self, slot_s: None)
        for number, _ in enumerate(day.run()):
            if number == SNAPSHOT_AT:
                day.sequencer.save_snapshot()
        yield day


@pytest.mark.row("X8")
def test_a_recorded_week_replays_from_zero_to_the_same_root(week: Day) -> None:
    writer, store = week.sequencer, week.sequencer._store
    for keep in (False, True):
        found = replay(store.rows(), writer.state.community, keep=keep)
        assert (found.tree.root(), found.state.root()) == (writer.tree.root(), writer.state.root())
    assert writer.state.settled_to_s == epoch(week.terms.span.end)
    assert [found.state.accounts.total(commodity) for commodity in Commodity] == [0] * len(Commodity)
    assert len({entry.slot_s for entry in found.state.entries if entry.commodity is Commodity.ENERGY}) > 600


def test_a_recorded_week_goes_on_from_a_snapshot_within_it_to_the_same_root(week: Day) -> None:
    writer = week.sequencer
    found = resume(writer._store, writer.state.community)
    assert (found.tree.root(), found.state.root()) == (writer.tree.root(), writer.state.root())


def test_what_no_correction_can_reach_is_let_go_of(week: Day) -> None:
    state = week.sequencer.state
    kept = state.charter.correction_slots + 2
    assert len(state.readings) <= kept < DAYS * SLOTS_PER_DAY
    assert min(state.readings) >= state.horizon_s
    assert state.horizon_s == state.settled_to_s - state.charter.correction_slots * SLOT_SECONDS
