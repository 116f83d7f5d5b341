"""A price that moves until somebody takes it: who takes which part, who pays, and what becomes of the rest."""

import pytest
from auction_hall import LASTS_S, Hall
from community import Flow

from commonwatt.flows.rulebook.market.auctions import auction_bodies as bodies
from commonwatt.flows.rulebook.market.auctions import auctioning
from commonwatt.market.auctions import Form
from commonwatt.market.auctions.auction import Why
from commonwatt.model import SLOT_SECONDS, Commodity, Outcome

pytestmark = pytest.mark.row("E5")
BOND = 10_000
WATT = Commodity.WATT


def test_a_dutch_price_falls_until_somebody_takes_it() -> None:
    hall = Hall()
    opened_s = hall.now_s
    name, _ = hall.open(form=Form.DUTCH, opening_price=300_000, step=10_000, tick_s=10)
    hall.now_s = opened_s + 49
    assert hall.bid("ben", name, 259_999) is Outcome.OVER_LIMIT, "it stands at 260,000"
    hall.now_s = opened_s + 50
    assert hall.bid("ben", name, 259_999) is Outcome.BOOKED
    assert hall.entries("watt trade") == [("anna", "ben", 500), ("ben", "anna", 125_000)]
    assert hall.won(name) == [("ben", 500, 250_000)]
    assert hall.bid("cleo", name, 300_000) is Outcome.TOO_LATE
    assert hall.all_reserved() == 0
    hall.check_rebuilt()


def test_a_dutch_lot_is_taken_in_parts_and_the_rest_comes_back() -> None:
    hall = Hall()
    name, _ = hall.open(form=Form.DUTCH, opening_price=300_000, step=100_000, tick_s=100, divisible=True)
    assert hall.bid("ben", name, 300_000, 100) is Outcome.BOOKED
    assert hall.reserved("anna", WATT) == 400
    hall.now_s += 100
    assert hall.bid("cleo", name, 300_000, 401) is Outcome.OVER_LIMIT
    assert hall.bid("cleo", name, 300_000, 300) is Outcome.BOOKED
    hall.at(hall.now_s + 200)
    assert hall.won(name) == [("ben", 100, 300_000), ("cleo", 300, 200_000)]
    assert (hall.watt("anna"), hall.all_reserved()) == (410, 0)


def test_parts_that_one_account_takes_at_one_price_are_one_award() -> None:
    hall = Hall()
    name, _ = hall.open(form=Form.DUTCH, opening_price=300_000, step=100_000, tick_s=100, divisible=True)
    for who, amount in (("ben", 100), ("cleo", 50), ("ben", 30)):
        assert hall.bid(who, name, 300_000, amount) is Outcome.BOOKED
    hall.now_s += 100
    assert hall.bid("ben", name, 300_000, 20) is Outcome.BOOKED
    hall.at(hall.now_s + LASTS_S)
    assert hall.won(name) == [("ben", 130, 300_000), ("cleo", 50, 300_000), ("ben", 20, 200_000)]
    assert hall.watt("ben") == 150 and hall.all_reserved() == 0
    hall.check_rebuilt()


def test_takers_of_a_dutch_price_are_counted_and_not_how_often_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auctioning, "MOST_BIDDERS", 2)
    monkeypatch.setattr(auctioning, "MOST_PRICES", 2)
    hall = Hall()
    terms = {"opening_price": 300_000, "step": 1_000, "tick_s": 10, "divisible": True}
    name, _ = hall.open("anna", Form.DUTCH, **terms)
    assert {hall.bid("cleo", name, 300_000, 1) for _ in range(5)} == {Outcome.BOOKED}
    assert hall.bid("ben", name, 300_000, 1) is Outcome.BOOKED
    assert hall.bid("utility", name, 300_000, 1) is Outcome.OVER_LIMIT
    hall.now_s += 10
    assert hall.bid("ben", name, 300_000, 1) is Outcome.BOOKED
    hall.now_s += 10
    assert hall.bid("ben", name, 300_000, 1) is Outcome.OVER_LIMIT, "at a third price"


def test_what_is_left_of_a_dutch_lot_can_be_withdrawn() -> None:
    hall = Hall()
    terms = {"opening_price": 300_000, "step": 1_000, "tick_s": 100, "divisible": True}
    name, _ = hall.open("anna", Form.DUTCH, owner_bond_micro=BOND, **terms)
    assert hall.bid("cleo", name, 300_000, 100) is Outcome.BOOKED
    assert hall.do("anna", bodies.TakeDown(auction=name)) is Outcome.BOOKED
    assert (hall.why(name), hall.won(name)) == (Why.SOLD, [("cleo", 100, 300_000)])
    assert hall.all_reserved() == 0
    assert hall.bid("ben", name, 300_000, 100) is Outcome.TOO_LATE
    other, _ = hall.open("anna", Form.DUTCH, **terms)
    assert hall.do("anna", bodies.TakeDown(auction=other)) is Outcome.BOOKED
    assert hall.why(other) is Why.WITHDRAWN
    hall.check_rebuilt()


def test_whoever_takes_a_dutch_price_can_pay_for_it() -> None:
    hall = Hall(prepaid_micro=100_000)
    name, _ = hall.open(form=Form.DUTCH, opening_price=300_000, step=100_000, tick_s=100, owner_bond_micro=BOND)
    assert hall.bid("ben", name, 300_000) is Outcome.NOT_BACKED
    hall.now_s += 100
    assert hall.bid("ben", name, 300_000) is Outcome.BOOKED
    assert hall.ergon("ben") == 0


def test_a_dutch_owner_who_cannot_deliver_loses_the_bond_to_the_taker() -> None:
    hall = Hall()
    terms = {"opening_price": 300_000, "step": 100, "tick_s": 100, "end_s": hall.now_s + 3 * SLOT_SECONDS}
    name, _ = hall.open(form=Form.DUTCH, owner_bond_micro=BOND, **terms)
    hall.live(anna=Flow(load_wh=500, discharge_wh=500))
    assert hall.bid("ben", name, 300_000) is Outcome.BOOKED
    assert hall.why(name) is Why.OWNER_FAILED
    assert hall.entries("bond forfeited") == [("anna", "ben", BOND)] and hall.entries("watt trade") == []
