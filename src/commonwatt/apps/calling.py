"""Call a DEMAND as a seat may, and take it back: what the operator's command line does, from the app."""

from collections.abc import Sequence
from functools import partial

from commonwatt.apps import demanding
from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import check_own
from commonwatt.flows.gateway.letters import Called
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Role, Seat
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import InvalidValue, Refused

LONGEST_S = 86_400


def standing(community: Community, seat: Seat) -> Sequence[Called]:
    """Return what is broadcast and not over.

    Raises:
        Refused: The role calls nothing.
        InvalidValue: The folder's file of them is damaged.
    """
    check_own(seat, Action.CALL_EVENT)
    return demanding.standing(community.folder, community.now_s())


def call(
    community: Community, seat: Seat, lasts_s: int, power_w: int | None = None, start_s: int | None = None
) -> Called:
    """Broadcast a DEMAND; the community's door tells it to every gateway whose line is open.

    Args:
        community: Whose gateways.
        seat: Who calls.
        lasts_s: How long, seconds; a day at most.
        power_w: How much of each, W; None where that is for each to say.
        start_s: From when, seconds since 1970; from now on where it is None.

    Raises:
        Refused: The role calls nothing, its seat is about some zones alone, or too many stand.
        InvalidValue: It lasts no time, or begins in the past.
    """
    check_own(seat, Action.CALL_EVENT)
    if seat.zones:
        raise Refused("a broadcast is heard in every zone, and a seat speaks of its own", zones=", ".join(seat.zones))
    now_s = community.now_s()
    from_s = now_s if start_s is None else start_s
    if from_s < now_s:
        raise InvalidValue(f"a DEMAND begins now or later, was at {from_s}, now is {now_s}")
    end_s = from_s + min(lasts_s, LONGEST_S)
    called = Called(id=f"{seat.role.value}-{from_s}-{lasts_s}", start_s=from_s, end_s=end_s, power_w=power_w)
    told = {"name": called.id, "from_s": str(from_s), "until_s": str(end_s)} | (
        {} if power_w is None else {"power_w": str(power_w)}
    )
    note = partial(community.note, seat, Happened.DEMAND_CALLED, told)
    demanding.demand(community.folder, called, now_s, _caller(seat), note)
    return called


def retract(community: Community, seat: Seat, name: str) -> None:
    """Take a DEMAND back that is one's own.

    Raises:
        Refused: The role calls nothing, somebody else called it, or there is none of that name.
    """
    check_own(seat, Action.CALL_EVENT)
    if not _is_own(seat, called_by := demanding.caller(community.folder, name)):
        raise Refused("a DEMAND is taken back by who called it", named=name, called_by=called_by or "operator")
    note = partial(community.note, seat, Happened.DEMAND_RETRACTED, {"name": name})
    demanding.retract(community.folder, name, community.now_s(), note)


def may_retract(community: Community, seat: Seat, name: str) -> bool:
    """Tell whether a DEMAND is a seat's own: its role's, for its account.

    Raises:
        InvalidValue: The folder's file of them is damaged.
    """
    return _is_own(seat, demanding.caller(community.folder, name))


def _is_own(seat: Seat, caller: str | None) -> bool:
    # What the machine's command line called is the operator's, and of what nobody called there is nothing to guard.
    return caller is None or caller == _caller(seat) or (not caller and seat.role is Role.OPERATOR)


def _caller(seat: Seat) -> str:
    return f"{seat.role.value} {seat.account or ''}".strip()
