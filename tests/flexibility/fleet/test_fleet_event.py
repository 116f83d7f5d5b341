"""An event brings a planned fleet under new limits in three steps, and each can be acted on."""

import numpy as np
import pytest
from benchmarks.fleets import SLOTS, city

from commonwatt.flexibility.fleet.event import Step, changed_rows, respond
from commonwatt.flexibility.fleet.solve import solve
from commonwatt.flexibility.fleet.sweep import Fleet, threads
from commonwatt.flexibility.fleet.told import read, records
from flexibility.fleet.fleet_oracles import broken_rules
from flexibility.fleet.made_up import Floats, summed

MEMORY = threads(SLOTS)
EVENT = np.arange(44, 52)
"""Two hours of the night, in which most cars charge."""
PART_OF_A_WATT = 1.0


def planned() -> tuple[Fleet, Floats, Floats]:
    fleet, high, low = city(600, 60, 5, "fleet", 1_600, 1_800, 2_200)
    assert solve(fleet, high, low, 0.02, memory=MEMORY).broken < 1e-6
    return fleet, high, low


def cut(fleet: Fleet, high: Floats, share: float) -> None:
    """Take a share off what the grid delivers during the event, in limits and kinks."""
    fixed = fleet.nodes.base[0, EVENT]
    shifted = fleet.nodes.load[0, EVENT] - fixed
    high[0, EVENT] = np.floor(fixed + (1 - share) * np.maximum(shifted, 0.0))
    fleet.nodes.kink[0, EVENT, 2] = high[0, EVENT]


def over(fleet: Fleet, high: Floats, low: Floats) -> float:
    return float(np.maximum(fleet.nodes.load - high, low - fleet.nodes.load).max(initial=0.0))


@pytest.mark.row("X5")
def test_an_event_is_answered_in_three_steps_inside_the_new_limits() -> None:
    fleet, high, low = planned()
    before = fleet.power.copy()
    cut(fleet, high, 0.3)
    assert over(fleet, high, low) > 1_000
    seen: list[Step] = []
    for step in respond(fleet, high, low, EVENT, MEMORY, 0.05):
        seen.append(step)
        if step.name == "prices":
            assert (fleet.power == before).all()
            continue
        assert over(fleet, high, low) <= PART_OF_A_WATT
        assert fleet.nodes.load == pytest.approx(summed(fleet), abs=1e-6)
        assert 0 < len(step.changed) <= len(fleet.own)
        assert (changed_rows(before, fleet.power) == step.changed).all()
        told = read(records(fleet.power, step.changed), SLOTS)
        assert all((told[int(row)] == fleet.power[row]).all() for row in step.changed)
    assert [step.name for step in seen] == ["prices", "told", "best"]
    found = seen[-1].found
    assert found is not None
    assert found.bound <= found.cost
    assert found.gap <= 0.05
    for i in range(len(fleet.own)):
        assert broken_rules(fleet.assets, i, fleet.power[i]) == []


@pytest.mark.row("X5")
def test_the_same_event_is_answered_the_same() -> None:
    told = []
    for _ in range(2):
        fleet, high, low = planned()
        cut(fleet, high, 0.2)
        told.append([(step.name, step.changed.tolist()) for step in respond(fleet, high, low, EVENT, MEMORY, 0.05)])
    assert told[0] == told[1]
