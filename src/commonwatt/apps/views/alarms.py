"""Alarms of devices, for their owner and for who runs the community: evidence, cost, and when to look at it."""

from dataclasses import dataclass

from commonwatt.adapters.stores.answered import Word
from commonwatt.apps.community import Community
from commonwatt.apps.foresight import Book
from commonwatt.apps.oversight import Alarm, Visit
from commonwatt.apps.views.seeing import Unseen, check, relation
from commonwatt.forecasting.health import Ailment
from commonwatt.identity.access import Action, lets
from commonwatt.identity.seat import Seat
from commonwatt.model import ANYONE, AccountId, AssetId


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmView:
    """An alarm, what to do about it, and when somebody should look; what its owner answered to that, None for nothing.

    Once it was accepted, the visit stays where it was. ``word`` is what is said of it instead: ``mended``, and it is
    looked at anew from then on, or ``as it is``, and it is no news until it is clearly worse; both show from the next
    day's look on. ``said_by`` is the account of who said that.
    """

    alarm: Alarm
    what_to_do: str
    visit: Visit
    accepted: bool | None
    word: Word | None = None
    said_by: str = ""


WHAT_TO_DO = {
    Ailment.SOILING: "Look at the modules from the ground; have them cleaned if they are dirty.",
    Ailment.SHADING: "See what stands in the sun at that half of the day: a tree that grew, a new mast or wall.",
    Ailment.STRING_LOSS: "Have an electrician measure the strings: one gives nothing, or its fuse is open.",
    Ailment.CAPACITY: "Have the cells measured, and claim the guarantee if there is one.",
    Ailment.EFFICIENCY: "Have the inverter and its fans looked at: more is lost on the way than when it was new.",
    Ailment.DRIFT: "Have the meter compared with a calibrated one.",
    Ailment.BYPASS: "Have the connection looked at: much is drawn that the meter does not see.",
    Ailment.OVER_LIMIT: "Restart the charger; if it still does not follow, have its link looked at.",
    Ailment.SHORT_CYCLING: "Have its heating curve, thermostat and flow looked at: it makes more heat than is taken.",
    Ailment.NEW_ROOF: "Register the roof or battery on Devices, so that what it gives is its owner's and is foreseen.",
    Ailment.NEW_CAR: "Register the car or charger on Devices, so that it is charged when energy is cheap.",
}
"""In English; pages say the same in other languages (`web.pages.ailing`)."""


def of_account(community: Community, seat: Seat, account: AccountId, book: Book) -> list[AlarmView]:
    """Return the alarms of a member's devices, the costliest first: to who looks after some of them, of those.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    own = [one for one in book.alarms if one.owner == account]
    mine = [one for one in own if may_mend(community, seat, one.owner, one.asset)]
    if not mine:
        check(community, seat, Action.SEE_READINGS, account)
    sees = relation(community, seat, account)
    return [_view(community, one) for one in own if one in mine or lets(seat, Action.SEE_READINGS, sees)]


def of_devices(community: Community, seat: Seat, book: Book) -> list[AlarmView]:
    """Return the alarms of all devices that a seat looks after, the costliest first."""
    return [_view(community, one) for one in book.alarms if may_mend(community, seat, one.owner, one.asset)]


def may_mend(community: Community, seat: Seat, owner: AccountId, asset: AssetId) -> bool:
    """Tell whether who sits there looks after a device, its owner or whom they let register it."""
    return lets(seat, Action.MANAGE_DEVICES, relation(community, seat, owner, asset, Action.MANAGE_DEVICES))


def check_mending(community: Community, seat: Seat, account: AccountId) -> None:
    """Refuse who looks after none of an account's devices.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    own = [one.id for one in community.state.assets.values() if one.owner == account]
    if not any(may_mend(community, seat, account, asset) for asset in own):
        check(community, seat, Action.MANAGE_DEVICES, account)


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
    said = answer is not None and answer.word is None
    return AlarmView(
        alarm=one,
        what_to_do=WHAT_TO_DO[one.ailment],
        visit=visit,
        accepted=answer.accepted if answer is not None and said else None,
        word=None if answer is None else answer.word,
        said_by="" if answer is None or said else answer.by,
    )
