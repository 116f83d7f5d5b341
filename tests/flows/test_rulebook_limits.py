"""Whatever anybody asks for, the state stays small and the books stay within whole numbers; refusals leave no trace."""

import pytest
from community import IMPORT, NAME, NOON, Community, Flow, key
from purse import Purse

from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.flexibility import stating
from commonwatt.flows.rulebook.market import order_bodies, watt_book
from commonwatt.flows.rulebook.metering import readings
from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.model import (
    GRID,
    LOSSES,
    MAX_SAFE_INTEGER,
    SLOT_SECONDS,
    AccountId,
    AssetKind,
    Commodity,
    Entry,
    Kind,
    Outcome,
    Side,
)


def rich(community: Community, member: str, left_micro: int) -> None:
    """Leave an account so much room below 2^53-1; one entry would be too large, so the grid gives it in two."""
    lacking = MAX_SAFE_INTEGER - left_micro - community.ergon(member)
    for source in (GRID, LOSSES):
        amount = lacking // 2 + (lacking % 2 if source == GRID else 0)
        community.state.accounts.post(
            Entry(
                commodity=Commodity.ERGON,
                source=source,
                target=AccountId(member),
                amount=amount,
                memo="test",
                slot_s=NOON,
                ref="",
            )
        )


def test_a_purchase_that_the_books_cannot_hold_is_refused_whole_and_can_be_told_again() -> None:
    community = Community(1)
    rich(community, "anna", 99)
    before = community.state.sections()
    assert community.pay("anna", 100, "bank 1") is Outcome.OVER_LIMIT
    changed = [old != new for old, new in zip(before, community.state.sections(), strict=True)]
    assert changed == [False, False, True, False, False, False, False], "only the payment key's number moves on"
    assert community.pay("anna", 99, "bank 1") is Outcome.BOOKED
    assert community.ergon("anna") == MAX_SAFE_INTEGER


def test_a_transfer_that_the_books_cannot_hold_is_refused() -> None:
    community = Purse(2)
    rich(community, "anna", 99)
    assert community.give("ben", "anna", Commodity.ERGON, 100) is Outcome.OVER_LIMIT
    name, outcome = community.reserve("ben", "anna", Commodity.ERGON, 100)
    assert outcome is Outcome.BOOKED
    assert community.post("anna", name) is Outcome.OVER_LIMIT
    assert community.state.wallets.transfers.pending(name) is not None
    assert community.post("anna", name, 99) is Outcome.BOOKED


def test_a_seller_whose_books_are_full_sells_no_watt() -> None:
    community = Community(2)
    community.live(anna=Flow(solar_wh=2_000, charge_wh=2_000))
    rich(community, "anna", 10)
    assert community.order("anna", Side.ASK, 1_000, IMPORT) is Outcome.BOOKED
    assert community.order("ben", Side.BID, 1_000, IMPORT) is Outcome.BOOKED
    assert community.watt("ben") == 0


def test_what_a_rule_cannot_book_stops_the_writer_instead_of_being_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    community = Community(1)
    rich(community, "anna", 99)
    monkeypatch.setattr("commonwatt.flows.rulebook.tokens.paying.MAX_SAFE_INTEGER", 2**63)
    size = community.store.size
    with pytest.raises(ValueError, match="2\\^53-1"):
        community.pay("anna", 100, "bank 1")
    assert community.store.size == size
    with pytest.raises(Exception, match="open it again"):
        community.pay("anna", 1, "bank 2")
    assert replay(community.rows(), NAME).state.wallets.purchases.account("bank 1") is None


def test_an_account_has_so_many_orders_in_the_book_and_no_more() -> None:
    community = Community(2, prepaid_micro=0)
    found = [community.order("anna", Side.BID, 1, 1 + n) for n in range(watt_book.MOST_STANDING)]
    assert set(found) == {Outcome.BOOKED}
    assert community.order("anna", Side.BID, 1, 1) is Outcome.OVER_LIMIT
    assert community.order("ben", Side.BID, 1, 1) is Outcome.BOOKED
    (first,) = [order.id for order in community.state.book.orders() if order.price_micro_per_kwh == 1][:1]
    assert community.ask("anna", Kind.CANCEL, order_bodies.CancelBody(order=first)) is Outcome.BOOKED
    assert community.order("anna", Side.BID, 1, 1) is Outcome.BOOKED


def test_the_grid_has_one_meter_at_the_feeder() -> None:
    community = Community(1)
    community.register_gateway("gw-second")
    assert community.claim("dso", "feeder-2", AssetKind.FEEDER, gateway="gw-second") is Outcome.ALREADY_THERE


@pytest.mark.parametrize("account", ["*snapshots*", "", " anna", "anna\n", "a" * 65, "änna", "anna/ben"])
def test_nobody_acts_for_what_is_no_name(account: str) -> None:
    community = Community(1)
    before = community.roots()
    wire = community.wire("anna", Kind.CANCEL, order_bodies.CancelBody(order="7"))
    forged = wire.replace(b'"on_behalf_of":"anna"', b'"on_behalf_of":"%s"' % account.encode())
    if "\n" not in account:
        assert community.send(forged) is Outcome.MALFORMED
    assert (
        community.ask("anna", Kind.CANCEL, order_bodies.CancelBody(order="7"), account=account or " ")
        is Outcome.MALFORMED
    )
    assert community.roots() == before


