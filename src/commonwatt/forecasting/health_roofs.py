"""Find the roofs that yield less than they did, beside all others under the same sky, and those that yield again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.health import Ailment, Finding

Floats = NDArray[np.float64]
REFERENCE_DAYS, WINDOW_DAYS = 10, 5
LEAST_DAYS_ROOF = REFERENCE_DAYS + WINDOW_DAYS
LEAST_SHORTFALL = 0.08
BRIGHT = 0.35
"""Days that bring less than such a part of the usual are left out: clouds are not alike over all roofs."""
ROOF_AT = 6.0
"""By how many standard errors something is off before it alarms: days are few and their errors have heavy tails."""
LEAST_SCATTER = 0.015
SHADED = 2.5
"""One half of the day misses so many times as much as the other: shadows move with the sun, dirt does not."""
LATELY_DAYS = 20
"""Bright days by which it is told how a roof did that yielded too little for longer than can be looked back."""
MOST_SHORT_PERMILLE = 990
"""Of a roof that gives nothing the logarithm has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A roof's fault that was found before: in which row, since which day, below zero before all that is looked at."""

    at: int
    since: int
    off_permille: int


def ailing_roofs(made_wh: Floats) -> list[Finding]:
    """Compare each roof with all others under the same sky, and with how it did at first.

    A roof that is silent, new or dead from the first day on is left out by itself; those that tell are compared.

    Args:
        made_wh: (roofs, days, slots) Wh, oldest first; a roof's day with a missing reading says nothing of it.

    Returns:
        Those that yield less than they did; none where fewer than three roofs told of fifteen whole days.
    """
    sky = _sky(made_wh)
    found = []
    for roof, at in enumerate(sky.tells):
        days = sky.days_of(roof)
        if len(days) < LEAST_DAYS_ROOF:
            continue
        one = _roof(sky.made[:, days], roof, float(sky.share[roof]), sky.seen[days])
        if one is not None:
            found.append(replace(one, at=at))
    return found


def standing_roofs(made_wh: Floats, faults: Sequence[Standing]) -> list[Standing]:
    """Return which faults stand though `ailing_roofs` does not find them: what stands for long is a roof's usual there.

    A roof yields too little until what it lost is half made up for: beside the days before the fault as long as five of
    them are looked at, and after that from one day to the next. What it did months ago is not compared with, since
    seasons move roofs of several directions apart by more than dirt does.

    Args:
        made_wh: As for `ailing_roofs`.
        faults: What was found before and `ailing_roofs` does not find.
    """
    sky = _sky(made_wh)
    return [one for one in faults if _stands(sky, one)]


def _stands(sky: "_Sky", fault: Standing) -> bool:
    if fault.at not in sky.tells:
        return True  # of who tells nothing, nothing is known to be mended
    roof = sky.tells.index(fault.at)
    days = sky.days_of(roof)
    ratio, since = _ratio(sky.made[:, days].sum(2), roof), sky.seen[days] >= fault.since
    short = -float(np.log1p(-min(fault.off_permille, MOST_SHORT_PERMILLE) / 1000))
    before, ratio = ratio[~since], ratio[since]
    if len(before) >= WINDOW_DAYS and len(ratio):
        return bool(before[-LATELY_DAYS:].mean() - ratio[-WINDOW_DAYS:].mean() > short / 2)
    splits = range(WINDOW_DAYS, len(ratio) - WINDOW_DAYS + 1)
    return not any(ratio[at:].mean() - ratio[max(0, at - LATELY_DAYS) : at].mean() > short / 2 for at in splits)


@dataclass(frozen=True, slots=True, eq=False)
class _Sky:
    """What roofs made on bright days, by their shares.

    Args:
        tells: Which rows these are.
        seen: Which days.
        made: (roofs, days, slots), each by its share.
        share: How much each makes of what the weather lets all make.
    """

    tells: list[int]
    seen: NDArray[np.int64]
    made: Floats
    share: Floats

    def days_of(self, roof: int) -> NDArray[np.int64]:
        """Return the days of which a roof told and two others at least, as columns."""
        told = ~np.isnan(self.made.sum(2))
        return np.flatnonzero(told[roof] & (told.sum(0) >= 3))


