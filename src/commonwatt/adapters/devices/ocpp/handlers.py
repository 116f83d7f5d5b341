"""What we answer stations, a table per version: whoever adds an action adds a function and a line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.adapters.devices.ocpp.translate import stamp
from commonwatt.model import epoch


@dataclass(frozen=True, slots=True)
class Heard:
    """What a handler gets beside the payload: who said it, and when by our clock."""

    station: Station
    now: datetime
    heartbeat_s: int = 300

    @property
    def now_s(self) -> int:
        """Seconds since 1970."""
        return epoch(self.now)


Payload = dict[str, Any]
Handler = Callable[[Heard, Payload], Payload]


def boot(heard: Heard, told: Payload) -> Payload:
    """Welcome a station that we know; keep a stranger waiting until somebody registers it."""
    station = heard.station
    station.boot = told
    station.facts.clear()  # what it could do before its restart may have been another firmware's
    for evse in station.evses.values():
        evse.reset |= {"import", "export"}
    station.booted = station.registered
    return {
        "status": "Accepted" if station.registered else "Pending",
        "currentTime": stamp(heard.now),
        "interval": heard.heartbeat_s if station.registered else 60,
    }


def heartbeat(heard: Heard, told: Payload) -> Payload:
    """Tell the time."""
    return {"currentTime": stamp(heard.now)}


def nothing(heard: Heard, told: Payload) -> Payload:
    """Take note, which is all that the answer can say."""
    return {}


def data_transfer(heard: Heard, told: Payload) -> Payload:
    """Refuse what vendors add of their own; none of it is known here."""
    return {"status": "UnknownVendorId"}


def security_event(heard: Heard, told: Payload) -> Payload:
    """Keep the last security events of a station."""
    heard.station.facts["security"] = [*heard.station.facts.get("security", [])[-19:], told]
    return {}


COMMON: Mapping[str, Handler] = {
    "BootNotification": boot,
    "Heartbeat": heartbeat,
    "DataTransfer": data_transfer,
    "SecurityEventNotification": security_event,
    "FirmwareStatusNotification": nothing,
}
"""What all versions have alike."""
MUST_LAST = frozenset({"StartTransaction", "StopTransaction", "TransactionEvent"})
"""What is on the disk before it is answered: an answer tells the station to forget it."""
WHILE_PENDING = frozenset({"BootNotification", "Heartbeat"})
"""What a station that waits to be known may say."""
