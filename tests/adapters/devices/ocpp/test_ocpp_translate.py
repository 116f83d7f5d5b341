"""Meter values as stations send them become whole W and Wh."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.devices.ocpp.translate import Currents, moment, samples
from commonwatt.model import InvalidValue

WALLBOX_16 = [{"timestamp": "2026-01-01T12:00:00Z", "sampledValue": [
    {"value": "12.345", "context": "Sample.Periodic", "measurand": "Energy.Active.Import.Register", "unit": "kWh"},
    {"value": "7.36", "measurand": "Power.Active.Import", "unit": "kW"},
    {"value": "16.0", "measurand": "Current.Import", "phase": "L1", "unit": "A"},
    {"value": "54.5", "measurand": "SoC", "unit": "Percent", "location": "EV"},
    {"value": "OCMF|{}|{}", "format": "SignedData", "measurand": "Energy.Active.Import.Register"}]}]  # fmt: skip
BARE_16 = [{"timestamp": "2026-01-01T12:00:00.250", "sampledValue": [{"value": "815"}]}]
PHASES_201 = [{"timestamp": "2026-01-01T13:00:00+01:00", "sampledValue": [
    {"value": 1.2, "measurand": "Energy.Active.Import.Register", "unitOfMeasure": {"unit": "Wh", "multiplier": 3}},
    {"value": 1000, "measurand": "Power.Active.Import", "phase": "L1", "context": "Trigger"},
    {"value": 1100, "measurand": "Power.Active.Import", "phase": "L2-N"},
    {"value": 50.01, "measurand": "Frequency", "unitOfMeasure": {"unit": "Hertz"}},
    {"value": 99999, "measurand": "Power.Active.Import", "location": "Upstream"}]}]  # fmt: skip
V2G_21 = [{"timestamp": "2026-01-01T12:00:00Z", "sampledValue": [
    {"value": 4, "measurand": "Energy.Active.Export.Register", "unitOfMeasure": {"unit": "kWh"}},
    {"value": 0, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W"}},
    {"value": 3000, "measurand": "Power.Active.Export", "unitOfMeasure": {"unit": "W"}}]}]  # fmt: skip
NOON_S = 1_767_268_800


def amperes(value: str, phase: str | None = None, of: str = "Current.Import") -> dict[str, Any]:
    return {"value": value, "measurand": of, **({} if phase is None else {"phase": phase})}


def flowing(*values: dict[str, Any]) -> Currents:
    found = samples([{"timestamp": "2026-01-01T12:00:00Z", "sampledValue": list(values)}])[0]
    assert found.power_w is None
    assert found.currents is not None
    return found.currents


@pytest.mark.row("E12")
def test_power_is_estimated_from_amperes_where_none_is_told() -> None:
    three = [amperes("10.5", phase) for phase in ("L1", "L2", "L3")]
    assert flowing(*three).power_w(230, 1) == 31_500 * 230 // 1000
    assert (
        flowing(*three, amperes("240", "L1-N", "Voltage"), amperes("236", "L2-N", "Voltage")).power_w(230, 1) == 7_497
    )
    assert flowing(amperes("16")).power_w(230, 3) == 11_040, "one current for all is that of each phase"
    assert flowing(amperes("16"), amperes("20", of="Current.Export")).power_w(230, 1) == -920
    assert flowing(amperes("16"), amperes("?", "L1")).power_w(230, 1) == 3_680, "what is none is left out"
    assert samples(WALLBOX_16)[0].currents is None, "power that is told is not estimated"
    bare = samples([{"timestamp": "2026-01-01T12:00:00Z", "sampledValue": [amperes("?")]}])[0]
    assert bare.currents is None


@pytest.mark.row("E12")
def test_units_defaults_phases_and_powers_of_ten_are_understood() -> None:
    one = samples(WALLBOX_16)[0]
    assert (one.at_s, one.import_wh, one.power_w, one.level_ppm) == (NOON_S, 12_345, 7_360, 545_000)
    assert samples(BARE_16)[0].import_wh == 815
    three = samples(PHASES_201)[0]
    assert (three.at_s, three.import_wh, three.power_w, three.frequency_mhz) == (NOON_S, 1_200, 2_100, 50_010)
    assert three.asked
    four = samples(V2G_21)[0]
    assert (four.export_wh, four.power_w) == (4_000, -3_000)


@given(st.text(), st.sampled_from(["Wh", "kWh", "W", "x", None]), st.integers(-50, 50))
def test_garbage_raises_nothing_but_invalid_value(value: str, unit: str | None, multiplier: int) -> None:
    about = {"unit": unit, "multiplier": multiplier}
    told: list[dict[str, Any]] = [{"timestamp": "2026-01-01T12:00:00Z", "sampledValue": [
        {"value": value, "unitOfMeasure": about}]}]  # fmt: skip
    try:
        found = samples(told)
    except InvalidValue:
        return
    assert all(isinstance(one.import_wh, int) and one.import_wh >= 0 for one in found)


@given(st.text())
def test_an_instant_is_one_or_refused(text: str) -> None:
    with suppress(InvalidValue):
        assert isinstance(moment(text), int)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", "1e30", ""])
def test_what_no_meter_shows_is_refused(value: str) -> None:
    with pytest.raises(InvalidValue):
        samples([{"timestamp": "2026-01-01T12:00:00Z", "sampledValue": [{"value": value}]}])
