"""Sealed orders: a place in time first, what they are later; revealed once, by the same account, in time."""

from typing import Any

import pytest
from community import EXPORT, IMPORT, NOON, PREPAID, Community, Flow, key
from seals_of import SALT, reveal, seal
from test_chain import close
from test_rulebook_book import resting, same_at_rest, stored, traded

from commonwatt.flows.prove import final_note, make_evidence
from commonwatt.flows.rulebook.identity.trust_bodies import Grant
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.rulebook.market.sealing import MOST_SEALED, REVEAL_S, commitment_of
from commonwatt.flows.rulebook.tokens import wallet_bodies
from commonwatt.flows.sequence import replay
from commonwatt.model import NETWORK, SLOT_SECONDS, AccountId, Commodity, Kind, Outcome, Refused, Side

BOND = 100_000
"""What the charter asks for unless it says otherwise, micro."""


@pytest.mark.row("E4")
def test_a_sealed_order_stands_at_the_place_that_was_fixed_before_anybody_could_read_it() -> None:
    community = stored()
    name, outcome = seal(community, "anna", Side.ASK, 400, 200_000)
    assert outcome is Outcome.BOOKED
    community.order("ben", Side.ASK, 400, 200_000)
    assert resting(community) == [("ben", 400, 200_000)]
    same_at_rest(community)
    assert reveal(community, "anna", name, Side.ASK, 400, 200_000) is Outcome.BOOKED
    assert [order.id for order in community.state.book.orders()] == [name, str(int(name) + 1)]
    community.order("cleo", Side.BID, 500, 200_000)
    assert traded(community) == [("anna", "cleo", 400), ("ben", "cleo", 100)]
    same_at_rest(community)


@pytest.mark.row("E4")
def test_what_was_traded_meanwhile_stays_and_who_came_meanwhile_has_the_own_price() -> None:
    community = stored()
    name, _ = seal(community, "cleo", Side.BID, 700, 250_000)
    community.order("anna", Side.ASK, 300, 200_000)
    community.order("ben", Side.BID, 100, 200_000)
    assert reveal(community, "cleo", name, Side.BID, 700, 250_000) is Outcome.BOOKED
    assert traded(community) == [("anna", "ben", 100), ("anna", "cleo", 200)]
    assert community.ergon("cleo") == PREPAID - 40_000, "a limit that nobody could read drew nobody in"
    same_at_rest(community)
    community.order("ben", Side.ASK, 100, 210_000)
    assert community.ergon("cleo") == PREPAID - 40_000 - 25_000, "what came after it was told came for its limit"


@pytest.mark.row("E4")
def test_a_sealed_order_goes_before_an_older_reader_at_the_same_price_and_takes_no_price_from_its_place() -> None:
    community = stored()
    name, _ = seal(community, "anna", Side.ASK, 400, 180_000)
    community.order("ben", Side.ASK, 400, 200_000)
    community.order("cleo", Side.BID, 500, 190_000)
    assert reveal(community, "anna", name, Side.ASK, 400, 180_000) is Outcome.BOOKED
    assert traded(community) == [("anna", "cleo", 400)]
    assert community.ergon("anna") == PREPAID + 76_000, "the bid could be read before the ask: 190,000 a kWh"
    same_at_rest(community)


@pytest.mark.row("E4")
def test_a_sealed_slot_order_stands_before_those_that_came_after_its_seal() -> None:
    community = Community(3)
    slot_s = community.slot_s + SLOT_SECONDS
    community.order("cleo", Side.BID, 101, 200_000, slot_s)
    name, _ = seal(community, "anna", Side.ASK, 101, 200_000, slot_s)
    community.order("ben", Side.ASK, 101, 200_000, slot_s)
    assert reveal(community, "anna", name, Side.ASK, 101, 200_000, slot_s) is Outcome.BOOKED
    assert [order.owner for order in community.state.slot_market.orders(slot_s)] == ["cleo", "anna", "ben"]
    same_at_rest(community)
    community.now_s = slot_s + 60
    community.agree("anna", "anna-battery")
    clearing = community.state.slot_market.clearing(slot_s)
    assert clearing is not None
    # 101 Wh pro rata of two equal asks: the odd one favours the earlier place.
    assert [(trade.seller, trade.energy_wh) for trade in clearing.trades] == [("anna", 51), ("ben", 50)]
    cancel = order_bodies.CancelBody(order=name)
    assert community.ask("anna", Kind.CANCEL, cancel) is Outcome.UNKNOWN_THING, "its gate has closed"


