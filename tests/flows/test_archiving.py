from datetime import UTC, date, datetime

import pytest
from community import NAME, NOON, Community, Flow

from commonwatt.flows.archiving import take_day
from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook import snapshot
from commonwatt.model import AssetKind, Outcome, Refused, epoch

DAY = date(2026, 6, 1)
MIDNIGHT = epoch(datetime(2026, 6, 2, tzinfo=UTC))


def two_days() -> Community:
    """Return a community that lived from noon to noon, and a little longer."""
    town = Community(priced_slots=192)
    while town.now_s < MIDNIGHT + 3 * 900:
        town.live(anna=Flow(load_wh=100, solar_wh=300, charge_wh=200), ben=Flow(load_wh=250))
    return town


def test_a_day_holds_its_leaves_and_entries_and_readings_and_both_roots() -> None:
    town = two_days()
    taken = take_day(town.store, NAME, DAY)
    rows = [row for row in town.rows() if row.stamped_s < MIDNIGHT]
    assert taken.leaves == rows
    upto = replay(iter(rows), NAME, keep=True)
    assert (taken.log_root, taken.state_root) == (upto.tree.root(), upto.state.root())
    assert taken.entries == upto.state.entries
    assert taken.first_entry == 0
    slots = (MIDNIGHT - 900 - NOON) // 900
    assert len(taken.readings) == slots * (1 + 2 * 3)
    assert sum(one.item.import_wh for one in taken.readings if one.asset == "ben-home") == slots * 250


def test_the_second_day_goes_on_where_the_first_ended() -> None:
    town = two_days()
    while town.now_s < MIDNIGHT + 86_400:
        town.live(anna=Flow(load_wh=1))
    first = take_day(town.store, NAME, DAY)
    town.store.save_snapshot(first.leaves[-1].position + 1, first.snapshot)
    second = take_day(town.store, NAME, date(2026, 6, 2))
    assert second.leaves[0].position == first.leaves[-1].position + 1
    assert second.first_entry == len(first.entries)
    assert first.entries + second.entries == town.booked()[: second.first_entry + len(second.entries)]


def test_what_was_set_aside_is_no_reading_of_the_day() -> None:
    town = two_days()
    counted = len(take_day(town.store, NAME, DAY).readings)
    other = Community(priced_slots=192)
    told = {"anna-home": (10**6, 0)}
    other.now_s = NOON + 900
    other.report("gw-anna", NOON, told)
    while other.now_s < MIDNIGHT + 900:
        other.live(anna=Flow(load_wh=1))
    taken = take_day(other.store, NAME, DAY)
    assert max(one.item.import_wh for one in taken.readings) < 10**6
    assert counted


def test_what_came_too_late_or_before_its_meter_was_registered_is_no_reading_however_soon_that_is_forgotten() -> None:
    town = Community(priced_slots=192, correction_slots=4)
    while town.now_s < NOON + 10 * 900:
        town.live(silent=["ben"], anna=Flow(load_wh=1))
    assert town.report("gw-ben", NOON, {"ben-home": (77, 0)}) is Outcome.SET_ASIDE, "too long ago"
    late = town.slot_s - 900
    assert town.report("gw-ben", late, {"ben-home": (5, 0), "ben-car": (88, 0)}) is Outcome.SET_ASIDE, "not there yet"
    assert town.claim("ben", "ben-car", AssetKind.SOLAR) is Outcome.BOOKED
    while town.now_s < MIDNIGHT + 900:
        town.live(anna=Flow(load_wh=1))
    assert not town.state.set_aside, "forgotten by now"
    for keep in (False, True):
        if keep:
            first = take_day(town.store, NAME, DAY)
            town.store.save_snapshot(first.leaves[-1].position + 1, first.snapshot)
        told = [one for one in take_day(town.store, NAME, DAY).readings if one.item.import_wh in (5, 77, 88)]
        assert [(one.asset, one.item.start_s, one.item.import_wh) for one in told] == [("ben-home", late, 5)]


def test_a_day_that_is_not_over_or_had_nothing_in_it_is_not_archived() -> None:
    town = two_days()
    for day in (date(2026, 6, 2), date(2026, 5, 31)):
        with pytest.raises(Refused, match="over in the log"):
            take_day(town.store, NAME, day)


def test_the_snapshot_of_a_day_is_the_state_at_its_end() -> None:
    town = two_days()
    taken = take_day(town.store, NAME, DAY)
    state, last_s = snapshot.load(taken.snapshot)
    assert state.root() == taken.state_root
    assert last_s < MIDNIGHT
