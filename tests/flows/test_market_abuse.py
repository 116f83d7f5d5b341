"""Ways to cheat in the WATT book: each is impossible, costs something, or can be proven; the tests say which."""

import msgspec
import pytest
from community import NAME, NOON, Flow, key
from purse import Purse

from commonwatt.flows.receipts import Receipt, Withheld, check_withheld, give_receipt, make_withheld
from commonwatt.flows.rulebook import bodies, trading
from commonwatt.flows.rulebook.sealed_bodies import Sealed
from commonwatt.identity.keys import NoteKey, VerifyingKey
from commonwatt.ledger.checkpoint import sign_note, vkey
from commonwatt.model import MICRO, Commodity, CommunityId, Kind, Outcome, Refused, Side

SUNNY = Flow(solar_wh=1_000, charge_wh=1_000)
"""810 WATT."""
NOTE = NoteKey.from_seed(b"tiny", "note")
SALT = "c0" * 32


def town(homes: int = 3, **terms: int) -> Purse:
    return Purse(homes, terms=terms)


def paid(community: Purse) -> list[tuple[str, str, int]]:
    return community.entries("watt trade", Commodity.ERGON)


def withheld(community: Purse, wire: bytes, receipt: Receipt) -> Withheld:
    """Return what the sender of one request shows against the operator."""
    note = sign_note(community.sequencer.checkpoint(NOON).note_text(), NAME, NOTE.private)
    content = make_withheld(community.state, community.tree(), community.rows(), note, receipt, [wire], 0)
    return msgspec.json.decode(content, type=Withheld)


def last(community: Purse) -> str:
    return str(community.roots().leaves - 1)


@pytest.mark.row("E4")
def test_spoofing_with_unbacked_asks_moves_one_published_price_and_nobodys_trade() -> None:
    """Impossible: who has no WATT moves the price that counts every order, and neither trades nor the other price."""
    community = town()
    community.live(ben=SUNNY)
    community.order("ben", Side.ASK, 500, 250_000)
    before = trading.quote(community.state)
    community.order("anna", Side.ASK, 5_000, 50_000)
    after = trading.quote(community.state)
    assert (before.buying, after.buying) == (250_000, 50_000)
    assert before.backed_buying == after.backed_buying == 250_000
    assert after.buying_gap == 200_000, "the difference is published"
    community.ask("cleo", Kind.ORDER, bodies.OrderBody(side=Side.BID, energy_wh=100))
    assert paid(community) == [("cleo", "ben", 25_000)]


@pytest.mark.row("E4")
def test_spoofing_costs_where_the_charter_asks_for_collateral() -> None:
    """Bounded by money, and paid for: the volume that somebody can pretend is what their ERGON covers."""
    community = town(collateral_micro_per_kwh=MICRO, forfeit_permille=100)
    assert community.order("anna", Side.ASK, 5_001, 50_000) is Outcome.NOT_BACKED
    assert community.order("anna", Side.ASK, 5_000, 50_000) is Outcome.BOOKED
    assert community.order("anna", Side.ASK, 1, 50_000) is Outcome.NOT_BACKED
    before = community.ergon("anna")
    community.ask("anna", Kind.CANCEL, bodies.CancelBody(order=last(community)))
    assert community.ergon("anna") == before, "what was refused is not there to be taken back"
    (standing,) = community.state.book.orders()
    community.ask("anna", Kind.CANCEL, bodies.CancelBody(order=standing.id))
    assert community.ergon("anna") == before - MICRO // 2


@pytest.mark.row("E4")
def test_without_collateral_an_account_pretends_with_so_many_orders_at_most() -> None:
    community = town(1)
    found = [community.order("anna", Side.ASK, 1, n) for n in range(trading.MOST_STANDING + 1)]
    assert found.count(Outcome.BOOKED) == trading.MOST_STANDING
    assert found[-1] is Outcome.OVER_LIMIT


@pytest.mark.row("E4")
def test_spoofing_with_bids_nobody_can_pay_shows_as_well() -> None:
    """Impossible: a bid without money or room stands in one price and trades with nobody."""
    community = town()
    community.live(anna=SUNNY)
    community.order("ben", Side.BID, 100, 150_000)
    community.order("cleo", Side.BID, 100, 10**9)
    community.give("cleo", "ben", Commodity.ERGON, community.ergon("cleo") - 900_000)
    quote = trading.quote(community.state)
    assert (quote.selling, quote.backed_selling, quote.selling_gap) == (10**9, 150_000, 10**9 - 150_000)


@pytest.mark.row("E4")
def test_a_wash_trade_between_ones_own_orders_is_impossible() -> None:
    """Impossible within an account, whichever of its keys signs: its own orders pass each other by."""
    community = town()
    community.live(anna=SUNNY)
    community.order("anna", Side.ASK, 100, 100_000)
    community.order("anna", Side.BID, 100, 200_000)
    assert paid(community) == []
    community.order("ben", Side.BID, 10, 150_000)
    assert paid(community) == [("ben", "anna", 1_000)], "others trade with either"


