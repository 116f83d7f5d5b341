"""When a notice goes: not in somebody's quiet hours, later after each try that failed, and at last no more."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from commonwatt.flows.notices.records import DAY_MINUTES, Topic, Wishes
from commonwatt.model import epoch, instant, moment

FIRST_WAIT_S = 30
LONGEST_WAIT_S = 6 * 3_600
MOST_TRIES = 9
"""Over about a day: who was away overnight is told in the morning, who is gone is not tried for ever."""


def held_until_s(wishes: Wishes, topic: Topic, zone: ZoneInfo, now_s: int) -> int:
    """Return from when on a notice may go: now, or the end of the quiet hours in which now falls.

    Args:
        wishes: Of whom it tells.
        topic: About what it is; a trial is asked for by somebody who is awake.
        zone: Whose clocks on the wall their quiet hours mean.
        now_s: Now, seconds since 1970.
    """
    if wishes.quiet is None or topic is Topic.TRIAL or topic in wishes.through:
        return now_s
    begin, end = wishes.quiet
    shown = instant(now_s).astimezone(zone)
    minute = shown.hour * 60 + shown.minute
    if not (begin <= minute < end if begin < end else minute >= begin or minute < end):
        return now_s
    midnight = shown.replace(tzinfo=None, fold=0, hour=0, minute=0, second=0, microsecond=0)
    day = midnight + timedelta(days=1) if minute >= end else midnight
    # Where clocks go back over the end, its first reading may lie before now: then it is the second one that counts.
    ends_s = epoch(moment(day + timedelta(minutes=end % DAY_MINUTES), zone))
    return ends_s if ends_s > now_s else now_s


def next_try_s(tries: int, now_s: int, asked_s: int = 0) -> int | None:
    """Return when a notice is tried again after so many tries that failed; None for no more.

    Args:
        tries: So many, the one just now included.
        now_s: Now, seconds since 1970.
        asked_s: How long whoever answered asked us to wait.
    """
    if tries >= MOST_TRIES:
        return None
    wait_s: int = min(FIRST_WAIT_S * 4 ** (tries - 1), LONGEST_WAIT_S)
    return now_s + min(max(wait_s, asked_s), LONGEST_WAIT_S)
