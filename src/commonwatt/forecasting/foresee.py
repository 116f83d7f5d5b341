"""Foresee homes, roofs and sums of them: the last days as they would have been forecast, today, and the next six."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting import community, solar
from commonwatt.forecasting.choice import BASELINES, MONTH, WEEK, WEEK_DAYS, Choice, choose, week_mean
from commonwatt.forecasting.daily_bands import Rolled, around
from commonwatt.forecasting.leads import LAST_DAY, NEXT_SLOT, best, late_card, slot_card
from commonwatt.forecasting.load import CALIBRATION_DAYS, MOST_LEAD, LoadModel, Panel, fit
from commonwatt.forecasting.score import ScoreCard, score_card
from commonwatt.model import LEVELS_PERMILLE, InvalidValue

Floats = NDArray[np.float64]
LEAST_DAYS = CALIBRATION_DAYS + 3
"""Days before the first that is forecast by what was learnt."""
LEARN_EVERY = 7
FIRST_PLAIN = 3
"""Days after which the baseline was off often enough to say how far it is."""
AHEAD = MOST_LEAD
"""Today and the next six days; a plan of 24 hours looks at two of them wherever in the day it begins."""
SOON = 2
"""Today and tomorrow: what people are shown and warned of where they do not ask for more."""
LATE_ORIGINS = 10
"""On how many of the last days it is asked what a day after tomorrow brings, to know how far that is off."""
TREES, EXPERTS, ALIKE = "global trees", "five experts", "days alike"
MOST_SCORED = 14
"""Days that are scored where there are so many."""


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What was measured in some homes over whole days, and what calendar and sun say of them and of the next week.

    Args:
        load_wh: (homes, days, slots) Wh, oldest first; not a number where nobody measured.
        solar_wh: Likewise; of a home without a roof never a number.
        kinds: Of each day, as `days.kinds` tells.
        dark: (days, slots), as `sun.darkness` tells; zeros where nobody told the place.
        sun: (days, slots, 3), as `sun.towards` tells; likewise.

    Raises:
        InvalidValue: Shapes differ, or the calendar does not hold the `AHEAD` days after the last.
    """

    load_wh: Floats
    solar_wh: Floats
    kinds: NDArray[np.int8]
    dark: NDArray[np.float32]
    sun: Floats

    def __post_init__(self) -> None:
        homes, days, slots = self.load_wh.shape
        told = len(self.kinds)
        fits = self.solar_wh.shape == (homes, days, slots) and self.dark.shape == (told, slots)
        if not fits or self.sun.shape != (told, slots, 3) or told < days + AHEAD:
            raise InvalidValue(
                f"a past has homes, days and slots under one calendar of {AHEAD} more days, was {self.load_wh.shape}, "
                f"{self.solar_wh.shape} under {self.dark.shape}, {self.sun.shape}"
            )

    @property
    def days(self) -> int:
        """Return how many whole days were measured."""
        return int(self.load_wh.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Foretold:
    """One series as it would have been forecast on each of the last days, each from those before it, and from now on.

    Args:
        series: What it is.
        model: By what it is forecast where that is used.
        first: The first of these days, counted in the past; it is followed by all others, today and the days ahead.
        quantiles_wh: What is told: (levels, days, slots), levels as `LEVELS_PERMILLE`; of the baseline where that is
            used. Without a past to be off on, all levels are one.
        expected_wh: The mean of what is told: (days, slots).
        measured_wh: (days, slots); not a number from today on.
        choice: Whether the model is used from now on, and why.
        card: How good it was; none where nothing was scored.
        chosen_wh: What each day would have been planned with: as `expected_wh`, but each day by what was chosen before
            it came.
        plain_wh: What each baseline says of the same days, by name: (days, slots).
        leads: How good it was at other leads than the day: `leads.NEXT_SLOT`, `leads.LAST_DAY`.
        today_wh: What today was expected to bring by what is best a slot ahead, to be corrected by the last surprise.
        told: How good what was issued on these days was, where that is kept; see `flows.issued`.
    """

    series: str
    model: str
    first: int
    quantiles_wh: Floats
    expected_wh: Floats
    measured_wh: Floats
    choice: Choice
    card: ScoreCard | None
    chosen_wh: Floats
    plain_wh: Mapping[str, Floats]
    leads: Mapping[str, ScoreCard] = field(default_factory=dict)
    today_wh: Floats | None = None
    told: ScoreCard | None = None

    def ahead_wh(self) -> Floats:
        """Return what is planned with, today and the days ahead: (days, slots)."""
        return self.expected_wh[-AHEAD:]


def loads(past: Past, names: Sequence[str], first: int) -> list[Foretold]:
    """Foresee each home's load by one model of all of them, which is learnt anew every week.

    Args:
        past: What was measured.
        names: Of the homes.
        first: The first day that is scored; `LEAST_DAYS` or more, or nothing is used but the baseline.
    """
    if past.days < LEAST_DAYS:
        return [by_baseline(name, past.load_wh[home], first, 0.0) for home, name in enumerate(names)]
    first = _first(past, first)
    panel = Panel(past.load_wh.astype(np.float32), past.kinds, past.dark)
    rows, last = list[Floats](), list[Floats]()
    model = None
    for day in range(first, past.days + 1):
        known = panel.until(day)
        if model is None or (day - first) % LEARN_EVERY == 0:
            model = _learnt(known) or model  # of a street that was silent of late, what was learnt before stands
        if model is None:
            reason = f"the {WEEK} is used: of the first {first} days too few were measured to learn from"
            return [by_baseline(name, past.load_wh[home], first, 0.0, reason) for home, name in enumerate(names)]
        rows.append(model.quantiles_wh(known))
        last.append(model.quantiles_wh(known, lead=AHEAD))
    assert model is not None
    rows += [model.quantiles_wh(panel, lead=lead) for lead in range(2, AHEAD + 1)]
    told, late = np.stack(rows, 2), np.stack(last, 2)
    return [
        judged(name, TREES, Rolled(told[:, home], late[:, home]), past.load_wh[home], first, 0.0)
        for home, name in enumerate(names)
    ]


def roofs(past: Past, names: Sequence[str], first: int) -> list[Foretold]:
    """Foresee what each roof yields; the days ahead are expected to be like today, since no expert sees further.

    Args:
        past: As for `loads`.
        names: Of the homes; those without a roof are left out of what is returned.
        first: As for `loads`.
    """
    have = np.flatnonzero(~np.isnan(past.solar_wh).all((1, 2))).tolist()
    made = past.solar_wh[have]
    if past.days < LEAST_DAYS or not len(have):
        return [by_baseline(names[home], made[at], first, 0.0) for at, home in enumerate(have)]
    first = _first(past, first)
    expected = expect_roofs(made, past.sun, past.days)
    found = []
    for at, home in enumerate(have):
        told = int((~np.isnan(made[at, solar.LEAST_DAYS : first]).all(1)).sum())
        if told < CALIBRATION_DAYS:
            reason = f"the {WEEK} is used: {told} days of this roof are too few to tell how far a forecast of it is off"
            found.append(by_baseline(names[home], made[at], first, 0.0, reason))
            continue
        rows = around(expected[:, at], made[at], solar.LEAST_DAYS, first, 0.0, ahead=AHEAD)
        found.append(judged(names[home], EXPERTS, rows, made[at], first, 0.0))
    return found


def expect_roofs(made: Floats, sun: Floats, days: int) -> Floats:
    """Return what was expected of every day from `solar.LEAST_DAYS` on, each from the days before: (days, roofs, n)."""
    said: list[solar.Yield] = []
    expected = []
    for day in range(solar.LEAST_DAYS, days + 1):
        told, heard = solar.day_ahead_wh(made[:, :day], sun, said)
        said = [*said, heard][-solar.MEDIAN_DAYS :]
        expected.append(told)
    return np.stack(expected)


def together(past: Past, homes: Sequence[int], name: str, first: int) -> Foretold:
    """Foresee what several homes draw together, their roofs taken off; below zero they give.

    Sums of medians are no medians of sums: they have a forecast of their own.

    Args:
        past: As for `loads`.
        homes: Which.
        name: Of the sum.
        first: As for `loads`.
    """
    rows = list(homes)
    yielding = ~np.isnan(past.solar_wh[rows]).all((1, 2))
    homes_wh, roofs_wh = past.load_wh[rows], past.solar_wh[rows][yielding]
    net = homes_wh.sum(0) - roofs_wh.sum(0)
    load, sun = filled(homes_wh).sum(0), filled(roofs_wh).sum(0)
    holes = np.flatnonzero(np.isnan(load - sun).any(1))
    since = int(holes[-1]) + 1 if len(holes) else 0
    if past.days - since < LEAST_DAYS:
        few = f"{past.days - since} days since all told anything" if since else f"{past.days} whole days"
        reason = f"the {WEEK} is used: {few} are too few to learn from, {LEAST_DAYS} are needed"
        return by_baseline(name, net, first, -np.inf, reason)
    first = min(max(first, since + LEAST_DAYS), past.days)
    begin = since + community.LEAST_DAYS
    if np.isnan(net[begin:first]).all():
        reason = f"the {WEEK} is used: in no slot of the first days all told anything"
        return by_baseline(name, net, first, -np.inf, reason)
    days = range(begin, past.days + 1)
    calendar = past.kinds[since:], past.dark[since:]
    expected = days_ahead([load[since:day] for day in days], lambda wh, late: community.day_ahead_wh(wh, *calendar))
    if yielding.any():
        yields = expect_roofs(sun[None, since:], past.sun[since:], past.days - since)
        yields = yields[community.LEAST_DAYS - solar.LEAST_DAYS :, 0]
        expected = [row - yields for row in expected]
    banded = around(expected[0], net, begin, first, -np.inf, expected[1:], AHEAD)
    return judged(name, ALIKE, banded, net, first, -np.inf)


def days_ahead(pasts: Sequence[Floats], expect: Callable[[Floats, int], Floats]) -> list[Floats]:
    """Return what was expected of each day and of the next ones, from each of several pasts.

    Each day ahead is another kind of day: it is told from a past of which the days before it, as they are expected, are
    the last. Days after tomorrow are asked about on the last days alone.

    Args:
        pasts: (days, slots) each, a day longer each.
        expect: Tells the day after a past, and is told how many days of it are only expected.

    Returns:
        For each of `AHEAD` leads: (pasts, slots), not a number where it was not asked.
    """
    found = []
    grown = list(pasts)
    for late in range(AHEAD):
        since = 0 if late < 2 else max(0, len(pasts) - LATE_ORIGINS - AHEAD)
        told = np.full((len(pasts), pasts[0].shape[1]), np.nan)
        told[since:] = [expect(wh, late) for wh in grown[since:]]
        grown = [np.concatenate([wh, row[None]]) for wh, row in zip(grown, told, strict=True)]
        found.append(told)
    return found


def filled(wh: Floats) -> Floats:
    """Return days whose holes are told by the mean of their slot over the seven days before, home by home.

    A sum is known only where all of it is, and somewhere a reading is always missing. What no day before tells stays a
    hole; nothing after a day is looked at.
    """
    found = wh.copy()
    for day in np.flatnonzero(np.isnan(wh).any((0, 2))).tolist():
        before = wh[:, max(0, day - WEEK_DAYS) : day].swapaxes(0, 1)
        usual = np.where(np.isnan(before).all(0), np.nan, week_mean(before))
        found[:, day] = np.where(np.isnan(wh[:, day]), usual, wh[:, day])
    return found


def means(quantiles: Floats) -> Floats:
    """Return the mean of what has these quantiles: what comes beyond the outermost is taken to come at them.

    Plans add up homes, and only means may be added.

    Args:
        quantiles: (levels, ...), levels as `LEVELS_PERMILLE`.
    """
    found: Floats = np.tensordot(_WEIGHTS, quantiles, 1)
    return found


def _weights() -> Floats:
    at = np.array([0, *LEVELS_PERMILLE, 1000]) / 1000
    step = np.diff(at)
    inner: Floats = (step[:-1] + step[1:]) / 2
    inner[0] += step[0] / 2
    inner[-1] += step[-1] / 2
    return inner


_WEIGHTS = _weights()


def _learnt(known: Panel) -> LoadModel | None:
    """Return what the past teaches; None where nothing was measured that could."""
    try:
        return fit(known)
    except InvalidValue:
        return None


def _first(past: Past, first: int) -> int:
    return min(max(first, LEAST_DAYS), past.days)


def judged(name: str, model: str, rows: Rolled, wh: Floats, first: int, floor: float) -> Foretold:
    """Return a series as a model told it day by day, or as the better baseline would have where the model lost.

    Args:
        name: Of the series.
        model: Of what was told.
        rows: Its quantiles of each day from the first scored on, and of those ahead.
        wh: What came: (days, slots).
        first: The first day that is scored.
        floor: What no value falls below.
    """
    quantiles = rows.told
    came, plain = wh[first:], {of: baseline_days(wh, first, of) for of in BASELINES}
    ours = means(quantiles)

    def chosen(upto: int) -> Choice:
        others = {of: row[:upto].ravel() for of, row in plain.items()}
        return choose(model, ours[:upto].ravel(), others, came[:upto].ravel(), means=True)

    choice = chosen(len(came))
    each = [chosen(min(at, len(came))) for at in range(len(ours))]
    before = [ours[at] if one.used else plain[one.baseline][at] for at, one in enumerate(each)]
    card = _card(name, model, choice, quantiles, wh, first)
    told = quantiles if choice.used else _plain_bands(wh, first, floor, choice.baseline)
    expected, which = (ours, model) if choice.used else (plain[choice.baseline], choice.baseline)
    soon = slot_card(name, which, choice.used, expected, plain, came, floor)
    late = late_card(name, model, choice.used, rows.last, plain, came, AHEAD - 1)
    now, later = best(soon), best(late)
    if choice.used and later is not None:
        # Who loses so far ahead is told by the better baseline there, though it is used for today and tomorrow.
        told, expected = told.copy(), expected.copy()
        told[:, -AHEAD + SOON :] = _plain_bands(wh, first, floor, later)[:, -AHEAD + SOON :]
        expected[-AHEAD + SOON :] = plain[later][-AHEAD + SOON :]
    scored = {
        lead: replace(one, used=one.used and better is None)
        for lead, one, better in ((NEXT_SLOT, soon, now), (LAST_DAY, late, later))
        if one is not None
    }
    today = expected[-AHEAD] if now is None else plain[now][-AHEAD]
    return Foretold(
        name, which, first, told, expected, _until_now(came), choice, card, np.array(before), plain, scored, today
    )


def by_baseline(name: str, wh: Floats, first: int, floor: float, reason: str = "") -> Foretold:
    """Foresee by the baseline alone: nothing was learnt."""
    days = len(wh)
    first = min(max(first, FIRST_PLAIN), days)
    why = reason or f"the {WEEK} is used: {days} whole days are too few to learn from, {LEAST_DAYS} are needed"
    choice, told = Choice(False, why, WEEK), _plain_bands(wh, first, floor, WEEK)
    plain = {of: baseline_days(wh, first, of) for of in BASELINES}
    card = _card(name, WEEK, choice, told, wh, first)
    return Foretold(name, WEEK, first, told, plain[WEEK], _until_now(wh[first:]), choice, card, plain[WEEK], plain)


def _card(name: str, model: str, choice: Choice, quantiles: Floats, wh: Floats, first: int) -> ScoreCard | None:
    """Return how good a model was; none where nothing came that could tell."""
    came = wh[first:].ravel()
    if not np.nansum(np.abs(came)) > 0:
        return None
    rows = quantiles[:, :-AHEAD].reshape(len(LEVELS_PERMILLE), -1)
    week, month = (baseline_days(wh, first, of)[:-AHEAD].ravel() for of in (WEEK, MONTH))
    return score_card(name, model, choice.used, rows, came, week, month, wh[:first].ravel(), wh.shape[1])


def _plain_bands(wh: Floats, first: int, floor: float, of: str) -> Floats:
    """Return quantiles of a baseline; without a past that it could be off on, all levels are what it expects."""
    if first < FIRST_PLAIN or not np.isfinite(wh[1:first]).any():
        plain = baseline_days(wh, first, of)
        return np.broadcast_to(plain, (len(LEVELS_PERMILLE), *plain.shape)).copy()
    return around(baseline_days(wh, 1, of)[: len(wh)], wh, 1, first, floor, ahead=AHEAD).told


def baseline_days(wh: Floats, first: int, of: str) -> Floats:
    """Return what a baseline says of each day from the first on and of those ahead, each from the days before it."""
    told = [BASELINES[of](wh[:day]) for day in range(first, len(wh) + 1)]
    return np.array([*told, *[told[-1]] * (AHEAD - 1)])


def _until_now(came: Floats) -> Floats:
    ahead = np.full((AHEAD, came.shape[1]), np.nan)
    return np.concatenate([came, ahead])
