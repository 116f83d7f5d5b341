"""What a car says that it needs and can do, as whole numbers that plans and limits may read."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from commonwatt.adapters.devices.ocpp.translate import moment
from commonwatt.model import Caps, InvalidValue, instant

MOST = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a car wants of its session, and its limits; None for what it did not say.

    Args:
        transfer: Way of energy transfer that it asks for.
        departure: When it leaves, UTC.
        target_wh: Energy that it wants.
        least_wh: Energy that it cannot do without.
        most_wh: Energy that it takes at most.
        target_percent: Level that it wants.
        max_charge_w: The most that it draws.
        min_charge_w: The least that it draws if it draws.
        max_discharge_w: The most that it supplies, zero or more.
    """

    transfer: str
    departure: datetime | None = None
    target_wh: int | None = None
    least_wh: int | None = None
    most_wh: int | None = None
    target_percent: int | None = None
    max_charge_w: int | None = None
    min_charge_w: int | None = None
    max_discharge_w: int | None = None


def needs_of(told: Mapping[str, Any]) -> Needs:
    """Return what a ``chargingNeeds`` says.

    Raises:
        InvalidValue: A number or an instant is none, or cannot be true.

    Source: OCPP 2.1 part 2, ChargingNeedsType and V2XChargingParametersType.
    """
    v2x = _part(told, "v2xChargingParameters")
    ac, dc = _part(told, "acChargingParameters"), _part(told, "dcChargingParameters")
    target_wh = _number(v2x, "evTargetEnergyRequest")
    if target_wh is None:
        target_wh = _number(ac, "energyAmount") if ac else _number(dc, "energyAmount")
    percent = _number(v2x, "targetSoC")
    if percent is not None and percent > 100:
        raise InvalidValue(f"a level is at most 100 percent, was {percent}")
    departure = told.get("departureTime")
    max_w = _phases(v2x, "maxChargePower")
    return Needs(
        transfer=str(told.get("requestedEnergyTransfer", "")),
        departure=None if departure is None else instant(moment(departure)),
        target_wh=target_wh,
        least_wh=_number(v2x, "evMinEnergyRequest", signed=True),
        most_wh=_number(v2x, "evMaxEnergyRequest"),
        target_percent=percent,
        max_charge_w=_number(dc, "evMaxPower") if max_w is None else max_w,
        min_charge_w=_phases(v2x, "minChargePower"),
        max_discharge_w=_phases(v2x, "maxDischargePower"),
    )


def within(caps: Caps, needs: Needs | None) -> Caps:
    """Return what a device can be told while this car is at its plug."""
    if needs is None:
        return caps
    import_w = _least(caps.max_import_w, needs.max_charge_w)
    return replace(
        caps,
        max_import_w=import_w,
        max_export_w=_least(caps.max_export_w, needs.max_discharge_w),
        min_import_w=min(import_w, max(caps.min_import_w, needs.min_charge_w or 0)),
    )


def _least(own_w: int, car_w: int | None) -> int:
    return own_w if car_w is None else min(own_w, car_w)


def _part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = told.get(name, {})
    if not isinstance(part, Mapping):
        raise InvalidValue(f"{name} is an object, was {str(part)[:40]!r}")
    return part


def _phases(told: Mapping[str, Any], name: str) -> int | None:
    each = [_number(told, name + phase) for phase in ("", "_L2", "_L3")]
    return None if each[0] is None else sum(one or 0 for one in each)


def _number(told: Mapping[str, Any], name: str, *, signed: bool = False) -> int | None:
    """Return a number as a whole one; discharge is told with either sign."""
    value = told.get(name)
    if value is None:
        return None
    try:
        number = Decimal(str(value))
        if isinstance(value, bool) or not number.is_finite() or abs(number) > MOST:
            raise InvalidValue(f"{name} is a number that can be true, was {str(value)[:40]!r}")
    except InvalidOperation:
        raise InvalidValue(f"{name} is a number, was {str(value)[:40]!r}") from None
    whole = int(number)
    if "Discharge" in name:
        return abs(whole)
    if whole < 0 and not signed:
        raise InvalidValue(f"{name} is zero or more, was {whole}")
    return whole
