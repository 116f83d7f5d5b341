"""Tokens between members: at once, or reserved and posted later; what is promised is promised to one alone."""

from typing import Any

import pytest
from community import EXPORT, IMPORT, MEMBERS, NOON, PREPAID, Flow
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from purse import TERMS, TSL_PER_KWH, Purse

from commonwatt.flows.rulebook.tokens import transferring
from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.model import MICRO, SLOT_SECONDS, AccountId, Commodity, Kind, Outcome, Side
from commonwatt.tokens.tsl import TOTAL_MICRO

pytestmark = pytest.mark.row("E8")

SUNNY = Flow(solar_wh=1_000, charge_wh=1_000)
"""A clean charge: 900 Wh are stored, 810 WATT are minted."""
ERGON, WATT, TSL = Commodity.ERGON, Commodity.WATT, Commodity.TSL


@pytest.mark.row("E11")
@pytest.mark.parametrize(("commodity", "most"), [(ERGON, PREPAID), (TSL, 329 * MICRO), (WATT, 810)])
def test_a_member_gives_what_they_have_and_no_more(commodity: Commodity, most: int) -> None:
    community = Purse(2, terms=TERMS | {"commission_micro_per_kwh": 0})
    community.live(anna=SUNNY)
    before = community.state.accounts.balance(AccountId("ben"), commodity)
    assert community.give("anna", "ben", commodity, most + 1) is Outcome.NOT_BACKED
    assert community.give("anna", "ben", commodity, most) is Outcome.BOOKED
    assert community.state.accounts.balance(AccountId("ben"), commodity) == before + most
    community.check_books()


def test_tokens_go_to_other_members_alone_and_energy_to_nobody() -> None:
    community = Purse(2)
    for target in ("grid", "vault", "payment-port", "burn", "nobody", "planner", "gw-ben"):
        assert community.give("anna", target, ERGON, 1) is Outcome.UNKNOWN_THING
        assert community.reserve("anna", target, ERGON, 1)[1] is Outcome.UNKNOWN_THING
    assert community.give("anna", "anna", ERGON, 1) is Outcome.NOT_ALLOWED
    assert community.give("anna", "ben", Commodity.ENERGY, 1) is Outcome.NOT_ALLOWED
    give = wallets.Give(target="anna", commodity=ERGON, amount=1)
    assert community.ask("anna", Kind.TRANSFER, give, account="ben") is Outcome.NOT_ALLOWED
    for who in ("operator", "payment", "oracle", "gw-anna", "dso"):
        assert community.ask(who, Kind.TRANSFER, give) is Outcome.NOT_ALLOWED


@pytest.mark.parametrize(
    "body",
    [
        {"what": "give", "target": "ben", "commodity": "ergon_micro", "amount": 0},
        {"what": "give", "target": "ben", "commodity": "ergon_micro", "amount": -1},
        {"what": "give", "target": "ben", "commodity": "ergon_micro", "amount": 10**15 + 1},
        {"what": "give", "target": "ben", "commodity": "gold", "amount": 1},
        {"what": "take", "target": "ben", "commodity": "ergon_micro", "amount": 1},
        {"what": "post", "transfer": "payout 3"},
        {"what": "post", "transfer": "3", "amount": 0},
        {"what": "reserve", "target": "ben", "commodity": "ergon_micro", "amount": 1},
        {},
    ],
)
def test_what_is_no_transfer_is_not_admitted(body: dict[str, Any]) -> None:
    community = Purse(2)
    before = community.roots()
    assert community.send(community.wire("anna", Kind.TRANSFER, body)) is Outcome.MALFORMED
    assert community.roots() == before


def test_what_is_reserved_backs_nothing_else() -> None:
    community = Purse(3)
    community.live(anna=SUNNY)
    assert community.reserve("anna", "ben", ERGON, PREPAID - 1_000)[1] is Outcome.BOOKED
    assert community.reserve("anna", "ben", WATT, 800)[1] is Outcome.BOOKED
    assert community.give("anna", "cleo", ERGON, 1_001) is Outcome.NOT_BACKED
    assert community.give("anna", "cleo", WATT, 11) is Outcome.NOT_BACKED
    assert community.pay_out("anna", 10_000)[1] is Outcome.NOT_BACKED
    assert community.order("anna", Side.BID, 100, IMPORT, community.slot_s) is Outcome.NOT_BACKED
    assert community.order("anna", Side.ASK, 500, 200_000) is Outcome.BOOKED
    assert community.order("cleo", Side.BID, 500, 200_000) is Outcome.BOOKED
    assert community.watt("cleo") == 10, "an ask is backed by what is free alone"
    assert community.give("anna", "cleo", ERGON, 1_000) is Outcome.BOOKED


