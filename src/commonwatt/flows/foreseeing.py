"""What plans expect of homes and roofs: the fading seasonal forecast, or for each what did better of late."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.choice import WEEK, Choice
from commonwatt.forecasting.days import from_day, holidays_in, kinds, starts_s
from commonwatt.forecasting.foresee import AHEAD, LEARN_EVERY, LEAST_DAYS, Foretold, Past, loads, roofs, together
from commonwatt.forecasting.futures import futures
from commonwatt.forecasting.outlooks import PeakRisk, peak_risks
from commonwatt.forecasting.seasonal import SURPRISE_HALVES_EVERY, corrected_naive
from commonwatt.forecasting.sun import Place, darkness, towards
from commonwatt.model import LEVELS_PERMILLE, SLOT_SECONDS, SLOTS_PER_DAY, AssetId, Interval, epoch, instant

Forecasts = Literal["naive", "chosen"]
"""What plans go by, as a street's file says it: `naive` or `Chosen`."""
Histories = Mapping[AssetId, tuple[int, ...]]
Floats = NDArray[np.float64]
NOTHING_LEARNT: Mapping[AssetId, Choice] = {}
FADE = 0.5 ** (1 / SURPRISE_HALVES_EVERY)
"""What a slot keeps of the surprise of the one before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a forecast may look at.

    Args:
        now: Start of the first slot that is asked about; all histories end here.
        clock: By which people live.
        load_wh: Past load per home, slot by slot, oldest first.
        solar_wh: Past generation of each home's roof, behind the same connection.
        asked: When a home was asked to use more or less than it would, seconds since 1970: nothing is learnt from that.
    """

    now: datetime
    clock: ZoneInfo
    load_wh: Histories
    solar_wh: Histories
    asked: Mapping[AssetId, tuple[tuple[int, int], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is expected of each home and roof, Wh a slot from now on."""

    load_wh: Histories
    solar_wh: Histories


class Foresee(Protocol):
    """Expects so many slots from what is known."""

    def __call__(self, known: Known, slots: int) -> Expected:
        """Return what is expected."""


def naive(known: Known, slots: int) -> Expected:
    """Expect the mean of the last seven days, corrected by the latest surprise, which fades."""
    return Expected(
        load_wh={name: tuple(corrected_naive(past, slots)) for name, past in known.load_wh.items()},
        solar_wh={name: tuple(corrected_naive(past, slots)) for name, past in known.solar_wh.items()},
    )


def as_it_was(known: Known, slots: int) -> Expected:
    """Expect what came: for a trial on a past day, whose histories are of that day itself."""
    return Expected(
        load_wh={name: told[:slots] for name, told in known.load_wh.items()},
        solar_wh={name: told[:slots] for name, told in known.solar_wh.items()},
    )


@dataclass(frozen=True, slots=True)
class _Day:
    """What was expected at the start of a local day: by which model, and by when each of its slots begins."""

    midnight_s: int
    names: tuple[AssetId, ...]
    wh: Mapping[AssetId, Mapping[int, float]]
    choices: Mapping[AssetId, Choice]
    slots_s: NDArray[np.int64]
    together: Foretold


class Chosen:
    """Expects by the learnt model where that lost to no baseline over the last week, home by home, else by the best.

    What is learnt is learnt once a local day, from whole days before it, so that a run that was killed expects the same
    when it goes on. The latest surprise corrects a learnt forecast just as the seasonal one.

    Args:
        place: Where the roofs are; None, and nobody knows how the days grow.
    """

    def __init__(self, place: Place | None) -> None:
        self._place = place
        self._day: _Day | None = None

    @property
    def choices(self) -> Mapping[AssetId, Choice]:
        """Return what was chosen for the day that was last asked about, and why, series by series."""
        return NOTHING_LEARNT if self._day is None else self._day.choices

    def __call__(self, known: Known, slots: int) -> Expected:
        """Return what is expected; a new local day is learnt for first, which takes seconds."""
        told = self._today(known).wh
        rest = naive(
            Known(
                now=known.now,
                clock=known.clock,
                load_wh={name: past for name, past in known.load_wh.items() if name not in told},
                solar_wh={name: past for name, past in known.solar_wh.items() if name not in told},
            ),
            slots,
        )
        now_s = epoch(known.now)

        def each(histories: Histories, plain: Histories) -> Histories:
            return {
                name: _surprised(told[name], past, now_s, slots) if name in told else plain[name]
                for name, past in histories.items()
            }

        return Expected(load_wh=each(known.load_wh, rest.load_wh), solar_wh=each(known.solar_wh, rest.solar_wh))

    def peaks(self, known: Known, limits_w: Sequence[int | None]) -> list[tuple[Interval, PeakRisk]]:
        """Return when all homes together, less their roofs, may draw more than a limit, and what keeps them from it.

        Args:
            known: What is known.
            limits_w: Of each slot from now on, None where there is none.
        """
        day, now_s = self._today(known), epoch(known.now)
        rows = day.together.quantiles_wh[:, -AHEAD:].reshape(len(LEVELS_PERMILLE), -1)
        ahead = (day.slots_s >= now_s) & (day.slots_s < now_s + len(limits_w) * SLOT_SECONDS)
        times = day.slots_s[ahead]
        most = [limits_w[(int(slot_s) - now_s) // SLOT_SECONDS] for slot_s in times]
        drawn = futures([day.together], day.midnight_s)
        soon = None if drawn is None else drawn[:, 0][:, ahead[: drawn.shape[2]]]
        return [
            (Interval(instant(int(times[one.start])), instant(int(times[one.end - 1]) + SLOT_SECONDS)), one)
            for one in peak_risks(rows[:, ahead], most, soon)
        ]

    def _today(self, known: Known) -> _Day:
        """Return what was learnt for the local day, and learn it first where it is new."""
        today = known.now.astimezone(known.clock).date()
        midnight_s = epoch(datetime(today.year, today.month, today.day, tzinfo=known.clock))
        names = (*known.load_wh, *known.solar_wh)
        if self._day is None or (self._day.midnight_s, self._day.names) != (midnight_s, names):
            self._day = _learn(known, today, midnight_s, names, self._place)
        return self._day


def _surprised(told: Mapping[int, float], past: tuple[int, ...], now_s: int, slots: int) -> tuple[int, ...]:
    """Return what was told at midnight from now on, corrected by what the last slot brought beyond it."""
    expected, last = [], 0.0
    for at in range(slots):
        # The hour that clocks repeat is in nobody's day: what came before stands for it.
        last = told.get(now_s + at * SLOT_SECONDS, last)
        expected.append(last)
    before = told.get(now_s - SLOT_SECONDS)
    surprise = past[-1] - before if past and before is not None else 0.0
    return tuple(max(0, round(wh + surprise * FADE**ahead)) for ahead, wh in enumerate(expected))


def _learn(known: Known, today: date, midnight_s: int, names: tuple[AssetId, ...], place: Place | None) -> _Day:
    longest = max((len(past) for past in (*known.load_wh.values(), *known.solar_wh.values())), default=0)
    began_s = epoch(known.now) - longest * SLOT_SECONDS
    count = max(0, (midnight_s - began_s) // (SLOTS_PER_DAY * SLOT_SECONDS))
    days = from_day(today - timedelta(days=count), count + AHEAD)
    slots = starts_s(days, known.clock)
    rows = (slots[:count] - epoch(known.now)) // SLOT_SECONDS
    load = _aligned(known.load_wh, rows, len(known.solar_wh))
    for at, name in enumerate(known.load_wh):
        load[at] = unasked(load[at], slots[:count], known.asked.get(name, ()))
    told = past_of(
        load,
        _aligned(known.solar_wh, rows, len(known.load_wh)),
        days,
        known.clock,
        place,
    )
    first = max(LEAST_DAYS, count - LEARN_EVERY)
    found = {
        **_by_name(loads(told, tuple(known.load_wh), first)),
        **_by_name(roofs(told, tuple(known.solar_wh), first)),
    }
    wh = {
        name: dict(zip(slots[count:].ravel().tolist(), one.ahead_wh().ravel().tolist(), strict=True))
        for name, one in found.items()
        # The mean of seven days needs no telling: `naive` is that, and knows today's readings as well.
        if one.choice.used or one.choice.baseline != WEEK
    }
    choices = {name: one.choice for name, one in found.items()}
    every = together(told, range(len(known.load_wh)), "community", first)
    return _Day(midnight_s, names, wh, choices, slots[count:].ravel(), every)


def unasked(wh: Floats, starts_s: NDArray[np.int64], asked: Sequence[tuple[int, int]]) -> Floats:
    """Return what a home used of itself: not a number in slots in which it was asked for something else.

    Args:
        wh: (days, slots).
        starts_s: When each begins, alike.
        asked: From when to when, seconds since 1970.
    """
    for start_s, end_s in asked:
        wh = np.where((starts_s >= start_s) & (starts_s < end_s), np.nan, wh)
    return wh


def past_of(
    load_wh: list[Floats], solar_wh: list[Floats], days: list[date], clock: ZoneInfo, place: Place | None
) -> Past:
    """Return a past of whole days under its calendar.

    Args:
        load_wh: Of each home (days, slots), all of the days but the last `AHEAD`.
        solar_wh: Of each home's roof, likewise.
        days: The days, and the next.
        clock: By which people live.
        place: None where nobody told.
    """
    count = len(days) - AHEAD
    if place is None:
        dark, sun = np.zeros((len(days), SLOTS_PER_DAY), np.float32), np.zeros((len(days), SLOTS_PER_DAY, 3))
    else:
        at = place.latitude, place.longitude, clock
        dark, sun = darkness(days, SLOTS_PER_DAY, *at), towards(days, SLOTS_PER_DAY, *at)
    shape = len(load_wh), count, SLOTS_PER_DAY
    return Past(
        np.array(load_wh, np.float64).reshape(shape),
        np.array(solar_wh, np.float64).reshape(shape),
        kinds(days, holidays_in("" if place is None else place.region, days)),
        dark,
        sun,
    )


def _rows(past: tuple[int, ...], back: NDArray[np.int64]) -> Floats:
    """Return values by how many slots before the end they lie; not a number where the past begins later."""
    values = np.array(past, np.float64)
    place = len(values) + back
    inside = (place >= 0) & (place < len(values))
    found: Floats = np.where(inside, values[np.clip(place, 0, max(len(values) - 1, 0))] if len(values) else 0, np.nan)
    return found


def _aligned(histories: Histories, back: NDArray[np.int64], least: int) -> list[Floats]:
    """Return a row a history, and empty ones where there are fewer than of the other kind."""
    found = [_rows(past, back) for past in histories.values()]
    return found + [np.full(back.shape, np.nan)] * (least - len(found))


def _by_name(found: list[Foretold]) -> dict[AssetId, Foretold]:
    return {AssetId(one.series): one for one in found}
