"""Lots that are for later: who may sell and buy energy of slots and capacity, who pays, and who was there."""

from typing import Any

import pytest
from auction_hall import LASTS_S, Hall
from community import EXPORT, IMPORT, LIMIT_W, Flow

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.market.auctions import auction_bodies
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms
from commonwatt.flows.rulebook.tokens import wallet_bodies
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.flows.sequence import Sequencer
from commonwatt.market.auctions import Form, Good
from commonwatt.market.auctions.auction import Why
from commonwatt.metering.batch import Quality
from commonwatt.model import SLOT_SECONDS, AccountId, AssetKind, Commodity, Kind, Outcome, Side
from commonwatt.simulator.world import salts

pytestmark = pytest.mark.row("E5")
BOND = 10_000
SLOT_WH = LIMIT_W // 4
"""What a fuse bears in a slot."""
ERGON = Commodity.ERGON


def slots(hall: Hall, count: int = 4, **more: Any) -> dict[str, Any]:
    from_s = hall.slot_s + 4 * SLOT_SECONDS
    return {"good": Good.SLOTS, "from_s": from_s, "to_s": from_s + count * SLOT_SECONDS} | more


def capacity(hall: Hall, count: int = 4, **more: Any) -> dict[str, Any]:
    return slots(hall, count) | {"good": Good.UP, "amount": 6_000, "reserve_price": 100_000, "side": Side.BID} | more


def sold_to_ben(hall: Hall, **more: Any) -> tuple[str, dict[str, Any]]:
    """Let ben win 1,000 Wh a slot of anna at 0.20."""
    window = slots(hall) | {"amount": 4_000} | more
    name, outcome = hall.open("anna", **window)
    assert outcome is Outcome.BOOKED
    assert hall.bid("ben", name, 200_000, 4_000) is Outcome.BOOKED
    hall.at(hall.now_s + LASTS_S)
    return name, window


def test_what_is_won_for_slots_becomes_trades_of_those_slots() -> None:
    hall = Hall()
    window = slots(hall)
    name, outcome = hall.open("anna", divisible=True, **window | {"amount": 1_002})
    assert outcome is Outcome.BOOKED
    assert hall.bid("ben", name, 200_000, 402) is Outcome.BOOKED
    assert hall.bid("cleo", name, 150_000, 900) is Outcome.BOOKED
    assert hall.state.auctions.trades(window["from_s"]) == []
    hall.at(hall.now_s + LASTS_S)
    assert hall.won(name) == [("ben", 402, 200_000), ("cleo", 600, 150_000)]
    found = [hall.state.auctions.trades(window["from_s"] + n * SLOT_SECONDS) for n in range(-1, 5)]
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
    hall.live_until(window["to_s"])
    assert hall.all_reserved() == 0


def test_many_small_parts_of_a_lot_give_no_slot_more_than_its_share_of_the_whole() -> None:
    hall = Hall()
    window = slots(hall)
    name, _ = hall.open("anna", Form.DUTCH, divisible=True, **window | _dutch(amount=7))
    for who, amount in (("ben", 1), ("cleo", 2), ("ben", 1), ("cleo", 3)):
        assert hall.bid(who, name, 300_000, amount) is Outcome.BOOKED
    told = [hall.state.auctions.trades(window["from_s"] + n * SLOT_SECONDS) for n in range(4)]
    assert [sum(trade.energy_wh for trade in slot) for slot in told] == [2, 2, 2, 1]
    assert sum(trade.energy_wh for slot in told for trade in slot if trade.buyer == "ben") == 2


def test_what_is_kept_aside_for_slots_shrinks_as_they_are_settled() -> None:
    hall = Hall()
    _, window = sold_to_ben(hall)
    assert hall.reserved("ben") == 800_004
    hall.live_until(window["from_s"])
    for left in (600_003, 400_002, 200_001, 0):
        before = free(hall.state, AccountId("ben"), ERGON)
        hall.live(anna=Flow(solar_wh=1_000), ben=Flow(load_wh=1_000))
        assert hall.reserved("ben") == left
        assert free(hall.state, AccountId("ben"), ERGON) == before + 1, "what was paid had been kept for it"
        hall.check_rebuilt()
    assert hall.entries("trade", ERGON) == 4 * [("ben", "anna", 200_000)]


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
    assert hall.entries("trade", ERGON) == [("ben", "anna", 40_000)]
    assert hall.entries("grid import", Commodity.ENERGY)[-1][2] == 100


