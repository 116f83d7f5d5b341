"""D2: what the solar home pays per day over the published test month, and on months before it."""

import time
from datetime import timedelta

import numpy as np

from benchmarks.figure import Figure, figure
from benchmarks.solarhome.controller import LateDay
from benchmarks.solarhome.published import Greedy, MeanDay
from benchmarks.solarhome.world import FIRST_DAY, Floats, Home, read_home

GOAL_EUR_PER_DAY = 0.50
PUBLISHED = {
    "fixed_schedule": 1.0154,
    "rule_based": 0.5633,
    "sdp": 0.5233,
    "open_loop_feedback_24h": 0.5223,
    "sdp_overfit": 0.5148,
    "rule_tuned": 0.5121,
    "mpc_24h": 0.5086,
    "perfect_foresight": 0.353734,
}
WINDOWS = (31, 61, 91, 121)
"""First days of four months before the test month; each controller knows only what came before its own day."""


def d2() -> Figure:
    """Cost of one solar home over the public test month, EUR per day, beside perfect foresight."""
    home = read_home()
    began = time.perf_counter()
    ours = home.live(LateDay())
    seconds = time.perf_counter() - began
    rule = home.live(Greedy())
    least = home.least_eur_per_day()
    predictive = home.live(MeanDay())
    before = [_window(home, first) for first in WINDOWS]
    return figure(
        "D2",
        ours.eur_per_day,
        "EUR/day",
        least,
        goal=GOAL_EUR_PER_DAY,
        met=ours.eur_per_day < GOAL_EUR_PER_DAY,
        rule_based=round(rule.eur_per_day, 13),
        mpc_24h_rebuilt=round(predictive.eur_per_day, 4),
        saved_on_rule_based=_saved(rule.eur, ours.eur),
        saved_on_mpc_24h=_saved(predictive.eur, ours.eur),
        before_saved_on_mpc_24h=_saved(*(np.concatenate([days[i] for _, days in before]) for i in (1, 0))),
        bought_kwh_per_day=round(ours.bought_kwh_per_day, 3),
        bought_kwh_per_day_rule_based=round(rule.bought_kwh_per_day, 3),
        unserved_kwh=round(ours.unserved_kwh, 3),
        before_the_test_month=[row for row, _ in before],
        published=PUBLISHED,
        known_when_acting="all earlier half-hours, and this half-hour's load and sun",
        controller_seconds=round(seconds, 2),
    )


def _window(home: Home, first: int) -> tuple[dict[str, float | str], tuple[Floats, Floats]]:
    ours, predictive = home.live(LateDay(), first), home.live(MeanDay(), first)
    row: dict[str, float | str] = {
        "first_day": str(FIRST_DAY + timedelta(days=first)),
        "ours": round(ours.eur_per_day, 4),
        "mpc_24h_rebuilt": round(predictive.eur_per_day, 4),
        "rule_based": round(home.live(Greedy(), first).eur_per_day, 4),
        "perfect_foresight": round(home.least_eur_per_day(first), 4),
    }
    return row, (ours.eur, predictive.eur)


def _saved(theirs: Floats, ours: Floats) -> dict[str, float]:
    """Return the mean saving per day, and its standard error from day to day."""
    saved = theirs - ours
    error = saved.std(ddof=1) / np.sqrt(len(saved))
    return {"eur_per_day": round(float(saved.mean()), 4), "standard_error": round(float(error), 4)}
