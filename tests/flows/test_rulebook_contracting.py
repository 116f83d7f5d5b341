"""Contracts through the real log: offered, accepted, called, measured, disputed and paid."""

from collections.abc import Sequence
from typing import Any

import pytest
from community import EXPORT, IMPORT, NOON, Community, instruction
from waking import check_woken, sleep

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.market.contracts import contract_bodies
from commonwatt.market.contracts import BaselineRule, Basis, Days, Direction, PaymentRule, Status, TriggerKind
from commonwatt.metering.batch import Flag, Item, Quality, encode_items
from commonwatt.model import MICRO, SLOT_SECONDS, AccountId, AssetId, Commodity, ConsentMode, Kind, Outcome

DAY_S, HOUR_S = 86_400, 3_600
BUDGET = 10 * MICRO
ASSET = "anna-battery"
SURPLUS = contract_bodies.WindowItem(
    direction=Direction.CHARGE, price_micro_per_kwh=50_000, start_s=NOON + HOUR_S, end_s=NOON + 2 * HOUR_S
)
PEAK = contract_bodies.WindowItem(
    direction=Direction.GIVE_BACK, price_micro_per_kwh=400_000, start_s=NOON + 3 * HOUR_S, end_s=NOON + 4 * HOUR_S
)


class Contracting(Community):
    """A community with a utility that has money, and oracles who watch the grid."""

    def __init__(self, oracles: Sequence[str] = (), homes: int = 1, **more: Any) -> None:
        super().__init__(homes, priced_slots=200, **more)
        assert self.register_key("utility", "utility", "utility") is Outcome.BOOKED
        assert self.register_key("judge", "member", "judge") is Outcome.BOOKED
        for oracle in oracles:
            assert self.register_key(oracle, "oracle", oracle) is Outcome.BOOKED
        assert self.pay("utility", 2 * BUDGET, "first utility") is Outcome.BOOKED

    def next_name(self) -> str:
        """Return the name that the next request gets in the log."""
        return str(len(self.sequencer.tree))

    def offer(self, *windows: contract_bodies.WindowItem, **terms: Any) -> str:
        told = {
            "most_windows": len(windows),
            "until_s": NOON + 30 * DAY_S,
            "accept_by_s": NOON + HOUR_S,
            "power_w": 10_000,
            "budget_micro": BUDGET,
            "basis": Basis.INSTEAD,
            "most_micro_per_kwh": 400_000,
            "penalty_micro_per_kwh": 100_000,
            "baseline": BaselineRule.METERED_SETPOINT,
            "dispute_s": HOUR_S,
        } | terms
        name = self.next_name()
        made = self.ask("utility", Kind.CONTRACT, contract_bodies.MakeOffer(windows=windows, **told))
        assert made is Outcome.BOOKED
        return name

    def guarantee(
        self, asset: str = ASSET, *, charge_w: int = 2_000, give_back_w: int = 2_000, direct: bool = True
    ) -> Outcome:
        body = contract_bodies.GiveGuarantee(
            asset=asset, until_s=NOON + 40 * DAY_S, charge_w=charge_w, give_back_w=give_back_w, direct=direct
        )
        return self.ask("anna", Kind.CONTRACT, body)

    def accept(self, offer: str, asset: str = ASSET, *, charge_w: int = 2_000, give_back_w: int = 2_000) -> Outcome:
        body = contract_bodies.Accept(offer=offer, asset=asset, charge_w=charge_w, give_back_w=give_back_w)
        return self.ask("anna", Kind.CONTRACT, body)

    def meter(
        self, start_s: int, *slots: tuple[int, int], flags: Flag = Flag.NONE, quality: Quality = Quality.MEASURED
    ) -> None:
        """Let anna's battery tell import and export of slots; nothing else of her home is told."""
        register = self.behind("gw-anna").index(AssetId(ASSET))
        items = [
            Item(
                start_s=start_s + n * SLOT_SECONDS,
                register=register,
                import_wh=into,
                export_wh=out,
                level_wh=5_000,
                flags=flags,
                quality=quality,
            )
            for n, (into, out) in enumerate(slots)
        ]
        assert self.send(self.batch("gw-anna", encode_items(items), "gw-anna")) is Outcome.BOOKED

    def pass_to(self, now_s: int) -> None:
        """Let time pass; something happens in the log at the end of it, for a log without requests stands still."""
        sleep(self)
        self.now_s = now_s
        assert self.agree("anna", "anna-solar") is Outcome.BOOKED

    def plan(self, start_s: int, power_w: int) -> None:
        told = instruction(power_w, start_s, start_s + HOUR_S)
        assert self.schedule(ASSET, told) is Outcome.BOOKED

    def tell_more(self, days: int) -> None:
        """Let prices be known for more days than the community was founded with."""
        for day in range(days):
            start_s = NOON + 200 * SLOT_SECONDS + day * DAY_S
            assert self.tell_prices(start_s, [(IMPORT, EXPORT)] * 96) is Outcome.BOOKED

    def frequency(self, oracle: str, mhz: int, second_s: int) -> Outcome:
        fact = contract_bodies.FrequencyFact(start_s=second_s, end_s=second_s + 1, mhz=mhz)
        return self.ask(oracle, Kind.FACT, fact, account=oracle)

    def free(self, who: str) -> int:
        """Return what an account has beyond what is reserved."""
        return self.state.wallets.transfers.available(AccountId(who), Commodity.ERGON, self.ergon(who))

    def sure(self) -> None:
        """Check that a replay from zero, and whoever slept and woke whenever time passed, reach the same root."""
        check_woken(self)


