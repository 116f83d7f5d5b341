"""Our controller: decide at night how full the battery shall be at 06:00, from days that followed days like today."""

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.solarhome.world import (
    BATTERY_KWH,
    DAY_EUR_PER_KWH,
    FIRST_DAY,
    MOST_IMPORT_KWH,
    NIGHT,
    NIGHT_EUR_PER_KWH,
    SLOTS,
    Floats,
    Now,
)

FROZEN = Path(__file__).with_name("frozen.toml")
CLOCKS_FORWARD = (date(2011, 10, 2) - FIRST_DAY).days
"""Sydney's clocks went an hour forward; sun recorded before is moved by two half-hours once that day has come."""
LEVELS = np.linspace(0.0, BATTERY_KWH, 81)
DARK_KWH = 0.01
LEAST_DAYS = 5
"""The first days show too little of the sky to be judged by it."""
NIGHTS_AHEAD = 2
"""How often the value of a kWh at midnight is improved; a battery of 8 kWh carries little beyond the second night."""


def read_frozen(path: Path = FROZEN) -> dict[str, Any]:
    """Read the settings that were fixed before the test month."""
    return tomllib.loads(path.read_text())


@dataclass(frozen=True, slots=True)
class Night:
    """The aim of one night: energy at 06:00, and the load that is expected in each half-hour until then, kWh."""

    target_kwh: float
    expected_kwh: Floats


