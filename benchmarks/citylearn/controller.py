"""Decide each hour how five homes' batteries charge, over scenarios of the coming day made from past misjudgements."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.citylearn.forecasts import DAY_H, CarbonForecast, LoadForecast, SunForecast
from benchmarks.citylearn.program import Program

Array = NDArray[np.float64]

FROZEN = Path(__file__).with_name("frozen.toml")
YEAR_H = 8760
MONTH_H = 730
FORECAST_LEADS_H = (6, 12, 24)
AHEAD = ("direct_solar_irradiance", "diffuse_solar_irradiance", "electricity_pricing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """All that was chosen beforehand; ``frozen.toml`` says what each value means."""

    horizon_h: int
    scenarios: int
    ramp_weight: float
    peak_weight: float
    peak_floor: float
    stored_value: float
    capacity_kwh: float
    power_kw: float
    efficiency: float
    knee: float
    power_at_knee: float
    power_when_full: float
    prior_h: float
    prior_cost_per_h: float
    prior_carbon_kg_per_h: float
    prior_ramp_kw_per_h: float
    prior_peak_kw: float
    prior_mean_kw: float
    prior_one_minus_load_factor: float

    def __post_init__(self) -> None:
        if not 2 <= self.horizon_h <= DAY_H:
            raise ValueError(f"irradiance is known 2 to 24 hours ahead, horizon_h was {self.horizon_h}")


class Controller:
    """Answer each hour's observations with one action per home, a fraction of the battery's power."""

    def __init__(self, names: Sequence[str], setting: Setting) -> None:
        self._setting = setting
        self._at = {name: [i for i, other in enumerate(names) if other == name] for name in set(names)}
        homes = len(self._at["non_shiftable_load"])
        later = setting.horizon_h - 1
        self._load, self._sun = LoadForecast(homes, later), SunForecast(homes, later)
        self._carbon = CarbonForecast(later)
        self._program = Program(
            homes, setting.horizon_h, setting.scenarios, capacity_kwh=setting.capacity_kwh, power_kw=setting.power_kw,
            efficiency=setting.efficiency, knee=setting.knee, power_at_knee=setting.power_at_knee,
            power_when_full=setting.power_when_full,
        )  # fmt: skip
        self._told: dict[int, Array] = {}
        self._net: list[Array] = []
        self._expected: list[Array] = []
        self._baseline = Baseline(homes, setting)
        self._peak_kw, self._last_peak_kw = 0.0, setting.prior_peak_kw

    def predict(self, observations: Sequence[Sequence[float]]) -> list[list[float]]:
        """Return one list with an action per home, -1 to 1, from one list of the district's observations."""
        setting, hours_seen = self._setting, len(self._net)
        seen = np.asarray(observations[0], dtype=np.float64)
        hour, day_type = int(self._one(seen, "hour")) - 1, int(self._one(seen, "day_type"))
        carbon = self._one(seen, "carbon_intensity")
        load, sun = self._each(seen, "non_shiftable_load"), self._each(seen, "solar_generation")
        coming = self._coming(seen, hours_seen)
        carbons = np.append(carbon, self._carbon.step(hour, carbon))
        expected = self._load.step(hour, day_type, load) - self._sun.step(hour, coming[0, :2], sun, coming[1:, :2])
        now = load - sun
        self._net.append(now)
        self._expected.append(expected)
        self._baseline.add(now, price=coming[0, 2], carbon=carbon)
        last_kw = float(self._each(seen, "net_electricity_consumption").sum()) if hours_seen else float(now.sum())
        self._follow_peak(last_kw, hours_seen)
        import_cost = self._baseline.import_cost(coming[:, 2], carbons)
        peak_kw = max(self._peak_kw, setting.peak_floor * self._last_peak_kw)
        energy_kwh = self._program.solve(
            net_kwh=self._scenarios(now, expected),
            stored_kwh=self._each(seen, "electrical_storage_soc") * setting.capacity_kwh,
            import_cost=import_cost,
            last_kw=last_kw,
            ramp_cost=setting.ramp_weight * self._baseline.ramp_cost(),
            peak_cost=setting.peak_weight * self._baseline.peak_cost(peak_kw),
            peak_so_far_kw=peak_kw,
            month_left_h=MONTH_H - hours_seen % MONTH_H,
            stored_value=setting.stored_value * setting.efficiency * import_cost.mean(axis=1),
        )
        return [[float(action) for action in (energy_kwh / setting.power_kw).clip(-1.0, 1.0)]]

    def _one(self, seen: Array, name: str) -> float:
        return float(seen[self._at[name][0]])

    def _each(self, seen: Array, name: str) -> Array:
        found: Array = seen[self._at[name]]
        return found

    def _coming(self, seen: Array, hours_seen: int) -> Array:
        """Return irradiances and price of this hour and the next, as told by earlier forecasts or between those."""
        self._told.pop(hours_seen - 1, None)
        self._told[hours_seen] = np.array([self._one(seen, name) for name in AHEAD])
        for number, lead_h in enumerate(FORECAST_LEADS_H, start=1):
            told = [self._one(seen, f"{name}_predicted_{number}") for name in AHEAD]
            self._told[hours_seen + lead_h] = np.array(told)
        known = sorted(self._told)
        values = np.array([self._told[hour] for hour in known])
        wanted = hours_seen + np.arange(self._setting.horizon_h)
        return np.column_stack([np.interp(wanted, known, column) for column in values.T])

    def _follow_peak(self, last_kw: float, hours_seen: int) -> None:
        if hours_seen:  # what is told as net consumption is the hour before
            self._peak_kw = max(self._peak_kw, last_kw)
        if hours_seen and hours_seen % MONTH_H == 0:
            self._last_peak_kw, self._peak_kw = self._peak_kw, 0.0

    def _scenarios(self, now: Array, expected: Array) -> Array:
        """Add to the forecast what it missed at this hour of each of the last days."""
        found = np.empty((self._setting.scenarios, len(now), self._setting.horizon_h))
        found[:, :, 0] = now
        found[:, :, 1:] = expected
        for day in range(self._setting.scenarios):
            origin = len(self._net) - 1 - DAY_H * (day + 1)
            if origin >= 2 * DAY_H:
                came = np.array(self._net[origin + 1 : origin + self._setting.horizon_h]).T
                found[day, :, 1:] += came - self._expected[origin]
        return found