def paid(community: Community) -> dict[str, int]:
    memos = ("payment", "availability", "penalty", "settlement")
    found = {memo: sum(amount for _, _, amount in community.entries(f"flexibility {memo}")) for memo in memos}
    return {memo: amount for memo, amount in found.items() if amount}


@pytest.mark.row("W5")
def test_what_is_charged_at_surplus_and_given_back_at_the_peak_is_paid_at_two_prices() -> None:
    lane = Contracting()
    offer = lane.offer(SURPLUS, PEAK)
    assert lane.free("utility") == BUDGET, "the budget is reserved from the offer on"
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer) is Outcome.BOOKED
    lane.plan(SURPLUS.start_s, 2_000)
    lane.pass_to(SURPLUS.start_s)
    lane.pass_to(SURPLUS.end_s)
    lane.meter(SURPLUS.start_s, *[(500, 0)] * 4)
    lane.plan(PEAK.start_s, -2_000)
    lane.pass_to(PEAK.start_s)
    before = lane.ergon("anna")
    lane.pass_to(PEAK.end_s)
    lane.meter(PEAK.start_s, *[(0, 250)] * 4)
    lane.pass_to(PEAK.end_s + 2 * HOUR_S)
    # 2 kWh at 0.25 below the grid's import price; 1 of 2 kWh at 0.30 above what the grid gives, 1 kWh missed.
    surplus, peak, penalty = 2 * (IMPORT - 50_000), 400_000 - EXPORT, 100_000
    lane.pass_to(PEAK.end_s + 4 * HOUR_S)
    assert paid(lane) == {"payment": surplus + peak, "penalty": penalty}
    assert before <= lane.ergon("anna")
    (contract,) = lane.state.contracted.book.contracts.values()
    assert [call.status for call in contract.calls] == [Status.PAID] * 2
    assert [call.delivered_wh for call in contract.calls] == [2_000, 1_000]
    assert contract.ended_s is not None
    assert lane.free("utility") == lane.ergon("utility") == 2 * BUDGET - surplus - peak + penalty
    assert lane.free("anna") == lane.ergon("anna")
    lane.sure()


