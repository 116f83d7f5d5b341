"""What a simulated station answers when the server asks something of it."""

from typing import TYPE_CHECKING, Any

from commonwatt.simulator.devices import ocpp_v2x
from commonwatt.simulator.devices.ocpp_words import stamp

if TYPE_CHECKING:
    from commonwatt.simulator.devices.ocpp_station import OcppStation

Told = dict[str, Any]


def answer(station: "OcppStation", action: str, asked: Told) -> Told | None:
    """Return the answer to a call, or None where the station does not know the action."""
    old = station.version == "1.6"
    if action == "SetChargingProfile":
        where = asked["connectorId"] if old else asked["evseId"]
        return set_profile(station, where, asked["csChargingProfiles"] if old else asked["chargingProfile"])
    if action == "ClearChargingProfile":
        criteria = asked if old else asked.get("chargingProfileCriteria", {})
        id = asked.get("id") if old else asked.get("chargingProfileId")
        cleared = station.clears and station.stack.clear(
            id, criteria.get("chargingProfilePurpose"), criteria.get("stackLevel")
        )
        station.follow()
        return {"status": "Accepted" if cleared else "Unknown"}
    if action == "GetCompositeSchedule":
        return composite(station, asked)
    if action == "TriggerMessage" and asked["requestedMessage"] == "MeterValues":
        station.follow()
        station.later(*station.words.measured(station, "Trigger"))
        return {"status": "Accepted"}
    if action == "GetConfiguration":
        return configuration(station, asked.get("key", []))
    if action == "GetVariables":
        return {"getVariableResult": [variable(station, one) for one in asked["getVariableData"]]}
    if action == "GetBaseReport":
        for payload in inventory(station, asked["requestId"]):
            station.later("NotifyReport", payload)
        return {"status": "Accepted"}
    if action in ("RemoteStartTransaction", "RequestStartTransaction"):
        if station.transaction is not None or not station.plugged or not station.in_service:
            return {"status": "Rejected"}
        station.tag = asked["idTag"] if old else asked["idToken"]["idToken"]
        station.begin_soon()
        return {"status": "Accepted"}
    if action in ("RemoteStopTransaction", "RequestStopTransaction"):
        if str(asked["transactionId"]) != station.transaction:
            return {"status": "Rejected"}
        station.end_soon()
        return {"status": "Accepted"}
    return ocpp_v2x.answer(station, action, asked) if station.version == "2.1" else None


def set_profile(station: "OcppStation", where: int, profile: Told) -> Told:
    """Take a profile, unless it is of a kind that the station or the standard refuses."""
    purpose = profile["chargingProfilePurpose"]
    rejected = {"status": "Rejected"}
    if purpose in station.rejects or profile["stackLevel"] > station.levels:
        return rejected
    if purpose == "TxProfile":
        id = profile.get("transactionId")
        if station.transaction is None or (id is not None and str(id) != station.transaction):
            return rejected
    if purpose in ("ChargePointMaxProfile", "ChargingStationMaxProfile") and where != 0:
        return rejected
    schedules = profile["chargingSchedule"]
    schedule = schedules[0] if isinstance(schedules, list) else schedules
    if schedule["chargingRateUnit"] != station.unit:
        return rejected
    periods = schedule["chargingSchedulePeriod"]
    if periods[0]["startPeriod"] != 0 or any(not {"limit", "setpoint", "operationMode"} & set(one) for one in periods):
        return rejected
    station.stack.add(profile, station.plant.now_s)
    station.follow()
    return {"status": "Accepted"}


def composite(station: "OcppStation", asked: Told) -> Told:
    """Return what the station will do for a while, as its profiles combine."""
    held = station.stack.now(station.plant.now_s, in_transaction=station.transaction is not None)
    if held is None:
        return {"status": "Rejected"}
    period: Told = {"startPeriod": 0}
    for name, value in (("limit", held.limit), ("numberPhases", held.phases)):
        if value is not None:
            period[name] = value
    duration = asked["duration"]
    if station.version == "1.6":
        schedule = {"duration": duration, "chargingRateUnit": station.unit, "chargingSchedulePeriod": [period]}
        return {
            "status": "Accepted", "connectorId": asked["connectorId"], "scheduleStart": stamp(station),
            "chargingSchedule": schedule,
        }  # fmt: skip
    if held.setpoint is not None:
        period |= {"setpoint": held.setpoint, "operationMode": "CentralSetpoint"}
    return {
        "status": "Accepted",
        "schedule": {
            "evseId": asked["evseId"], "duration": duration, "scheduleStart": stamp(station),
            "chargingRateUnit": station.unit, "chargingSchedulePeriod": [period],
        },
    }  # fmt: skip


def configuration(station: "OcppStation", keys: list[str]) -> Told:
    """Return settings of OCPP 1.6."""
    known = {
        "ChargeProfileMaxStackLevel": str(station.levels),
        "ChargingScheduleAllowedChargingRateUnit": "Current" if station.unit == "A" else "Power",
    }
    return {
        "configurationKey": [{"key": key, "readonly": True, "value": known[key]} for key in keys if key in known],
        "unknownKey": [key for key in keys if key not in known],
    }


def variable(station: "OcppStation", asked: Told) -> Told:
    """Return one variable of the device model of OCPP 2.x."""
    known = {"RateUnit": station.unit, "ProfileStackLevel": str(station.levels)}
    told = {"component": asked["component"], "variable": asked["variable"]}
    if asked["component"]["name"] != "SmartChargingCtrlr" or asked["variable"]["name"] not in known:
        return {"attributeStatus": "UnknownVariable", **told}
    return {"attributeStatus": "Accepted", "attributeValue": known[asked["variable"]["name"]], **told}


def inventory(station: "OcppStation", request: int) -> list[Told]:
    """Return the device model in two pieces."""
    rows = (
        ({"name": "SmartChargingCtrlr"}, {"name": "RateUnit"}, station.unit),
        ({"name": "EVSE", "evse": {"id": 1}}, {"name": "Power"}, str(station.plant.asset.max_import_w)),
    )
    return [
        {
            "requestId": request, "generatedAt": stamp(station), "seqNo": i, "tbc": i + 1 < len(rows),
            "reportData": [{"component": of, "variable": what, "variableAttribute": [{"value": value}]}],
        }
        for i, (of, what, value) in enumerate(rows)
    ]  # fmt: skip
