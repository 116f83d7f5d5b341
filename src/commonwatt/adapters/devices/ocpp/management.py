"""What may be asked of any station: settings, availability, restart, unlock, messages, passwords and profiles."""

from collections.abc import Mapping
from typing import Any

from commonwatt.adapters.devices.ocpp.credentials import fresh_password
from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.gate import BASIC, MUTUAL, OPEN, Gate
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.model import InvalidValue

WORDS = {
    "Rejected": "the station rejected it",
    "NotSupported": "the station cannot do that",
    "NotImplemented": "the station cannot do that",
    "UnlockFailed": "the connector did not unlock",
    "OngoingAuthorizedTransaction": "a transaction runs, stop it first",
    "UnknownConnector": "the station has no such connector",
    "UnknownVariable": "the station has no such variable",
    "UnknownComponent": "the station has no such component",
}
FINE = frozenset({"Accepted", "Unlocked", "Scheduled", "RebootRequired"})
EXTENDED = frozenset({"SignChargePointCertificate", "LogStatusNotification"})
"""Messages of OCPP 1.6 that only ExtendedTriggerMessage knows."""
VERSIONS_2 = {"2.0.1": "OCPP20", "2.1": "OCPP21"}


async def reset(station: Station, *, hard: bool = False) -> str:
    """Restart a station: softly once nothing is charged, hard at once. Returns an empty text, or why not.

    Raises:
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense.
    """
    if station.version == "1.6":
        return await asked(station, "Reset", {"type": "Hard" if hard else "Soft"})
    return await asked(station, "Reset", {"type": "Immediate" if hard else "OnIdle"})


async def unlock(station: Station, evse: int, connector: int = 1) -> str:
    """Unlock a plug, and return an empty text, or why it is locked still."""
    if station.version == "1.6":
        return await asked(station, "UnlockConnector", {"connectorId": evse})
    return await asked(station, "UnlockConnector", {"evseId": evse, "connectorId": connector})


async def available(station: Station, evse: int | None, *, operative: bool) -> str:
    """Take an EVSE or all of a station in or out of service; what is charged goes on to its end."""
    word = "Operative" if operative else "Inoperative"
    if station.version == "1.6":
        return await asked(station, "ChangeAvailability", {"connectorId": evse or 0, "type": word})
    where: dict[str, Any] = {} if evse is None else {"evse": {"id": evse}}
    return await asked(station, "ChangeAvailability", {"operationalStatus": word, **where})


async def trigger(station: Station, message: str, evse: int | None = None) -> str:
    """Ask a station for a message, by OCPP's own name for it in the version that the station speaks."""
    told: dict[str, Any] = {"requestedMessage": message}
    if station.version == "1.6":
        if evse is not None:
            told["connectorId"] = evse
        return await asked(station, "ExtendedTriggerMessage" if message in EXTENDED else "TriggerMessage", told)
    if evse is not None:
        told["evse"] = {"id": evse}
    return await asked(station, "TriggerMessage", told)


async def get(station: Station, name: str) -> str | None:
    """Return a setting: a key of 1.6, ``Component.Variable`` of 2.x; None where the station has none or hides it.

    Raises:
        CallRefused: The station does not tell.
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense.
    """
    if station.version == "1.6":
        told = await station.call("GetConfiguration", {"key": [name]})
        rows = told.get("configurationKey") or ()
        return next((row.get("value") for row in rows if row.get("key") == name), None)
    told = await station.call("GetVariables", {"getVariableData": [_named(name)]})
    rows = told["getVariableResult"]
    return rows[0].get("attributeValue") if rows else None


async def put(station: Station, name: str, value: str) -> str:
    """Change a setting, and return an empty text, or why it stands. Whether a restart is needed stays unsaid."""
    if station.version == "1.6":
        return await asked(station, "ChangeConfiguration", {"key": name, "value": value})
    try:
        told = await station.call("SetVariables", {"setVariableData": [{**_named(name), "attributeValue": value}]})
    except CallRefused as refused:
        return f"the station refused: {refused}"
    return words(told["setVariableResult"][0].get("attributeStatus") if told["setVariableResult"] else None)


async def change_password(station: Station, gate: Gate, password: str | None = None) -> str:
    """Give a station a new password, random unless one is given; the old one holds until it comes with the new one.

    Raises:
        Unreachable: The station gave no answer: it may have taken the password or not, so that both are good.
        InvalidValue: Its answer makes no sense, or the password is too short or too long.

    Source: OCPP 2.0.1 part 2, A01; white paper for 1.6, 4.3.
    """
    secret = password or fresh_password()
    gate.credentials.offer(station.id, secret)
    name = "AuthorizationKey" if station.version == "1.6" else "SecurityCtrlr.BasicAuthPassword"
    wrong = await put(station, name, secret)
    if wrong:
        gate.credentials.withdraw(station.id)
    return wrong


async def raise_profile(station: Station, gate: Gate, profile: int, url: str, slot: int = 1) -> str:
    """Tell a station to come with a higher security profile from its next connection on.

    The lower one is good until it comes with the higher one, and never again after that. What the profile needs has
    to be there: our root, a password, a certificate of its own.

    Args:
        station: Which.
        gate: Which lets it in.
        profile: 1, 2 or 3.
        url: Where it shall come to, as OCPP 2.x needs it; its own id is not part of it.
        slot: Where it keeps that, of OCPP 2.x.

    Returns:
        An empty text, or why it stays as it is.

    Raises:
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense.

    Source: OCPP 2.0.1 part 2, A05 and B09; white paper for 1.6, 4.2.
    """
    now = gate.needed(station.id)
    if not OPEN < profile <= MUTUAL or profile <= now:
        return f"a profile only ever rises, to {MUTUAL} at most: it is {now} and {profile} was wanted"
    if profile < MUTUAL and not gate.credentials.has_password(station.id):
        return f"profile {profile} needs a password first"
    name = gate.rules[station.id].name if station.id in gate.rules else ""
    if profile == MUTUAL and (gate.authority is None or gate.authority.due(name or station.id)):
        return "profile 3 needs a certificate of the station's own first"
    if profile > BASIC and not url.startswith("wss://"):
        return f"profile {profile} has an address that begins with wss://"
    if station.version == "1.6":
        return await put(station, "SecurityProfile", str(profile))
    connection = {
        "ocppVersion": VERSIONS_2[station.version], "ocppTransport": "JSON", "ocppCsmsUrl": url, "messageTimeout": 30,
        "securityProfile": profile, "ocppInterface": "Wired0",
    }  # fmt: skip
    wrong = await asked(station, "SetNetworkProfile", {"configurationSlot": slot, "connectionData": connection})
    return wrong or await put(station, "OCPPCommCtrlr.NetworkConfigurationPriority", str(slot))


async def asked(station: Station, action: str, payload: Mapping[str, Any]) -> str:
    """Ask something whose answer is a status, and return an empty text, or in words why it is not done.

    Raises:
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense.
    """
    try:
        told = await station.call(action, dict(payload))
    except CallRefused as refused:
        return f"the station refused: {refused}"
    return words(told.get("status"))


def words(status: object) -> str:
    """Return an empty text for a status that is good, or what it means."""
    return "" if status in FINE else WORDS.get(str(status), f"the station answered {status}")


def _named(name: str) -> dict[str, Any]:
    component, dot, variable = name.partition(".")
    if not dot or not variable:
        raise InvalidValue(f"a variable of OCPP 2.x is Component.Variable, was {name[:60]!r}")
    return {"component": {"name": component}, "variable": {"name": variable}}
