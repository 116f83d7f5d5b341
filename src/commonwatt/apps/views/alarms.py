"""Alarms of devices, for their owner and for who runs the community: evidence, cost, and when to look at it."""

from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.apps.foresight import Book
from commonwatt.apps.oversight import Alarm, Visit
from commonwatt.apps.views.seeing import Unseen, check
from commonwatt.forecasting.health import Ailment
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import ANYONE, AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmView:
    """An alarm, what to do about it, and when somebody should look; what its owner answered to that, None for nothing.

    Once it was accepted, the visit stays where it was.
    """

    alarm: Alarm
    what_to_do: str
    visit: Visit
    accepted: bool | None


WHAT_TO_DO = {
    Ailment.SOILING: "Look at the modules from the ground; have them cleaned if they are dirty.",
    Ailment.SHADING: "See what stands in the sun at that half of the day: a tree that grew, a new mast or wall.",
    Ailment.STRING_LOSS: "Have an electrician measure the strings: one gives nothing, or its fuse is open.",
    Ailment.CAPACITY: "Have the cells measured, and claim the guarantee if there is one.",
    Ailment.EFFICIENCY: "Have the inverter and its fans looked at: more is lost on the way than when it was new.",
    Ailment.DRIFT: "Have the meter compared with a calibrated one.",
    Ailment.BYPASS: "Have the connection looked at: much is drawn that the meter does not see.",
    Ailment.OVER_LIMIT: "Restart the charger; if it still does not follow, have its link looked at.",
}
"""In English; pages say the same in other languages (`web.pages.ailing`)."""


def of_account(community: Community, seat: Seat, account: AccountId, book: Book) -> list[AlarmView]:
    """Return the alarms of a member's devices, the costliest first.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.SEE_READINGS, account)
    return [_view(community, one) for one in book.alarms if one.owner == account]


def of_all(community: Community, seat: Seat, book: Book) -> list[AlarmView]:
    """Return all alarms, for who answers for the community.

    Raises:
        Refused: The role sees no members.
    """
    check(community, seat, Action.SEE_MEMBERS, ANYONE)
    return [_view(community, one) for one in book.alarms]


def alarm(community: Community, seat: Seat, account: AccountId, book: Book, name: str) -> AlarmView:
    """Return one of a member's.

    Raises:
        Unseen: There is none of this name for who asks.
        Refused: As in `seeing.check`.
    """
    found = next((one for one in of_account(community, seat, account, book) if one.alarm.id == name), None)
    if found is None:
        raise Unseen(name)
    return found


def visits(community: Community, account: AccountId, book: Book) -> list[AlarmView]:
    """Return the alarms of an account whose visits it accepted, for its calendar."""
    found = (_view(community, one) for one in book.alarms if one.owner == account)
    return [one for one in found if one.accepted]


def _view(community: Community, one: Alarm) -> AlarmView:
    answer, visit = community.answered.of(one.owner, one.id), one.visit
    if answer is not None and answer.accepted and answer.begins_s:
        visit = Visit(start_s=answer.begins_s, end_s=answer.begins_s + visit.end_s - visit.start_s)
    accepted = None if answer is None else answer.accepted
    return AlarmView(alarm=one, what_to_do=WHAT_TO_DO[one.ailment], visit=visit, accepted=accepted)
