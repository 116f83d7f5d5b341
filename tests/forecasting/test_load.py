"""One model for the load of all homes: better than repeating days, honest, and of use after a single day."""

from functools import cache

import numpy as np
import pytest

from commonwatt.forecasting.load import LoadModel, Panel, fit
from commonwatt.model import LEVELS_PERMILLE, InvalidValue
from forecasting.streets import street

KNOWN = 21
MIDDLE = LEVELS_PERMILLE.index(500)


@cache
def learnt() -> tuple[LoadModel, Panel]:
    panel = street()
    return fit(panel.until(KNOWN), rows=12_000), panel


def missed(expected: np.ndarray, came: np.ndarray) -> float:
    return float(np.abs(expected - came).sum() / came.sum())


@pytest.mark.row("H8")
def test_the_next_day_is_forecast_better_than_by_its_past_week() -> None:
    model, panel = learnt()
    came = panel.wh[:, KNOWN]
    assert missed(model.expected_wh(panel.until(KNOWN)), came) < 0.95 * missed(
        panel.wh[:, KNOWN - 7 : KNOWN].mean(1), came
    )


@pytest.mark.row("H8")
def test_a_home_that_joined_yesterday_is_forecast_from_the_habits_of_others() -> None:
    model, _ = learnt()
    strangers = street(seed=9)
    first = Panel(strangers.wh[:, :1], strangers.kinds, strangers.dark)
    came = strangers.wh[:, 1]
    assert missed(model.expected_wh(first), came) < 0.95 * missed(strangers.wh[:, 0], came)


def test_shuffling_the_future_moves_no_forecast() -> None:
    model, panel = learnt()
    other = panel.wh.copy()
    other[:, KNOWN:] = np.random.default_rng(2).permutation(other[:, KNOWN:].ravel()).reshape(other[:, KNOWN:].shape)
    shuffled = Panel(other, panel.kinds, panel.dark)
    again = fit(shuffled.until(KNOWN), rows=12_000)
    for lead in (1, 3):
        np.testing.assert_array_equal(
            model.quantiles_wh(panel.until(KNOWN), lead), again.quantiles_wh(shuffled.until(KNOWN), lead)
        )


def test_quantiles_rise_and_hold_what_came_as_often_as_they_say() -> None:
    model, panel = learnt()
    inside = []
    for day in range(KNOWN, panel.days):
        rows = model.quantiles_wh(panel.until(day))
        assert (np.diff(rows, axis=0) >= 0).all() and (rows >= 0).all()
        np.testing.assert_allclose(rows[MIDDLE], model.expected_wh(panel.until(day)), rtol=0.35, atol=60)
        inside.append((panel.wh[:, day] >= rows[0]) & (panel.wh[:, day] <= rows[-1]))
    assert 0.86 < np.mean(inside) < 0.94


@pytest.mark.row("X9")
def test_a_forecast_further_ahead_is_as_sure_as_it_was_off_that_far_ahead() -> None:
    panel, random = street(), np.random.default_rng(6)
    # Homes whose level wanders: what they draw in a week is less sure than what they draw tomorrow.
    level = np.exp(np.cumsum(random.normal(0, 0.25, (len(panel.wh), panel.days)), 1) - 0.5)
    wandering = Panel((panel.wh * level[:, :, None]).astype(np.float32), panel.kinds, panel.dark)
    model = fit(wandering.until(KNOWN), rows=12_000)
    width, inside = {}, {}
    for lead in (1, 2, 6):
        rows = [model.quantiles_wh(wandering.until(day), lead) for day in range(KNOWN, panel.days - lead)]
        came = [wandering.wh[:, day + lead - 1] for day in range(KNOWN, panel.days - lead)]
        width[lead] = np.mean([row[-1] - row[0] for row in rows]) / np.mean([row[MIDDLE] for row in rows])
        inside[lead] = np.mean([(wh >= row[0]) & (wh <= row[-1]) for row, wh in zip(rows, came, strict=True)])
    assert width[1] < width[2] < width[6], width
    assert min(inside[1], inside[2]) > 0.85, inside


def test_holes_are_borne_and_a_home_never_read_expects_nothing() -> None:
    model, panel = learnt()
    holes = panel.wh[:, :KNOWN].copy()
    holes[np.random.default_rng(4).random(holes.shape) < 0.2] = np.nan
    holes[0] = np.nan
    with_holes = Panel(holes, panel.kinds, panel.dark)
    expected = fit(with_holes, rows=12_000).expected_wh(with_holes)
    came = panel.wh[:, KNOWN]
    assert np.isfinite(expected).all() and expected[0].max() < 1
    assert missed(expected[1:], came[1:]) < 1.1 * missed(model.expected_wh(panel.until(KNOWN))[1:], came[1:])


def test_what_cannot_be_learnt_from_is_refused() -> None:
    model, panel = learnt()
    with pytest.raises(InvalidValue, match="10 days or more, was 9"):
        fit(panel.until(9))
    with pytest.raises(InvalidValue, match="was 8"):
        model.expected_wh(panel.until(KNOWN), lead=8)
    with pytest.raises(InvalidValue, match="past and future"):
        Panel(panel.wh, panel.kinds[: panel.days], panel.dark[: panel.days])
    with pytest.raises(InvalidValue, match="homes, days, slots"):
        Panel(panel.wh, panel.kinds, panel.dark[:, :5])
