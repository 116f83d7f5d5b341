"""What was forecast, as it was told then: kept when it is issued, shown and scored later as it was, never told anew."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from commonwatt.forecasting.choice import BASELINES, MONTH, WEEK
from commonwatt.forecasting.foresee import AHEAD, Foretold, means
from commonwatt.forecasting.score import ScoreCard, score_card
from commonwatt.model import LEVELS_PERMILLE, SLOTS_PER_DAY, InvalidValue

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
COMMUNITY = ""
"""The owner of what is about nobody alone."""
PRICE, EXPORT, LOCAL, CARBON = "price", "export price", "local price", "carbon"
OF_NO_HOME = (PRICE, EXPORT, LOCAL, CARBON)
"""What stays one series whichever homes there are."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Issued:
    """One series as it was forecast at one instant.

    Args:
        of: What the series is: load, solar, heat, net or price.
        series: Whose.
        owner: The account that it is about; `COMMUNITY` for sums and prices.
        issued_s: When; nothing after it was looked at.
        homes: Of a sum names the homes that there were: of others it is another series. Else empty.
        model: By what it was forecast.
        used: Whether that was the model, and not a baseline in its place.
        slots_s: When each slot begins: n values.
        quantiles: (levels, n), levels as `LEVELS_PERMILLE`; Wh, or micro per kWh.
        baselines: (2, n): what the two of `choice.BASELINES` said at the same instant.

    Raises:
        InvalidValue: Shapes differ.
    """

    of: str
    series: str
    owner: str
    issued_s: int
    homes: str
    model: str
    used: bool
    slots_s: Whole
    quantiles: Whole
    baselines: Whole

    def __post_init__(self) -> None:
        count = len(self.slots_s)
        if self.quantiles.shape != (len(LEVELS_PERMILLE), count) or self.baselines.shape != (len(BASELINES), count):
            raise InvalidValue(
                f"an issue has {len(LEVELS_PERMILLE)} levels and {len(BASELINES)} baselines of each slot, "
                f"was {self.quantiles.shape}, {self.baselines.shape} of {count}"
            )

    def first_day(self) -> "Issued":
        """Return what it says of the day that it was issued on."""
        day = slice(SLOTS_PER_DAY)
        return replace(
            self,
            slots_s=self.slots_s[day].copy(),
            quantiles=self.quantiles[:, day].copy(),
            baselines=self.baselines[:, day].copy(),
        )


def issued(of: str, owner: str, told: Foretold, issued_s: int, homes: str, starts_s: Whole) -> Issued:
    """Return what is told of a series from today on, in whole numbers.

    Args:
        of: As for `Issued`.
        owner: Likewise.
        told: As it is foreseen today.
        issued_s: Likewise.
        homes: Likewise.
        starts_s: When each slot of the days that are told begins: (days, slots), today's the first of the last `AHEAD`.

    Raises:
        InvalidValue: What is told is not finite.
    """
    return Issued(
        of=of,
        series=told.series,
        owner=owner,
        issued_s=issued_s,
        homes=homes,
        model=told.model,
        used=told.choice.used,
        slots_s=starts_s[-AHEAD:].ravel(),
        quantiles=_whole(told.quantiles_wh[:, -AHEAD:].reshape(len(LEVELS_PERMILLE), -1)),
        baselines=_whole(np.stack([told.plain_wh[of][-AHEAD:].ravel() for of in BASELINES])),
    )


def as_told(now: Foretold, starts_s: Whole, before: Iterable[Issued]) -> Foretold:
    """Return a series whose days are told as they were told then, with a card of how good that was.

    Days of which nothing is kept are told as they would be now.

    Args:
        now: As it is foreseen today.
        starts_s: As for `issued`.
        before: What was issued of it, in order; of two issues of one day the later stands.
    """
    days, slots = now.expected_wh.shape
    by_day = {int(one.slots_s[0]): one for one in before if one.quantiles.shape[1] >= slots}
    # Of days to come nothing was issued yet, unless a clock went back: that is not told today.
    begun_s = starts_s[-days:, 0].tolist()[: days - AHEAD + 1]
    kept = [(day, by_day[at_s]) for day, at_s in enumerate(begun_s) if at_s in by_day]
    quantiles, expected = now.quantiles_wh.copy(), now.expected_wh.copy()
    for day, told in kept:
        # Today's issue tells the days after it as well; an earlier one is asked for the day that it was issued on.
        count = min(AHEAD, told.quantiles.shape[1] // slots) if day == days - AHEAD else 1
        rows = told.quantiles[:, : count * slots].reshape(len(LEVELS_PERMILLE), count, slots).astype(np.float64)
        quantiles[:, day : day + count] = rows
        expected[day : day + count] = _expected(told, rows)
    card = _card(now, [(day, told) for day, told in kept if day < days - AHEAD], slots)
    return replace(now, quantiles_wh=quantiles, expected_wh=expected, told=card)


def _expected(told: Issued, rows: Floats) -> Floats:
    """Return what plans would have gone by: means of what the model said, or the baseline that took its place."""
    if told.model not in BASELINES:
        return means(rows)
    plain = told.baselines[list(BASELINES).index(told.model)]
    rows_wh: Floats = plain[: rows[0].size].reshape(rows.shape[1:]).astype(np.float64)
    return rows_wh


def _card(now: Foretold, kept: Sequence[tuple[int, Issued]], slots: int) -> ScoreCard | None:
    """Return how good what was told of finished days was; None where nothing came that could tell."""
    came = np.array([now.measured_wh[day] for day, _ in kept]).ravel()
    if not np.nansum(np.abs(came)) > 0:
        return None
    rows = np.concatenate([told.quantiles[:, :slots] for _, told in kept], 1).astype(np.float64)
    plain = np.concatenate([told.baselines[:, :slots] for _, told in kept], 1).astype(np.float64)
    week, month = (plain[list(BASELINES).index(of)] for of in (WEEK, MONTH))
    last, past = kept[-1][1], now.measured_wh[: kept[0][0]].ravel()
    return score_card(now.series, last.model, last.used, rows, came, week, month, past, slots)


def _whole(values: Floats) -> Whole:
    if not np.isfinite(values).all():
        raise InvalidValue("a forecast is finite, and this one is not everywhere")
    return np.rint(values).astype(np.int64)
