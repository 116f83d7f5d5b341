"""What SolaX Cloud says of an inverter, in whole watts and watt-hours."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from commonwatt.adapters.devices.clouds import Measures, whole
from commonwatt.adapters.devices.paced import TooOften
from commonwatt.model import DeviceState, InvalidValue, Nameplate, Unreachable

PATH = "/api/v2/dataAccess/realtimeInfo/get"
TOO_OFTEN = ("violations", "too frequent", "exceed", "limit", "prohibit")
NO_ACCESS = ("token", "did not access", "no auth", "unauthor")


def result_of(answer: Mapping[str, Any], words: str) -> Mapping[str, Any]:
    """Return the readings in an answer.

    Args:
        answer: Of the cloud.
        words: What it says beside them, without the token, which it sometimes repeats.

    Raises:
        TooOften: It complains of too many questions.
        Unreachable: It refuses, in its words.
        InvalidValue: It claims success and has no readings.
    """
    if answer.get("success") is not True:
        told, low = answer.get("code"), words.lower()
        code = told if isinstance(told, int) else "unknown"
        if any(sign in low for sign in TOO_OFTEN):
            raise TooOften(f"SolaX Cloud was asked too often (code {code}): {words}")
        if any(sign in low for sign in NO_ACCESS):
            raise Unreachable(
                f"SolaX Cloud refuses the token or the serial number; get a new token (code {code}): {words}"
            )
        raise Unreachable(f"SolaX Cloud has no answer (code {code}): {words}")
    result = answer.get("result")
    if not isinstance(result, Mapping):
        raise InvalidValue(f"SolaX Cloud's success comes with readings, was {type(result).__name__}")
    return result


def state_of(result: Mapping[str, Any], at: datetime, measures: Measures, capacity_wh: int) -> DeviceState:
    """Return what one of the three things behind a dongle shows.

    Args:
        result: The readings: powers in W, energies in kWh, level in per cent.
        at: When they were read.
        measures: The connection (fed in is positive there), the inverter's AC side (out is positive), or the
            battery (charging is positive).
        capacity_wh: Of the battery, to make energy of its level; 0 for none.

    Raises:
        InvalidValue: What is needed is missing, or cannot be.

    Source: SolaX Cloud user API V2, 2024.
    """
    power = {"connection": ("feedinpower", -1), "inverter": ("acpower", -1), "battery": ("batPower", 1)}
    name, factor = power[measures]
    imported, exported = {
        "connection": ("consumeenergy", "feedinenergy"),
        "inverter": (None, "yieldtotal"),
        "battery": (None, None),
    }[measures]
    return DeviceState(
        at=at,
        power_w=whole(result.get(name), factor, name),
        import_wh=None if imported is None else whole(result.get(imported), 1000, imported),
        export_wh=None if exported is None else whole(result.get(exported), 1000, exported),
        level_wh=level_wh(result.get("soc"), capacity_wh) if measures != "connection" else None,
    )


def level_wh(soc: object, capacity_wh: int) -> int | None:
    """Return stored energy from a level in per cent; nothing where there is no battery."""
    if capacity_wh == 0 or soc is None:
        return None
    permille = whole(soc, 10, "soc")
    if not 0 <= permille <= 1000:
        raise InvalidValue(f"a level is 0 to 100 %, was {soc}")
    return capacity_wh * permille // 1000


def nameplate_of(result: Mapping[str, Any]) -> Nameplate:
    """Return what readings say of their inverter: its type is a number in the maker's list, firmware is not told.

    Source: SolaX Cloud user API V2, 2024: inverterSn (inverterSN in answers as users publish them), inverterType.
    """
    serial, kind = result.get("inverterSn") or result.get("inverterSN"), result.get("inverterType")
    return Nameplate(
        make="SolaX",
        model=f"type {kind}"[:60] if isinstance(kind, str | int) and kind != "" else "",
        serial=serial.strip()[:60] if isinstance(serial, str) else "",
    )


def told_at(result: Mapping[str, Any]) -> datetime | None:
    """Return when the dongle told this, where the cloud says it in UTC."""
    try:
        moment = datetime.fromisoformat(str(result.get("utcDateTime")))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
