"""Who a station says that it is, and by how much its clock is ahead, from what it tells anyhow."""

from collections.abc import Mapping
from typing import Any

from commonwatt.adapters.devices.ocpp.translate import moment
from commonwatt.model import InvalidValue, Nameplate

LONGEST = 60
"""More letters than any version allows a name, a serial number or a firmware."""
TOLD_FOR_S = 300
"""A clock that was seen to be behind is believed so once nothing newer came for so long."""


def nameplate_of(told: Mapping[str, Any]) -> Nameplate:
    """Return what a BootNotification says of its station.

    Source: OCPP 1.6 6.1 (chargeBoxSerialNumber stands in for the other where that is missing); OCPP 2.0.1 part 2, B01.
    """
    newer = told.get("chargingStation")
    if isinstance(newer, Mapping):
        return Nameplate(
            make=_text(newer, "vendorName"),
            model=_text(newer, "model"),
            serial=_text(newer, "serialNumber"),
            firmware=_text(newer, "firmwareVersion"),
        )
    return Nameplate(
        make=_text(told, "chargePointVendor"),
        model=_text(told, "chargePointModel"),
        serial=_text(told, "chargePointSerialNumber") or _text(told, "chargeBoxSerialNumber"),
        firmware=_text(told, "firmwareVersion"),
    )


class Clock:
    """By how much a station's clock is ahead of ours.

    What it tells may have waited, so its time is never before what is told: of several messages the one that is least
    late counts.
    """

    __slots__ = ("_at_s", "ahead_s")

    def __init__(self) -> None:
        self.ahead_s: int | None = None
        self._at_s = 0

    def hear(self, action: str, told: Mapping[str, Any], now_s: int) -> None:
        """Take in a message that was understood, with our time."""
        told_s = _told_s(action, told)
        if told_s is None:
            return
        ahead_s = told_s - now_s
        if self.ahead_s is None or ahead_s >= self.ahead_s or not 0 <= now_s - self._at_s < TOLD_FOR_S:
            self.ahead_s, self._at_s = ahead_s, now_s


def _told_s(action: str, told: Mapping[str, Any]) -> int | None:
    """Return when a message was made by the station's clock; None for one that tells another time, or none."""
    try:
        if action == "MeterValues":
            return max((moment(one.get("timestamp")) for one in told["meterValue"]), default=None)
        if action == "StatusNotification" or (action == "TransactionEvent" and not told.get("offline")):
            return moment(told["timestamp"]) if "timestamp" in told else None
    except InvalidValue:
        return None
    return None


def _text(told: Mapping[str, Any], name: str) -> str:
    text = told.get(name)
    return text.strip()[:LONGEST] if isinstance(text, str) else ""
