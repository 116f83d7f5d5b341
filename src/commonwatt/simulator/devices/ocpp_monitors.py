"""How a simulated station of OCPP 2.x watches its own variables, and tells when one passes what it was given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from commonwatt.simulator.devices.ocpp_words import stamp

if TYPE_CHECKING:
    from commonwatt.simulator.devices.ocpp_station import OcppStation

Told = dict[str, Any]
LIMITS = ("UpperThreshold", "LowerThreshold")
KINDS = (*LIMITS, "Delta", "Periodic")


@dataclass(slots=True)
class Watched:
    """One monitor: what was asked, whether it is beyond its limit, and what it told last, when."""

    asked: Told
    beyond: bool = False
    told: float = 0.0
    told_s: int = 0


@dataclass(slots=True)
class Monitors:
    """All monitors of a station; it looks whenever it measures."""

    kept: dict[int, Watched] = field(default_factory=dict)
    events: int = 0
    _last: int = 0

    def set(self, station: "OcppStation", asked: Told) -> Told:
        """Take monitors, each on its own; each begins at what is measured now."""
        station.follow()
        return {"setMonitoringResult": [self._set(station, one) for one in asked["setMonitoringData"]]}

    def clear(self, station: "OcppStation", asked: Told) -> Told:
        """Forget monitors."""
        found = [(id, self.kept.pop(id, None)) for id in asked["id"]]
        results = [{"id": id, "status": "NotFound" if one is None else "Accepted"} for id, one in found]
        return {"clearMonitoringResult": results}

    def report(self, station: "OcppStation", asked: Told) -> Told:
        """Tell all monitors, one a piece."""
        for i, (id, one) in enumerate(self.kept.items()):
            what = {"id": id, "transaction": False, **{key: one.asked[key] for key in ("value", "type", "severity")}}
            if station.version == "2.1":
                what["eventNotificationType"] = "CustomMonitor"
            of = {"component": one.asked["component"], "variable": one.asked["variable"], "variableMonitoring": [what]}
            station.later("NotifyMonitoringReport", {
                "requestId": asked["requestId"], "seqNo": i, "tbc": i + 1 < len(self.kept),
                "generatedAt": stamp(station), "monitor": [of],
            })  # fmt: skip
        return {"status": "Accepted" if self.kept else "EmptyResultSet"}

    def look(self, station: "OcppStation") -> None:
        """Tell what has passed its limit or come back, changed enough, or is due again."""
        for id, one in self.kept.items():
            value, limit = variables(station)[_name(one.asked)], float(one.asked["value"])
            kind, now_s = one.asked["type"], station.plant.now_s
            beyond = kind in LIMITS and (value > limit if kind == "UpperThreshold" else value < limit)
            changed = kind == "Delta" and abs(value - one.told) >= limit
            due = kind == "Periodic" and now_s - one.told_s >= limit
            if beyond != one.beyond or changed or due:
                one.beyond, one.told, one.told_s = beyond, value, now_s
                self._tell(station, id, one, value)

    def _set(self, station: "OcppStation", one: Told) -> Told:
        about = {key: one[key] for key in ("type", "severity", "component", "variable")}
        if _name(one) not in variables(station):
            return {"status": "UnknownVariable", **about}
        if one["type"] not in KINDS:
            return {"status": "UnsupportedMonitorType", **about}
        self._last = id = self._last + 1
        value = variables(station)[_name(one)]
        self.kept[id] = Watched({**one, "value": float(one["value"])}, told=value, told_s=station.plant.now_s)
        return {"status": "Accepted", "id": id, **about}

    def _tell(self, station: "OcppStation", id: int, one: Watched, value: float) -> None:
        self.events += 1
        kind = one.asked["type"]
        event: Told = {
            "eventId": self.events, "timestamp": stamp(station), "actualValue": f"{value:g}",
            "trigger": "Alerting" if kind in LIMITS else kind, "eventNotificationType": "CustomMonitor",
            "component": one.asked["component"], "variable": one.asked["variable"], "variableMonitoringId": id,
        }  # fmt: skip
        if kind in LIMITS:
            event["cleared"] = not one.beyond
        station.later("NotifyEvent", {"generatedAt": stamp(station), "seqNo": 0, "eventData": [event]})


def variables(station: "OcppStation") -> Mapping[tuple[str, int | None, str], float]:
    """Return what can be watched, by component, EVSE and variable."""
    return {("EVSE", 1, "Power"): float(station.plant.power_w)}


def _name(asked: Told) -> tuple[str, int | None, str]:
    component = asked["component"]
    return component["name"], component.get("evse", {}).get("id"), asked["variable"]["name"]
