"""Orders for slots: batches that stand as the same orders one by one, the open market, zones, and snapshots."""

import msgspec
import numpy as np
import pytest
from community import EXPORT, IMPORT, NOON, Community, key
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flows.rulebook import bodies, snapshot
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.kernels.slot_orders import SELLS
from commonwatt.market.order_batch import ORDER_DTYPE, faulty, orders_root, read_orders
from commonwatt.model import SLOT_SECONDS, AccountId, AssetId, Commodity, InvalidValue, Kind, Outcome, Side

NEXT = NOON + SLOT_SECONDS
FIRM = SettlementTerms(imbalance="grid", imbalance_most_micro_per_kwh=999_999)
BODIES = st.tuples(
    st.sampled_from([NEXT, NEXT + SLOT_SECONDS, NOON, NOON - SLOT_SECONDS, NEXT + 200 * SLOT_SECONDS]),
    st.sampled_from([-400, -50, 50, 400, 5_000, 5_001]),
    st.sampled_from([0, EXPORT, 200_000, IMPORT, 900_000]),
)


def same(one: Community, other: Community) -> bool:
    """Tell whether two communities have the same orders standing, whatever their names, and the same money free."""
    told = [
        [
            [(o.owner, o.side, o.energy_wh, o.price_micro_per_kwh) for o in c.state.slot_market.orders(slot_s)]
            for slot_s in c.state.slot_market.slots()
        ]
        for c in (one, other)
    ]
    held = [[free(c.state, AccountId(who), Commodity.ERGON) for who in c.members] for c in (one, other)]
    return told[0] == told[1] and held[0] == held[1]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["anna", "ben"]), st.lists(BODIES, min_size=1, max_size=9)), max_size=5),
    st.sampled_from([SettlementTerms(), FIRM]),
)
def test_a_batch_stands_as_its_orders_would_one_by_one_or_not_at_all(
    told: list[tuple[str, list[tuple[int, int, int]]]], terms: SettlementTerms
) -> None:
    batched, single = Community(2, settlement=terms), Community(2, settlement=terms)
    for community in (batched, single):
        community.now_s += 30
    for who, wishes in told:
        wishes.sort(key=lambda wish: wish[0])
        fits = True
        before = snapshot.dump(single.state, single.now_s, b"")
        for slot_s, wh, price in wishes:
            side = Side.BID if wh > 0 else Side.ASK
            fits = fits and single.order(who, side, abs(wh), price, slot_s) is Outcome.BOOKED
        if not fits:
            single.sequencer.state.slot_market = snapshot.load(before)[0].slot_market
        try:
            outcome = batched.orders(who, *((slot_s, wh, price, 0) for slot_s, wh, price in wishes))
        except InvalidValue:
            assert not fits, "what cannot be signed for would not have stood either"
            continue
        assert (outcome is Outcome.BOOKED) == fits
        assert same(batched, single)


def test_a_batch_is_taken_whole_or_refused_whole() -> None:
    community = Community(1)
    assert (
        community.orders("anna", (NEXT, 100, IMPORT, 0), (NEXT + SLOT_SECONDS, -5_001, EXPORT, 0)) is Outcome.OVER_LIMIT
    )
    assert community.state.slot_market.slots() == []
    assert community.orders("anna", (NEXT, 100, IMPORT, 0), (NEXT + SLOT_SECONDS, -5_000, EXPORT, 0)) is Outcome.BOOKED
    assert [o.id for o in community.state.slot_market.orders(NEXT + SLOT_SECONDS)] == [f"{len(community.rows()) - 1}.1"]


def test_many_batches_in_one_commit_are_each_judged_with_those_before() -> None:
    community = Community(1, prepaid_micro=100_000)
    seq = community.state.keys.next_seq(key("anna").id)
    packed = np.array([(NEXT, 300, 200_000, 0, 0, 0, 0)], ORDER_DTYPE).tobytes()
    wires = [
        community.wire("anna", Kind.ORDER_BATCH, bodies.orders_head(packed), items=packed, seq=seq + n)
        for n in range(2)
    ]
    assert community.sequencer.submit(wires, community.now_s) == [Outcome.BOOKED, Outcome.NOT_BACKED]


