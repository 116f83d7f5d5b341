"""The two ends of the scale: charging at once, and a linear program that knows every stay beforehand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from benchmarks.workplace.sessions import SLOT_HOURS, SLOT_S, Session

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
SHORT = 0.02
"""A departure is met when no more than this share is missing."""
HELD_KWH = 1e-6
"""By how much the second program may miss what the first one reached: more than the solver errs."""


@dataclass(frozen=True, slots=True)
class Charged:
    """What was charged: kWh and USD per session, and kWh of the site per slot."""

    kwh: dict[str, float]
    usd: dict[str, float]
    site_kwh: dict[int, float]


def at_once(sessions: Sequence[Session], price: Callable[[int], float]) -> Charged:
    """Charge every car at full power from plug-in until it has its need or leaves: no cap, no tariff."""
    kwh, usd, site = dict[str, float](), dict[str, float](), dict[int, float]()
    for session in sessions:
        kwh[session.id], usd[session.id] = session.feasible_kwh, 0.0
        end = session.arrive_s + session.feasible_kwh / session.most_kw * 3600
        for slot, hours in presence(session.arrive_s, end):
            site[slot] = site.get(slot, 0.0) + session.most_kw * hours
            usd[session.id] += session.most_kw * hours * price(slot)
    return Charged(kwh, usd, site)


def foreseen(
    sessions: Sequence[Session], price: Callable[[int], float], cap_kw: float, *, as_said: bool = False
) -> Charged:
    """Return the least cost of one stretch with every stay known: as much energy as there can be, then money.

    Slots are quarter-hours in which a car takes up to its station's power for as long as it is there; the cap is on
    the mean of a slot and there is no least power: no real controller can do better.

    Args:
        sessions: One stretch.
        price: USD per kWh of a slot.
        cap_kw: Most mean power of the site.
        as_said: True to keep besides the promise that a controller must keep, since it cannot know who stays longer:
            at its stated departure every car that is still there has what it could have had by then, less 2 %.
    """
    stays = [(car, *part) for car, s in enumerate(sessions) for part in presence(s.arrive_s, s.leave_s)]
    car, slot = (np.array([stay[place] for stay in stays], np.int64) for place in (0, 1))
    power = np.array([session.most_kw for session in sessions])
    needs = np.array([session.need_kwh for session in sessions])
    most = np.array([hours for _, _, hours in stays]) * power[car]
    first, count = int(slot.min()), len(sessions)
    row, every = slot - first, np.arange(len(stays))
    height = int(row.max()) + 1
    usd = np.array([price(first + number) for number in range(height)])[row]
    solver = highspy.Highs()  # type: ignore[no-untyped-call]  # the wheel ships no stub for its constructor
    solver.silent()
    solver.setOptionValue("threads", 1)
    _columns(solver, np.full(len(stays), -1.0), most)
    _rows(solver, car, every, np.zeros(count), needs)
    _rows(solver, row, every, np.zeros(height), np.full(height, cap_kw * SLOT_HOURS))
    if as_said:
        says = np.array([s.says_s for s in sessions])
        soon = slot * SLOT_S < says[car]
        hours = np.array([(s.says_s - s.arrive_s) / 3600 if s.as_said else 0.0 for s in sessions])
        due = (1 - SHORT) * np.minimum(needs, power * hours)
        missing = np.arange(len(stays), len(stays) + count)
        _columns(solver, np.ones(count), np.full(count, np.inf))  # a kWh late counts as one not delivered
        cars, columns = np.r_[car[soon], np.arange(count)], np.r_[every[soon], missing]
        _rows(solver, cars, columns, due, np.full(count, np.inf))
    solver.run()
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal, "charging nothing is always feasible"
    width = solver.getNumCol()
    energy = np.array(solver.getLp().col_cost_)
    reached = float(solver.getInfo().objective_function_value)
    solver.addRow(-np.inf, reached + HELD_KWH, width, np.arange(width, dtype=np.int32), energy)
    money = np.r_[usd, np.zeros(width - len(stays))]
    solver.changeColsCost(width, np.arange(width, dtype=np.int32), money)
    solver.run()
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal, "what was reached once can be reached again"
    kwh = np.array(solver.getSolution().col_value)[: len(stays)]
    names = [session.id for session in sessions]
    return Charged(
        dict(zip(names, np.bincount(car, kwh, count).tolist(), strict=True)),
        dict(zip(names, np.bincount(car, kwh * usd, count).tolist(), strict=True)),
        {first + number: got for number, got in enumerate(np.bincount(row, kwh, height).tolist())},
    )


def presence(start_s: float, end_s: float) -> list[tuple[int, float]]:
    """Return for each slot between two instants how many hours of it lie between them."""
    slots = range(int(start_s // SLOT_S), int(-(-end_s // SLOT_S)))
    return [(slot, (min(end_s, (slot + 1) * SLOT_S) - max(start_s, slot * SLOT_S)) / 3600) for slot in slots]


def _columns(solver: highspy.Highs, cost: Floats, most: Floats) -> None:
    none = np.zeros(0, np.int32)
    starts = np.zeros(len(cost), np.int32)
    solver.addCols(len(cost), cost, np.zeros(len(cost)), most, 0, starts, none, np.zeros(0))


def _rows(solver: highspy.Highs, row: Numbers, column: Numbers, low: Floats, high: Floats) -> None:
    """Keep one sum of columns per number in `row` between bounds."""
    order = np.argsort(row, kind="stable")
    starts = np.searchsorted(row[order], np.arange(len(low))).astype(np.int32)
    solver.addRows(len(low), low, high, len(column), starts, column[order].astype(np.int32), np.ones(len(column)))
