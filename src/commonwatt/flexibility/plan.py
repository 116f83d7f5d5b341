"""The plan: who charges and who supplies when, at the community's real prices, for the next slots."""

from commonwatt.flexibility.effort import Effort
from commonwatt.flexibility.exact.solve import solve
from commonwatt.flexibility.problem import Plan, Problem

DISCRETE_SLOTS = 4
"""Slots from now in which a car draws nothing or at least its 6 A; later ones are planned again before they come."""
ROUNDING_WH = 4
"""What is asked of a store beyond a stated level, since its meter and its losses round down slot by slot."""
SLIDING = Effort(gap=1e-4, nodes=2_000, steps=DISCRETE_SLOTS)
"""How a plan is made that is made again in a quarter of an hour; stops by nodes, so that it is the same anywhere."""


def plan(problem: Problem, effort: Effort = SLIDING) -> Plan:
    """Return the best schedules by lexicographic priority: statements by rank, then row E1, then money.

    Args:
        problem: What is asked.
        effort: When to stop; as for a plan that slides where nothing is said.

    Returns:
        A plan that leaves meters room for rounding; one thread and no time limit unless the effort has one, so that
        the same problem gives the same plan.
    """
    return solve(problem, effort, room_wh=ROUNDING_WH)
