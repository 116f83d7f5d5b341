"""What became of a DEMAND: summed from meters against what homes would have drawn, and no home to whom it is not."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lived import LivedStreet

from commonwatt.apps import calling, demanding
from commonwatt.apps.community import Community
from commonwatt.apps.views.following import _baseline, followed
from commonwatt.flows.gateway.letters import Called
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import GRID, SLOT_SECONDS, AccountId, AssetKind, Refused, round_div

RUNS = Seat(person="otto", role=Role.OPERATOR, account=AccountId("operator"))
HOUR_S = 3_600


@pytest.fixture
def community(lived_copy: LivedStreet) -> Iterator[Community]:
    found = Community(lived_copy.folder, lambda: lived_copy.end_s, lambda: None)
    found.catch_up()
    yield found
    found.close()


@pytest.mark.row("H6")
def test_what_homes_gave_is_the_three_hours_before_less_what_they_drew_and_no_home_is_named(
    community: Community, lived_copy: LivedStreet
) -> None:
    start_s = lived_copy.end_s - 2 * HOUR_S
    # From a quarter past to a quarter to, but for some minutes: one whole quarter-hour lies within.
    called = Called(id="peak", start_s=start_s + 300, end_s=start_s + 2_000)
    demanding.demand(community.folder, called, start_s)
    demanding.demand(community.folder, Called(id="later", start_s=lived_copy.end_s + 60, end_s=2_000_000_000), start_s)
    (one,) = followed(community, RUNS)
    meters = [one for one in community.state.assets.values() if one.kind is AssetKind.CONNECTION]
    first_s = start_s + SLOT_SECONDS

    def net_wh(from_s: int, to_s: int) -> int:
        told = (each.reading for meter in meters for each in community.chronicle.readings(meter.id, from_s, to_s))
        return sum(each.import_wh - each.export_wh for each in told)

    expected_wh = round_div(net_wh(first_s - 3 * HOUR_S, first_s), 12)
    assert (one.slots, one.asked, one.measured, one.against) == (1, 10, 10, "three_hours_before")
    assert (one.baseline_wh, one.actual_wh) == (expected_wh, net_wh(first_s, first_s + SLOT_SECONDS))
    assert one.delivered_wh == expected_wh - net_wh(first_s, first_s + SLOT_SECONDS)
    assert one.gave is not None and 0 <= one.gave <= 10 and one.homes == []
    assert (one.paid_micro, one.due_micro) == (0, 0)
    elsewhere = Seat(person="dora", role=Role.DSO, account=GRID, zones=("north",))
    assert [(each.asked, each.delivered_wh) for each in followed(community, elsewhere)] == [(0, None)]
    with pytest.raises(Refused, match="a broadcast is heard in every zone"):
        calling.call(community, elsewhere, 1_800)
    with pytest.raises(Refused):
        followed(community, Seat(person="m", role=Role.MEMBER, account=AccountId("member-01")))


def test_one_that_is_taken_back_or_replaced_holds_until_then(tmp_path: Path) -> None:
    for end_s in (1_000, 2_000):
        demanding.demand(tmp_path, Called(id="a", start_s=100, end_s=end_s), end_s // 2)
    assert [(one.told_s, one.end_s) for one in demanding.history(tmp_path)] == [(500, 1_000), (1_000, 2_000)]
    demanding.retract(tmp_path, "a", 1_500)
    assert [one.end_s for one in demanding.history(tmp_path)] == [1_000, 1_500]
    demanding.demand(tmp_path, Called(id="a", start_s=100, end_s=3_000), 1_600)
    demanding.demand(tmp_path, Called(id="a", start_s=100, end_s=4_000), 1_700)
    assert [one.end_s for one in demanding.history(tmp_path)] == [1_000, 1_500, 1_700, 4_000]


def test_with_five_like_days_they_are_what_is_expected_moved_by_the_hours_before(tmp_path: Path) -> None:
    at: Any = SimpleNamespace(folder=tmp_path, state=SimpleNamespace(charter=SimpleNamespace(timezone="Europe/London")))
    monday_s = 1_542_585_600  # 19 November 2018, 00:00
    day_s = 24 * HOUR_S
    slot_s = monday_s + 17 * HOUR_S
    before = range(slot_s - 3 * HOUR_S, slot_s, SLOT_SECONDS)
    days_s = [monday_s - ahead * day_s for ahead in (3, 4, 5, 6, 7, 10)]  # working days
    whole = {one - monday_s + start_s: 1_000 for start_s in days_s for one in (slot_s, *before)}
    whole |= dict.fromkeys(before, 1100) | {slot_s: 400}
    assert _baseline(at, whole, [slot_s], before) == ("ten_like_days", 1_100)
    # A day on which somebody was called is none like the others; with four left, the hours before stand in.
    for start_s in days_s[:2]:
        demanding.demand(tmp_path, Called(id=str(start_s), start_s=start_s, end_s=2_000_000_000), start_s)
    assert _baseline(at, whole, [slot_s], before) == ("three_hours_before", 1_100)
