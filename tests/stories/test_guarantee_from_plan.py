"""A battery reads what it can guarantee off its plan, answers a utility with it, and is held to that (row M4)."""

import pytest
from community import CAPACITY_WH, EFFICIENCY, LIMIT_W, NOON
from utility import ask, guarantee, offer, offered, once, with_utility

from commonwatt.flexibility.events.ready import ready
from commonwatt.flexibility.exact.solve import solve
from commonwatt.flexibility.problem import Problem
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook import contract_bodies as said
from commonwatt.market.contracts.terms import Direction
from commonwatt.model import SLOT_SECONDS, AssetId, ConsentMode, Envelope, Kind, Outcome, Store, instant

SLOTS = 8
START_S = NOON + 2 * 3_600
BATTERY = AssetId("anna-battery")


def plan_for(level_wh: int, *, direct: bool) -> int:
    """Return the W that the plan of the next two hours leaves ready in every one of its slots."""
    store = Store(
        level_now_wh=level_wh,
        level_min_wh=(0,) * SLOTS,
        level_max_wh=(CAPACITY_WH,) * SLOTS,
        capacity_wh=CAPACITY_WH,
        charge_permille=EFFICIENCY,
        discharge_permille=EFFICIENCY,
    )
    limits = {"lo_w": (-LIMIT_W,) * SLOTS, "hi_w": (LIMIT_W,) * SLOTS}
    battery = Envelope(asset=BATTERY, zone="lane", store=store, direct=direct, **limits)
    asked = Problem(
        start=instant(START_S),
        envelopes=(battery,),
        import_price=(300_000,) * SLOTS,
        export_price=(100_000,) * SLOTS,
        final_value_micro_per_kwh=200_000,
    )
    return min(ready(asked, solve(asked)).up_w)


@pytest.mark.row("M4")
@pytest.mark.row("X13")
def test_what_the_plan_leaves_ready_is_what_the_device_answers_and_the_rules_believe() -> None:
    community = with_utility()
    window = once(Direction.GIVE_BACK, START_S, START_S + SLOT_SECONDS)
    contract = offered(community, offer(window))
    up_w = plan_for(5_000, direct=True)
    assert up_w == 5_000 * 4 * EFFICIENCY // 1_000, "a slot's worth of what it holds, after losses"
    answer = guarantee(contract, BATTERY, up_w=up_w, start_s=START_S, end_s=START_S + SLOT_SECONDS)
    assert ask(community, "gw-anna", answer) is Outcome.BOOKED
    accept = said.Accept(contract=contract, asset=BATTERY, up_w=up_w)
    assert ask(community, "anna", accept) is Outcome.BOOKED


@pytest.mark.row("M4")
@pytest.mark.row("X13")
def test_who_has_to_be_asked_first_is_ready_for_nothing_and_cannot_claim_otherwise() -> None:
    community = with_utility()
    contract = offered(community, offer(once(Direction.GIVE_BACK, START_S, START_S + SLOT_SECONDS)))
    first = bodies.ConsentBody(asset=BATTERY, mode=ConsentMode.ASK, decide_s=600)
    assert community.ask("anna", Kind.CONSENT, first) is Outcome.BOOKED
    assert plan_for(5_000, direct=False) == 0
    assert ask(community, "gw-anna", guarantee(contract, BATTERY, up_w=1)) is Outcome.NOT_ALLOWED
    assert ask(community, "gw-anna", guarantee(contract, BATTERY, up_w=1, direct=False)) is Outcome.BOOKED
    accept = said.Accept(contract=contract, asset=BATTERY, up_w=1)
    assert ask(community, "anna", accept) is Outcome.NOT_ALLOWED
