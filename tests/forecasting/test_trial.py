"""Recorded days are lived through as a forecaster would have, and a model that loses says so."""

import numpy as np
import pytest

from commonwatt.forecasting.load import Panel
from commonwatt.forecasting.trial import TOGETHER, trial
from commonwatt.model import InvalidValue
from forecasting.streets import street

PANEL = street(homes=8, days=21)
NAMES = [f"home-{home}" for home in range(8)]


@pytest.mark.row("X9")
def test_every_home_and_all_together_get_a_card() -> None:
    trials = trial(PANEL, NAMES, 17)
    assert [one.card.series for one in trials] == [*NAMES, TOGETHER]
    for one in trials:
        assert one.card.slots == 4 * 24 and one.card.used == one.choice.used
        assert one.choice.baseline in one.choice.reason
        assert not one.choice.used or one.card.nmae <= one.card.baseline_nmae
    assert np.mean([one.card.skill for one in trials]) > 0
    assert np.mean([one.card.coverage_permille for one in trials[:-1]]) == pytest.approx(900, abs=70)


def test_a_home_that_never_changes_is_left_to_its_baseline() -> None:
    wh = np.full((2, 21, 24), 100, np.float32)
    wh[0, :, :12] = 400
    switched, _, _ = trial(Panel(wh, PANEL.kinds, PANEL.dark), ["switched", "even"], 17)
    assert switched.card.baseline_nmae == 0 and switched.card.mase is None
    assert not switched.choice.used and "global trees is not used: off by" in switched.choice.reason


def test_homes_without_use_have_no_card_and_holes_leave_out_the_sum() -> None:
    wh = PANEL.wh.copy()
    wh[0], wh[1, 3, 4] = 0, np.nan
    names = [one.card.series for one in trial(Panel(wh, PANEL.kinds, PANEL.dark), NAMES, 19)]
    assert names == NAMES[1:]


def test_a_trial_needs_a_fortnight_and_a_name_a_home() -> None:
    for first, names in ((13, NAMES), (21, NAMES), (17, NAMES[1:])):
        with pytest.raises(InvalidValue, match="14 days before the first"):
            trial(PANEL, names, first)
