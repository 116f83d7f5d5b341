"""Who wins an auction and what they pay, against counting out every way to hand out the lot."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.market.auctions import Bid, Form, Good, Terms
from commonwatt.market.auctions.allotting import Award, allot
from commonwatt.market.auctions.dutch import price_at, takes
from commonwatt.market.auctions.english import required_price
from commonwatt.market.auctions.sealed import commitment, reserve_commitment
from commonwatt.model import SLOT_SECONDS, AccountId, InvalidValue, Side

pytestmark = pytest.mark.row("E5")
SIDES = st.sampled_from(Side)
BIDS = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 6)), max_size=4)
"""Amounts and prices, in log order."""


LATE = {"late_s": 5, "extend_s": 5, "most_extensions": 2}
NEVER = dict.fromkeys(LATE, 0)


def terms(form: Form, side: Side = Side.ASK, **more: object) -> Terms:
    given: dict[str, object] = {"good": Good.WATT, "amount": 5, "start_s": 0, "end_s": 100, "reserve_price": 3}
    if form in (Form.FIRST_PRICE, Form.SECOND_PRICE):
        given |= {"reveal_s": 50, "bidder_bond_micro": 1}
    if form is Form.ENGLISH:
        given |= LATE
    if form is Form.DUTCH:
        given |= {"tick_s": 10, "opening_price": 9 if side is Side.ASK else 1}
    return Terms(form=form, side=side, **(given | more))


def bids(told: list[tuple[int, int]]) -> list[Bid]:
    return [
        Bid(bidder=AccountId(f"b{n}"), amount=amount, price=price, position=n) for n, (amount, price) in enumerate(told)
    ]


def value(side: Side, reserve: int, amounts: tuple[int, ...], standing: list[Bid], whole: int) -> int:
    """Return what all are better off by, price times amount; what nobody gets is the owner's, at the reserve price."""
    sign = 1 if side is Side.ASK else -1
    kept = whole - sum(amounts)
    return sign * (sum(wh * bid.price for wh, bid in zip(amounts, standing, strict=True)) + kept * reserve)


def best(side: Side, reserve: int, standing: list[Bid], whole: int) -> int:
    """Return the best value of all ways to hand out a lot."""
    ways = product(*(range(bid.amount + 1) for bid in standing))
    return max(value(side, reserve, way, standing, whole) for way in ways if sum(way) <= whole)


def got(awards: list[Award], standing: list[Bid]) -> tuple[int, ...]:
    return tuple(sum(a.amount for a in awards if a.bidder == bid.bidder) for bid in standing)


@given(st.sampled_from([Form.ENGLISH, Form.FIRST_PRICE, Form.SECOND_PRICE]), SIDES, st.integers(0, 6), BIDS)
def test_a_divisible_lot_goes_where_it_is_worth_most(
    form: Form, side: Side, reserve: int, told: list[tuple[int, int]]
) -> None:
    standing, whole = bids(told), 5
    awards = allot(terms(form, side, divisible=True, reserve_price=reserve), standing, reserve)
    amounts = got(awards, standing)
    assert all(0 <= wh <= bid.amount for wh, bid in zip(amounts, standing, strict=True)) and sum(amounts) <= whole
    assert value(side, reserve, amounts, standing, whole) == best(side, reserve, standing, whole)
    for award in awards:
        bid = next(bid for bid in standing if bid.bidder == award.bidder)
        assert award.position == bid.position
        assert (award.price <= bid.price) if side is Side.ASK else (award.price >= bid.price), (
            "nobody pays beyond a bid"
        )
        assert (award.price >= reserve) if side is Side.ASK else (award.price <= reserve)


@given(SIDES, st.integers(0, 6), BIDS)
def test_a_second_price_is_what_a_winner_keeps_others_from(
    side: Side, reserve: int, told: list[tuple[int, int]]
) -> None:
    """The oracle is Vickrey's own sentence: what the others could have had without me, less what they have with me."""
    standing, whole = bids(told), 5
    awards = allot(terms(Form.SECOND_PRICE, side, divisible=True, reserve_price=reserve), standing, reserve)
    amounts = got(awards, standing)
    for n, bid in enumerate(standing):
        others = standing[:n] + standing[n + 1 :]
        sign = 1 if side is Side.ASK else -1
        with_me = value(side, reserve, amounts, standing, whole) - sign * amounts[n] * bid.price
        paid = sum(award.amount * award.price for award in awards if award.bidder == bid.bidder)
        assert sign * paid == best(side, reserve, others, whole) - with_me


@given(st.sampled_from([Form.ENGLISH, Form.FIRST_PRICE, Form.SECOND_PRICE]), SIDES, st.lists(st.integers(0, 6)))
def test_a_whole_lot_has_one_winner_the_first_of_the_best(form: Form, side: Side, prices: list[int]) -> None:
    standing = bids([(5, price) for price in prices])
    awards = allot(terms(form, side), standing, 3)
    sign = 1 if side is Side.ASK else -1
    fit = [bid for bid in standing if sign * bid.price >= sign * 3]
    if not fit:
        assert awards == []
        return
    top = max(sign * bid.price for bid in fit)
    winner = next(bid for bid in fit if sign * bid.price == top)
    second = max([sign * bid.price for bid in fit if bid is not winner], default=sign * 3)
    price = sign * second if form is Form.SECOND_PRICE else winner.price
    assert awards == [Award(bidder=winner.bidder, amount=5, price=price, position=winner.position)]


