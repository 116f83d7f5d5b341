"""The list of tokens that a station may let charge while it cannot ask us: kept in step by versions."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.adapters.devices.ocpp.tokens import Token
from commonwatt.adapters.devices.ocpp.translate import stamp
from commonwatt.model import instant

PER_MESSAGE = 50
"""Entries of one message; the rest follows as differences."""
NONE_HERE = -1
"""Version of a station that keeps no list (1.6)."""


async def send_list(station: Station, tokens: Iterable[Token], *, full: bool = False) -> str:
    """Bring a station's list to what is given: by differences where it has our last version, else as a whole.

    Returns:
        An empty text, or why the list is not what was wanted.

    Raises:
        Unreachable: The station gave no answer; what it holds is found out the next time.
        InvalidValue: Its answer makes no sense.

    Source: OCPP 1.6 5.15; OCPP 2.0.1 part 2, D01 and D02.
    """
    wanted = {one.id: one for one in tokens}
    try:
        there = await version(station)
        if there == NONE_HERE:
            return "the station keeps no list"
        books = station.books
        if not full and there == books.list_version and there > 0:
            entries = _differences(station, wanted)
            if not entries:
                return ""
            if await _send(station, entries, "Differential"):
                return _done(station, wanted)
        if await _send(station, [_entry(station, one) for one in wanted.values()], "Full"):
            return _done(station, wanted)
    except CallRefused as refused:
        return f"the station refused: {refused}"
    books.listed.clear()
    books.list_version = 0
    station.remember(station)
    return "the station did not take the list, not even as a whole"


async def version(station: Station) -> int:
    """Return the version of a station's list: 0 where it is empty, -1 where there is none.

    Raises:
        CallRefused: The station does not tell.
        Unreachable: The station gave no answer.
        InvalidValue: Its answer makes no sense.
    """
    told = await station.call("GetLocalListVersion", {})
    return int(told["listVersion"] if station.version == "1.6" else told["versionNumber"])


async def _send(station: Station, entries: Sequence[dict[str, Any]], kind: str) -> bool:
    """Send entries in pieces, and tell whether all were taken."""
    books = station.books
    for start in range(0, max(1, len(entries)), PER_MESSAGE):
        number = books.list_version = books.list_version + 1
        told: dict[str, Any] = {"updateType": kind if start == 0 else "Differential"}
        told["listVersion" if station.version == "1.6" else "versionNumber"] = number
        if piece := entries[start : start + PER_MESSAGE]:
            told["localAuthorizationList"] = list(piece)
        if (await station.call("SendLocalList", told)).get("status") != "Accepted":
            return False
    return True


def _differences(station: Station, wanted: dict[str, Token]) -> list[dict[str, Any]]:
    listed = station.books.listed
    changed = [one for id, one in wanted.items() if listed.get(id) != _kept(one)]
    gone = [Token(id=id) for id in listed if id not in wanted]
    return [_entry(station, one) for one in changed] + [_entry(station, one, gone=True) for one in gone]


def _done(station: Station, wanted: dict[str, Token]) -> str:
    station.books.listed = {id: _kept(one) for id, one in wanted.items()}
    station.remember(station)
    return ""


def _kept(token: Token) -> str:
    return msgspec.json.encode(token).decode()


def _entry(station: Station, token: Token, *, gone: bool = False) -> dict[str, Any]:
    """Return an entry; one that is gone has a token and nothing else."""
    old = station.version == "1.6"
    entry: dict[str, Any] = {"idTag": token.id} if old else {"idToken": {"idToken": token.id, "type": token.kind}}
    if gone:
        return entry
    info: dict[str, Any] = {"status": token.status}
    if token.expires_s is not None:
        info["expiryDate" if old else "cacheExpiryDateTime"] = stamp(instant(token.expires_s))
    if token.group:
        info |= {"parentIdTag": token.group} if old else {"groupIdToken": {"idToken": token.group, "type": "Central"}}
    entry["idTagInfo" if old else "idTokenInfo"] = info
    return entry
