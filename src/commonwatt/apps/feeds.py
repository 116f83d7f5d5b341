"""A member's calendar at a secret address: made and revoked from their seat, read by whoever holds the address."""

import time
from pathlib import Path

from commonwatt.adapters.stores.feed_file import FeedFile
from commonwatt.apps.community import Community
from commonwatt.apps.views import diary
from commonwatt.apps.views.seeing import Unseen, check
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import AccountId, Refused

FEEDS = "feeds.sqlite"
PATH = "/api/v1/feeds/{secret}.ics"


def make(community: Community, seat: Seat) -> str:
    """Return the path of a new secret address; the one before is good no more.

    Raises:
        Refused: The seat is no member's, or who sits there is only setting up how they come in.
    """
    if seat.scopes is not None:
        raise Refused("first a lasting way in is set up", scopes=" ".join(seat.scopes))
    with _file(community.folder) as feeds:
        return PATH.format(secret=feeds.make(_own(community, seat)))


def revoke(community: Community, seat: Seat) -> bool:
    """End a seat's address; tells whether there was one. Raises as `make`."""
    with _file(community.folder) as feeds:
        return feeds.revoke(_own(community, seat))


def end(folder: Path, account: AccountId) -> bool:
    """End the address of an account's calendar, whoever made it; tells whether there was one."""
    with _file(folder) as feeds:
        return feeds.revoke(account)


def made_s(community: Community, seat: Seat) -> int | None:
    """Return when a seat's address was made, by the system's clock; None where there is none. Raises as `make`."""
    with _file(community.folder) as feeds:
        return feeds.made_s(_own(community, seat))


def read(community: Community, secret: str) -> tuple[AccountId, list[diary.Diary]]:
    """Return whose calendar stands at a secret address, and the diaries of all their stores.

    Raises:
        Unseen: There is none, or none any more.
    """
    with _file(community.folder) as feeds:
        account = feeds.account(secret)
    if account is None or account not in community.state.members():
        raise Unseen("a calendar")
    # Who holds the address reads what its owner would, and nothing else.
    owner = Seat(person=account, role=Role.MEMBER, account=account)
    own = [one.asset for one in diary.assets(community, owner) if one.asset.owner == account and one.asset.stores]
    return account, [diary.diary(community, owner, asset.id) for asset in own]


def _own(community: Community, seat: Seat) -> AccountId:
    if seat.role is not Role.MEMBER or seat.account is None:
        raise Refused("a calendar is a member's", role=seat.role.value)
    check(community, seat, Action.MANAGE_SELF, seat.account)
    return seat.account


def _file(folder: Path) -> FeedFile:
    return FeedFile(folder / FEEDS, lambda: int(time.time()))