@pytest.mark.parametrize("side", Side)
def test_who_has_no_meter_neither_sells_nor_buys_energy_of_slots(side: Side) -> None:
    hall = Hall()
    assert hall.open("utility", side=side, **slots(hall))[1] is Outcome.NOT_ALLOWED
    for form in (Form.ENGLISH, Form.FIRST_PRICE, Form.DUTCH):
        name, outcome = hall.open("anna", form, side=side, **slots(hall) | (_dutch(side) if form is Form.DUTCH else {}))
        assert outcome is Outcome.BOOKED
        bid = hall.seal if form is Form.FIRST_PRICE else hall.bid
        assert bid("utility", name, 100_000) is Outcome.NOT_ALLOWED
        assert bid("ben", name, 100_000 if form is not Form.DUTCH or side is Side.BID else 300_000) is Outcome.BOOKED


def _dutch(side: Side = Side.ASK, **more: Any) -> dict[str, Any]:
    opening = 300_000 if side is Side.ASK else 100_000
    return {"opening_price": opening, "reserve_price": 200_000, "step": 50_000, "tick_s": 100} | more


def test_where_sharing_follows_metering_nothing_of_slots_is_put_up() -> None:
    hall = Hall(settlement=SettlementTerms(ex_post=True))
    assert hall.open("anna", **slots(hall))[1] is Outcome.NOT_ALLOWED
    assert hall.open("utility", **capacity(hall))[1] is Outcome.BOOKED
    assert hall.open("anna")[1] is Outcome.BOOKED, "what is stored can be sold"


class Streets(Hall):
    """Anna and ben live in the east, where wires cost 0.05; cleo in the west."""

    def _move_in(self, member: str) -> list[Outcome]:
        zone = "west" if member == "cleo" else "east"
        return [
            self.claim(member, f"{member}-home", AssetKind.CONNECTION, zone=zone),
            self.claim(member, f"{member}-solar", AssetKind.SOLAR),
            self.claim(
                member, f"{member}-battery", AssetKind.BATTERY, capacity_wh=9_000, charge_permille=900,
                discharge_permille=900,
            ),
            self.agree(member, f"{member}-battery"),
        ]  # fmt: skip

    def zone(self, name: str, **more: Any) -> None:
        assert self.ask("operator", Kind.REGISTER, bodies.RegisterZone(zone=name, **more)) is Outcome.BOOKED


def test_a_lot_of_slots_stays_in_its_owners_zone_and_pays_for_its_wires() -> None:
    hall = Streets()
    hall.zone("east", fee_micro_per_kwh=50_000)
    hall.zone("west")
    window = slots(hall) | {"amount": 4_000}
    name, _ = hall.open("anna", **window)
    assert hall.bid("cleo", name, 250_000, 4_000) is Outcome.NOT_ALLOWED, "borders are the slot market's"
    assert hall.bid("ben", name, 200_000, 4_000) is Outcome.BOOKED
    assert hall.reserved("ben") == 1_000_004, "the price and the fee"
    hall.zone("east", fee_micro_per_kwh=90_000)
    hall.at(hall.now_s + LASTS_S)
    hall.live_until(window["to_s"], anna=Flow(solar_wh=1_000), ben=Flow(load_wh=1_000))
    assert hall.entries("trade", ERGON) == 4 * [("ben", "anna", 200_000)]
    assert hall.entries("grid fee") == 4 * [("ben", "grid-fees", 50_000)], "as it was when the lot was put up"
    assert hall.all_reserved() == 0
    hall.check_rebuilt()