def _sky(made_wh: Floats) -> _Sky:
    """Return what can be compared: roofs that told enough, on days that were bright; nothing where those are few."""
    daily = made_wh.sum(2)
    tells = [at for at, row in enumerate(daily) if (~np.isnan(row)).sum() >= LEAST_DAYS_ROOF and np.nansum(row) > 0]
    nothing = _Sky([], np.zeros(0, np.int64), np.zeros((0, 0, made_wh.shape[2])), np.zeros(0))
    if len(tells) < 3:
        return nothing
    daily = daily[tells]
    # Days of which nothing can be said are out before any mean, so that no roof is compared with nobody.
    seen = np.flatnonzero((~np.isnan(daily)).sum(0) >= 3)
    if not len(seen):
        return nothing
    daily = daily[:, seen]
    weather = np.nanmean(daily / np.nanmean(daily, 1, keepdims=True), 0)
    bright = weather > BRIGHT * np.median(weather)
    seen, daily, weather = seen[bright], daily[:, bright], weather[bright]
    share = np.array([_share(row, weather) for row in daily])
    tells = [one for one, much in zip(tells, share, strict=True) if much > 0]
    share = share[share > 0]
    return _Sky(tells, seen, made_wh[np.ix_(tells, seen)] / share[:, None, None], share)


def _share(daily: Floats, weather: Floats) -> float:
    """Return how much a roof made on its first days for what the weather let all make; zero where it told of too few.

    By that all roofs can be compared, whichever days each of them missed.
    """
    own = np.flatnonzero(~np.isnan(daily))[:REFERENCE_DAYS]
    return float(daily[own].sum() / weather[own].sum()) if len(own) == REFERENCE_DAYS else 0.0


def _roof(made: Floats, roof: int, share: float, seen: NDArray[np.int64]) -> Finding | None:
    """Return what ails one roof; None for nothing.

    Args:
        made: (roofs, days, slots) of each by its share, on bright days of which this roof and two others told.
        roof: Which.
        share: Its own.
        seen: Which days these are.
    """
    daily = made.sum(2)
    sky = np.nanmedian(np.delete(daily, roof, 0), 0)
    ratio = _ratio(daily, roof)
    before, now = ratio[:REFERENCE_DAYS], ratio[-WINDOW_DAYS:]
    scatter = max(float(before.std(ddof=1)), LEAST_SCATTER)
    score = float((before.mean() - now.mean()) / (scatter * (1 / REFERENCE_DAYS + 1 / WINDOW_DAYS) ** 0.5))
    short = float(1 - np.exp(now.mean() - before.mean()))
    if score <= ROOF_AT or short <= LEAST_SHORTFALL:
        return None
    expected = sky * np.exp(before.mean())
    onset, grows = _onset(ratio - before.mean())
    kind = Ailment.SOILING if grows else Ailment.STRING_LOSS
    return Finding(
        ailment=Ailment.SHADING if _shaded(made, roof) else kind,
        at=roof,
        since=int(seen[onset]),
        off_permille=round(1000 * short),
        score=score,
        threshold=ROOF_AT,
        lost_wh=max(0, round(share * float((expected - daily[roof])[onset:].sum()))),
    )


def _ratio(daily: Floats, roof: int) -> Floats:
    """Return the logarithm of what a roof made each day over what the others did, the median of them."""
    sky = np.nanmedian(np.delete(daily, roof, 0), 0)
    found: Floats = np.log(np.maximum(daily[roof], 1e-6) / np.maximum(sky, 1e-9))
    return found


def _onset(below: Floats) -> tuple[int, bool]:
    """Return from which day on it was lower, and whether little by little: the step or ramp that fits best.

    Args:
        below: By how much each day was above the usual, as logarithm; nothing until it begins.
    """
    days = np.arange(len(below))
    best = (np.inf, 0, False)
    for since in range(1, len(below) - 1):
        for grows in (False, True):
            shape = np.where(days >= since, days - since + 1 if grows else 1, 0).astype(np.float64)
            rest = below - shape * (shape @ below) / (shape @ shape)
            best = min(best, (float(rest @ rest), since, grows))
    return best[1], best[2]


def _shaded(made: Floats, roof: int) -> bool:
    """Tell whether one half of the day misses much more than the other."""
    whole = np.where(np.isnan(made).any(2, keepdims=True), np.nan, made)
    came = np.nansum(whole, (0, 1)).cumsum()
    noon = int(np.searchsorted(came, came[-1] / 2))
    first, now = slice(0, REFERENCE_DAYS), slice(-WINDOW_DAYS, None)
    others = np.nanmean(np.delete(whole, roof, 0), 0)
    lost = []
    for half in (slice(0, noon), slice(noon, None)):
        mine, theirs = whole[roof, :, half].sum(1), others[:, half].sum(1)
        was, is_now = (mine[span].sum() / max(theirs[span].sum(), 1e-9) for span in (first, now))
        lost.append(1 - is_now / max(was, 1e-9))
    return bool(max(lost) > SHADED * max(min(lost), 0.02))
