"""Who pays for flexibility calls it, has it planned for, and limits a zone where somebody takes its money."""

from typing import Any

import pytest
from community import NOON, Flow
from test_outlook import terms
from test_rulebook_contracting import ASSET, BUDGET, DAY_S, HOUR_S, PEAK, SURPLUS, Contracting

from commonwatt.flows.constraint_to_command import plan_ahead
from commonwatt.flows.outlook import outlook
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.market.contracts import contract_bodies
from commonwatt.market.contracts import Basis, Direction, Status, TriggerKind
from commonwatt.model import MICRO, SLOT_SECONDS, AssetId, Kind, Outcome, Priority


@pytest.mark.row("X1")
def test_a_utility_limits_a_zone_once_somebody_there_accepted_its_offer_and_below_what_owners_want() -> None:
    lane = Contracting()
    line = "energy of zone lane <= 20 kWh from 13:00 to 14:00 on 1 June 2026 for contract"

    def state(text: str) -> Outcome:
        return lane.ask("utility", Kind.CONSTRAINT, bodies.ConstraintBody(text=text, said_s=lane.now_s))

    offer = lane.offer(SURPLUS, PEAK)
    assert state(line) is Outcome.NOT_ALLOWED, "nobody there takes its money yet"
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer) is Outcome.BOOKED
    assert state(line) is Outcome.BOOKED
    assert state(line.replace("for contract", "for dso")) is Outcome.NOT_ALLOWED
    assert state(line.replace("zone lane", "community")) is Outcome.NOT_ALLOWED
    assert state(f"no longer: {line}") is Outcome.BOOKED
    lane.sure()


@pytest.mark.row("W5")
def test_an_aggregator_pays_in_and_buys_flexibility_as_a_utility_does() -> None:
    lane = Contracting()
    assert lane.register_key("pool", "aggregator", "pool") is Outcome.BOOKED
    assert lane.pay("pool", BUDGET, "first pool") is Outcome.BOOKED
    body = contract_bodies.MakeOffer(
        windows=(SURPLUS,),
        most_windows=1,
        until_s=NOON + DAY_S,
        accept_by_s=NOON + HOUR_S,
        power_w=1_000,
        budget_micro=MICRO,
        basis=Basis.ON_TOP,
        most_micro_per_kwh=SURPLUS.price_micro_per_kwh,
    )
    assert lane.ask("pool", Kind.CONTRACT, body) is Outcome.BOOKED
    assert lane.free("pool") == BUDGET - MICRO
    lane.sure()


@pytest.mark.row("E13")
@pytest.mark.row("W5")
def test_who_pays_calls_what_its_own_offer_says_that_it_calls_and_nothing_else() -> None:
    lane = Contracting(("north",))
    own = contract_bodies.TriggerItem(kind=TriggerKind.EVENT, name="mine", oracles=("utility",), quorum=1)
    offer = lane.offer(PEAK, trigger=own)
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer, charge_w=0) is Outcome.BOOKED
    told = {"direction": Direction.GIVE_BACK, "start_s": PEAK.start_s + 900, "end_s": PEAK.end_s}

    def call(who: str, name: str = "mine", **more: Any) -> Outcome:
        return lane.ask(who, Kind.FACT, contract_bodies.EventFact(name=name, **(told | more)), account=who)

    (contract,) = lane.state.contracted.book.contracts.values()
    assert call("north") is Outcome.BOOKED, "an oracle may say it"
    assert contract.calls[0].status is Status.STANDBY, "and calls nothing where it is not named"
    assert call("utility", "another") is Outcome.UNKNOWN_THING
    assert call("operator") is Outcome.UNKNOWN_THING, "it pays for nothing here"
    assert call("anna") is Outcome.NOT_ALLOWED
    assert call("utility", start_s=NOON - 900) is Outcome.TOO_LATE
    assert lane.frequency("utility", 49_000, NOON - 60) is Outcome.NOT_ALLOWED, "who pays measures nothing"
    prices = bodies.FactBody(start_s=PEAK.start_s, prices=[(1, 1)])
    assert lane.ask("utility", Kind.FACT, prices) is Outcome.NOT_ALLOWED, "and tells no prices"
    assert call("utility") is Outcome.BOOKED
    assert contract.calls[0].called == (PEAK.start_s + 900, PEAK.end_s)
    lane.sure()


@pytest.mark.row("W5")
@pytest.mark.row("X1")
def test_a_called_window_is_planned_for_as_long_as_it_lasts_and_below_what_its_owner_wants() -> None:
    lane = Contracting()
    lane.live(anna=Flow(charge_wh=500))
    own = contract_bodies.TriggerItem(kind=TriggerKind.EVENT, name="mine", oracles=("utility",), quorum=1)
    offer = lane.offer(SURPLUS, trigger=own)
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer, give_back_w=0) is Outcome.BOOKED
    assert outlook(lane.state, terms("anna"), lane.slot_s).constraints == (), "nobody called yet"
    event = contract_bodies.EventFact(
        name="mine", direction=Direction.CHARGE, start_s=SURPLUS.start_s, end_s=SURPLUS.start_s + 1_800
    )
    assert lane.ask("utility", Kind.FACT, event) is Outcome.BOOKED
    known = outlook(lane.state, terms("anna"), lane.slot_s)
    (asked,) = known.constraints
    assert (asked.scope, asked.value, asked.priority, asked.author) == ((ASSET,), 2_000, Priority.CONTRACT, "utility")
    plan, _ = plan_ahead(known)
    first = (SURPLUS.start_s - lane.slot_s) // SLOT_SECONDS
    assert all(power_w >= 2_000 for power_w in plan.power_w[AssetId(ASSET)][first : first + 2])
    lane.state_that("anna", "power of anna-battery <= 0 W from 14:00 to 15:00 on 1 June 2026")
    plan, _ = plan_ahead(outlook(lane.state, terms("anna"), lane.slot_s))
    assert all(power_w <= 0 for power_w in plan.power_w[AssetId(ASSET)][first : first + 2]), (
        "the owner's word goes first"
    )
    later = outlook(lane.state, terms("anna"), SURPLUS.start_s + 1_800)
    assert [one.author for one in later.constraints] == ["anna"], "what was called is over"


def test_who_pays_is_no_oracle_of_frequency_and_calls_for_nobody_else() -> None:
    lane = Contracting(("north",))
    for trigger in (
        contract_bodies.TriggerItem(kind=TriggerKind.FREQUENCY_BELOW, level=49_800, oracles=("utility",), quorum=1),
        contract_bodies.TriggerItem(kind=TriggerKind.EVENT, name="theirs", oracles=("judge",), quorum=1),
    ):
        body = contract_bodies.MakeOffer(
            windows=(PEAK,),
            most_windows=1,
            until_s=NOON + DAY_S,
            accept_by_s=NOON + HOUR_S,
            power_w=1_000,
            budget_micro=MICRO,
            basis=Basis.ON_TOP,
            most_micro_per_kwh=PEAK.price_micro_per_kwh,
            trigger=trigger,
        )
        assert lane.ask("utility", Kind.CONTRACT, body) is Outcome.UNKNOWN_THING
