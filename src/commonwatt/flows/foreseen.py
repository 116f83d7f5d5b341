"""What a day's first plan expected the grid to be paid: read off the log as it stood then, and planned again."""

from collections.abc import Sequence

from commonwatt.flexibility.problem import Plan, Problem
from commonwatt.flows.constraint_to_command import plan_ahead
from commonwatt.flows.intake import read_head
from commonwatt.flows.outlook import Terms, outlook
from commonwatt.flows.replay import replay
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import SLOT_SECONDS, CommunityId, Kind, cost_micro, epoch


def foreseen_micro(rows: Sequence[LeafRow], community: CommunityId, terms: Terms) -> int | None:
    """Return what the first plan of a day expected the grid to be paid until the day's end, micro.

    The same log gives the same plan, so what was foreseen need not be kept beside it, and nobody can improve on it
    afterwards.

    Args:
        rows: The log, in order; what comes after the first schedule is not looked at.
        community: Whose log it is.
        terms: As the day was planned with.

    Returns:
        None where nothing was planned.
    """
    planned = next((at for at, row in enumerate(rows) if read_head(row.body).kind is Kind.SCHEDULE), None)
    if planned is None:
        return None
    known = outlook(replay(rows[:planned], community).state, terms, epoch(terms.span.start))
    return billed_micro(*plan_ahead(known), terms.span.seconds // SLOT_SECONDS)


def billed_micro(plan: Plan, problem: Problem, slots: int) -> int:
    """Return what the grid is paid for a plan's first slots, less what it pays, micro."""
    prices = zip(plan.exchange_w, problem.import_price, problem.export_price, strict=True)
    return sum(
        cost_micro(round(watts * SLOT_SECONDS / 3600), bought if watts > 0 else sold)
        for watts, bought, sold in list(prices)[:slots]
    )