@pytest.mark.row("E13")
def test_a_frequency_event_calls_when_two_of_three_oracles_signed_it() -> None:
    oracles = ("north", "south", "west")
    lane = Contracting(oracles, homes=1)
    trigger = contract_bodies.TriggerItem(
        kind=TriggerKind.FREQUENCY_BELOW, level=49_800, oracles=oracles, quorum=2, lasts_s=1_800
    )
    late = contract_bodies.WindowItem(
        direction=Direction.GIVE_BACK, price_micro_per_kwh=400_000, start_s=NOON + HOUR_S, end_s=NOON + 6 * HOUR_S
    )
    offer = lane.offer(late, trigger=trigger, basis=Basis.ON_TOP, availability_micro_per_kw_h=10_000)
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer, charge_w=0) is Outcome.BOOKED
    (contract,) = lane.state.contracted.book.contracts.values()
    (call,) = contract.calls
    lane.pass_to(NOON + 2 * HOUR_S)
    second_s = lane.now_s - 10
    assert lane.frequency("north", 49_700, second_s) is Outcome.BOOKED
    assert lane.frequency("north", 49_600, second_s) is Outcome.ALREADY_THERE, "one oracle has one voice"
    assert lane.frequency("south", 49_900, second_s) is Outcome.BOOKED, "who saw no fall does not count"
    assert call.status is Status.STANDBY
    lane.plan(lane.now_s, -2_000)
    assert lane.frequency("west", 49_710, second_s) is Outcome.BOOKED
    assert call.called == (lane.now_s, lane.now_s + 1_800)
    lane.pass_to(NOON + 2 * HOUR_S + 1_800)
    lane.meter(NOON + 2 * HOUR_S, (0, 500), (0, 500))
    lane.pass_to(late.end_s + 2 * HOUR_S)
    lane.pass_to(late.end_s + 4 * HOUR_S)
    assert paid(lane) == {"payment": 400_000, "availability": 5 * 2 * 10_000}
    lane.sure()


@pytest.mark.row("E13")
def test_a_fact_that_comes_too_late_calls_nothing_and_costs_nothing() -> None:
    lane = Contracting(("north",))
    trigger = contract_bodies.TriggerItem(kind=TriggerKind.FREQUENCY_BELOW, level=49_800, oracles=("north",), quorum=1)
    offer = lane.offer(PEAK, trigger=trigger)
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer, charge_w=0) is Outcome.BOOKED
    lane.pass_to(PEAK.end_s + HOUR_S)
    assert lane.frequency("north", 49_700, PEAK.start_s + 60) is Outcome.TOO_LATE
    lane.pass_to(PEAK.end_s + 2 * HOUR_S)
    lane.pass_to(PEAK.end_s + 4 * HOUR_S)
    assert paid(lane) == {}
    (contract,) = lane.state.contracted.book.contracts.values()
    assert contract.ended_s is not None


@pytest.mark.row("E13")
def test_a_grid_event_calls_its_zone_in_time_and_a_price_calls_above_its_level() -> None:
    lane = Contracting(("north",))
    event = contract_bodies.TriggerItem(kind=TriggerKind.EVENT, name="peak", oracles=("north",), quorum=1)
    dear = contract_bodies.TriggerItem(kind=TriggerKind.PRICE_ABOVE, level=IMPORT - 1)
    for trigger, asset in ((event, ASSET), (dear, "anna-solar")):
        offer = lane.offer(PEAK, trigger=trigger, notice_s=HOUR_S, budget_micro=2 * MICRO)
        assert lane.agree("anna", asset) is Outcome.BOOKED
        assert lane.guarantee(asset, charge_w=0) is Outcome.BOOKED
        assert lane.accept(offer, asset, charge_w=0) is Outcome.BOOKED
    by_event, by_price = lane.state.contracted.book.contracts.values()
    told = {"name": "peak", "direction": Direction.GIVE_BACK, "end_s": PEAK.end_s}
    for zone, start_s in (("elsewhere", PEAK.start_s), ("lane", PEAK.start_s + 900)):
        assert by_event.calls[0].status is Status.STANDBY
        fact = contract_bodies.EventFact(zone=zone, start_s=start_s, **told)
        assert lane.ask("north", Kind.FACT, fact, account="north") is Outcome.BOOKED
    assert by_event.calls[0].called == (PEAK.start_s + 900, PEAK.end_s)
    assert by_price.calls[0].called == (PEAK.start_s, PEAK.end_s), "its price was known before it was accepted"