class Baseline:
    """What the year would come to without batteries, judged from the hours seen and the prior of the setting.

    The score is the mean of cost, carbon and the mean of ramping and 1 - load factor, each as a ratio to this.
    """

    def __init__(self, homes: int, setting: Setting) -> None:
        self._setting = setting
        self._hours = 0
        self._cost, self._carbon_kg = np.zeros(homes), np.zeros(homes)
        self._ramp_kw, self._last_kw = 0.0, 0.0

    def add(self, net_kwh: Array, *, price: float, carbon: float) -> None:
        """Count one hour, as it would have been without batteries."""
        self._cost += net_kwh.clip(0.0) * price
        self._carbon_kg += net_kwh.clip(0.0) * carbon
        total = float(net_kwh.sum())
        if self._hours:
            self._ramp_kw += max(total - self._last_kw, 0.0)
        self._last_kw = total
        self._hours += 1

    def import_cost(self, prices: Array, carbons: Array) -> Array:
        """Return how much one imported kWh adds to the score, (homes, hours)."""
        cost = self._year(self._cost, self._setting.prior_cost_per_h)
        carbon_kg = self._year(self._carbon_kg, self._setting.prior_carbon_kg_per_h)
        added: Array = (prices / cost[:, None] + carbons / carbon_kg[:, None]) / (3 * len(cost))
        return added

    def ramp_cost(self) -> float:
        """Return how much one kW upwards adds to the score."""
        return float(1 / (6 * self._year(np.array(self._ramp_kw), self._setting.prior_ramp_kw_per_h)))

    def peak_cost(self, peak_kw: float) -> float:
        """Return how much one kW on a month's peak adds to the score, at this peak."""
        slope = self._setting.prior_mean_kw / peak_kw**2
        return slope * MONTH_H / YEAR_H / (6 * self._setting.prior_one_minus_load_factor)

    def _year(self, total: Array, prior_per_h: float) -> Array:
        prior_h = self._setting.prior_h
        return YEAR_H * (total + prior_h * prior_per_h) / (self._hours + prior_h)


def frozen() -> Setting:
    """Return the setting that was frozen."""
    return Setting(**tomllib.loads(FROZEN.read_text(encoding="utf-8")))
