"""What people answer to what was proposed: a habit is stated by accepting it, a visit stands in their calendar."""

from commonwatt.adapters.stores.answered import Answer
from commonwatt.apps import wishes
from commonwatt.apps.community import Community
from commonwatt.apps.foresight import Book
from commonwatt.apps.views import alarms, proposals
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


def answer_visit(community: Community, seat: Seat, account: AccountId, book: Book, name: str, *, accept: bool) -> None:
    """Accept or decline the visit that an alarm proposes; whoever thinks again answers again.

    Raises:
        Unseen: There is no such alarm.
        Refused: The seat may not.
    """
    check(community, seat, Action.DECIDE_SCHEDULE, account)
    found = alarms.alarm(community, seat, account, book, name)
    told = Answer(accepted=accept, at_s=community.now_s(), begins_s=found.visit.start_s)
    community.answered.keep(account, found.alarm.id, told)
