"""A past day to try something on: as meters told it, planned with all that came, and compared with how it went."""

import asyncio
from collections.abc import Iterator
from datetime import date

import pytest
from community import NOON, Community, Flow

from commonwatt.adapters.stores.chronicle import Chronicle
from commonwatt.apps.views.past_days import Within, past_day, past_days
from commonwatt.flows.chronicle import Chronicler
from commonwatt.flows.what_if import Change, changed, course
from commonwatt.model import SLOT_SECONDS, SLOTS_PER_DAY, AssetKind, InvalidValue, Refused, epoch

SECOND = date(2026, 6, 2)
WITHIN = Within(zone="lane", wear_micro_per_kwh={AssetKind.BATTERY: 0, AssetKind.VEHICLE: 0}, reserve_wh=0)
SUNNY, HOURS_TO_MIDNIGHT = range(36, 56), 11


@pytest.fixture(scope="module")
def lane() -> Community:
    """Three homes from noon on, through all of the second day; on that day anna has sun that nobody stores."""
    community = Community(3, priced_slots=200)
    for slot in range(4 * HOURS_TO_MIDNIGHT + SLOTS_PER_DAY + 8):
        sun = 900 if slot - 4 * HOURS_TO_MIDNIGHT in SUNNY else 0
        community.live(anna=Flow(load_wh=200, solar_wh=sun), ben=Flow(load_wh=250), cleo=Flow(load_wh=300))
    return community


@pytest.fixture
def told(lane: Community) -> Iterator[Chronicle]:
    with Chronicle() as chronicle:
        chronicler = Chronicler(lane.store)
        while chapter := chronicler.step():
            chronicle.add(chapter)
        yield chronicle


@pytest.mark.row("W2")
def test_a_day_that_is_over_is_planned_as_it_came_and_costs_no_more_than_it_did(
    lane: Community, told: Chronicle
) -> None:
    assert past_days(lane.state, told) == [SECOND], "the first began at noon, the third is not over"
    found = asyncio.run(past_day(lane.state, told, SECOND, WITHIN))
    known, was = found.known, found.was
    assert epoch(known.now) == NOON + HOURS_TO_MIDNIGHT * 3_600
    assert {name: set(wh) for name, wh in known.load_wh.items()} == {
        "anna-home": {200},
        "ben-home": {250},
        "cleo-home": {300},
    }
    assert sum(known.solar_wh["anna-solar"]) == 900 * len(SUNNY)  # type: ignore[index]
    assert (was.peak_w, len(was.exchange_w)) == (3_000, SLOTS_PER_DAY)
    assert was.exchange_w[SUNNY[0]] == (750 - 900) * 3_600 // SLOT_SECONDS
    as_is = course(known)
    assert as_is.demand_w == tuple(was.exchange_w), "without batteries it is the day as metered"
    assert as_is.cost_micro <= was.cost_micro, "who knows what came does no worse"
    more = course(changed(known, Change(day="2026-06-02", roofs=2), {}))
    assert more.made_wh == pytest.approx(as_is.made_wh * 5 / 3, rel=0.05)


def test_a_day_is_tried_only_where_it_was_told_whole_by_enough_homes(lane: Community, told: Chronicle) -> None:
    for day in (date(2026, 6, 1), date(2026, 6, 3), date(1, 1, 1), date(9999, 12, 31)):
        with pytest.raises(Refused, match="a past day is tried of which enough homes told"):
            asyncio.run(past_day(lane.state, told, day, WITHIN))
    told.forget([meter for meter in lane.state.assets if meter.endswith("-solar")][:1], lane.members[0])  # type: ignore[arg-type]
    with pytest.raises(Refused, match="homes that told of all of it"):
        asyncio.run(past_day(lane.state, told, SECOND, WITHIN))


@pytest.mark.parametrize("wrong", ["yesterday", "2026-13-01", "20260602x", "\N{ARABIC-INDIC DIGIT TWO}026-06-02"])
def test_what_is_no_day_is_no_change(wrong: str) -> None:
    with pytest.raises(InvalidValue, match="a day looks like"):
        Change(day=wrong)
