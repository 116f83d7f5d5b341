"""Places on a map drawn to scale: all of them on the picture, north above south, and a table that says the same."""

import re

from hypothesis import given
from hypothesis import strategies as st
from test_parts import WORDS

from commonwatt.apps.web.parts.places import Dot, _projected, places_map
from commonwatt.model import Position

POSITIONS = st.builds(
    Position,
    latitude_udeg=st.integers(-90_000_000, 90_000_000),
    longitude_udeg=st.integers(-180_000_000, 180_000_000),
)


@given(st.lists(POSITIONS, min_size=1, max_size=20))
def test_every_place_is_on_the_picture_and_north_is_up(places: list[Position]) -> None:
    across_m, points = _projected(places)
    assert across_m >= 400
    assert all(0 <= x <= 360 and 0 <= y <= 300 for x, y in points)
    for one, (_, y) in zip(places, points, strict=True):
        for other, (_, lower) in zip(places, points, strict=True):
            assert one.latitude_udeg <= other.latitude_udeg or y <= lower


def test_the_table_says_where_and_what_is_only_roughly_known() -> None:
    home = Dot(
        name="member-01",
        about="1 roof",
        where=Position(latitude_udeg=48_208_200, longitude_udeg=16_373_800),
        zone=False,
        alive=True,
        coarse=True,
    )
    drawn = str(places_map(WORDS, [home], as_of_s=1_542_214_800))
    assert "48.208200, 16.373800 (within a kilometre)" in drawn and "member-01" in drawn
    assert re.search(r"\d+ m<", drawn), "a bar says how long it is"
