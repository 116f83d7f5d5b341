"""Bills of calendar months, from the entries that the log told: the same sums as `commonwatt bill` writes."""

import asyncio
import re
from datetime import datetime, timedelta

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import check
from commonwatt.flows.billing import make_bill
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import AccountId, Entry, InvalidValue, Refused, epoch, instant, moment, zone_of
from commonwatt.settlement.bill import Bill

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_AT_ONCE = 2_000
"""Entries read between two looks at what else is to be done."""


def months(community: Community, seat: Seat, account: AccountId) -> list[str]:
    """Return the months of which there are bills, YYYY-MM, the newest first; the newest may still go on.

    There are none of an account that holds no money.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.SEE_ENTRIES, account)
    if not community.state.has_wallet(account):
        return []
    zone, found = zone_of(community.state.charter.timezone), []
    first = instant(community.begins_s).astimezone(zone)
    at = instant(community.state.settled_to_s - 1).astimezone(zone).replace(tzinfo=None, day=1)
    while (at.year, at.month) >= (first.year, first.month):
        found.append(f"{at:%Y-%m}")
        at = (at - timedelta(days=1)).replace(day=1)
    return found


async def bill(community: Community, seat: Seat, account: AccountId, month: str) -> Bill:
    """Return an account's bill of a month by the community's clock, as far as it is settled.

    Args:
        community: Whose.
        seat: Who asks.
        account: Whose bill.
        month: YYYY-MM.

    Raises:
        Unseen, Refused: As in `months`; or nothing of that month is settled, or told here.
        InvalidValue: It is no month.
    """
    if not _MONTH.fullmatch(month):
        raise InvalidValue(f"a month looks like 2018-11, was {month[:20]!r}")
    told = months(community, seat, account)
    if month not in told:
        raise Refused("a bill is of a month that is settled and told here", month=month, months=" ".join(told[:12]))
    zone, state = zone_of(community.state.charter.timezone), community.state
    begin = datetime.fromisoformat(f"{month}-01")
    following = (begin + timedelta(days=32)).replace(day=1)
    before = (begin - timedelta(days=1)).replace(day=1)
    over = epoch(moment(following, zone)) <= state.settled_to_s
    found = await _entries(community, account, epoch(moment(before, zone)), epoch(moment(following, zone)))
    # The first month begins with the log, and the last one that is not over ends with what is settled.
    whole = epoch(moment(begin, zone)) >= community.begins_s
    span = f"{begin:%Y-%m-%d}" if whole else None, f"{following:%Y-%m-%d}" if over else None
    return make_bill(state, account, community.begins_s, span, told=found)


async def _entries(community: Community, account: AccountId, from_s: int, to_s: int) -> list[tuple[int, Entry]]:
    """Return an account's entries of some slots in order, read so that others are served meanwhile."""
    found: list[tuple[int, Entry]] = []
    while True:
        before = found[-1][0] if found else None
        some = community.chronicle.entries(account, before=before, from_s=from_s, to_s=to_s, limit=_AT_ONCE)
        found += some
        if len(some) < _AT_ONCE:
            return found[::-1]
        await asyncio.sleep(0)