def test_a_second_price_needs_a_reserve_price() -> None:
    with pytest.raises(InvalidValue, match="reserve price"):
        allot(terms(Form.SECOND_PRICE), bids([(5, 4)]), None)


@given(SIDES, st.lists(st.tuples(st.integers(1, 5), st.integers(0, 9)), max_size=4))
def test_an_english_bid_is_a_step_better_than_the_worst_that_would_win(side: Side, told: list[tuple[int, int]]) -> None:
    reserve = 3
    rules = terms(Form.ENGLISH, side, step=2, divisible=True, reserve_price=reserve)
    sign = 1 if side is Side.ASK else -1
    standing = [bid for bid in bids(told) if sign * bid.price >= sign * reserve]
    units = sorted([sign * bid.price for bid in standing for _ in range(bid.amount)], reverse=True)[:5]
    required = reserve if len(units) < 5 else sign * (units[-1] + 2)
    assert required_price(rules, standing) == required


@given(SIDES, st.integers(0, 500))
def test_a_dutch_price_moves_by_the_clock_and_stops_at_the_reserve(side: Side, now_s: int) -> None:
    rules = terms(Form.DUTCH, side, step=2, reserve_price=3 if side is Side.ASK else 8, end_s=500)
    price, end = rules.opening_price, rules.reserve_price
    assert end is not None
    for second in range(1, now_s + 1):
        if second % 10 == 0:
            price = max(end, price - 2) if side is Side.ASK else min(end, price + 2)
    assert price_at(rules, now_s) == price
    assert takes(rules, price, price)
    assert takes(rules, price + 1, price) == (side is Side.ASK)
    assert takes(rules, price - 1, price) == (side is Side.BID)


def test_a_commitment_is_of_one_bidder_auction_amount_price_and_salt() -> None:
    told = ("7", AccountId("anna"), 5, 100, "0" * 64)
    others = [
        ("8", *told[1:]),
        (told[0], AccountId("ben"), *told[2:]),
        (*told[:2], 6, *told[3:]),
        (*told[:3], 101, told[4]),
        (*told[:4], "1" * 64),
    ]
    hashes = {commitment(*told), *(commitment(*other) for other in others), reserve_commitment(told[1], 100, told[4])}
    assert len(hashes) == 7


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"amount": 10**9 + 1},
        {"end_s": 0},
        {"end_s": 40 * 86_400},
        {"reserve_price": None},
        {"reserve_hash": "0" * 64},
        {"reveal_s": 5},
        {"late_s": 0},
        {"late_s": 0, "extend_s": 0, "most_extensions": 0},
        {"most_extensions": 101},
        {"reserve_price": None, "reserve_hash": "0" * 64, "reveal_s": 5},
        {"tick_s": 1},
        {"step": 0},
        {"opening_price": 1},
        {"from_s": SLOT_SECONDS, "to_s": 2 * SLOT_SECONDS},
        {"good": Good.SLOTS},
        {"good": Good.SLOTS, "from_s": 0, "to_s": SLOT_SECONDS},
        {"good": Good.SLOTS, "from_s": SLOT_SECONDS, "to_s": 2 * SLOT_SECONDS + 1},
        {"good": Good.SLOTS, "from_s": SLOT_SECONDS, "to_s": 7 * SLOT_SECONDS},
        {"good": Good.SLOTS, "from_s": SLOT_SECONDS, "to_s": 700 * SLOT_SECONDS, "amount": 10**6},
        {"good": Good.UP, "from_s": SLOT_SECONDS, "to_s": 9 * SLOT_SECONDS, "amount": 10**9},
        {"bidder_bond_micro": -1},
        {"form": Form.DUTCH} | NEVER,
        {"form": Form.DUTCH, "tick_s": 5, "opening_price": 3} | NEVER,
        {"form": Form.DUTCH, "tick_s": 5, "opening_price": 2} | NEVER,
        {"form": Form.DUTCH, "tick_s": 5, "opening_price": 9, "bidder_bond_micro": 1} | NEVER,
        {"form": Form.DUTCH, "tick_s": 5, "opening_price": 9},
        {"form": Form.FIRST_PRICE, "bidder_bond_micro": 1} | NEVER,
        {"form": Form.FIRST_PRICE, "reveal_s": 5} | NEVER,
    ],
)
def test_terms_that_make_no_auction_are_refused(wrong: dict[str, object]) -> None:
    whole: dict[str, object] = {
        "form": Form.ENGLISH,
        "side": Side.ASK,
        "good": Good.WATT,
        "amount": 5,
        "start_s": 0,
        "end_s": 100,
        "reserve_price": 3,
        **LATE,
    }
    Terms(**whole)
    with pytest.raises(InvalidValue):
        Terms(**(whole | wrong))


def test_capacity_costs_by_its_kilowatts_and_hours() -> None:
    held = terms(Form.ENGLISH, good=Good.UP, amount=2_000, from_s=SLOT_SECONDS, to_s=7 * SLOT_SECONDS)
    assert held.cost_micro(2_000, 40_000) == 120_000, "2 kW for an hour and a half"
    assert terms(Form.ENGLISH).cost_micro(500, 40_001) == 20_000