def test_a_bundle_about_a_slot_with_a_sealed_order_is_refused_and_says_why() -> None:
    community = Community(2)
    name, _ = seal(community, "anna", Side.ASK, 100, 200_000, NOON)
    community.order("ben", Side.BID, 100, 200_000, NOON)
    assert reveal(community, "anna", name, Side.ASK, 100, 200_000, NOON) is Outcome.BOOKED
    community.live(anna=Flow(solar_wh=100), ben=Flow(load_wh=100))
    assert community.entries("trade", Commodity.ENERGY) == [("anna", "ben", 100)]
    close(community)
    note, size = final_note(community.rows())
    then = replay(community.rows()[:size], "tiny", keep=True)
    with pytest.raises(Refused, match="sealed"):
        make_evidence(then.state, then.whole_tree(), community.rows(), note, "anna", NOON)


def test_a_sealed_slot_order_before_trades_of_the_open_market_leaves_them_as_they_were() -> None:
    community = Community(3)
    slot_s = community.slot_s + SLOT_SECONDS
    name, _ = seal(community, "anna", Side.ASK, 100, 200_000, slot_s)
    community.order("ben", Side.ASK, 80, 150_000, slot_s, now=True)
    community.order("cleo", Side.BID, 50, 150_000, slot_s, now=True)
    before = community.state.slot_market.told(slot_s, community.state.slot_market.trades(slot_s))
    assert [(trade.seller, trade.buyer, trade.energy_wh) for trade in before] == [("ben", "cleo", 50)]
    assert reveal(community, "anna", name, Side.ASK, 100, 200_000, slot_s) is Outcome.BOOKED
    assert community.state.slot_market.told(slot_s, community.state.slot_market.trades(slot_s)) == before
    community.order("cleo", Side.BID, 30, 150_000, slot_s, now=True)
    after = community.state.slot_market.told(slot_s, community.state.slot_market.trades(slot_s))
    assert [(trade.seller, trade.buyer, trade.energy_wh) for trade in after[1:]] == [("ben", "cleo", 30)]
    same_at_rest(community)


def test_only_what_was_committed_to_is_revealed_once_and_by_the_same_account() -> None:
    community = stored()
    name, _ = seal(community, "anna", Side.ASK, 400, 200_000)
    before = community.state.market_leaves()
    assert reveal(community, "ben", name, Side.ASK, 400, 200_000) is Outcome.UNKNOWN_THING
    assert reveal(community, "anna", name, Side.ASK, 400, 200_001) is Outcome.NOT_ALLOWED
    assert reveal(community, "anna", name, Side.ASK, 400, 200_000, salt="00" * 32) is Outcome.NOT_ALLOWED
    assert reveal(community, "anna", str(int(name) - 1), Side.ASK, 400, 200_000) is Outcome.UNKNOWN_THING
    assert community.state.market_leaves() == before
    assert reveal(community, "anna", name, Side.ASK, 400, 200_000) is Outcome.BOOKED
    assert reveal(community, "anna", name, Side.ASK, 400, 200_000) is Outcome.UNKNOWN_THING


def test_a_commitment_of_somebody_else_is_of_no_use_to_who_copies_it() -> None:
    community = stored()
    body = order_bodies.WattOrder(side=Side.ASK, energy_wh=400, price_micro_per_kwh=200_000)
    copied = order_bodies.Sealed(commitment=commitment_of(AccountId("anna"), body, SALT))
    name = str(len(community.sequencer.tree))
    assert community.ask("ben", Kind.ORDER, copied) is Outcome.BOOKED
    assert reveal(community, "ben", name, Side.ASK, 400, 200_000) is Outcome.NOT_ALLOWED


@pytest.mark.parametrize("likes", [{"now": True}, {"price": None}])
def test_what_takes_at_once_has_no_place_in_time_to_seal(likes: dict[str, object]) -> None:
    community = stored()
    price, now = likes.get("price", 200_000), bool(likes.get("now"))
    order = (Side.ASK, 400, price)
    name, _ = seal(community, "anna", *order, now=now)
    assert reveal(community, "anna", name, *order, now=now) is Outcome.NOT_ALLOWED
    assert community.state.wallets.transfers.pending(f"seal {name}") is not None, "its bond stands as before"


