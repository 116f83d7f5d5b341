"""Direct sales: listed under an address, taken by who has checked it, paid in the same instant or not at all."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from community import NOON, Flow, Noted, key
from hypothesis import given, settings
from hypothesis import strategies as st
from purse import TSL_PER_KWH, Purse

from commonwatt.flows.rulebook.market import sale_bodies as bodies
from commonwatt.flows.rulebook.tokens import transferring
from commonwatt.metering.batch import Flag, Quality
from commonwatt.model import MICRO, SLOT_SECONDS, AccountId, Commodity, Kind, Outcome, Side, cost_micro

pytestmark = pytest.mark.row("H11")
SUNNY = Flow(solar_wh=1_000, charge_wh=1_000)
"""A clean charge: 900 Wh are stored, 810 WATT are minted."""
PRICE = 200_000
WATT, ERGON = Commodity.WATT, Commodity.ERGON


class Fair(Purse):
    """Anna has WATT to sell."""

    def __init__(self, **more: Any) -> None:
        super().__init__(3, **({"terms": {}} | more))
        self.live(anna=SUNNY)

    def offer(self, who: str = "anna", energy_wh: int = 500, price: int = PRICE, **more: Any) -> tuple[str, Outcome]:
        """List for an hour; return the listing's name and the outcome."""
        name = str(len(self.sequencer.tree))
        given: dict[str, Any] = {"until_s": self.now_s + 3_600} | more
        body = bodies.Listing(energy_wh=energy_wh, price_micro_per_kwh=price, **given)
        return name, self.ask(who, Kind.TRANSFER, body)

    def take(self, who: str, name: str, energy_wh: int, seller: str = "anna", most_micro: int = 10**9) -> Outcome:
        body = bodies.Take(listing=name, seller=seller, energy_wh=energy_wh, most_micro=most_micro)
        return self.ask(who, Kind.TRANSFER, body)

    def take_back(self, who: str, name: str) -> Outcome:
        return self.ask(who, Kind.TRANSFER, bodies.Unlist(listing=name))


def test_energy_that_is_listed_is_bought_in_parts_until_it_is_gone() -> None:
    fair = Fair()
    name, outcome = fair.offer()
    assert outcome is Outcome.BOOKED
    assert fair.take("ben", name, 200) is Outcome.BOOKED
    assert fair.take("cleo", name, 301) is Outcome.OVER_LIMIT
    assert fair.take("cleo", name, 300) is Outcome.BOOKED
    assert fair.take("ben", name, 1) is Outcome.UNKNOWN_THING
    assert fair.entries("watt trade", WATT) == [("anna", "ben", 200), ("anna", "cleo", 300)]
    assert fair.entries("watt trade", ERGON) == [("ben", "anna", 40_000), ("cleo", "anna", 60_000)]
    assert fair.state.listings == {}
    fair.check_rebuilt()


def test_the_address_is_the_sellers_key_or_account_and_nobody_elses() -> None:
    fair = Fair()
    name, _ = fair.offer()
    for seller in ("ben", "Anna", key("ben").id, key("gw-anna").id):
        assert fair.take("cleo", name, 1, seller) is Outcome.NOT_ALLOWED
    assert fair.take("cleo", name, 1, key("anna").id) is Outcome.BOOKED
    assert fair.take("cleo", name, 1, "anna") is Outcome.BOOKED


def test_an_account_that_is_called_like_a_key_is_not_taken_for_it() -> None:
    fair = Fair()
    false_name = key("ben").id
    fair.register_key("mallory", "member", false_name)
    fair.give("anna", false_name, WATT, 100)
    name = str(len(fair.sequencer.tree))
    listing = bodies.Listing(energy_wh=100, price_micro_per_kwh=1, until_s=fair.now_s + 99)
    assert fair.ask("mallory", Kind.TRANSFER, listing, account=false_name) is Outcome.BOOKED
    assert fair.take("cleo", name, 1, false_name) is Outcome.NOT_ALLOWED, (
        "that is ben's address, and ben listed nothing"
    )


def test_a_listing_that_is_sold_whole_is_not_taken_in_part() -> None:
    fair = Fair()
    name, _ = fair.offer(whole=True)
    assert fair.take("ben", name, 499) is Outcome.OVER_LIMIT
    assert fair.take("ben", name, 500) is Outcome.BOOKED


def test_nobody_pays_more_than_they_said_or_have() -> None:
    fair = Fair(prepaid_micro=100_000)
    name, _ = fair.offer()
    assert fair.take("ben", name, 400, most_micro=79_999) is Outcome.OVER_LIMIT
    assert fair.reserve("ben", "cleo", ERGON, 20_001)[1] is Outcome.BOOKED
    assert fair.take("ben", name, 400, most_micro=80_000) is Outcome.NOT_BACKED, (
        "what is reserved pays for nothing else"
    )
    assert fair.take("cleo", name, 400, most_micro=80_000) is Outcome.BOOKED
    assert (fair.ergon("cleo"), fair.watt("cleo")) == (20_000, 400)


