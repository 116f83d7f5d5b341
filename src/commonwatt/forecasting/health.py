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

from commonwatt.model import SLOT_SECONDS, SLOTS_PER_DAY, SLOTS_PER_HOUR, InvalidValue

Floats = NDArray[np.float64]
STORE_AT, METER_AT = 6.0, 8.0
"""By how many standard errors something is off before it alarms: days are few and their errors have heavy tails."""
LEAST_FADE, LEAST_LOSS = 0.08, 0.05
LEAST_STORED_WH = 50
"""Energy of a slot below which a level in whole Wh or per cent says nothing."""
LEAST_DAYS_STORED, RECENT_DAYS = 5, 14
"""What batteries and meters told before is not looked at: who was mended is to be left alone."""
LEAST_DRIFT = 0.03
LEAST_METER_SLOTS, SLOTS_A_HOME = 3 * SLOTS_PER_DAY, 10
LEAST_HIDDEN = 0.6
"""While a meter is silent, its home's use shows as others' drift: by up to half in recorded homes."""
MOST_SILENT, SILENT_OF = 0.5, 4
"""A meter that missed more than such a part of the last fortnight is silent; of so many, one may be."""
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
    NEW_ROOF = "unregistered roof"
    NEW_CAR = "unregistered car"
    SHORT_CYCLING = "short cycling"


FALSE_ALARMS_PERMILLE = {
    Ailment.SOILING: 10,
    Ailment.SHADING: 10,
    Ailment.STRING_LOSS: 10,
    Ailment.CAPACITY: 5,
    Ailment.EFFICIENCY: 5,
    Ailment.DRIFT: 5,
    Ailment.BYPASS: 5,
    Ailment.OVER_LIMIT: 1,
    Ailment.NEW_ROOF: 1,
    Ailment.NEW_CAR: 5,
    Ailment.SHORT_CYCLING: 5,
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
        What the last fourteen days say that moved enough to tell, so that one that was mended is well again; None
        where fewer than five did.
    """
    rise = np.diff(level_wh.ravel(), prepend=np.nan).reshape(level_wh.shape)
    with np.errstate(invalid="ignore"):
        net = import_wh * charge_permille / 1000 - export_wh * 1000 / discharge_permille
        into = (import_wh > LEAST_STORED_WH) & (export_wh == 0) & ~np.isnan(rise)
        out = (export_wh > LEAST_STORED_WH) & (import_wh == 0) & ~np.isnan(rise)
    up, down = (_daily(rise, net, here) for here in (into, out))
    both = ~np.isnan(up) & ~np.isnan(down)
    told = np.flatnonzero(both)[-RECENT_DAYS:]
    days = len(told)
    if days < LEAST_DAYS_STORED:
        return None
    capacity = 0.5 * (np.log(up[told]) + np.log(down[told]))
    back = np.log(up[told]) - np.log(down[told])
    findings = []
    for ailment, values, least in ((Ailment.CAPACITY, -capacity, LEAST_FADE), (Ailment.EFFICIENCY, back, LEAST_LOSS)):
        error = max(float(values.std(ddof=1)), 0.01) / days**0.5
        score, off = -float(values.mean()) / error, 1 - float(np.exp(values.mean()))
        if score > STORE_AT and off > least:
            through = float(np.nansum(np.where(np.isnan(rise), 0, import_wh)[told[0] :]))
            lost = round(through * off) if ailment is Ailment.EFFICIENCY else 0
            findings.append(
                Finding(
                    ailment=ailment,
                    at=0,
                    since=int(told[0]),
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


def ailing_meters(feeder_wh: Floats, told_wh: Floats) -> list[Finding]:
    """Find the meters with whose readings the energy that is missing goes up and down.

    What the feeder's meter saw beyond all homes' is regressed on what each home's told. A meter that shows a part less
    is found by that part; of one past which half is drawn as much is missing as it shows. What a silent home uses is
    missing, too, and goes up and down with its neighbours' days: while one in four is silent at most, others' meters
    can be accused of a bypass alone; while more are, of nothing. Only the last fortnight counts, or more of many homes.

    Args:
        feeder_wh: (n) import less export from a local midnight on; not a number where it was silent.
        told_wh: (homes, n) what each home's meter told, import less export.

    Raises:
        InvalidValue: Shapes differ.

    Source: Berrisford, A tale of two transformers, CCECE 2013, on energy balances under one feeder.
    """
    count = told_wh.shape[1]
    if feeder_wh.shape != (count,):
        raise InvalidValue(f"meters are compared with the feeder slot by slot, was {told_wh.shape}, {feeder_wh.shape}")
    recent = np.arange(count) >= count - max(RECENT_DAYS * SLOTS_PER_DAY, SLOTS_A_HOME * len(told_wh) * 3 // 2)
    silent = np.isnan(told_wh[:, recent]).mean(1) > MOST_SILENT
    tells, hidden = np.flatnonzero(~silent), bool(silent.any())
    if len(tells) == 0 or silent.sum() * SILENT_OF > len(silent):
        return []
    known = ~np.isnan(feeder_wh) & ~np.isnan(told_wh[tells]).any(0) & recent
    if known.sum() < max(LEAST_METER_SLOTS, SLOTS_A_HOME * len(tells)):
        return []
    told = told_wh[np.ix_(tells, known)]
    hours = np.flatnonzero(known) % SLOTS_PER_DAY // SLOTS_PER_HOUR if hidden else np.zeros(told.shape[1])
    slopes, spread = _slopes(feeder_wh[known] - told.sum(0), told, hours)
    found = []
    for home, drift, error in zip(tells.tolist(), slopes.tolist(), spread.tolist(), strict=True):
        score = abs(drift) / max(error, 1e-9)
        if score > METER_AT and (drift > LEAST_HIDDEN if hidden else abs(drift) > LEAST_DRIFT):
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


def _slopes(missing: Floats, told: Floats, groups: NDArray[np.generic]) -> tuple[Floats, Floats]:
    """Return by how much more is missing for each Wh that a home's meter told, and the standard error of that.

    Args:
        missing: (n) Wh.
        told: (homes, n) Wh.
        groups: (n) of each slot: what is missing anyway may differ from group to group.
    """
    homes, total = len(told), told.sum(0)
    apart = [(groups == one).astype(np.float64) for one in np.unique(groups)]
    columns = np.stack([*told, total**2 / max(float(np.abs(total).mean()), 1.0), *apart], 1)
    scale = np.maximum(np.abs(columns).max(0), 1e-9)
    rows = columns / scale
    squares = rows.T @ rows + 1e-6 * np.eye(rows.shape[1])
    slopes = np.linalg.solve(squares, rows.T @ missing)
    rest = missing - rows @ slopes
    # Neighbouring quarter-hours err alike: of four, one tells.
    spread = np.sqrt(4 * float(rest @ rest) / (len(rest) - rows.shape[1]) * np.diag(np.linalg.inv(squares))) / scale
    return (slopes / scale)[:homes], spread[:homes]


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
