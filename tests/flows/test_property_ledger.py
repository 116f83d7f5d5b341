"""Whatever members, meters and the bank do, every balance is what a naive model of all tokens says it is."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from community import CAPACITY_WH, EFFICIENCY, EXPORT, IMPORT, NAME, NOON, PREPAID, Flow, battery, gateway
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from purse import TSL_PER_KWH, Purse

from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.flows.sequence import Sequencer, replay
from commonwatt.metering.batch import Flag
from commonwatt.model import MICRO, SLOT_SECONDS, SYSTEM_ACCOUNTS, Commodity, Kind, Outcome, Side
from commonwatt.simulator.world import salts
from commonwatt.tokens.tsl import TOTAL_MICRO

sys.path.append(str(Path(__file__).parents[1] / "oracles"))
from ledger import Model, Told

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
EXAMPLES, STEPS = (2_000, 60) if NIGHTLY else (40, 30)
MEMBERS = ("anna", "ben")
B_MAX_WH, GRACE, RATE = 1_500, 2, 4_321_987
TERMS: dict[str, Any] = {
    "tsl_micro_per_kwh": TSL_PER_KWH,
    "commission_micro_per_kwh": RATE,
    "member_tsl_micro": 120 * MICRO,
    "education_tsl_micro": 25 * MICRO,
    "welcome_grant_micro": 10 * MICRO,
}
members = st.sampled_from(MEMBERS)
tokens = st.sampled_from([Commodity.ERGON, Commodity.WATT, Commodity.TSL])
amounts = st.integers(1, 900) | st.sampled_from([1, 40, 10_000, 30 * MICRO, 10**15])
money = st.sampled_from([10_000, 500_000, 5 * MICRO, 10**9])
home = st.tuples(st.integers(0, 900), st.integers(0, 1_500), st.integers(-900, 2_000))
"""Load, sun, and what the battery should take or give, Wh: together less than the feeder's fuse bears."""
sunny = st.tuples(st.integers(0, 200), st.integers(1_200, 1_500), st.integers(400, 1_200))
dark = st.tuples(st.integers(200, 900), st.just(0), st.integers(-900, -100))


