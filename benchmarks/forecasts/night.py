"""P31: a night's learning for ten thousand homes, and the morning's forecast of all of them."""

import os
from datetime import timedelta
from time import perf_counter, process_time
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.figure import Figure, figure
from benchmarks.forecasts import recorded
from commonwatt.forecasting.days import kinds
from commonwatt.forecasting.load import Panel, fit
from commonwatt.forecasting.sun import darkness
from commonwatt.model import SLOTS_PER_DAY

HOMES = int(os.environ.get("COMMONWATT_P31_HOMES", "10000"))
DAYS = 60
THREADS = int(os.environ.get("COMMONWATT_P31_THREADS", "2"))
"""Of the trees; on cores that others use, two wait for each other longer than one works."""
LEARN_GOAL_S, GOAL_S = 600.0, 20.0


def p31() -> Figure:
    """P31: seconds to forecast 10,000 homes, a day of quarter-hours, eleven quantiles; and to learn from 60 days."""
    panel = made_up(HOMES)
    fit(made_up(40), threads=THREADS, rows=5000)  # compiles
    begun, used = perf_counter(), process_time()
    model = fit(panel, threads=THREADS)
    learnt_s, learnt_cpu_s = perf_counter() - begun, process_time() - used
    begun, used = perf_counter(), process_time()
    told = model.quantiles_wh(panel)
    told_s, told_cpu_s = perf_counter() - begun, process_time() - used
    return figure(
        "P31",
        told_s,
        "s",
        GOAL_S,
        homes=HOMES,
        values=int(told.size),
        forecast_cpu_s=round(told_cpu_s, 1),
        learnt_s=round(learnt_s, 1),
        learnt_cpu_s=round(learnt_cpu_s, 1),
        learn_goal_s=LEARN_GOAL_S,
        threads_of_trees=THREADS,
        model_kb=round(len(model.trees.model_to_string()) / 1000),
        load_of_the_machine=round(os.getloadavg()[0], 1),
        of="recorded homes, each at many sizes and shifted by days, half-hours halved",
    )


def made_up(homes: int) -> Panel:
    """Return as many homes as asked for, made of recorded ones: shifted by days, of other size, in quarter-hours."""
    recorded_wh = recorded.households().wh
    random = np.random.default_rng(1)
    wh = np.empty((homes, DAYS, SLOTS_PER_DAY), np.float32)
    for home in range(homes):
        first = 7 * int(random.integers(0, 5))
        days = recorded_wh[random.integers(0, len(recorded_wh)), first : first + DAYS]
        wh[home] = np.repeat(days / 2 * random.lognormal(0, 0.2), 2, axis=1)
    days_on = [recorded.FIRST_DAY_OF_HOMES + timedelta(day) for day in range(DAYS + 7)]
    dark = darkness(days_on, SLOTS_PER_DAY, *recorded.EDINBURGH, ZoneInfo("Europe/London"))
    return Panel(wh, kinds(days_on, recorded.SCOTLAND), dark)
