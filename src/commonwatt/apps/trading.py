"""Look at a folder's markets, and read prices and moments as people write them."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from commonwatt.apps.views.market import MarketView, market
from commonwatt.apps.wiring import open_log
from commonwatt.flows.replay import community_of, resume
from commonwatt.model import MAX_SAFE_INTEGER, MICRO, Refused, zone_of


def moment_s(folder: Path, moment: str) -> int:
    """Return a date and time in the community's own clock as seconds since 1970.

    Raises:
        Refused: There is no log, or it is no date and time.
    """
    with open_log(folder) as log:
        clock = zone_of(resume(log, community_of(log)).state.charter.timezone)
    try:
        at = datetime.fromisoformat(moment)
    except ValueError as error:
        raise Refused("a moment is a date and time like 2018-11-14T18:00", found=moment) from error
    return int((at if at.tzinfo else at.replace(tzinfo=clock)).timestamp())


def micro(price: str) -> int:
    """Return an amount of money as whole millionths.

    Raises:
        Refused: It is no amount, has more than six decimals, or is more than any account could hold.
    """
    try:
        exact = Decimal(price) * MICRO
    except ArithmeticError as error:
        raise Refused("a price is a number like 0.21", found=price[:80]) from error
    if not exact.is_finite() or abs(exact) > MAX_SAFE_INTEGER:
        raise Refused("a price is a number like 0.21", found=price[:80])
    if exact != exact.to_integral_value():
        raise Refused("money has six decimals at most", found=price[:80])
    return int(exact)


def view(folder: Path, now_s: int = 0) -> MarketView:
    """Return what stands on the markets, as far as the log in a folder has been written.

    Args:
        folder: The community's.
        now_s: When it is looked at, for prices that move by time; the log's last time where that is later.

    Raises:
        Refused: There is no log.
        Corrupt: It contradicts itself.
    """
    with open_log(folder) as log:
        found = resume(log, community_of(log))
    return market(found.state, max(found.last_s, now_s))
