"""Foresee a community from its log and from what members brought along: once a local day, in a thread aside."""

import asyncio
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from commonwatt.adapters.stores.chronicle import Chronicle
from commonwatt.adapters.stores.issued import IssuedFile
from commonwatt.apps import priced
from commonwatt.apps.faults import NOTHING_KNOWN, Answers, Known, followed, known
from commonwatt.apps.feed_terms import Outside
from commonwatt.apps.gathering import MOST_DAYS, Gathered, gathering
from commonwatt.apps.oversight import Alarm, alarms, decisions
from commonwatt.apps.warming import Warming, drawn_wh, warming
from commonwatt.flows.brought import Brought
from commonwatt.flows.foreseeing import past_of
from commonwatt.flows.issued import CARBON, COMMUNITY, EXPORT, LOCAL, OF_NO_HOME, PRICE, Issued, as_told, issued
from commonwatt.flows.rulebook import State
from commonwatt.forecasting.days import WORKDAY, from_day, holidays_in, kinds
from commonwatt.forecasting.foresee import AHEAD, MOST_SCORED, Foretold, Past, loads, roofs, together
from commonwatt.forecasting.habits import Departure, Habit, habits
from commonwatt.forecasting.parked import CarCard, Fleet, card
from commonwatt.model import (
    AccountId,
    AssetId,
    AssetKind,
    CommonwattError,
    Corrupt,
    InvalidValue,
    Refused,
    instant,
    zone_of,
)

_log = logging.getLogger(__name__)
T = TypeVar("T")
KEPT_WARM_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 60.0, 3_600.0
"""Before what failed is made again for nobody: making it takes seconds of a core."""
MOST_HOMES = 200
"""Homes up to which an app foresees its community: of more, a day's book would take minutes and much memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What is foreseen for a local day and the next, as of its first instant, and how good it was before.

    Args:
        issued_s: Start of the local day; nothing after it was looked at.
        starts_s: When each slot of the days that were gathered, of today and of those ahead begins: (days, slots).
        loads: Of each member's home, its heat pumps left out.
        roofs: Of each member's roof.
        heat: Of each heat pump, by the member whose it is.
        zones: Of each zone's homes together with their heat pumps, roofs taken off; batteries and cars are planned, not
            foreseen.
        community: Of all of them.
        sun: Of all roofs.
        price: The import price, micro per kWh.
        export: The export price.
        local: What a kWh costs among neighbours.
        carbon: What a kWh of the grid stands for, mg.
        fleet: Whole stays of all cars.
        cars: How good forecasts of each car's stays were.
        habits: Of each car.
        alarms: What ails devices, the costliest first.
        decisions: What yesterday's plan lost to the errors of its forecast, micro, by member; see `flows.decision`.
    """

    issued_s: int
    starts_s: NDArray[np.int64]
    loads: Mapping[AccountId, Foretold] = field(default_factory=dict)
    roofs: Mapping[AccountId, Foretold] = field(default_factory=dict)
    heat: Warming = field(default_factory=dict)
    zones: Mapping[str, Foretold] = field(default_factory=dict)
    community: Foretold | None = None
    sun: Foretold | None = None
    price: Foretold | None = None
    export: Foretold | None = None
    local: Foretold | None = None
    carbon: Foretold | None = None
    fleet: Fleet | None = None
    cars: Mapping[AssetId, CarCard] = field(default_factory=dict)
    habits: Mapping[AssetId, tuple[Habit, ...]] = field(default_factory=dict)
    alarms: Sequence[Alarm] = ()
    decisions: Mapping[AccountId, int] = field(default_factory=dict)


