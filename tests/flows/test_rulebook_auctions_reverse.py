"""Reverse auctions: who sells stored energy for less, and who loses a bond."""

from typing import Any

import pytest
from auction_hall import LASTS_S, SUNNY, Hall
from community import Flow

from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.market.auctions import Form
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


def test_a_seller_who_bids_keeps_the_watt_aside_until_somebody_is_cheaper() -> None:
    hall = Hall()
    hall.live(ben=SUNNY)
    name = utility_buys(hall, Form.ENGLISH)
    assert hall.bid("anna", name, 150_000, 300) is Outcome.BOOKED
    given = wallets.Give(target="cleo", commodity=WATT, amount=511)
    assert hall.ask("anna", Kind.TRANSFER, given) is Outcome.NOT_BACKED
    assert hall.bid("ben", name, 140_000, 300) is Outcome.BOOKED
    assert (hall.reserved("anna", WATT), hall.reserved("ben", WATT)) == (0, 300)
    assert hall.ask("anna", Kind.TRANSFER, given) is Outcome.BOOKED


def test_a_seller_whose_watt_was_called_meanwhile_loses_the_bond_to_the_buyer() -> None:
    hall = Hall()
    name = utility_buys(hall, Form.ENGLISH, bidder_bond_micro=BOND, end_s=hall.now_s + 2 * SLOT_SECONDS)
    assert hall.bid("anna", name, 150_000, 300) is Outcome.BOOKED
    hall.live(anna=Flow(load_wh=600, discharge_wh=600))
    hall.at(hall.auction(name).ends_s)
    assert hall.why(name) is Why.NO_BID
    assert hall.entries("bond forfeited") == [("anna", "utility", BOND)]
