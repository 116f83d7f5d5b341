"""Reverse auctions, and lots that are for later: who sells for less, what becomes of slots and of capacity."""

from typing import Any

import pytest
from auction_hall import LASTS_S, SUNNY, Hall
from community import LIMIT_W, Flow

from commonwatt.flows.rulebook.market.auctions import awarding
from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.market.auctions import Form, Good
from commonwatt.market.auctions.auction import Why
from commonwatt.model import MICRO, SLOT_SECONDS, Commodity, Kind, Outcome, Side

pytestmark = pytest.mark.row("E5")
BOND = 10_000
ERGON, WATT = Commodity.ERGON, Commodity.WATT


def utility_buys(hall: Hall, form: Form, **more: Any) -> str:
    name, outcome = hall.open("utility", form, side=Side.BID, amount=300, reserve_price=200_000, **more)
    assert outcome is Outcome.BOOKED
    return name


def test_in_a_reverse_english_auction_sellers_call_the_price_down() -> None:
    hall = Hall()
    hall.live(ben=SUNNY)
    name = utility_buys(hall, Form.ENGLISH, step=1_000)
    assert hall.bid("anna", name, 200_001, 300) is Outcome.OVER_LIMIT
    assert hall.bid("cleo", name, 200_000, 300) is Outcome.NOT_BACKED, "has no WATT"
    assert hall.bid("anna", name, 200_000, 300) is Outcome.BOOKED
    assert hall.bid("ben", name, 199_001, 300) is Outcome.OVER_LIMIT
    assert hall.bid("ben", name, 199_000, 300) is Outcome.BOOKED
    hall.at(hall.now_s + LASTS_S)
    assert hall.entries("watt trade") == [("ben", "utility", 300), ("utility", "ben", 59_700)]
    hall.check_rebuilt()


@pytest.mark.parametrize(("form", "price"), [(Form.FIRST_PRICE, 150_000), (Form.SECOND_PRICE, 180_000)])
def test_in_a_reverse_sealed_auction_the_cheapest_seller_wins(form: Form, price: int) -> None:
    hall = Hall()
    hall.live(ben=SUNNY)
    name = utility_buys(hall, form)
    hall.seal("anna", name, 150_000, 300)
    hall.seal("ben", name, 180_000, 300)
    hall.now_s += LASTS_S
    hall.reveal("anna", name, 150_000, 300)
    hall.reveal("ben", name, 180_000, 300)
    hall.at(hall.now_s + 100)
    assert hall.won(name) == [("anna", 300, price)]
    assert hall.watt("utility") == 300


def test_a_reverse_dutch_price_rises_until_somebody_sells() -> None:
    hall = Hall()
    name = utility_buys(hall, Form.DUTCH, opening_price=100_000, step=10_000, tick_s=60)
    assert hall.bid("anna", name, 120_000, 300) is Outcome.OVER_LIMIT
    hall.now_s += 120
    assert hall.bid("anna", name, 120_000, 300) is Outcome.BOOKED
    assert hall.entries("watt trade") == [("anna", "utility", 300), ("utility", "anna", 36_000)]


def test_a_buyer_who_has_not_the_money_at_the_end_loses_the_bond_to_the_seller() -> None:
    hall = Hall()
    name = utility_buys(hall, Form.ENGLISH, owner_bond_micro=BOND)
    hall.bid("anna", name, 200_000, 300)
    spent = wallets.Give(target="cleo", commodity=ERGON, amount=50 * MICRO - BOND)
    assert hall.ask("utility", Kind.TRANSFER, spent) is Outcome.BOOKED
    hall.at(hall.now_s + LASTS_S)
    assert hall.why(name) is Why.OWNER_FAILED
    assert hall.entries("bond forfeited") == [("utility", "anna", BOND)]
    assert hall.watt("anna") == 810


def test_a_seller_who_has_not_the_watt_at_the_end_loses_the_bond_to_the_buyer() -> None:
    hall = Hall()
    name = utility_buys(hall, Form.ENGLISH, bidder_bond_micro=BOND)
    hall.bid("anna", name, 150_000, 300)
    hall.ask("anna", Kind.TRANSFER, wallets.Give(target="cleo", commodity=WATT, amount=600))
    hall.at(hall.now_s + LASTS_S)
    assert hall.why(name) is Why.NO_BID
    assert hall.entries("bond forfeited") == [("anna", "utility", BOND)]


def slots(hall: Hall, count: int = 4, **more: Any) -> dict[str, Any]:
    from_s = hall.slot_s + 4 * SLOT_SECONDS
    return {"good": Good.SLOTS, "from_s": from_s, "to_s": from_s + count * SLOT_SECONDS} | more


