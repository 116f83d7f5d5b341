"""The fleet engine: a problem in, a plan out, at any size, with the gap proven."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from commonwatt.flexibility.effort import Effort, Progress
from commonwatt.flexibility.fleet.build import Built, build
from commonwatt.flexibility.fleet.solve import Found, solve
from commonwatt.flexibility.fleet.sweep import threads
from commonwatt.flexibility.missed import missed
from commonwatt.flexibility.problem import SLOT_HOURS, Plan, Problem
from commonwatt.model import AssetId, Envelope, Refused

Wholes = NDArray[np.int64]


def plan(problem: Problem, effort: Effort | None = None) -> Plan:
    """Return a plan whose cost is within a proven gap of the best, for any number of assets.

    Priorities hold by weight: each rank counts so much more than the next that no amount of the lower is worth it.

    Raises:
        Refused: Something in the problem is for the exact engine alone; says what.
    """
    effort = effort or Effort(gap=1e-3)
    began = perf_counter()
    built = build(problem)
    cancelled = False

    def heard(stage: str, gap: float) -> bool:
        nonlocal cancelled
        seconds = perf_counter() - began
        go_on = effort.progress is None or effort.progress(Progress(doing=stage, seconds=seconds))
        cancelled = not go_on or (effort.seconds is not None and seconds > effort.seconds)
        return not cancelled

    fleet = built.fleet
    most = int(np.diff(fleet.assets.wish).max(initial=0))
    found = solve(fleet, built.high, built.low, effort.gap, heard, threads(problem.slots, most))
    plan = _read(problem, built, found)
    for envelope in problem.envelopes:
        _hold_to_its_band(envelope, plan.level_wh.get(envelope.asset, ()))
    return replace(plan, ended="stopped") if cancelled or plan.gap > effort.gap else plan


def _hold_to_its_band(envelope: Envelope, level_wh: Sequence[int]) -> None:
    """Refuse where a device would leave its own bounds: nothing may, whatever is stated."""
    store = envelope.store
    if store is None:
        return
    # Whole watts move a level by half a watt a slot at most, as often as there is a choice.
    for slot, level in enumerate(level_wh):
        gain = (store.gain_permille[slot] if store.gain_permille else store.charge_permille) / 1000
        spare = 1.0 + 0.5 * SLOT_HOURS * max(gain, 1000 / store.discharge_permille) * (slot + 1) ** 0.5
        low, high = store.level_min_wh[slot], store.level_max_wh[slot]
        if not low - spare <= level <= high + spare:
            raise Refused(
                "a device keeps its own bounds, which the fleet engine found no way to",
                asset=envelope.asset, slot=slot, level_wh=level, bounds_wh=f"{low} to {high}",
            )  # fmt: skip


def _read(problem: Problem, built: Built, found: Found) -> Plan:
    fleet = built.fleet
    told = {problem.envelopes[row].asset: fleet.power[at].astype(np.int64) for at, row in enumerate(built.rows)}
    power_w: dict[AssetId, tuple[int, ...]] = {}
    level_wh: dict[AssetId, tuple[int, ...]] = {}
    exchange = np.zeros(problem.slots, np.int64)
    cost = 0.0
    behind: dict[str, Wholes] = {
        connection.name: np.zeros(problem.slots, np.int64) for connection in problem.connections
    }
    for envelope in problem.envelopes:
        power = told.get(envelope.asset)
        power = np.array(envelope.lo_w, np.int64) if power is None else power
        exchange += power
        if envelope.connection in behind:
            behind[envelope.connection] += power
        if envelope.asset in told:
            power_w[envelope.asset] = tuple(int(w) for w in power)
            cost -= np.minimum(power, 0).sum() * SLOT_HOURS * envelope.supply_micro_per_kwh / 1000
        if envelope.store and envelope.asset in told:
            levels = levels_wh(envelope, power)
            level_wh[envelope.asset] = tuple(round(level) for level in levels)
            store = envelope.store
            cost -= np.minimum(power, 0).sum() * SLOT_HOURS * store.wear_micro_per_kwh / 1000
            if min(envelope.lo_w) < 0:
                cost -= problem.final_value_micro_per_kwh / 1000 * store.discharge_permille / 1000 * levels[-1]
    cost += _energy(exchange, problem.import_price, np.minimum(problem.import_price, problem.export_price))
    for connection in problem.connections:
        cost += _energy(behind[connection.name], connection.import_fee, -np.array(connection.export_fee))
    worth = fleet.nodes.price[0] * 1000
    return Plan(
        start=problem.start,
        power_w=power_w,
        level_wh=level_wh,
        exchange_w=tuple(int(w) for w in exchange),
        cost_micro=round(cost),
        unmet=missed(problem, power_w, level_wh),
        # What penalties the plan bears a plan that keeps statements as well bears too, or less.
        bound_micro=round(cost - max(0.0, found.cost - found.bound)),
        worth_micro_per_kwh=tuple(round(float(p)) for p in worth),
        engine="fleet",
    )


def levels_wh(envelope: Envelope, power_w: Wholes) -> list[float]:
    """Return the levels that powers lead to, Wh at each slot's end."""
    store = envelope.store
    assert store is not None
    level, levels = float(store.level_now_wh), []
    for slot, watts in enumerate(power_w):
        gain = (store.gain_permille[slot] if store.gain_permille else store.charge_permille) / 1000
        level = level * store.keep_ppm / 1e6 + (store.inflow_wh[slot] if store.inflow_wh else 0)
        wh = float(watts) * SLOT_HOURS
        level += wh * gain if wh >= 0 else wh * 1000 / store.discharge_permille
        levels.append(level)
    return levels


def _energy(
    power: Wholes, buy: Mapping[int, int] | NDArray[np.int64] | tuple[int, ...], sell: NDArray[np.int64]
) -> float:
    wh = power * SLOT_HOURS
    return float((np.maximum(wh, 0) * np.asarray(buy) + np.minimum(wh, 0) * np.asarray(sell)).sum() / 1000)