@pytest.mark.row("M4")
@pytest.mark.row("X13")
def test_only_what_is_controlled_directly_within_its_limits_and_once_is_guaranteed() -> None:
    lane = Contracting()
    offer = lane.offer(SURPLUS, PEAK)
    assert lane.accept(offer) is Outcome.NOT_ALLOWED, "nothing is guaranteed yet"
    assert lane.guarantee(charge_w=20_001) is Outcome.OVER_LIMIT
    assert (
        lane.ask("anna", Kind.CONSENT, bodies.ConsentBody(asset=ASSET, mode=ConsentMode.ASK, decide_s=60))
        is Outcome.BOOKED
    )
    assert lane.guarantee() is Outcome.NOT_ALLOWED, "who asks first controls indirectly"
    assert lane.guarantee(direct=False) is Outcome.BOOKED
    assert lane.accept(offer) is Outcome.NOT_ALLOWED, "what is not direct backs nothing"
    assert lane.agree("anna", ASSET) is Outcome.BOOKED
    assert lane.guarantee(charge_w=1_000) is Outcome.BOOKED
    assert lane.accept(offer) is Outcome.NOT_ALLOWED, "no more than it guaranteed"
    assert lane.accept(offer, charge_w=1_000) is Outcome.BOOKED
    assert lane.accept(lane.offer(SURPLUS, PEAK), charge_w=1_000) is Outcome.ALREADY_THERE
    assert lane.guarantee() is Outcome.ALREADY_THERE


@pytest.mark.row("W5")
def test_nobody_accepts_what_they_could_not_pay_and_no_budget_is_promised_twice() -> None:
    lane = Contracting()
    assert lane.guarantee() is Outcome.BOOKED
    dear = lane.offer(PEAK, penalty_micro_per_kwh=10**9)
    assert lane.accept(dear, charge_w=0) is Outcome.NOT_BACKED
    short = lane.offer(PEAK, budget_micro=2 * 400_000)
    assert lane.accept(short, charge_w=0) is Outcome.OVER_LIMIT
    over = contract_bodies.MakeOffer(
        windows=(PEAK,),
        most_windows=1,
        until_s=NOON + DAY_S,
        accept_by_s=NOON + HOUR_S,
        power_w=1,
        budget_micro=BUDGET,
        basis=Basis.INSTEAD,
        most_micro_per_kwh=1,
    )
    assert lane.ask("utility", Kind.CONTRACT, over) is Outcome.NOT_BACKED
    assert lane.ask("anna", Kind.CONTRACT, over) is Outcome.NOT_ALLOWED
    assert lane.ask("utility", Kind.CONTRACT, contract_bodies.CloseOffer(offer=dear)) is Outcome.BOOKED
    assert lane.free("utility") == 2 * BUDGET - 800_000