def test_under_firm_terms_every_order_stands_on_money_for_not_keeping_it_until_its_slot_is_settled() -> None:
    community = Community(2, settlement=FIRM, prepaid_micro=1_000_000)
    anna, ben = AccountId("anna"), AccountId("ben")

    def left(who: AccountId) -> int:
        return free(community.state, who, Commodity.ERGON)

    assert community.order("anna", Side.ASK, 1_001, EXPORT, NEXT) is Outcome.NOT_BACKED, "1,001 Wh may cost 1,000,999"
    assert community.orders("anna", (NEXT, -1_001, EXPORT, 0)) is Outcome.NOT_BACKED
    assert community.order("anna", Side.ASK, 501, EXPORT, NEXT) is Outcome.BOOKED
    assert left(anna) == 1_000_000 - 501_000, "rounded up to a micro"
    assert community.orders("anna", (NEXT, -500, EXPORT, 0)) is Outcome.NOT_BACKED
    assert community.orders("anna", (NEXT + SLOT_SECONDS, -499, EXPORT, 0)) is Outcome.BOOKED
    assert left(anna) == 1
    name = community.state.slot_market.orders(NEXT + SLOT_SECONDS)[0].id
    assert community.ask("anna", Kind.CANCEL, order_bodies.CancelBody(order=name)) is Outcome.BOOKED
    assert left(anna) == 499_000
    assert community.order("ben", Side.BID, 501, 200_000, NEXT) is Outcome.BOOKED
    assert left(ben) == 1_000_000 - 501_000 - 100_200, "and a bid on its price beside it"
    again = snapshot.load(snapshot.dump(community.state, community.now_s, bytes(32)))[0]
    assert free(again, ben, Commodity.ERGON) == left(ben)
    for _ in range(2):
        community.live()
    assert (left(anna), left(ben)) == (community.ergon("anna"), community.ergon("ben"))
    assert community.ergon("anna") < 1_000_000, "neither kept their word, and paid for it out of that"


@pytest.mark.parametrize(
    "records",
    [
        [(NEXT + 1, 1, 0, 0, 0, 0, 0)],
        [(NEXT, 0, 0, 0, 0, 0, 0)],
        [(NEXT, 1, -1, 0, 0, 0, 0)],
        [(NEXT, 1, 0, 0, 3, 0, 0)],
        [(NEXT, 1, 0, 0, 0, 4, 0)],
        [(NEXT, 1, 0, 0, 0, 0, 1)],
        [(NEXT, 1, 0, 0, 0, 0, 0), (NOON, 1, 0, 0, 0, 0, 0)],
        [(NEXT, 1, 0, 0, 0, 0, 0), (NEXT, 1, 0, 0, 0, SELLS, 0)],
        [(NEXT, 1, 0, 0, 0, 0, 0)] * 9,
        [],
    ],
)
def test_records_that_cannot_be_meant_are_never_admitted(records: list[tuple[int, ...]]) -> None:
    packed = np.array(records, ORDER_DTYPE).tobytes()
    with pytest.raises(InvalidValue):
        read_orders(packed)
    community = Community(1)
    body = {"count": len(records), "root": orders_root(packed).hex() if records else "0" * 64}
    wire = community.wire("anna", Kind.ORDER_BATCH, body, items=packed)
    assert community.send(wire) is Outcome.MALFORMED
    filler = community.wire("ben", Kind.CANCEL, order_bodies.CancelBody(order="1"))
    assert community.sequencer.submit([wire, filler, filler, filler, filler], community.now_s)[0] is Outcome.MALFORMED


