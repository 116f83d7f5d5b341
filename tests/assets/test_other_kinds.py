"""Appliances, sun and wind, and generators do what their envelopes say."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.assets import appliance, fixed, generator, solar
from commonwatt.assets.generator import Generator
from commonwatt.flexibility.checking.check import violations
from commonwatt.flexibility.problem import Problem
from commonwatt.model import AssetId, Envelope, Forecast, InvalidValue
from flexibility.problems import honest_plan

NAME = AssetId("thing")
NOW = datetime(2026, 4, 23, tzinfo=UTC)
WASH = (2_000, 300, 300, 700)


def wrong(envelope: Envelope, power_w: list[int]) -> set[str]:
    slots = len(envelope.lo_w)
    asked = Problem(start=NOW, envelopes=(envelope,), import_price=(0,) * slots, export_price=(0,) * slots)
    return {v.rule for v in violations(asked, honest_plan(asked, {NAME: power_w}))}


@pytest.mark.row("E10")
@given(st.integers(0, 11), st.integers(0, 11), st.integers(0, 11))
def test_an_appliance_that_is_started_within_its_window_lives_its_envelope(first: int, last: int, start: int) -> None:
    earliest, latest = min(first, last), max(first, last)
    if earliest > 8:
        with pytest.raises(InvalidValue, match="within the horizon"):
            appliance.envelope(NAME, "z", WASH, 12, earliest=earliest, latest=latest)
        return
    envelope = appliance.envelope(NAME, "z", WASH, 12, earliest=earliest, latest=latest)
    ran, lived = None, []
    for slot in range(12):
        done = appliance.step(WASH, ran, start=slot == start)
        ran, lived = done.ran, [*lived, done.import_wh * 4]
    inside = earliest <= start <= min(latest, 8)
    assert bool(wrong(envelope, lived)) != inside


def test_a_run_that_has_begun_can_only_be_foreseen() -> None:
    rest = appliance.started(NAME, "z", WASH, 6, ran=1)
    assert rest.fixed
    assert rest.hi_w == (300, 300, 700, 0, 0, 0)
    assert appliance.started(NAME, "z", WASH, 2, ran=0).hi_w == (2_000, 300)
    assert appliance.envelope(NAME, "z", WASH, 6).shift is not None


@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=8), st.data())
def test_sun_and_wind_give_what_there_is_or_less(energy_wh: list[int], data: st.DataObject) -> None:
    forecast = Forecast(series="sun", issued=NOW, start=NOW, energy_wh=tuple(energy_wh))
    whole = solar.envelope(NAME, "z", forecast, curtailable=False)
    assert whole.fixed or not any(energy_wh)
    envelope = solar.envelope(NAME, "z", forecast, curtailable=True)
    limits = [data.draw(st.none() | st.integers(0, 30_000)) for _ in energy_wh]
    made = [-4 * solar.step(wh * 4, limit, 900) for wh, limit in zip(energy_wh, limits, strict=True)]
    assert wrong(envelope, made) == set()
    assert fixed.load(NAME, "z", forecast).hi_w == forecast.power_w


@given(st.integers(0, 6_000), st.integers(0, 6_000), st.lists(st.integers(-9_000, 900), min_size=4, max_size=4))
def test_a_generator_runs_between_its_least_and_its_most_or_not(one: int, other: int, wanted: list[int]) -> None:
    small = Generator(most_w=max(one, other) * 4, least_w=min(one, other) * 4, fuel_micro_per_kwh=90_000)
    envelope = generator.envelope(NAME, "z", small, 4)
    made = [-4 * generator.step(small, power * 4, 900) for power in wanted]
    assert wrong(envelope, made) == set()
    kept = generator.envelope(
        NAME, "z", Generator(most_w=9, least_w=4, fuel_micro_per_kwh=1, least_run=3), 4, running=2
    )
    assert (kept.least_run, kept.running, kept.supply_micro_per_kwh) == (3, 2, 1)
    with pytest.raises(InvalidValue, match="least"):
        Generator(most_w=1, least_w=2, fuel_micro_per_kwh=0)