def test_without_zones_everybody_bids_for_slots() -> None:
    hall = Streets()
    name, _ = hall.open("anna", **slots(hall))
    assert hall.bid("cleo", name, 250_000) is Outcome.BOOKED


def test_no_lot_is_more_than_the_fuse_bears() -> None:
    hall = Hall()
    window = slots(hall)
    assert hall.open("anna", **window | {"amount": 4 * SLOT_WH + 1})[1] is Outcome.OVER_LIMIT
    assert hall.open("anna", **window | {"amount": 4 * SLOT_WH})[1] is Outcome.BOOKED
    name, _ = hall.open("cleo", side=Side.BID, **window | {"amount": 4 * SLOT_WH})
    assert hall.bid("ben", name, 1, 4 * SLOT_WH) is Outcome.BOOKED


def test_all_lots_of_an_owner_together_are_no_more_than_the_fuse_bears() -> None:
    hall = Hall()
    window = slots(hall)
    outcomes = [hall.open("anna", **window | {"amount": 2 * SLOT_WH})[1] for _ in range(3)]
    assert outcomes == [Outcome.BOOKED, Outcome.BOOKED, Outcome.OVER_LIMIT]
    behind = {"from_s": window["to_s"], "to_s": window["to_s"] + SLOT_SECONDS}
    assert hall.open("anna", **window | behind | {"amount": SLOT_WH})[1] is Outcome.BOOKED, "another slot"
    across = {"from_s": window["to_s"] - SLOT_SECONDS, "to_s": window["to_s"] + SLOT_SECONDS}
    assert hall.open("anna", **window | across | {"amount": 2})[1] is Outcome.OVER_LIMIT
    assert hall.open("anna", side=Side.BID, **window | {"amount": 4 * SLOT_WH})[1] is Outcome.BOOKED, "the other way"


def test_what_is_won_or_would_be_counts_against_the_fuse_until_it_is_lost() -> None:
    hall = Hall()
    window = slots(hall, 1) | {"amount": SLOT_WH}
    first, _ = hall.open("anna", **window)
    second, _ = hall.open("cleo", **window)
    assert hall.bid("ben", first, 100_000, SLOT_WH) is Outcome.BOOKED
    assert hall.bid("ben", second, 100_000, SLOT_WH) is Outcome.OVER_LIMIT
    assert hall.bid("cleo", first, 110_000, SLOT_WH) is Outcome.BOOKED
    assert hall.bid("ben", second, 100_000, SLOT_WH) is Outcome.BOOKED
    assert hall.bid("ben", first, 120_000, SLOT_WH) is Outcome.OVER_LIMIT
    hall.at(hall.now_s + LASTS_S)
    assert (hall.won(first)[0][0], hall.won(second)[0][0]) == ("cleo", "ben")
    assert hall.order("ben", Side.BID, 1, IMPORT, window["from_s"]) is Outcome.OVER_LIMIT


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("side", Side)
def test_lots_and_orders_of_a_slot_share_one_fuse(side: Side, batched: bool) -> None:
    hall = Hall()
    window = slots(hall)
    name, _ = hall.open("anna", side=side, **window | {"amount": 4 * SLOT_WH - 400})
    price = EXPORT if side is Side.ASK else IMPORT

    def order(energy_wh: int, slot_s: int) -> Outcome:
        if batched:
            return hall.orders("anna", (slot_s, -energy_wh if side is Side.ASK else energy_wh, price, 0))
        return hall.order("anna", side, energy_wh, price, slot_s)

    assert order(101, window["from_s"]) is Outcome.OVER_LIMIT
    assert order(100, window["from_s"]) is Outcome.BOOKED
    assert order(SLOT_WH, window["to_s"]) is Outcome.BOOKED, "no lot is for that slot"
    last_s = window["to_s"] - SLOT_SECONDS
    assert order(60, last_s) is Outcome.BOOKED
    assert hall.open("anna", side=side, **window | {"from_s": last_s, "amount": 41})[1] is Outcome.OVER_LIMIT
    assert hall.open("anna", side=side, **window | {"from_s": last_s, "amount": 40})[1] is Outcome.BOOKED
    assert hall.do("anna", auction_bodies.TakeDown(auction=name)) is Outcome.BOOKED
    assert order(SLOT_WH - 100, window["from_s"]) is Outcome.BOOKED


