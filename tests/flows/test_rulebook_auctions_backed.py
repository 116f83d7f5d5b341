"""What a bid stands on: the price that is kept aside for it, the room for what is won, and who loses a bond without."""

from typing import Any

import pytest
from auction_hall import LASTS_S, SUNNY, Hall
from community import PREPAID, Flow

from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.market.auctions import Form
from commonwatt.market.auctions.auction import Why
from commonwatt.model import SLOT_SECONDS, Commodity, Kind, Outcome

pytestmark = pytest.mark.row("E5")
BOND = 10_000
ERGON = Commodity.ERGON


def test_a_bid_that_would_win_keeps_its_price_aside_until_it_is_outbid() -> None:
    hall = Hall()
    name, _ = hall.open(bidder_bond_micro=BOND)
    assert hall.bid("ben", name, 150_000) is Outcome.BOOKED
    assert hall.reserved("ben") == BOND + 75_000
    assert hall.bid("ben", name, 160_000) is Outcome.BOOKED
    assert hall.reserved("ben") == BOND + 80_000, "in place of what the bid before kept"
    spent = wallets.Give(target="utility", commodity=ERGON, amount=PREPAID - BOND - 80_000 + 1)
    assert hall.ask("ben", Kind.TRANSFER, spent) is Outcome.NOT_BACKED
    assert hall.bid("cleo", name, 170_000) is Outcome.BOOKED
    assert (hall.reserved("ben"), hall.reserved("cleo")) == (BOND, BOND + 85_000)
    assert hall.ask("ben", Kind.TRANSFER, spent) is Outcome.BOOKED
    hall.check_rebuilt()


def test_of_a_lot_in_parts_those_keep_their_prices_aside_who_would_get_some() -> None:
    hall = Hall()
    name, _ = hall.open(divisible=True)
    assert hall.bid("ben", name, 150_000, 300) is Outcome.BOOKED
    assert hall.bid("cleo", name, 160_000, 300) is Outcome.BOOKED
    assert (hall.reserved("ben"), hall.reserved("cleo")) == (45_000, 48_000), "ben is left with 200 of 300"
    assert hall.bid("utility", name, 170_000, 200) is Outcome.BOOKED
    assert [hall.reserved(who) for who in ("ben", "cleo", "utility")] == [0, 48_000, 34_000]


def test_one_wallet_does_not_stand_behind_eight_lots() -> None:
    hall = Hall(prepaid_micro=0)
    hall.pay("ben", 100_000, "all there is")
    names = [hall.open("anna", amount=100)[0] for _ in range(8)]
    bids = [hall.bid("ben", name, 900_000, 100) for name in names]
    assert bids == [Outcome.BOOKED] + 7 * [Outcome.NOT_BACKED]


def test_nobody_keeps_others_out_with_money_that_is_gone_by_the_end() -> None:
    hall = Hall()
    name, _ = hall.open()
    assert hall.bid("ben", name, 100_000) is Outcome.BOOKED
    assert hall.bid("cleo", name, 9_000_000) is Outcome.BOOKED
    gone = wallets.Give(target="ben", commodity=ERGON, amount=hall.ergon("cleo"))
    assert hall.ask("cleo", Kind.TRANSFER, gone) is Outcome.NOT_BACKED
    hall.at(hall.now_s + LASTS_S)
    assert hall.won(name) == [("cleo", 500, 9_000_000)]


def test_a_sealed_bid_keeps_its_price_aside_from_its_reveal_or_is_none() -> None:
    hall = Hall()
    name, _ = hall.open(form=Form.SECOND_PRICE, bidder_bond_micro=BOND)
    for who, price in (("ben", 150_000), ("cleo", 180_000)):
        assert hall.seal(who, name, price) is Outcome.BOOKED
    spent = wallets.Give(target="utility", commodity=ERGON, amount=PREPAID - BOND)
    assert hall.ask("cleo", Kind.TRANSFER, spent) is Outcome.BOOKED
    hall.now_s += LASTS_S
    assert hall.reveal("ben", name, 150_000) is Outcome.BOOKED
    assert hall.reserved("ben") == BOND + 75_000
    assert hall.reveal("cleo", name, 180_000) is Outcome.NOT_BACKED
    hall.at(hall.now_s + 100)
    assert hall.entries("bond forfeited") == [("cleo", "anna", BOND)]
    assert hall.won(name) == [("ben", 500, 100_000)] and hall.all_reserved() == 0


