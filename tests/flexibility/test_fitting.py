"""What a device cannot do is refused in words, and what it can is inside what was asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.flexibility.fitting import balancing_w, fitted, hold_w
from commonwatt.model import METERS_ONLY, Band, Caps

OCPP_16 = Caps(max_import_w=7_360, min_import_w=1_380, setpoint=False, step_w=1, lease_s=300)
BATTERY = Caps(max_import_w=5_000, max_export_w=4_000, lease_s=20)
powers = st.integers(-20_000, 20_000)
bands = st.tuples(powers, powers).map(lambda edges: Band(lo_w=min(edges), hi_w=max(edges)))
many_caps = st.builds(
    lambda most, supplies, least, setpoint, step: Caps(
        max_import_w=most, max_export_w=supplies, min_import_w=min(least, most), setpoint=setpoint, step_w=step
    ),
    st.integers(1, 22_000),
    st.integers(0, 22_000),
    st.integers(0, 1_400),
    st.booleans(),
    st.sampled_from([1, 10, 100, 230]),
)


@pytest.mark.row("X4")
def test_supply_on_a_station_that_only_charges_is_refused_in_words() -> None:
    taken, why = fitted(OCPP_16, Band(lo_w=-3_000, hi_w=-3_000))
    assert taken is None
    assert why == "it cannot supply: asked for 3000 W, it only draws"


def test_a_meter_takes_nothing() -> None:
    assert fitted(METERS_ONLY, Band(lo_w=0, hi_w=0)) == (None, "it only measures and takes no commands")


def test_a_limit_is_no_set_point_and_says_so() -> None:
    taken, why = fitted(OCPP_16, Band(lo_w=3_000, hi_w=3_000))
    assert taken == Band(lo_w=0, hi_w=3_000)
    assert why == "it takes limits and no set-point: it may draw less"


def test_less_than_six_ampere_is_a_pause() -> None:
    taken, why = fitted(OCPP_16, Band(lo_w=0, hi_w=1_000))
    assert taken == Band(lo_w=0, hi_w=0)
    assert why == "it draws 1380 W or nothing"


def test_a_battery_that_is_asked_for_more_than_it_has_gives_what_it_has_and_says_so() -> None:
    assert fitted(BATTERY, Band(lo_w=-9_000, hi_w=-9_000)) == (
        Band(lo_w=-4_000, hi_w=-4_000),
        "it can do -4000 to 5000 W",
    )


@given(many_caps, bands)
def test_what_is_taken_is_what_the_device_can_do_and_never_more_than_was_asked(caps: Caps, band: Band) -> None:
    taken, why = fitted(caps, band)
    if taken is None:
        assert band.hi_w < 0
        assert why
        return
    assert -caps.max_export_w <= taken.lo_w <= taken.hi_w <= caps.max_import_w
    assert taken.hi_w <= max(band.hi_w, caps.min_import_w if band.lo_w > 0 else 0, -caps.max_export_w)
    if caps.setpoint:
        for edge in (taken.lo_w, taken.hi_w):
            assert edge % caps.step_w == 0 or edge == caps.min_import_w


@given(bands, powers)
def test_a_set_point_moves_no_more_than_it_must(band: Band, does_w: int) -> None:
    held_w = hold_w(band, does_w)
    assert band.lo_w <= held_w <= band.hi_w
    assert held_w == does_w or not band.lo_w <= does_w <= band.hi_w


@given(powers, powers, powers)
def test_a_battery_brings_the_connection_to_its_line(others_w: int, own_w: int, line_w: int) -> None:
    wide = Band(lo_w=-(10**6), hi_w=10**6, balance_w=line_w)
    assert others_w + balancing_w(wide, others_w + own_w, own_w) == line_w


def test_what_is_allowed_exactly_the_least_that_it_draws_draws_it() -> None:
    assert fitted(OCPP_16, Band(lo_w=0, hi_w=1_380)) == (Band(lo_w=0, hi_w=1_380), "")
    assert fitted(OCPP_16, Band(lo_w=0, hi_w=1_379)) == (Band(lo_w=0, hi_w=0), "it draws 1380 W or nothing")