def test_a_revealed_bid_counts_against_the_fuse_too() -> None:
    hall = Hall()
    window = slots(hall, 1) | {"amount": SLOT_WH, "bidder_bond_micro": BOND}
    names = [hall.open(who, Form.FIRST_PRICE, **window)[0] for who in ("anna", "cleo")]
    for name in names:
        assert hall.seal("ben", name, 150_000, SLOT_WH) is Outcome.BOOKED
    hall.now_s += LASTS_S
    assert hall.reveal("ben", names[0], 150_000, SLOT_WH) is Outcome.BOOKED
    assert hall.reveal("ben", names[1], 150_000, SLOT_WH) is Outcome.OVER_LIMIT
    hall.at(hall.now_s + 100)
    assert hall.entries("bond forfeited") == [("ben", "cleo", BOND)]


def test_capacity_is_bought_down_and_paid_to_whoever_was_heard_all_the_while() -> None:
    hall = Hall()
    window = capacity(hall, divisible=True)
    name, outcome = hall.open("utility", **window)
    assert outcome is Outcome.BOOKED
    assert hall.bid("anna", name, 80_000, 4_000) is Outcome.BOOKED
    assert hall.bid("ben", name, 90_000, 4_000) is Outcome.BOOKED
    hall.at(hall.now_s + LASTS_S)
    assert hall.won(name) == [("anna", 4_000, 80_000), ("ben", 2_000, 90_000)]
    assert hall.reserved("utility") == 320_000 + 180_000
    hall.live_until(window["to_s"] - SLOT_SECONDS)
    hall.at(window["to_s"])
    assert hall.entries("capacity") == [], "the last slot is not settled"
    hall.now_s -= SLOT_SECONDS
    hall.live_until(window["to_s"])
    assert hall.entries("capacity") == [("utility", "anna", 320_000), ("utility", "ben", 180_000)]
    assert hall.all_reserved() == 0
    hall.check_rebuilt()


def test_capacity_of_whoever_was_silent_in_one_slot_is_not_paid_and_costs_the_bond() -> None:
    hall = Hall(correction_slots=4)
    window = capacity(hall, count=8, divisible=True, bidder_bond_micro=BOND)
    name, _ = hall.open("utility", **window)
    assert hall.bid("anna", name, 80_000, 2_000) is Outcome.BOOKED
    assert hall.bid("ben", name, 80_000, 2_000) is Outcome.BOOKED
    hall.at(hall.now_s + LASTS_S)
    assert (hall.reserved("anna"), hall.reserved("ben")) == (BOND, BOND), "until the window is over"
    hall.live_until(window["from_s"])
    hall.live(silent=["ben"])
    hall.live_until(window["from_s"] + SLOT_SECONDS)
    hall.sequencer.save_snapshot()
    hall.sequencer.close()
    hall.sequencer = Sequencer(hall.store, hall.name, salts("tiny"))
    hall.live_until(window["to_s"])
    assert hall.entries("capacity") == [("utility", "anna", 320_000)]
    assert hall.entries("bond forfeited") == [("ben", "utility", BOND)]
    assert hall.all_reserved() == 0
    hall.check_rebuilt()


def test_an_estimate_is_no_live_meter() -> None:
    hall = Hall()
    window = capacity(hall, count=1)
    name, _ = hall.open("utility", **window)
    assert hall.bid("cleo", name, 80_000, 6_000) is Outcome.BOOKED
    hall.at(hall.now_s + LASTS_S)
    hall.live_until(window["from_s"])
    slot_s = hall.live(silent=["cleo"])
    told = {"cleo-home": (0, 0)}
    assert hall.report("gw-cleo", slot_s, told, quality=Quality.ESTIMATED) is Outcome.BOOKED
    hall.live_until(window["to_s"])
    assert hall.entries("capacity") == [] and hall.all_reserved() == 0