@given(st.binary(min_size=24, max_size=24 * 12).filter(lambda data: len(data) % 24 == 0))
def test_records_of_batches_end_to_end_are_judged_as_alone(data: bytes) -> None:
    records = np.frombuffer(data, ORDER_DTYPE)
    alone = bool(faulty(records, np.zeros(1, np.int64)).any())
    good = np.array([(NEXT, 1, 0, 0, 0, 0, 0)] * 8, ORDER_DTYPE)
    around = np.concatenate([good, records, good])
    wrong = faulty(around, np.array([0, 8, 8 + len(records)]))
    assert bool(wrong[8:-8].any()) == alone
    assert not wrong[:8].any() and not wrong[-8:].any()


@pytest.mark.row("E5")
def test_orders_for_now_meet_at_once_at_the_earlier_ones_price_and_the_rest_at_the_gate() -> None:
    community = Community(3)
    assert community.order("anna", Side.ASK, 300, 150_000, NEXT, now=True) is Outcome.BOOKED
    assert community.order("cleo", Side.BID, 100, 280_000, NEXT) is Outcome.BOOKED, "waits for the gate"
    assert len(community.state.slot_market.trades(NEXT)) == 0
    assert community.order("ben", Side.BID, 200, 250_000, NEXT, now=True) is Outcome.BOOKED
    assert community.state.slot_market.trades(NEXT)["price"].tolist() == [150_000]
    community.now_s = NEXT + 60
    community.agree("anna", "anna-battery")
    clearing = community.state.slot_market.clearing(NEXT)
    assert clearing is not None
    assert [(t.buyer, t.seller, t.energy_wh, t.price_micro_per_kwh) for t in clearing.trades] == [
        ("ben", "anna", 200, 150_000),
        ("cleo", "anna", 100, 215_000),
    ]


def test_the_open_market_goes_on_after_a_restart_as_if_there_had_been_none() -> None:
    community = Community(3)
    for price in (200_000, 150_000, 150_000):
        community.order("anna", Side.ASK, 100, price, NEXT, now=True)
    community.order("ben", Side.BID, 50, 160_000, NEXT, now=True)
    again = snapshot.load(snapshot.dump(community.state, community.now_s, bytes(32)))[0]
    assert again.root() == community.state.root()
    community.sequencer.state = again
    community.order("cleo", Side.BID, 250, 210_000, NEXT, now=True)
    prices = community.state.slot_market.trades(NEXT)[["wh", "price"]].tolist()
    assert prices == [(50, 150_000), (50, 150_000), (100, 150_000), (100, 200_000)]
    assert community.booked() is not None, "a replay reaches the same root"


def test_what_is_taken_back_before_the_gate_is_gone_and_its_money_free() -> None:
    community = Community(2)
    free = community.state.slot_market.reserved_micro
    community.order("anna", Side.BID, 100, 200_000, NEXT)
    name = community.state.slot_market.orders(NEXT)[0].id
    assert free(AccountId("anna")) == 20_000
    assert community.ask("ben", Kind.CANCEL, order_bodies.CancelBody(order=name)) is Outcome.UNKNOWN_THING
    assert community.ask("anna", Kind.CANCEL, order_bodies.CancelBody(order=name)) is Outcome.BOOKED
    assert community.ask("anna", Kind.CANCEL, order_bodies.CancelBody(order=name)) is Outcome.UNKNOWN_THING
    assert free(AccountId("anna")) == 0
    assert community.order("anna", Side.ASK, 100, 200_000, NEXT) is Outcome.BOOKED, "and the other side is open again"
    assert community.orders("anna", (NEXT, -50, 1, 0), (NEXT + SLOT_SECONDS, 70, 1_000, 0)) is Outcome.BOOKED
    last = community.state.slot_market.orders(NEXT + SLOT_SECONDS)[0].id
    assert community.ask("anna", Kind.CANCEL, order_bodies.CancelBody(order=last)) is Outcome.BOOKED
    assert community.booked() is not None


