"""Utility contracts, from offer to payment, on the real log: two prices, oracles, silence, corrections, disputes."""

import json
import re
from pathlib import Path

import pytest
from community import EXPORT, IMPORT, LIMIT_W, NOON, Community, key
from utility import (
    DAY,
    HOUR,
    ORACLES,
    PURSE,
    USUAL_WH,
    accepted,
    ask,
    at,
    contract_of,
    entries,
    guarantee,
    live_until,
    offer,
    offered,
    once,
    part_of,
    pass_time,
    put_down,
    reserved,
    told,
    usual,
    with_utility,
    within,
)

from commonwatt.flows.replay import Replayed, go_on
from commonwatt.flows.rulebook import bodies, calling, contracting, snapshot, wallet_bodies
from commonwatt.flows.rulebook import contract_bodies as said
from commonwatt.flows.sequence import replay
from commonwatt.market.contracts.standing import Stage
from commonwatt.market.contracts.terms import Baseline, Direction, PaymentRule, Trigger
from commonwatt.metering.batch import Flag
from commonwatt.model import SLOT_SECONDS, Commodity, ConsentMode, Kind, Outcome

CHARGE, GIVE_BACK = Direction.CHARGE, Direction.GIVE_BACK
NOON_2, TWO = at(2, 12), at(2, 14)
PEAK, LATE = at(2, 17), at(2, 19)
PEAK_ONLY = once(GIVE_BACK, PEAK, LATE)
KWH = 1_000


def grid_only(load_wh: int, slots: int) -> int:
    """Return what the grid takes for a load, micro."""
    return load_wh * slots * IMPORT // KWH


def same_everywhere(community: Community) -> None:
    """Replay from zero and go on from a snapshot: both must stand where the living state stands."""
    state = community.state
    assert replay(community.rows(), state.community).state.root() == state.root()
    restored, _ = snapshot.load(put_down(community))
    assert restored.root() == state.root()


