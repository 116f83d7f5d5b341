"""What follows from forecasts: lines about habits, proposed to their owner, and what a community is warned of."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from commonwatt.apps.community import Community
from commonwatt.apps.foresight import Book
from commonwatt.apps.views.seeing import Unseen, check
from commonwatt.apps.views.wanted import standing
from commonwatt.apps.views.zones import limits_w, shown_zones
from commonwatt.forecasting.foresee import AHEAD, SOON, Foretold
from commonwatt.forecasting.futures import futures
from commonwatt.forecasting.habits import Habit
from commonwatt.forecasting.outlooks import peak_risks, surpluses
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import (
    LEVELS_PERMILLE,
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetKind,
    Quantity,
    Relation,
    Repeating,
)

SPARE_PERCENT = 20
"""What is left in a car beyond what nine of ten drives took: nobody leaves with just enough."""
ALIKE_MINUTES, ALIKE_PERCENT = 30, 10
"""A habit that moved by less than such a step is the one that was answered already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A line about a habit that its owner may state, with what it rests on.

    Args:
        id: Names it as long as the habit stays about the same.
        asset: The car.
        text: The line, as it would be stated.
        off: Whether it is about days off; else about workdays.
        minute: When it usually leaves, minutes after local midnight.
        spread_minutes: Half of its departures lie so near to that.
        ready_minute: By when the line wants it ready, so that nine departures of ten find it so.
        needs_wh: What nine of ten stays took at most.
        days: On how many days it left, of how many.
        of_days: Likewise.
        kept_permille: How often both held on days that were left out.
    """

    id: str
    asset: str
    text: str
    off: bool
    minute: int
    spread_minutes: int
    ready_minute: int
    needs_wh: int
    days: int
    of_days: int
    kept_permille: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """When a zone's peak may pass what was stated about it; power in W, times in seconds since 1970.

    ``permille`` is how likely it is passed at all in that time, ``over_wh`` what passes it, nine times in ten no more,
    and ``asked_w`` the bound under which a plan holds it in nine futures of ten.
    """

    zone: str
    start_s: int
    end_s: int
    limit_w: int
    expected_w: int
    high_w: int
    permille: int
    asked_w: int
    over_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SunLeft:
    """When a zone is expected to give: what is left over, and what is so nine times in ten, in Wh."""

    zone: str
    start_s: int
    end_s: int
    expected_wh: int
    sure_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlooks:
    """What today's forecast means, as of when it was issued."""

    issued_s: int
    risks: Sequence[Risk]
    surpluses: Sequence[SunLeft]


def proposals(community: Community, seat: Seat, account: AccountId, book: Book) -> list[Proposal]:
    """Return what is proposed to an account: habits of its cars that it neither stated nor answered.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.SEE_CONSTRAINTS, account)
    cars = [one for one in community.state.assets.values() if one.owner == account and one.kind is AssetKind.VEHICLE]
    found = []
    for car in cars:
        for habit in book.habits.get(car.id, ()):
            told = _proposal(car, habit)
            if community.answered.of(account, told.id) is None and not _stated(community, car, habit):
                found.append(told)
    return found


def proposal(community: Community, seat: Seat, account: AccountId, book: Book, name: str) -> Proposal:
    """Return one that waits.

    Raises:
        Unseen: There is none of this name for who asks.
        Refused: As in `seeing.check`.
    """
    found = next((one for one in proposals(community, seat, account, book) if one.id == name), None)
    if found is None:
        raise Unseen(name)
    return found


def outlooks(community: Community, seat: Seat, book: Book) -> Outlooks:
    """Return when zones that a seat is about may pass their limits, or have sun left over; today and tomorrow.

    Raises:
        Refused: The role does not see sums of homes.
    """
    check(community, seat, Action.SEE_ZONES, None)
    risks, left = list[Risk](), list[SunLeft]()
    shown = shown_zones(community)
    for name, told in book.zones.items():
        if name in shown and (not seat.zones or name in seat.zones):
            found = _outlook(community, name, told, book)
            risks += found[0]
            left += found[1]
    return Outlooks(issued_s=book.issued_s, risks=risks, surpluses=left)


def _outlook(community: Community, name: str, told: Foretold, book: Book) -> tuple[list[Risk], list[SunLeft]]:
    ahead = slice(-AHEAD, -AHEAD + SOON)
    quantiles = told.quantiles_wh[:, ahead].reshape(len(LEVELS_PERMILLE), -1)
    times = book.starts_s[ahead].ravel().tolist()
    if np.ptp(quantiles, 0).max() == 0:
        return [], []  # nothing is known of how sure it is
    drawn = futures([told], book.issued_s)
    risks = [
        Risk(
            zone=name,
            start_s=times[one.start],
            end_s=times[one.end - 1] + SLOT_SECONDS,
            limit_w=one.limit_w,
            expected_w=one.expected_w,
            high_w=one.high_w,
            permille=one.permille,
            asked_w=one.asked_w,
            over_wh=one.over_wh,
        )
        for one in peak_risks(quantiles, limits_w(community, name, times), None if drawn is None else drawn[:, 0])
    ]
    left = [
        SunLeft(
            zone=name,
            start_s=times[one.start],
            end_s=times[one.end - 1] + SLOT_SECONDS,
            expected_wh=one.expected_wh,
            sure_wh=one.sure_wh,
        )
        for one in surpluses(quantiles)
    ]
    return risks, left


def _proposal(car: Asset, habit: Habit) -> Proposal:
    percent = min(100, -(-habit.needs_wh * 100 // max(car.capacity_wh, 1)) + SPARE_PERCENT)
    days = "weekend" if habit.off else "weekday"
    at = f"{habit.ready_minute // 60:02d}:{habit.ready_minute % 60:02d}"
    alike = f"{car.id} {days} {habit.ready_minute // ALIKE_MINUTES} {percent // ALIKE_PERCENT}"
    return Proposal(
        id=sha256(alike.encode()).hexdigest()[:16],
        asset=car.id,
        text=f"charge of {car.id} >= {percent}% at {at} every {days}",
        off=habit.off,
        minute=habit.minute,
        spread_minutes=habit.spread_minutes,
        ready_minute=habit.ready_minute,
        needs_wh=habit.needs_wh,
        days=habit.days,
        of_days=habit.of_days,
        kept_permille=habit.kept_permille,
    )


def _stated(community: Community, car: Asset, habit: Habit) -> bool:
    """Tell whether its owner says already, of such days, by when it is to be charged."""
    kind = {5, 6} if habit.off else {0, 1, 2, 3, 4}
    return any(
        isinstance(one.statement, Repeating)
        and one.statement.quantity is Quantity.CHARGE
        and one.statement.relation is Relation.AT_LEAST
        and car.id in one.statement.scope
        and kind <= set(one.statement.weekdays)
        for one in standing(community, car.owner)
    )
