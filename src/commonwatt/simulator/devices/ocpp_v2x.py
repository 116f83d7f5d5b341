"""What a simulated station of OCPP 2.1 does for cars that supply and for the grid: updates, curves and controls."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from commonwatt.model import Band
from commonwatt.simulator.devices.ocpp_stack import Held, seconds
from commonwatt.simulator.devices.ocpp_words import stamp

if TYPE_CHECKING:
    from commonwatt.simulator.devices.ocpp_station import OcppStation

Told = dict[str, Any]
FIELDS = ("curve", "enterService", "fixedPFAbsorb", "fixedPFInject", "fixedVar", "freqDroop", "gradient",
          "limitMaxDischarge")  # fmt: skip


@dataclass(slots=True)
class GridSupport:
    """The controls that a station has: an active one supersedes the default of its type, and priorities decide.

    Args:
        rated_w: What percentages of discharge are of.
        volts_pct: Voltage at the station, percent of nominal.
        signal: What it was sent last by AFRRSignal.
        outside: Within what somebody else at the place lets it work: a set-point where both edges are the same.
    """

    rated_w: int = 10_000
    volts_pct: float = 100.0
    signal: int = 0
    outside: Band | None = None
    controls: dict[str, Told] = field(default_factory=dict)

    def runs(self, now_s: int) -> dict[str, Told]:
        """Return the control of each type that counts now, by type."""
        found: dict[str, Told] = {}
        for one in sorted(self.controls.values(), key=lambda one: (one["isDefault"], settings(one)["priority"])):
            about = settings(one)
            begun = one["isDefault"] or 0 <= now_s - seconds(about["startTime"]) < about["duration"]
            if begun:
                found.setdefault(one["controlType"], one)
        return found

    def bounded(self, band: Band, now_s: int) -> Band:
        """Return what of a band the controls let: a discharge limit and a volt-watt curve cap what is supplied."""
        least_w = -self.rated_w
        for type, one in self.runs(now_s).items():
            about = settings(one)
            if type == "LimitMaxDischarge" and "pctMaxDischargePower" in about:
                least_w = max(least_w, -int(self.rated_w * about["pctMaxDischargePower"] / 100))
            elif type == "VoltWatt":
                points = tuple((point["x"], point["y"]) for point in about["curveData"])
                least_w = max(least_w, -int(self.rated_w * float(along(points, self.volts_pct)) / 100))
        return Band(lo_w=max(band.lo_w, least_w), hi_w=max(band.hi_w, least_w))


def answer(station: "OcppStation", action: str, asked: Told) -> Told | None:
    """Return the answer to a call, or None where the station does not know the action."""
    accepted, rejected = {"status": "Accepted"}, {"status": "Rejected"}
    if action == "UpdateDynamicSchedule":
        return accepted if updated(station, asked["chargingProfileId"], asked["scheduleUpdate"]) else rejected
    if action in ("NotifyAllowedEnergyTransfer", "UsePriorityCharging"):
        return accepted if asked["transactionId"] == station.transaction else rejected
    if action == "AFRRSignal":
        held = station.stack.now(station.plant.now_s, in_transaction=station.transaction is not None)
        if held is None or held.mode != "CentralFrequency":
            return rejected  # it has no curve for the signal
        station.grid.signal = asked["signal"]
        station.follow()
        return accepted
    if action == "SetDERControl":
        return set_control(station, asked)
    if action == "ClearDERControl":
        ids = [id for id, one in station.grid.controls.items() if fits(one, asked)]
        for id in ids:
            del station.grid.controls[id]
        station.follow()
        return accepted if ids else {"status": "NotFound"}
    if action == "GetDERControl":
        found = [one for one in station.grid.controls.values() if fits(one, asked)]
        for i, one in enumerate(found):
            station.later("ReportDERControl", reported(station, one, asked["requestId"], i + 1 < len(found)))
        return accepted if found else {"status": "NotFound"}
    return None


def band_of(station: "OcppStation", held: Held, per: int, most_w: int) -> Band:
    """Return within what power a station works by what its profiles say, in W.

    Args:
        station: Which.
        held: What counts now, in the station's unit.
        per: What one of that unit is, in W.
        most_w: Its limit.
    """
    least_w = int((held.discharge or 0) * per)
    if held.mode == "Idle":
        return Band(lo_w=0, hi_w=0)
    if held.mode in ("ExternalSetpoint", "ExternalLimits"):
        outside = station.grid.outside or Band(lo_w=0, hi_w=0)
        return Band(lo_w=min(outside.lo_w, most_w), hi_w=min(outside.hi_w, most_w))
    if held.curve:
        power_w = int(held.baseline + along(held.curve, station.frequency_mhz / 1000))
    elif held.signals:
        power_w = int(held.baseline + along(held.signals, station.grid.signal))
    elif held.setpoint is not None:
        power_w, least_w = int(held.setpoint * per), min(least_w, int(held.setpoint * per))
    else:
        return Band(lo_w=min(0, most_w) if held.discharge is None else least_w, hi_w=most_w)
    power_w = max(least_w, min(most_w, power_w))
    return Band(lo_w=power_w, hi_w=power_w)


def updated(station: "OcppStation", id: int, change: Told) -> bool:
    """Change the numbers of a dynamic profile, and tell whether there is one."""
    for one in station.stack.profiles:
        if one["id"] == id and one["chargingProfileKind"] == "Dynamic":
            one["chargingSchedule"][0]["chargingSchedulePeriod"][0].update(change)
            station.follow()
            return True
    return False


def set_control(station: "OcppStation", asked: Told) -> Told:
    """Take a control, and tell that it starts and which it supersedes."""
    about = settings(asked)
    if not asked["isDefault"] and not {"startTime", "duration"} <= set(about):
        return {"status": "Rejected"}
    before = station.grid.runs(station.plant.now_s).get(asked["controlType"])
    station.grid.controls[asked["controlId"]] = asked
    now = station.grid.runs(station.plant.now_s).get(asked["controlType"])
    told: Told = {"status": "Accepted"}
    if now is asked:
        event: Told = {"controlId": asked["controlId"], "started": True, "timestamp": stamp(station)}
        if before is not None and before["controlId"] != asked["controlId"]:
            event["supersededIds"] = told["supersededIds"] = [before["controlId"]]
        station.later("NotifyDERStartStop", event)
    station.follow()
    return told


def reported(station: "OcppStation", one: Told, request: int, more: bool) -> Told:
    """Return the report of one control."""
    name = next(name for name in FIELDS if name in one)
    superseded = station.grid.runs(station.plant.now_s).get(one["controlType"]) is not one
    told: Told = {"id": one["controlId"], name: one[name]}
    if name not in ("enterService", "gradient"):
        told |= {"isDefault": one["isDefault"], "isSuperseded": superseded}
    if name == "curve":
        told["curveType"] = one["controlType"]
    return {"requestId": request, "tbc": more, name: [told]}


def settings(control: Told) -> Told:
    """Return what a control says beside its id and type."""
    found: Told = next(control[name] for name in FIELDS if name in control)
    return found


def fits(control: Told, asked: Told) -> bool:
    """Tell whether a control is among those that are asked for."""
    return all(control[name] == asked[name] for name in ("isDefault", "controlType", "controlId") if name in asked)


def along(points: tuple[tuple[float, float], ...], at: float) -> float:
    """Return where straight lines between points are at a place; outside it is as at the last."""
    if at <= points[0][0]:
        return points[0][1]
    for (left, low), (right, high) in pairwise(points):
        if at <= right:
            return float(low) + (float(high) - float(low)) * (at - float(left)) / (float(right) - float(left))
    return points[-1][1]
