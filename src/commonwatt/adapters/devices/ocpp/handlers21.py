"""What we answer stations of OCPP 2.1 beside what 2.0.1 says: of cars that supply, and of grid support."""

from collections.abc import Mapping

from commonwatt.adapters.devices.ocpp.der import HANDLERS_DER
from commonwatt.adapters.devices.ocpp.handlers import Handler, Heard, Payload
from commonwatt.adapters.devices.ocpp.needs import needs_of


def charging_needs(heard: Heard, told: Payload) -> Payload:
    """Keep what a car says it needs, unless it cannot be true."""
    needs_of(told["chargingNeeds"])
    heard.station.evse(told["evseId"]).wants = told["chargingNeeds"]
    return {"status": "Accepted"}


def pull(heard: Heard, told: Payload) -> Payload:
    """Tell a dynamic profile's newest numbers again; nothing is told once the command has run out."""
    dynamic = heard.station.facts.get("dynamic", {}).get(told["chargingProfileId"])
    if dynamic is None or heard.now_s >= dynamic["ends_s"]:
        return {"status": "Rejected"}
    return {"status": "Accepted", "scheduleUpdate": dynamic["update"]}


def priority(heard: Heard, told: Payload) -> Payload:
    """Keep which transaction charges with priority: somebody asked for it at the station."""
    chosen: list[str] = heard.station.facts.get("priority", [])
    chosen = [one for one in chosen if one != told["transactionId"]]
    heard.station.facts["priority"] = [*chosen, *([told["transactionId"]] if told["activated"] else [])][-20:]
    return {}


HANDLERS_V2X: Mapping[str, Handler] = {
    "NotifyEVChargingNeeds": charging_needs,
    "PullDynamicScheduleUpdate": pull,
    "NotifyPriorityCharging": priority,
    **HANDLERS_DER,
}
"""Actions that only OCPP 2.1 has, or has more of."""
