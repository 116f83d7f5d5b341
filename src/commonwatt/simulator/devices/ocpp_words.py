"""What a simulated station says of itself, in the words of each OCPP version."""

import base64
from typing import TYPE_CHECKING, Any, Protocol

from commonwatt.model import instant

if TYPE_CHECKING:
    from commonwatt.simulator.devices.ocpp_station import OcppStation

Message = tuple[str, dict[str, Any]]


class Words(Protocol):
    """How a version says what a station has to tell."""

    def boot(self, station: "OcppStation") -> dict[str, Any]:
        """Say who it is."""

    def status(self, station: "OcppStation") -> dict[str, Any]:
        """Say whether a car is there."""

    def first_id(self, own: str) -> str:
        """Return the id of a transaction before the server has answered."""

    def started(self, station: "OcppStation") -> Message:
        """Say that a transaction began."""

    def measured(self, station: "OcppStation", context: str = "Sample.Clock") -> Message:
        """Say what the meter shows."""

    def ended(self, station: "OcppStation", reason: str) -> Message:
        """Say that the transaction ended."""

    def learn(self, station: "OcppStation", action: str, told: dict[str, Any]) -> None:
        """Take from an answer what it says."""


class Words16:
    """OCPP 1.6."""

    def boot(self, station: "OcppStation") -> dict[str, Any]:
        """Say who it is."""
        label = station.said_label
        return {
            "chargePointVendor": label.make[:20], "chargePointModel": label.model[:20],
            "chargePointSerialNumber": label.serial[:25], "firmwareVersion": label.firmware[:50],
        }  # fmt: skip

    def status(self, station: "OcppStation") -> dict[str, Any]:
        """Say whether a car is there."""
        state = "Charging" if station.transaction else "Preparing" if station.plugged else "Available"
        state = state if station.in_service else "Unavailable"
        return {"connectorId": 1, "errorCode": "NoError", "status": state, "timestamp": stamp(station)}

    def first_id(self, own: str) -> str:
        """Return the number that stands for none yet."""
        return "-1"

    def started(self, station: "OcppStation") -> Message:
        """Say that a transaction began."""
        return "StartTransaction", {
            "connectorId": 1, "idTag": station.tag, "meterStart": station.register_wh, "timestamp": stamp(station),
        }  # fmt: skip

    def measured(self, station: "OcppStation", context: str = "Sample.Clock") -> Message:
        """Say what the meter shows."""
        values = [*self.values(station, context), *_signed_16(station.signed, "Transaction.Begin")]
        told = {"connectorId": 1, "meterValue": [{"timestamp": stamp(station), "sampledValue": values}]}
        if station.transaction not in (None, "-1"):
            told["transactionId"] = int(station.transaction or 0)
        return "MeterValues", told

    def ended(self, station: "OcppStation", reason: str) -> Message:
        """Say that the transaction ended; of one that never got its number the server has to find it out."""
        told: dict[str, Any] = {
            "transactionId": int(station.transaction or -1), "meterStop": station.register_wh,
            "timestamp": stamp(station), "reason": reason, "idTag": station.tag,
        }  # fmt: skip
        if station.signed:
            told["transactionData"] = [
                {"timestamp": stamp(station), "sampledValue": _signed_16(station.signed, "Transaction.End")}
            ]
        return "StopTransaction", told

    def learn(self, station: "OcppStation", action: str, told: dict[str, Any]) -> None:
        """Take the number of the transaction from the answer to its start."""
        if action == "StartTransaction" and station.transaction == "-1":
            station.transaction = str(told["transactionId"])

    def values(self, station: "OcppStation", context: str) -> list[dict[str, Any]]:
        """Return the sampled values, as texts with units."""
        return [
            {"value": str(value), "measurand": name, "unit": unit, "context": context}
            for name, value, unit in measures(station)
        ]


