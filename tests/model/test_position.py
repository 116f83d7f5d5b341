"""A position is on earth, and what others are shown of it is near it and not it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.model import InvalidValue, Position
from commonwatt.model.position import COARSE_UDEG

POSITIONS = st.builds(
    Position,
    latitude_udeg=st.integers(-90_000_000, 90_000_000),
    longitude_udeg=st.integers(-180_000_000, 180_000_000),
)


@given(POSITIONS, st.integers(0, COARSE_UDEG - 1), st.integers(0, COARSE_UDEG - 1))
def test_all_in_one_square_are_shown_as_one_and_the_same(where: Position, north: int, east: int) -> None:
    shown = where.coarse()
    assert abs(shown.latitude_udeg - where.latitude_udeg) <= COARSE_UDEG
    assert abs(shown.longitude_udeg - where.longitude_udeg) <= COARSE_UDEG
    corner = (where.latitude_udeg // COARSE_UDEG * COARSE_UDEG, where.longitude_udeg // COARSE_UDEG * COARSE_UDEG)
    if corner[0] < 90_000_000 and corner[1] < 180_000_000:
        assert Position(latitude_udeg=corner[0] + north, longitude_udeg=corner[1] + east).coarse() == shown
    assert shown.coarse() == shown


@pytest.mark.parametrize(("latitude", "longitude"), [(90_000_001, 0), (-90_000_001, 0), (0, 180_000_001)])
def test_nowhere_on_earth_is_no_position(latitude: int, longitude: int) -> None:
    with pytest.raises(InvalidValue):
        Position(latitude_udeg=latitude, longitude_udeg=longitude)
