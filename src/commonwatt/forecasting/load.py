"""Forecast the load of homes: one model for all, which learns from everybody's past and knows each home by its own."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.bands import Bands, conformal
from commonwatt.kernels.profiles import FEATURES, MOST_DAYS, profiles
from commonwatt.model import InvalidValue

if TYPE_CHECKING:
    import lightgbm

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Whole = NDArray[np.int32]
MOST_LEAD = 7
ROWS = 120_000
"""Slots to learn from: what one core does in some ten seconds; a night has other work."""
TREES = 90
LIFT = 0.1
"""Share of a home's mean added before the logarithm: less, and standby is learnt to the watt instead of the evening."""
CALIBRATION_DAYS = 7
"""The last days, from which nothing is learnt but how far the rest is off."""
_NARROW = 0.25
"""Least scale of errors as a share of the home's mean: a home that never changed still may."""
_GROUPS = 8
_LEADS = 3
"""Tomorrow errs more than today: bands are learnt for one day ahead, for two, and for three and more."""
_SETTINGS: dict[str, Any] = {
    "objective": "regression_l1",
    "learning_rate": 0.08,
    "num_leaves": 31,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "max_bin": 63,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """What was measured in many homes, and what the calendar says of the days to come.

    Args:
        wh: (homes, days, slots) Wh, oldest first; not a number where nothing was read or only estimated.
        kinds: Kind of each day, as `days.kinds` tells; at least one more than was measured.
        dark: (days, slots), as `sun.darkness` tells; as many days as kinds.

    Raises:
        InvalidValue: Shapes differ, or no day is left to forecast.
    """

    wh: Floats
    kinds: NDArray[np.int8]
    dark: Floats

    def __post_init__(self) -> None:
        if self.wh.ndim != 3 or self.dark.shape != (len(self.kinds), self.wh.shape[2]):
            raise InvalidValue(f"a panel is homes, days, slots, was {self.wh.shape} under a sky of {self.dark.shape}")
        if len(self.kinds) <= self.days or not self.days:
            raise InvalidValue(f"a panel has past and future, was {self.days} days under {len(self.kinds)}")

    @property
    def days(self) -> int:
        """Return how many days were measured."""
        return int(self.wh.shape[1])

    def until(self, day: int) -> "Panel":
        """Return what was known at the start of a day; the calendar stays."""
        return Panel(self.wh[:, :day], self.kinds, self.dark)

    def everyone(self) -> Floats:
        """Return the mean of all homes that were read: (days, slots), not a number where none was."""
        seen = ~np.isnan(self.wh)
        total = np.where(seen, self.wh, 0).sum(0, dtype=np.float64)
        count = seen.sum(0)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class LoadModel:
    """What was learnt; small enough to keep every night's."""

    trees: "lightgbm.Booster"
    bands: Bands
    threads: int

    def expected_wh(self, panel: Panel, lead: int = 1) -> Doubles:
        """Return the median of each home's next day, or of a later one.

        Args:
            panel: What is known; homes need not be those that were learnt from, and one day of theirs is enough.
            lead: 1 for the day after the last measured, up to `MOST_LEAD`.

        Returns:
            (homes, slots) Wh; zero for a home that was never read.
        """
        return self._looked(panel, lead)[0]

    def quantiles_wh(self, panel: Panel, lead: int = 1) -> Doubles:
        """Return what is not exceeded with each probability of `LEVELS_PERMILLE`: (levels, homes, slots) Wh."""
        middle, scale, group = self._looked(panel, lead)
        rows = self.bands.around(middle.ravel(), scale.ravel(), group.ravel(), floor=0.0)
        return rows.reshape(-1, *middle.shape)

    def _looked(self, panel: Panel, lead: int) -> tuple[Doubles, Doubles, NDArray[np.int64]]:
        if not 1 <= lead <= MOST_LEAD or panel.days - 1 + lead >= len(panel.kinds):
            raise InvalidValue(f"a lead is 1 to {MOST_LEAD} days within the calendar, was {lead}")
        homes = np.arange(len(panel.wh), dtype=np.int32)
        return _forecast(self.trees, panel, homes, _all(homes, panel.days - 1 + lead), _all(homes, lead), self.threads)


def fit(panel: Panel, seed: int = 1, threads: int = 1, rows: int = ROWS) -> LoadModel:
    """Learn from the past of many homes; nothing after the panel's last measured day is looked at.

    A part of the days learnt from is shown with a short past, down to one day, and a part with a longer lead: the same
    model so serves who joined yesterday, from the pattern of others, and forecasts a week.

    Args:
        panel: Two weeks or more of at least one home.
        seed: Decides which days are learnt from.
        threads: For the trees.
        rows: Slots to learn from at most.

    Raises:
        InvalidValue: The past is too short, or nothing was measured in it, or nothing in its last days.

    Source: Ke et al., LightGBM, NeurIPS 2017; global models: Montero-Manso & Hyndman, Int. J. Forecasting 37, 2021.
    """
    least = CALIBRATION_DAYS + 3
    if panel.days < least:
        raise InvalidValue(f"a model learns from {least} days or more, was {panel.days}")
    random = np.random.default_rng(seed)
    learnt = panel.days - CALIBRATION_DAYS
    judged = _grow(panel.until(learnt), random, rows, threads, seed)
    bands = _calibrated(judged, panel, random, rows // 2, threads)
    return LoadModel(_grow(panel, random, rows, threads, seed), bands, threads)


def _grow(panel: Panel, random: np.random.Generator, rows: int, threads: int, seed: int) -> "lightgbm.Booster":
    homes, days, slots = panel.wh.shape
    count = min(rows // slots + 1, homes * (days - 1))
    home, day = random.integers(0, homes, count, np.int32), random.integers(1, days, count, np.int32)
    lead = np.minimum(np.where(random.random(count) < 0.7, 1, random.integers(1, MOST_LEAD + 1, count)), day)
    span = np.where(random.random(count) < 0.15, random.integers(1, MOST_DAYS, count), MOST_DAYS)
    seen, level = profiles(
        panel.wh, panel.everyone(), panel.kinds, panel.dark, home, day, lead.astype(np.int32), span.astype(np.int32)
    )
    target = np.log(np.maximum(panel.wh[home, day] / level[:, None], 0) + LIFT).ravel()
    known = ~np.isnan(target)
    if not known.any():
        raise InvalidValue(f"a model learns from what was measured, and in {days} days nothing was")
    import lightgbm  # noqa: PLC0415  loads for a second, for which nobody waits who only wants another command

    data = lightgbm.Dataset(seen.reshape(-1, len(FEATURES))[known], target[known], free_raw_data=True)
    return lightgbm.train({**_SETTINGS, "num_threads": threads, "seed": seed}, data, TREES)


def _calibrated(trees: "lightgbm.Booster", panel: Panel, random: np.random.Generator, rows: int, threads: int) -> Bands:
    homes, days, slots = panel.wh.shape
    count = max(rows // slots, 1)
    home = random.integers(0, homes, count, np.int32)
    day = random.integers(days - CALIBRATION_DAYS, days, count, np.int32)
    ahead = np.random.default_rng(count).integers(2, np.minimum(day, MOST_LEAD) + 1, dtype=np.int32)
    ahead[::2] = 2
    once = slice(None, max(count // 2, 1))
    home, day = (np.concatenate([one, one[once]]) for one in (home, day))
    lead = np.concatenate([np.ones(count, np.int32), ahead[once]])
    middle, scale, group = _forecast(trees, panel, home, day, lead, threads)
    measured = panel.wh[home, day].astype(np.float64)
    return conformal(middle.ravel(), measured.ravel(), scale.ravel(), group.ravel(), _GROUPS * _LEADS)


def _forecast(
    trees: "lightgbm.Booster", panel: Panel, home: Whole, day: Whole, lead: Whole, threads: int
) -> tuple[Doubles, Doubles, NDArray[np.int64]]:
    """Return median, scale of errors and group: (n, slots) each."""
    seen, level = profiles(panel.wh, panel.everyone(), panel.kinds, panel.dark, home, day, lead, _all(home, MOST_DAYS))
    flat = seen.reshape(-1, len(FEATURES))
    told = np.asarray(trees.predict(flat, num_threads=threads), np.float64).reshape(seen.shape[:2])
    middle = np.maximum(np.exp(told) - LIFT, 0)
    spread = np.nan_to_num(seen[:, :, _AT["upper"]] - seen[:, :, _AT["lower"]]) + 0.5 * middle + _NARROW
    reach = np.nan_to_num(seen[:, :, _AT["high"]]) - middle
    group = 4 * (reach > spread) + np.minimum(4 * middle / spread, 3).astype(np.int64)
    size = level[:, None].astype(np.float64)
    group = group + _GROUPS * (np.minimum(lead, _LEADS)[:, None] - 1)
    return middle * size, spread.astype(np.float64) * size, group.astype(np.int64)


def _all(like: Whole, value: int) -> Whole:
    return np.full(len(like), value, np.int32)


_AT = {name: at for at, name in enumerate(FEATURES)}
