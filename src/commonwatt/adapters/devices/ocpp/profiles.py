"""Makes a station hold a power: finds the kind of profile that it takes, and reads back what it will really do."""

from collections.abc import Iterator
from typing import Any

from commonwatt.adapters.devices.ocpp.evse import Evse
from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.limits import Grid, Wanted, composite_w, profile
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.model import InvalidValue

IN_TRANSACTION = ("TxProfile", "TxDefaultProfile", "ChargingStationMaxProfile")
WITHOUT = ("TxDefaultProfile", "ChargingStationMaxProfile")
"""Purposes in the order in which they are tried. A TxProfile without a transaction has to be refused."""
FIRST_ID = 1000
"""Profiles of ours carry this number and that of their EVSE; each replaces the one before."""
TOP_STACK_LEVEL = 8
"""Where a station does not say how high levels go."""


class NotHeld(Exception):
    """A station took no profile of any kind; the text says what it answered."""


async def hold(
    station: Station,
    evse: Evse,
    wanted: Wanted,
    grid: Grid,
    *,
    stack_level: int | None,
    relative: bool,
    dynamic: bool = False,
) -> tuple[int | None, int | None]:
    """Set a profile of the first purpose that the station takes, and return what it says holds now.

    What worked is tried first the next time.

    Returns:
        Limit and set-point in W as its composite schedule has them; None for what it does not tell.

    Raises:
        NotHeld: It takes none.
        Unreachable: It gave no answer.
        InvalidValue: Its answer makes no sense.
    """
    session = evse.session
    if stack_level is None:
        stack_level = await top_level(station)
    said = []
    for purpose in _purposes(station, session is not None):
        made = profile(
            station.version, wanted, grid, id=FIRST_ID + evse.number, purpose=purpose, stack_level=stack_level,
            relative=relative,
            transaction=None if session is None else session.id, dynamic=dynamic,
        )  # fmt: skip
        where = 0 if purpose == "ChargingStationMaxProfile" else evse.number
        key, kind = ("connectorId", "csChargingProfiles") if station.version == "1.6" else ("evseId", "chargingProfile")
        try:
            answer = await station.call("SetChargingProfile", {key: where, kind: made})
        except CallRefused as refused:
            said.append(f"{purpose}: {refused}")
            continue
        if answer.get("status") == "Accepted":
            station.facts[_learned(session is not None)] = purpose
            return await composite(station, evse, wanted, grid)
        said.append(f"{purpose}: {answer.get('status')}")
    raise NotHeld("; ".join(said))


async def let_go(station: Station, evse: Evse) -> bool:
    """Clear our profile, and tell whether the station has none of ours any more.

    Raises:
        Unreachable: It gave no answer.
        InvalidValue: Its answer makes no sense.
    """
    key = "id" if station.version == "1.6" else "chargingProfileId"
    try:
        answer = await station.call("ClearChargingProfile", {key: FIRST_ID + evse.number})
    except CallRefused:
        return False
    return answer.get("status") in ("Accepted", "Unknown")


async def composite(station: Station, evse: Evse, wanted: Wanted, grid: Grid) -> tuple[int | None, int | None]:
    """Return limit and set-point in W that the station says hold now; a station that cannot say is not asked again.

    Raises:
        Unreachable: It gave no answer.
        InvalidValue: Its answer makes no sense.
    """
    if station.facts.get("composite") is False:
        return None, None
    key = "connectorId" if station.version == "1.6" else "evseId"
    try:
        answer = await station.call(
            "GetCompositeSchedule", {key: evse.number, "duration": 60, "chargingRateUnit": grid.unit}
        )
    except CallRefused:
        station.facts["composite"] = False
        return None, None
    return composite_w(answer, wanted.now, grid)


async def rate_unit(station: Station) -> str:
    """Return W where the station takes watts, else A; asked once per boot."""
    unit = station.facts.get("rate unit")
    if unit is None:
        told = await _configured(
            station, "ChargingScheduleAllowedChargingRateUnit", "SmartChargingCtrlr", "RateUnit"
        )  # 1.6 says Current or Power, later ones A or W
        unit = "W" if told is None or "Power" in told or "W" in told.split(",") else "A"
        station.facts["rate unit"] = unit
    return str(unit)


async def top_level(station: Station) -> int:
    """Return the highest stack level that the station knows; asked once per boot."""
    level = station.facts.get("stack level")
    if level is None:
        told = await _configured(station, "ChargeProfileMaxStackLevel", "SmartChargingCtrlr", "ProfileStackLevel")
        level = int(told) if told is not None and told.isascii() and told.isdecimal() and len(told) < 6 else None
        level = station.facts["stack level"] = TOP_STACK_LEVEL if level is None else level
    return int(level)


async def stop_session(station: Station, evse: Evse) -> str:
    """End the transaction of an EVSE, and return an empty text, or why it goes on.

    Raises:
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense.
    """
    session = evse.session
    if session is None:
        return "no transaction runs"
    old = station.version == "1.6"
    action = "RemoteStopTransaction" if old else "RequestStopTransaction"
    id: Any = int(session.id) if old else session.id
    try:
        answer = await station.call(action, {"transactionId": id})
    except CallRefused as refused:
        return str(refused)
    return "" if answer.get("status") == "Accepted" else f"the station answered {answer.get('status')}"


async def start_session(station: Station, evse: Evse, id_tag: str) -> str:
    """Begin a transaction, and return an empty text, or why there is none.

    Raises:
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense.
    """
    station.facts["remote start"] = number = station.facts.get("remote start", 0) + 1
    try:
        if station.version == "1.6":
            told = {"idTag": id_tag, "connectorId": evse.number}
            answer = await station.call("RemoteStartTransaction", told)
        else:
            token = {"idToken": id_tag, "type": "Central"}
            asked = {"idToken": token, "evseId": evse.number, "remoteStartId": number}
            answer = await station.call("RequestStartTransaction", asked)
    except CallRefused as refused:
        return str(refused)
    return "" if answer.get("status") == "Accepted" else f"the station answered {answer.get('status')}"


async def _configured(station: Station, key: str, component: str, variable: str) -> str | None:
    """Return one setting of a station, None where it does not tell."""
    try:
        if station.version == "1.6":
            told = await station.call("GetConfiguration", {"key": [key]})
            found: dict[str, Any] = next(
                (one for one in told.get("configurationKey") or () if one.get("key") == key), {}
            )
            value = found.get("value")
        else:
            asked = {"component": {"name": component}, "variable": {"name": variable}}
            told = await station.call("GetVariables", {"getVariableData": [asked]})
            value = told["getVariableResult"][0].get("attributeValue") if told["getVariableResult"] else None
    except (CallRefused, InvalidValue):
        return None
    return None if value is None else str(value)


def _purposes(station: Station, in_transaction: bool) -> Iterator[str]:
    order = IN_TRANSACTION if in_transaction else WITHOUT
    learned = station.facts.get(_learned(in_transaction))
    if learned is not None:
        yield learned
    yield from (purpose for purpose in order if purpose != learned)


def _learned(in_transaction: bool) -> str:
    return "purpose in a transaction" if in_transaction else "purpose without one"