class Foresight:
    """Keeps the book of the day; of the loop that asks.

    Args:
        brought: What the community began with.
        folder: Where it is kept which faults stand.
        issued: Where what is issued is kept.
        answers: What owners said of faults.
    """

    def __init__(self, brought: Brought, folder: Path, issued: IssuedFile, answers: Answers) -> None:
        self._brought, self._folder, self._issued, self._answers = brought, folder, issued, answers
        self._made: tuple[_Key, asyncio.Future[Book]] | None = None

    async def book(self, state: State, chronicle: Chronicle, now_s: int, outside: Outside | None = None) -> Book:
        """Return the book of the local day; who asks first on a day waits for it to be made, all others with them.

        Args:
            state: With the assets.
            chronicle: With what their meters told.
            now_s: The log's time.
            outside: What feeds told, where any are asked.
        """
        key = _key(state, now_s)
        if len(key[1]) > MOST_HOMES:
            raise Refused("forecasts are made for so many homes", most=MOST_HOMES, found=len(key[1]))
        if self._made is None or self._made[0] != key:
            self._made = key, asyncio.ensure_future(self._make(state, chronicle, now_s, outside))
        made = self._made[1]
        try:
            return await asyncio.shield(made)
        except Exception:
            if self._made is not None and self._made[1] is made:
                self._made = None  # what failed may go right for who asks next
            raise

    async def _make(self, state: State, chronicle: Chronicle, now_s: int, outside: Outside | None) -> Book:
        outdoor = None if outside is None else outside.outdoor_mc
        told = await _in_steps(gathering(state, chronicle, self._brought, now_s, outdoor))
        if outside is not None and outside.carbon_place is not None:
            told = replace(told, carbon=await _in_steps(priced.carbon_days(outside, told)))
        return await asyncio.to_thread(self._issue, told)

    def _issue(self, told: Gathered) -> Book:
        """Return the book of what was gathered, kept as it is issued; a disk that is full keeps nobody from it."""
        before = known(self._folder, self._answers)
        book = look(told, before)
        book = replace(book, alarms=followed(book.alarms, self._folder, before, book.issued_s))
        try:
            self._issued.keep(issues(book))
        except (OSError, Corrupt) as error:
            _log.warning("what is forecast is not kept: %s", error)
        try:
            return as_issued(book, self._issued.between(scored_since_s(book), whole_from_s=book.issued_s))
        except (OSError, Corrupt) as error:
            _log.warning("days are told as they would be now, not as they were: %s", error)
            return book

    async def keep_warm(
        self,
        state: Callable[[], State],
        chronicle: Chronicle,
        now_s: Callable[[], int],
        outside: Outside | None = None,
    ) -> None:
        """Make the book of each day as it begins, so that nobody waits for it; until cancelled.

        A book that failed is made again after a minute, then after twice as long, up to an hour; the next one at once.
        """
        failed: _Key | None = None
        rest_s = pause_s = 0.0
        while True:
            key = _key(state(), now_s())
            if key != failed or rest_s <= 0:
                try:
                    await self.book(state(), chronicle, now_s(), outside)
                    failed = None
                except Exception as error:
                    pause_s = FIRST_PAUSE_S if key != failed else min(2 * pause_s, LONGEST_PAUSE_S)
                    failed, rest_s = key, pause_s
                    foreseen = isinstance(error, CommonwattError)
                    _log.warning("forecasts are made later: %s", error, exc_info=None if foreseen else error)
            await asyncio.sleep(KEPT_WARM_S)
            rest_s -= KEPT_WARM_S

    @property
    def latest(self) -> Book | None:
        """Return the book that was made last, where nobody has to wait for it."""
        made = None if self._made is None else self._made[1]
        return made.result() if made is not None and made.done() and made.exception() is None else None


