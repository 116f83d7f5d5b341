"""The modes of OCPP 2.1 in which a car supplies: what each says in a profile, and fast changes without a new one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Literal

from commonwatt.adapters.devices.ocpp.evse import Evse
from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.adapters.devices.ocpp.translate import stamp
from commonwatt.flexibility.droop import reserve_needed_w
from commonwatt.model import Band, Droop, InvalidValue

Mode = Literal[
    "Idle", "ChargingOnly", "CentralSetpoint", "ExternalSetpoint", "ExternalLimits", "CentralFrequency",
    "LocalFrequency", "LocalLoadBalancing",
]  # fmt: skip
MOST_POINTS = 20
"""So many points a curve of a profile has at most."""


def period(
    mode: Mode,
    band: Band,
    *,
    setpoint_w: int | None = None,
    baseline_w: int | None = None,
    droop: Droop | None = None,
    signal_w: Sequence[tuple[int, int]] = (),
    sleep: bool = False,
) -> dict[str, Any]:
    """Return the period of a charging schedule by which a station works in a mode, in W.

    Args:
        mode: As OCPP names it.
        band: Outside which it may not go; import positive.
        setpoint_w: What to hold, of CentralSetpoint.
        baseline_w: What a curve is added to.
        droop: How power follows the frequency, of LocalFrequency.
        signal_w: ``(signal, W)`` each, how it follows the signal, of CentralFrequency.
        sleep: Power electronics may be turned off, of Idle.

    Raises:
        InvalidValue: What the mode needs is missing, or does not belong to it.

    Source: OCPP 2.1 part 2, 3.2 and ChargingSchedulePeriodType.
    """
    needed = {"CentralSetpoint": setpoint_w is not None, "LocalFrequency": droop is not None,
              "CentralFrequency": bool(signal_w)}  # fmt: skip
    extra = {"CentralSetpoint": setpoint_w, "LocalFrequency": droop, "CentralFrequency": signal_w or None}
    if not needed.get(mode, True) or any(value is not None for name, value in extra.items() if name != mode):
        raise InvalidValue(f"a period of {mode} has what it needs and nothing of other modes")
    made: dict[str, Any] = {"startPeriod": 0, "operationMode": mode}
    if mode == "Idle":
        return made | ({"evseSleep": True} if sleep else {})
    if mode not in {"ExternalLimits", "ExternalSetpoint"}:
        made["limit"] = max(0, band.hi_w)
        if band.lo_w < 0 and mode != "ChargingOnly":
            made["dischargeLimit"] = band.lo_w
    if setpoint_w is not None:
        made["setpoint"] = setpoint_w
    if droop is not None:
        made["v2xFreqWattCurve"] = [{"frequency": mhz / 1000, "power": watts} for mhz, watts in freq_watt(droop)]
    if signal_w:
        made["v2xSignalWattCurve"] = [{"signal": signal, "power": watts} for signal, watts in signal_w]
    if baseline_w is not None:
        made["v2xBaseline"] = baseline_w
    return made


def freq_watt(droop: Droop) -> list[tuple[int, int]]:
    """Return a curve as points of ``(mHz, W)`` between which straight lines run, with its reserve limits as bends.

    Raises:
        InvalidValue: It has more bends than a profile takes.
    """
    up_w, down_w = reserve_needed_w(droop)
    dead = droop.deadband_mhz
    edges = [(-dead, 0), (dead, 0)] if dead else [(0, 0)]
    points = sorted({*droop.points, *edges})
    made: list[tuple[int, int]] = []
    for (left, left_w), (right, right_w) in pairwise(points):
        made.append((left, max(-up_w, min(down_w, left_w))))
        for most_w in (-up_w, down_w):
            if left_w < most_w < right_w:
                # Rounded away from nominal: a little less is moved, never more.
                off = left + (most_w - left_w) * (right - left) / (right_w - left_w)
                made.append((int(off) if most_w < 0 else -int(-off // 1), most_w))
    made.append((points[-1][0], max(-up_w, min(down_w, points[-1][1]))))
    unique = sorted(dict(made).items())
    if len(unique) > MOST_POINTS:
        raise InvalidValue(f"a curve has at most {MOST_POINTS} points, was {len(unique)}")
    return [(droop.nominal_mhz + off, watts) for off, watts in unique]


async def update(station: Station, profile_id: int, change: Mapping[str, int]) -> str:
    """Change limit, set-point or discharge limit of a dynamic profile, and return an empty text, or why it did not.

    Args:
        station: Which has the profile.
        profile_id: Of the profile, whose end stays what it was.
        change: ``limit``, ``setpoint`` and ``dischargeLimit`` in W.

    Raises:
        Unreachable: It gave no answer.
        InvalidValue: Its answer makes no sense.
    """
    return await _asked(
        station, "UpdateDynamicSchedule", {"chargingProfileId": profile_id, "scheduleUpdate": dict(change)}
    )


async def signal(station: Station, at: datetime, value: int) -> str:
    """Send the signal that stations in CentralFrequency follow by their curve; empty, or why it was not taken."""
    return await _asked(station, "AFRRSignal", {"timestamp": stamp(at), "signal": value})


async def allow(station: Station, evse: Evse, transfers: Sequence[str]) -> str:
    """Say which ways of energy transfer a transaction may use (AC_BPT, DC_BPT, ...); empty, or why not."""
    if evse.session is None:
        return "no transaction runs"
    return await _asked(
        station, "NotifyAllowedEnergyTransfer",
        {"transactionId": evse.session.id, "allowedEnergyTransfer": list(transfers)},
    )  # fmt: skip


async def prioritise(station: Station, evse: Evse, on: bool) -> str:
    """Let a transaction charge with priority, or no longer; empty, or why not."""
    if evse.session is None:
        return "no transaction runs"
    return await _asked(station, "UsePriorityCharging", {"transactionId": evse.session.id, "activate": on})


async def _asked(station: Station, action: str, payload: dict[str, Any]) -> str:
    if station.version not in ("", "2.1"):
        return f"OCPP {station.version} has no {action}"
    try:
        answer = await station.call(action, payload)
    except CallRefused as refused:
        return str(refused)
    return "" if answer.get("status") == "Accepted" else f"the station answered {answer.get('status')}"
