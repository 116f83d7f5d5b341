"""Makes a station hold a power: finds the kind of profile that it takes, and reads back what it will really do."""

import secrets
from typing import Any

from commonwatt.adapters.devices.ocpp.evse import Evse, Session
from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.limits import Grid, Wanted, composite_w, profile
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.model import InvalidValue, Unreachable, epoch

TX, DEFAULT, MAX = "TxProfile", "TxDefaultProfile", "ChargingStationMaxProfile"
FIRST_IDS = {TX: 1000, DEFAULT: 2000, MAX: 3000}
"""Profiles of ours carry this number and that of their EVSE; each replaces the one of its purpose before."""
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

    A transaction gets its own profile and one beside it for whichever begins next: its own ends with it. Only a
    station that takes neither gets one for all of it, and only where it has no other EVSE whose limit that would be.

    Returns:
        Limit and set-point in W as its composite schedule has them; None for what it does not tell.

    Raises:
        NotHeld: It takes none.
        Unreachable: It gave no answer.
        InvalidValue: Our profile is not what the schema allows.
    """
    session = running(station, evse)
    if stack_level is None:
        stack_level = await top_level(station)
    said: list[str] = []
    its_s = 0 if session is None else _running_s(evse, session, epoch(wanted.now))

    async def taken(purpose: str, wanted: Wanted = wanted, *, dynamic: bool = dynamic, running_s: int = its_s) -> bool:
        if purpose == MAX and any(number not in (0, evse.number) for number in station.evses):
            said.append(f"{purpose}: would hold for its other EVSEs too")
            return False
        made = profile(
            station.version, wanted, grid, id=FIRST_IDS[purpose] + evse.number, purpose=purpose,
            stack_level=stack_level, relative=relative,
            running_s=0 if purpose == MAX else running_s,
            transaction=None if session is None else session.id, dynamic=dynamic,
        )  # fmt: skip
        key, kind = ("connectorId", "csChargingProfiles") if station.version == "1.6" else ("evseId", "chargingProfile")
        try:
            answer = await station.call("SetChargingProfile", {key: 0 if purpose == MAX else evse.number, kind: made})
        except CallRefused as refused:
            said.append(f"{purpose}: {refused}")
            return False
        if answer.get("status") != "Accepted":
            said.append(f"{purpose}: {answer.get('status')}")
        return answer.get("status") == "Accepted"

    learned = standing(station, evse)
    alone = session is None or learned == DEFAULT
    purpose = MAX if learned == MAX and await taken(MAX) else None
    if purpose is None and alone and await taken(DEFAULT):
        purpose = DEFAULT
    if purpose is None and session is not None:
        # What is changed in place is the transaction's own: whoever comes next waits for what he may draw.
        next_ = wanted._replace(limit_w=0, discharge_w=0, setpoint_w=None) if dynamic else wanted
        beside = (
            not alone
            and station.facts.get(NO_DEFAULT) is not True
            and await taken(DEFAULT, next_, dynamic=False, running_s=0)
        )
        if await taken(TX):
            station.facts[NO_DEFAULT] = not beside
            purpose = TX
        elif beside and not dynamic and (not relative or await taken(DEFAULT)):
            purpose = DEFAULT  # of a relative one, now counted from the start of this transaction
    if purpose is None and learned != MAX and await taken(MAX):
        purpose = MAX
    station.facts[_waits(evse)] = purpose in (DEFAULT, MAX) or (purpose == TX and station.facts[NO_DEFAULT] is False)
    if purpose is None:
        raise NotHeld("; ".join(said))
    station.facts[_learned(session is not None)] = purpose
    return await composite(station, evse, wanted, grid)


NO_DEFAULT = "takes no default beside a transaction's own"


def default_waits(station: Station, evse: Evse) -> bool:
    """Tell whether a transaction that begins next finds our limit there already; a station that booted forgot it."""
    return station.facts.get(_waits(evse)) is True


def standing(station: Station, evse: Evse) -> str | None:
    """Return the purpose of the profile by which an EVSE is told now; None while none was taken."""
    learned = station.facts.get(_learned(running(station, evse) is not None))
    return None if learned is None else str(learned)


def standing_id(station: Station, evse: Evse) -> int:
    """Return the number of that profile."""
    return FIRST_IDS[standing(station, evse) or TX] + evse.number


def running(station: Station, evse: Evse) -> Session | None:
    """Return the transaction that runs; one of another version, by which the station spoke before, has no number."""
    session = evse.session
    if session is not None and station.version == "1.6" and not (session.id.isascii() and session.id.isdecimal()):
        return None
    return session


def _running_s(evse: Evse, session: Session, now_s: int) -> int:
    """Return for how long a transaction runs by the station's own clock, which may be wrong by any amount."""
    its_now_s = now_s if evse.heard_s is None else evse.sampled_s + max(0, now_s - evse.heard_s)
    return max(0, its_now_s - session.began_s)


async def let_go(station: Station, evse: Evse) -> bool:
    """Clear our profiles, and tell whether the station has none of ours any more.

    Raises:
        Unreachable: It gave no answer.
        InvalidValue: Its answer makes no sense.
    """
    key = "id" if station.version == "1.6" else "chargingProfileId"
    gone = True
    for first_id in FIRST_IDS.values():
        try:
            answer = await station.call("ClearChargingProfile", {key: first_id + evse.number})
        except CallRefused:
            return False
        gone = gone and answer.get("status") in ("Accepted", "Unknown")
    return gone


async def composite(station: Station, evse: Evse, wanted: Wanted, grid: Grid) -> tuple[int | None, int | None]:
    """Return limit and set-point in W that the station says hold now; a station that cannot say is not asked again.

    What it took it holds: an answer that is missing or makes no sense says nothing about that, and is counted.
    """
    if station.facts.get("composite") is False:
        return None, None
    key = "connectorId" if station.version == "1.6" else "evseId"
    try:
        answer = await station.call(
            "GetCompositeSchedule", {key: evse.number, "duration": 60, "chargingRateUnit": grid.unit}
        )
        return composite_w(answer, wanted.now, grid)
    except (CallRefused, Unreachable):
        station.facts["composite"] = False
    except (InvalidValue, KeyError, TypeError):
        station.note("composite schedule that makes no sense")
    return None, None


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
    session = running(station, evse)
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
    number = secrets.randbelow(1 << 31)  # counted from 1 it came again after each boot
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
    except Unreachable:
        if station.link is None:
            raise
        station.note(f"no answer about {key}")  # some swallow what they do not know: then it does not tell
        return None
    return None if value is None else str(value)


def _learned(in_transaction: bool) -> str:
    return "purpose in a transaction" if in_transaction else "purpose without one"


def _waits(evse: Evse) -> str:
    return f"limit waits for the next transaction at {evse.number}"
