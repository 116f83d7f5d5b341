"""Responses that who pays for contracts may call: which of its windows stand by, and what is promised for them (W5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import check
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.market.contracts import Offer, Status
from commonwatt.model import SLOT_SECONDS, AccountId, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A window that stands by under an offer whose windows its own account calls.

    Args:
        offer: Its place in the log.
        zone: Where it holds; None for everywhere.
        direction: ``charge`` or ``give_back``.
        start_s: When the window starts.
        end_s: When it ends.
        earliest_s: From when it can be called, were it called now, whole quarter-hours.
        contracts: How many stand by.
        promised_w: What they promise together.
    """

    offer: str
    zone: str | None
    direction: str
    start_s: int
    end_s: int
    earliest_s: int
    contracts: int
    promised_w: int


def responses(community: Community, seat: Seat, account: AccountId) -> list[Response]:
    """Return what an account may call, by the start of the window.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.OFFER_CONTRACT, account)
    book = community.state.contracted.book
    offers = [one for one in book.offers.values() if one.utility == account and calls_itself(one)]
    return sorted((found for one in offers for found in _standing(community, one)), key=lambda one: one.start_s)


def calls_itself(offer: Offer) -> bool:
    """Tell whether who pays for an offer calls its windows."""
    return offer.utility in offer.terms.trigger.oracles


def event(
    community: Community, seat: Seat, account: AccountId, name: str, lasts_s: int, start_s: int | None = None
) -> dict[str, Any]:
    """Return the body of the fact that calls the next window of an offer that stands by.

    Args:
        community: Whose contracts.
        seat: Who calls.
        account: Whose offer it is.
        name: The offer, as its place in the log.
        lasts_s: For how long, seconds.
        start_s: From when, seconds since 1970; as soon as it can be where it is None.

    Raises:
        Unseen: The account is another's, as in `seeing.check`.
        Refused: It has no such offer, others call this offer, no window stands by then, or it is too late to call one.
    """
    check(community, seat, Action.OFFER_CONTRACT, account)
    offer = community.state.contracted.book.offers.get(name)
    if offer is None or offer.utility != account:
        raise Refused("who calls an offer has made it", offer=name, account=account)
    if not calls_itself(offer):
        raise Refused("who pays calls an offer that says so", offer=name, called=offer.terms.trigger.kind.value)
    for one in responses(community, seat, account):
        from_s = one.earliest_s if start_s is None else start_s
        if one.offer == name and one.earliest_s <= from_s < one.end_s and lasts_s >= SLOT_SECONDS:
            told: dict[str, Any] = {"what": "event", "name": offer.terms.trigger.name, "direction": one.direction}
            told |= {"start_s": from_s, "end_s": min(from_s + lasts_s, one.end_s)}
            return told if one.zone is None else told | {"zone": one.zone}
    raise Refused("a window stands by when it is called, for a quarter-hour or longer", offer=name, lasts_s=lasts_s)


def _standing(community: Community, offer: Offer) -> Sequence[Response]:
    now_s, book = community.now_s(), community.state.contracted.book
    known_s = now_s + offer.terms.notice_s
    by_window: dict[tuple[int, int, int], list[int]] = {}
    for one in book.running():
        if one.offer != offer.id or not one.calls or one.calls[-1].status is not Status.STANDBY:
            continue
        call = one.calls[-1]
        promised_w = one.promised_w(offer.terms.windows[call.window].direction)
        by_window.setdefault((call.start_s, call.end_s, call.window), []).append(promised_w)
    found = []
    for (start_s, end_s, window), watts in by_window.items():
        earliest_s = max(start_s, (known_s // SLOT_SECONDS + 1) * SLOT_SECONDS)
        if earliest_s < end_s:
            found.append(
                Response(
                    offer=offer.id,
                    zone=offer.terms.zone,
                    direction=offer.terms.windows[window].direction.value,
                    start_s=start_s,
                    end_s=end_s,
                    earliest_s=earliest_s,
                    contracts=len(watts),
                    promised_w=sum(watts),
                )
            )
    return found
