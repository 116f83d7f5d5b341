"""What a simulated station does beside charging: its secrets, reservations, local list, settings and logs."""

import asyncio
import base64
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from commonwatt.simulator.devices import ocpp_firmware
from commonwatt.simulator.devices.ocpp_keys import SERVER_ROOT, Keys
from commonwatt.simulator.devices.ocpp_monitors import Monitors
from commonwatt.simulator.devices.ocpp_stack import seconds
from commonwatt.simulator.devices.ocpp_words import stamp

if TYPE_CHECKING:
    from commonwatt.simulator.devices.ocpp_station import OcppStation

Told = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Duties:
    """What one station was told and keeps.

    Args:
        name: Common name in its requests for certificates.
        password: With which it comes; empty: with none.
        root: The server's root that it comes with, PEM; without, it speaks no TLS.
        secure_url: Where it comes to once it was told another security profile.
        obeys_lists: Whether it takes differences; else it answers that they failed.
        in_service: Whether it charges whoever comes.
    """

    name: str
    password: str = ""
    root: str = ""
    secure_url: str = ""
    obeys_lists: bool = True
    keys: Keys = field(init=False)
    reserved: dict[int, tuple[str, int]] = field(default_factory=dict)
    listed: dict[str, str] = field(default_factory=dict)
    list_version: int = 0
    monitors: Monitors = field(default_factory=Monitors)
    updating: "asyncio.Task[None] | None" = None
    in_service: bool = True

    def __post_init__(self) -> None:
        self.keys = Keys(name=self.name, roots=[(SERVER_ROOT, self.root)] if self.root else [])

    @property
    def headers(self) -> list[tuple[str, str]]:
        """HTTP Basic, where it has a password."""
        if not self.password:
            return []
        coded = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        return [("Authorization", f"Basic {coded}")]

    def answer(self, station: "OcppStation", action: str, asked: Told) -> Told | None:
        """Return the answer to a call, or None where it is none of these."""
        keys = self.keys
        found = {
            "ReserveNow": self._reserve, "CancelReservation": self._cancel, "SendLocalList": self._list,
            "GetLocalListVersion": self._version, "InstallCertificate": keys.install,
            "GetInstalledCertificateIds": keys.installed, "DeleteCertificate": keys.delete,
            "CertificateSigned": keys.signed, "TriggerMessage": keys.trigger, "ExtendedTriggerMessage": keys.trigger,
            "ChangeConfiguration": self._change, "SetVariables": self._variables,
            "UpdateFirmware": ocpp_firmware.update, "SignedUpdateFirmware": ocpp_firmware.update,
            "GetLog": self._log, "GetDiagnostics": self._log, "SetNetworkProfile": self._fine, "Reset": self._fine,
            "UnlockConnector": self._unlock, "ChangeAvailability": self._availability,
            "SetVariableMonitoring": self.monitors.set, "ClearVariableMonitoring": self.monitors.clear,
            "GetMonitoringReport": self.monitors.report,
        }.get(action)  # fmt: skip
        return None if found is None else found(station, asked)

    def _reserve(self, station: "OcppStation", asked: Told) -> Told:
        if station.transaction is not None:
            return {"status": "Occupied"}
        old = station.version == "1.6"
        number = asked["reservationId" if old else "id"]
        token = asked["idTag"] if old else asked["idToken"]["idToken"]
        self.reserved[number] = token, seconds(asked["expiryDate" if old else "expiryDateTime"])
        return {"status": "Accepted"}

    def _cancel(self, station: "OcppStation", asked: Told) -> Told:
        return {"status": "Rejected" if self.reserved.pop(asked["reservationId"], None) is None else "Accepted"}

    def _list(self, station: "OcppStation", asked: Told) -> Told:
        full = asked["updateType"] == "Full"
        if not full and not self.obeys_lists:
            return {"status": "Failed"}
        if full:
            self.listed.clear()
        for one in asked.get("localAuthorizationList", []):
            token = one["idTag"] if "idTag" in one else one["idToken"]["idToken"]
            info = one.get("idTagInfo", one.get("idTokenInfo"))
            if info is None:
                self.listed.pop(token, None)
            else:
                self.listed[token] = info["status"]
        self.list_version = int(asked["listVersion" if station.version == "1.6" else "versionNumber"])
        return {"status": "Accepted"}

    def _version(self, station: "OcppStation", asked: Told) -> Told:
        return {"listVersion" if station.version == "1.6" else "versionNumber": self.list_version}

    def _change(self, station: "OcppStation", asked: Told) -> Told:
        return {"status": self._set(station, asked["key"], asked["value"])}

    def _variables(self, station: "OcppStation", asked: Told) -> Told:
        results = [
            {
                "attributeStatus": self._set(station, one["variable"]["name"], one["attributeValue"]),
                "component": one["component"], "variable": one["variable"],
            }
            for one in asked["setVariableData"]
        ]  # fmt: skip
        return {"setVariableResult": results}

    def _set(self, station: "OcppStation", name: str, value: str) -> str:
        if name in ("AuthorizationKey", "BasicAuthPassword"):
            self.password = value
        elif name in ("SecurityProfile", "NetworkConfigurationPriority"):
            station.url = self.secure_url or station.url
        return "Accepted"

    def _availability(self, station: "OcppStation", asked: Told) -> Told:
        """Go out of service or into it again; what is charged goes on to its end."""
        old = station.version == "1.6"
        where = asked["connectorId"] if old else asked.get("evse", {}).get("id", 0)
        if where not in (0, 1):
            return {"status": "Rejected"}
        self.in_service = asked["type" if old else "operationalStatus"] == "Operative"
        if station.transaction is not None and not self.in_service:
            return {"status": "Scheduled"}
        station.later("StatusNotification", station.words.status(station))
        return {"status": "Accepted"}

    def _log(self, station: "OcppStation", asked: Told) -> Told:
        number = asked.get("requestId")
        if number is None:
            station.later("DiagnosticsStatusNotification", {"status": "Uploaded"})
            return {"fileName": "diagnostics.log"}
        station.later("LogStatusNotification", {"status": "Uploaded", "requestId": number})
        name = hashlib.sha256(stamp(station).encode()).hexdigest()[:12]
        return {"status": "Accepted", "filename": f"{name}.log"}

    def _unlock(self, station: "OcppStation", asked: Told) -> Told:
        return {"status": "Unlocked"}

    def _fine(self, station: "OcppStation", asked: Told) -> Told:
        return {"status": "Accepted"}
