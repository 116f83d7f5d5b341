"""Whatever owners and bidders do, money and WATT conserve, and the winner is whom a naive reader of the log names."""

import os
from collections.abc import Sequence

import pytest
from auction_hall import LASTS_S, SUNNY, Hall, sealed_reserve
from community import LIMIT_W, MEMBERS, Flow, Noted
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flows.rulebook.market.auctions import auction_bodies as bodies
from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.market.auctions import Auction, Form, Good
from commonwatt.market.auctions.auction import Why
from commonwatt.model import SLOT_SECONDS, AccountId, Commodity, Kind, Outcome, Side, cost_micro

pytestmark = pytest.mark.row("E5")
EXAMPLES = 2_000 if os.environ.get("COMMONWATT_NIGHTLY") else 60
ROUND = [Form.ENGLISH, Form.FIRST_PRICE, Form.SECOND_PRICE]
BOND, OWNER_BOND = 7_001, 9_001
PEOPLE = (*MEMBERS, "utility")
RESERVE = {Side.ASK: 100_000, Side.BID: 200_000}
bids = st.lists(
    st.tuples(
        st.sampled_from(("anna", "ben", "cleo", "utility")),
        st.sampled_from([100_000, 110_000, 150_000, 150_001, 200_000]) | st.integers(90_000, 210_000),
        st.integers(1, 100),
        st.booleans(),
    ),
    max_size=8,
)
"""Who bids at which price for which part, and whether a sealed bid is revealed."""


def balances(hall: Hall) -> dict[str, tuple[int, int]]:
    return {who: (hall.ergon(who), hall.watt(who)) for who in PEOPLE}


def named(taken: Sequence[tuple[str, int, int]], side: Side, second: bool, whole: int) -> list[tuple[str, int, int]]:
    """Return who gets how much for how much money in all, by selling Wh after Wh to whoever offers most for it.

    A second price is worked out by Vickrey's sentence: what the others lose because somebody takes part.
    """
    sign, reserve = (1 if side is Side.ASK else -1), RESERVE[side]
    fit = [bid for bid in taken if sign * bid[2] >= sign * reserve]

    def sold(without: str = "") -> list[tuple[str, int]]:
        units = [(-sign * price, n, who) for n, (who, wh, price) in enumerate(fit) for _ in range(wh) if who != without]
        return [(who, -cost) for cost, _, who in sorted(units)[:whole]]

    found = []
    for who, _, price in fit:
        amount = sum(winner == who for winner, _ in sold())
        if not amount:
            continue
        paid = amount * price
        if second:
            with_me = sum(worth for winner, worth in sold() if winner != who) + (whole - len(sold())) * sign * reserve
            without = sum(worth for _, worth in sold(who)) + (whole - len(sold(who))) * sign * reserve
            paid = sign * (without - with_me)
        found.append((who, amount, paid))
    return sorted(found)


@settings(max_examples=EXAMPLES)
@given(st.sampled_from(ROUND), st.sampled_from(Side), st.booleans(), bids)
def test_the_winner_and_the_price_are_what_a_naive_reader_finds(
    form: Form, side: Side, divisible: bool, story: list[tuple[str, int, int, bool]]
) -> None:
    hall, whole = Hall(), 100
    hall.live(anna=SUNNY, ben=SUNNY, cleo=SUNNY)
    owner = "anna" if side is Side.ASK else "utility"
    terms = {"side": side, "divisible": divisible, "amount": whole, "reserve_price": RESERVE[side]}
    name, outcome = hall.open(owner, form, bidder_bond_micro=BOND, owner_bond_micro=OWNER_BOND, **terms)
    assert outcome is Outcome.BOOKED
    before, taken, hidden = balances(hall), dict[str, tuple[int, int]](), set[str]()
    for who, price, part, reveals in story:
        amount = part if divisible else whole
        hall.now_s += 1
        if form is Form.ENGLISH:
            if hall.bid(who, name, price, amount) is Outcome.BOOKED:
                taken.pop(who, None)
                taken[who] = amount, price
        elif hall.seal(who, name, price, amount) is Outcome.BOOKED:
            taken[who] = amount, price
            hidden |= set() if reveals else {who}
    hall.now_s = hall.auction(name).ends_s
    for who in sorted(taken, reverse=True):
        if form is not Form.ENGLISH and who not in hidden:
            amount, price = taken[who]
            assert hall.reveal(who, name, price, amount) is Outcome.BOOKED
    hall.at(hall.auction(name).closes_s)
    order = [(who, amount, price) for who, (amount, price) in taken.items() if who not in hidden]
    expected = named(order, side, form is Form.SECOND_PRICE, whole)
    pieces = hall.won(name)
    winners = sorted({who for who, _, _ in pieces})
    assert [
        (who, sum(wh for w, wh, _ in pieces if w == who), sum(wh * price for w, wh, price in pieces if w == who))
        for who in winners
    ] == expected
    change = {who: [0, 0] for who in PEOPLE}
    sign = 1 if side is Side.ASK else -1
    for who, wh, price in pieces:
        for party, way in ((owner, 1), (who, -1)):
            change[party][0] += sign * way * cost_micro(wh, price)
            change[party][1] -= sign * way * wh
    for who in hidden:
        change[who][0] -= BOND
        change[owner][0] += BOND
    assert balances(hall) == {who: (before[who][0] + m, before[who][1] + wh) for who, (m, wh) in change.items()}
    assert hall.all_reserved() == 0


