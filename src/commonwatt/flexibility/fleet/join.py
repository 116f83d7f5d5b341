"""One asset joins a plan that runs: its own best schedule in the room that the others leave, in milliseconds."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from commonwatt.flexibility.fleet.build import columns_of, unsupported, weights_of
from commonwatt.flexibility.fleet.columns import rooms
from commonwatt.flexibility.fleet.mend import within
from commonwatt.flexibility.problem import Plan, Problem, scoped
from commonwatt.model import Constraint, Envelope, Quantity, Refused, Relation

STEEP = 100.0
"""What drawing where there is no room counts, in dearest prices."""


def join(problem: Problem, plan: Plan, newcomer: Envelope, stated: Sequence[Constraint] = ()) -> tuple[int, ...]:
    """Return the powers of an asset that plugs in while a plan runs; nobody else moves.

    It answers to what one more kWh costs the community in each slot, and keeps inside what every power limit that
    reaches it leaves. Its own wishes come before money, limits before its wishes.

    Args:
        problem: What was planned, without the newcomer.
        plan: Its plan.
        newcomer: Who plugs in.
        stated: What its owner states about it.

    Returns:
        n values in W, import positive.

    Raises:
        Refused: Something about it is for the exact engine alone, or it cannot keep inside a limit while nobody else
            moves: then all are to be planned anew.
    """
    price = np.array(plan.worth_micro_per_kwh or problem.import_price, np.float64) / 1000
    slots = problem.slots
    if strange := unsupported(
        replace(problem, envelopes=(newcomer,), constraints=tuple(stated), connections=(), before={})
    ):
        raise Refused("the fleet engine does not take this; the exact one does", found=strange[0])
    columns = columns_of(problem, [newcomer], stated, weights_of(problem, stated))
    up, down = np.full(slots, 1e18), np.full(slots, 1e18)
    for limit in problem.constraints:
        if limit.quantity is not Quantity.POWER or limit.window is None or not _reaches(problem, limit, newcomer):
            continue
        others = scoped(problem, limit)
        drawn = np.sum([plan.power_w.get(e.asset, e.lo_w) for e in others], axis=0, initial=0.0)
        inside = np.array([limit.window.overlaps(problem.slot(slot)) for slot in range(slots)])
        if limit.relation is Relation.AT_MOST:
            up = np.where(inside, np.minimum(up, limit.value - drawn), up)
        else:
            down = np.where(inside, np.minimum(down, drawn - limit.value), down)
    old, new = np.zeros(slots, np.int32), np.zeros(slots, np.int32)
    order = np.argsort(price, kind="stable")
    own = rooms(slots, max(16, int(columns.wish[-1])))
    within(columns, 0, price, STEEP * float(np.abs(price).max()), old, up, down, np.empty(slots), order, own, new)
    for slot, watts in enumerate(new):
        if watts > max(0.0, up[slot]) + 1 or watts < min(0.0, -down[slot]) - 1:
            raise Refused("no room for it as the plan stands", asset=newcomer.asset, slot=slot, power_w=int(watts))
    return tuple(int(watts) for watts in new)


def _reaches(problem: Problem, limit: Constraint, newcomer: Envelope) -> bool:
    alone = Problem(
        start=problem.start,
        envelopes=(newcomer,),
        import_price=problem.import_price,
        export_price=problem.export_price,
    )
    return bool(scoped(alone, limit))
