"""Where a home stands, as its owner states it and takes it back; whom it is shown to is `views.mapping`'s."""

import re

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import Unseen, check
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import AccountId, InvalidValue, Position

_DEGREES = re.compile(r"(-?\d{1,3})(?:\.(\d{1,12}))?", re.ASCII)
_DIGITS = 6


def position(community: Community, seat: Seat, account: AccountId) -> Position | None:
    """Return where a home stands; None where nobody said.

    Raises:
        Unseen, Refused: As in `seeing.check`.
        Corrupt: The file of positions is damaged.
    """
    check(community, seat, Action.MANAGE_DEVICES, account)
    return community.positions.known().get(account)


def state_position(community: Community, seat: Seat, account: AccountId, where: Position | None) -> None:
    """State where a home stands, or that it is not to be known any more. It is personal, so it is in no log.

    Raises:
        Unseen: There is no such member for who asks.
        Refused: As in `seeing.check`.
        Corrupt: The file of positions is damaged.
    """
    check(community, seat, Action.MANAGE_DEVICES, account)
    if account not in community.state.members():
        raise Unseen(account)
    community.positions.keep(account, where)


def read_position(text: str) -> Position:
    """Return a position as people write it, degrees north and east: 48.2082, 16.3738.

    Raises:
        InvalidValue: It is none.
    """
    parts = text.replace(";", ",").split(",")
    if len(parts) != 2:
        raise InvalidValue(f"a position is written like 48.2082, 16.3738, was {text[:40]!r}")
    return Position(latitude_udeg=_udeg(parts[0].strip()), longitude_udeg=_udeg(parts[1].strip()))


def _udeg(text: str) -> int:
    found = _DEGREES.fullmatch(text)
    if found is None:
        raise InvalidValue(f"degrees are written like 48.2082, was {text[:20]!r}")
    size: int = int(found[1].lstrip("-") or 0) * 10**_DIGITS + int((found[2] or "")[:_DIGITS].ljust(_DIGITS, "0"))
    return -size if found[1].startswith("-") else size
