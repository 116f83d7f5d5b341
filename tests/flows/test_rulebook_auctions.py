"""Auctions and reverse auctions through the log: who may bid when, who pays what, and where bonds go."""

from typing import Any

import pytest
from auction_hall import LASTS_S, SALT, SUNNY, Hall, sealed_reserve
from community import NAME, Flow

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
