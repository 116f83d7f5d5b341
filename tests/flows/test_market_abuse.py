"""Ways to cheat on the WATT book: each is impossible, has a price, or leaves a proof; each test says which."""

import pytest
from community import NOON, PREPAID, Community, key
from seals_of import reveal, seal
from test_belated import judged, late
from test_receipts import check, claim, due, receipt_at
from test_rulebook_agency import B_MAX_WH, act, on
from test_rulebook_book import RATE, last, resting, stored, traded

from commonwatt.flows.receipts import check_receipt, receipt_path
from commonwatt.flows.rulebook.identity.trust_bodies import Grant
from commonwatt.flows.rulebook.market import order_bodies, watt_book
from commonwatt.identity.keys import VerifyingKey
from commonwatt.model import NETWORK, AccountId, Commodity, Kind, Outcome, Refused, Side


def quoted(community: Community) -> tuple[int | None, int | None]:
    """Return the lowest ask of all, and of those that could be had."""
    quotes = watt_book.quotes(community.state)
    return quotes.buying, quotes.backed_buying


@pytest.mark.row("E4")
def test_spoofing_moves_one_published_price_and_no_trade() -> None:
    """Impossible where it would matter: who deals, deals with what is there, and the other price tells them."""
    community = stored()
    community.order("anna", Side.ASK, 300, 250_000)
    assert quoted(community) == (250_000, 250_000)
    community.order("cleo", Side.ASK, 10**9, 10_000)
    assert quoted(community) == (10_000, 250_000), "the difference is published, so it is seen"
    community.order("ben", Side.BID, 100, 260_000)
    assert traded(community) == [("anna", "ben", 100)]
    assert community.entries("watt trade", Commodity.ERGON) == [("ben", "anna", 25_000)]
    community.ask("cleo", Kind.CANCEL, order_bodies.CancelBody(order=last(community)))
    assert quoted(community) == (250_000, 250_000)


@pytest.mark.row("E4")
def test_spoofing_is_bounded_by_what_the_spoofer_can_set_aside() -> None:
    """Has a price: the volume that is pretended is money that does nothing else meanwhile."""
    community = stored(unbacked_micro_per_kwh=RATE, prepaid_micro=PREPAID)
    most_wh = PREPAID * 1000 // RATE
    assert community.order("cleo", Side.ASK, most_wh + 1, 10_000) is Outcome.NOT_BACKED
    assert community.order("cleo", Side.ASK, most_wh, 10_000) is Outcome.BOOKED
    assert community.order("cleo", Side.BID, 5, 250_000, community.slot_s + 900) is Outcome.NOT_BACKED
    assert community.order("cleo", Side.ASK, 1, 10_000) is Outcome.NOT_BACKED, "a second order hides nothing"
    assert sum(order.energy_wh for order in community.state.book.of(AccountId("cleo"))) == most_wh


@pytest.mark.row("E4")
def test_a_bid_that_nobody_could_pay_moves_one_published_price_and_no_trade() -> None:
    """Impossible where it would matter, as for asks."""
    community = stored(prepaid_micro=0)
    community.order("cleo", Side.BID, 10**9, 10**9)
    community.order("anna", Side.ASK, 300, 250_000)
    quotes = watt_book.quotes(community.state)
    assert (quotes.selling, quotes.backed_selling) == (10**9, None)
    assert traded(community) == []


@pytest.mark.row("E4")
def test_a_price_that_rests_on_one_wh_says_so() -> None:
    """Leaves a proof: beside the price stands for how many Wh it is good."""
    community = stored(prepaid_micro=0)
    community.pay("cleo", 1_000, "a little")
    community.order("cleo", Side.BID, 10**9, 900_000)
    community.order("ben", Side.ASK, 300, 950_000)
    quotes = watt_book.quotes(community.state)
    assert (quotes.backed_selling, quotes.backed_selling_wh) == (900_000, 1)
    assert (quotes.selling_wh, quotes.backed_buying_wh) == (10**9, 300)


@pytest.mark.row("E4")
def test_nobody_washes_a_trade_with_their_own_account() -> None:
    """Impossible: orders of one account never meet, not at once, not sealed, not by the account's agent."""
    community = stored()
    community.order("anna", Side.ASK, 300, 200_000)
    assert community.order("anna", Side.BID, 300, 250_000) is Outcome.NOT_ALLOWED
    community.order("anna", Side.BID, 300, None)
    name, _ = seal(community, "anna", Side.BID, 300, 300_000)
    assert reveal(community, "anna", name, Side.BID, 300, 300_000) is Outcome.NOT_ALLOWED
    assert traded(community) == []
    community.order("ben", Side.BID, 100, 200_000)
    assert traded(community) == [("anna", "ben", 100)], "and hold nobody up"


@pytest.mark.row("E4")
def test_two_accounts_of_one_person_can_trade_and_everybody_sees_it() -> None:
    """Visible only: who is behind two pseudonyms no rule can know; each trade names both, and both pay for it."""
    community = stored()
    community.order("anna", Side.ASK, 300, 200_000)
    community.order("ben", Side.BID, 300, 200_000)
    community.order("ben", Side.ASK, 300, 200_000)
    community.order("anna", Side.BID, 300, 200_000)
    assert traded(community) == [("anna", "ben", 300), ("ben", "anna", 300)]
    assert community.ergon("anna") == community.ergon("ben") == PREPAID, "it has moved no money: nothing is gained"


