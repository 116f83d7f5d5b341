"""What a clock on the wall shows: which instants one reading of it names, through every change of the clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from commonwatt.model.errors import InvalidValue


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name.

    Raises:
        InvalidValue: Nobody knows it.
    """
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise InvalidValue(f"a time zone has an IANA name like Europe/London, was {name!r}") from error


def moments(shown: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """Return the UTC instants at which a zone's clocks show a naive date and time, in order.

    One as a rule; two where clocks go back over it; none where they jump over it.

    Raises:
        InvalidValue: The calendar ends before.
    """
    try:
        return tuple(one for one in _both(shown, zone) if one.astimezone(zone).replace(tzinfo=None, fold=0) == shown)
    except OverflowError as error:
        raise InvalidValue(f"the calendar ends at {shown}") from error


def moment(shown: datetime, zone: ZoneInfo) -> datetime:
    """Return the first UTC instant at which a zone's clocks show a naive date and time or, jumping over it, more.

    So a later reading never comes earlier; a clock that jumps from 01:00 to 02:00 is taken to show 01:30 as it jumps.

    Raises:
        InvalidValue: The calendar ends before.
    """
    named = moments(shown, zone)
    if named:
        return named[0]
    after, before = _both(shown, zone)
    while before - after > timedelta(seconds=1):
        middle = after + (before - after) // 2
        if middle.astimezone(zone).replace(tzinfo=None) < shown:
            after = middle
        else:
            before = middle
    return before.replace(microsecond=0)


def _both(shown: datetime, zone: ZoneInfo) -> list[datetime]:
    """Read a clock by the offset before a change and by the one after it; sorted, and one where they are the same."""
    offsets = {zone.utcoffset(shown.replace(tzinfo=zone, fold=fold)) or timedelta() for fold in (0, 1)}
    return sorted((shown - offset).replace(tzinfo=UTC) for offset in offsets)
