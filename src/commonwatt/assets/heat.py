"""How a heated or cooled building behaves, and how its model is fitted from readings (rows H7, H9)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.assets import levels, thermal
from commonwatt.assets.battery import StoreStep
from commonwatt.assets.thermal import Body
from commonwatt.model import (
    SLOT_SECONDS,
    AssetId,
    Constraint,
    Envelope,
    Interval,
    InvalidValue,
    Priority,
    Quantity,
    Refused,
    Relation,
    Store,
    Warmth,
)

SAFE_MC = (12_000, 30_000)
"""What a building may never leave as far as its machine can help it: pipes freeze, people fall ill."""
FULL_K = 10
"""How many kelvins a full store of heat is said to hold: only for what is asked as a share of it."""

# What a fit looks for, and when it believes what it found.
LEAST_READINGS = 96
FASTEST_H, SLOWEST_H = 3.0, 1_000.0
LEAST_SWING_MC = 500
MOST_DOUBT_PERMILLE = 200
HELD_BACK = 4
"""One part in so many of the readings, the last, judges what was fitted to the rest."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pump:
    """A heat pump or an air conditioner: electric power in, heat or cold out.

    Args:
        most_w: Electric power, W.
        least_w: What it draws at least when on; as `most_w` where it is on or off.
        efficiency: ``(outdoor temperature in thousandths of a degree, heat or cold per electricity in permille)``,
            rising in temperature; straight lines between, level beyond. A data sheet has three to five such points.
        cools: True for cold.
        least_run: Slots that it stays on.
        least_rest: Slots that it stays off.
    """

    most_w: int
    least_w: int = 0
    efficiency: tuple[tuple[int, int], ...]
    cools: bool = False
    least_run: int = 1
    least_rest: int = 1

    def __post_init__(self) -> None:
        outdoors = [outdoor for outdoor, _ in self.efficiency]
        if not outdoors or outdoors != sorted(set(outdoors)) or any(value <= 0 for _, value in self.efficiency):
            raise InvalidValue(f"an efficiency is above zero at rising temperatures, was {self.efficiency}")
        if not 0 <= self.least_w <= self.most_w:
            raise InvalidValue(f"the least power is at most the most, was {self.least_w} and {self.most_w} W")

    def permille(self, outdoor_mc: int) -> float:
        """Return heat or cold per electricity at an outdoor temperature, in thousandths."""
        outdoors, values = zip(*self.efficiency, strict=True)
        return float(np.interp(outdoor_mc, outdoors, values))


def warmth(body: Body, pump: Pump, zero_mc: int) -> Warmth:
    """Return how levels show as temperatures: heat above, or cold below, a reference."""
    return Warmth(zero_mc=zero_mc, wh_per_k=-body.wh_per_k if pump.cools else body.wh_per_k)


def envelope(
    asset: AssetId,
    zone: str,
    body: Body,
    pump: Pump,
    *,
    indoor_mc: int,
    outdoor_mc: Sequence[int],
    free_wh: Sequence[int],
    safe_mc: tuple[int, int] = SAFE_MC,
    zero_mc: int = 20_000,
    running: int = 0,
) -> Envelope:
    """Return what a machine can do with a building: heat or cool ahead, as far as the building holds it.

    Its bounds are the safe ones, wide. What people find pleasant is said by `comfort`, which gives way to limits;
    heating before a dear hour, or cooling before a peak, is what a planner makes of the two.

    Args:
        asset: Whose envelope.
        zone: Where.
        body: The building, perhaps from `fit`.
        pump: Its machine.
        indoor_mc: Temperature now, thousandths of a degree Celsius.
        outdoor_mc: n values, as forecast.
        free_wh: n values: heat from sun, people and appliances, Wh.
        safe_mc: Least and most temperature.
        zero_mc: Temperature of level 0.
        running: As in `Envelope`.
    """
    slots, shown = len(outdoor_mc), warmth(body, pump, zero_mc)
    bounds = sorted(thermal.stored_wh(shown, temperature) for temperature in safe_mc)
    gains = [round(pump.permille(outdoor) * body.held()) for outdoor in outdoor_mc]
    return levels.within_reach(
        Envelope(
            asset=asset,
            zone=zone,
            lo_w=(0,) * slots,
            hi_w=(pump.most_w,) * slots,
            least_import_w=pump.least_w,
            least_run=pump.least_run,
            least_rest=pump.least_rest,
            running=running,
            store=Store(
                level_now_wh=thermal.stored_wh(shown, indoor_mc),
                level_min_wh=(bounds[0],) * slots,
                level_max_wh=(bounds[1],) * slots,
                capacity_wh=FULL_K * body.wh_per_k,
                charge_permille=max(1, gains[0]),
                discharge_permille=1000,
                keep_ppm=thermal.keep_ppm(body),
                inflow_wh=tuple(
                    round(thermal.inflow_wh(body, shown, outside, free))
                    for outside, free in zip(outdoor_mc, free_wh, strict=True)
                ),
                gain_permille=tuple(max(1, value) for value in gains),
                warmth=shown,
            ),
        )
    )