@pytest.mark.row("M1")
def test_a_wash_trade_between_two_accounts_of_one_person_is_visible_in_the_log() -> None:
    """Only visible: nobody knows who is behind an account. Both orders and the trade stand in the log by account."""
    community = town()
    community.live(anna=SUNNY)
    for _ in range(3):
        community.order("anna", Side.ASK, 100, 900_000)
        community.order("ben", Side.BID, 100, 900_000)
        community.order("ben", Side.ASK, 100, 900_000)
        community.order("anna", Side.BID, 100, 900_000)
    seen = [entry for entry in community.booked() if entry.memo == "watt trade" and entry.commodity is Commodity.WATT]
    assert [(entry.source, entry.target) for entry in seen] == [("anna", "ben"), ("ben", "anna")] * 3
    assert all(entry.ref for entry in seen), "each names its two orders, which are leaves that both have signed"
    assert community.watt("anna") == 810, "it made neither energy nor money"


@pytest.mark.row("E4")
def test_a_sniper_who_sees_an_order_cannot_get_before_it() -> None:
    """Impossible: at one price the earlier place in the log is served first, and the book has no last second."""
    community = town()
    community.order("ben", Side.BID, 300, 200_000)
    community.order("cleo", Side.BID, 300, 200_000)
    community.live(anna=SUNNY)
    community.order("anna", Side.ASK, 400, 200_000)
    assert community.entries("watt trade", Commodity.WATT) == [("anna", "ben", 300), ("anna", "cleo", 100)]


@pytest.mark.row("E4")
def test_the_operator_cannot_know_a_sealed_order_before_its_place_is_fixed() -> None:
    """Impossible: until the reveal the log holds a hash. Who copies it can open nothing, since it names the account."""
    community = town()
    community.live(anna=SUNNY)
    hidden = bodies.OrderBody(side=Side.BID, energy_wh=300, price_micro_per_kwh=200_000)
    seal = Sealed(seal=bodies.seal_of("ben", hidden, SALT))
    assert community.ask("ben", Kind.ORDER, seal) is Outcome.BOOKED
    place = int(last(community))
    assert community.ask("cleo", Kind.ORDER, seal) is Outcome.BOOKED, "a copy may stand"
    copied = int(last(community))
    assert b"200000" not in community.rows()[place].body
    open_copy = bodies.Reveal(place=copied, order=hidden, salt=SALT)
    assert community.ask("cleo", Kind.ORDER, open_copy) is Outcome.NOT_ALLOWED
    # Somebody who runs the log sees the reveal and puts an order of their own before it: too late for the place.
    community.order("cleo", Side.BID, 300, 200_000)
    assert community.ask("ben", Kind.ORDER, bodies.Reveal(place=place, order=hidden, salt=SALT)) is Outcome.BOOKED
    community.order("anna", Side.ASK, 300, 200_000)
    assert community.entries("watt trade", Commodity.WATT) == [("anna", "ben", 300)]


@pytest.mark.row("E4")
def test_many_seals_of_which_one_is_opened_cost_the_others_deposits() -> None:
    """Costs something: a free choice among hidden orders would be an advantage that nobody else has."""
    community = town(2, seal_micro=50_000)
    before = community.ergon("anna")
    for n in range(4):
        order = bodies.OrderBody(side=Side.BID, energy_wh=100, price_micro_per_kwh=100_000 + n)
        community.ask("anna", Kind.ORDER, Sealed(seal=bodies.seal_of("anna", order, SALT)))
    reveal = bodies.Reveal(place=int(last(community)), order=order, salt=SALT)
    assert community.ask("anna", Kind.ORDER, reveal) is Outcome.BOOKED
    community.now_s += trading.SEALED_S
    community.agree("ben", "ben-battery")
    assert community.ergon("anna") == before - 3 * 50_000


@pytest.mark.row("M5")
def test_an_operator_who_holds_an_order_back_is_convicted_by_its_receipt() -> None:
    """Provable: the receipt says by which place it stands; a checkpoint past it shows that it does not."""
    community = town()
    community.now_s += 1
    order = bodies.OrderBody(side=Side.BID, energy_wh=300, price_micro_per_kwh=200_000)
    wire = community.wire("ben", Kind.ORDER, order)
    receipt = give_receipt(
        key("operator"), CommunityId(NAME), [wire], community.now_s, len(community.sequencer.tree) + 1
    )
    for price in (200_000, 200_001, 200_002):
        community.order("cleo", Side.BID, 300, price)  # the operator's friend goes first
    operator, word = VerifyingKey(key("operator").public), vkey(NAME, NOTE.public)
    case = withheld(community, wire, receipt)
    assert "the log has never seen it" in check_withheld(case, operator, word)
    honest = town()
    honest.now_s += 1
    kept = honest.wire("ben", Kind.ORDER, order)
    promised = give_receipt(key("operator"), CommunityId(NAME), [kept], honest.now_s, len(honest.sequencer.tree) + 1)
    assert honest.send(kept) is Outcome.BOOKED
    honest.order("cleo", Side.BID, 300, 200_000)
    with pytest.raises(Refused):
        check_withheld(withheld(honest, kept, promised), operator, word)