@pytest.mark.row("E4")
def test_who_snipes_gets_no_place_before_those_who_stand() -> None:
    """Impossible: there is no closing second, and the same price later is served later."""
    community = stored()
    community.order("anna", Side.ASK, 200, 200_000)
    community.order("ben", Side.ASK, 200, 200_000, now=True)
    community.order("ben", Side.ASK, 200, 200_000)
    community.order("cleo", Side.BID, 300, 200_000)
    assert traded(community) == [("anna", "cleo", 200), ("ben", "cleo", 100)]


@pytest.mark.row("E4")
def test_the_operator_cannot_run_ahead_of_an_order_that_it_cannot_read() -> None:
    """Impossible for sealed orders: when it is told, its place is fixed before whatever the operator placed since."""
    community = stored()
    community.order("anna", Side.ASK, 300, 200_000)
    name, _ = seal(community, "cleo", Side.BID, 300, 260_000)
    # The operator's own account, ben, sees that somebody wants something, and cannot know what: it guesses a bid.
    community.order("ben", Side.ASK, 300, 260_000)
    reveal(community, "cleo", name, Side.BID, 300, 260_000)
    assert traded(community) == [("anna", "cleo", 300)]
    late, _ = seal(community, "cleo", Side.ASK, 200, 210_000)
    community.order("ben", Side.ASK, 200, 210_000)
    reveal(community, "cleo", late, Side.ASK, 200, 210_000)
    community.order("anna", Side.BID, 100, 210_000)
    assert traded(community)[1:] == [("cleo", "anna", 100)], "its equal price came later"


@pytest.mark.row("E4")
def test_the_operator_who_holds_an_order_back_after_its_receipt_is_convicted() -> None:
    """Provable: the receipt promised a place, and a checkpoint past it says that the order never came."""
    community = stored()
    due(community)
    body = order_bodies.WattOrder(side=Side.BID, energy_wh=100, price_micro_per_kwh=200_000)
    wires = [community.wire("anna", Kind.ORDER, body)]
    receipt = receipt_at(community, wires)
    community.order("ben", Side.BID, 100, 200_000)
    community.order("ben", Side.BID, 100, 200_000)
    assert "promised to stand by position" in check(claim(community, wires, receipt))


@pytest.mark.row("E4")
def test_the_operator_who_holds_a_seal_back_after_its_receipt_is_convicted() -> None:
    """Provable, likewise: a seal is a request like any other, though nobody can read what is in it."""
    community = stored()
    due(community)
    wires = [community.wire("anna", Kind.ORDER, order_bodies.Sealed(commitment="ab" * 32))]
    receipt = receipt_at(community, wires)
    for _ in range(2):
        community.order("ben", Side.BID, 100, 200_000)
    assert "has never seen it" in check(claim(community, wires, receipt))


@pytest.mark.row("E4")
def test_the_operator_who_put_its_own_order_first_has_signed_what_shows_it() -> None:
    """Provable up to one commit: a receipt names the latest place, so an order that stands after it was put behind.

    Within the requests that arrive together nothing shows which came first: who fears that seals.
    """
    community = stored()
    due(community)
    body = order_bodies.WattOrder(side=Side.BID, energy_wh=100, price_micro_per_kwh=200_000)
    wire = community.wire("anna", Kind.ORDER, body)
    receipt = receipt_at(community, [wire], stands_by=len(community.sequencer.tree))
    community.order("ben", Side.BID, 100, 200_000)
    community.send(wire)
    check_receipt(receipt, VerifyingKey(key("operator").public), wire, 0, receipt_path([wire], 0))
    (row,) = [row for row in community.rows() if row.author == key("anna").id and b'"what":"watt"' in row.body]
    assert row.position > receipt.stands_by
    with pytest.raises(Refused):
        check(claim(community, [wire], receipt))  # it is in the log: another claim is about its place
    assert f"it stands at position {row.position}" in judged(late(community, [wire], receipt))


@pytest.mark.row("E7")
def test_the_platform_does_nothing_for_a_member_that_the_members_agent_would_not() -> None:
    """Impossible under the agent's name; as the member's own order it needs the member's key or a grant, and shows."""
    community = Community(2, b_max_wh=B_MAX_WH)
    community.register_key("agent", "agent", "agent")
    dear = order_bodies.WattOrder(side=Side.BID, energy_wh=100, price_micro_per_kwh=10**9, by_agent=True)
    assert community.ask("agent", Kind.ORDER, dear, account="anna") is Outcome.NOT_ALLOWED, "without a grant"
    granted = Grant(to=key("agent").public.hex(), kinds=("order",), until_s=NOON + 900)
    assert community.ask("anna", Kind.DELEGATE, granted) is Outcome.BOOKED
    on(community, "anna")
    assert community.ask("agent", Kind.ORDER, dear, account="anna") is Outcome.NOT_ALLOWED, "beyond her prices"
    assert act(community) == [("anna", Outcome.BOOKED)]
    assert len(resting(community)) == 1


def test_who_takes_places_in_time_to_use_the_lucky_ones_pays_for_each_that_is_not_used() -> None:
    """Has a price: the bond of every seal that lapses."""
    community = stored()
    for n in range(8):
        seal(community, "cleo", Side.BID if n % 2 else Side.ASK, 100, 200_000 + n)
    community.now_s += 900
    community.agree("anna", "anna-battery")
    assert community.ergon(NETWORK) == 8 * 100_000 == PREPAID - community.ergon("cleo")