def step(
    body: Body,
    pump: Pump,
    level_wh: int,
    power_w: int,
    seconds: int = SLOT_SECONDS,
    *,
    outdoor_mc: int,
    free_wh: int = 0,
    zero_mc: int = 20_000,
) -> StoreStep:
    """Run a machine for a while; below its least power it stays off, above its most it takes the most.

    Levels are heat above, or cold below, `zero_mc`; `thermal.temperature_mc` tells the temperature.
    """
    power_w = 0 if power_w < max(1, pump.least_w) else min(power_w, pump.most_w)
    import_wh = power_w * seconds / 3600
    added_wh = import_wh * pump.permille(outdoor_mc) / 1000
    level = thermal.after(body, warmth(body, pump, zero_mc), level_wh, added_wh, outdoor_mc, free_wh, seconds)
    return StoreStep(round(import_wh), 0, round(level))


def comfort(asset: AssetId, hours: Sequence[tuple[Interval, int, int]], author: str = "") -> tuple[Constraint, ...]:
    """Return what people find pleasant: ``(when, least, most)`` in thousandths of a degree, of the lowest priority."""
    return tuple(
        Constraint(
            quantity=Quantity.TEMPERATURE,
            scope=(asset,),
            relation=relation,
            value=value,
            window=window,
            priority=Priority.COMFORT,
            author=author,
        )
        for window, least, most in hours
        for relation, value in ((Relation.AT_LEAST, least), (Relation.AT_MOST, most))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A building as readings show it.

    Args:
        body: Capacity and loss.
        free_w: Mean heat from sun, people and appliances, W.
        error_mc: By how much its course is off in the last quarter of the readings, root mean square, when it is told
            only the temperature at that quarter's start; that quarter had no part in choosing the model.
        doubt_permille: Relative standard error of capacity and of loss, the larger.
    """

    body: Body
    free_w: int
    error_mc: int
    doubt_permille: int


def fit(indoor_mc: Sequence[int], outdoor_mc: Sequence[int], heat_w: Sequence[int]) -> Fit:
    """Find the building that explains readings: least squares on its whole course, not on single steps.

    A step's difference is smaller than a thermometer's error; over days the course is not. For a time constant the
    course is linear in all else, so the search is over that one number (variable projection, Golub & Pereyra 1973).

    Args:
        indoor_mc: n + 1 readings at the slots' edges, thousandths of a degree Celsius.
        outdoor_mc: n means.
        heat_w: n means of what the machine adds: electric power times its efficiency; below zero for cold.

    Returns:
        The building within physical bounds: capacity, loss, and a time constant from three to a thousand hours.

    Raises:
        Refused: There are too few readings, or nothing happened in them from which a building could be told.
    """
    indoor, outdoor, heat = (np.asarray(values, dtype=np.float64) for values in (indoor_mc, outdoor_mc, heat_w))
    slots = len(outdoor)
    if len(indoor) != slots + 1 or len(heat) != slots:
        raise InvalidValue(f"one indoor reading more than slots, was {len(indoor)}, {slots} and {len(heat)}")
    if slots < LEAST_READINGS:
        raise Refused("too few readings to learn a building from", found=slots, needed=LEAST_READINGS)
    if np.ptp(indoor) < LEAST_SWING_MC or np.ptp(heat) == 0:
        raise Refused(
            "too little happened to learn a building from",
            indoor_swing_mc=int(np.ptp(indoor)),
            heat_swing_w=int(np.ptp(heat)),
        )
    known = slots - slots // HELD_BACK
    kelvins, outside = indoor / 1000, outdoor / 1000
    hours = _best_hours(kelvins[: known + 1], outside[:known], heat[:known])
    found = _course(hours, kelvins[: known + 1], outside[:known], heat[:known])
    kelvin_per_w, free_k = found.weights[0], found.weights[1]
    if kelvin_per_w <= 0 or found.doubt * 1000 > MOST_DOUBT_PERMILLE or not FASTEST_H < hours < SLOWEST_H * 0.99:
        raise Refused(
            "too little happened to learn a building from",
            doubt_permille=round(min(found.doubt, 1_000.0) * 1000),
            allowed=MOST_DOUBT_PERMILLE,
            time_constant_h=round(hours),
        )
    loss_w_per_k = 1 / kelvin_per_w
    body = Body(wh_per_k=max(1, round(hours * loss_w_per_k)), loss_mw_per_k=max(1, round(loss_w_per_k * 1000)))
    free_w = round(free_k * loss_w_per_k)
    told, error = kelvins[known], []
    for slot in range(known, slots):
        steady = outside[slot] + (heat[slot] + free_w) * kelvin_per_w
        told = steady + (told - steady) * body.kept()
        error.append(told - kelvins[slot + 1])
    return Fit(
        body=body,
        free_w=free_w,
        error_mc=round(1000 * float(np.sqrt(np.mean(np.square(error))))),
        doubt_permille=round(found.doubt * 1000),
    )


@dataclass(frozen=True, slots=True)
class _Course:
    weights: _Floats  # kelvin per W, kelvin of free heat, kelvin at the start
    squares: float
    doubt: float


def _course(hours: float, indoor: _Floats, outdoor: _Floats, heat: _Floats, *, doubt: bool = True) -> _Course:
    """Return the best course for a time constant: what is left of it is linear."""
    outside, columns = _responses(hours, outdoor, heat)
    weights: _Floats = np.linalg.lstsq(columns, indoor - outside, rcond=None)[0].astype(np.float64)
    rest = indoor - outside - columns @ weights
    squares = float(rest @ rest)
    if not doubt or weights[0] <= 0:
        return _Course(weights, squares, float("inf"))
    # The time constant is one more unknown: its column is how the course moves with its logarithm.
    nudge = 1e-3
    moved_outside, moved = _responses(hours * (1 + nudge), outdoor, heat)
    along = (moved_outside + moved @ weights - outside - columns @ weights) / nudge
    full = np.column_stack([columns, along])
    # What is left over is not noise from slot to slot but drifts: only so many of the residuals are independent.
    lag = float(rest[1:] @ rest[:-1]) / squares if squares > 0 else 0.0
    independent = max(1.0, len(rest) * (1 - max(0.0, min(lag, 0.999))) / (1 + max(0.0, lag)) - full.shape[1])
    try:
        spread = np.linalg.inv(full.T @ full) * squares / independent
    except np.linalg.LinAlgError:
        return _Course(weights, squares, float("inf"))
    of_loss = float(np.sqrt(max(0.0, spread[0, 0]))) / weights[0]
    mixed = np.array([-1 / weights[0], 0.0, 0.0, 1.0])  # log capacity = log hours - log kelvin per W
    of_capacity = float(np.sqrt(max(0.0, mixed @ spread @ mixed)))
    return _Course(weights, squares, max(of_loss, of_capacity))


def _responses(hours: float, outdoor: _Floats, heat: _Floats) -> tuple[_Floats, _Floats]:
    """Return how a body follows the outdoor temperature, and a watt, a kelvin, and where it began."""
    kept = np.exp(-SLOT_SECONDS / 3600 / hours)
    moved = np.zeros((len(outdoor) + 1, 3))
    pushes = np.column_stack([outdoor, heat, np.ones(len(outdoor))])
    for slot, push in enumerate(pushes):
        moved[slot + 1] = kept * moved[slot] + (1 - kept) * push
    begun = kept ** np.arange(len(outdoor) + 1)
    return moved[:, 0], np.column_stack([moved[:, 1], moved[:, 2], begun])


def _best_hours(indoor: _Floats, outdoor: _Floats, heat: _Floats) -> float:
    """Return the time constant of the best course: the best of a coarse row, then golden sections around it."""

    def squares(log_hours: float) -> float:
        found = _course(float(np.exp(log_hours)), indoor, outdoor, heat, doubt=False)
        return found.squares if found.weights[0] > 0 else float("inf")

    row = np.linspace(np.log(FASTEST_H), np.log(SLOWEST_H), 25)
    best = int(np.argmin([squares(value) for value in row]))
    low, high = float(row[max(0, best - 1)]), float(row[min(len(row) - 1, best + 1)])
    ratio = (5**0.5 - 1) / 2
    for _ in range(30):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if squares(left) < squares(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))
