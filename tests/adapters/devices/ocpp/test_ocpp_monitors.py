"""Variables that a station watches for us, over a real socket: what passes a limit is told, also when it is over."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocpp_yard import until
from test_ocpp_managing import play

from commonwatt.adapters.devices.ocpp import monitors
from commonwatt.adapters.devices.ocpp.control import do
from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.monitors import Monitor, monitors_in, name_of, place_of
from commonwatt.adapters.devices.ocpp.server import Server
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.model import InvalidValue
from commonwatt.simulator.devices.ocpp_station import OcppStation

POWER = "EVSE.1.Power"


@pytest.mark.row("E12")
@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_a_limit_that_is_passed_is_told_once_and_again_when_it_is_over(version: str, tmp_path: Path) -> None:
    async def story(server: Server, known: Station, simulated: OcppStation) -> None:
        def events() -> list[tuple[Any, ...]]:
            found = known.facts.get("events", [])
            return [(one["variableMonitoringId"], one["actualValue"], one.get("cleared")) for one in found]

        number, wrong = await monitors.watch(known, POWER, "UpperThreshold", 5_000, severity=2)
        assert (wrong, number > 0) == ("", True)
        await simulated.tell()
        assert events() == []
        await simulated.plug()
        for _ in range(3):
            await simulated.tell()
        await until(lambda: events() == [(number, "7000", False)])
        await simulated.unplug()
        await simulated.tell()
        await until(lambda: events() == [(number, "7000", False), (number, "0", True)])
        assert await monitors.watched(known) == [Monitor(number, POWER, "UpperThreshold", 5_000.0, 2)]
        assert await monitors.unwatch(known, number) == ""
        assert await monitors.unwatch(known, number) == "", "what is not there is cleared"
        assert await monitors.watched(known) == []

    play(version, tmp_path, story)


def test_changes_and_periods_are_told_by_the_stations_own_clock(tmp_path: Path) -> None:
    async def story(server: Server, known: Station, simulated: OcppStation) -> None:
        delta, _ = await monitors.watch(known, POWER, "Delta", 3_000)
        period, _ = await monitors.watch(known, POWER, "Periodic", 60)
        await simulated.plug()
        for _ in range(4):
            simulated.plant.pass_time(30)
            await simulated.tell()
        await until(lambda: len(known.facts.get("events", [])) == 3)
        told = [(one["variableMonitoringId"], one["trigger"]) for one in known.facts["events"]]
        assert sorted(told) == [(delta, "Delta"), (period, "Periodic"), (period, "Periodic")]
        assert [one.kind for one in await monitors.watched(known)] == ["Delta", "Periodic"]

    play("2.0.1", tmp_path, story)


def test_what_cannot_be_watched_is_refused_in_words(tmp_path: Path) -> None:
    async def story(server: Server, known: Station, simulated: OcppStation) -> None:
        assert await monitors.watch(known, "EVSE.9.Power", "Delta", 1) == (0, "the station has no such variable")
        assert "UnsupportedMonitorType" in (await monitors.watch(known, POWER, "PeriodicClockAligned", 60))[1]
        for wrong in ("Power", "EVSE.x.Power", "a.b.c.d", "."):
            with pytest.raises(InvalidValue):
                await monitors.watch(known, wrong, "Delta", 1)
        with pytest.raises(InvalidValue, match="severity"):
            await monitors.watch(known, POWER, "Delta", 1, severity=10)
        asked = b'{"do":"watch","station":"CP-1","variable":"EVSE.1.Power","kind":"Often","value":1}'
        assert "a monitor is" in (await do(server, asked))["why"]
        number = (await do(server, asked.replace(b"Often", b"Delta")))["told"]
        (line,) = (await do(server, b'{"do":"watch","station":"CP-1"}'))["told"]
        assert (line["id"], line["variable"]) == (number, POWER)
        assert (await do(server, b'{"do":"watch","station":"CP-1","id":%d}' % number))["told"] == "done"

    play("2.0.1", tmp_path, story)


def test_1_6_watches_nothing_and_says_so(tmp_path: Path) -> None:
    async def story(server: Server, known: Station, simulated: OcppStation) -> None:
        assert "OCPP 1.6" in (await monitors.watch(known, POWER, "Delta", 1))[1]
        assert "OCPP 1.6" in await monitors.unwatch(known, 1)
        with pytest.raises(CallRefused):
            await monitors.watched(known)

    play("1.6", tmp_path, story)


names = st.text("abcdefgh", min_size=1, max_size=20)


@given(names, st.none() | st.integers(0, 999), names)
def test_a_variable_is_named_back_as_it_was_asked_for(component: str, evse: int | None, variable: str) -> None:
    name = ".".join((component, *(() if evse is None else (str(evse),)), variable))
    assert name_of(place_of(name)) == name


things = st.none() | st.integers() | st.text(max_size=5) | st.floats() | st.lists(st.integers(), max_size=2)


@given(things | st.lists(st.dictionaries(st.sampled_from(["component", "variable", "variableMonitoring"]), things)))
def test_a_report_that_makes_no_sense_is_an_invalid_value_and_nothing_else(told: Any) -> None:
    try:
        assert monitors_in({"monitor": told}) == [] or told
    except InvalidValue:
        return