@pytest.mark.row("M1")
def test_nobody_sells_sun_without_a_roof_and_a_partner_is_a_member() -> None:
    community = Community(2)
    community.register_key("dora", "member", "dora")
    community.register_gateway("gw-dora")
    assert community.claim("dora", "dora-home", "connection", max_import_w=9_000, max_export_w=9_000) is Outcome.BOOKED
    assert community.order("dora", Side.ASK, 10, EXPORT, NEXT, source="solar") is Outcome.NOT_ALLOWED
    assert community.order("anna", Side.ASK, 10, EXPORT, NEXT, source="solar") is Outcome.BOOKED
    assert community.order("ben", Side.BID, 10, IMPORT, NEXT, partner="nobody") is Outcome.UNKNOWN_THING
    assert community.order("ben", Side.BID, 10, IMPORT, NEXT, partner="ben") is Outcome.NOT_ALLOWED
    assert community.order("ben", Side.BID, 10, IMPORT, NEXT, source="solar", now=True) is Outcome.NOT_ALLOWED
    assert community.order("ben", Side.BID, 10, IMPORT, NEXT, source="solar", strict=True) is Outcome.BOOKED


@pytest.mark.row("E15")
def test_zones_are_the_grids_to_tell_and_their_fee_is_kept_off_what_buyers_offer() -> None:
    community = Community(2)
    town = bodies.RegisterZone(zone="town", fee_micro_per_kwh=40_000)
    lane = bodies.RegisterZone(zone="lane", parent="town", fee_micro_per_kwh=10_000)
    assert community.ask("anna", Kind.REGISTER, town) is Outcome.NOT_ALLOWED
    assert community.ask("dso", Kind.REGISTER, lane) is Outcome.UNKNOWN_THING, "its parent comes first"
    assert community.ask("dso", Kind.REGISTER, town) is Outcome.BOOKED
    assert community.ask("operator", Kind.REGISTER, lane) is Outcome.BOOKED
    moved = bodies.RegisterZone(zone="lane", parent=None)
    assert community.ask("dso", Kind.REGISTER, moved) is Outcome.OVER_LIMIT, "a zone stays where it lies"
    community.order("anna", Side.BID, 100, 250_000, NEXT)
    community.order("ben", Side.ASK, 100, 150_000, NEXT)
    community.now_s = NEXT + 60
    community.agree("anna", "anna-battery")
    clearing = community.state.slot_market.clearing(NEXT)
    assert clearing is not None
    (trade,) = clearing.trades
    assert (trade.price_micro_per_kwh, trade.fee_micro_per_kwh) == (195_000, 10_000)
    again = snapshot.load(snapshot.dump(community.state, community.now_s, bytes(32)))[0]
    assert (again.zones, again.root()) == (community.state.zones, community.state.root())


@pytest.mark.row("E15")
def test_in_which_zone_a_connection_lies_is_the_grids_word() -> None:
    community = Community(2)
    for zone in (bodies.RegisterZone(zone="town", fee_micro_per_kwh=40_000), bodies.RegisterZone(zone="mews")):
        assert community.ask("dso", Kind.REGISTER, zone) is Outcome.BOOKED
    community.register_key("dora", "member", "dora")
    community.register_gateway("gw-dora")
    watts = {"max_import_w": 9_000, "max_export_w": 9_000}
    assert community.claim("dora", "dora-home", "connection", zone="mews", **watts) is Outcome.NOT_ALLOWED
    assert community.claim("dora", "dora-home", "connection", zone="elsewhere", **watts) is Outcome.BOOKED
    there = bodies.PlaceConnection(asset="dora-home", zone="mews")
    assert community.ask("dora", Kind.REGISTER, there) is Outcome.NOT_ALLOWED
    for wrong in ({"asset": "anna-battery"}, {"asset": "nothing"}, {"zone": "elsewhere"}):
        assert community.ask("dso", Kind.REGISTER, msgspec.structs.replace(there, **wrong)) is Outcome.UNKNOWN_THING
    assert community.ask("dso", Kind.REGISTER, there) is Outcome.BOOKED
    assert community.state.assets[AssetId("dora-home")].zone == "mews"
    again = snapshot.load(snapshot.dump(community.state, community.now_s, bytes(32)))[0]
    assert again.root() == community.state.root()
