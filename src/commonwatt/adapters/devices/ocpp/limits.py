"""What a band becomes in a charging profile, and a composite schedule in watts: pure, for all three versions."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from commonwatt.adapters.devices.ocpp.translate import moment, stamp, whole
from commonwatt.model import epoch

EARLIER_S = 60
"""A profile begins so much before now: a station's clock may be behind ours."""
OLD_NAMES = {"ChargingStationMaxProfile": "ChargePointMaxProfile"}
"""What OCPP 1.6 calls a purpose otherwise than its successors."""


class Wanted(NamedTuple):
    """One power for a while, as a station shall hold it.

    Args:
        limit_w: Upper edge, zero or more.
        discharge_w: Lower edge, zero or less; only OCPP 2.1 can say it.
        setpoint_w: What to hold exactly, or None for limits only.
        now: By our clock.
        expires: When the station lets go of it.
        periods: Of a schedule in another mode of OCPP 2.1, instead of one made of these numbers.
    """

    limit_w: int
    discharge_w: int
    setpoint_w: int | None
    now: datetime
    expires: datetime
    periods: tuple[Mapping[str, Any], ...] = ()


class Grid(NamedTuple):
    """How a station counts power: its rate unit, and what an ampere is."""

    unit: str = "W"
    volts: int = 230
    phases: int = 1

    @property
    def ampere_w(self) -> int:
        """What one ampere on all phases is, in W."""
        return self.volts * self.phases

    def limit(self, watts: int) -> int:
        """Return a power in the station's unit, rounded towards zero to whole ones: never more than asked."""
        if self.unit == "W":
            return watts
        amperes = abs(watts) // self.ampere_w
        return amperes if watts >= 0 else -amperes

    def watts(self, limit: object, phases: object = None, unit: str | None = None) -> int:
        """Return a limit in W; where the station names the phases, of those.

        Raises:
            InvalidValue: It is no number.
        """
        if (unit or self.unit) == "W":
            return whole(limit)
        each = self.volts * (phases if isinstance(phases, int) and 0 < phases <= 3 else self.phases)
        return whole(limit, 3) * each // 1000


def profile(
    version: str,
    wanted: Wanted,
    grid: Grid,
    *,
    id: int,
    purpose: str,
    stack_level: int,
    relative: bool = False,
    running_s: int = 0,
    transaction: str | None = None,
    dynamic: bool = False,
) -> dict[str, Any]:
    """Return a charging profile that runs out at the command's expiry, by the station's own clock.

    A relative one counts from the start of the transaction, which has been running for ``running_s``.

    Source: OCPP 1.6 3.13 and 7.8; OCPP 2.0.1 part 2, K; OCPP 2.1 part 2, Q03 for set-points.
    """
    left_s = epoch(wanted.expires) - epoch(wanted.now)
    start = wanted.now - timedelta(seconds=EARLIER_S)
    schedule: dict[str, Any] = {
        "duration": left_s + running_s if relative else left_s + EARLIER_S,
        "chargingRateUnit": grid.unit,
        "chargingSchedulePeriod": [dict(one) for one in wanted.periods] or [_period(version, wanted, grid)],
    }
    if dynamic:
        del schedule["duration"]  # one period, changed in place, until the profile ends
    elif not relative:
        schedule["startSchedule"] = stamp(start)
    made: dict[str, Any] = {
        "stackLevel": stack_level,
        "chargingProfilePurpose": OLD_NAMES.get(purpose, purpose) if version == "1.6" else purpose,
        "chargingProfileKind": "Dynamic" if dynamic else "Relative" if relative else "Absolute",
    }
    if dynamic or not relative:
        made |= {"validFrom": stamp(start), "validTo": stamp(wanted.expires)}
    if version == "1.6":
        made |= {"chargingProfileId": id, "chargingSchedule": schedule}
    else:
        made |= {"id": id, "chargingSchedule": [{"id": id, **schedule}]}
    if transaction is not None and purpose == "TxProfile":
        made["transactionId"] = int(transaction) if version == "1.6" else transaction
    return made


def composite_w(payload: Mapping[str, Any], now: datetime, grid: Grid) -> tuple[int | None, int | None]:
    """Return the limit and the set-point that a GetCompositeSchedule answer says hold now, in W; None where neither.

    Raises:
        InvalidValue: What it says is no schedule.
    """
    whole_schedule = payload.get("schedule") or payload.get("chargingSchedule")
    if payload.get("status") != "Accepted" or not isinstance(whole_schedule, Mapping):
        return None, None
    start = whole_schedule.get("scheduleStart") or payload.get("scheduleStart") or whole_schedule.get("startSchedule")
    offset_s = epoch(now) - moment(start) if start is not None else 0
    periods = whole_schedule["chargingSchedulePeriod"]
    begun = [period for period in periods if period["startPeriod"] <= max(0, offset_s)]
    if not begun:
        return None, None
    period, unit = begun[-1], whole_schedule["chargingRateUnit"]
    phases = period.get("numberPhases")
    limit, setpoint = period.get("limit"), period.get("setpoint")
    return (
        None if limit is None else grid.watts(limit, phases, unit),
        None if setpoint is None else grid.watts(setpoint, phases, unit),
    )


def _period(version: str, wanted: Wanted, grid: Grid) -> dict[str, Any]:
    period: dict[str, Any] = {"startPeriod": 0, "limit": grid.limit(wanted.limit_w)}
    if grid.unit == "A":
        period["numberPhases"] = grid.phases
    if version == "2.1" and wanted.setpoint_w is not None:
        # Limits alone are ChargingOnly, which holds where no mode is named; some stations refuse any that is.
        period |= {"operationMode": "CentralSetpoint", "setpoint": grid.limit(wanted.setpoint_w)}
        if wanted.discharge_w < 0:
            period["dischargeLimit"] = grid.limit(wanted.discharge_w)
    return period
