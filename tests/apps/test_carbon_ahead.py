"""The grid's carbon is foreseen from what had been published as each day began, and from nothing that came later."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from test_book_made import gathered

from commonwatt.adapters.stores.feed_archive import FeedArchive
from commonwatt.apps.feed_terms import Outside, Terms
from commonwatt.apps.gathering import CarbonDays, Gathered
from commonwatt.apps.priced import carbon, carbon_days
from commonwatt.flows.feeds.ports import FeedState
from commonwatt.flows.feeds.series import Issue, Topic, What
from commonwatt.forecasting.days import from_day, starts_s
from commonwatt.forecasting.foresee import AHEAD
from commonwatt.forecasting.foresee_prices import CORRECTED
from commonwatt.model import epoch

pytestmark = [pytest.mark.row("X9"), pytest.mark.row("H8")]
GB, PAST = Topic(What.CARBON, "GB"), Topic(What.CARBON, "GB", measured=True)
FEEDS = {"carbon": "GB", "feed": [{"name": "grid", "source": "gb_carbon", "place": "GB"}]}
DAYS, HOUR_S = 30, 3_600


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(msgspec.convert(FEEDS, Terms), FeedArchive(tmp_path))


def lived(clock: ZoneInfo | None = None) -> Gathered:
    """Return a street that has lived a month; with a clock, over its days' end of summer time."""
    told = gathered(DAYS)
    if clock is None:
        return told
    days = from_day((datetime(2026, 11, 1, tzinfo=UTC) - timedelta(DAYS)).date(), DAYS + 1)
    slots = starts_s([*days, days[-1] + timedelta(1)], clock)
    return replace(told, clock=clock, days=days, today=days[-1], starts_s=slots)


def issue(heard_s: int, start_s: int, value: int, topic: Topic = GB, slots: int = 100) -> Issue:
    return Issue(
        topic=topic, source="gb_carbon", licence="free", issued_s=None, heard_s=heard_s, start_s=start_s, step_s=900,
        values=(value,) * slots,
    )  # fmt: skip


def level(day: int) -> int:
    """Return what is published of a day, mg a kWh: no day is like those around it."""
    return 150_000 + 20_000 * (day * 7 % 5)


def keep(outside: Outside, told: Gathered) -> None:
    """Publish too little by 30 g, each day before it begins and the next with it, and what came a day later."""
    for day in range(len(told.days)):
        begins_s = int(told.starts_s[day, 0])
        after_s = int(told.starts_s[day + 1, 0])
        outside.archive.keep(FeedState(name="any"), [issue(begins_s - HOUR_S, begins_s, level(day))])
        outside.archive.keep(FeedState(name="any"), [issue(begins_s - HOUR_S + 1, after_s, level(day + 1) + 1)])
        outside.archive.keep(FeedState(name="any"), [issue(begins_s + HOUR_S, begins_s, 999_999, slots=96)])  # too late
        if day < len(told.days) - 1:
            outside.archive.keep(FeedState(name="any"), [issue(after_s, begins_s, level(day) + 30_000, PAST)])


def days_of(outside: Outside, told: Gathered) -> CarbonDays:
    steps = carbon_days(outside, told)
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            assert isinstance(ended.value, CarbonDays)
            return ended.value


@pytest.mark.parametrize("clock", [None, ZoneInfo("Europe/London")])
def test_each_day_is_known_as_it_was_before_it_began_also_where_clocks_change(
    outside: Outside, clock: ZoneInfo | None
) -> None:
    told = lived(clock)
    keep(outside, told)
    found = days_of(outside, told)
    assert found.told.shape == (DAYS + 1, 96) == found.next_told.shape and found.came.shape == (DAYS, 96)
    for day in range(DAYS + 1):
        assert (found.told[day, :92] == level(day)).all() and (found.next_told[day, :90] == level(day + 1) + 1).all()
    assert (found.came[:, :90] == np.array([[level(day) + 30_000] for day in range(DAYS)])).all()


def test_a_publisher_who_is_always_too_low_is_corrected(outside: Outside) -> None:
    told = lived()
    keep(outside, told)
    book = carbon(replace(told, carbon=days_of(outside, told)))
    assert book is not None and book.model == CORRECTED
    assert np.abs(book.quantiles_wh[5, -AHEAD] - level(DAYS) - 30_000).max() < 5_000


def test_where_nothing_was_published_nothing_is_foreseen(outside: Outside) -> None:
    told = lived()
    assert carbon(told) is None
    assert carbon(replace(told, carbon=days_of(outside, told))) is None
    assert epoch(datetime(2026, 6, 21, tzinfo=UTC)) > int(told.starts_s[0, 0])
