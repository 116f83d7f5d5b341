"""Grid support of OCPP 2.1 stations: curves and limits that hold by default or for a while, set, read and cleared."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.handlers import Handler, Heard, Payload
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.adapters.devices.ocpp.translate import stamp
from commonwatt.model import InvalidValue, Unreachable

FIELDS = {
    "EnterService": "enterService", "FreqDroop": "freqDroop", "FixedPFAbsorb": "fixedPFAbsorb",
    "FixedPFInject": "fixedPFInject", "FixedVar": "fixedVar", "Gradients": "gradient",
    "LimitMaxDischarge": "limitMaxDischarge",
}  # fmt: skip
"""Where a control of a type is told; all others are curves."""
TIMELESS = frozenset({"EnterService", "Gradients"})
"""Controls that only are defaults."""
MOST_KEPT = 50
WITHIN_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control of a station.

    Args:
        id: By which it is read and cleared.
        type: As OCPP names it: FreqDroop, VoltVar, VoltWatt, LimitMaxDischarge, ...
        settings: What the schema of its type wants, without priority and times.
        priority: 0 is the highest.
        start: From when an active one holds, UTC; None for a default, which holds whenever no active one does.
        duration_s: How long.
    """

    id: str
    type: str
    settings: Mapping[str, Any]
    priority: int = 0
    start: datetime | None = None
    duration_s: int | None = None

    def __post_init__(self) -> None:
        if (self.start is None) != (self.duration_s is None) or self.priority < 0:
            raise InvalidValue(f"a control is a default, or has a start and a duration, was {self}")
        if self.start is not None and self.type in TIMELESS:
            raise InvalidValue(f"{self.type} is a default only, was active in {self.id}")

    def payload(self) -> dict[str, Any]:
        """Return the request that sets it."""
        told = {"priority": self.priority, **self.settings}
        if self.start is not None:
            told |= {"startTime": stamp(self.start), "duration": self.duration_s}
        return {
            "isDefault": self.start is None, "controlId": self.id, "controlType": self.type,
            FIELDS.get(self.type, "curve"): told,
        }  # fmt: skip


async def set_control(station: Station, control: Control) -> str:
    """Set a control, and return an empty text, or why it does not hold.

    Raises:
        Unreachable: The station gave no answer.
        InvalidValue: The settings are not what the schema of its type wants, or its answer makes no sense.

    Source: OCPP 2.1 part 2, R04.
    """
    return await _asked(station, "SetDERControl", control.payload())


async def clear(station: Station, *, default: bool, type: str | None = None, id: str | None = None) -> str:
    """Clear the defaults or the active ones, all or those of a type or id; empty, or why not. `NotFound` is done."""
    asked = {"isDefault": default, "controlType": type, "controlId": id}
    why = await _asked(station, "ClearDERControl", {key: value for key, value in asked.items() if value is not None})
    return "" if why.endswith("NotFound") else why


async def report(station: Station, within_s: float = WITHIN_S, **criteria: Any) -> list[Payload]:
    """Return the controls that a station has, as its reports tell them, with ``isSuperseded``.

    Raises:
        CallRefused: It has none such, or cannot tell.
        Unreachable: Its last report did not come in time.
        InvalidValue: Its answer makes no sense.
    """
    if station.version != "2.1":
        raise CallRefused("NotSupported", f"OCPP {station.version} has no DER control")
    number = station.facts["der asked"] = station.facts.get("der asked", 0) + 1
    station.facts["der report"] = []
    answer = await station.call("GetDERControl", {"requestId": number, **criteria})
    if answer.get("status") == "NotFound":
        return []
    if answer.get("status") != "Accepted":
        raise CallRefused("NotSupported", f"the station answered {answer.get('status')}")
    try:
        async with asyncio.timeout(within_s):
            while station.facts.get("der reported") != number:
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise Unreachable(f"station {station.id} did not end its report in {within_s} s") from None
    return list(station.facts["der report"])


def reported(heard: Heard, told: Payload) -> Payload:
    """Keep a piece of a report."""
    facts = heard.station.facts
    if told["requestId"] == facts.get("der asked"):
        kept = facts.setdefault("der report", [])
        kept += [{"kind": key, **one} for key, value in told.items() if isinstance(value, list) for one in value]
        del kept[MOST_KEPT * 4 :]
        if not told.get("tbc", False):
            facts["der reported"] = told["requestId"]
    return {}


def alarm(heard: Heard, told: Payload) -> Payload:
    """Keep the last alarms: a grid event that a control answers began or ended."""
    heard.station.facts["der alarms"] = [*heard.station.facts.get("der alarms", []), told][-MOST_KEPT:]
    return {}


def start_stop(heard: Heard, told: Payload) -> Payload:
    """Keep which controls run; one that supersedes others stops them."""
    runs: dict[str, str] = heard.station.facts.setdefault("der runs", {})
    for id in (told["controlId"], *told.get("supersededIds", ())):
        runs.pop(id, None)
    if told["started"]:
        runs[told["controlId"]] = told["timestamp"]
        if len(runs) > MOST_KEPT:
            del runs[next(iter(runs))]
    return {}


async def _asked(station: Station, action: str, payload: dict[str, Any]) -> str:
    if station.version not in ("", "2.1"):
        return f"OCPP {station.version} has no {action}"
    try:
        answer = await station.call(action, payload)
    except CallRefused as refused:
        return str(refused)
    return "" if answer.get("status") == "Accepted" else f"the station answered {answer.get('status')}"


HANDLERS_DER: Mapping[str, Handler] = {
    "ReportDERControl": reported, "NotifyDERAlarm": alarm, "NotifyDERStartStop": start_stop,
}  # fmt: skip
"""What stations tell of it."""
