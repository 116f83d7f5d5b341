"""The fairness report: what each member asked for, got and paid, and whether first come was first served."""

import pytest
from auction_hall import LASTS_S, Hall
from community import IMPORT, NOON, Community, Flow, key
from seals_of import reveal, seal
from test_rulebook_agency import B_MAX_WH, act, on
from test_rulebook_book import stored
from test_rulebook_delegating import let

from commonwatt.flows.fairness import Deals, Fairness, MemberFairness, Waits, fairness
from commonwatt.flows.rulebook.market import order_bodies, sale_bodies
from commonwatt.market.queue import Queue, Standing
from commonwatt.model import Kind, Outcome, Side


def report(community: Community) -> Fairness:
    return fairness(community.rows(), "tiny")


def of(community: Community, member: str) -> MemberFairness:
    (found,) = [one for one in report(community).members if one.member == member]
    return found


@pytest.mark.row("E4")
def test_the_report_tells_what_was_wanted_what_was_got_and_at_what_price() -> None:
    community = stored()
    community.order("anna", Side.ASK, 300, 200_000)
    community.order("ben", Side.ASK, 300, 240_000)
    community.order("cleo", Side.BID, 400, 250_000)
    community.order("cleo", Side.BID, 100, None)
    cleo = of(community, "cleo")
    assert cleo.watt_bought == Deals(orders=2, wanted_wh=500, filled_wh=500, price=216_000, market_price=216_000)
    anna = of(community, "anna")
    assert anna.watt_sold == Deals(orders=1, wanted_wh=300, filled_wh=300, price=200_000, market_price=216_000)
    assert anna.watt_bought == Deals()
    assert report(community).others == Waits(orders=4, matched=4, at_once=4, median_s=0, longest_s=0)


@pytest.mark.row("E4")
def test_the_report_tells_who_waited_for_what_they_did_not_have_and_who_was_refused() -> None:
    community = stored()
    community.order("cleo", Side.ASK, 300, 150_000)
    community.order("anna", Side.ASK, 300, 200_000)
    community.order("ben", Side.BID, 100, 200_000)
    community.order("cleo", Side.BID, 100, IMPORT, community.slot_s)
    for _ in range(2):
        community.ask("cleo", Kind.CANCEL, order_bodies.CancelBody(order=community.state.book.orders()[0].id))
    community.ask("cleo", Kind.CANCEL, order_bodies.CancelBody(order="1"))
    cleo = of(community, "cleo")
    assert (cleo.waited, cleo.passed_over, cleo.taken_back) == (1, 0, 1)
    assert cleo.refusals == {"UNKNOWN_THING": 2}
    assert cleo.slot_bought == Deals(orders=1, wanted_wh=100)
    assert (of(community, "anna").waited, report(community).passed_over) == (0, 0)


@pytest.mark.row("E4")
def test_a_members_price_in_a_slot_stands_beside_what_all_paid() -> None:
    community = Community(2)
    slot_s = community.slot_s
    community.order("anna", Side.ASK, 100, 100_000, slot_s)
    community.order("ben", Side.BID, 150, 300_000, slot_s)
    community.live(anna=Flow(solar_wh=100), ben=Flow(load_wh=100))
    assert of(community, "ben").slot_bought == Deals(
        orders=1, wanted_wh=150, filled_wh=100, price=200_000, market_price=200_000
    )


@pytest.mark.row("E7")
def test_agents_wait_as_everybody_does_and_the_report_shows_both() -> None:
    community = Community(2, b_max_wh=B_MAX_WH)
    community.live(anna=Flow(solar_wh=1_200, charge_wh=1_200))
    on(community, "ben", buy=200_000, sell=300_000)
    act(community)
    community.now_s += 30
    community.order("anna", Side.ASK, 50, 200_000)
    found = report(community)
    assert found.agents == Waits(orders=1, matched=1, at_once=0, median_s=30, longest_s=30)
    assert found.others == Waits(orders=1, matched=1, at_once=1, median_s=0, longest_s=0)


def test_a_sealed_order_is_reported_at_its_place_in_time() -> None:
    community = stored()
    name, _ = seal(community, "anna", Side.ASK, 100, 200_000)
    community.order("ben", Side.ASK, 100, 200_000)
    reveal(community, "anna", name, Side.ASK, 100, 200_000)
    community.order("cleo", Side.BID, 100, 200_000)
    assert of(community, "anna").watt_sold.filled_wh == 100
    assert report(community).passed_over == 0
    assert of(community, "ben").waited == 0, "it came later"