class Ledger(RuleBasedStateMachine):
    """Two homes with everything that a wallet can do; who keeps quiet reports late, and who erred corrects it."""

    def __init__(self) -> None:
        super().__init__()
        self.town = Purse(2, terms=TERMS, b_max_wh=B_MAX_WH, grace_slots=GRACE, priced_slots=400)
        self.model = Model(
            list(MEMBERS),
            NOON,
            prices=(IMPORT, EXPORT),
            b_max=B_MAX_WH,
            efficiency=(EFFICIENCY, EFFICIENCY),
            tsl_per_kwh=TSL_PER_KWH,
            rate=RATE,
            grace=GRACE,
        )
        move = self.model.move
        move("tsl_micro", "mint", "vault", TOTAL_MICRO)
        move("tsl_micro", "vault", "education-pot", 25 * MICRO)
        for member in MEMBERS:
            move("tsl_micro", "vault", member, 120 * MICRO)
            move("tsl_micro", "education-pot", member, 10 * MICRO)
            self.model.buy(f"first {member}", member, PREPAID)
        self.unsent: list[tuple[str, int, Told]] = []
        self.references: list[str] = [f"first {member}" for member in MEMBERS]
        self.payouts = ["none"]
        self.reserved = ["none"]
        self.orders = [0]

    @initialize(wished=st.tuples(sunny, sunny))
    def a_sunny_morning(self, wished: tuple[tuple[int, int, int], ...]) -> None:
        """Begin with WATT to trade and TSL to pay for it."""
        self.a_slot_passes(*wished, quiet="")
        self.a_slot_passes(*wished, quiet="")

    def done(self, outcome: Outcome, expected: bool | None) -> None:
        self.model.end()
        assert (outcome is Outcome.BOOKED) == bool(expected), outcome

    def position(self) -> int:
        self.model.begin(self.town.now_s)
        return len(self.town.sequencer.tree)

    # Money.

    @rule(who=members, amount=money, again=st.booleans())
    def buys(self, who: str, amount: int, again: bool) -> None:
        self.position()
        reference = self.references[-1] if again else f"bank {len(self.references)}"
        self.references += [] if again else [reference]
        self.done(self.town.pay(who, amount, reference), self.model.buy(reference, who, amount))

    @rule(number=st.integers(0, 9), amount=money, asked=st.booleans())
    def gets_money_back(self, number: int, amount: int, asked: bool) -> None:
        self.position()
        purchase, reference = self.references[number % len(self.references)], f"back {len(self.references)} {number}"
        body = (wallets.RefundBody if asked else wallets.ChargeBackBody)(
            reference=reference, purchase=purchase, amount_micro=amount
        )
        expected = self.model.take_money_back(reference, purchase, amount, asked=asked)
        self.done(self.town.tell(body), expected)

    @rule(who=members, amount=money)
    def asks_for_a_payout(self, who: str, amount: int) -> None:
        name = str(self.position())
        self.payouts.append(name)
        self.done(self.town.pay_out(who, amount)[1], self.model.ask_payout(name, who, amount))

    @rule(number=st.integers(0, 9), paid=st.booleans())
    def the_bank_answers(self, number: int, paid: bool) -> None:
        self.position()
        name = self.payouts[-1 - number % len(self.payouts)]
        body = wallets.PayoutPaid(payout=name) if paid else wallets.PayoutFailed(payout=name)
        self.done(self.town.tell(body), self.model.end_payout(name, paid=paid))

    # Transfers and trades.

    @rule(who=members, to=members, what=tokens, amount=amounts)
    def gives(self, who: str, to: str, what: Commodity, amount: int) -> None:
        self.position()
        self.done(self.town.give(who, to, what, amount), self.model.give(who, to, what.value, amount))

    @rule(who=members, to=members, what=tokens, amount=amounts, lasts_s=st.sampled_from([0, 1, 900, 2_000, 90_000]))
    def reserves(self, who: str, to: str, what: Commodity, amount: int, lasts_s: int) -> None:
        name, until_s = str(self.position()), self.town.now_s + lasts_s
        expected = self.model.reserve(name, who, to, what.value, amount, until_s)
        self.reserved += [name] if expected else []
        self.done(self.town.reserve(who, to, what, amount, until_s=until_s)[1], expected)

    @rule(who=members, number=st.integers(0, 9), amount=st.none() | amounts)
    def posts(self, who: str, number: int, amount: int | None) -> None:
        self.position()
        name = self.reserved[-1 - number % len(self.reserved)]
        self.done(self.town.post(who, name, amount), self.model.post(name, who, amount))

    @rule(who=members, what=tokens, amount=amounts, part=st.integers(1, 9))
    def reserves_and_posts(self, who: str, what: Commodity, amount: int, part: int) -> None:
        other = MEMBERS[who == "anna"]
        self.reserves(who, other, what, amount, 2_000)
        self.posts(other, 0, max(1, amount * part // 9))

    @rule(who=members, paid=st.lists(st.booleans(), min_size=1, max_size=3))
    def is_paid_out(self, who: str, paid: list[bool]) -> None:
        self.asks_for_a_payout(who, 10_000)
        for word in paid:
            self.the_bank_answers(0, word)

    @rule(who=members, number=st.integers(0, 9))
    def voids(self, who: str, number: int) -> None:
        self.position()
        name = self.reserved[-1 - number % len(self.reserved)]
        self.done(self.town.void(who, name), self.model.void(name, who))

    @rule(
        who=members,
        side=st.sampled_from(Side),
        wh=st.integers(1, 900),
        price=st.sampled_from([0, 1, EXPORT, 200_001, 10**9]),
    )
    def orders_watt(self, who: str, side: Side, wh: int, price: int) -> None:
        position = self.position()
        self.orders.append(position)
        expected = self.model.order(position, who, side.value, wh, price)
        self.done(self.town.order(who, side, wh, price), expected)

    @rule(who=members, number=st.integers(0, 9))
    def cancels(self, who: str, number: int) -> None:
        self.position()
        order = self.orders[-1 - number % len(self.orders)]
        outcome = self.town.ask(who, Kind.CANCEL, order_bodies.CancelBody(order=str(order)))
        self.done(outcome, self.model.cancel(order, who))

    # Time and meters.

    @rule(seconds=st.integers(1, 899))
    def waits(self, seconds: int) -> None:
        if self.town.now_s + seconds < self.town.slot_s + SLOT_SECONDS:
            self.town.now_s += seconds

    @rule(anna=home, ben=home, quiet=st.sampled_from(["", "", "", "anna", "ben"]))
    def a_slot_passes(self, anna: tuple[int, int, int], ben: tuple[int, int, int], quiet: str) -> None:
        town, slot_s, wires, net_wh = self.town, self.town.slot_s, list[bytes](), 0
        town.now_s = slot_s + SLOT_SECONDS
        self.position()
        for who, wished in (("anna", anna), ("ben", ben)):
            flow = self.possible(who, *wished)
            net_wh += flow.net_wh
            meters = town.home(who, flow)
            (into, out), (_, sun), stored = meters.values()
            told = Told(into, out, sun, *stored)  # type: ignore[call-arg]
            if who == quiet:
                self.unsent.append((who, slot_s, told))
            else:
                wires.append(town.reading(gateway(who), slot_s, meters))
                self.model.report(who, slot_s, told)
        wires.append(town.reading("gw-feeder", slot_s, town.feeder(net_wh)))
        self.model.feeder[slot_s] = (max(0, net_wh), max(0, -net_wh))
        assert {*town.sequencer.submit(wires, town.now_s)} == {Outcome.BOOKED}
        self.model.end()

    @rule(anna=sunny, ben=dark, quiet=st.sampled_from(["", "", "", "anna", "ben"]))
    def the_sun_shines_for_anna(self, anna: tuple[int, int, int], ben: tuple[int, int, int], quiet: str) -> None:
        self.a_slot_passes(anna, ben, quiet)

    @rule(anna=dark, ben=dark | sunny)
    def anna_needs_energy(self, anna: tuple[int, int, int], ben: tuple[int, int, int]) -> None:
        self.a_slot_passes(anna, ben, "")

    @rule(who=members, wh=st.sampled_from([40, 700, 1_500]))
    def a_battery_fades(self, who: str, wh: int) -> None:
        """Let stored energy go by itself, as its next level will tell."""
        self.town.levels_wh[who] = max(0, self.town.levels_wh[who] - wh)

    @rule(who=members, wh=st.integers(1, 900), price=st.sampled_from([0, 1, EXPORT, 200_001]), late=st.booleans())
    def somebody_sells_to_the_other(self, who: str, wh: int, price: int, late: bool) -> None:
        sides = [(who, Side.ASK), (MEMBERS[who == "anna"], Side.BID)]
        for one, side in reversed(sides) if late else sides:
            self.orders_watt(one, side, wh, price)

    def possible(self, who: str, load_wh: int, solar_wh: int, store_wh: int) -> Flow:
        level_wh = self.town.levels_wh[who]
        room_wh = (CAPACITY_WH - level_wh) * 1_000 // EFFICIENCY
        return Flow(
            load_wh=load_wh,
            solar_wh=solar_wh,
            charge_wh=min(max(0, store_wh), room_wh),
            discharge_wh=min(max(0, -store_wh), level_wh * EFFICIENCY // 1_000),
        )

    @precondition(lambda self: self.unsent)
    @rule()
    def whoever_kept_quiet_reports_late(self) -> None:
        who, slot_s, told = self.unsent.pop(0)
        self.position()
        meters = {
            f"{who}-home": (told.into, told.out),
            f"{who}-solar": (0, told.sun),
            f"{who}-battery": (told.charge, told.discharge, told.level),
        }
        self.model.report(who, slot_s, told)
        self.done(self.town.report(gateway(who), slot_s, meters), True)

    @rule(who=members, back=st.integers(1, 6), into=st.integers(0, 900), sun=st.integers(0, 2_500))
    def a_meter_is_corrected(self, who: str, back: int, into: int, sun: int) -> None:
        slot_s = self.town.slot_s - back * SLOT_SECONDS
        older = self.model.told[slot_s].get(who)
        if older is None:
            return
        self.position()
        self.model.report(who, slot_s, older._replace(into=into, sun=sun))
        meters = {f"{who}-home": (into, older.out), f"{who}-solar": (0, sun)}
        self.done(self.town.report(gateway(who), slot_s, meters, flags=Flag.CORRECTS), True)

    # What is kept, and what must be true.

    @rule(keep=st.booleans())
    def the_writer_starts_again(self, keep: bool) -> None:
        if keep:
            self.town.sequencer.save_snapshot()
        root = self.town.state.root()
        self.town.sequencer = Sequencer(self.town.store, NAME, salts("tiny"))
        assert self.town.state.root() == root

    @invariant()
    def every_balance_is_the_models(self) -> None:
        told = {(account, what.value): balance for account, what, balance in self.town.state.accounts.balances()}
        assert told == {place: balance for place, balance in self.model.has.items() if balance}

    @invariant()
    def nothing_is_made_from_nothing(self) -> None:
        state = self.town.state
        assert all(state.accounts.total(commodity) == 0 for commodity in Commodity)
        assert -self.town.tsl("mint") == TOTAL_MICRO
        held_wh = {member: self.town.watt(member) for member in MEMBERS}
        assert min(held_wh.values()) >= 0
        assert sum(held_wh.values()) == state.claims.total_wh == -self.town.watt("mint") - self.town.watt("burn")
        for member in MEMBERS:
            assert state.wallets.transfers.reserved(member, Commodity.TSL) <= self.town.tsl(member)  # type: ignore[arg-type]
            assert held_wh[member] <= B_MAX_WH
            on_time = [
                slot_s
                for slot_s in self.model.told
                if slot_s < state.settled_to_s and member in self.model.told[slot_s]
            ]
            late = {slot_s for who, slot_s, _ in self.unsent if who == member}
            level_wh = self.model.told[max(on_time)][member].level if on_time else 0
            if not late and len(on_time) == len([s for s in self.model.told if s < state.settled_to_s]):
                assert state.claims.issued_wh(battery(member)) <= level_wh * EFFICIENCY // 1_000
        assert all(self.town.tsl(account) >= 0 for account in SYSTEM_ACCOUNTS if account != "mint")

    def teardown(self) -> None:
        rows = self.town.rows()
        assert replay(rows, NAME).state.root() == replay(rows, NAME, keep=True).state.root() == self.town.state.root()


@pytest.mark.row("M2")
@pytest.mark.row("E8")
def test_every_balance_is_what_a_naive_model_of_all_tokens_says() -> None:
    run_state_machine_as_test(
        Ledger, settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
    )