class Lights(Hall):
    """Cleo bids all that she has, and owes for her house before it is due."""

    def cleo_bids_and_owes(self, **more: Any) -> str:
        self.now_s = self.slot_s + SLOT_SECONDS - 200
        name, _ = self.open(bidder_bond_micro=BOND, end_s=self.now_s + LASTS_S, **more)
        assert self.bid("ben", name, 150_000) is Outcome.BOOKED
        assert self.bid("cleo", name, 2 * (PREPAID - BOND) // 1000 * 1000) is Outcome.BOOKED
        self.live(cleo=Flow(load_wh=5_000))
        assert self.ergon("cleo") == PREPAID - 1_500_000
        return name


def test_a_winner_who_does_not_pay_loses_the_bond_and_the_next_one_wins() -> None:
    hall = Lights()
    name = hall.cleo_bids_and_owes()
    hall.at(hall.auction(name).ends_s)
    assert hall.entries("bond forfeited") == [("cleo", "anna", BOND)]
    assert hall.won(name) == [("ben", 500, 150_000)]
    assert hall.fates(name) == {"ben": Why.WON, "cleo": Why.FAILED}


def test_whoever_was_outbid_is_free_of_the_bid_and_loses_nothing_where_the_lot_falls_back_to_them() -> None:
    hall = Lights()
    name = hall.cleo_bids_and_owes()
    spent = wallets.Give(target="utility", commodity=ERGON, amount=PREPAID - BOND)
    assert hall.ask("ben", Kind.TRANSFER, spent) is Outcome.BOOKED
    hall.at(hall.auction(name).ends_s)
    assert hall.why(name) is Why.NO_BID
    assert hall.fates(name) == {"ben": Why.NOTHING_SOLD, "cleo": Why.FAILED}
    assert hall.entries("bond forfeited") == [("cleo", "anna", BOND)] and hall.all_reserved() == 0


def test_a_bond_pays_towards_the_price() -> None:
    hall = Hall()
    name, _ = hall.open(bidder_bond_micro=BOND, end_s=hall.now_s + 2 * SLOT_SECONDS)
    price_micro = PREPAID - 20_000
    assert hall.bid("cleo", name, 2 * price_micro) is Outcome.BOOKED
    hall.live(cleo=Flow(load_wh=60))
    assert hall.ergon("cleo") == PREPAID - 18_000 < price_micro + BOND
    hall.at(hall.auction(name).ends_s)
    assert hall.won(name) == [("cleo", 500, 2 * price_micro)]
    assert hall.ergon("cleo") == 2_000


def test_a_winner_without_room_does_not_perform() -> None:
    hall = Hall(b_max_wh=900)
    name, _ = hall.open(bidder_bond_micro=BOND, end_s=hall.now_s + 2 * SLOT_SECONDS)
    assert hall.bid("ben", name, 150_000) is Outcome.BOOKED
    hall.live(ben=SUNNY)
    hall.at(hall.auction(name).ends_s)
    assert hall.why(name) is Why.NO_BID and hall.fates(name) == {"ben": Why.FAILED}


def test_nobody_bids_for_watt_without_room_for_all_that_they_would_win() -> None:
    hall = Hall(b_max_wh=1_000, grace_slots=0)
    hall.live(ben=Flow(solar_wh=500, charge_wh=500))
    assert hall.watt("ben") == 405
    name, _ = hall.open(amount=400)
    other, _ = hall.open(amount=400, divisible=True)
    assert hall.bid("ben", name, 150_000, 400) is Outcome.BOOKED
    assert hall.bid("ben", other, 150_000, 196) is Outcome.OVER_LIMIT
    assert hall.bid("ben", other, 150_000, 195) is Outcome.BOOKED
    assert hall.bid("cleo", name, 200_000, 400) is Outcome.BOOKED
    assert hall.bid("ben", other, 160_000, 400) is Outcome.BOOKED, "outbid, there is room again"


def test_a_bid_without_money_is_not_backed_and_a_bond_is_not_bid_twice() -> None:
    hall = Hall(prepaid_micro=100_000)
    name, _ = hall.open(bidder_bond_micro=30_000)
    assert hall.bid("ben", name, 140_002) is Outcome.NOT_BACKED
    assert hall.bid("ben", name, 140_000) is Outcome.BOOKED
    assert hall.bid("ben", name, 140_002) is Outcome.NOT_BACKED, "a bid pays without its bond"
    sealed, _ = hall.open(form=Form.FIRST_PRICE, amount=300, bidder_bond_micro=70_001)
    assert hall.seal("ben", sealed, 1) is Outcome.NOT_BACKED