def test_a_seal_that_is_not_opened_lapses_and_its_bond_goes_to_the_network() -> None:
    community = stored()
    name, _ = seal(community, "anna", Side.ASK, 400, 200_000)
    held = wallet_bodies.Give(target="ben", commodity=Commodity.ERGON, amount=PREPAID - BOND + 1)
    assert community.ask("anna", Kind.TRANSFER, held) is Outcome.NOT_BACKED, "the bond backs nothing else"
    take = wallet_bodies.Post(transfer=f"seal-{name}")
    assert community.ask("ben", Kind.TRANSFER, take) is Outcome.UNKNOWN_THING
    community.now_s += REVEAL_S - 1
    assert community.agree("ben", "ben-battery") is Outcome.BOOKED
    assert community.ergon("anna") == PREPAID
    same_at_rest(community)
    community.now_s += 1
    assert reveal(community, "anna", name, Side.ASK, 400, 200_000) is Outcome.UNKNOWN_THING
    assert (community.ergon("anna"), community.ergon(NETWORK)) == (PREPAID - BOND, BOND)
    assert community.entries("seal lapsed") == [("anna", NETWORK, BOND)]
    same_at_rest(community)


def test_an_order_that_can_stand_no_more_is_not_revealed_and_may_be_until_its_seal_lapses() -> None:
    community = Community(2, prepaid_micro=BOND + 130_000)
    slot_s = community.slot_s + SLOT_SECONDS
    name, _ = seal(community, "anna", Side.BID, 434, IMPORT, slot_s)
    assert reveal(community, "anna", name, Side.BID, 434, IMPORT, slot_s) is Outcome.NOT_BACKED, "130,200 are needed"
    community.pay("anna", 200, "bank 1")
    assert reveal(community, "anna", name, Side.BID, 434, IMPORT, slot_s) is Outcome.BOOKED
    assert community.state.wallets.transfers.pending(f"seal {name}") is not None, "it stands for the order alone"
    late, _ = seal(community, "ben", Side.ASK, 100, EXPORT, NOON)
    community.now_s = NOON + 60
    assert reveal(community, "ben", late, Side.ASK, 100, EXPORT, NOON) is Outcome.TOO_LATE
    same_at_rest(community)


@pytest.mark.row("E4")
def test_a_place_that_was_told_and_not_kept_costs_as_much_as_one_that_was_not_told() -> None:
    community = stored()
    prices = (150_000, 180_000, 210_000, 240_000)
    names = [seal(community, "cleo", Side.BID, 700, price)[0] for price in prices]
    community.order("ben", Side.BID, 700, 210_000)
    community.now_s += REVEAL_S - 10
    for name, price in zip(names, prices, strict=True):
        assert reveal(community, "cleo", name, Side.BID, 700, price) is Outcome.BOOKED
        if price != 210_000:
            assert community.ask("cleo", Kind.CANCEL, order_bodies.CancelBody(order=name)) is Outcome.BOOKED
    assert community.entries("seal lapsed") == [("cleo", NETWORK, BOND)] * 3, "only one of four places was meant"
    same_at_rest(community)
    community.order("anna", Side.ASK, 700, 210_000)
    assert traded(community) == [("anna", "cleo", 700)]
    assert not community.state.wallets.pending_of(AccountId("cleo")), "a fill frees the bond"
    same_at_rest(community)


def told(community: Community, who: str = "anna", side: Side = Side.ASK, **likes: Any) -> str:
    """Seal an order, tell it, and return its name."""
    name, _ = seal(community, who, side, 400, 200_000, **likes)
    assert reveal(community, who, name, side, 400, 200_000, **likes) is Outcome.BOOKED
    return name


def test_an_order_that_wants_less_or_ends_before_its_seal_does_loses_its_bond() -> None:
    community = stored()
    less = order_bodies.Amend(order=told(community), energy_wh=399)
    assert community.ask("anna", Kind.CANCEL, less) is Outcome.BOOKED
    told(community, "ben", until_s=community.now_s + 60)
    community.now_s += 60
    same_at_rest(community)
    assert community.agree("ben", "ben-battery") is Outcome.BOOKED
    assert community.entries("seal lapsed") == [("anna", NETWORK, BOND), ("ben", NETWORK, BOND)]
    same_at_rest(community)


