"""Find what ails roofs, batteries, meters and chargers in what their meters told: each alarm with its statistic.

Every statistic compares a device with what it was, with its neighbours, or with its registered numbers, in units of how
far that comparison scatters on healthy days. How often healthy things alarm is measured by tests on recorded homes and
told beside each alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import SLOT_SECONDS, InvalidValue

Floats = NDArray[np.float64]
REFERENCE_DAYS, WINDOW_DAYS = 10, 5
LEAST_SHORTFALL = 0.08
BRIGHT = 0.35
"""Days that bring less than such a part of the usual are left out: clouds are not alike over all roofs."""
ROOF_AT, STORE_AT, METER_AT = 6.0, 6.0, 8.0
"""By how many standard errors something is off before it alarms: days are few and their errors have heavy tails."""
LEAST_SCATTER = 0.015
SHADED = 2.5
"""One half of the day misses so many times as much as the other: shadows move with the sun, dirt does not."""
LEAST_FADE, LEAST_LOSS = 0.08, 0.05
LEAST_STORED_WH = 50
"""Energy of a slot below which a level in whole Wh or per cent says nothing."""
LEAST_DAYS_STORED = 5
LEAST_DRIFT = 0.03
LEAST_METER_SLOTS = 3 * 96
OVER_W, OVER_SHARE, OVER_SLOTS = 300, 0.1, 3
"""A charger may be off by so much, and once; three quarter-hours in a row are no accident."""


class Ailment(StrEnum):
    """What was found."""

    SOILING = "soiling"
    SHADING = "shading"
    STRING_LOSS = "string loss"
    CAPACITY = "capacity"
    EFFICIENCY = "efficiency"
    DRIFT = "drift"
    BYPASS = "bypass"
    OVER_LIMIT = "over limit"


FALSE_ALARMS_PERMILLE = {
    Ailment.SOILING: 10,
    Ailment.SHADING: 10,
    Ailment.STRING_LOSS: 10,
    Ailment.CAPACITY: 5,
    Ailment.EFFICIENCY: 5,
    Ailment.DRIFT: 5,
    Ailment.BYPASS: 5,
    Ailment.OVER_LIMIT: 1,
}
"""Of a thousand days of a healthy device at most so many show an alarm of this kind; tests measure it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    Args:
        ailment: What.
        at: Which device, as a row of what was looked at.
        since: The first day or slot of which it is said, counted in what was looked at.
        off_permille: How far it is off: of its yield, capacity, efficiency or reading.
        score: How many standard errors that is; slots in a row where limits are ignored.
        threshold: From which score on it alarms.
        lost_wh: What that came to since then; zero where nobody lost energy by it.
    """

    ailment: Ailment
    at: int
    since: int
    off_permille: int
    score: float
    threshold: float
    lost_wh: int


def ailing_roofs(made_wh: Floats) -> list[Finding]:
    """Compare each roof with all others under the same sky, and with how it did at first.

    Args:
        made_wh: (roofs, days, slots) Wh, oldest first; a day with a missing reading says nothing.

    Returns:
        Those that yield less than they did; none where there are fewer than three roofs or fifteen whole days.
    """
    roofs = len(made_wh)
    whole = ~np.isnan(made_wh).any((0, 2))
    seen = np.flatnonzero(whole)
    if roofs < 3 or len(seen) < REFERENCE_DAYS + WINDOW_DAYS:
        return []
    daily = made_wh[:, seen].sum(2)
    bright = daily.sum(0) > BRIGHT * np.median(daily.sum(0))
    seen, daily = seen[bright], daily[:, bright]
    if len(seen) < REFERENCE_DAYS + WINDOW_DAYS or not (daily[:, :REFERENCE_DAYS].sum(1) > 0).all():
        return []
    share = daily[:, :REFERENCE_DAYS].sum(1, keepdims=True)
    scaled = daily / share
    found = []
    for roof in range(roofs):
        sky = np.median(np.delete(scaled, roof, 0), 0)
        ratio = np.log(np.maximum(scaled[roof], 1e-6) / np.maximum(sky, 1e-9))
        before, now = ratio[:REFERENCE_DAYS], ratio[-WINDOW_DAYS:]
        scatter = max(float(before.std(ddof=1)), LEAST_SCATTER)
        score = float((before.mean() - now.mean()) / (scatter * (1 / REFERENCE_DAYS + 1 / WINDOW_DAYS) ** 0.5))
        short = float(1 - np.exp(now.mean() - before.mean()))
        if score > ROOF_AT and short > LEAST_SHORTFALL:
            expected = sky * share[roof] * np.exp(before.mean())
            onset, grows = _onset(ratio - before.mean())
            kind = Ailment.SOILING if grows else Ailment.STRING_LOSS
            found.append(
                Finding(
                    ailment=Ailment.SHADING if _shaded(made_wh[:, seen], roof) else kind,
                    at=roof,
                    since=int(seen[onset]),
                    off_permille=round(1000 * short),
                    score=score,
                    threshold=ROOF_AT,
                    lost_wh=max(0, round(float((expected - daily[roof])[onset:].sum()))),
                )
            )
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
    came = made.sum((0, 1)).cumsum()
    noon = int(np.searchsorted(came, came[-1] / 2))
    first, now = slice(0, REFERENCE_DAYS), slice(-WINDOW_DAYS, None)
    lost = []
    for half in (slice(0, noon), slice(noon, None)):
        own, others = made[roof, :, half].sum(1), np.delete(made, roof, 0)[:, :, half].sum((0, 2))
        was, is_now = (own[span].sum() / max(others[span].sum(), 1e-9) for span in (first, now))
        lost.append(1 - is_now / max(was, 1e-9))
    return bool(max(lost) > SHADED * max(min(lost), 0.02))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """What a store's meter and levels say of it, beside its registered numbers.

    Args:
        capacity_permille: What it holds, of what is registered.
        return_permille: What comes back of what goes in, of what is registered.
        days: How many days tell.
        findings: What of this is an alarm.
    """

    capacity_permille: int
    return_permille: int
    days: int
    findings: Sequence[Finding]


def store_health(
    import_wh: Floats, export_wh: Floats, level_wh: Floats, charge_permille: int, discharge_permille: int
) -> StoreHealth | None:
    """Compare what went into a store with how far its level rose, and what came out with how far it fell.

    A level is a share of the registered capacity. Of a store that has faded it rises faster and falls faster than the
    energy says; of one that loses more it rises slower and falls faster. The two together tell which.

    Args:
        import_wh: (days, slots) at its meter.
        export_wh: Likewise.
        level_wh: What it held at each slot's end; not a number where nothing was told.
        charge_permille: As registered, one way.
        discharge_permille: Likewise.

    Returns:
        None where fewer than five days moved enough to tell.
    """
    rise = np.diff(level_wh.ravel(), prepend=np.nan).reshape(level_wh.shape)
    with np.errstate(invalid="ignore"):
        net = import_wh * charge_permille / 1000 - export_wh * 1000 / discharge_permille
        into = (import_wh > LEAST_STORED_WH) & (export_wh == 0) & ~np.isnan(rise)
        out = (export_wh > LEAST_STORED_WH) & (import_wh == 0) & ~np.isnan(rise)
    up, down = (_daily(rise, net, here) for here in (into, out))
    both = ~np.isnan(up) & ~np.isnan(down)
    if both.sum() < LEAST_DAYS_STORED:
        return None
    capacity = 0.5 * (np.log(up[both]) + np.log(down[both]))
    back = np.log(up[both]) - np.log(down[both])
    days = int(both.sum())
    findings = []
    for ailment, values, least in ((Ailment.CAPACITY, -capacity, LEAST_FADE), (Ailment.EFFICIENCY, back, LEAST_LOSS)):
        error = max(float(values.std(ddof=1)), 0.01) / days**0.5
        score, off = -float(values.mean()) / error, 1 - float(np.exp(values.mean()))
        if score > STORE_AT and off > least:
            through = float(np.nansum(np.where(np.isnan(rise), 0, import_wh)))
            lost = round(through * off) if ailment is Ailment.EFFICIENCY else 0
            findings.append(
                Finding(
                    ailment=ailment,
                    at=0,
                    since=int(np.flatnonzero(both)[0]),
                    off_permille=round(1000 * off),
                    score=score,
                    threshold=STORE_AT,
                    lost_wh=lost,
                )
            )
    return StoreHealth(
        capacity_permille=round(1000 * float(np.exp(-capacity.mean()))),
        return_permille=round(1000 * float(np.exp(back.mean()))),
        days=days,
        findings=findings,
    )


def _daily(rise: Floats, net: Floats, here: NDArray[np.bool_]) -> Floats:
    """Return day by day how far the level moved for what the registered numbers say it should have."""
    moved, should = (np.where(here, values, 0).sum(1) for values in (rise, net))
    enough = (np.abs(should) > 10 * LEAST_STORED_WH) & (moved * should > 0)
    found: Floats = np.where(enough, moved / np.where(enough, should, 1), np.nan)
    return found


def ailing_meters(missing_wh: Floats, told_wh: Floats) -> list[Finding]:
    """Find the meters with whose readings the energy that is missing goes up and down.

    What the feeder's meter saw beyond all homes' is regressed on what each home's told. A meter that shows a part less
    is found by that part; of one past which half is drawn as much is missing as it shows.

    Args:
        missing_wh: (n) feeder less homes; not a number where one of them was silent.
        told_wh: (homes, n) what each home's meter told, import less export.

    Raises:
        InvalidValue: Shapes differ.

    Source: Berrisford, A tale of two transformers, CCECE 2013, on energy balances under one feeder.
    """
    homes, count = told_wh.shape
    if missing_wh.shape != (count,):
        raise InvalidValue(
            f"meters are compared with what is missing slot by slot, was {told_wh.shape}, {missing_wh.shape}"
        )
    known = ~np.isnan(missing_wh) & ~np.isnan(told_wh).any(0)
    used = int(known.sum())
    if used < max(LEAST_METER_SLOTS, 10 * homes):
        return []
    total = told_wh[:, known].sum(0)
    columns = np.stack([*told_wh[:, known], np.ones(used), total**2 / max(float(np.abs(total).mean()), 1.0)], 1)
    target = missing_wh[known]
    scale = np.maximum(np.abs(columns).max(0), 1e-9)
    rows = columns / scale
    squares = rows.T @ rows + 1e-6 * np.eye(rows.shape[1])
    slopes = np.linalg.solve(squares, rows.T @ target)
    rest = target - rows @ slopes
    # Neighbouring quarter-hours err alike: of four, one tells.
    spread = np.sqrt(4 * float(rest @ rest) / (used - rows.shape[1]) * np.diag(np.linalg.inv(squares))) / scale
    found = []
    for home in range(homes):
        drift = float(slopes[home] / scale[home])
        score = abs(drift) / max(float(spread[home]), 1e-9)
        if score > METER_AT and abs(drift) > LEAST_DRIFT:
            found.append(
                Finding(
                    ailment=Ailment.BYPASS if drift > 10 * LEAST_DRIFT else Ailment.DRIFT,
                    at=home,
                    since=int(np.flatnonzero(known)[0]),
                    off_permille=round(1000 * drift),
                    score=score,
                    threshold=METER_AT,
                    lost_wh=max(0, round(drift * float(told_wh[home, known].sum()))),
                )
            )
    return found


def over_limits(drawn_wh: Floats, most_w: Floats) -> list[Finding]:
    """Find the runs of slots in which a charger drew more than it was told.

    Args:
        drawn_wh: n slots in order; not a number where its meter was silent.
        most_w: What it was told at most; not a number where it was told nothing.
    """
    drawn = drawn_wh * 3600 / SLOT_SECONDS
    with np.errstate(invalid="ignore"):
        over = drawn > most_w + np.maximum(OVER_W, OVER_SHARE * most_w)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], over, [False]]).astype(np.int8))).reshape(-1, 2)
    found = []
    for start, end in edges.tolist():
        if end - start >= OVER_SLOTS:
            told, was = float(np.nansum(most_w[start:end])), float(drawn[start:end].sum())
            found.append(
                Finding(
                    ailment=Ailment.OVER_LIMIT,
                    at=0,
                    since=start,
                    off_permille=round(1000 * (was - told) / max(was, 1.0)),
                    score=float(end - start),
                    threshold=float(OVER_SLOTS),
                    lost_wh=0,
                )
            )
    return found
