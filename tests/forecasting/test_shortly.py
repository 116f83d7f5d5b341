"""The next slot: where the exchange has just been going, and where it goes at this hour."""

import numpy as np
import pytest

from commonwatt.forecasting.shortly import learn, look
from commonwatt.model import InvalidValue

SLOTS, DAYS = 24, 40
RANDOM = np.random.default_rng(2)
DRIFT = np.zeros(SLOTS * DAYS)
for at in range(1, len(DRIFT)):
    DRIFT[at] = 0.8 * DRIFT[at - 1] + RANDOM.normal(0, 20)
POWER = 200 * np.sin(np.arange(SLOTS * DAYS) % SLOTS / SLOTS * 6.28) + DRIFT
OFF = np.arange(SLOTS * DAYS + 1) // SLOTS % 7 >= 5
HALF = SLOTS * 25


def test_the_next_slot_is_forecast_better_than_by_the_last_or_by_yesterday() -> None:
    seen = look(POWER, OFF, SLOTS)
    told, came = learn(seen[:HALF], POWER[:HALF]).expected(seen[HALF:-1]), POWER[HALF:]
    missed = np.abs(told - came).mean()
    assert missed < 0.8 * np.abs(POWER[HALF - 1 : -1] - came).mean()
    assert missed < 0.8 * np.abs(POWER[HALF - SLOTS : -SLOTS] - came).mean()


def test_shuffling_the_future_moves_no_forecast() -> None:
    shuffled = POWER.copy()
    shuffled[HALF:] = np.random.default_rng(1).permutation(shuffled[HALF:])
    first, other = look(POWER, OFF, SLOTS), look(shuffled, OFF, SLOTS)
    np.testing.assert_array_equal(first[: HALF + 1], other[: HALF + 1])
    assert (first[HALF + 1] != other[HALF + 1]).any(), "the test can fail: the slot after has seen it"


def test_the_first_week_and_short_pasts_teach_nothing() -> None:
    seen = look(POWER, OFF, SLOTS)
    assert np.isnan(seen[: 7 * SLOTS]).any(1).all() and np.isfinite(seen[8 * SLOTS :]).all()
    with pytest.raises(InvalidValue, match="400 slots"):
        learn(seen[:300], POWER[:300])
    with pytest.raises(InvalidValue, match="one slot more"):
        look(POWER, OFF[:-1], SLOTS)
