"""Auctions and reverse auctions through the log: who may bid when, who pays what, and where bonds go."""

from typing import Any

import pytest
from auction_hall import LASTS_S, SALT, SUNNY, Hall, sealed_reserve
from community import NAME, PREPAID, Flow

from commonwatt.flows.rulebook.market.auctions import auction_bodies as bodies
from commonwatt.flows.rulebook.market.auctions import auctioning
from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.flows.sequence import Sequencer
from commonwatt.market.auctions import Form, Good
from commonwatt.market.auctions.auction import Why
from commonwatt.model import SLOT_SECONDS, AccountId, Commodity, Kind, Outcome, Side
from commonwatt.simulator.world import salts

pytestmark = pytest.mark.row("E5")
BOND = 10_000
SEALED = [Form.FIRST_PRICE, Form.SECOND_PRICE]
ERGON, WATT = Commodity.ERGON, Commodity.WATT


def test_the_highest_english_bid_gets_the_watt_and_pays_in_the_same_instant() -> None:
    hall = Hall()
    name, outcome = hall.open(owner_bond_micro=BOND, bidder_bond_micro=BOND)
    assert outcome is Outcome.BOOKED
    assert hall.bid("ben", name, 99_999) is Outcome.OVER_LIMIT, "below the reserve price"
    assert hall.bid("ben", name, 100_000) is Outcome.BOOKED
    assert hall.bid("cleo", name, 100_000) is Outcome.OVER_LIMIT, "no step better"
    assert hall.bid("cleo", name, 200_000) is Outcome.BOOKED
    assert (hall.reserved("anna"), hall.reserved("anna", WATT), hall.reserved("cleo")) == (BOND, 500, BOND + 100_000)
    hall.at(hall.now_s + LASTS_S)
    assert hall.won(name) == [("cleo", 500, 200_000)]
    assert hall.fates(name) == {"ben": Why.OUTBID, "cleo": Why.WON}
    assert hall.entries("watt trade") == [("anna", "cleo", 500), ("cleo", "anna", 100_000)]
    assert hall.all_reserved() == 0 and hall.entries("bond forfeited") == []
    hall.check_rebuilt()


def test_a_bid_counts_from_the_start_until_the_end_and_no_second_longer() -> None:
    hall = Hall()
    begins_s = hall.now_s + 10
    name, _ = hall.open(start_s=begins_s)
    assert hall.bid("ben", name, 150_000) is Outcome.TOO_LATE
    hall.now_s = begins_s
    assert hall.bid("ben", name, 150_000) is Outcome.BOOKED
    hall.now_s = hall.auction(name).ends_s - 1
    assert hall.bid("cleo", name, 160_000) is Outcome.BOOKED
    hall.now_s = hall.auction(name).ends_s
    assert hall.bid("ben", name, 170_000) is Outcome.TOO_LATE
    assert hall.won(name) == [("cleo", 500, 160_000)]


def test_a_late_bid_extends_an_auction_so_often_and_no_more() -> None:
    hall = Hall()
    name, _ = hall.open(late_s=60, extend_s=120, most_extensions=2)
    end_s = hall.now_s + LASTS_S
    hall.now_s = end_s - 61
    assert hall.bid("ben", name, 110_000) is Outcome.BOOKED
    assert hall.auction(name).ends_s == end_s, "not late yet"
    hall.now_s = end_s - 60
    hall.bid("cleo", name, 120_000)
    assert hall.auction(name).ends_s == end_s + 120
    assert hall.bid("ben", name, 120_000) is Outcome.OVER_LIMIT
    assert hall.auction(name).extended == 1, "what is refused extends nothing"
    hall.now_s = end_s + 119
    hall.bid("ben", name, 130_000)
    assert hall.auction(name).ends_s == end_s + 240
    hall.now_s = end_s + 239
    assert hall.bid("cleo", name, 140_000) is Outcome.BOOKED
    assert hall.auction(name).ends_s == end_s + 240, "all extensions are used"
    hall.at(end_s + 240)
    assert hall.won(name) == [("cleo", 500, 140_000)]


