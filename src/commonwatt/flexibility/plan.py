"""The plan: who charges and who supplies when, at the community's real prices, for the next slots."""

from dataclasses import replace
from enum import StrEnum

from commonwatt.flexibility.effort import Effort
from commonwatt.flexibility.exact.solve import solve
from commonwatt.flexibility.fleet.build import unsupported
from commonwatt.flexibility.fleet.engine import plan as plan_fleet
from commonwatt.flexibility.problem import Plan, Problem
from commonwatt.model import Refused

DISCRETE_SLOTS = 4
"""Slots from now in which a car draws nothing or at least its 6 A; later ones are planned again before they come."""
ROUNDING_WH = 4
"""What is asked of a store beyond a stated level, since its meter and its losses round down slot by slot."""
SLIDING = Effort(gap=1e-4, nodes=2_000, steps=DISCRETE_SLOTS)
"""How a plan is made that is made again in a quarter of an hour; stops by nodes, so that it is the same anywhere."""
STREET = 300
"""More assets that can be shifted than this are a fleet, where the exact engine would take minutes."""
FLEET_GAP = 1e-3


class Engine(StrEnum):
    """Who plans: by one mixed-integer program, by prices, or whichever fits."""

    AUTO = "auto"
    EXACT = "exact"
    FLEET = "fleet"


def plan(problem: Problem, effort: Effort = SLIDING, engine: Engine = Engine.AUTO) -> Plan:
    """Return the best schedules by lexicographic priority: statements by rank, then row E1, then money.

    Args:
        problem: What is asked.
        effort: When to stop; as for a plan that slides where nothing is said.
        engine: Who plans; the fleet engine takes what is too large for the exact one and holds nothing strange to it.

    Returns:
        A plan that leaves meters room for rounding; no time limit unless the effort has one, so that the same problem
        gives the same plan.

    Raises:
        Refused: The fleet engine was asked for and does not take this; says what.
    """
    movable = sum(not envelope.fixed for envelope in problem.envelopes)
    likely = engine is Engine.AUTO and movable > STREET and not unsupported(problem)
    if engine is Engine.FLEET or likely:
        try:
            return plan_fleet(problem, replace(effort, gap=max(effort.gap, FLEET_GAP)))
        except Refused:
            if not likely:
                raise
    return solve(problem, effort, room_wh=ROUNDING_WH)
