"""Charging profiles as a station holds them: which one counts at a moment, by purpose, stack level and time."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MAX, DEFAULT, TX = "Max", "TxDefault", "Tx"
PURPOSES = {
    "ChargePointMaxProfile": MAX,
    "ChargingStationMaxProfile": MAX,
    "TxDefaultProfile": DEFAULT,
    "TxProfile": TX,
}
FOR_EVER_S = 1 << 40


@dataclass(frozen=True, slots=True)
class Held:
    """What counts now: a limit and a set-point in the station's unit, and until when at most."""

    limit: float | None
    setpoint: float | None
    discharge: float | None
    phases: int | None
    until_s: int | None
    mode: str = ""
    baseline: float = 0
    curve: tuple[tuple[float, float], ...] = ()
    signals: tuple[tuple[float, float], ...] = ()


@dataclass(slots=True)
class Stack:
    """The profiles of one EVSE and of its station, the newest of each purpose and level."""

    profiles: list[dict[str, Any]] = field(default_factory=list)
    began_s: int | None = None

    def add(self, profile: dict[str, Any], got_s: int) -> None:
        """Install a profile; one of the same id, or of the same purpose and level, is replaced."""
        same = (PURPOSES[profile["chargingProfilePurpose"]], profile["stackLevel"])
        self.profiles = [
            one
            for one in self.profiles
            if _id(one) != _id(profile) and (PURPOSES[one["chargingProfilePurpose"]], one["stackLevel"]) != same
        ]
        self.profiles.append({**profile, "got_s": got_s})

    def clear(self, id: int | None = None, purpose: str | None = None, level: int | None = None) -> bool:
        """Remove what fits all that is given, and tell whether anything did."""
        left = [
            one
            for one in self.profiles
            if (id is not None and _id(one) != id)
            or (purpose is not None and one["chargingProfilePurpose"] != purpose)
            or (level is not None and one["stackLevel"] != level)
        ]
        found = len(left) < len(self.profiles)
        self.profiles = left
        return found

    def end_transaction(self) -> None:
        """Forget what held for a transaction only."""
        self.began_s = None
        self.profiles = [one for one in self.profiles if PURPOSES[one["chargingProfilePurpose"]] != TX]

    def now(self, now_s: int, *, in_transaction: bool) -> Held | None:
        """Return what counts: a transaction's own profile before the default, never more than the station's maximum.

        Source: OCPP 1.6 3.13.2 and 3.13.3 (stacking and combining).
        """
        own = self._top(TX, now_s) if in_transaction else None
        own = own or self._top(DEFAULT, now_s)
        most = self._top(MAX, now_s)
        both = [one for one in (own, most) if one is not None]
        if not both:
            return None
        limits = [period["limit"] for period, _ in both if period.get("limit") is not None]
        first = both[0][0]
        ends = [end_s for _, end_s in both if end_s < FOR_EVER_S]
        return Held(
            limit=min(limits, default=None),
            setpoint=first.get("setpoint"),
            discharge=first.get("dischargeLimit"),
            phases=first.get("numberPhases"),
            until_s=min(ends, default=None),
            mode=first.get("operationMode", ""),
            baseline=first.get("v2xBaseline", 0),
            curve=tuple((one["frequency"], one["power"]) for one in first.get("v2xFreqWattCurve", ())),
            signals=tuple((one["signal"], one["power"]) for one in first.get("v2xSignalWattCurve", ())),
        )

    def _top(self, purpose: str, now_s: int) -> tuple[dict[str, Any], int] | None:
        fitting = [one for one in self.profiles if PURPOSES[one["chargingProfilePurpose"]] == purpose]
        for one in sorted(fitting, key=lambda one: -int(one["stackLevel"])):
            found = _period(one, now_s, self.began_s)
            if found is not None:
                return found
        return None


def seconds(text: str) -> int:
    """Return an instant as seconds since 1970."""
    return int(datetime.fromisoformat(text).timestamp())


def _id(profile: dict[str, Any]) -> int:
    return int(profile["id"] if "id" in profile else profile["chargingProfileId"])


def _period(profile: dict[str, Any], now_s: int, began_s: int | None) -> tuple[dict[str, Any], int] | None:
    """Return the period of a profile that counts now and its end, or None where the profile does not."""
    if "validFrom" in profile and now_s < seconds(profile["validFrom"]):
        return None
    end_s = seconds(profile["validTo"]) if "validTo" in profile else FOR_EVER_S
    schedule = profile["chargingSchedule"]
    schedule = schedule[0] if isinstance(schedule, list) else schedule
    kind, start_s = profile["chargingProfileKind"], profile["got_s"]
    if kind == "Relative" and began_s is not None:
        start_s = began_s  # of the transaction, also where the profile came in the midst of it
    elif kind not in ("Relative", "Dynamic"):
        start_s = seconds(schedule["startSchedule"])
    if "duration" in schedule:
        end_s = min(end_s, start_s + schedule["duration"])
    if not start_s <= now_s < end_s:
        return None
    periods = schedule["chargingSchedulePeriod"]
    begun = [i for i, period in enumerate(periods) if start_s + period["startPeriod"] <= now_s]
    if not begun:
        return None
    if begun[-1] + 1 < len(periods):
        end_s = min(end_s, start_s + periods[begun[-1] + 1]["startPeriod"])
    return periods[begun[-1]], end_s