@pytest.mark.row("E4")
def test_who_ran_ahead_of_a_sealed_order_as_it_was_told_is_seen() -> None:
    community = stored()
    name, _ = seal(community, "cleo", Side.BID, 300, 250_000)
    community.order("anna", Side.ASK, 300, 200_000)
    community.order("ben", Side.BID, 300, 200_000, now=True)
    community.order("ben", Side.ASK, 300, 250_000)
    assert reveal(community, "cleo", name, Side.BID, 300, 250_000) is Outcome.BOOKED
    assert (of(community, "cleo").run_ahead, of(community, "ben").run_ahead) == (1, 0)
    honest = stored()
    honest.order("ben", Side.BID, 10, 200_000)
    name, _ = seal(honest, "cleo", Side.BID, 300, 250_000)
    honest.order("anna", Side.ASK, 10, 200_000)
    honest.order("ben", Side.ASK, 300, 250_000)
    reveal(honest, "cleo", name, Side.BID, 300, 250_000)
    assert of(honest, "cleo").run_ahead == 0, "ben's bid stood before the seal"


@pytest.mark.row("H11")
def test_direct_sales_auctions_and_transfers_count_with_what_was_refused_of_them() -> None:
    hall = Hall()
    name, _ = hall.open(amount=300)
    hall.bid("ben", name, 90_000, 300)
    hall.bid("ben", name, 210_000, 300)
    hall.at(hall.now_s + LASTS_S)
    listing = str(len(hall.sequencer.tree))
    offer = sale_bodies.Listing(energy_wh=100, price_micro_per_kwh=150_000, until_s=hall.now_s + 60)
    assert hall.ask("anna", Kind.TRANSFER, offer) is Outcome.BOOKED
    for seller in ("ben", "anna"):
        take = sale_bodies.Take(listing=listing, seller=seller, energy_wh=100, most_micro=10**6)
        hall.ask("cleo", Kind.TRANSFER, take)
    ben, cleo, anna = (of(hall, who) for who in ("ben", "cleo", "anna"))
    assert ben.direct_bought.filled_wh == 300 and ben.direct_bought.price is not None
    assert 100_000 <= ben.direct_bought.price <= 210_000
    assert (cleo.direct_bought.filled_wh, cleo.direct_bought.price) == (100, 150_000)
    assert (anna.direct_sold.orders, anna.direct_sold.filled_wh) == (2, 400)
    assert sum(ben.refusals.values()) == 1 and cleo.refusals == {"NOT_ALLOWED": 1}
    assert anna.watt_sold == Deals(), "none of it came through the book"


@pytest.mark.row("E7")
def test_orders_that_others_could_sign_are_told_apart_whatever_they_call_themselves() -> None:
    community = Community(2)
    community.register_key("agent", "agent", "agent")
    let(community, "agent", "order", until_s=NOON + 86_400)
    body = order_bodies.WattOrder(side=Side.BID, energy_wh=5, price_micro_per_kwh=200_000)
    assert community.ask("agent", Kind.ORDER, body, account="anna") is Outcome.BOOKED
    community.order("anna", Side.BID, 5, 200_000)
    community.order("ben", Side.BID, 5, 200_000)
    told = report(community)
    assert (told.agents.orders, told.platform.orders, told.others.orders) == (0, 1, 2)
    told = fairness(community.rows(), "tiny", {key("ben").id})
    assert (told.agents.orders, told.platform.orders, told.others.orders) == (0, 2, 1)


def test_a_book_that_passes_somebody_over_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report asks the orders that stood, and not the queue that chose among them."""
    honest = Queue.first

    def favours_ben(queue: Queue) -> Standing | None:
        best = honest(queue)
        mine = [entry[2] for entry in queue._heap if entry[2].owner == "ben" and entry[2].ready_wh]
        return mine[0] if best is not None and best.order.side is Side.ASK and mine else best

    monkeypatch.setattr(Queue, "first", favours_ben)
    community = stored()
    community.order("anna", Side.ASK, 100, 190_000)
    community.order("ben", Side.ASK, 100, 200_000)
    community.order("cleo", Side.BID, 100, 200_000)
    found = report(community)
    assert found.passed_over == 1
    assert of(community, "anna").passed_over == 1


def test_the_report_of_a_log_without_markets_is_empty() -> None:
    community = Community(2)
    nobody = Waits(orders=0, matched=0, at_once=0, median_s=None, longest_s=None)
    assert report(community) == Fairness(members=[], agents=nobody, platform=nobody, others=nobody, passed_over=0)