class Words2:
    """OCPP 2.0.1 and 2.1."""

    def boot(self, station: "OcppStation") -> dict[str, Any]:
        """Say who it is."""
        label = station.said_label
        told = {
            "vendorName": label.make[:50], "model": label.model[:20],
            "serialNumber": label.serial[:25], "firmwareVersion": label.firmware[:50],
        }  # fmt: skip
        return {"reason": station.boot_reason, "chargingStation": told}

    def status(self, station: "OcppStation") -> dict[str, Any]:
        """Say whether a car is there."""
        state = "Occupied" if station.plugged else "Available"
        state = state if station.in_service else "Unavailable"
        return {"timestamp": stamp(station), "connectorStatus": state, "evseId": 1, "connectorId": 1}

    def first_id(self, own: str) -> str:
        """Return the id: a station gives it itself."""
        return f"tx-{own}"

    def started(self, station: "OcppStation") -> Message:
        """Say that a transaction began."""
        action, told = self.event(station, "Started", "CablePluggedIn", "Transaction.Begin")
        told["idToken"] = {"idToken": station.tag, "type": "Central"}
        return action, told

    def measured(self, station: "OcppStation", context: str = "Sample.Clock") -> Message:
        """Say what the meter shows, as an event of the transaction where one runs."""
        if station.transaction is not None:
            trigger = "Trigger" if context == "Trigger" else "MeterValueClock"
            return self.event(station, "Updated", trigger, context)
        return "MeterValues", {"evseId": 1, "meterValue": self.values(station, context)}

    def ended(self, station: "OcppStation", reason: str) -> Message:
        """Say that the transaction ended."""
        action, told = self.event(station, "Ended", "StopAuthorized", "Transaction.End")
        told["transactionInfo"]["stoppedReason"] = reason
        return action, told

    def learn(self, station: "OcppStation", action: str, told: dict[str, Any]) -> None:
        """Learn nothing: the station names its transactions itself."""

    def event(self, station: "OcppStation", kind: str, trigger: str, context: str) -> Message:
        """Return an event of the transaction with the next number."""
        number = station.number
        station.number += 1
        return "TransactionEvent", {
            "eventType": kind, "timestamp": stamp(station), "triggerReason": trigger, "seqNo": number,
            "transactionInfo": {"transactionId": station.transaction, "chargingState": "Charging"},
            "evse": {"id": 1, "connectorId": 1}, "meterValue": self.values(station, context),
        }  # fmt: skip

    def values(self, station: "OcppStation", context: str) -> list[dict[str, Any]]:
        """Return the sampled values, energy in kWh by a power of ten."""
        values: list[dict[str, Any]] = []
        for name, value, unit in measures(station):
            about = {"unit": "Wh", "multiplier": 0} if unit == "Wh" else {"unit": unit}
            number = float(value) if unit == "Percent" else int(value)
            values.append({"value": number, "measurand": name, "unitOfMeasure": about, "context": context})
        if context in ("Transaction.Begin", "Transaction.End"):
            for sampled, raw in zip(values, station.signed[-1:], strict=False):
                sampled["signedMeterValue"] = {
                    "signedMeterData": base64.b64encode(raw.encode()).decode(), "encodingMethod": "OCMF",
                    "signingMethod": "ECDSA-secp256r1-SHA256", "publicKey": "",
                }  # fmt: skip
        return [{"timestamp": stamp(station), "sampledValue": values}]


def _signed_16(records: list[str], context: str) -> list[dict[str, Any]]:
    """Return signed records as OCPP 1.6 tells them, in values of their own."""
    register = "Energy.Active.Import.Register"
    return [
        {"value": raw, "measurand": register, "format": "SignedData", "unit": "Wh", "context": context}
        for raw in records
    ]


def words_of(version: str) -> Words:
    """Return the words of a version."""
    return Words16() if version == "1.6" else Words2()


def measures(station: "OcppStation") -> list[tuple[str, str, str]]:
    """Return what the meter shows: measurand, value, unit. One that lies shows a power that no fuse lets through."""
    plant = station.plant
    power_w = plant.power_w if not station.lies else 50 * plant.asset.max_import_w + 1_000_000
    told = [
        ("Energy.Active.Import.Register", str(station.register_wh), "Wh"),
        ("Energy.Active.Export.Register", str(plant.export_wh), "Wh"),
        ("Power.Active.Import", str(max(0, power_w)), "W"),
        ("Power.Active.Export", str(max(0, -power_w)), "W"),
    ]
    if plant.asset.stores and station.plugged:
        told.append(("SoC", f"{100 * plant.level_wh / plant.asset.capacity_wh:.4f}", "Percent"))
    return told


def stamp(station: "OcppStation") -> str:
    """Return the station's time."""
    return instant(station.plant.now_s).strftime("%Y-%m-%dT%H:%M:%SZ")