def test_a_bid_of_an_open_slot_is_not_given_away() -> None:
    community = Purse(2)
    assert community.order("anna", Side.BID, 5_000, IMPORT, community.slot_s) is Outcome.BOOKED
    assert community.give("anna", "ben", ERGON, PREPAID - 1_500_000 + 1) is Outcome.NOT_BACKED
    assert community.give("anna", "ben", ERGON, PREPAID - 1_500_000) is Outcome.BOOKED


def test_the_target_takes_all_or_a_part_and_the_rest_is_free_again() -> None:
    community = Purse(3)
    name, _ = community.reserve("anna", "ben", ERGON, 1_000)
    assert community.post("ben", name, 1_001) is Outcome.OVER_LIMIT
    assert community.post("cleo", name) is Outcome.NOT_ALLOWED
    assert community.post("anna", name) is Outcome.NOT_ALLOWED
    assert community.post("ben", name, 400) is Outcome.BOOKED
    assert community.post("ben", name, 400) is Outcome.UNKNOWN_THING
    assert (community.ergon("anna"), community.ergon("ben")) == (PREPAID - 400, PREPAID + 400)
    assert community.give("anna", "cleo", ERGON, PREPAID - 400) is Outcome.BOOKED
    community.check_rebuilt()


def test_the_target_lets_go_at_any_time_and_the_source_never() -> None:
    community = Purse(2)
    name, _ = community.reserve("anna", "ben", TSL, 1_000)
    assert community.void("anna", name) is Outcome.NOT_ALLOWED
    assert community.void("ben", name) is Outcome.BOOKED
    assert community.void("ben", name) is Outcome.UNKNOWN_THING
    assert community.post("ben", name) is Outcome.UNKNOWN_THING


def test_a_reservation_ends_by_itself_at_its_time() -> None:
    community = Purse(2)
    name, _ = community.reserve("anna", "ben", ERGON, PREPAID, until_s=NOON + 100)
    assert community.reserve("anna", "ben", ERGON, 1, until_s=NOON)[1] is Outcome.TOO_LATE
    community.now_s = NOON + 99
    assert community.give("anna", "ben", ERGON, 1) is Outcome.NOT_BACKED
    community.now_s = NOON + 100
    assert community.give("anna", "ben", ERGON, 1) is Outcome.BOOKED
    assert community.post("ben", name) is Outcome.UNKNOWN_THING
    assert community.void("anna", name) is Outcome.UNKNOWN_THING
    assert not community.state.wallets.transfers.items()


def test_an_arbiter_whom_the_source_names_may_post_or_let_go() -> None:
    community = Purse(3)
    assert community.reserve("anna", "ben", ERGON, 5, arbiter="nobody")[1] is Outcome.UNKNOWN_THING
    for who in ("anna", "ben"):
        assert community.reserve("anna", "ben", ERGON, 5, arbiter=who)[1] is Outcome.NOT_ALLOWED
    one, _ = community.reserve("anna", "ben", ERGON, 5, arbiter="cleo")
    two, _ = community.reserve("anna", "ben", ERGON, 7, arbiter="cleo")
    assert community.post("cleo", one) is Outcome.BOOKED
    assert community.void("cleo", two) is Outcome.BOOKED
    assert community.ergon("ben") == PREPAID + 5
    assert not community.state.wallets.agreed
    community.check_rebuilt()


def test_watt_that_a_discharge_called_is_gone_though_it_was_reserved() -> None:
    community = Purse(2)
    community.live(anna=SUNNY)
    name, _ = community.reserve("anna", "ben", WATT, 800)
    community.live(anna=Flow(load_wh=360, discharge_wh=360))
    assert community.watt("anna") == 450
    assert community.post("ben", name) is Outcome.NOT_BACKED
    assert community.post("ben", name, 450) is Outcome.BOOKED
    assert community.watt("ben") == 450
    community.check_books()


def test_ergon_that_was_reserved_is_paid_though_its_source_comes_to_owe() -> None:
    community = Purse(2)
    name, _ = community.reserve("anna", "ben", ERGON, PREPAID)
    community.live(anna=Flow(load_wh=1_000))
    assert community.ergon("anna") == PREPAID - 300_000
    assert community.post("ben", name) is Outcome.BOOKED
    assert community.ergon("anna") == -300_000


