"""Contracts as who runs the wires sees them, and as who pays for them does."""

from pathlib import Path

import pytest
from test_cli_prove import folder_of
from test_rulebook_contracting import PEAK, Contracting

from commonwatt.apps.community import Community
from commonwatt.apps.views.contracts import contracts
from commonwatt.apps.views.flexibility import OfferView, offers
from commonwatt.identity.seat import PUBLIC, Role, Seat
from commonwatt.model import GRID, AccountId, Outcome, Refused

DSO = Seat(person="dora", role=Role.DSO, account=GRID)
UTILITY = Seat(person="uma", role=Role.UTILITY, account=AccountId("utility"))


def _seen(folder: Path, seat: Seat) -> list[OfferView]:
    community = Community(folder, lambda: PEAK.end_s, lambda: None)
    try:
        community.catch_up()
        return offers(community, seat)
    finally:
        community.close()


@pytest.mark.row("W5")
def test_a_window_shows_what_was_promised_and_measured_to_who_pays_and_no_single_home_to_others(tmp_path: Path) -> None:
    lane = Contracting()
    offer = lane.offer(PEAK)
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer, charge_w=0) is Outcome.BOOKED
    lane.plan(PEAK.start_s, -2_000)
    lane.pass_to(PEAK.end_s)
    lane.meter(PEAK.start_s, *[(0, 500)] * 4)
    lane.pass_to(PEAK.end_s + 2_000)
    folder = folder_of(lane, tmp_path / "run")
    (seen,) = _seen(folder, UTILITY)
    (window,) = seen.windows
    assert (seen.offer, seen.contracts, window.status, window.direction) == (offer, 1, ["measured"], "give_back")
    assert (window.promised_wh, window.delivered_wh, window.due_micro, window.paid_micro) == (2_000, 2_000, 600_000, 0)
    (hidden,) = _seen(folder, DSO)[0].windows
    assert (hidden.contracts, hidden.promised_wh, hidden.delivered_wh, hidden.paid_micro) == (1, None, None, None)
    with pytest.raises(Refused):
        _seen(folder, PUBLIC)


@pytest.mark.row("W5")
def test_what_was_paid_for_a_window_is_proven_by_entries_that_both_sides_see_and_nobody_else(tmp_path: Path) -> None:
    lane = Contracting()
    offer = lane.offer(PEAK)
    assert (lane.guarantee(), lane.accept(offer, charge_w=0)) == (Outcome.BOOKED, Outcome.BOOKED)
    lane.plan(PEAK.start_s, -2_000)
    lane.pass_to(PEAK.end_s)
    lane.meter(PEAK.start_s, *[(0, 500)] * 4)
    lane.pass_to(PEAK.end_s + 2_000)
    lane.pass_to(PEAK.end_s + 8_000)
    folder = folder_of(lane, tmp_path / "run")
    community = Community(folder, lambda: PEAK.end_s, lambda: None)
    try:
        community.catch_up()
        ((window,),) = (list(one.windows) for one in offers(community, UTILITY))
        assert window.status == ["paid"] and window.paid_micro == 600_000
        entries = [community.chronicle.entry(number) for number in window.entries]
        assert [(one.memo, one.amount, one.target) for one in entries if one] == [
            ("flexibility payment", 600_000, "anna")
        ]
        anna = Seat(person="anna", role=Role.MEMBER, account=AccountId("anna"))
        (mine,) = contracts(community, anna, AccountId("anna"))
        assert [(one.paid_micro, one.entries) for one in mine.windows] == [(600_000, window.entries)]
        assert offers(community, DSO)[0].windows[0].entries == []
    finally:
        community.close()