@pytest.mark.row("W5")
def test_a_silent_meter_delivered_nothing_until_it_speaks_and_a_correction_counts_while_it_can() -> None:
    lane = Contracting(grace_slots=1)
    offer = lane.offer(PEAK, rule=PaymentRule.ALL_OR_NOTHING, whole_permille=900, dispute_s=2 * HOUR_S)
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer, charge_w=0) is Outcome.BOOKED
    lane.plan(PEAK.start_s, -2_000)
    lane.pass_to(PEAK.end_s)
    lane.meter(PEAK.start_s, *[(0, 500)] * 3)
    lane.pass_to(PEAK.end_s + HOUR_S)
    ((call,),) = (one.calls for one in lane.state.contracted.book.contracts.values())
    assert (call.status, call.delivered_wh, call.due.payment_micro) == (Status.MEASURED, 1_500, 0)
    assert call.due.penalty_micro == 50_000
    lane.meter(PEAK.start_s + 3 * SLOT_SECONDS, (0, 400))
    assert call.delivered_wh == 1_900, "95 per cent count as all where 90 do"
    lane.meter(PEAK.start_s, (0, 450), flags=Flag.CORRECTS, quality=Quality.MEASURED)
    assert call.delivered_wh == 1_850
    lane.pass_to(PEAK.end_s + 4 * HOUR_S)
    assert paid(lane) == {"payment": 1_850 * (400_000 - EXPORT) // 1000}
    lane.sure()


@pytest.mark.row("W5")
@pytest.mark.parametrize("how", ["arbiter", "both", "neither"])
def test_a_dispute_holds_a_payment_until_an_arbiter_both_sides_or_time_decides(how: str) -> None:
    lane = Contracting()
    offer = lane.offer(PEAK, arbiter="judge", resolve_s=DAY_S)
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer, charge_w=0) is Outcome.BOOKED
    contract = next(iter(lane.state.contracted.book.contracts))
    lane.plan(PEAK.start_s, -2_000)
    lane.pass_to(PEAK.end_s)
    lane.meter(PEAK.start_s, *[(0, 500)] * 4)
    lane.pass_to(PEAK.end_s + HOUR_S - 60)
    dispute = contract_bodies.Dispute(contract=contract, window_s=PEAK.start_s, reason="the meter was swapped")
    assert lane.ask("judge", Kind.CONTRACT, dispute) is Outcome.NOT_ALLOWED
    assert lane.ask("utility", Kind.CONTRACT, dispute) is Outcome.BOOKED
    assert lane.ask("anna", Kind.CONTRACT, dispute) is Outcome.ALREADY_THERE
    lane.pass_to(PEAK.end_s + 3 * HOUR_S)
    assert paid(lane) == {}
    half = contract_bodies.Resolve(contract=contract, window_s=PEAK.start_s, net_micro=300_000)
    more = contract_bodies.Resolve(contract=contract, window_s=PEAK.start_s, net_micro=BUDGET)
    assert lane.ask("judge", Kind.CONTRACT, more) is Outcome.OVER_LIMIT
    if how == "arbiter":
        assert lane.ask("judge", Kind.CONTRACT, half) is Outcome.BOOKED
    elif how == "both":
        assert lane.ask("utility", Kind.CONTRACT, half) is Outcome.BOOKED
        assert paid(lane) == {}
        assert lane.ask("anna", Kind.CONTRACT, half) is Outcome.BOOKED
    lane.pass_to(PEAK.end_s + 30 * HOUR_S)
    assert paid(lane) == ({"payment": 600_000} if how == "neither" else {"settlement": 300_000})
    assert lane.ask("judge", Kind.CONTRACT, half) in (Outcome.UNKNOWN_THING, Outcome.TOO_LATE)
    assert lane.free("utility") == lane.ergon("utility")
    lane.sure()


@pytest.mark.row("W5")
def test_an_owners_off_wins_and_costs_no_more_than_the_contract_says() -> None:
    lane = Contracting()
    offer = lane.offer(PEAK)
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer, charge_w=0) is Outcome.BOOKED
    lane.plan(PEAK.start_s, -2_000)
    assert lane.agree("anna", ASSET, standing=False) is Outcome.BOOKED
    lane.pass_to(PEAK.end_s)
    lane.meter(PEAK.start_s, *[(0, 500)] * 4)
    lane.pass_to(PEAK.end_s + 2 * HOUR_S)
    lane.pass_to(PEAK.end_s + 4 * HOUR_S)
    assert paid(lane) == {"penalty": 200_000}, "what nobody instructed is not delivered"
    lane.sure()


