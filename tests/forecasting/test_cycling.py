"""A pump that starts too often is found in the quarter-hours of its meter; one that runs and rests is left alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pumps import Circuit, drawn_wh, english_weather, needs_weather, turned_down

from commonwatt.forecasting.cycling import CYCLING_AT_HOURS, short_cycling
from commonwatt.forecasting.health import FALSE_ALARMS_PERMILLE, Ailment
from commonwatt.model import SLOTS_PER_DAY

SEASONS = ("2020-10-01", "2021-01-02", "2021-03-20", "2021-09-20")
DAYS, FIRST = 30, 3
HEALTHY = {
    "turned down": Circuit(pump=turned_down()),
    "turned down, less water": Circuit(pump=turned_down(), wh_per_k=300),
    "on or off, a buffer": Circuit(pump=turned_down(2_000, 2_000), wh_per_k=1_200, follows=False, hysteresis_k=8),
    "on or off, a floor": Circuit(
        pump=turned_down(2_500, 2_500),
        wh_per_k=2_500,
        gives_mw_per_k=600_000,
        steep=0.35,
        follows=False,
        hysteresis_k=4,
    ),
}
AILING = {
    "too large, no buffer": Circuit(pump=turned_down(4_000, 2_500), wh_per_k=60),
    "a thermostat too narrow": Circuit(pump=turned_down(2_000, 2_000), wh_per_k=300, follows=False, hysteresis_k=1.5),
}


@needs_weather
@pytest.mark.row("W11")
def test_healthy_pumps_alarm_less_often_than_is_told() -> None:
    alarmed = days = 0
    for first in SEASONS:
        weather = english_weather(first, DAYS)
        for circuit in HEALTHY.values():
            wh = drawn_wh(circuit, weather)
            seen = [short_cycling(wh[:day].ravel(), circuit.pump.least_w) for day in range(FIRST, DAYS + 1)]
            alarmed, days = alarmed + sum(one is not None for one in seen), days + len(seen)
    assert days > 400 and 1000 * alarmed <= FALSE_ALARMS_PERMILLE[Ailment.SHORT_CYCLING] * days


@needs_weather
@pytest.mark.row("W11")
@pytest.mark.parametrize("what", AILING)
def test_a_pump_that_starts_too_often_is_found_within_three_days_of_frost(what: str) -> None:
    circuit = AILING[what]
    wh = drawn_wh(circuit, english_weather("2021-01-02", 6))
    found = short_cycling(wh[:3].ravel(), circuit.pump.least_w)
    assert found is not None and found.ailment is Ailment.SHORT_CYCLING
    assert found.score > found.threshold == CYCLING_AT_HOURS and 500 < found.off_permille <= 1000
    assert 0 < found.lost_wh < 0.4 * wh[:3].sum()
    assert short_cycling(wh.ravel(), 0) is None, "without its least power nothing can be told"


def test_a_pump_that_was_mended_is_left_alone_after_three_days() -> None:
    cut, whole = np.full(SLOTS_PER_DAY, 100.0), np.full(SLOTS_PER_DAY, 250.0)
    ill = short_cycling(np.concatenate([whole, cut, whole]), 1_000)
    assert ill is not None and (ill.since, ill.score) == (SLOTS_PER_DAY, 24.0)
    assert short_cycling(np.concatenate([cut, *[whole] * 3]), 1_000) is None
    silent = np.full(4 * SLOTS_PER_DAY, np.nan)
    assert short_cycling(silent, 1_000) is None and short_cycling(np.zeros(0), 1_000) is None


@given(st.lists(st.tuples(st.integers(30, 300), st.integers(30, 600)), min_size=1, max_size=60))
def test_no_pump_that_runs_and_rests_for_half_an_hour_is_ever_accused(turns: list[tuple[int, int]]) -> None:
    minutes = np.concatenate([np.repeat([1_000 / 60, 0.0], turn) for turn in turns])
    wh = np.pad(minutes, (0, -len(minutes) % 15)).reshape(-1, 15).sum(1)
    assert short_cycling(wh, 1_000) is None
