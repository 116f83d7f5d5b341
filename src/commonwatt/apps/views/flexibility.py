"""Flexibility under contract, as who asked for it sees it: what was promised, measured and paid a window, in sums."""

from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.apps.views.contracts import booked
from commonwatt.apps.views.seeing import check
from commonwatt.apps.views.zones import LEAST_HOMES
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.market.contracts import Offer
from commonwatt.model import AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSum:
    """One window of one offer, over all contracts under it; Wh and micro.

    ``baseline`` is the rule by which it is measured. Sums are None where fewer than `zones.LEAST_HOMES` homes are in
    them, except for who pays for them, to whom ``entries`` names what was booked: each has a proof.
    """

    start_s: int
    end_s: int
    direction: str
    status: Sequence[str]
    contracts: int
    baseline: str
    promised_wh: int | None
    delivered_wh: int | None
    due_micro: int | None
    paid_micro: int | None
    entries: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferView:
    """An offer: whose, how much power it asks for, what is promised of it, until when, and its windows so far."""

    offer: str
    utility: AccountId
    zone: str | None
    as_of_s: int
    power_w: int
    contracts: int
    accept_by_s: int
    until_s: int
    closed: bool
    windows: Sequence[WindowSum]


def offers(community: Community, seat: Seat) -> list[OfferView]:
    """Return every offer that concerns a seat's zones, the newest first.

    Raises:
        Refused: The role does not see the flexibility of zones.
    """
    check(community, seat, Action.SEE_ZONES, None)
    book = community.state.contracted.book
    concerning = (one for one in book.offers.values() if _concerns(one, seat))
    return [_offer(community, seat, one) for one in reversed(list(concerning))]


def _concerns(offer: Offer, seat: Seat) -> bool:
    return offer.utility == seat.account or not seat.zones or offer.terms.zone in (None, *seat.zones)


def _offer(community: Community, seat: Seat, offer: Offer) -> OfferView:
    own = [one for one in community.state.contracted.book.contracts.values() if one.offer == offer.id]
    return OfferView(
        offer=offer.id,
        utility=offer.utility,
        zone=offer.terms.zone,
        as_of_s=community.told_s,
        power_w=offer.terms.power_w,
        contracts=len(own),
        accept_by_s=offer.terms.accept_by_s,
        until_s=offer.terms.until_s,
        closed=offer.closed,
        windows=_windows(community, seat, offer),
    )


def _windows(community: Community, seat: Seat, offer: Offer) -> list[WindowSum]:
    entries = booked(community, offer.utility) if offer.utility == seat.account else {}
    own = [one for one in community.state.contracted.book.contracts.values() if one.offer == offer.id]
    starts = sorted({(call.start_s, call.end_s, call.window) for one in own for call in one.calls})
    found = []
    for start_s, end_s, window in starts:
        with_call = [
            (one, call) for one in own for call in one.calls if (call.start_s, call.window) == (start_s, window)
        ]
        calls = [call for _, call in with_call]
        shown = offer.utility == seat.account or len({one.member for one, _ in with_call}) >= LEAST_HOMES
        found.append(
            WindowSum(
                start_s=start_s,
                end_s=end_s,
                direction=offer.terms.windows[window].direction.value,
                status=sorted({call.status.value for call in calls}),
                contracts=len(calls),
                baseline=offer.terms.baseline.value,
                promised_wh=sum(call.promised_wh for call in calls) if shown else None,
                delivered_wh=sum(call.delivered_wh for call in calls) if shown else None,
                due_micro=sum(call.due.net_micro for call in calls) if shown else None,
                paid_micro=sum(call.paid_micro for call in calls) if shown else None,
                entries=[number for one, _ in with_call for number in entries.get(f"{one.id}/{start_s}", [])],
            )
        )
    return found