def test_an_owner_who_sold_capacity_and_was_silent_loses_the_bond_to_the_buyers() -> None:
    hall = Hall()
    window = capacity(hall, count=2) | {"side": Side.ASK, "owner_bond_micro": BOND + 1, "divisible": True}
    name, outcome = hall.open("anna", Form.DUTCH, **window | _dutch())
    assert outcome is Outcome.BOOKED
    for who in ("cleo", "ben"):
        assert hall.bid(who, name, 300_000, 1_000) is Outcome.BOOKED
    hall.at(hall.auction(name).ends_s)
    assert hall.reserved("anna") == BOND + 1
    hall.live_until(window["to_s"], silent=("anna",))
    assert hall.entries("bond forfeited") == [("anna", "cleo", BOND // 2 + 1), ("anna", "ben", BOND // 2)]
    assert hall.entries("capacity") == [] and hall.all_reserved() == 0
    hall.check_rebuilt()


def test_nobody_sells_more_capacity_at_once_than_lies_between_the_two_ends_of_the_fuse() -> None:
    hall = Hall()
    window = capacity(hall, amount=2 * LIMIT_W + 1, divisible=True)
    names = [hall.open("utility", **window | {"good": good})[0] for good in (Good.UP, Good.DOWN)]
    assert hall.bid("cleo", names[0], 100_000, 2 * LIMIT_W + 1) is Outcome.OVER_LIMIT
    assert hall.bid("cleo", names[0], 100_000, LIMIT_W) is Outcome.BOOKED
    assert hall.bid("cleo", names[1], 100_000, LIMIT_W + 1) is Outcome.OVER_LIMIT
    assert hall.bid("cleo", names[1], 100_000, LIMIT_W) is Outcome.BOOKED
    later = window | {"from_s": window["to_s"], "to_s": window["to_s"] + SLOT_SECONDS}
    name, _ = hall.open("utility", **later)
    assert hall.bid("cleo", name, 100_000, 2 * LIMIT_W) is Outcome.BOOKED, "another time"


def test_a_dutch_buyer_of_capacity_is_free_to_reserve_however_often_it_is_sold_to() -> None:
    hall = Hall()
    terms = {"opening_price": 50_000, "step": 1, "tick_s": 60, "divisible": True}
    name, outcome = hall.open("utility", Form.DUTCH, **capacity(hall, count=1, amount=1_000) | terms)
    assert outcome is Outcome.BOOKED
    assert {hall.bid("anna", name, 0, 4) for _ in range(101)} == {Outcome.BOOKED}
    assert hall.reserved("utility") == 5_050
    assert hall.auction(name).awards[0].amount == 404
    reserve = wallet_bodies.Reserve(target="anna", commodity=ERGON, amount=1, until_s=hall.now_s + 1_000)
    assert hall.ask("utility", Kind.TRANSFER, reserve) is Outcome.BOOKED


def test_the_bond_of_a_dutch_buyer_pays_for_the_last_part_alone() -> None:
    hall = Hall()
    terms = {"opening_price": 10**8, "reserve_price": 2 * 10**8, "step": 1, "tick_s": 60, "divisible": True}
    window = capacity(hall, amount=500) | terms | {"owner_bond_micro": BOND}
    name, _ = hall.open("utility", Form.DUTCH, **window)
    assert hall.bid("anna", name, 0, 400) is Outcome.BOOKED
    left = hall.ergon("utility") - hall.reserved("utility")
    assert left == 10**7 - BOND
    assert hall.bid("ben", name, 0, 100) is Outcome.BOOKED
    assert (hall.why(name), hall.reserved("utility")) == (Why.SOLD, hall.ergon("utility"))


def test_who_has_no_meter_sells_no_capacity() -> None:
    hall = Hall()
    assert hall.open("utility", **capacity(hall) | {"side": Side.ASK})[1] is Outcome.NOT_ALLOWED
    name, outcome = hall.open("anna", **capacity(hall))
    assert outcome is Outcome.BOOKED
    assert hall.bid("utility", name, 100_000, 6_000) is Outcome.NOT_ALLOWED
