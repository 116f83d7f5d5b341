"""Whatever people do and meters tell, nothing is made from nothing and nothing is lost."""

import os
from collections import Counter

import pytest
from community import (
    CAPACITY_WH,
    EFFICIENCY,
    EXPORT,
    IMPORT,
    LAPSE,
    LIMIT_W,
    MEMBERS,
    Community,
    Flow,
    Noted,
    battery,
    gateway,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms, SharingBody
from commonwatt.model import IMBALANCE, LOSSES, MARKET, SLOT_SECONDS, AccountId, AssetId, Commodity, Outcome, Side

EXAMPLES = 300 if os.environ.get("COMMONWATT_NIGHTLY") else 40
MOST_WH = LIMIT_W * SLOT_SECONDS // 3600
members = st.sampled_from(MEMBERS)
watt_hours = st.integers(1, 2_500)
prices = st.sampled_from([0, 1, EXPORT, 150_001, 200_000, IMPORT, 10**9]) | st.integers(0, 400_000)


wishes = st.fixed_dictionaries(
    dict.fromkeys(MEMBERS, st.tuples(st.integers(0, 900), st.integers(0, 2_500), st.integers(-1_500, 2_000)))
)
"""Load, sun, and what the battery should take or give, Wh per member."""


class Street(RuleBasedStateMachine):
    """Three homes that trade and report as they like; some keep quiet for a while, some lie, some make no sense."""

    terms = LAPSE

    def __init__(self) -> None:
        super().__init__()
        self.journal = Noted()
        self.community = Community(
            3, b_max_wh=1_500, grace_slots=2, prepaid_micro=400_000, journal=self.journal, settlement=self.terms
        )
        self.unsent: list[tuple[str, int, dict[str, tuple[int, ...]]]] = []
        self.paid: list[tuple[str, int]] = []

    @rule(wished=wishes)
    def everybody_reports(self, wished: dict[str, tuple[int, int, int]]) -> None:
        self.some_keep_quiet_or_lie(wished, set(), None, 0)

    @rule(
        wished=wishes,
        quiet=st.sets(st.sampled_from([*MEMBERS, "feeder"]), max_size=2) | st.just(set()),
        liar=st.sampled_from([None, None, None, *MEMBERS]),
        fades_wh=st.sampled_from([0, 0, 0, 40, 700]),
    )
    def some_keep_quiet_or_lie(
        self, wished: dict[str, tuple[int, int, int]], quiet: set[str], liar: str | None, fades_wh: int
    ) -> None:
        community = self.community
        slot_s = community.slot_s
        community.now_s = slot_s + SLOT_SECONDS
        net_wh, wires = 0, []
        for member, (load_wh, solar_wh, store_wh) in wished.items():
            flow = self.possible(member, load_wh, solar_wh, store_wh)
            net_wh += flow.net_wh
            told = community.home(member, flow)
            if fades_wh and community.levels_wh[member] >= fades_wh:
                community.levels_wh[member] -= fades_wh
                told[f"{member}-battery"] = (*told[f"{member}-battery"][:2], community.levels_wh[member])
            if member == liar:
                told[f"{member}-home"] = (told[f"{member}-home"][0] // 2, told[f"{member}-home"][1])
            wires.append((member, gateway(member), told))
        wires.append(("feeder", "gw-feeder", community.feeder(net_wh)))
        for who, number, told in wires:
            if who in quiet:
                self.unsent.append((number, slot_s, told))
            else:
                assert community.report(number, slot_s, told) in (Outcome.BOOKED, Outcome.SET_ASIDE)

    def possible(self, member: str, load_wh: int, solar_wh: int, store_wh: int) -> Flow:
        level_wh = self.community.levels_wh[member]
        room_wh = (CAPACITY_WH - level_wh) * 1_000 // EFFICIENCY
        return Flow(
            load_wh=load_wh,
            solar_wh=solar_wh,
            charge_wh=min(max(0, store_wh), room_wh),
            discharge_wh=min(max(0, -store_wh), level_wh * EFFICIENCY // 1_000),
        )

    @rule()
    def whoever_kept_quiet_reports_late(self) -> None:
        for number, slot_s, told in self.unsent:
            assert self.community.report(number, slot_s, told) in (Outcome.BOOKED, Outcome.SET_ASIDE)
        self.unsent = []

    @rule(member=members, import_wh=st.integers(MOST_WH + 2, 10**9), level_wh=st.integers(0, 10**9))
    def a_gateway_makes_no_sense(self, member: str, import_wh: int, level_wh: int) -> None:
        told = {f"{member}-home": (import_wh, 0), f"{member}-battery": (import_wh, 0, level_wh), "nothing": (1, 1)}
        slot_s = self.community.slot_s - SLOT_SECONDS
        assert self.community.report(gateway(member), slot_s, told) is Outcome.SET_ASIDE

    @rule(member=members, side=st.sampled_from(Side), energy_wh=watt_hours, price=prices, ahead=st.integers(-1, 3))
    def somebody_orders_for_a_slot(self, member: str, side: Side, energy_wh: int, price: int, ahead: int) -> None:
        slot_s = self.community.slot_s + ahead * SLOT_SECONDS
        _, _, stands_wh = self.community.state.slot_market.standing(slot_s, AccountId(member))
        outcome = self.community.order(member, side, energy_wh, price, slot_s)
        expected = {Outcome.BOOKED, Outcome.ALREADY_THERE, Outcome.NOT_BACKED, Outcome.TOO_LATE, Outcome.UNKNOWN_THING}
        if stands_wh + energy_wh > MOST_WH:
            expected.add(Outcome.OVER_LIMIT)  # all that stands together is more than the fuse bears
        assert outcome in expected

    @rule(member=members, side=st.sampled_from(Side), energy_wh=watt_hours, price=prices)
    def somebody_orders_watt(self, member: str, side: Side, energy_wh: int, price: int) -> None:
        # What would meet one of the member's own orders is not allowed.
        assert self.community.order(member, side, energy_wh, price) in (Outcome.BOOKED, Outcome.NOT_ALLOWED)

    @rule(member=members, amount_micro=st.integers(1, 500_000), again=st.booleans())
    def somebody_pays_in(self, member: str, amount_micro: int, again: bool) -> None:
        if not again or not self.paid:
            self.paid.append((member, amount_micro))
            expected = Outcome.BOOKED
        else:
            same = self.paid[-1] == (member, amount_micro)
            expected = Outcome.ALREADY_THERE if same else Outcome.NOT_ALLOWED
        assert self.community.pay(member, amount_micro, f"bank {len(self.paid)}") is expected

    def teardown(self) -> None:
        assert self.community.booked() == self.journal.noted, "a replay books the same"

    @invariant()
    def every_commodity_sums_to_nothing(self) -> None:
        for commodity in Commodity:
            assert self.community.state.accounts.total(commodity) == 0

    @invariant()
    def watt_is_held_by_members_and_stands_against_stored_energy(self) -> None:
        state = self.community.state
        held_wh = [self.community.watt(member) for member in MEMBERS]
        assert min(held_wh) >= 0
        assert sum(held_wh) == state.claims.total_wh
        assert self.community.watt("mint") + self.community.watt("burn") == -sum(held_wh)
        for member in MEMBERS:
            asset = state.assets[battery(member)]
            settled = [s for s in state.readings if s < state.settled_to_s and asset.id in state.readings[s]]
            believed = [s for s in settled if f"{member}-home" in state.readings[s]]
            level_wh = state.readings[max(believed)][asset.id].level_wh if believed else 0
            assert state.claims.issued_wh(asset.id) <= asset.recoverable_wh(level_wh or 0)

    @invariant()
    def everyone_has_the_energy_that_their_meter_told_of_a_settled_slot_late_or_not(self) -> None:
        state, net_wh = self.community.state, Counter[tuple[str, int]]()
        for entry in self.journal.noted:
            if entry.commodity is Commodity.ENERGY:
                net_wh[entry.target, entry.slot_s] += entry.amount
                net_wh[entry.source, entry.slot_s] -= entry.amount
        for slot_s, readings in state.readings.items():
            for member in MEMBERS:
                told = readings.get(AssetId(f"{member}-home"))
                counted_wh = told.import_wh - told.export_wh if told and slot_s < state.settled_to_s else 0
                assert net_wh[member, slot_s] == counted_wh

    @invariant()
    def what_the_feeder_saw_and_nobody_told_stands_with_the_losses(self) -> None:
        state = self.community.state
        assert all(slot_s < state.settled_to_s for slot_s in state.losses_wh)
        assert state.accounts.balance(LOSSES, Commodity.ENERGY) == sum(state.losses_wh.values())


@pytest.mark.row("M2")
def test_nothing_is_made_from_nothing_whatever_a_street_does() -> None:
    run_state_machine_as_test(Street, settings=settings(max_examples=EXAMPLES, stateful_step_count=40, deadline=None))


class SharingStreet(Street):
    """The same street where trades are firm, the rest is shared, and nobody is left worse off."""

    terms = SettlementTerms(
        imbalance="grid",
        imbalance_markup_micro_per_kwh=7_777,
        sharing=SharingBody(key="pairs", price_micro_per_kwh=211_111, fee_micro_per_kwh=33_333),
        equalise="day",
    )

    @invariant()
    def who_stands_in_between_holds_no_energy_and_the_market_no_money(self) -> None:
        accounts = self.community.state.accounts
        for account in (IMBALANCE, MARKET):
            assert accounts.balance(account, Commodity.ENERGY) == 0
        assert accounts.balance(MARKET, Commodity.ERGON) == 0


@pytest.mark.row("M2")
def test_nothing_is_made_from_nothing_where_a_street_shares_and_stands_by_its_word() -> None:
    run_state_machine_as_test(
        SharingStreet, settings=settings(max_examples=EXAMPLES // 4, stateful_step_count=40, deadline=None)
    )