@pytest.mark.parametrize(("form", "price"), [(Form.FIRST_PRICE, 180_000), (Form.SECOND_PRICE, 150_000)])
def test_sealed_bids_are_opened_after_the_end_and_the_best_wins(form: Form, price: int) -> None:
    hall = Hall()
    name, _ = hall.open(form=form, bidder_bond_micro=BOND)
    assert hall.seal("ben", name, 150_000) is Outcome.BOOKED
    assert hall.seal("cleo", name, 180_000) is Outcome.BOOKED
    assert hall.seal("cleo", name, 190_000) is Outcome.ALREADY_THERE
    assert hall.bid("utility", name, 150_000) is Outcome.NOT_ALLOWED
    assert hall.reveal("cleo", name, 180_000) is Outcome.NOT_ALLOWED, "shown early, it was never sealed"
    hall.now_s += LASTS_S
    assert hall.seal("utility", name, 1) is Outcome.TOO_LATE
    assert hall.reveal("cleo", name, 190_000) is Outcome.NOT_ALLOWED
    assert hall.reveal("cleo", name, 180_000, salt="6b" * 32) is Outcome.NOT_ALLOWED
    assert hall.reveal("cleo", name, 180_000) is Outcome.BOOKED
    assert hall.reveal("cleo", name, 180_000) is Outcome.ALREADY_THERE
    assert hall.reveal("ben", name, 150_000) is Outcome.BOOKED
    assert hall.reveal("utility", name, 1) is Outcome.UNKNOWN_THING
    hall.at(hall.now_s + 100)
    assert hall.won(name) == [("cleo", 500, price)]
    assert hall.reveal("ben", name, 150_000) is Outcome.TOO_LATE
    assert hall.entries("bond forfeited") == [] and hall.all_reserved() == 0
    hall.check_rebuilt()


@pytest.mark.parametrize("form", SEALED)
def test_no_sealed_price_is_in_the_state_before_it_is_revealed(form: Form) -> None:
    hall = Hall()
    name, _ = hall.open(form=form, reserve_hash=sealed_reserve("anna", 123_457))
    hall.seal("ben", name, 345_679)
    hall.now_s += LASTS_S - 1
    hall.reveal("ben", name, 345_679)
    hall.reveal_reserve("anna", name, 123_457)
    told = b"".join(hall.state.market_leaves())
    assert b"345679" not in told and b"123457" not in told and name.encode() in told
    hall.now_s += 1
    hall.reveal("ben", name, 345_679)
    hall.reveal_reserve("anna", name, 123_457)
    told = b"".join(hall.state.market_leaves())
    assert b"345679" in told and b"123457" in told


def test_equal_sealed_bids_are_ranked_by_the_place_of_their_commitment() -> None:
    hall = Hall()
    name, _ = hall.open(form=Form.FIRST_PRICE)
    hall.seal("cleo", name, 150_000)
    hall.seal("ben", name, 150_000)
    hall.now_s += LASTS_S
    hall.reveal("ben", name, 150_000)
    hall.reveal("cleo", name, 150_000)
    hall.at(hall.now_s + 100)
    assert hall.won(name) == [("cleo", 500, 150_000)]


def test_whoever_hides_a_sealed_bid_loses_the_bond_to_the_owner() -> None:
    hall = Hall()
    name, _ = hall.open(form=Form.SECOND_PRICE, bidder_bond_micro=BOND)
    hall.seal("ben", name, 150_000)
    hall.seal("cleo", name, 180_000)
    hall.now_s += LASTS_S
    hall.reveal("ben", name, 150_000)
    hall.at(hall.now_s + 100)
    assert hall.entries("bond forfeited") == [("cleo", "anna", BOND)]
    assert hall.fates(name) == {"ben": Why.WON, "cleo": Why.HID}
    assert hall.won(name) == [("ben", 500, 100_000)]


