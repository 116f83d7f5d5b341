"""What people answer to what was proposed: a habit is stated by accepting it, a visit stands in their calendar,
a fault is mended or stays as it is."""

from enum import StrEnum

from commonwatt.adapters.stores.answered import Answer, Word
from commonwatt.apps import wishes
from commonwatt.apps.community import Community
from commonwatt.apps.foresight import Book
from commonwatt.apps.oversight import Alarm
from commonwatt.apps.views import alarms, proposals
from commonwatt.apps.views.alarms import may_mend
from commonwatt.apps.views.seeing import check
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import AccountId


async def answer_proposal(
    community: Community, seat: Seat, account: AccountId, book: Book, name: str, *, accept: bool, text: str = ""
) -> None:
    """Accept a habit as it is proposed or in other words, which states it; or decline it, which is remembered.

    Args:
        community: Through whose door it goes.
        seat: The owner's.
        account: Whose habit.
        book: Of today.
        name: The proposal's.
        accept: Whether it is stated.
        text: The line to state in place of the one that was proposed.

    Raises:
        Unseen: Nothing of this name waits.
        Problem, Refused, InvalidValue: As in `wishes.granted`; nothing is remembered then.
    """
    check(community, seat, Action.STATE_CONSTRAINT, account)
    found = proposals.proposal(community, seat, account, book, name)
    if accept:
        await wishes.say(community, seat, text or found.text)
    community.answered.keep(account, found.id, Answer(accepted=accept, at_s=community.now_s()))


class Reply(StrEnum):
    """What is answered to an alarm."""

    ACCEPT = "accept"
    DECLINE = "decline"
    MENDED = "mended"
    AS_IT_IS = "as it is"
    TAKE_BACK = "take back"


def answer_alarm(community: Community, seat: Seat, account: AccountId, book: Book, name: str, reply: Reply) -> None:
    """Answer an alarm: accept or decline its visit, say that it was mended or stays as it is, or take that back.

    Whoever thinks again answers again. What was mended is looked at anew from now on; what stays as it is is no news
    until it is clearly worse, see `apps.faults`. That something was mended may be said by whoever looks after the
    device, everything else by its owner; whoever looks after it takes back what they said themselves, and nothing that
    its owner did.

    Raises:
        Unseen: There is no such alarm.
        Refused: The seat may not.
    """
    found = alarms.alarm(community, seat, account, book, name)
    if not _mends(community, seat, account, found.alarm, reply):
        check(community, seat, Action.DECIDE_SCHEDULE, account)
    if reply is Reply.TAKE_BACK:
        community.answered.take_back(account, found.alarm.id)
        return
    told = Answer(
        accepted=reply is Reply.ACCEPT,
        at_s=community.now_s(),
        begins_s=found.visit.start_s if reply is Reply.ACCEPT else 0,
        word={Reply.MENDED: Word.MENDED, Reply.AS_IT_IS: Word.AS_IT_IS}.get(reply),
        off_permille=found.alarm.off_permille,
        by=str(seat.account or ""),
    )
    community.answered.keep(account, found.alarm.id, told)


def _mends(community: Community, seat: Seat, account: AccountId, alarm: Alarm, reply: Reply) -> bool:
    """Tell whether a reply is that of who looks after a device, and undoes no word of its owner."""
    if reply not in (Reply.MENDED, Reply.TAKE_BACK) or not may_mend(community, seat, account, alarm.asset):
        return False
    before = community.answered.of(account, alarm.id)
    own = before is not None and before.by == seat.account
    return own or (reply is Reply.MENDED and (before is None or before.word is None))
