"""Traders without any intelligence in the production book, against the table of Gode & Sunder, 1993."""

import pytest
from benchmarks.gode_sunder import MARKETS, ZI_C, ZI_U, Schedule, efficiency


@pytest.mark.row("E7")
@pytest.mark.parametrize(("market", "told"), list(zip(MARKETS, ZI_U, strict=True))[:4])
def test_traders_who_may_lose_trade_every_unit_and_waste_what_the_paper_says(market: Schedule, told: float) -> None:
    assert efficiency(market, 1993, 10, constrained=False) == pytest.approx(told, abs=0.05)


@pytest.mark.row("E7")
@pytest.mark.parametrize(("market", "told"), list(zip(MARKETS, ZI_C, strict=True)))
def test_traders_who_never_lose_reach_the_efficiency_of_the_paper(market: Schedule, told: float) -> None:
    assert efficiency(market, 1993, 25, constrained=True) == pytest.approx(told, abs=1.5)
