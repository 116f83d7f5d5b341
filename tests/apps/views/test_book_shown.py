"""What is foreseen of several homes tells of no home or two, neither by itself nor by what lies between two sums."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from test_subtracting import DSO, community, homes

from commonwatt.apps.foresight import Book
from commonwatt.apps.views.foresight import commons
from commonwatt.apps.views.zones import may_be_shown
from commonwatt.forecasting.choice import BASELINES, Choice
from commonwatt.forecasting.foresee import AHEAD, WEEK, Foretold
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import GRID, LEVELS_PERMILLE, AssetKind

OPERATOR = Seat(person="olga", role=Role.OPERATOR, account=GRID)


def _told(series: str) -> Foretold:
    wh = np.full((1 + AHEAD, 96), 250.0)
    came = np.where(np.arange(1 + AHEAD)[:, None] < 1, wh, np.nan)
    rows, choice = np.stack([wh] * len(LEVELS_PERMILLE)), Choice(False, "", WEEK)
    return Foretold(series, WEEK, 0, rows, wh, came, choice, None, wh, dict.fromkeys(BASELINES, wh))


def _shown(seat: Seat, roofs: Sequence[str] = (), **zones: int) -> set[tuple[str, str]]:
    """Return of what and whose somebody sees forecasts, where zones have so many homes."""
    meters = [meter for name, many in zones.items() for meter in homes(many, name)]
    street: Any = community(*meters, *((owner, AssetKind.SOLAR, "street", 0) for owner in roofs))
    street.state.joined_s = dict.fromkeys(street.state.assets, 0)
    book = Book(
        issued_s=0,
        starts_s=900 * np.arange((1 + AHEAD) * 96).reshape(1 + AHEAD, 96),
        zones={name: _told(name) for name in zones},
        community=_told("community"),
        sun=_told("solar"),
    )
    return {(one.of, one.series) for one in commons(street, seat, book)}


@pytest.mark.row("X1")
@pytest.mark.parametrize("seat", [OPERATOR, DSO])
def test_the_roofs_together_are_shown_where_three_own_one(seat: Seat) -> None:
    assert ("solar", "solar") not in _shown(seat, street=4, roofs=["street-0"])
    assert ("solar", "solar") not in _shown(seat, street=4, roofs=["street-0", "street-1", "street-1"])
    assert ("solar", "solar") in _shown(seat, street=4, roofs=["street-0", "street-1", "street-2"])


@pytest.mark.row("X1")
@pytest.mark.parametrize("seat", [OPERATOR, DSO])
def test_the_community_less_a_zone_is_never_a_home_or_two(seat: Seat) -> None:
    assert _shown(seat, a=3, b=1) == {("net", "community")}
    assert _shown(seat, a=3, b=4, c=2) == {("net", "community"), ("net", "b")}
    assert _shown(seat, a=3, b=3) == {("net", "community"), ("net", "a"), ("net", "b")}


def test_what_may_be_shown_leaves_nobody_or_three() -> None:
    assert may_be_shown({}) == set()
    assert may_be_shown({"a": 2, "b": 1}) == set()
    assert may_be_shown({"a": 5, "b": 3, "c": 1}) == {"a"}
