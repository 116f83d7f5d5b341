"""The story of a car at a charge point, lived on paper, with a kill between any two steps."""

import pytest
from charging_place import FEE, GATEWAY, POST, START_FEE, STATION, Plaza
from community import IMPORT, key
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_station import PaperStation

from commonwatt.flows.charge_session import Pens, step
from commonwatt.flows.rulebook import snapshot
from commonwatt.model import MICRO, AccountId, Commodity, Outcome, cost_micro
from commonwatt.simulator.car import PaperCar

PENS = Pens(
    car=key("zoe"),
    car_account=AccountId("zoe"),
    station=key(POST),
    station_account=AccountId(STATION),
    gateway=key(GATEWAY),
    gateway_account=AccountId(GATEWAY),
)
MINUTES = 75


class Story:
    """A plaza, a car and a station, minute by minute; the station's connection tells what its register did."""

    def __init__(self) -> None:
        self.plaza = Plaza()
        self.car = PaperCar(station=STATION, wants_wh=6_000, most_micro=5 * MICRO, lasts_s=7_200)
        self.station = PaperStation(power_w=11_000, shows_wh=123_456)
        self.outcomes: list[Outcome] = []
        self._told_wh = self.station.shows_wh

    def minute(self, *, killed: bool = False) -> None:
        """Let a minute pass and take the next step; one that is killed loses its requests before they are sent."""
        plaza = self.plaza
        now_s = plaza.now_s + 60
        if now_s % 900 == 0:
            shows_wh = self.station.register_wh(now_s)
            plaza.pass_slot(shows_wh - self._told_wh)
            self._told_wh = shows_wh
        plaza.now_s = now_s
        asked = self.car.asked
        wires = step(plaza.state, PENS, self.car, self.station, now_s)
        if killed:
            self.car.asked = asked  # a wish that was lost is wished again
            plaza.sequencer.state, _ = snapshot.load(snapshot.dump(plaza.state, now_s, plaza.sequencer.tree.root()))
        else:
            self.outcomes += plaza.sequencer.submit(wires, now_s)


@pytest.mark.row("E9")
def test_session_and_payment_run_unattended() -> None:
    story = Story()
    for _ in range(MINUTES):
        story.minute()
    assert set(story.outcomes) == {Outcome.BOOKED}
    (receipt,) = story.plaza.receipts()
    assert receipt.bill is not None
    wh = story.station.shows_wh - 123_456
    assert 6_000 <= wh < 6_000 + 200
    assert (receipt.session.ended_by, receipt.session.metered_wh, receipt.bill.energy_wh) == ("car", wh, wh)
    assert len(receipt.bill.lines) == 3
    assert abs(receipt.bill.due_micro - (cost_micro(wh, IMPORT + FEE) + START_FEE)) <= 3
    assert story.plaza.ergon("zoe") == 10 * MICRO - receipt.bill.due_micro


@pytest.mark.row("E9")
def test_a_station_whose_link_drops_stops_by_itself_and_is_read_later() -> None:
    story = Story()
    for minute in range(3 * MINUTES):
        story.station.linked = minute < 10
        story.station.readable = minute > 100
        story.minute()
    (receipt,) = story.plaza.receipts()
    assert receipt.bill is not None
    assert receipt.session.ended_by == "silence"
    assert receipt.session.metered_wh is not None
    assert receipt.session.metered_wh > receipt.bill.energy_wh == receipt.session.counted_wh > 0


@pytest.mark.row("E9")
@settings(max_examples=12, deadline=None)
@given(st.sets(st.integers(0, MINUTES - 1), max_size=30))
def test_a_kill_between_any_two_steps_loses_no_session_and_pays_once(kills: set[int]) -> None:
    story = Story()
    for minute in range(MINUTES + 30):
        story.minute(killed=minute in kills)
    (receipt,) = story.plaza.receipts()
    assert receipt.bill is not None
    wh = story.station.shows_wh - 123_456
    assert receipt.session.metered_wh == wh
    paid = story.plaza.entries("charging", Commodity.ERGON) + story.plaza.entries("charging corrected", Commodity.ERGON)
    assert paid == [("zoe", STATION, receipt.bill.due_micro)]
    assert story.plaza.reserved() == 0