@pytest.mark.row("E6")
def test_watt_comes_only_where_there_is_room_and_right_at_once_or_posted() -> None:
    community = Purse(2, b_max_wh=900)
    community.live(anna=SUNNY, ben=Flow(solar_wh=500, charge_wh=500))
    room_wh = 900 - community.watt("ben")
    assert community.give("anna", "ben", WATT, room_wh + 1) is Outcome.OVER_LIMIT
    name, outcome = community.reserve("anna", "ben", WATT, room_wh + 1)
    assert outcome is Outcome.BOOKED
    assert community.post("ben", name) is Outcome.OVER_LIMIT
    assert community.post("ben", name, room_wh) is Outcome.BOOKED
    assert community.watt("ben") == 900


@pytest.mark.row("H11")
def test_delivery_versus_payment_books_both_legs_or_neither() -> None:
    community = Purse(2)
    community.live(ben=Flow(solar_wh=200, charge_wh=200))
    in_return = wallets.InReturn(commodity=WATT, amount=500)
    name, outcome = community.reserve("ben", "anna", ERGON, 90_000, against=in_return)
    assert outcome is Outcome.BOOKED
    before = [(community.ergon(m), community.watt(m)) for m in ("anna", "ben")]
    assert community.post("anna", name) is Outcome.NOT_BACKED, "anna's meter has not told of any WATT"
    assert [(community.ergon(m), community.watt(m)) for m in ("anna", "ben")] == before
    community.live(anna=SUNNY)
    before = [(community.ergon(m), community.watt(m)) for m in ("anna", "ben")]
    assert community.post("anna", name, 1) is Outcome.OVER_LIMIT, "whole, or not at all"
    assert community.post("anna", name) is Outcome.BOOKED
    (anna, ben), (anna_wh, ben_wh) = zip(*before, strict=True)
    assert (community.ergon("anna"), community.ergon("ben")) == (anna + 90_000, ben - 90_000)
    assert (community.watt("anna"), community.watt("ben")) == (anna_wh - 500, ben_wh + 500)
    assert {(e.memo, e.ref) for e in community.booked() if e.ref == name} == {("watt trade", name)}
    community.check_rebuilt()


@pytest.mark.row("H11")
def test_delivery_versus_payment_looks_at_room_and_right_as_they_are_afterwards() -> None:
    terms = {"tsl_micro_per_kwh": TSL_PER_KWH, "member_tsl_micro": 81 * MICRO}
    community = Purse(2, terms=terms)
    community.live(anna=SUNNY)
    # Anna's TSL is all needed for her WATT, but not once the WATT goes with it.
    in_return = wallets.InReturn(commodity=TSL, amount=40 * MICRO)
    name, outcome = community.reserve("ben", "anna", ERGON, 1, against=in_return)
    assert outcome is Outcome.BOOKED
    assert community.post("anna", name) is Outcome.NOT_BACKED
    in_return = wallets.InReturn(commodity=WATT, amount=810)
    name, outcome = community.reserve("ben", "anna", TSL, 1 * MICRO, against=in_return)
    assert outcome is Outcome.BOOKED
    assert community.post("anna", name) is Outcome.OVER_LIMIT, "ben would have 80 TSL for 810 Wh"
    assert community.give("anna", "ben", WATT, 800) is Outcome.BOOKED
    name, outcome = community.reserve("anna", "ben", WATT, 10, against=wallets.InReturn(commodity=TSL, amount=MICRO))
    assert community.post("ben", name) is Outcome.OVER_LIMIT, "ben would have 80 TSL for 810 Wh"
    community.check_books()


@pytest.mark.row("H11")
def test_an_arbiter_cannot_give_what_is_the_targets() -> None:
    community = Purse(3)
    in_return = wallets.InReturn(commodity=WATT, amount=500)
    assert community.reserve("ben", "anna", ERGON, 1, against=in_return, arbiter="cleo")[1] is Outcome.NOT_ALLOWED
    for same in (ERGON, Commodity.ENERGY):
        against = wallets.InReturn(commodity=same, amount=500)
        assert community.reserve("ben", "anna", ERGON, 1, against=against)[1] is Outcome.NOT_ALLOWED


def test_nobody_fills_the_state_with_reservations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transferring, "MOST_PENDING", 3)
    community = Purse(2)
    names = [community.reserve("anna", "ben", ERGON, 1)[0] for _ in range(3)]
    assert community.reserve("anna", "ben", ERGON, 1)[1] is Outcome.OVER_LIMIT
    assert community.void("ben", names[0]) is Outcome.BOOKED
    assert community.reserve("anna", "ben", ERGON, 1)[1] is Outcome.BOOKED


