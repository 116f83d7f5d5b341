"""Forecast load, sunshine and carbon for the hours ahead, learning only from the hours already seen."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

DAY_H = 24
FIRST_WEIGHTS = (0.0, 0.3, 0.3, 0.4, 0.0, 0.0, 0.0, 0.0)
FAST, SLOW, WEEKLY = 0.25, 0.05, 0.12
LOAD_RIDGE = 100.0
SUN_RIDGE, SUN_MEMORY, SUN_PERSISTENCE = 0.03, 0.97, 0.87
CARBON_STEP, CARBON_PERSISTENCE = 0.15, 0.97


class LoadForecast:
    """Load of each home: hourly profiles and the latest surprises, weighted by one ridge regression per lead.

    Homes share the regressions, each scaled by its own mean; the profiles follow at three speeds.
    """

    def __init__(self, homes: int, ahead_h: int) -> None:
        features = len(FIRST_WEIGHTS)
        self._leads: Index = np.arange(1, ahead_h + 1)
        self._seen = 0
        self._mean = np.zeros(homes)
        self._fast, self._slow, self._latest = (np.zeros((homes, DAY_H)) for _ in range(3))
        self._weekly = np.zeros((homes, 2, DAY_H))
        self._times, self._weekly_times = np.zeros(DAY_H), np.zeros((2, DAY_H))
        self._surprises = np.zeros((homes, DAY_H))
        self._prior = np.tile(np.array(FIRST_WEIGHTS), (ahead_h, 1))
        self._prior[:, 5] = 0.5 * 0.6 ** np.arange(ahead_h)
        self._weights = self._prior.copy()
        self._gram = np.zeros((ahead_h, features, features))
        self._moment = np.zeros((ahead_h, features))
        self._asked = np.zeros((ahead_h, ahead_h, homes, features))
        self._scales = np.ones((ahead_h, homes))

    def step(self, hour: int, day_type: int, load_kwh: Array) -> Array:
        """Learn one hour and return the load ahead, (homes, ahead_h) in kWh; ``day_type`` 6 and 7 are weekend."""
        weekend = int(day_type > 5)
        gain = 1.0 if self._seen == 0 else max(0.003, 1 / (self._seen + 1))
        self._mean += gain * (load_kwh - self._mean)
        expected = self._mean
        if self._times[hour]:
            mixed = (self._fast[:, hour], self._slow[:, hour], self._weekly[:, weekend, hour])
            expected = np.array(FIRST_WEIGHTS[1:4]) @ np.array(mixed)
        self._surprises = np.roll(self._surprises, 1, axis=1)
        self._surprises[:, 0] = load_kwh - expected
        self._learn(load_kwh)
        self._follow(hour, weekend, load_kwh)
        if self._seen % DAY_H == 0 and self._seen > 3 * DAY_H:
            ridge = LOAD_RIDGE * np.eye(self._gram.shape[1])
            moment = self._moment + LOAD_RIDGE * self._prior
            self._weights = np.linalg.solve(self._gram + ridge, moment[:, :, None])[:, :, 0]
        features = self._features((hour + self._leads) % DAY_H, (day_type - 1 + (hour + self._leads) // DAY_H) % 7 > 4)
        slot = self._seen % len(self._leads)
        self._asked[slot], self._scales[slot] = features, np.maximum(self._mean, 0.05)
        self._seen += 1
        ahead: Array = np.einsum("kbf,kf->bk", features, self._weights).clip(0.0)
        return ahead

    def _learn(self, load_kwh: Array) -> None:
        ripe = self._leads[self._seen - self._leads >= 2 * DAY_H]
        slots = (self._seen - ripe) % len(self._leads)
        scales = self._scales[slots]
        asked = self._asked[slots, ripe - 1] / scales[:, :, None]
        self._gram[ripe - 1] += np.einsum("kbf,kbg->kfg", asked, asked)
        self._moment[ripe - 1] += np.einsum("kbf,kb->kf", asked, load_kwh / scales)

    def _follow(self, hour: int, weekend: int, load_kwh: Array) -> None:
        times, weekly_times = self._times[hour], self._weekly_times[weekend, hour]
        for profile, speed in ((self._fast, FAST), (self._slow, SLOW)):
            profile[:, hour] += _gain(speed, times) * (load_kwh - profile[:, hour])
        weekly = self._weekly[:, weekend, hour]
        self._weekly[:, weekend, hour] = weekly + _gain(WEEKLY, weekly_times) * (load_kwh - weekly)
        self._latest[:, hour] = load_kwh
        self._times[hour] += 1
        self._weekly_times[weekend, hour] += 1

    def _features(self, hours: Index, weekends: NDArray[np.bool_]) -> Array:
        days = weekends.astype(np.int64)
        mean = np.tile(self._mean, (len(hours), 1))
        known, known_weekly = (self._times[hours] > 0)[:, None], (self._weekly_times[days, hours] > 0)[:, None]
        slow = np.where(known, self._slow[:, hours].T, mean)
        recent = [self._surprises[:, :span].mean(axis=1) for span in (1, 3, DAY_H)]
        columns = [
            mean,
            np.where(known, self._fast[:, hours].T, mean),
            slow,
            np.where(known_weekly, self._weekly[:, days, hours].T, slow),
            np.where(known, self._latest[:, hours].T, mean),
            *(np.tile(surprise, (len(hours), 1)) for surprise in recent),
        ]
        return np.stack(columns, axis=2)


class SunForecast:
    """Generation of each home from forecast irradiance: a regression per hour of day, and the last hour's surprise."""

    def __init__(self, homes: int, ahead_h: int) -> None:
        self._leads: Index = np.arange(1, ahead_h + 1)
        self._fading = SUN_PERSISTENCE**self._leads
        self._gram, self._moment = np.zeros((DAY_H, 3, 3)), np.zeros((DAY_H, 3, homes))
        self._all_gram, self._all_moment = np.zeros((3, 3)), np.zeros((3, homes))
        self._weights = np.zeros((DAY_H, 3, homes))
        self._top = np.zeros((DAY_H, homes))
        self._surprise = np.zeros(homes)

    def step(self, hour: int, irradiance: Array, generated_kwh: Array, coming: Array) -> Array:
        """Learn one hour's generation and return the hours ahead, (homes, ahead_h) in kWh.

        Args:
            hour: Hour of day, 0 to 23.
            irradiance: Direct and diffuse now, in W/m2.
            generated_kwh: Each home's generation in this hour.
            coming: Direct and diffuse of the hours ahead, (ahead_h, 2).
        """
        row = np.array([1.0, *(irradiance / 1000.0)])
        found = generated_kwh - (row @ self._weights[hour]).clip(0.0)
        top = self._top[hour]
        bright = top > 0.1 * self._top.max(axis=0)
        relative = (found / np.maximum(top, 1e-6)).clip(-1.0, 1.0)
        self._surprise = np.where(bright, relative, self._surprise * SUN_PERSISTENCE)
        self._gram[hour] = self._gram[hour] * SUN_MEMORY + np.outer(row, row)
        self._moment[hour] = self._moment[hour] * SUN_MEMORY + np.outer(row, generated_kwh)
        self._all_gram = self._all_gram * 0.998 + np.outer(row, row)
        self._all_moment = self._all_moment * 0.998 + np.outer(row, generated_kwh)
        self._top[hour] = np.maximum(top * 0.995, generated_kwh)
        shared = np.linalg.solve(self._all_gram + 1e-3 * np.eye(3), self._all_moment)
        ridge = SUN_RIDGE * np.eye(3)
        self._weights[hour] = np.linalg.solve(self._gram[hour] + ridge, self._moment[hour] + ridge @ shared)
        hours = (hour + self._leads) % DAY_H
        rows = np.column_stack([np.ones(len(hours)), coming / 1000.0])
        tops = self._top[hours].T
        ahead = np.einsum("kj,kjb->bk", rows, self._weights[hours]) + self._surprise[:, None] * self._fading * tops
        bounded: Array = np.minimum(ahead, 1.1 * tops).clip(0.0)
        return bounded


class CarbonForecast:
    """Carbon intensity: an hourly profile, and the present distance from it, fading."""

    def __init__(self, ahead_h: int) -> None:
        self._leads: Index = np.arange(1, ahead_h + 1)
        self._profile = np.full(DAY_H, np.nan)

    def step(self, hour: int, carbon_kg_per_kwh: float) -> Array:
        """Learn one hour's intensity and return the hours ahead, ahead_h values in kg/kWh."""
        before = self._profile[hour]
        known = carbon_kg_per_kwh if np.isnan(before) else float(before)
        self._profile[hour] = known + CARBON_STEP * (carbon_kg_per_kwh - known)
        profile = self._profile[(hour + self._leads) % DAY_H]
        distance = (carbon_kg_per_kwh - known) * CARBON_PERSISTENCE**self._leads
        ahead: Array = np.where(np.isnan(profile), carbon_kg_per_kwh, profile) + distance
        return ahead


def _gain(speed: float, times: Any) -> float:
    return 1.0 if times == 0 else max(speed, 1.0 / (float(times) + 1.0))
