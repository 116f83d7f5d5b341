"""A forecast says how much energy is expected, slot by slot, and as which power."""

from datetime import UTC, datetime

from commonwatt.model import LEVELS_PERMILLE, Forecast

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def test_energy_of_a_slot_is_told_as_power() -> None:
    assert Forecast(series="load of home-03", issued=NOW, start=NOW, energy_wh=(500, 1000)).power_w == (2000, 4000)


def test_there_are_nine_quantiles_at_least_and_the_outermost_hold_nine_in_ten() -> None:
    assert len(LEVELS_PERMILLE) >= 9 and list(LEVELS_PERMILLE) == sorted(set(LEVELS_PERMILLE))
    assert LEVELS_PERMILLE[-1] - LEVELS_PERMILLE[0] == 900 and 500 in LEVELS_PERMILLE