def test_a_bid_that_the_lot_does_not_allow_cannot_be_revealed() -> None:
    hall = Hall()
    name, _ = hall.open(form=Form.FIRST_PRICE, bidder_bond_micro=BOND)
    hall.seal("ben", name, 150_000, amount=499)
    hall.now_s += LASTS_S
    assert hall.reveal("ben", name, 150_000, amount=499) is Outcome.OVER_LIMIT
    hall.at(hall.now_s + 100)
    assert hall.entries("bond forfeited") == [("ben", "anna", BOND)]
    assert hall.why(name) is Why.NO_BID


def test_an_owner_who_hides_the_reserve_price_loses_the_bond_to_those_whose_bids_are_open() -> None:
    hall = Hall()
    told = sealed_reserve("anna", 150_000)
    name, _ = hall.open(form=Form.FIRST_PRICE, reserve_hash=told, owner_bond_micro=BOND + 1)
    for who in ("cleo", "ben", "utility"):
        hall.seal(who, name, 160_000)
    hall.now_s += LASTS_S
    hall.reveal("ben", name, 160_000)
    hall.reveal("cleo", name, 160_000)
    assert hall.reveal_reserve("ben", name, 150_000) is Outcome.NOT_ALLOWED
    assert hall.reveal_reserve("anna", name, 150_001) is Outcome.NOT_ALLOWED
    hall.at(hall.now_s + 100)
    assert hall.why(name) is Why.OWNER_HID
    assert hall.entries("bond forfeited") == [
        ("utility", "anna", bodies.BOND_MICRO),
        ("anna", "cleo", BOND // 2 + 1),
        ("anna", "ben", BOND // 2),
    ]
    assert hall.watt("anna") == 810 and hall.all_reserved() == 0


def test_whoever_seals_something_has_a_bond_to_lose_even_where_the_lot_does_not_say() -> None:
    hall = Hall()
    assert hall.open(form=Form.FIRST_PRICE, bidder_bond_micro=0)[1] is Outcome.OVER_LIMIT
    told = sealed_reserve("anna", 150_000)
    assert hall.open(reserve_hash=told, reveal_s=100, owner_bond_micro=0)[1] is Outcome.OVER_LIMIT
    name, _ = hall.open(form=Form.FIRST_PRICE, reserve_hash=told)
    assert hall.seal("ben", name, 160_000) is Outcome.BOOKED
    assert (hall.reserved("anna"), hall.reserved("ben")) == (bodies.BOND_MICRO, bodies.BOND_MICRO)
    hall.now_s += LASTS_S
    assert hall.reveal("ben", name, 160_000) is Outcome.BOOKED
    hall.at(hall.now_s + 100)
    assert hall.entries("bond forfeited") == [("anna", "ben", bodies.BOND_MICRO)], "no free look at what others bid"


def test_nobody_wins_an_english_auction_by_being_the_last_to_speak() -> None:
    hall = Hall()
    never = {"late_s": 0, "extend_s": 0, "most_extensions": 0}
    assert hall.open(**never)[1] is Outcome.OVER_LIMIT
    name, _ = hall.open()
    hall.now_s += LASTS_S - 1
    assert hall.bid("ben", name, 160_000) is Outcome.BOOKED
    hall.now_s += 59
    assert hall.bid("cleo", name, 170_000) is Outcome.BOOKED


@pytest.mark.parametrize("form", [Form.ENGLISH, Form.FIRST_PRICE, Form.SECOND_PRICE])
@pytest.mark.parametrize(("reserve", "why"), [(150_000, Why.SOLD), (160_001, Why.NO_BID)])
def test_a_sealed_reserve_price_that_is_revealed_decides(form: Form, reserve: int, why: Why) -> None:
    hall = Hall()
    told = sealed_reserve("anna", reserve)
    name, _ = hall.open(form=form, reserve_hash=told, reveal_s=100, owner_bond_micro=BOND)
    bid = hall.bid if form is Form.ENGLISH else hall.seal
    assert bid("ben", name, 160_000) is Outcome.BOOKED
    hall.now_s += LASTS_S
    if form is not Form.ENGLISH:
        hall.reveal("ben", name, 160_000)
    assert hall.reveal_reserve("anna", name, reserve) is Outcome.BOOKED
    assert hall.reveal_reserve("anna", name, reserve) is Outcome.ALREADY_THERE
    hall.at(hall.now_s + 100)
    assert hall.why(name) is why
    assert hall.fates(name) == {"ben": Why.WON if why is Why.SOLD else Why.BELOW_RESERVE}
    assert hall.entries("bond forfeited") == []


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


def test_watt_that_is_put_up_backs_nothing_else_and_comes_back_unsold() -> None:
    hall = Hall()
    name, _ = hall.open()
    given = wallets.Give(target="ben", commodity=WATT, amount=311)
    assert hall.ask("anna", Kind.TRANSFER, given) is Outcome.NOT_BACKED
    assert hall.open()[1] is Outcome.NOT_BACKED
    hall.at(hall.now_s + LASTS_S)
    assert hall.why(name) is Why.NO_BID
    assert hall.ask("anna", Kind.TRANSFER, given) is Outcome.BOOKED


def test_an_owner_whose_watt_was_called_meanwhile_loses_the_bond_to_the_winner() -> None:
    hall = Hall()
    name, _ = hall.open(owner_bond_micro=BOND, end_s=hall.now_s + SLOT_SECONDS + 100)
    hall.bid("ben", name, 150_000)
    hall.live(anna=Flow(load_wh=500, discharge_wh=500))
    assert hall.watt("anna") == 309
    hall.at(hall.now_s + 100)
    assert hall.why(name) is Why.OWNER_FAILED
    assert hall.entries("bond forfeited") == [("anna", "ben", BOND)]
    assert hall.fates(name) == {"ben": Why.NOTHING_SOLD}
    assert (hall.watt("anna"), hall.all_reserved()) == (309, 0)


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


def test_a_lot_is_taken_back_while_nobody_has_bid() -> None:
    hall = Hall()
    name, _ = hall.open(owner_bond_micro=BOND)
    assert hall.do("ben", bodies.TakeDown(auction=name)) is Outcome.NOT_ALLOWED
    assert hall.do("anna", bodies.TakeDown(auction=name)) is Outcome.BOOKED
    assert hall.why(name) is Why.WITHDRAWN and hall.all_reserved() == 0
    assert hall.bid("ben", name, 150_000) is Outcome.TOO_LATE
    assert hall.do("anna", bodies.TakeDown(auction=name)) is Outcome.TOO_LATE
    name, _ = hall.open()
    hall.bid("ben", name, 150_000)
    assert hall.do("anna", bodies.TakeDown(auction=name)) is Outcome.ALREADY_THERE


def test_who_has_no_wallet_or_owns_the_lot_does_not_bid() -> None:
    hall = Hall()
    name, _ = hall.open()
    assert hall.bid("anna", name, 150_000) is Outcome.NOT_ALLOWED
    assert hall.bid("dso", name, 150_000) is Outcome.NOT_ALLOWED
    assert hall.bid("operator", name, 150_000) is Outcome.NOT_ALLOWED
    assert hall.bid("ben", "99999", 150_000) is Outcome.UNKNOWN_THING
    assert hall.bid("ben", name, 150_000, 499) is Outcome.OVER_LIMIT, "the lot is sold whole"


def test_an_english_bid_becomes_better_and_never_smaller() -> None:
    hall = Hall()
    name, _ = hall.open(divisible=True)
    assert hall.bid("ben", name, 150_000, 300) is Outcome.BOOKED
    assert hall.bid("ben", name, 160_000, 299) is Outcome.OVER_LIMIT
    assert hall.bid("ben", name, 150_000, 400) is Outcome.OVER_LIMIT
    assert hall.bid("ben", name, 160_000, 300) is Outcome.BOOKED


def test_a_bid_without_money_is_not_backed_and_a_bond_is_not_bid_twice() -> None:
    hall = Hall(prepaid_micro=100_000)
    name, _ = hall.open(bidder_bond_micro=30_000)
    assert hall.bid("ben", name, 140_002) is Outcome.NOT_BACKED
    assert hall.bid("ben", name, 140_000) is Outcome.BOOKED
    assert hall.bid("ben", name, 140_002) is Outcome.NOT_BACKED, "a bid pays without its bond"
    sealed, _ = hall.open(form=Form.FIRST_PRICE, amount=300, bidder_bond_micro=70_001)
    assert hall.seal("ben", sealed, 1) is Outcome.NOT_BACKED


def test_an_account_has_so_many_auctions_and_bids_in_so_many() -> None:
    hall = Hall()
    for _ in range(auctioning.MOST_OF_OWNER):
        assert hall.open("anna", amount=1)[1] is Outcome.BOOKED
    assert hall.open("anna", amount=1)[1] is Outcome.OVER_LIMIT
    hall = Hall()
    hall.live(ben=SUNNY)
    names = [hall.open(who, side=Side.BID, amount=1)[0] for who in ("anna", "utility") for _ in range(32)]
    names.append(hall.open("cleo", side=Side.BID, amount=1)[0])
    assert {hall.bid("ben", name, 1, 1) for name in names[:-1]} == {Outcome.BOOKED}
    assert hall.bid("ben", names[-1], 1, 1) is Outcome.OVER_LIMIT
    assert hall.bid("ben", names[0], 0, 1) is Outcome.BOOKED, "a better bid is no new one"


def test_a_result_is_kept_until_no_correction_can_reach_it() -> None:
    hall = Hall(correction_slots=4)
    name, _ = hall.open()
    hall.at(hall.now_s + LASTS_S)
    for _ in range(5):
        hall.live()
        assert hall.state.auctions.get(name) is not None
    hall.live()
    hall.at(hall.now_s)
    assert hall.state.auctions.get(name) is None and hall.state.auctions.of_owner(AccountId("anna")) == 0
    hall.check_rebuilt()


def test_an_auction_that_was_interrupted_goes_on_from_a_snapshot() -> None:
    hall = Hall()
    name, _ = hall.open(bidder_bond_micro=BOND, late_s=60, extend_s=60, most_extensions=1)
    hall.bid("ben", name, 150_000)
    hall.sequencer.save_snapshot()
    hall.sequencer.close()
    hall.sequencer = Sequencer(hall.store, NAME, salts("tiny"))
    hall.now_s += LASTS_S - 1
    assert hall.bid("cleo", name, 160_000) is Outcome.BOOKED
    hall.at(hall.now_s + 1 + 60)
    assert hall.won(name) == [("cleo", 500, 160_000)]
    hall.check_rebuilt()


@pytest.mark.parametrize(
    "body",
    [
        {"what": "open"},
        {"what": "bid", "auction": "7", "amount": 0, "price_micro_per_kwh": 1},
        {"what": "bid", "auction": "x", "amount": 1, "price_micro_per_kwh": 1},
        {"what": "seal", "auction": "7", "hash": "00"},
        {"what": "reveal", "auction": "7", "amount": 1, "price_micro_per_kwh": 1, "salt": SALT, "more": 1},
        {"what": "reserve", "auction": "7", "price_micro_per_kwh": 10**9 + 1, "salt": SALT},
        {"what": "sell"},
    ],
)
def test_what_is_no_auctions_body_is_not_admitted(body: dict[str, Any]) -> None:
    hall = Hall()
    before = hall.roots()
    assert hall.send(hall.wire("anna", Kind.AUCTION, body)) is Outcome.MALFORMED
    assert hall.roots() == before


def test_terms_that_make_no_auction_are_refused_in_the_log() -> None:
    hall = Hall()
    assert hall.open(end_s=hall.now_s)[1] is Outcome.OVER_LIMIT
    assert hall.open(start_s=hall.now_s - 1)[1] is Outcome.TOO_LATE
    assert hall.open(start_s=hall.now_s + 32 * 86_400, end_s=hall.now_s + 33 * 86_400)[1] is Outcome.OVER_LIMIT
    assert hall.open(good=Good.SLOTS, from_s=hall.slot_s, to_s=hall.slot_s + SLOT_SECONDS)[1] is Outcome.OVER_LIMIT
    assert hall.state.auctions.items() == []