def test_what_is_listed_backs_nothing_else_until_it_is_taken_back_or_its_time_is_over() -> None:
    fair = Fair()
    name, _ = fair.offer()
    assert fair.offer(energy_wh=311)[1] is Outcome.NOT_BACKED
    assert fair.give("anna", "ben", WATT, 311) is Outcome.NOT_BACKED
    fair.order("anna", Side.ASK, 800, 1)
    fair.order("ben", Side.BID, 800, 1)
    assert fair.watt("ben") == 310
    assert fair.take_back("ben", name) is Outcome.NOT_ALLOWED
    assert fair.take_back("anna", name) is Outcome.BOOKED
    assert fair.take_back("anna", name) is Outcome.UNKNOWN_THING
    name, _ = fair.offer(energy_wh=10, until_s=fair.now_s + 10)
    fair.now_s += 9
    assert fair.take("cleo", name, 1) is Outcome.BOOKED
    fair.now_s += 1
    assert fair.take("cleo", name, 1) is Outcome.UNKNOWN_THING
    assert fair.state.listings == {} and fair.state.wallets.pending_of(AccountId("anna")) == 0


def test_nobody_posts_or_voids_a_listing_as_if_it_were_a_transfer() -> None:
    fair = Fair()
    name, _ = fair.offer()
    for told in (name, "listing"):
        assert fair.post("ben", told) is Outcome.UNKNOWN_THING
        assert fair.void("ben", told) is Outcome.UNKNOWN_THING


def test_a_seller_whose_meters_are_silent_sells_nothing_until_all_of_them_have_measured() -> None:
    fair = Fair(grace_slots=2)
    name, _ = fair.offer(until_s=NOON + 86_400)
    last_s = fair.live(silent=["anna"])
    assert fair.take("ben", name, 10) is Outcome.NOT_BACKED, "nobody knows what the last slot burned"
    assert fair.report("gw-anna", last_s, {"anna-home": (0, 0)}) is Outcome.BOOKED
    assert fair.take("ben", name, 10) is Outcome.NOT_BACKED, "the battery has not spoken"
    level_wh = fair.levels_wh["anna"]
    guess = {"anna-battery": (0, 0, level_wh)}
    assert fair.report("gw-anna", last_s, guess, quality=Quality.ESTIMATED) is Outcome.BOOKED
    assert fair.take("ben", name, 10) is Outcome.NOT_BACKED, "an estimate burns nothing"
    assert fair.report("gw-anna", last_s, guess, flags=Flag.CORRECTS) is Outcome.BOOKED
    assert fair.take("ben", name, 10) is Outcome.BOOKED
    fair.check_rebuilt()


def test_what_the_meters_told_before_the_slot_before_is_too_long_ago() -> None:
    fair = Fair()
    name, _ = fair.offer(until_s=NOON + 86_400)
    fair.now_s += SLOT_SECONDS - 1
    assert fair.take("ben", name, 10) is Outcome.BOOKED
    fair.now_s += 1
    assert fair.take("ben", name, 10) is Outcome.NOT_BACKED
    fair.now_s -= SLOT_SECONDS
    fair.live()
    assert fair.take("ben", name, 10) is Outcome.BOOKED


def test_who_has_no_connection_sells_nothing_directly() -> None:
    fair = Fair()
    fair.register_key("dora", "member", "dora")
    fair.give("anna", "dora", WATT, 100)
    name, outcome = fair.offer("dora", 100)
    assert outcome is Outcome.BOOKED
    assert fair.take("ben", name, 100, "dora") is Outcome.NOT_BACKED


def test_energy_that_was_called_meanwhile_is_sold_to_nobody() -> None:
    fair = Fair()
    name, _ = fair.offer()
    fair.live(anna=Flow(load_wh=500, discharge_wh=500))
    assert fair.watt("anna") == 309
    assert fair.take("ben", name, 310) is Outcome.NOT_BACKED
    assert fair.take("ben", name, 309) is Outcome.BOOKED
    assert fair.take("ben", name, 1) is Outcome.NOT_BACKED


def test_what_stands_behind_another_promise_does_not_stand_behind_a_listing() -> None:
    fair = Fair()
    name, _ = fair.offer()
    assert fair.reserve("anna", "cleo", WATT, 310)[1] is Outcome.BOOKED
    fair.live(anna=Flow(load_wh=400, discharge_wh=400))
    assert fair.watt("anna") == 409
    assert fair.take("ben", name, 100) is Outcome.NOT_BACKED
    assert fair.take("ben", name, 99) is Outcome.BOOKED


def test_nobody_buys_beyond_b_max_or_the_right_to_store() -> None:
    fair = Fair(b_max_wh=900)
    fair.live(ben=SUNNY)
    name, _ = fair.offer()
    before = fair.balances()
    assert fair.take("ben", name, 91) is Outcome.OVER_LIMIT
    assert fair.balances() == before
    assert fair.take("ben", name, 90) is Outcome.BOOKED
    rights = {"tsl_micro_per_kwh": TSL_PER_KWH, "member_tsl_micro": 81 * MICRO}
    fair = Fair(terms=rights)
    name, _ = fair.offer()
    assert fair.reserve("ben", "cleo", Commodity.TSL, 71 * MICRO)[1] is Outcome.BOOKED
    assert fair.take("ben", name, 101) is Outcome.OVER_LIMIT
    assert fair.take("ben", name, 100) is Outcome.BOOKED
    fair.check_rebuilt()