def test_a_sealed_order_of_an_agent_that_is_switched_off_loses_its_bond() -> None:
    community = Community(1, b_max_wh=1_000)
    switched = order_bodies.AgentOn(buy_micro_per_kwh=200_000, sell_micro_per_kwh=300_000)
    assert community.ask("anna", Kind.ORDER, switched) is Outcome.BOOKED
    wish = (Side.BID, 100, 200_000)
    name, _ = seal(community, "anna", *wish, by_agent=True)
    assert reveal(community, "anna", name, *wish, by_agent=True) is Outcome.BOOKED
    assert community.ask("anna", Kind.CANCEL, order_bodies.AgentOff()) is Outcome.BOOKED
    assert community.entries("seal lapsed") == [("anna", NETWORK, BOND)]


def test_an_ask_that_its_money_stands_for_no_more_loses_its_bond() -> None:
    community = Community(2, prepaid_micro=BOND + 50_000, unbacked_micro_per_kwh=100_000)
    community.now_s += 60
    told(community)
    community.live(anna=Flow(load_wh=100))
    assert resting(community) == [], "20,000 more stood for it than were left"
    assert community.entries("seal lapsed") == [("anna", NETWORK, BOND)]
    same_at_rest(community)


def test_a_told_order_is_bound_until_its_seals_time_is_over_and_free_then() -> None:
    community = Community(3)
    slot_s = community.slot_s + 2 * SLOT_SECONDS
    kept, dropped = told(community, slot_s=slot_s), told(community, "ben", slot_s=slot_s)
    assert community.ask("ben", Kind.CANCEL, order_bodies.CancelBody(order=dropped)) is Outcome.BOOKED
    assert community.entries("seal lapsed") == [("ben", NETWORK, BOND)]
    held = wallet_bodies.Give(target="cleo", commodity=Commodity.ERGON, amount=PREPAID - BOND + 1)
    assert community.ask("anna", Kind.TRANSFER, held) is Outcome.NOT_BACKED
    same_at_rest(community)
    community.now_s += REVEAL_S
    assert community.ask("anna", Kind.CANCEL, order_bodies.CancelBody(order=kept)) is Outcome.BOOKED
    assert community.ergon("anna") == PREPAID
    assert not community.state.wallets.pending_of(AccountId("anna"))
    same_at_rest(community)


def test_an_account_has_so_many_seals_and_as_many_as_its_money_stands_for() -> None:
    community = Community(2, prepaid_micro=3 * BOND)
    found = [seal(community, "anna", Side.ASK, 1, n)[1] for n in range(4)]
    assert found == [Outcome.BOOKED] * 3 + [Outcome.NOT_BACKED]
    rich = Community(1)
    found = [seal(rich, "anna", Side.ASK, 1, n)[1] for n in range(MOST_SEALED + 1)]
    assert found == [Outcome.BOOKED] * MOST_SEALED + [Outcome.OVER_LIMIT]
    free_of_charge = Community(1, prepaid_micro=0, sealed_bond_micro=0)
    name, outcome = seal(free_of_charge, "anna", Side.ASK, 1, 5)
    assert outcome is Outcome.BOOKED
    free_of_charge.now_s += REVEAL_S
    assert reveal(free_of_charge, "anna", name, Side.ASK, 1, 5) is Outcome.UNKNOWN_THING
    same_at_rest(free_of_charge)


def test_a_delegate_seals_and_reveals_for_its_owner() -> None:
    community = stored()
    body = order_bodies.WattOrder(side=Side.ASK, energy_wh=400, price_micro_per_kwh=200_000)
    community.register_key("agent", "agent", "agent")
    granted = Grant(to=key("agent").public.hex(), kinds=("order",), until_s=NOON + 86_400)
    assert community.ask("anna", Kind.DELEGATE, granted) is Outcome.BOOKED
    name = str(len(community.sequencer.tree))
    sealed = order_bodies.Sealed(commitment=commitment_of(AccountId("anna"), body, SALT))
    assert community.ask("agent", Kind.ORDER, sealed, account="anna") is Outcome.BOOKED
    opened = order_bodies.Reveal(sealed=name, salt=SALT, order=body)
    assert community.ask("agent", Kind.ORDER, opened, account="anna") is Outcome.BOOKED
    assert resting(community) == [("anna", 400, 200_000)]
