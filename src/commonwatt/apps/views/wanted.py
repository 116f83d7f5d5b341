"""What owners want of their stores: by when they are charged, and what they do for now."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from commonwatt.apps.community import Community
from commonwatt.flexibility import language
from commonwatt.flows.rulebook.flexibility.stated import Stated
from commonwatt.model import (
    AccountId,
    Asset,
    Constraint,
    Quantity,
    Reach,
    Relation,
    Repeating,
    epoch,
    instant,
    zone_of,
)

TARGET_FOR = timedelta(hours=2)
"""How long a target that somebody set by hand holds: so long one remembers, and then the plan is the community's."""
EMPTY_PERCENT = 5
"""How low a store is discharged by hand: cells that stand at nothing age."""


class Target(StrEnum):
    """What somebody wants of a store for now (row W8)."""

    CHARGE = "charge"
    HOLD = "hold"
    DISCHARGE = "discharge"
    PLAN = "plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The next time by which an owner wants a store at a level, and whether that comes again."""

    at_s: int
    percent: int
    repeats: bool
    text: str


def target(community: Community, asset: Asset) -> Target:
    """Return what a store's owner wants of it for now."""
    now_s = community.now_s()
    wanted = (
        target_of(one.statement, now_s)
        for one in standing(community, asset.owner)
        if one.statement.scope == (asset.id,)
    )
    return next((one for one in wanted if one is not Target.PLAN), Target.PLAN)


def target_of(statement: Constraint | Repeating, now_s: int) -> Target:
    """Return which target by hand a statement is, as far as it still holds; PLAN where it is none."""
    if not isinstance(statement, Constraint):
        return Target.PLAN
    soon = statement.at is not None and now_s < epoch(statement.at) <= now_s + TARGET_FOR.total_seconds()
    window = statement.window
    holds = window is not None and epoch(window.start) <= now_s < epoch(window.end)
    match statement.quantity, statement.relation, statement.value:
        case Quantity.CHARGE, Relation.AT_LEAST, 100 if soon:
            return Target.CHARGE
        case Quantity.CHARGE, Relation.AT_MOST, value if soon and value <= EMPTY_PERCENT:
            return Target.DISCHARGE
        case Quantity.POWER, _, 0 if holds and window is not None and window.seconds <= TARGET_FOR.total_seconds():
            return Target.HOLD
    return Target.PLAN


def ready(community: Community, asset: Asset) -> Ready | None:
    """Return by when a store's owner wants it charged next; None where nothing is said."""
    found = departing(community, asset)
    if found is None:
        return None
    one, next_time = found
    zone = zone_of(community.state.charter.timezone)
    return Ready(
        at_s=_due_s(next_time),
        percent=next_time.value,
        repeats=one.repeating is not None,
        text=language.text(one.statement, zone),
    )


def departing(community: Community, asset: Asset) -> tuple[Stated, Constraint] | None:
    """Return the owner's statement by which a store is to be charged next, and when that is; None for none."""
    now = instant(community.now_s())
    coming = [
        (one, each)
        for one in standing(community, asset.owner)
        if one.statement.quantity is Quantity.CHARGE
        and one.statement.relation is Relation.AT_LEAST
        and one.statement.reach is Reach.ASSET
        and one.statement.scope == (asset.id,)
        for each in one.following(now)
    ]
    return min(coming, key=lambda found: (_due_s(found[1]), found[0].position)) if coming else None


def standing(community: Community, account: AccountId) -> list[Stated]:
    """Return what an account stated and what still matters, in order of the log."""
    now_s = community.now_s()
    return [
        one for one in community.state.stated if one.account == account and one.ended_s is None and one.ends_s > now_s
    ]


def _due_s(constraint: Constraint) -> int:
    assert constraint.at is not None  # a charge is bounded at an instant
    return epoch(constraint.at)
