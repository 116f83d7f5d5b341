"""A socket for people: the process that hosts the stations does for one connection at a time what a line asks.

A Unix socket for its owner alone. A line is a JSON object ``{"do": VERB, "station": ID, ...}``, its answer one of
``{"ok": true, "told": ...}`` or ``{"ok": false, "why": "..."}``.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from commonwatt.adapters.devices.ocpp import firmware, local_list, management, monitors, reservations, trust
from commonwatt.adapters.devices.ocpp.certificates import read_certificate
from commonwatt.adapters.devices.ocpp.server import Server
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.adapters.devices.ocpp.tokens import Token, Tokens
from commonwatt.model import CommonwattError, InvalidValue, epoch

LONGEST_LINE = 65_536
LONGEST_RESERVATION_S = 86_400 * 7
Asked = Mapping[str, Any]


@asynccontextmanager
async def controlled(server: Server, path: Path) -> AsyncIterator[None]:
    """Open the socket while the context is entered.

    Raises:
        OSError: It cannot be made there.
    """
    path.unlink(missing_ok=True)  # one that was left behind by whoever was killed

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            while line := await reader.readline():
                writer.write(msgspec.json.encode(await do(server, line)) + b"\n")
                await writer.drain()
        writer.close()

    # The socket has no moment in which others may open it: its folder is made, and kept, for its owner alone.
    path.parent.chmod(0o700)
    listening = await asyncio.start_unix_server(talk, path, limit=LONGEST_LINE)
    path.chmod(0o600)
    try:
        yield
    finally:
        listening.close()
        path.unlink(missing_ok=True)


async def do(server: Server, line: bytes) -> dict[str, Any]:
    """Do what a line asks, and return the answer; nothing that goes wrong gets out of here."""
    try:
        asked = msgspec.json.decode(line, type=dict[str, Any])
        verb = VERBS.get(str(asked.get("do")))
        if verb is None:
            raise InvalidValue(f"what can be asked is {', '.join(VERBS)}, was {str(asked.get('do'))[:40]!r}")
        return {"ok": True, "told": await verb(server, asked)}
    except KeyError as missing:
        return {"ok": False, "why": f"{missing} is missing"}
    except (CommonwattError, msgspec.MsgspecError, OSError, ValueError, TypeError, OverflowError) as error:
        return {"ok": False, "why": str(error)}


async def _list(server: Server, asked: Asked) -> Any:
    return [_line(server, one) for one in server.stations.values()]


async def _show(server: Server, asked: Asked) -> Any:
    station = _station(server, asked)
    events = server.memory.events(station.id, 20)
    return {
        **_line(server, station),
        "boot": station.boot,
        "reservations": msgspec.to_builtins(station.books.reservations, str_keys=True),
        "list_version": station.books.list_version,
        "firmware": msgspec.to_builtins(station.books.firmware),
        "uploads": msgspec.to_builtins(station.books.uploads, str_keys=True),
        "quirks": dict(station.quirks),
        "events": station.facts.get("events", []),
        "security": [{"at_s": at_s, "kind": kind, "words": words} for _, at_s, kind, words in events],
    }


async def _reset(server: Server, asked: Asked) -> Any:
    return _done(await management.reset(_station(server, asked), hard=bool(asked.get("hard"))))


async def _unlock(server: Server, asked: Asked) -> Any:
    return _done(await management.unlock(_station(server, asked), int(asked["evse"])))


async def _available(server: Server, asked: Asked) -> Any:
    evse = asked.get("evse")
    return _done(await management.available(_station(server, asked), evse, operative=bool(asked["operative"])))


async def _reserve(server: Server, asked: Asked) -> Any:
    seconds = int(asked.get("seconds", 3600))
    if not 0 < seconds <= LONGEST_RESERVATION_S:
        raise InvalidValue(f"a reservation lasts up to {LONGEST_RESERVATION_S} s, was {seconds}")
    until = server.clock() + timedelta(seconds=seconds)
    number, wrong = await reservations.reserve(
        _station(server, asked), str(asked["token"]), until, evse=asked.get("evse"), group=str(asked.get("group", ""))
    )
    _done(wrong)
    return number


async def _cancel(server: Server, asked: Asked) -> Any:
    return _done(await reservations.cancel(_station(server, asked), int(asked["reservation"])))


async def _local_list(server: Server, asked: Asked) -> Any:
    tokens = server.services.authoriser
    if not isinstance(tokens, Tokens):
        raise InvalidValue('everybody may charge here: set authorise = "tokens" in ocpp.toml first')
    if "tokens" in asked:
        tokens.put(msgspec.convert(asked["tokens"], list[Token]))
    station = _station(server, asked)
    return _done(await local_list.send_list(station, tokens.all(), full=bool(asked.get("full"))))


async def _firmware(server: Server, asked: Asked) -> Any:
    offer = msgspec.convert(asked["offer"], firmware.Offer)
    return _done(await firmware.again(_station(server, asked), offer, server.clock()))


async def _diagnostics(server: Server, asked: Asked) -> Any:
    kind = firmware.SECURITY if asked.get("security") else firmware.DIAGNOSTICS
    number, wrong = await firmware.get_log(_station(server, asked), str(asked["url"]), kind)
    _done(wrong)
    return number


async def _watch(server: Server, asked: Asked) -> Any:
    """Let a station watch a variable, or forget a monitor by its ``id``; without either, return what it watches."""
    station = _station(server, asked)
    if "id" in asked:
        return _done(await monitors.unwatch(station, int(asked["id"])))
    if "variable" not in asked:
        return [one._asdict() for one in await monitors.watched(station)]
    number, wrong = await monitors.watch(
        station, str(asked["variable"]), asked["kind"], float(asked["value"]), int(asked.get("severity", 5))
    )
    _done(wrong)
    return number


async def _trust(server: Server, asked: Asked) -> Any:
    """Do what has to do with passwords, certificates and profiles: ``what`` says which."""
    what, gate = asked["what"], server.gate
    if what == "rotate":
        return await trust.rotate(server)
    if what == "finish":
        return await trust.finish_rotation(server)
    station = _station(server, asked)
    if what == "revoke":
        return trust.revoke(server, station.id)
    if what == "renew":
        return _done(await trust.renew(station))
    if what == "installed":
        return await trust.installed(station)
    if what == "install":
        return _done(await trust.install(station, str(asked["kind"]), read_certificate(str(asked["certificate"]))))
    if gate is None:
        raise InvalidValue("this server has no gate")
    if what == "password":
        return _done(await management.change_password(station, gate))
    if what == "profile":
        return _done(await management.raise_profile(station, gate, int(asked["profile"]), str(asked.get("url", ""))))
    if what == "forgive":
        gate.credentials.forgive(station.id)
        server.services.note(station.id, epoch(server.clock()), "Forgiven", "profile and password forgotten")
        trust.cut(server, station.id)
        return "done"
    raise InvalidValue(f"trust is {', '.join(TRUST)}, was {str(what)[:20]!r}")


TRUST = ("rotate", "finish", "revoke", "renew", "installed", "install", "password", "profile", "forgive")
VERBS: Mapping[str, Callable[[Server, Asked], Awaitable[Any]]] = {
    "list": _list,
    "show": _show,
    "reset": _reset,
    "unlock": _unlock,
    "available": _available,
    "reserve": _reserve,
    "cancel": _cancel,
    "local-list": _local_list,
    "firmware": _firmware,
    "diagnostics": _diagnostics,
    "watch": _watch,
    "trust": _trust,
}


def _station(server: Server, asked: Asked) -> Station:
    found = server.stations.get(str(asked["station"]))
    if found is None or not found.registered:
        raise InvalidValue(f"there is no station {str(asked['station'])[:48]!r}")
    return found


def _line(server: Server, station: Station) -> dict[str, Any]:
    return {
        "station": station.id,
        "registered": station.registered,
        "connected": station.link is not None,
        "version": station.version,
        "profile": 0 if server.gate is None else server.gate.needed(station.id),
        "heard_s": station.heard_s,
        "evses": {
            str(evse.number): {
                "status": evse.status,
                "transaction": evse.session.id if evse.session else None,
                "import_wh": evse.imported.total_wh,
            }
            for evse in station.evses.values()
        },
    }


def _done(wrong: str) -> str:
    if wrong:
        raise InvalidValue(wrong)
    return "done"
