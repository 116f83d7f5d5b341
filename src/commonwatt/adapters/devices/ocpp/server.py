"""The server that charging stations connect to: one process, many stations, each with one connection at a time."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from ssl import SSLContext
from urllib.parse import unquote, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from commonwatt.adapters.devices.ocpp import frames, schemas
from commonwatt.adapters.devices.ocpp.handlers import MUST_LAST, WHILE_PENDING, Handler, Heard
from commonwatt.adapters.devices.ocpp.handlers2 import HANDLERS_21, HANDLERS_201
from commonwatt.adapters.devices.ocpp.handlers16 import HANDLERS_16
from commonwatt.adapters.devices.ocpp.handlers21 import HANDLERS_V2X
from commonwatt.adapters.devices.ocpp.memory import Memory
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.model import InvalidValue, epoch

HANDLERS = {"1.6": HANDLERS_16, "2.0.1": HANDLERS_201, "2.1": {**HANDLERS_21, **HANDLERS_V2X}}
SUBPROTOCOLS = [Subprotocol(f"ocpp{version}") for version in schemas.VERSIONS]
LARGEST_MESSAGE = 262_144
PING_EVERY_S = 60.0
MOST_STRANGERS = 100
"""So many stations that nobody registered are kept waiting, to be registered; more are turned away."""
LONGEST_STATION_ID = 48


@asynccontextmanager
async def serving(
    host: str,
    port: int,
    clock: Callable[[], datetime],
    folder: Path | None = None,
    *,
    tls: SSLContext | None = None,
    ping_s: float = PING_EVERY_S,
) -> AsyncIterator["Server"]:
    """Run a server while the context is entered.

    Raises:
        OSError: The port is not free.
    """
    server = Server(clock, Memory(folder))
    try:
        async with serve(
            server.serve, host, port, ssl=tls, subprotocols=SUBPROTOCOLS, compression=None, max_size=LARGEST_MESSAGE,
            max_queue=4, write_limit=4096, ping_interval=ping_s, ping_timeout=ping_s, close_timeout=1,
            server_header=None,
        ) as listening:  # fmt: skip
            server.port = next(iter(listening.sockets)).getsockname()[1]
            yield server
    finally:
        server.close()


class Server:
    """Knows the stations, and answers what they say.

    Args:
        clock: Our time, which stations are told.
        memory: What must outlive us.
    """

    def __init__(self, clock: Callable[[], datetime], memory: Memory) -> None:
        self._clock, self._memory = clock, memory
        self.stations: dict[str, Station] = {}
        self.port = 0

    def register(self, id: str) -> Station:
        """Return a station that is ours from now on; one that waits is welcomed at its next boot message."""
        found = self.stations.get(id)
        if found is None:
            found = self.stations[id] = Station(
                id, registered=True, remember=self._remember, kept=self._memory.load(id)
            )
        found.registered = True
        return found

    async def serve(self, link: ServerConnection) -> None:
        """Talk with one connection until its end; a station's newer connection replaces the older."""
        station = self._station_at(link)
        if station is None:
            await link.close(1008, "too many strangers")
            return
        older = station.link
        if station.link is not None:
            station.lost()
        station.link, station.version = link, str(link.subprotocol).removeprefix("ocpp")
        if older is not None:
            older.transport.abort()  # half-open as likely as not: a polite close would wait for its answer
        try:
            async for raw in link:
                if station.link is not link:
                    break
                answer = await self.answer(station, raw)
                if answer is not None:
                    await link.send(answer, text=True)
        except ConnectionClosed:
            pass
        finally:
            if station.link is link:
                station.lost()
                if not station.registered:
                    self.stations.pop(station.id, None)

    async def answer(self, station: Station, raw: str | bytes) -> bytes | None:
        """Return what a station shall be answered, whatever it said; None for what has no answer."""
        now = self._clock()
        try:
            frame = frames.parse(raw, station.version)
        except frames.BadFrame as bad:
            station.note(f"bad frame: {bad.code}")
            return None if bad.id is None else frames.error(bad.id, bad.code, bad.words)
        station.heard_s = epoch(now)
        if frame.kind not in (frames.CALL, frames.SEND):
            station.answered(frame)
            return None
        try:
            payload = self._handle(station, frame, now)
        except frames.CallRefused as refused:
            station.note(f"{frame.action[:40]}: {refused.code}")
            return None if frame.kind == frames.SEND else frames.error(frame.id, refused.code, refused.words)
        if frame.action in MUST_LAST:
            await self._memory.written()
        return None if frame.kind == frames.SEND else frames.result(frame.id, payload)

    def close(self) -> None:
        """Write what must outlive us."""
        for station in self.stations.values():
            if station.registered:
                self._remember(station)
        self._memory.close()

    def _handle(self, station: Station, frame: frames.Frame, now: datetime) -> dict[str, object]:
        version, action = station.version, frame.action
        handler: Handler | None = HANDLERS[version].get(action)
        if handler is None:
            code = "NotSupported" if schemas.known(version, action) else "NotImplemented"
            raise frames.CallRefused(code, f"no {action[:40]} here")
        if not station.registered and action not in WHILE_PENDING:
            raise frames.CallRefused("SecurityError", "this station is not registered")
        for one in schemas.check(version, action, frame.payload) or ():
            if one.keyword not in schemas.FORGIVEN:
                raise frames.CallRefused(_code(one.keyword), f"{action}{one.where}: {one.words}")
            station.note(f"{action}{one.where}: {one.keyword}")
        try:
            return handler(Heard(station, now), frame.payload)
        except InvalidValue as wrong:
            raise frames.CallRefused("PropertyConstraintViolation", str(wrong)) from None

    def _station_at(self, link: ServerConnection) -> Station | None:
        path = urlsplit(link.request.path if link.request is not None else "").path
        id = unquote(path.rstrip("/").rpartition("/")[2])[:LONGEST_STATION_ID]
        found = self.stations.get(id)
        if found is None and id:
            if sum(not station.registered for station in self.stations.values()) >= MOST_STRANGERS:
                return None
            found = self.stations[id] = Station(id, registered=False, remember=self._remember, kept=None)
        return found

    def _remember(self, station: Station) -> None:
        if station.registered:
            self._memory.change(station.id, station.body)


def _code(keyword: str) -> str:
    return "TypeConstraintViolation" if keyword == "type" else "ProtocolError"