class LateDay:
    """Fills the battery at night up to a target, as late as the import limit allows; by day it buys nothing.

    The day's price is flat and the battery loses nothing, so by day no rule beats covering the load from the battery.
    The only choice is the level at 06:00. Tomorrow's sun is one of the recorded days, moved to this season's clear sky
    and weighted by how alike the afternoons before were; its load is one of the last weeks' days, those with a like sky
    first; a kWh left at midnight is worth what it saves later. The target has the least expected cost.

    Source: kernel-based value iteration, Ormoneit & Sen, Kernel-Based Reinforcement Learning, 2002.
    """

    def __init__(self, frozen: dict[str, Any] | None = None) -> None:
        self._frozen = frozen or read_frozen()
        self._night: Night | None = None

    def buy_kwh(self, now: Now) -> float:
        """Return what still fits into no later half-hour of the night."""
        if now.slot == 0 or self._night is None:
            self._night = self.plan(now.past_load_kwh, now.past_sun_kwh)
        if now.slot >= NIGHT:
            return 0.0
        later = float(self._night.expected_kwh[now.slot + 1 :].sum())
        wanted = self._night.target_kwh + later + now.load_kwh - now.sun_kwh - now.stored_kwh
        return max(wanted - MOST_IMPORT_KWH * (NIGHT - 1 - now.slot), 0.0)

    def plan(self, past_load_kwh: Floats, past_sun_kwh: Floats) -> Night:
        """Choose the night's target from all whole days that were measured."""
        today = len(past_load_kwh) // SLOTS
        load = past_load_kwh[: today * SLOTS].reshape(-1, SLOTS)
        sun = past_sun_kwh[: today * SLOTS].reshape(-1, SLOTS)
        if today >= CLOCKS_FORWARD:
            sun = np.vstack([np.roll(sun[:CLOCKS_FORWARD], 2, axis=1), sun[CLOCKS_FORWARD:]])
        level_days = self._frozen["load"]["level_days"]
        expected = (load[-level_days:, :NIGHT] - sun[-level_days:, :NIGHT]).mean(0)
        cost = self._expected_eur(load, sun, float(expected.sum())) + NIGHT_EUR_PER_KWH * LEVELS
        return Night(float(LEVELS[np.argmin(np.round(cost, 6))]), expected)

    def _expected_eur(self, load: Floats, sun: Floats, night_kwh: float) -> Floats:
        """Return the expected cost after 06:00 per level at 06:00."""
        weights, days_sun, clearness = self._suns(sun)
        loads, load_weights = self._loads(load, clearness)
        cost, end = _day(days_sun, loads)
        cost = np.einsum("jm,jma->ja", load_weights, cost)
        low = np.minimum((end / LEVELS[1]).astype(np.int64), len(LEVELS) - 2)
        share = end / LEVELS[1] - low
        rows = np.arange(len(days_sun))[:, None, None]
        value = np.tile(-NIGHT_EUR_PER_KWH / 2 * LEVELS, (len(days_sun), 1))
        for _ in range(NIGHTS_AHEAD):
            after = value[rows, low] * (1 - share) + value[rows, low + 1] * share
            day = cost + np.einsum("jm,jma->ja", load_weights, after)
            value = _night(weights[1:] @ day, night_kwh)
        after = value[rows, low] * (1 - share) + value[rows, low + 1] * share
        last: Floats = weights[-1] @ (cost + np.einsum("jm,jma->ja", load_weights, after))
        return last

    def _suns(self, sun: Floats) -> tuple[Floats, Floats, Floats]:
        """Return how much recorded days speak for each day (last: today), their sun in this season, their clearness."""
        days, sky, late = self._frozen["days"], self._frozen["sky"], self._frozen["late_day"]
        today, least = len(sun), LEAST_DAYS
        window = sky["window_days"]
        clear = np.array(
            [np.quantile(sun[max(0, d - window) : max(d, least)], sky["quantile"], axis=0) for d in range(today + 1)]
        )
        share = np.where(clear[:-1] > DARK_KWH, sun / np.maximum(clear[:-1], DARK_KWH), 0.0)
        scenarios = np.minimum(share, sky["brightest"])[least:] * clear[-1]
        hours = slice(late["first_slot"], late["end_slot"])
        feature = sun[:, hours].sum(1) / clear[:-1, hours].sum(1)
        apart = feature[least - 1 :, None] - feature[None, least - 1 : -1]
        age = 0.5 ** (np.arange(today - least, 0, -1) / days["half_life_days"])
        alike = np.exp(-((apart / days["kernel_width"]) ** 2) / 2) * age + 1e-12 * age
        weights = (1 - days["equal_share"]) * alike / alike.sum(1, keepdims=True)
        weights += days["equal_share"] * age / age.sum()
        return weights, scenarios, sun.sum(1) / clear[:-1].sum(1)

    def _loads(self, load: Floats, clearness: Floats) -> tuple[Floats, Floats]:
        """Return the last weeks' days at the level of the last days, and their weights under each recorded sky."""
        frozen = self._frozen["load"]
        today = len(load)
        recent = np.arange(max(1, today - frozen["window_days"]), today)

        def level(d: int) -> float:
            return float(load[max(0, d - frozen["level_days"]) : d].mean())

        scale = np.array([level(today) / level(int(d)) for d in recent])
        apart = clearness[LEAST_DAYS:, None] - clearness[None, recent]
        weights = np.exp(-((apart / frozen["clearness_width"]) ** 2) / 2) + frozen["any_sky_share"]
        weights *= 0.5 ** ((today - recent) / frozen["half_life_days"])
        return load[recent] * scale[:, None], weights / weights.sum(1, keepdims=True)


def _day(suns: Floats, loads: Floats) -> tuple[Floats, Floats]:
    """Live greedily from 06:00 to midnight for every sun, load and starting level; return cost and end level."""
    end = np.tile(LEVELS, (len(suns), len(loads), 1))
    cost = np.zeros_like(end)
    for slot in range(NIGHT, SLOTS):
        end += (suns[:, None, slot] - loads[None, :, slot])[:, :, None]
        cost -= np.minimum(end, 0.0)
        np.clip(end, 0.0, BATTERY_KWH, out=end)
    return DAY_EUR_PER_KWH * cost, end


def _night(after: Floats, night_kwh: float) -> Floats:
    """Return the cost from midnight per level, given the cost after 06:00 per level and the night's load."""
    cost = NIGHT_EUR_PER_KWH * LEVELS + after
    best = np.minimum.accumulate(cost[:, ::-1], axis=1)[:, ::-1]
    least_level = np.clip(LEVELS - night_kwh, 0.0, BATTERY_KWH)
    bought = np.array([np.interp(least_level, LEVELS, row) for row in best])
    value: Floats = bought + NIGHT_EUR_PER_KWH * (night_kwh - LEVELS)
    return value
