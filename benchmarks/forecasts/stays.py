"""D11: when cars leave and what they take, beside each driver's median."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure, figure
from benchmarks.forecasts import recorded
from commonwatt.forecasting.cars import Stays, stay
from commonwatt.forecasting.score import coverage, pinball
from commonwatt.model import LEVELS_PERMILLE

Floats = NDArray[np.float64]
GOAL = 15.0
PLACES = ("Norway", "Caltech")
LEAST_OWN, LEAST_PAST = 5, 50
MOST_AWAY_HOURS = 7 * 24
LEVELS = np.array(LEVELS_PERMILLE) / 1000


def d11() -> Figure:
    """D11: per cent less pinball loss than each driver's median, the least of departure and energy in two places."""
    told = {place: scores(place) for place in PLACES}
    gains = {f"{place} {what}": row["gain"] for place, found in told.items() for what, row in found.items()}
    worst = min(gains, key=lambda name: gains[name])
    return figure(
        "D11",
        gains[worst],
        f"% less pinball, {worst}",
        GOAL,
        gains={name: round(gain, 1) for name, gain in gains.items()},
        gains_over_quantiles_of_own_past={
            f"{place} {what}": round(row["gain_over_quantiles"], 1)
            for place, found in told.items()
            for what, row in found.items()
        },
        coming_home_gain_in_norway=round(coming_home()["gain"], 1),
        coming_home_coverage=round(100 * coming_home()["coverage"], 1),
        stays={place: int(found["departure"]["stays"]) for place, found in told.items()},
        drivers="named in Norway; at Caltech the charger stands for them, and they say when they will leave",
        scored="the second half of each place, from stays that had ended, drivers with five or more",
    )


@cache
def scores(place: str) -> dict[str, dict[str, float]]:
    """Return gain in per cent, coverage of the 90 % band and count, for departure and for energy."""
    stays, begun = recorded.sessions(place)
    order = np.argsort(begun + stays.hours, kind="stable")
    ended = (begun + stays.hours)[order]
    told: list[tuple[Floats, ...]] = []
    came: list[tuple[float, float]] = []
    for at in range(len(begun) // 2, len(begun)):
        past = _taken(stays, order[: np.searchsorted(ended, begun[at], "right")])
        own = past.driver == stays.driver[at]
        if own.sum() < LEAST_OWN or len(own) < LEAST_PAST:
            continue
        hours, energy_wh = stay(past, stays.driver[at], stays.hour[at], bool(stays.off[at]), stays.stated_hours[at])
        mine = (past.hours[own], past.energy_wh[own])
        told.append((hours, energy_wh, *(np.quantile(values, LEVELS) for values in mine)))
        came.append((stays.hours[at], stays.energy_wh[at]))
    truth = np.array(came)
    middle = LEVELS_PERMILLE.index(500)
    found = {}
    for which, what in enumerate(("departure", "energy")):
        ours, plain = (np.array([row[which + more] for row in told]).T for more in (0, 2))
        loss, spread = (pinball(rows, truth[:, which]) for rows in (ours, plain))
        median = pinball(np.tile(plain[middle], (len(LEVELS), 1)), truth[:, which])
        found[what] = {
            "gain": 100 * (1 - loss / median),
            "gain_over_quantiles": 100 * (1 - loss / spread),
            "coverage": coverage(ours[0], ours[-1], truth[:, which]),
            "stays": float(len(truth)),
        }
    return found


@cache
def coming_home() -> dict[str, float]:
    """Return how much better it is told when a car comes back than by its driver's median, and coverage: Norway."""
    stays, begun = recorded.sessions("Norway")
    away, left = _away(stays, begun)
    order = np.argsort(left + away.hours, kind="stable")
    ended = (left + away.hours)[order]
    told, plain, came = list[Floats](), list[float](), list[float]()
    for at in range(len(left) // 2, len(left)):
        past = _taken(away, order[: np.searchsorted(ended, left[at], "right")])
        own = past.driver == away.driver[at]
        if own.sum() < LEAST_OWN or len(own) < LEAST_PAST:
            continue
        told.append(stay(past, away.driver[at], away.hour[at], bool(away.off[at]))[0])
        plain.append(float(np.median(past.hours[own])))
        came.append(float(away.hours[at]))
    rows, truth = np.array(told).T, np.array(came)
    usual = pinball(np.tile(np.array(plain), (len(LEVELS), 1)), truth)
    return {"gain": 100 * (1 - pinball(rows, truth) / usual), "coverage": coverage(rows[0], rows[-1], truth)}


def _away(stays: Stays, begun: Floats) -> tuple[Stays, Floats]:
    """Return times away between two stays of one driver, up to a week, and when each began, in order of that."""
    found = []
    for driver in np.unique(stays.driver):
        own = np.flatnonzero(stays.driver == driver)
        own = own[np.argsort(begun[own], kind="stable")]
        left, back = (begun + stays.hours)[own[:-1]], begun[own[1:]]
        real = (back > left) & (back - left < MOST_AWAY_HOURS)
        found += [(left[at], back[at] - left[at], own[at]) for at in np.flatnonzero(real)]
    found.sort(key=lambda one: one[0])
    left, hours = np.array([one[0] for one in found]), np.array([one[1] for one in found])
    of = np.array([one[2] for one in found])
    hour = (stays.hour[of] + stays.hours[of]) % 24
    nothing = np.zeros(len(of))
    return Stays(stays.driver[of], hour, stays.off[of], hours, nothing, nothing * np.nan), left


def _taken(stays: Stays, which: NDArray[np.intp]) -> Stays:
    columns = (stays.driver, stays.hour, stays.off, stays.hours, stays.energy_wh, stays.stated_hours)
    return Stays(*(column[which] for column in columns))  # type: ignore[arg-type]