def test_who_is_nobody_in_trade_neither_lists_nor_takes() -> None:
    fair = Fair()
    assert fair.offer("operator")[1] is Outcome.NOT_ALLOWED
    assert fair.offer("ben", 1)[1] is Outcome.NOT_BACKED
    assert fair.offer(until_s=fair.now_s)[1] is Outcome.TOO_LATE
    name, _ = fair.offer()
    assert fair.take("anna", name, 1) is Outcome.NOT_ALLOWED
    assert fair.take("dso", name, 1) is Outcome.NOT_ALLOWED


def test_an_account_has_so_many_listings_and_no_more() -> None:
    fair = Fair()
    found = {fair.offer(energy_wh=1)[1] for _ in range(transferring.MOST_PENDING)}
    assert found == {Outcome.BOOKED}
    assert fair.offer(energy_wh=1)[1] is Outcome.OVER_LIMIT


@pytest.mark.parametrize(
    "body",
    [
        {"what": "list", "energy_wh": 0, "price_micro_per_kwh": 1, "until_s": NOON},
        {"what": "list", "energy_wh": 1, "price_micro_per_kwh": -1, "until_s": NOON},
        {"what": "take", "listing": "7", "energy_wh": 1, "most_micro": 1},
        {"what": "take", "listing": "listing 7", "seller": "anna", "energy_wh": 1, "most_micro": 1},
        {"what": "unlist", "listing": "7", "seller": "anna"},
    ],
)
def test_what_is_no_direct_sale_is_not_admitted(body: dict[str, Any]) -> None:
    fair = Fair()
    before = fair.roots()
    assert fair.send(fair.wire("anna", Kind.TRANSFER, body)) is Outcome.MALFORMED
    assert fair.roots() == before


@dataclass
class Naive:
    """What a shopkeeper would write on paper: who has what, and what is on the shelf."""

    watt: dict[str, int]
    ergon: dict[str, int]
    shelf: dict[str, tuple[str, int, int]] = field(default_factory=dict)

    def put_up(self, name: str, who: str, wh: int, price: int) -> bool:
        fits = self.watt[who] - sum(left for seller, left, _ in self.shelf.values() if seller == who) >= wh
        if fits:
            self.shelf[name] = who, wh, price
        return fits

    def buy(self, name: str, who: str, wh: int) -> bool:
        if name not in self.shelf:
            return False
        seller, left, price = self.shelf[name]
        cost = cost_micro(wh, price)
        if who == seller or wh > left or self.ergon[who] < cost or self.watt[who] + wh > B_MAX_WH:
            return False
        self.watt[seller], self.watt[who] = self.watt[seller] - wh, self.watt[who] + wh
        self.ergon[seller], self.ergon[who] = self.ergon[seller] + cost, self.ergon[who] - cost
        self.shelf[name] = seller, left - wh, price
        if left == wh:
            del self.shelf[name]
        return True


B_MAX_WH = 1_000
who = st.sampled_from(("anna", "ben", "cleo"))
steps = st.lists(
    st.tuples(st.sampled_from(["list", "take", "take", "unlist"]), who, st.integers(0, 3), st.integers(1, 500)),
    max_size=25,
)


@settings(max_examples=60)
@given(steps)
def test_whatever_is_listed_and_taken_the_books_say_what_a_shopkeepers_do(
    story: list[tuple[str, str, int, int]],
) -> None:
    fair = Fair(prepaid_micro=60_000, b_max_wh=B_MAX_WH, journal=Noted())
    paper = Naive({"anna": 810, "ben": 0, "cleo": 0}, dict.fromkeys(("anna", "ben", "cleo"), 60_000))
    names: list[str] = ["0"]
    does: dict[str, Callable[[str, str, int], tuple[Outcome, bool]]] = {
        "take": lambda who, name, wh: (
            fair.take(who, name, wh, paper.shelf.get(name, ("anna",))[0]),
            paper.buy(name, who, wh),
        ),
        "unlist": lambda who, name, _: (
            fair.take_back(who, name),
            paper.shelf.get(name, ("",))[0] == who and bool(paper.shelf.pop(name)),
        ),
    }
    for what, actor, number, wh in story:
        if what == "list":
            name, outcome = fair.offer(actor, wh, 100 * wh)
            names.append(name)
            good = paper.put_up(name, actor, wh, 100 * wh)
        else:
            outcome, good = does[what](actor, names[-1 - number % len(names)], wh)
        assert (outcome is Outcome.BOOKED) == good
        assert {m: (fair.watt(m), fair.ergon(m)) for m in paper.watt} == {
            m: (paper.watt[m], paper.ergon[m]) for m in paper.watt
        }
    fair.booked()
