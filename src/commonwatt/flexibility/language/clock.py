"""Clock times as they stand in a sentence: which instant each names, and how an instant is written."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from commonwatt.model import InvalidValue, moment, moments

DAY_END = "24:00"
NTH = ("(first)", "(second)")
"""Which of two, where clocks go back over a time."""


def resolve(clock: str, nth: str | None, day: date, zone: ZoneInfo) -> datetime:
    """Return the UTC instant of a clock time on a day; of two the first, where nothing else is said.

    The end of a day, 24:00, is where the next one begins, also where its first hour is jumped over.

    Raises:
        InvalidValue: The clock does not show this time on that day, or only once where one of two is meant.
    """
    shown = shown_at(clock, day)
    named = moments(shown, zone)
    if nth is not None:
        if len(named) < len(NTH):
            raise InvalidValue(f"{clock} does not come twice on {day} in {zone.key}")
        return named[NTH.index(nth)]
    if not named and clock != DAY_END:
        after = moment(shown, zone).astimezone(zone)
        raise InvalidValue(f"clocks in {zone.key} jump over {clock} on {day}: the next time they show is {after:%H:%M}")
    return named[0] if named else moment(shown, zone)


def shown_at(clock: str, day: date) -> datetime:
    """Return what a clock shows, date included; 24:00 is midnight of the day after.

    Raises:
        InvalidValue: The calendar ends before.
    """
    try:
        return datetime.combine(day, time()) + timedelta(seconds=_seconds(clock))
    except OverflowError as error:
        raise InvalidValue(f"the calendar ends before {clock} on {day}") from error


def minute_of(clock: str) -> int:
    """Return the minutes after midnight of a clock time, 1440 for 24:00.

    Raises:
        InvalidValue: It has seconds.
    """
    minute, seconds = divmod(_seconds(clock), 60)
    if seconds:
        raise InvalidValue(f"what repeats does so on whole minutes, was {clock}")
    return minute


def written(at: datetime, zone: ZoneInfo) -> tuple[str, str | None, date]:
    """Return an instant as clock time, which of two if there are two, and day.

    Raises:
        InvalidValue: It is not on a whole second, or the zone's calendar ends before.
    """
    if at.microsecond:
        raise InvalidValue(f"a sentence tells whole seconds, was {at.isoformat()}")
    try:
        local = at.astimezone(zone).replace(tzinfo=None, fold=0)
    except OverflowError as error:
        raise InvalidValue(f"the calendar ends at {at}") from error
    named = moments(local, zone)
    nth = None if len(named) == 1 else NTH[named.index(at)]
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}", nth, local.date()


def _seconds(clock: str) -> int:
    hour, minute, *second = map(int, clock.split(":"))
    return (hour * 60 + minute) * 60 + sum(second)
