"""Gode & Sunder's random traders in the production book: budgets alone make a market nearly efficient."""

import pytest
from benchmarks.gode_sunder import CONSTRAINED, MARKETS, UNCONSTRAINED, efficiency, most


@pytest.mark.row("E7")
@pytest.mark.parametrize(("number", "paper"), list(enumerate(UNCONSTRAINED)))
def test_without_budgets_traders_reach_what_the_paper_has(number: int, paper: float) -> None:
    assert efficiency(number, constrained=False, periods=3) == pytest.approx(paper, abs=0.05)


@pytest.mark.row("E7")
@pytest.mark.parametrize(("number", "paper"), list(enumerate(CONSTRAINED)))
def test_with_budgets_traders_reach_what_the_paper_has(number: int, paper: float) -> None:
    found = efficiency(number, constrained=True, periods=40)
    assert found == pytest.approx(paper, abs=1.5)
    assert found > efficiency(number, constrained=False, periods=1)


def test_the_schedules_hold_the_gains_that_their_steps_add_up_to() -> None:
    # 6 x (102 - 34 + 97 - 46 + 92 - 58 + 87 - 70) for the first; of the fifth 18 units a side, 35 apart on average.
    assert most(*MARKETS[0]) == 6 * (68 + 51 + 34 + 17)
    assert most(*MARKETS[4]) == 18 * 35


def test_shouts_that_reach_nobody_gain_nothing() -> None:
    assert efficiency(0, constrained=True, periods=3, shouts=1) == 0
    assert efficiency(0, constrained=True, periods=12, shouts=200) < 95, "shouts decide"
