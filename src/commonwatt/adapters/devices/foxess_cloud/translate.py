"""What Fox ESS Cloud asks of a request and says of an inverter, in whole watts and watt-hours."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from commonwatt.adapters.devices.clouds import Measures, whole
from commonwatt.adapters.devices.paced import TooOften
from commonwatt.model import DeviceState, InvalidValue, Nameplate, Unreachable

PATH = "/op/v0/device/real/query"
DETAIL = "/op/v0/device/detail"
# What takes and what gives, in kW, and what each has counted, in kWh. The maker spells ToTal so.
POWERS: dict[Measures, tuple[str | None, str]] = {
    "connection": ("gridConsumptionPower", "feedinPower"),
    "inverter": (None, "generationPower"),
    "battery": ("batChargePower", "batDischargePower"),
}
COUNTERS: dict[Measures, tuple[str | None, str]] = {
    "connection": ("gridConsumption", "feedin"),
    "inverter": (None, "generation"),
    "battery": ("chargeEnergyToTal", "dischargeEnergyToTal"),
}
PER_UNIT = {"kW": 1000, "W": 1, "kWh": 1000, "Wh": 1, "%": 10}
WORDS = {
    40256: "the signature or a header is wrong",
    40257: "a parameter is wrong",
    41200: "the inverter's data could not be had",
    41203: "the inverter did not answer its cloud in time",
    41808: "the key has expired: make a new one at Fox ESS Cloud",
    41809: "the key is not valid: make a new one at Fox ESS Cloud",
}
TOO_OFTEN = {40400: "asked too quickly", 40402: "the day's questions are used up"}


def headers(path: str, key: str, now: datetime) -> dict[str, str]:
    """Return what signs a request.

    Source: Fox ESS Open API, "Request header": the parts are joined by the four letters backslash r backslash n.
    """
    stamp = str(int(now.timestamp() * 1000))
    signature = hashlib.md5(rf"{path}\r\n{key}\r\n{stamp}".encode(), usedforsecurity=False).hexdigest()
    return {"token": key, "timestamp": stamp, "signature": signature, "lang": "en"}


def variables(measures: Measures) -> list[str]:
    """Return what has to be asked for."""
    names = [*POWERS[measures], *COUNTERS[measures], None if measures == "connection" else "SoC"]
    return [name for name in names if name is not None]


def result_of(answer: Mapping[str, Any], words: str) -> object:
    """Return the result in an answer.

    Args:
        answer: Of the cloud.
        words: What it says beside them, without the key.

    Raises:
        TooOften: It was asked too often.
        Unreachable: It refuses, in its words and ours.
        InvalidValue: It has no number of error.
    """
    errno = answer.get("errno")
    if not isinstance(errno, int) or isinstance(errno, bool):
        raise InvalidValue(f"Fox ESS Cloud answers with a number of error or 0, was {type(errno).__name__}")
    if errno in TOO_OFTEN:
        raise TooOften(f"Fox ESS Cloud: {TOO_OFTEN[errno]} (errno {errno}, {words})")
    if errno != 0:
        raise Unreachable(f"Fox ESS Cloud: {WORDS.get(errno, 'it refuses')} (errno {errno}, {words})")
    return answer.get("result")


def readings_of(result: object) -> dict[str, Mapping[str, Any]]:
    """Return the readings in a result by their names.

    Raises:
        InvalidValue: There are none.
    """
    match result:
        case [{"datas": [*found]}, *_]:
            return {str(reading.get("variable")): reading for reading in found if isinstance(reading, Mapping)}
        case other:
            raise InvalidValue(f"Fox ESS Cloud's success comes with readings, was {type(other).__name__}")


def nameplate_of(result: object) -> Nameplate:
    """Return what the detail of a device says; it has three programs, and one may be new while others stay.

    Raises:
        InvalidValue: It is no detail.

    Source: Fox ESS Open API, device/detail.
    """
    if not isinstance(result, Mapping):
        raise InvalidValue(f"Fox ESS Cloud tells a device's detail, was {type(result).__name__}")
    versions = [
        f"{name} {told}"
        for name in ("master", "slave", "manager")
        if isinstance(told := result.get(f"{name}Version"), str) and told.strip("-. ")
    ]
    return Nameplate(
        make="Fox ESS",
        model=_text(result, "deviceType"),
        serial=_text(result, "deviceSN"),
        firmware=", ".join(versions),
    )


def _text(result: Mapping[str, Any], name: str) -> str:
    told = result.get(name)
    return told.strip()[:60] if isinstance(told, str) else ""


def state_of(
    readings: Mapping[str, Mapping[str, Any]], at: datetime, measures: Measures, capacity_wh: int
) -> DeviceState:
    """Return what one of the three things behind an inverter's meters shows.

    The inverter's AC side shows what it gives as positive; the connection and the battery tell each direction apart.

    Raises:
        InvalidValue: A power is missing, or something cannot be.
    """
    takes, gives = POWERS[measures]
    imported, exported = COUNTERS[measures]
    power_w = _told(readings, takes, "kW") or 0
    gives_w = _told(readings, gives, "kW")
    if gives_w is None or (takes is not None and takes not in readings):
        raise InvalidValue(f"Fox ESS Cloud tells {gives}, was without")
    permille = None if measures == "connection" else _told(readings, "SoC", "%")
    if permille is not None and not 0 <= permille <= 1000:
        raise InvalidValue(f"a level is 0 to 100 %, was {Decimal(permille) / 10}")
    return DeviceState(
        at=at,
        power_w=power_w - gives_w,
        import_wh=_told(readings, imported, "kWh"),
        export_wh=_told(readings, exported, "kWh"),
        level_wh=None if permille is None or capacity_wh == 0 else capacity_wh * permille // 1000,
    )


def _told(readings: Mapping[str, Mapping[str, Any]], name: str | None, usual: str) -> int | None:
    """Return a reading, whole; inverters without a battery or a meter have no value for it."""
    reading = readings.get(name) if name is not None else None
    if reading is None or reading.get("value") is None:
        return None
    unit = reading.get("unit") or usual
    factor = PER_UNIT.get(unit) if isinstance(unit, str) else None
    if factor is None or (unit[-1] != usual[-1]):
        raise InvalidValue(f"{name} is in {usual}, was in another unit")
    return whole(reading["value"], factor, str(name))