story = st.lists(
    st.tuples(
        st.sampled_from(["open", "bid", "bid", "seal", "reveal", "reserve", "withdraw", "spend", "wait", "live"]),
        st.sampled_from(PEOPLE),
        st.integers(0, 2),
        st.sampled_from([100_000, 150_000, 160_000, 200_000]),
        st.booleans(),
    ),
    max_size=25,
)


@settings(max_examples=EXAMPLES)
@given(story)
def test_no_auction_makes_or_loses_anything_and_what_is_reserved_belongs_to_an_open_one(
    steps: list[tuple[str, str, int, int, bool]],
) -> None:
    hall = Hall(prepaid_micro=300_000, b_max_wh=1_500, journal=Noted())
    names: list[str] = []
    for what, who, number, price, flag in steps:
        name = names[number % len(names)] if names else "0"
        if what == "open":
            form, side = list(Form)[number + flag], Side.ASK if flag else Side.BID
            terms = {"tick_s": 60, "opening_price": 100_000 if side is Side.BID else 300_000, "step": 50_000}
            hidden = {"reserve_hash": sealed_reserve(who, price), "reveal_s": 100} if form is not Form.DUTCH else {}
            bonds = {} if form is Form.DUTCH else {"bidder_bond_micro": BOND}
            names.append(
                hall.open(
                    who,
                    form,
                    side=side,
                    amount=200,
                    divisible=price == 150_000,
                    owner_bond_micro=OWNER_BOND,
                    **({"reserve_price": 200_000} | terms if form is Form.DUTCH else hidden if flag else {}),
                    **bonds,
                )[0]
            )
        elif what == "bid":
            hall.bid(who, name, price, 200 if flag else 70)
        elif what == "seal":
            hall.seal(who, name, price, 200)
        elif what == "reveal":
            hall.reveal(who, name, price, 200)
        elif what == "reserve":
            hall.reveal_reserve(who, name, price)
        elif what == "spend":
            left = max(1, hall.ergon(who) - hall.reserved(who))
            give = wallets.Give(target="anna" if flag else "cleo", commodity=Commodity.ERGON, amount=left)
            hall.ask(who, Kind.TRANSFER, give)
        elif what == "wait":
            hall.at(hall.now_s + (LASTS_S if flag else 50))
        elif what == "live":
            hall.live(anna=SUNNY)
        check(hall)
    hall.at(hall.now_s + 86_400)
    check(hall)
    assert hall.all_reserved() == 0, "whatever happened, everything is let go of in the end"
    hall.check_rebuilt()


later = st.lists(
    st.tuples(
        st.sampled_from(["open", "open", "bid", "bid", "bid", "seal", "reveal", "withdraw", "order", "wait", "live"]),
        st.sampled_from(PEOPLE),
        st.integers(0, 3),
        st.sampled_from([100_000, 150_000, 160_000, 200_000]),
        st.integers(1, 7),
    ),
    max_size=30,
)


