"""What stands for longer than can be looked back stands until its roof yields again; then it is over."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from test_health import _recorded

from commonwatt.forecasting.health_roofs import (
    LEAST_DAYS_ROOF,
    REFERENCE_DAYS,
    Standing,
    ailing_roofs,
    standing_roofs,
)

pytestmark = pytest.mark.row("W11")
Floats = NDArray[np.float64]
LOOKED, DAYS, BEGINS, MENDED, ROOF = 56, 140, 22, 110, 4


@cache
def _long() -> Floats:
    """Ten recorded roofs, their days over and over, each day's yield of each off by some per cent by itself."""
    roofs = _recorded()[1]
    whole = np.concatenate([roofs] * -(-DAYS // roofs.shape[1]), 1)[:, :DAYS]
    return whole * np.random.default_rng(7).normal(1, 0.02, whole.shape[:2])[:, :, None]


def _hurt(left: float, until: int = DAYS) -> Floats:
    roofs = _long().copy()
    roofs[ROOF, BEGINS:until] *= left
    return roofs


def _looks(roofs: Floats, days: range) -> dict[int, str]:
    """Return what each day's look says of the one roof, with what was known from the looks before it."""
    said, fault = {}, None
    for day in days:
        first = max(0, day - LOOKED)
        seen = roofs[:, first:day]
        found = next((one for one in ailing_roofs(seen) if one.at == ROOF), None)
        if found is not None:
            since = found.since + first if fault is None else min(fault[0], found.since + first)
            fault, said[day] = (since, found.off_permille), "found"
        elif fault is not None and standing_roofs(
            seen, [Standing(at=ROOF, since=fault[0] - first, off_permille=fault[1])]
        ):
            said[day] = "stands"
        elif fault is not None:
            fault, said[day] = None, "over"
    return said


@pytest.mark.parametrize("left", [2 / 3, 0.75, 0.0])
def test_a_loss_stands_for_as_long_as_the_roof_yields_too_little(left: float) -> None:
    said = _looks(_hurt(left), range(BEGINS + 8, DAYS + 1, 3))
    assert set(said.values()) <= {"found", "stands"} and len(said) == len(range(BEGINS + 8, DAYS + 1, 3))
    assert "stands" in said.values() or left == 0, "it has become its own usual by then"
    assert standing_roofs(_hurt(left)[:, -LOOKED:], [Standing(at=ROOF, since=BEGINS - DAYS + LOOKED, off_permille=330)])


@pytest.mark.parametrize("every", [1, 9])
def test_a_roof_that_was_mended_is_well_within_a_week_however_seldom_it_is_looked_at(every: int) -> None:
    said = _looks(_hurt(2 / 3, MENDED), range(BEGINS + 8, DAYS + 1, every))
    over = [day for day, word in said.items() if word == "over"]
    assert len(over) == 1 and MENDED < over[0] <= MENDED + 7 + every
    assert all(word != "over" for day, word in said.items() if day <= MENDED)


def test_what_was_an_error_is_over_once_the_roof_does_as_it_did_before() -> None:
    healthy = _long()[:, :LOOKED]
    assert standing_roofs(healthy, [Standing(at=ROOF, since=REFERENCE_DAYS + 20, off_permille=300)]) == []


def test_a_neighbour_that_vanishes_or_joins_ends_no_fault_and_makes_none() -> None:
    roofs = _hurt(2 / 3)[:, 60:116].copy()
    stood = [Standing(at=ROOF, since=BEGINS - 60, off_permille=330)]
    for other in (1, 7):
        changed = roofs.copy()
        changed[other, :30] = np.nan
        changed[2, 40:] = np.nan
        assert standing_roofs(changed, stood) == stood
        assert [one for one in ailing_roofs(changed) if one.at != ROOF] == []


def test_of_a_roof_that_tells_nothing_and_of_a_street_too_young_nothing_is_known_to_be_mended() -> None:
    roofs = _hurt(2 / 3)[:, 60:116].copy()
    roofs[ROOF] = np.nan
    stood = [Standing(at=ROOF, since=-1, off_permille=330)]
    assert standing_roofs(roofs, stood) == stood
    assert standing_roofs(_hurt(2 / 3)[:2, 60:116], [Standing(at=1, since=-1, off_permille=330)]) != []
    assert standing_roofs(_hurt(2 / 3)[:, 60 : 60 + LEAST_DAYS_ROOF - 1], stood) == stood