async def _in_steps(steps: Generator[None, None, T]) -> T:
    """Return what short steps come to, between which others are answered."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            found: T = ended.value
            return found
        await asyncio.sleep(0)


_Key = tuple[date, frozenset[AssetId]]


def _key(state: State, now_s: int) -> _Key:
    """Return what a book is of: a local day, and the homes of it."""
    homes = frozenset(one.id for one in state.assets.values() if one.kind is AssetKind.CONNECTION)
    return instant(now_s).astimezone(zone_of(state.charter.timezone)).date(), homes


def look(told: Gathered, before: Known = NOTHING_KNOWN) -> Book:
    """Return the book of what was gathered; it takes seconds, and looks at whole days alone.

    Args:
        told: What was gathered.
        before: Which faults are known.
    """
    count = len(told.days) - 1
    names = tuple(told.homes)
    days = [*told.days, *from_day(told.today + timedelta(days=1), AHEAD - 1)]
    past = past_of(list(told.load_wh[:, :count]), list(told.solar_wh[:, :count]), days, told.clock, told.brought.place)
    first = max(0, count - MOST_SCORED)
    zones = {zone: [at for at, own in enumerate(told.zone) if own == zone] for zone in dict.fromkeys(told.zone)}
    homes = {AccountId(one.series): one for one in loads(past, names, first)} if names else {}
    heat = warming(told, first)
    whole = replace(past, load_wh=past.load_wh + drawn_wh(told)[:, :count]) if heat else past
    yielding = {AccountId(one.series): one for one in roofs(past, names, first)} if names else {}
    fleet = Fleet(clock=told.clock, region=told.region, stays=told.stays)
    return Book(
        issued_s=int(told.starts_s[count, 0]),
        starts_s=told.starts_s,
        loads=homes,
        roofs=yielding,
        heat=heat,
        zones={zone: together(whole, rows, zone, first) for zone, rows in zones.items()},
        community=together(whole, range(len(names)), "community", first) if names else None,
        sun=_sun(past, first),
        price=priced.bought(told),
        export=priced.sold(told),
        local=priced.among_neighbours(told),
        carbon=priced.carbon(told),
        fleet=fleet,
        cars={car: one for car in fleet.stays if (one := card(fleet, car)) is not None},
        habits={asset: tuple(_habits(told.today, found, told.region)) for asset, found in told.departures.items()},
        alarms=alarms(told, before.roofs(one.asset for one in told.meters.values())),
        decisions=decisions(told, homes, yielding, heat),
    )


def issues(book: Book) -> list[Issued]:
    """Return what a book tells of every series from today on, to be kept."""
    found, homes = list[Issued](), _homes(book)

    def kept(of: str, owner: str, told: Foretold) -> Foretold:
        of_sum = homes if owner == COMMUNITY and of not in OF_NO_HOME else ""
        try:
            found.append(issued(of, owner, told, book.issued_s, of_sum, book.starts_s))
        except InvalidValue as error:
            _log.warning("what is forecast of %s %s is not kept: %s", of, told.series, error)
        return told

    _each(book, kept)
    return found


def scored_since_s(book: Book) -> int:
    """Return when the first day began of which any series is told as it was."""
    days = [AHEAD]

    def told(_of: str, _owner: str, one: Foretold) -> Foretold:
        days.append(len(one.expected_wh))
        return one

    _each(book, told)
    return int(book.starts_s[-min(max(days), len(book.starts_s)), 0])


def as_issued(book: Book, before: Sequence[Issued]) -> Book:
    """Return a book whose days are told as they were told then, as far as that is kept, with a card of how good it was.

    A sum of other homes than today's is another series.
    """
    homes = _homes(book)
    by_series = dict[tuple[str, str, str], list[Issued]]()
    for one in before:
        if not one.homes or one.homes == homes:
            by_series.setdefault((one.of, one.owner, one.series), []).append(one)
    return _each(
        book, lambda of, owner, told: as_told(told, book.starts_s, by_series.get((of, owner, told.series), []))
    )


def _each(book: Book, change: Callable[[str, str, Foretold], Foretold]) -> Book:
    """Return a book with each of its series changed, by what it is and whose."""

    def common(of: str, told: Foretold | None) -> Foretold | None:
        return None if told is None else change(of, COMMUNITY, told)

    return replace(
        book,
        loads={owner: change("load", owner, told) for owner, told in book.loads.items()},
        roofs={owner: change("solar", owner, told) for owner, told in book.roofs.items()},
        heat={owner: tuple(change("heat", owner, one) for one in told) for owner, told in book.heat.items()},
        zones={zone: change("net", COMMUNITY, told) for zone, told in book.zones.items()},
        community=common("net", book.community),
        sun=common("solar", book.sun),
        price=common(PRICE, book.price),
        export=common(EXPORT, book.export),
        local=common(LOCAL, book.local),
        carbon=common(CARBON, book.carbon),
    )


def _homes(book: Book) -> str:
    return sha256("\n".join(sorted(book.loads)).encode()).hexdigest()[:16]


def _sun(past: Past, first: int) -> Foretold | None:
    """Return what all roofs yield together; None where there is none."""
    have = np.flatnonzero(~np.isnan(past.solar_wh).all((1, 2)))
    if not len(have):
        return None
    whole = replace(past, load_wh=past.load_wh[:1], solar_wh=past.solar_wh[have].sum(0, keepdims=True))
    return next(iter(roofs(whole, ("solar",), first)), None)


def _habits(today: date, departures: Sequence[Departure], region: str = "") -> list[Habit]:
    """Return what recurs lately: who left otherwise two years ago lives otherwise now."""
    lately = [one for one in departures if one.day >= today.toordinal() - MOST_DAYS]
    if not lately:
        return []
    first = date.fromordinal(min(one.day for one in lately))
    days = from_day(first, max(1, (today - first).days))
    off = int((kinds(days, holidays_in(region, days)) > WORKDAY).sum())
    return habits(lately, len(days) - off, off)
