"""Variables of a station of OCPP 2.x that it watches for us: set, listed and cleared; what they raise is kept."""

import asyncio
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.management import words
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.model import InvalidValue, Unreachable

Kind = Literal["UpperThreshold", "LowerThreshold", "Delta", "Periodic", "PeriodicClockAligned"]
KINDS: tuple[Kind, ...] = ("UpperThreshold", "LowerThreshold", "Delta", "Periodic", "PeriodicClockAligned")
WITHIN_S = 20.0
LOOK_EVERY_S = 0.01
MOST_SEVERITY = 9


class Monitor(NamedTuple):
    """What a station watches: the number by which it tells of it, the variable, how, and from which value on."""

    id: int
    variable: str
    kind: str
    value: float
    severity: int


async def watch(station: Station, variable: str, kind: Kind, value: float, severity: int = 5) -> tuple[int, str]:
    """Let a station tell when a variable passes a value, changes by it, or every so many seconds.

    Args:
        station: Which.
        variable: ``Component.Variable``, or ``Component.EVSE.Variable`` with the EVSE's number.
        kind: As OCPP names it.
        value: In the variable's own unit; of a period in seconds.
        severity: 0, danger, to 9, for debugging; 5 is a warning's.

    Returns:
        The monitor's number and an empty text, or 0 and why there is none.

    Raises:
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense, or what is asked for does not.

    Source: OCPP 2.0.1 part 2, N04.
    """
    if kind not in KINDS or not 0 <= severity <= MOST_SEVERITY:
        raise InvalidValue(f"a monitor is {', '.join(KINDS)} of severity 0 to {MOST_SEVERITY}, was {kind}, {severity}")
    asked = {"value": value, "type": kind, "severity": severity, **place_of(variable)}
    if station.version == "1.6":
        return 0, "OCPP 1.6 watches no variables"
    try:
        told = await station.call("SetVariableMonitoring", {"setMonitoringData": [asked]})
    except CallRefused as refused:
        return 0, f"the station refused: {refused}"
    result = told["setMonitoringResult"][0] if told["setMonitoringResult"] else {}
    wrong = words(result.get("status"))
    if not wrong and result.get("id") is None:
        raise InvalidValue(f"station {station.id} gave a monitor no number")
    return (0, wrong) if wrong else (int(result["id"]), "")


async def unwatch(station: Station, id: int) -> str:
    """Clear a monitor, and return an empty text, or why it stands; one that is not there is cleared.

    Raises:
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense.

    Source: OCPP 2.0.1 part 2, N06.
    """
    if station.version == "1.6":
        return "OCPP 1.6 watches no variables"
    try:
        told = await station.call("ClearVariableMonitoring", {"id": [id]})
    except CallRefused as refused:
        return f"the station refused: {refused}"
    status = told["clearMonitoringResult"][0].get("status") if told["clearMonitoringResult"] else None
    return "" if status == "NotFound" else words(status)


async def watched(station: Station, within_s: float = WITHIN_S) -> list[Monitor]:
    """Return what a station watches, its maker's own monitors too.

    Raises:
        CallRefused: The station does not tell, or speaks 1.6.
        Unreachable: Its last piece did not come in time.
        InvalidValue: Its answer makes no sense.

    Source: OCPP 2.0.1 part 2, N02.
    """
    if station.version == "1.6":
        raise CallRefused("NotSupported", "OCPP 1.6 watches no variables")
    number = station.facts["report asked"] = station.facts.get("report asked", 0) + 1
    station.facts["monitors"] = []
    told = await station.call("GetMonitoringReport", {"requestId": number})
    if told.get("status") == "EmptyResultSet":
        return []
    if told.get("status") != "Accepted":
        raise CallRefused("NotSupported", f"the station answered {told.get('status')}")
    try:
        async with asyncio.timeout(within_s):
            while station.facts.get("reported") != number:
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise Unreachable(f"station {station.id} did not end its report in {within_s} s") from None
    return list(station.facts.get("monitors", ()))


def monitors_in(told: Mapping[str, Any]) -> list[Monitor]:
    """Return the monitors in a NotifyMonitoringReport.

    Raises:
        InvalidValue: One makes no sense.
    """
    try:
        return [
            Monitor(int(one["id"]), name_of(of), str(one["type"])[:40], float(one["value"]), int(one["severity"]))
            for of in told.get("monitor") or ()
            for one in of["variableMonitoring"]
        ]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InvalidValue(f"a report of monitors: {error}") from error


def place_of(variable: str) -> dict[str, Any]:
    """Return a variable as OCPP names it.

    Raises:
        InvalidValue: It is no ``Component.Variable`` or ``Component.EVSE.Variable``.
    """
    component, *evse, name = variable.split(".") if variable.count(".") in (1, 2) else ("", "")
    if not component or not name or any(not (one.isascii() and one.isdecimal() and len(one) < 4) for one in evse):
        raise InvalidValue(f"a variable is Component.Variable or Component.EVSE.Variable, was {variable[:60]!r}")
    where = {"evse": {"id": int(evse[0])}} if evse else {}
    return {"component": {"name": component, **where}, "variable": {"name": name}}


def name_of(place: Mapping[str, Any]) -> str:
    """Return what `place_of` takes."""
    evse = place["component"].get("evse", {}).get("id")
    parts = (place["component"]["name"], *(() if evse is None else (str(evse),)), place["variable"]["name"])
    return ".".join(part[:50] for part in parts)
