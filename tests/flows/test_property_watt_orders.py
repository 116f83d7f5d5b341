"""Whatever is ordered, paid, hidden and lived through: no trade is overlooked, and a replay agrees."""

from collections.abc import Callable
from typing import Any

import pytest
from community import IMPORT, NOON, Flow
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pit import DEAR, SUNNY, amend, last, reveal, seal, town, wish
from purse import Purse

from commonwatt.flows.rulebook import bodies, trading
from commonwatt.flows.rulebook.backing import free, room_wh
from commonwatt.flows.rulebook.snapshot import dump, load
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.sequence import replay
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Commodity,
    Kind,
    Side,
    Trade,
)
from oracles.watt_book import NaiveBook


class Balances:
    """The balances of a state for the naive book, which finds no trade that it would have to move."""

    def __init__(self, state: State) -> None:
        self.state = state

    def backing(self, account: AccountId) -> int:
        return free(self.state, account, Commodity.WATT)

    def room(self, account: AccountId) -> int:
        return room_wh(self.state, account)

    def funds(self, account: AccountId) -> int:
        return free(self.state, account, Commodity.ERGON)

    def move(self, trade: Trade) -> None:
        raise AssertionError(f"the book overlooked {trade}")


def check(community: Purse) -> None:
    """See that nothing is left that could trade, and that nothing was made from nothing."""
    naive, state = NaiveBook(), community.state
    naive.standing = list(state.book.orders())
    naive.match(Balances(state))
    quote = trading.quote(state)
    assert (quote.buying, quote.selling, quote.backed_buying, quote.backed_selling) == naive.quote(Balances(state))
    assert {state.accounts.total(commodity) for commodity in Commodity} == {0}


WHO = st.sampled_from(["anna", "ben", "cleo"])
PRICE = st.sampled_from([None, 0, 150_000, 200_000, 250_000])
ENDS = st.sampled_from([None, NOON + 10, NOON + 1_000])
ORDERS = st.builds(
    lambda side, wh, price, now, until_s: wish(
        side, wh, price, now=now, until_s=None if now or price is None else until_s
    ),
    st.sampled_from(Side), st.integers(1, 900), PRICE, st.booleans(), ENDS,
)  # fmt: skip
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), WHO, ORDERS),
        st.tuples(st.just("order"), WHO, ORDERS),
        st.tuples(st.just("seal"), WHO, ORDERS),
        st.tuples(st.just("reveal"), WHO, st.integers(0, 3)),
        st.tuples(st.just("cancel"), WHO, st.integers(0, 3)),
        st.tuples(st.just("amend"), WHO, st.integers(1, 400)),
        st.tuples(st.just("pay"), WHO, st.integers(1, 200_000)),
        st.tuples(st.just("slot"), WHO, st.integers(1, 500)),
        st.tuples(st.just("live"), WHO, st.booleans()),
        st.tuples(st.just("wait"), WHO, st.just(0)),
    ),
    max_size=16,
)


class Walk:
    def __init__(self) -> None:
        self.community = town(3, terms=DEAR, prepaid_micro=200_000, b_max_wh=1_000)
        self.sealed: list[tuple[str, int, bodies.OrderBody]] = []

    def step(self, what: str, who: str, told: Any) -> None:
        community = self.community
        mine = [order for order in community.state.book.orders() if order.owner == who]
        act: dict[str, Callable[[], object]] = {
            "order": lambda: community.ask(who, Kind.ORDER, told),
            "seal": lambda: self.sealed.append((who, seal(community, who, told)[0], told)),
            "reveal": lambda: [reveal(community, *one) for one in self.sealed[told : told + 1]],
            "cancel": lambda: [
                community.ask(who, Kind.CANCEL, bodies.CancelBody(order=order.id)) for order in mine[told : told + 1]
            ],
            "amend": lambda: [amend(community, who, int(order.id), told) for order in mine[:1]],
            "pay": lambda: community.pay(who, told, f"payment {last(community)}"),
            "slot": lambda: community.order(who, Side.BID, told, IMPORT, community.slot_s + SLOT_SECONDS),
            "live": lambda: community.live(**{who: SUNNY if told else Flow(load_wh=500)}),
            "wait": self.wait,
        }
        act[what]()
        check(community)

    def wait(self) -> None:
        self.community.now_s += 40
        self.community.agree("anna", "anna-battery")


@pytest.mark.row("E4")
@pytest.mark.row("E6")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_whatever_happens_nothing_is_overlooked_and_a_replay_agrees(steps: list[tuple[str, str, Any]]) -> None:
    walk = Walk()
    for step in steps:
        walk.step(*step)
    live = walk.community
    found = replay(live.rows(), "tiny")
    assert found.state.root() == live.state.root()
    read, _ = load(dump(live.state, live.now_s, live.roots().log))
    trading.match_book(read, live.now_s)
    assert read.root() == live.state.root(), "a state that was written down has nothing left to do either"