@settings(max_examples=EXAMPLES)
@given(later)
def test_lots_for_later_never_pass_a_fuse_and_let_go_of_everything(steps: list[tuple[str, str, int, int, int]]) -> None:
    hall = Hall(correction_slots=4)
    names: list[str] = []
    for what, who, number, price, size in steps:
        name = names[number % len(names)] if names else "0"
        amount, from_s = size * LIMIT_W // 4, hall.slot_s + (3 + number) * SLOT_SECONDS
        if what == "open":
            form, side = list(Form)[number], Side.ASK if size % 2 else Side.BID
            dutch = {"tick_s": 60, "opening_price": 300_000 if side is Side.ASK else 100_000, "reserve_price": 200_000}
            terms = {
                "side": side,
                "good": (Good.SLOTS, Good.UP)[price == 100_000],
                "from_s": from_s,
                "to_s": from_s + size * SLOT_SECONDS,
                "divisible": price != 150_000,
                "owner_bond_micro": OWNER_BOND,
                **({"bidder_bond_micro": BOND} if form is not Form.DUTCH else dutch),
            }
            names.append(hall.open(who, form, amount=amount, **terms)[0])
        elif what == "bid":
            hall.bid(who, name, 300_000 if size == 1 else price, amount // 2)
            hall.bid(who, name, price, amount)
        elif what == "seal":
            hall.seal(who, name, price, amount)
        elif what == "reveal":
            for size_before in range(1, 8):
                hall.reveal(who, name, price, size_before * LIMIT_W // 4)
        elif what == "withdraw":
            hall.do(who, bodies.TakeDown(auction=name))
        elif what == "order" and who != "utility":
            hall.order(who, Side.ASK if size % 2 else Side.BID, amount // 2, price, from_s)
        elif what == "wait":
            hall.at(hall.now_s + (LASTS_S if size % 2 else 50))
        elif what == "live":
            hall.live(silent=["ben"] if size == 1 else (), anna=Flow(solar_wh=1_000), cleo=Flow(load_wh=1_000))
        check_books(hall)
        check_fuses(hall)
    for _ in range(16):
        hall.live(anna=Flow(solar_wh=1_000), cleo=Flow(load_wh=1_000))
        check_books(hall)
    hall.at(hall.now_s)
    assert hall.all_reserved() == 0
    hall.check_rebuilt()


def check_fuses(hall: Hall) -> None:
    """Hold that nobody sold or bought more for a slot than the fuse bears, by auctions and by standing orders."""
    market, first_s = hall.state.slot_market, hall.slot_s
    for slot_s in range(first_s, first_s + 16 * SLOT_SECONDS, SLOT_SECONDS):
        trades = hall.state.auctions.trades(slot_s)
        for who in MEMBERS:
            side, _, stands_wh = market.standing(slot_s, AccountId(who))
            sold = sum(trade.energy_wh for trade in trades if trade.seller == who)
            bought = sum(trade.energy_wh for trade in trades if trade.buyer == who)
            assert sold + (stands_wh if side is Side.ASK else 0) <= LIMIT_W // 4
            assert bought + (stands_wh if side is Side.BID else 0) <= LIMIT_W // 4


def check(hall: Hall) -> None:
    """Hold what must be true in every state, and that bonds are forfeited exactly where the results say so."""
    check_books(hall)
    state = hall.state
    for who in PEOPLE:
        assert hall.ergon(who) >= hall.reserved(who) >= 0
    assert isinstance(state.journal, Noted)
    lost = {(entry.source, entry.ref) for entry in state.journal.noted if entry.memo == "bond forfeited"}
    assert lost == {(loser, f"auction/{auction.id}") for auction in state.auctions.items() for loser in losers(auction)}


def check_books(hall: Hall) -> None:
    """Hold that nothing is made, and that what is reserved belongs to an auction that is not done."""
    state = hall.state
    assert all(state.accounts.total(commodity) == 0 for commodity in Commodity)
    still = {auction.id for auction in state.auctions.items() if not auction.done}
    assert {transfer.id.split()[1] for transfer in state.wallets.transfers.items()} <= still


def losers(auction: Auction) -> set[str]:
    """Return who must have lost a bond, read from the result alone."""
    if auction.result is None:
        return set()
    out = {bidder for bidder, why in auction.result.bidders if why in (Why.HID, Why.FAILED)}
    hid = auction.result.why is Why.OWNER_HID and auction.bids
    return {*map(str, out)} | ({str(auction.owner)} if hid or auction.result.why is Why.OWNER_FAILED else set())