@pytest.mark.row("W5")
def test_surplus_is_sold_and_bought_back_at_the_two_prices_of_the_document() -> None:
    """A kWh drawn at noon costs 5 p in all, one given back at the peak earns 40 p in all, whatever the grid takes."""
    community = with_utility()
    contract = offered(community, offer(once(CHARGE, NOON_2, TWO), PEAK_ONLY))
    accepted(community, contract, up_w=2_400, down_w=4_000)
    live_until(community, at(2, 0))
    noon, peak = within(NOON_2, TWO, USUAL_WH + 1_000), within(PEAK, LATE, -200)
    live_until(community, at(3, 0), anna=lambda s: noon(s) if s < PEAK else peak(s))
    before = community.ergon("anna")
    usual_micro = grid_only(USUAL_WH, (at(3, 0) - NOON) // SLOT_SECONDS)
    pass_time(community, at(4, 1))
    assert entries(community, "surplus sale") == [("utility", "anna", 8 * (IMPORT - 50_000))]
    assert entries(community, "flexibility payment") == [("utility", "anna", 8 * 600 * (400_000 - EXPORT) // KWH)]
    charged, saved, exported = 8 * 1_000, 8 * USUAL_WH, 8 * 200
    whole = PURSE - usual_micro - charged * 50_000 // KWH + saved * IMPORT // KWH + exported * EXPORT // KWH
    assert community.ergon("anna") == whole + 8 * 600 * (400_000 - EXPORT) // KWH
    assert community.ergon("anna") > before
    assert entries(community, "flexibility penalty") == []
    assert {entry.ref for entry in community.booked() if entry.memo == "surplus sale"} == {f"{contract}/{NOON_2}"}
    assert reserved(community, "utility") == reserved(community, "anna") == 0
    assert contract not in community.state.contracts.standing
    same_everywhere(community)


@pytest.mark.row("W5")
def test_half_delivered_is_half_paid_and_the_rest_costs_the_penalty() -> None:
    community = with_utility()
    contract = offered(community, offer(PEAK_ONLY, availability_micro_per_kw_h=20_000))
    accepted(community, contract, up_w=1_600)
    live_until(community, at(2, 0))
    live_until(community, at(3, 0), anna=within(PEAK, LATE, USUAL_WH // 2))
    part = part_of(community, contract)
    assert (part.stage, part.promised_wh, part.delivered_wh) == (Stage.DUE, 8 * 400, 8 * 200)
    pass_time(community, at(4, 1))
    assert entries(community, "flexibility payment") == [("utility", "anna", 1_600 * (400_000 - EXPORT) // KWH)]
    assert entries(community, "flexibility availability") == [("utility", "anna", 1_600 * 2 * 20_000 // KWH // 2)]
    assert entries(community, "flexibility penalty") == [("anna", "utility", 1_600 * 100_000 // KWH)]


@pytest.mark.parametrize(("drawn_wh", "whole"), [(40, True), (41, False)])
def test_all_or_nothing_pays_only_where_enough_was_delivered(drawn_wh: int, whole: bool) -> None:
    community = with_utility()
    terms = {"rule": PaymentRule.ALL_OR_NOTHING, "whole_permille": 900}
    contract = offered(community, offer(PEAK_ONLY, **terms))
    accepted(community, contract, up_w=1_600)
    live_until(community, at(2, 0))
    live_until(community, at(3, 0), anna=within(PEAK, LATE, drawn_wh))
    pass_time(community, at(4, 1))
    delivered = 8 * (USUAL_WH - drawn_wh)
    payment = [("utility", "anna", delivered * (400_000 - EXPORT) // KWH)]
    penalty = [("anna", "utility", 8 * drawn_wh * 100_000 // KWH)]
    assert entries(community, "flexibility payment") == (payment if whole else [])
    assert entries(community, "flexibility penalty") == ([] if whole else penalty)


def test_more_in_one_slot_makes_up_for_less_in_another_only_where_energy_is_promised() -> None:
    def swing(slot_s: int) -> int:
        return USUAL_WH if not PEAK <= slot_s < LATE else (-400 if slot_s % 1_800 else USUAL_WH)

    for volume, delivered in (("power", 4 * 400), ("energy", 8 * 400)):
        community = with_utility()
        contract = offered(community, offer(PEAK_ONLY, volume=volume))
        accepted(community, contract, up_w=1_600)
        live_until(community, at(2, 0))
        live_until(community, at(3, 0), anna=swing)
        assert part_of(community, contract).delivered_wh == delivered


@pytest.mark.row("E13")
def test_two_of_three_oracles_call_a_frequency_event_and_one_alone_calls_nothing() -> None:
    community = with_utility()
    terms = {"trigger": Trigger.FREQUENCY_BELOW, "threshold": 49_700, "quorum": 2, "notice_s": 60}
    contract = offered(community, offer(PEAK_ONLY, availability_micro_per_kw_h=20_000, **terms))
    accepted(community, contract, up_w=1_600)
    live_until(community, PEAK + 1_000)
    fell_s = PEAK + 900
    assert says(community, ORACLES[0], fell_s, 49_690) is Outcome.BOOKED
    assert says(community, ORACLES[1], fell_s, 49_710) is Outcome.BOOKED
    assert says(community, ORACLES[0], fell_s, 49_600) is Outcome.NOT_ALLOWED, "it contradicts itself"
    assert says(community, ORACLES[0], fell_s, 49_690) is Outcome.ALREADY_THERE
    assert not contract_of(community, contract).calls[0].called
    assert says(community, ORACLES[2], fell_s, 49_694) is Outcome.BOOKED, "no two meters show the same millihertz"
    call = contract_of(community, contract).calls[0]
    assert (call.from_s, call.to_s) == (PEAK + 1_800, LATE), "from the first whole slot after its notice"
    live_until(community, at(3, 0), anna=within(PEAK + 1_800, LATE, 0))
    assert part_of(community, contract).delivered_wh == 6 * 400
    pass_time(community, at(4, 1))
    assert entries(community, "flexibility payment") == [("utility", "anna", 6 * 400 * (400_000 - EXPORT) // KWH)]
    same_everywhere(community)


def says(community: Community, oracle: str, at_s: int, millihertz: int, seconds: int = 1) -> Outcome:
    fact = said.FrequencyFact(at_s=at_s, seconds=seconds, millihertz=millihertz)  # type: ignore[arg-type]  # 1 or 900
    return community.ask(oracle, Kind.FACT, fact, account=oracle)


@pytest.mark.row("E13")
def test_a_window_that_no_fact_called_pays_for_standing_ready_and_costs_nobody_a_penalty() -> None:
    community = with_utility()
    terms = {"trigger": Trigger.FREQUENCY_BELOW, "threshold": 49_700, "availability_micro_per_kw_h": 20_000}
    contract = offered(community, offer(PEAK_ONLY, **terms))
    accepted(community, contract, up_w=1_600)
    live_until(community, LATE - 60)
    assert says(community, ORACLES[0], LATE - 120, 49_000) is Outcome.BOOKED, "too late for any whole slot"
    live_until(community, at(3, 0))
    pass_time(community, at(4, 1))
    assert entries(community, "flexibility availability") == [("utility", "anna", 1_600 * 2 * 20_000 // KWH)]
    assert entries(community, "flexibility payment") == entries(community, "flexibility penalty") == []


def test_facts_are_about_what_has_happened_and_not_long_ago() -> None:
    community = with_utility()
    community.now_s = NOON + 2 * HOUR
    assert says(community, ORACLES[0], community.now_s, 49_000) is Outcome.NOT_ALLOWED
    assert says(community, ORACLES[0], NOON + HOUR - 1, 49_000) is Outcome.TOO_LATE
    assert says(community, ORACLES[0], NOON + HOUR, 49_000) is Outcome.BOOKED
    assert says(community, ORACLES[0], NOON + HOUR + 1, 49_000, 900) is Outcome.OVER_LIMIT, "a slot begins on a slot"
    assert len(community.state.contracts.heard) == 1
    pass_time(community, NOON + 3 * HOUR)
    assert community.state.contracts.heard == {}, "nothing can follow from it any more"


@pytest.mark.row("E13")
def test_a_grid_event_calls_where_when_and_which_way_it_says() -> None:
    community = with_utility()
    terms = {"trigger": Trigger.EVENT, "event": "cold-evening", "zone": "lane", "quorum": 2}
    contract = offered(community, offer(once(CHARGE, NOON_2, TWO), PEAK_ONLY, **terms))
    accepted(community, contract, up_w=1_600, down_w=1_600)
    live_until(community, at(2, 10))
    event = {"name": "cold-evening", "start_s": at(2, 11), "end_s": at(2, 18), "direction": GIVE_BACK}
    for oracle, zone in zip(ORACLES, ("lane", "elsewhere", "lane"), strict=True):
        assert not contract_of(community, contract).calls
        fact = said.EventFact(**event, zone=zone)
        assert community.ask(oracle, Kind.FACT, fact, account=oracle) is Outcome.BOOKED
    (called,) = contract_of(community, contract).calls.values()
    assert (called.from_s, called.to_s) == (PEAK, at(2, 18)), "the noon window wants the other way"
    same_everywhere(community)


@pytest.mark.row("E13")
def test_published_prices_call_from_the_first_slot_beyond_to_the_last() -> None:
    community = with_utility(days=3)
    contract = offered(community, offer(PEAK_ONLY, trigger=Trigger.PRICE_ABOVE, threshold=350_000))
    accepted(community, contract, up_w=1_600)
    live_until(community, at(1, 10))
    start_s = NOON + 3 * DAY
    dear = {PEAK + 900, PEAK + 2_700}
    slots = range(start_s, start_s + DAY, SLOT_SECONDS)
    prices = [(400_000 if slot_s in dear else IMPORT, EXPORT) for slot_s in slots]
    assert community.tell_prices(start_s, prices) is Outcome.BOOKED
    (call,) = contract_of(community, contract).calls.values()
    assert (call.from_s, call.to_s) == (PEAK + 900, PEAK + 3_600)


def test_prices_that_were_told_before_the_offer_call_as_the_window_begins() -> None:
    community = with_utility()
    contract = offered(community, offer(PEAK_ONLY, trigger=Trigger.PRICE_BELOW, threshold=IMPORT + 1))
    accepted(community, contract, up_w=1_600)
    live_until(community, PEAK)
    (call,) = contract_of(community, contract).calls.values()
    assert (call.from_s, call.to_s) == (PEAK, LATE)


def test_a_silent_meter_delivers_nothing_until_it_tells() -> None:
    community = with_utility()
    contract = offered(community, offer(PEAK_ONLY))
    accepted(community, contract, up_w=1_600)
    live_until(community, at(2, 0))
    live_until(community, at(3, 0), anna=within(PEAK, LATE, None))
    part = part_of(community, contract)
    assert (part.stage, part.promised_wh, part.delivered_wh) == (Stage.DUE, 3_200, 0)
    late = told(community, "anna", range(PEAK, LATE, SLOT_SECONDS), lambda _: 0)
    assert late is not None
    assert community.send(late) is Outcome.BOOKED
    pass_time(community, at(4, 1))
    assert entries(community, "flexibility payment") == [("utility", "anna", 3_200 * (400_000 - EXPORT) // KWH)]
    assert entries(community, "flexibility penalty") == []
    same_everywhere(community)


@pytest.mark.parametrize("in_time", [True, False])
def test_a_late_correction_counts_until_the_window_is_paid_and_never_after(in_time: bool) -> None:
    community = with_utility()
    contract = offered(community, offer(PEAK_ONLY))
    accepted(community, contract, up_w=1_600)
    live_until(community, at(2, 0))
    live_until(community, at(3, 0), anna=within(PEAK, LATE, 0))
    if not in_time:
        pass_time(community, at(4, 1))
    corrected = told(community, "anna", range(PEAK, LATE, SLOT_SECONDS), lambda _: 300, Flag.CORRECTS)
    assert corrected is not None
    assert community.send(corrected) is Outcome.BOOKED
    pass_time(community, at(4, 2))
    delivered = 800 if in_time else 3_200
    assert entries(community, "flexibility payment") == [("utility", "anna", delivered * (400_000 - EXPORT) // KWH)]
    same_everywhere(community)


def due_window(**terms: object) -> tuple[Community, str]:
    """Return a community in which anna's window is half delivered and not paid yet, and her promise."""
    community = with_utility()
    contract = offered(community, offer(PEAK_ONLY, **terms))
    promise = accepted(community, contract, up_w=1_600)
    live_until(community, at(2, 0))
    live_until(community, at(3, 0), anna=within(PEAK, LATE, USUAL_WH // 2))
    return community, promise


def dispute(promise: str, reason: str = "the meter stood still") -> said.Dispute:
    return said.Dispute(acceptance=promise, window_s=PEAK, reason=reason)


def resolve(promise: str, micro: int) -> said.Resolve:
    return said.Resolve(acceptance=promise, window_s=PEAK, micro=micro)


@pytest.mark.parametrize("who", ["anna", "utility"])
def test_either_side_holds_what_it_disputes_until_both_say_the_same(who: str) -> None:
    community, promise = due_window()
    other = {"anna": "utility", "utility": "anna"}[who]
    assert ask(community, who, resolve(promise, 1)) is Outcome.TOO_LATE, "nothing is disputed yet"
    assert ask(community, who, dispute(promise)) is Outcome.BOOKED
    assert ask(community, other, dispute(promise)) is Outcome.TOO_LATE, "it is held already"
    held = reserved(community, "utility"), reserved(community, "anna")
    pass_time(community, at(4, 1))
    assert entries(community, "flexibility payment") == []
    assert (reserved(community, "utility"), reserved(community, "anna")) == held
    assert ask(community, who, resolve(promise, 700_000)) is Outcome.BOOKED
    assert ask(community, other, resolve(promise, 600_000)) is Outcome.BOOKED
    assert entries(community, "flexibility settlement") == []
    assert ask(community, other, resolve(promise, 700_000)) is Outcome.BOOKED
    assert entries(community, "flexibility settlement") == [("utility", "anna", 700_000)]
    assert ask(community, other, resolve(promise, 700_000)) is Outcome.UNKNOWN_THING, "it is paid, and stays"
    pass_time(community, at(5, 0))
    assert entries(community, "flexibility payment") == entries(community, "flexibility penalty") == []
    assert reserved(community, "utility") == reserved(community, "anna") == 0
    same_everywhere(community)


def test_the_arbiters_word_ends_a_dispute_within_what_was_set_aside() -> None:
    community, promise = due_window()
    assert ask(community, "inspector", dispute(promise)) is Outcome.NOT_ALLOWED
    assert ask(community, "utility", dispute(promise)) is Outcome.BOOKED
    most, least = 3_200 * 400_000 // KWH, -3_200 * 100_000 // KWH
    assert ask(community, "inspector", resolve(promise, most + 1)) is Outcome.OVER_LIMIT
    assert ask(community, "inspector", resolve(promise, least - 1)) is Outcome.OVER_LIMIT
    assert ask(community, "operator", resolve(promise, least)) is Outcome.NOT_ALLOWED
    assert ask(community, "inspector", resolve(promise, least)) is Outcome.BOOKED
    assert entries(community, "flexibility settlement") == [("anna", "utility", -least)]


def test_a_dispute_that_nobody_resolves_is_paid_as_it_was_measured() -> None:
    community, promise = due_window(resolve_s=DAY)
    assert ask(community, "anna", dispute(promise)) is Outcome.BOOKED
    pass_time(community, at(4, 0) - 1)
    assert entries(community, "flexibility payment") == []
    pass_time(community, at(4, 1))
    assert entries(community, "flexibility payment") == [("utility", "anna", 1_600 * (400_000 - EXPORT) // KWH)]
    same_everywhere(community)


def test_what_was_paid_cannot_be_disputed() -> None:
    community, promise = due_window()
    community.now_s = part_of(community, next(iter(community.state.contracts.standing))).until_s
    assert ask(community, "anna", dispute(promise)) is Outcome.UNKNOWN_THING
    assert len(entries(community, "flexibility payment")) == 1


def test_an_owners_off_wins_and_costs_what_the_contract_says_of_missing_energy() -> None:
    community = with_utility()
    contract = offered(community, offer(PEAK_ONLY, availability_micro_per_kw_h=20_000))
    accepted(community, contract, up_w=1_600)
    live_until(community, PEAK + 60)
    assert community.ask("anna", Kind.CONSENT, bodies.ConsentBody(mode=ConsentMode.OFF)) is Outcome.BOOKED
    live_until(community, at(3, 0))
    pass_time(community, at(4, 1))
    assert entries(community, "flexibility penalty") == [("anna", "utility", 3_200 * 100_000 // KWH)]
    assert entries(community, "flexibility payment") == entries(community, "flexibility availability") == []


def test_who_is_off_while_a_window_waits_for_its_fact_did_not_stand_ready() -> None:
    community = with_utility()
    terms = {"trigger": Trigger.FREQUENCY_BELOW, "threshold": 49_700, "availability_micro_per_kw_h": 20_000}
    contract = offered(community, offer(PEAK_ONLY, **terms))
    accepted(community, contract, up_w=1_600)
    live_until(community, PEAK + 60)
    for mode in (ConsentMode.OFF, ConsentMode.ALWAYS):
        assert community.ask("anna", Kind.CONSENT, bodies.ConsentBody(mode=mode)) is Outcome.BOOKED
    live_until(community, at(3, 0))
    pass_time(community, at(4, 1))
    assert entries(community, "flexibility availability") == entries(community, "flexibility penalty") == []


@pytest.mark.row("W5")
def test_a_set_point_is_measured_against_what_the_logged_schedule_instructed() -> None:
    community = with_utility()
    terms = {"baseline": Baseline.METERED_SETPOINT, "volume": "power"}
    contract = offered(community, offer(once(GIVE_BACK, PEAK, PEAK + 2_700), **terms))
    accepted(community, contract, up_w=4_000)
    supplying = within(PEAK, PEAK + 2_700, -600)
    for slot_s, power_w in ((PEAK, -2_000), (PEAK + 900, -8_000)):
        live_until(community, slot_s + 30, anna=supplying)
        entry = bodies.InstructionItem(
            verb="SUPPLY", start_s=slot_s, end_s=slot_s + 900, power_w=power_w, expected_wh=0, reason="contract"
        )
        assert community.schedule("anna-home", entry) is Outcome.BOOKED
    live_until(community, at(3, 0), anna=supplying)
    part = part_of(community, contract)
    assert part.instructed_wh == (-500, -2_000, None)
    assert part.promised_wh == 500 + 1_000, "what was instructed, up to what was promised; the third slot nobody asked"
    assert part.delivered_wh == 500 + 600


@pytest.mark.row("M4")
def test_a_device_answers_by_its_own_key_what_it_can_guarantee() -> None:
    community = with_utility(2)
    contract = offered(community, offer(PEAK_ONLY))
    answer = guarantee(contract, "anna-home", up_w=1_600)
    assert ask(community, "gw-ben", answer) is Outcome.NOT_ALLOWED
    assert ask(community, "ben", answer) is Outcome.NOT_ALLOWED
    assert ask(community, "utility", answer) is Outcome.NOT_ALLOWED
    assert ask(community, "gw-anna", answer) is Outcome.BOOKED
    assert ask(community, "gw-anna", said.Accept(contract=contract, asset="anna-home", up_w=1_600)) in (
        Outcome.NOT_ALLOWED,
        Outcome.UNKNOWN_THING,
    )
    more = said.Accept(contract=contract, asset="anna-home", up_w=1_601)
    assert ask(community, "anna", more) is Outcome.OVER_LIMIT, "nobody promises more than was guaranteed"
    some = said.Accept(contract=contract, asset="anna-home", up_w=1_000)
    assert ask(community, "ben", some) is Outcome.NOT_ALLOWED
    assert ask(community, "anna", some) is Outcome.BOOKED
    assert contract_of(community, contract).promised_w(GIVE_BACK) == 1_000


@pytest.mark.row("X13")
@pytest.mark.row("M4")
def test_only_direct_control_backs_a_guarantee() -> None:
    community = with_utility()
    contract = offered(community, offer(PEAK_ONLY))
    accept = said.Accept(contract=contract, asset="anna-home", up_w=100)
    assert ask(community, "anna", accept) is Outcome.UNKNOWN_THING, "it has not been answered for"
    honest = guarantee(contract, "anna-home", up_w=100, direct=False)
    assert ask(community, "anna", honest) is Outcome.BOOKED
    assert ask(community, "anna", accept) is Outcome.NOT_ALLOWED
    for consent in (
        bodies.ConsentBody(asset="anna-home", mode=ConsentMode.OFF),
        bodies.ConsentBody(asset="anna-home", mode=ConsentMode.ASK, decide_s=0),
        bodies.ConsentBody(asset="anna-home", mode=ConsentMode.WITHIN, hours=(60, 120)),
    ):
        assert community.ask("anna", Kind.CONSENT, consent) is Outcome.BOOKED
        assert ask(community, "anna", guarantee(contract, "anna-home", up_w=100)) is Outcome.NOT_ALLOWED
    community.agree("anna", "anna-home")
    assert ask(community, "anna", guarantee(contract, "anna-home", up_w=100)) is Outcome.BOOKED
    community.agree("anna", "anna-home", standing=False)
    assert ask(community, "anna", accept) is Outcome.NOT_ALLOWED, "off at the moment of accepting"


@pytest.mark.row("M4")
def test_a_guarantee_lies_within_what_is_registered_and_what_a_store_can_hold() -> None:
    community = with_utility()
    contract = offered(community, offer(PEAK_ONLY))
    home, battery = 2 * LIMIT_W, 4_500 + 11_111 // 2
    for asset, most in (("anna-home", home), ("anna-battery", battery)):
        assert ask(community, "anna", guarantee(contract, asset, up_w=most + 1)) is Outcome.OVER_LIMIT
        assert ask(community, "anna", guarantee(contract, asset, up_w=most)) is Outcome.BOOKED
    within_20 = bodies.ConsentBody(asset="anna-battery", mode=ConsentMode.WITHIN, least_percent=20)
    assert community.ask("anna", Kind.CONSENT, within_20) is Outcome.BOOKED
    assert ask(community, "anna", guarantee(contract, "anna-battery", up_w=battery)) is Outcome.OVER_LIMIT


@pytest.mark.row("M4")
def test_no_meter_is_promised_to_two_contracts_at_a_time() -> None:
    community = with_utility()
    first, second = (offered(community, offer(PEAK_ONLY)) for _ in range(2))
    apart = offered(community, offer(once(GIVE_BACK, LATE, LATE + HOUR)))
    accepted(community, first, up_w=100)
    for asset in ("anna-home", "anna-battery"):
        assert ask(community, "anna", guarantee(second, asset, up_w=100)) is Outcome.BOOKED
        accept = said.Accept(contract=second, asset=asset, up_w=100)
        assert ask(community, "anna", accept) is Outcome.ALREADY_THERE, "the connection sees what the battery does"
    accepted(community, apart, up_w=100)


def test_an_offer_reserves_the_most_that_it_can_cost_and_a_promise_likewise() -> None:
    community = with_utility()
    contract = offered(community, offer(once(CHARGE, NOON_2, TWO), PEAK_ONLY, most_w=10_000))
    assert reserved(community, "utility") == 20_000 * (450_000 + 400_000) // KWH
    accepted(community, contract, up_w=1_600, down_w=4_000)
    assert reserved(community, "anna") == (8_000 + 3_200) * 100_000 // KWH
    pass_time(community, NOON + HOUR)
    assert reserved(community, "utility") == (8_000 * 450_000 + 3_200 * 400_000) // KWH, "nobody else can accept now"
    dear = offer(PEAK_ONLY, most_w=10**9, accept_by_s=NOON + 2 * HOUR)
    assert ask(community, "utility", dear) is Outcome.NOT_BACKED
    assert ask(community, "operator", offer(PEAK_ONLY, accept_by_s=NOON + 2 * HOUR)) is Outcome.NOT_BACKED
    assert ask(community, "anna", offer(PEAK_ONLY, accept_by_s=NOON + 2 * HOUR)) is Outcome.NOT_ALLOWED


def test_who_cannot_pay_the_penalty_cannot_accept() -> None:
    community = with_utility()
    contract = offered(community, offer(PEAK_ONLY, penalty_micro_per_kwh=10**9, accept_by_s=NOON + 2 * HOUR))
    assert ask(community, "anna", guarantee(contract, "anna-home", up_w=2_000)) is Outcome.BOOKED
    accept = said.Accept(contract=contract, asset="anna-home", up_w=2_000)
    assert ask(community, "anna", accept) is Outcome.NOT_BACKED
    assert ask(community, "anna", said.Accept(contract=contract, asset="anna-home", up_w=400)) is Outcome.BOOKED


def test_what_a_contract_holds_is_nobodys_to_spend() -> None:
    community = with_utility()
    contract = offered(community, offer(PEAK_ONLY))
    accepted(community, contract, up_w=1_600)
    for who, other in (("utility", "anna"), ("anna", "utility")):
        left = community.ergon(who) - reserved(community, who)
        for amount, outcome in ((left + 1, Outcome.NOT_BACKED), (left, Outcome.BOOKED)):
            give = wallet_bodies.Give(target=other, commodity=Commodity.ERGON, amount=amount)
            assert community.ask(who, Kind.TRANSFER, give) is outcome
        community.pay(who, PURSE, f"more {who}")


def test_assets_elsewhere_cannot_accept() -> None:
    community = with_utility()
    for zone, outcome in (("hill", Outcome.NOT_ALLOWED), ("lane", Outcome.BOOKED)):
        contract = offered(community, offer(PEAK_ONLY, zone=zone))
        assert ask(community, "anna", guarantee(contract, "anna-home", up_w=100)) is Outcome.BOOKED
        accept = said.Accept(contract=contract, asset="anna-home", up_w=100)
        assert ask(community, "anna", accept) is outcome


def test_nobody_fills_the_state_with_offers_answers_promises_or_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contracting, "MOST_PROMISES", 2)
    monkeypatch.setattr(calling, "MOST_FACTS", 2)
    community = with_utility()
    windows = [once(GIVE_BACK, PEAK + n * 900, PEAK + (n + 1) * 900) for n in range(contracting.MOST_OFFERS + 1)]
    cheap = {"most_w": 100, "penalty_micro_per_kwh": 0}
    names = [offered(community, offer(window, **cheap)) for window in windows[:-1]]
    assert ask(community, "utility", offer(windows[-1], **cheap)) is Outcome.OVER_LIMIT
    for number, name in enumerate(names[: contracting.MOST_ANSWERS + 1]):
        outcome = ask(community, "anna", guarantee(name, "anna-home", up_w=10))
        assert outcome is (Outcome.OVER_LIMIT if number == contracting.MOST_ANSWERS else Outcome.BOOKED)
    for number, name in enumerate(names[:3]):
        outcome = ask(community, "anna", said.Accept(contract=name, asset="anna-home", up_w=10))
        assert outcome is (Outcome.OVER_LIMIT if number == 2 else Outcome.BOOKED)
    community.now_s += 60
    for number in range(3):
        outcome = says(community, ORACLES[0], NOON + number, 49_000)
        assert outcome is (Outcome.OVER_LIMIT if number == 2 else Outcome.BOOKED)
    assert says(community, ORACLES[1], NOON, 49_000) is Outcome.BOOKED


def test_a_key_of_another_role_speaks_for_no_side() -> None:
    community, promise = due_window(leave_s=0)
    community.register_key("her inspector", "inspector", "anna")
    for body in (dispute(promise), said.Leave(acceptance=promise)):
        assert ask(community, "her inspector", body, account="anna") is Outcome.NOT_ALLOWED


def test_a_member_leaves_by_the_contracts_terms_alone() -> None:
    hours = said.HoursItem(direction=GIVE_BACK, start_minute=17 * 60, end_minute=19 * 60)
    community = with_utility()
    terms = {"ends_s": NOON + 5 * DAY}
    bound = accepted(community, offered(community, offer(hours, **terms)), up_w=100)
    assert ask(community, "anna", said.Leave(acceptance=bound)) is Outcome.NOT_ALLOWED, "nobody may leave this one"
    community = with_utility(2)
    contract = offered(community, offer(hours, leave_s=DAY, availability_micro_per_kw_h=10_000, **terms))
    promise = accepted(community, contract, up_w=1_600)
    before = reserved(community, "anna")
    assert ask(community, "ben", said.Leave(acceptance=promise)) is Outcome.NOT_ALLOWED
    live_until(community, at(0, 1))
    assert ask(community, "anna", said.Leave(acceptance=promise)) is Outcome.BOOKED
    assert ask(community, "anna", said.Leave(acceptance=promise)) is Outcome.ALREADY_THERE
    assert reserved(community, "anna") == before * 2 // 5, "yesterday's window and the one of the day of notice"
    for day in range(1, 5):
        live_until(community, at(day, 1))
    assert len(entries(community, "flexibility availability")) == 2
    assert entries(community, "flexibility penalty") == [], "no like day was without a call, so nothing can be missed"
    assert contract not in community.state.contracts.standing, "nobody is left in it"


def test_a_withdrawn_offer_takes_nobody_in_and_lets_go_of_what_it_reserved() -> None:
    community = with_utility()
    contract = offered(community, offer(PEAK_ONLY))
    assert ask(community, "anna", said.Withdraw(contract=contract)) is Outcome.NOT_ALLOWED
    assert ask(community, "utility", said.Withdraw(contract=contract)) is Outcome.BOOKED
    assert reserved(community, "utility") == 0
    assert ask(community, "anna", guarantee(contract, "anna-home", up_w=1)) is Outcome.UNKNOWN_THING


def test_no_more_is_called_than_the_contract_has_in_all() -> None:
    hours = said.HoursItem(direction=GIVE_BACK, start_minute=17 * 60, end_minute=19 * 60)
    community = with_utility()
    contract = offered(community, offer(hours, ends_s=at(4, 0), most_wh=7_000, penalty_micro_per_kwh=0))
    assert reserved(community, "utility") == 7_000 * 400_000 // KWH
    accepted(community, contract, up_w=1_600)
    for day in range(1, 5):
        live_until(community, at(day, 0))
    assert contract_of(community, contract).called_wh == 2 * 3_200
    calls = contract_of(community, contract).calls.values()
    assert [call.called for call in calls] == [True, False, False][-len(calls) :]
    same_everywhere(community)


def test_the_log_goes_on_from_a_snapshot_as_if_nothing_had_happened() -> None:
    """What was put down amid a window or a dispute and taken up must come to what the one that lived on comes to."""
    community = with_utility()
    contract = offered(community, offer(PEAK_ONLY, adjust_permille=300))
    promise = accepted(community, contract, up_w=1_600)
    kept: list[tuple[int, bytes]] = []

    def keep() -> None:
        kept.append((len(community.sequencer.tree), put_down(community)))

    live_until(community, at(2, 0))
    keep()
    live_until(community, at(2, 18))
    keep()
    live_until(community, at(3, 0), anna=within(PEAK, LATE, 100))
    keep()
    assert ask(community, "anna", dispute(promise)) is Outcome.BOOKED
    keep()
    live_until(community, at(5, 0))
    assert ask(community, "inspector", resolve(promise, 1)) is Outcome.BOOKED
    rows, lived = community.rows(), community.state.root()
    for size, content in kept:
        state, last_s = snapshot.load(content)
        taken_up = Replayed(state, replay(rows[:size], state.community).tree, last_s)
        go_on(taken_up, rows[size:])
        assert taken_up.state.root() == lived


def test_key_and_price_of_a_contract_are_checked_before_it_stands() -> None:
    community = with_utility()
    for wrong, outcome in (
        ({"arbiter": key("stranger").id}, Outcome.UNKNOWN_THING),
        ({"accept_by_s": NOON}, Outcome.TOO_LATE),
        ({"trigger": Trigger.PRICE_ABOVE}, Outcome.OVER_LIMIT),
        ({"trigger": Trigger.PRICE_ABOVE, "threshold": 1, "quorum": 2}, Outcome.OVER_LIMIT),
        ({"threshold": 1}, Outcome.OVER_LIMIT),
        ({"lasts_s": 901}, Outcome.OVER_LIMIT),
        ({"reference": "none"}, Outcome.OVER_LIMIT),
    ):
        before = community.roots()
        assert ask(community, "utility", offer(PEAK_ONLY, **wrong)) is outcome
        assert community.roots().leaves == before.leaves + 1
    for windows in (
        (PEAK_ONLY, PEAK_ONLY),
        (once(GIVE_BACK, PEAK + 1, LATE),),
        (once(GIVE_BACK, LATE, PEAK),),
        (once(GIVE_BACK, PEAK, PEAK + 2 * DAY),),
    ):
        assert ask(community, "utility", offer(*windows)) is Outcome.OVER_LIMIT
    assert usual(0) == USUAL_WH
    assert community.state.contracts.standing == {}


def test_every_request_in_the_guide_is_one() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "contracts.md").read_text()
    shown = re.findall(r"```json\n(.*?)```", guide, re.DOTALL)
    requests = [line for block in shown for line in ([block] if "\n " in block else block.splitlines())]
    what = [json.loads(request)["what"] for request in requests]
    for name, request in zip(what, requests, strict=True):
        bodies.read_body(Kind.FACT if name in ("frequency", "event") else Kind.CONTRACT, json.loads(request))
    assert sorted(what) == sorted(
        ["offer", "guarantee", "accept", "frequency", "event", "dispute", "resolve", "leave", "withdraw"]
    )
