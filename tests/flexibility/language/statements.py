"""Any constraint, once or repeating, of every quantity and reach, through clock changes of odd zones."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from commonwatt.model import (
    AT_AN_INSTANT,
    EVERY_DAY,
    MINUTES_PER_DAY,
    Constraint,
    Interval,
    Priority,
    Quantity,
    Reach,
    Relation,
    Repeating,
)
from commonwatt.model.constraint import MOST, SIGNED

ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/London",
        "UTC",
        "America/New_York",
        "Australia/Lord_Howe",  # half an hour in summer
        "Asia/Kathmandu",  # 05:45 ahead
        "America/Havana",  # midnight comes twice
        "Asia/Beirut",  # midnight is jumped over
        "Pacific/Apia",  # a day is jumped over
        "Africa/Monrovia",  # seconds off the minute until 1972
    )
]
CHANGES = [
    datetime(*when, tzinfo=UTC)
    for when in (
        (2018, 3, 25, 1),
        (2018, 10, 28, 1),
        (2018, 3, 11, 7),
        (2018, 11, 4, 6),
        (2018, 4, 7, 15),
        (2018, 11, 4, 5),
        (2018, 3, 24, 22),
        (2011, 12, 30, 10),
        (1972, 1, 7, 0, 44, 30),
    )
]
"""The clocks of each of these zones change at one of them."""
NAMES = st.one_of(
    st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,8}\Z"),
    st.sampled_from(["zone", "community", "from", "at", "every", ""]),
    st.text(max_size=8),
)
SOON = st.builds(
    lambda change, minutes: change + timedelta(minutes=minutes), st.sampled_from(CHANGES), st.integers(-300, 300)
)
MOMENTS = st.one_of(
    SOON, st.integers(0, 60 * 366 * 24 * 60).map(lambda minute: datetime(1970, 1, 1, tzinfo=UTC) + minute * MINUTE)
)
MINUTE = timedelta(minutes=1)


@st.composite
def claims(draw: st.DrawFn, quantity: Quantity) -> dict[str, object]:
    reach = draw(st.sampled_from(Reach))
    most = 100 if quantity is Quantity.CHARGE else MOST
    least = 0 if quantity not in SIGNED else -MOST
    if quantity is Quantity.TEMPERATURE:
        least = -273_150
    scope = draw(st.lists(NAMES, min_size=1, max_size=3))
    return {
        "quantity": quantity,
        "reach": reach,
        "scope": () if reach is Reach.COMMUNITY else tuple(scope),
        "relation": draw(st.sampled_from(Relation)),
        "value": draw(st.one_of(st.integers(least, most), st.integers(0, most // 1000).map(lambda v: v * 1000 % most))),
        "priority": draw(st.sampled_from(Priority)),
    }


@st.composite
def constraints(draw: st.DrawFn) -> Constraint:
    quantity = draw(st.sampled_from(Quantity))
    start = draw(MOMENTS)
    lasts = draw(st.one_of(st.integers(1, 26 * 60), st.integers(1, 10**6)))
    end = draw(st.one_of(st.just(start + lasts * MINUTE), SOON.filter(lambda moment: moment > start)))
    told: dict[str, object] = {"window": Interval(start, end)}
    if quantity in AT_AN_INSTANT:
        told = {"at": start}
    return Constraint(**draw(claims(quantity)), **told)  # type: ignore[arg-type]


@st.composite
def repeatings(draw: st.DrawFn) -> Repeating:
    quantity = draw(st.sampled_from(Quantity))
    instant = quantity in AT_AN_INSTANT
    start = draw(st.integers(0, MINUTES_PER_DAY if instant else MINUTES_PER_DAY - 1))
    first = draw(st.dates(date(1970, 1, 1), date(2037, 12, 24)))
    last = draw(st.one_of(st.none(), st.integers(6, 5_000).map(lambda days: first + timedelta(days=days))))
    days = draw(st.sets(st.sampled_from(EVERY_DAY), min_size=1))
    return Repeating(
        **draw(claims(quantity)),  # type: ignore[arg-type]
        start_minute=start,
        end_minute=None if instant else start + draw(st.integers(1, MINUTES_PER_DAY)),
        weekdays=tuple(sorted(days)),
        first=first,
        last=last,
        zone=draw(st.sampled_from(ZONES)).key,
    )