@pytest.mark.row("W5")
def test_a_member_leaves_by_the_terms_and_what_was_reserved_is_free_again() -> None:
    lane = Contracting()
    evening = contract_bodies.WindowItem(
        direction=Direction.GIVE_BACK, price_micro_per_kwh=400_000, days=Days.ALL, from_minute=1080, to_minute=1140
    )
    offer = lane.offer(evening, most_windows=3, leave_s=HOUR_S, until_s=NOON + 10 * DAY_S)
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer, charge_w=0) is Outcome.BOOKED
    assert lane.free("anna") < lane.ergon("anna")
    contract = next(iter(lane.state.contracted.book.contracts))
    assert lane.ask("anna", Kind.CONTRACT, contract_bodies.Leave(contract=contract)) is Outcome.BOOKED
    lane.pass_to(NOON + 2 * HOUR_S)
    assert lane.free("anna") == lane.ergon("anna")
    assert lane.free("utility") == lane.ergon("utility"), "the offer is closed by now, too"
    assert lane.ask("anna", Kind.CONTRACT, contract_bodies.Leave(contract=contract)) is Outcome.UNKNOWN_THING
    lane.sure()


@pytest.mark.row("W5")
def test_delivery_is_measured_against_ten_like_days_though_readings_are_long_forgotten() -> None:
    lane = Contracting(grace_slots=1, correction_slots=32)
    evening = contract_bodies.WindowItem(
        direction=Direction.GIVE_BACK,
        price_micro_per_kwh=400_000,
        start_s=NOON + 14 * DAY_S + 3 * HOUR_S,
        end_s=NOON + 14 * DAY_S + 4 * HOUR_S,
    )
    lane.tell_more(15)
    offer = lane.offer(evening, basis=Basis.ON_TOP, baseline=BaselineRule.TEN_LIKE_DAYS)
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer, charge_w=0) is Outcome.BOOKED
    for day in range(14):
        lane.pass_to(NOON + day * DAY_S + 4 * HOUR_S)
        lane.meter(NOON + day * DAY_S, *[(300, 0)] * 16)
    lane.pass_to(evening.end_s)
    lane.meter(evening.start_s - 3 * HOUR_S, *[(340, 0)] * 12, *[(40, 0)] * 4)
    lane.pass_to(evening.end_s + HOUR_S)
    ((call,),) = (one.calls for one in lane.state.contracted.book.contracts.values())
    assert call.against_wh == [340] * 4, "300 Wh as on its like days, and 40 Wh more since today was a day of more"
    assert call.delivered_wh == 1_200
    assert call.due.payment_micro == 480_000
    assert min(lane.state.readings) > NOON + 13 * DAY_S
    lane.sure()


@pytest.mark.row("W5")
def test_what_ended_is_forgotten_and_answers_as_before_in_every_replay() -> None:
    lane = Contracting(correction_slots=4)
    offer = lane.offer(PEAK, dispute_s=60)
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer, charge_w=0) is Outcome.BOOKED
    contract = next(iter(lane.state.contracted.book.contracts))
    for hours in range(1, 12):
        lane.pass_to(NOON + hours * HOUR_S)
        assert lane.accept(offer, charge_w=0) in (Outcome.ALREADY_THERE, Outcome.UNKNOWN_THING)
        leave = contract_bodies.Leave(contract=contract)
        if hours > 5:
            assert lane.ask("anna", Kind.CONTRACT, leave) is Outcome.UNKNOWN_THING
        lane.sure()
    book = lane.state.contracted.book
    assert not book.contracts
    assert not book.offers
    assert paid(lane) == {"penalty": 200_000}, "a standing window that nobody noticed is missed all the same"
