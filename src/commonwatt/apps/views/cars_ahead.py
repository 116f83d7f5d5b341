"""When a member's cars leave, what they need and when they are back, as surely as their past stays tell."""

from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.apps.foresight import Book
from commonwatt.apps.gathering import MOST_DAYS
from commonwatt.apps.parking import stays_of
from commonwatt.apps.views.seeing import check
from commonwatt.flows.brought import NOTHING_BROUGHT
from commonwatt.forecasting.parked import CarCard, Next, what_next
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import LEVELS_PERMILLE, SLOT_SECONDS, AccountId, Asset, AssetId, AssetKind

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class CarAhead:
    """One car: what comes next of it, as of when, and how good such forecasts were.

    Args:
        asset: The car.
        as_of_s: The log's time; nothing later was looked at.
        levels_permille: Of the quantiles in ``next``.
        next: When it leaves and what it needs, or when it is back; None where it has too few stays to tell.
        card: None where too few of them could be scored.
    """

    asset: AssetId
    as_of_s: int
    levels_permille: tuple[int, ...]
    next: Next | None
    card: CarCard | None


def cars_ahead(community: Community, seat: Seat, account: AccountId, book: Book) -> list[CarAhead]:
    """Return what comes next of an account's cars, by name.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.SEE_READINGS, account)
    own = sorted(
        (one for one in community.state.assets.values() if one.owner == account and one.kind is AssetKind.VEHICLE),
        key=lambda one: one.id,
    )
    return [of_car(community, one, book) for one in own]


def of_car(community: Community, car: Asset, book: Book) -> CarAhead:
    """Return what comes next of a car."""
    now_s, card, fleet = community.told_s, book.cars.get(car.id), book.fleet
    ended = [] if fleet is None else [one.end_s for one in fleet.stays.get(car.id, ())]
    found = None
    if fleet is not None and ended:
        # What the log tells since: whole stays are in the book, the one that is not over is not.
        told, here = stays_of(community.chronicle, NOTHING_BROUGHT, car, now_s - MOST_DAYS * DAY_S)
        ended += [one.end_s for one in told]
        plugged = here is not None and here.end_s >= now_s - SLOT_SECONDS
        if here is not None:
            ended.append(here.end_s)
        since_s = here.start_s if here is not None and plugged else max(ended)
        used = card is None or card.used
        found = what_next(fleet, car.id, plugged, since_s, now_s, used=used) if since_s <= now_s else None
    return CarAhead(asset=car.id, as_of_s=now_s, levels_permille=LEVELS_PERMILLE, next=found, card=card)