class Traders(RuleBasedStateMachine):
    """Whatever three members do with their tokens: nothing is made, and no promise stands on nothing."""

    members = st.sampled_from(MEMBERS)
    tokens = st.sampled_from([ERGON, WATT, TSL])

    @initialize()
    def found(self) -> None:
        terms = TERMS | {"commission_micro_per_kwh": 7_777, "member_tsl_micro": 90 * MICRO}
        self.community = Purse(3, terms=terms, b_max_wh=1_500)
        self.community.live(anna=SUNNY, ben=Flow(solar_wh=700, charge_wh=500))
        self.names = ["none"]

    def amount(self, commodity: Commodity, size: int) -> int:
        return size * {ERGON: PREPAID // 1_000, WATT: 1, TSL: MICRO // 10}[commodity]

    def unless_booked_nothing_changes(self, ask: Any, *told: Any, **more: Any) -> Outcome:
        sections = self.community.state.sections()
        found = ask(*told, **more)
        outcome: Outcome = found[1] if isinstance(found, tuple) else found
        if outcome is not Outcome.BOOKED:
            after = self.community.state.sections()
            assert [n for n, (a, b) in enumerate(zip(sections, after, strict=True)) if a != b] == [2], "its number"
        return outcome

    @rule(who=members, to=members, commodity=tokens, size=st.integers(1, 1_000))
    def give(self, who: str, to: str, commodity: Commodity, size: int) -> None:
        community = self.community
        free = community.state.accounts.balance(AccountId(who), commodity)
        free -= community.state.wallets.transfers.reserved(AccountId(who), commodity)
        amount = self.amount(commodity, size)
        outcome = self.unless_booked_nothing_changes(community.give, who, to, commodity, amount)
        assert outcome is not Outcome.BOOKED or amount <= free

    @rule(
        who=members,
        to=members,
        commodity=tokens,
        size=st.integers(1, 1_000),
        lasts_s=st.integers(1, 2_000),
        back=st.none() | st.tuples(tokens, st.integers(1, 500)),
        arbiter=st.none() | members,
    )
    def reserve(
        self,
        who: str,
        to: str,
        commodity: Commodity,
        size: int,
        lasts_s: int,
        back: tuple[Commodity, int] | None,
        arbiter: str | None,
    ) -> None:
        against = wallets.InReturn(commodity=back[0], amount=self.amount(*back)) if back else None
        name = str(len(self.community.sequencer.tree))
        outcome = self.unless_booked_nothing_changes(
            self.community.reserve,
            who,
            to,
            commodity,
            self.amount(commodity, size),
            until_s=self.community.now_s + lasts_s,
            against=against,
            arbiter=arbiter,
        )
        if outcome is Outcome.BOOKED:
            self.names.append(name)

    @rule(who=members, number=st.integers(0, 20), part=st.none() | st.integers(1, 500))
    def post(self, who: str, number: int, part: int | None) -> None:
        name = self.names[number % len(self.names)]
        self.unless_booked_nothing_changes(self.community.post, who, name, part)

    @rule(who=members, number=st.integers(0, 20))
    def void(self, who: str, number: int) -> None:
        self.unless_booked_nothing_changes(self.community.void, who, self.names[number % len(self.names)])

    @rule(who=members, side=st.sampled_from(Side), wh=st.integers(1, 600))
    def order(self, who: str, side: Side, wh: int) -> None:
        # All ask and bid at one price, so an order would meet whatever its owner has on the other side.
        own = any(order.side is not side for order in self.community.state.book.of(AccountId(who)))
        expected = Outcome.NOT_ALLOWED if own else Outcome.BOOKED
        assert self.community.order(who, side, wh, (IMPORT + EXPORT) // 2) is expected

    @rule(who=members, wh=st.integers(0, 1_000), charges=st.booleans())
    def live(self, who: str, wh: int, charges: bool) -> None:
        given_wh = min(wh, self.community.levels_wh[who] * 9 // 10)
        flow = Flow(solar_wh=wh, charge_wh=wh) if charges else Flow(load_wh=wh, discharge_wh=given_wh)
        if not charges or self.community.levels_wh[who] + wh < 9_000:
            self.community.live(**{who: flow})

    @invariant()
    def books_balance(self) -> None:
        if not hasattr(self, "community"):
            return
        self.community.check_books()
        state = self.community.state
        tsl = {account: n for account, commodity, n in state.accounts.balances() if commodity is TSL}
        assert sum(n for account, n in tsl.items() if account != "mint") == TOTAL_MICRO
        pending = state.wallets.transfers.items()
        assert {t.id for t in pending} >= state.wallets.agreed.keys()
        assert all(t.until_s > self.community.now_s - SLOT_SECONDS for t in pending)

    def teardown(self) -> None:
        if hasattr(self, "community"):
            self.community.check_rebuilt()


def test_traders_make_nothing_from_nothing() -> None:
    run_state_machine_as_test(Traders, settings=settings(max_examples=20, stateful_step_count=30, deadline=None))