def test_what_is_won_for_slots_becomes_trades_of_those_slots_and_is_paid_for_by_then() -> None:
    hall = Hall()
    window = slots(hall)
    name, outcome = hall.open("anna", divisible=True, **window | {"amount": 1_002})
    assert outcome is Outcome.BOOKED
    assert hall.bid("ben", name, 200_000, 402) is Outcome.BOOKED
    assert hall.bid("cleo", name, 150_000, 900) is Outcome.BOOKED
    assert awarding.trades(hall.state, window["from_s"]) == []
    hall.at(hall.now_s + LASTS_S)
    assert hall.won(name) == [("ben", 402, 200_000), ("cleo", 600, 150_000)]
    found = [awarding.trades(hall.state, window["from_s"] + n * SLOT_SECONDS) for n in range(-1, 5)]
    assert [[(t.buyer, t.seller, t.energy_wh, t.price_micro_per_kwh) for t in slot] for slot in found] == [
        [],
        [("ben", "anna", 101, 200_000), ("cleo", "anna", 150, 150_000)],
        [("ben", "anna", 101, 200_000), ("cleo", "anna", 150, 150_000)],
        [("ben", "anna", 100, 200_000), ("cleo", "anna", 150, 150_000)],
        [("ben", "anna", 100, 200_000), ("cleo", "anna", 150, 150_000)],
        [],
    ]
    assert hall.reserved("ben") == 80_404, "with half a micro's rounding for each slot"
    hall.check_rebuilt()
    while hall.state.settled_to_s < window["to_s"]:
        assert hall.reserved("ben") == 80_404
        hall.live()
    hall.at(hall.now_s)
    assert hall.all_reserved() == 0


def test_nobody_wins_more_for_a_slot_than_their_fuse_bears() -> None:
    hall = Hall()
    most_wh = LIMIT_W // 4
    window = slots(hall)
    assert hall.open("anna", **window | {"amount": 4 * most_wh + 1})[1] is Outcome.OVER_LIMIT
    assert hall.open("anna", **window | {"amount": 4 * most_wh})[1] is Outcome.BOOKED
    name, outcome = hall.open("utility", side=Side.BID, divisible=True, **window | {"amount": 10**6})
    assert outcome is Outcome.BOOKED, "a utility's wires are not the feeder's to know"
    assert hall.bid("anna", name, 1, 4 * most_wh + 1) is Outcome.OVER_LIMIT
    assert hall.bid("anna", name, 1, 4 * most_wh) is Outcome.BOOKED


def test_capacity_is_bought_down_and_paid_once_it_was_held() -> None:
    hall = Hall()
    window = slots(hall) | {"good": Good.UP, "amount": 6_000, "reserve_price": 100_000}
    name, outcome = hall.open("utility", side=Side.BID, divisible=True, **window)
    assert outcome is Outcome.BOOKED
    assert hall.bid("anna", name, 80_000, 4_000) is Outcome.BOOKED
    assert hall.bid("ben", name, 90_000, 4_000) is Outcome.BOOKED
    assert hall.bid("cleo", name, 100_000, 2 * LIMIT_W + 1) is Outcome.OVER_LIMIT
    hall.at(hall.now_s + LASTS_S)
    assert hall.won(name) == [("anna", 4_000, 80_000), ("ben", 2_000, 90_000)]
    assert hall.reserved("utility") == 320_000 + 180_000
    hall.at(window["to_s"] - 1)
    assert hall.entries("capacity") == []
    hall.at(window["to_s"])
    assert hall.entries("capacity") == [("utility", "anna", 320_000), ("utility", "ben", 180_000)]
    assert hall.all_reserved() == 0
    hall.check_rebuilt()


@pytest.mark.row("E5")
def test_what_was_won_for_a_slot_is_settled_at_its_own_price_from_what_meters_counted() -> None:
    hall = Hall()
    window = slots(hall)
    name, _ = hall.open("anna", **window | {"amount": 1_000})
    assert hall.bid("ben", name, 200_000, 1_000) is Outcome.BOOKED
    hall.at(hall.now_s + LASTS_S)
    while hall.slot_s < window["from_s"]:
        hall.live()
    hall.live(anna=Flow(solar_wh=200), ben=Flow(load_wh=300))
    # A thousand over four slots are 250 in each, of which anna delivers what she has.
    assert hall.entries("trade", Commodity.ENERGY) == [("anna", "ben", 200)]
    assert hall.entries("trade", Commodity.ERGON) == [("ben", "anna", 40_000)]
    assert hall.entries("grid import", Commodity.ENERGY)[-1][2] == 100