def test_statements_are_let_go_of_once_they_matter_no_more() -> None:
    community = Community(1, correction_slots=2)
    assert community.state_that("anna", "charge of anna-battery >= 10% at 13:30 on 1 June 2026") is Outcome.BOOKED
    assert community.state_that("anna", "charge of anna-battery >= 10% at 15:30 on 1 June 2026") is Outcome.BOOKED
    for _ in range(6):
        community.live()
    live = replay(community.rows(), NAME)
    assert [stated.text[-21:] for stated in live.state.stated] == ["at 15:30 on 1 June 2026"[-21:]]
    kept = replay(community.rows(), NAME, keep=True)
    assert len(kept.state.stated) == 2
    assert kept.state.root() == live.state.root()


def test_an_account_has_so_many_statements_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stating, "MOST_STATED", 3)
    community = Community(2)
    text = "charge of anna-battery >= 10% at 15:30 on 1 June 2026"
    found = [community.state_that("anna", text) for _ in range(4)]
    assert found == [Outcome.BOOKED] * 3 + [Outcome.OVER_LIMIT]
    assert community.state_that("ben", text.replace("anna", "ben")) is Outcome.BOOKED


def test_no_more_than_so_many_doubts_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "MOST_DOUBTS", 5)
    community = Community(1)
    community.now_s += SLOT_SECONDS
    for _ in range(8):
        assert community.report("gw-anna", NOON, {"nothing": (1, 0)}) is Outcome.SET_ASIDE
    assert len(community.state.set_aside) == 5
    assert replay(community.rows(), NAME, keep=True).state.root() == community.state.root()


def test_doubts_about_what_is_long_past_are_let_go_of_whatever_came_first() -> None:
    community = Community(1, correction_slots=2)
    community.live()
    assert community.report("gw-anna", NOON, {"nothing": (1, 0)}) is Outcome.SET_ASIDE
    later_s = community.slot_s
    community.live()
    assert community.report("gw-anna", later_s, {"nothing": (1, 0)}) is Outcome.SET_ASIDE
    assert community.report("gw-anna", NOON, {"nothing": (1, 0)}) is Outcome.SET_ASIDE
    community.live()
    live = replay(community.rows(), NAME)
    assert [doubt.slot_s for doubt in live.state.set_aside] == [later_s]


def test_somebody_elses_checkpoint_is_refused_without_a_look_at_the_roots() -> None:
    community = Community(1)
    body = bodies.CheckpointBody(note="tiny\n")
    assert community.ask("anna", Kind.CHECKPOINT, body) is Outcome.NOT_ALLOWED
    assert community.ask("operator", Kind.CHECKPOINT, body) is Outcome.MALFORMED
    assert key("operator").id == community.state.operator


def test_a_payment_that_is_refused_says_so_again_and_again() -> None:
    community = Purse(1)
    body = wallets.RefundBody(reference="back", purchase="nobody's", amount_micro=10_000)
    assert [community.tell(body) for _ in range(2)] == [Outcome.UNKNOWN_THING] * 2


def test_statements_that_are_over_count_no_more_in_any_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stating, "MOST_STATED", 2)
    community = Community(1, correction_slots=1)
    for _ in range(4):
        text = f"charge of anna-battery >= 10% at {13 + community.slot_s // 3600 % 24 - 11}:30 on 1 June 2026"
        community.state_that("anna", text)
        for _ in range(4):
            community.live()
    for keep in (False, True):
        assert replay(community.rows(), NAME, keep=keep).state.root() == community.state.root()


def test_a_flood_of_doubts_costs_no_more_than_any_other_and_all_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "MOST_DOUBTS", 3)
    community = Community(1, correction_slots=2)
    for _ in range(5):
        community.live()
        for _ in range(3):
            assert community.report("gw-anna", community.slot_s - SLOT_SECONDS, {"nothing": (1, 0)}) is (
                Outcome.SET_ASIDE
            )
    live, kept = replay(community.rows(), NAME), replay(community.rows(), NAME, keep=True)
    assert len(live.state.set_aside) <= 3
    assert kept.state.set_aside == live.state.set_aside
    assert len(kept.state.doubted or []) == 15
    assert kept.state.root() == live.state.root() == community.state.root()


@pytest.mark.parametrize("holder", ["operator", "utility"])
def test_watt_that_no_member_holds_is_bought_back_like_any_other(holder: str) -> None:
    community = Purse(1, terms={})
    if holder == "utility":
        assert community.register_key("utility", "utility", "utility") is Outcome.BOOKED
    community.live(anna=Flow(solar_wh=1_000, charge_wh=1_000))
    assert community.give("anna", holder, Commodity.WATT, 810) is Outcome.BOOKED
    community.levels_wh["anna"] = 0  # driven away, or leaked: the meter counted nothing that went out
    community.live()
    assert (community.watt(holder), community.state.claims.total_wh) == (0, 0)
    assert community.entries("watt bought back", Commodity.ERGON) == [("anna", holder, 243_000)]
