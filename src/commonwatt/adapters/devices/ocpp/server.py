"""The server that charging stations connect to: one process, many stations, each with one connection at a time."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from http import HTTPStatus
from inspect import iscoroutine
from pathlib import Path
from ssl import SSLContext
from typing import Any
from urllib.parse import unquote, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from commonwatt.adapters.devices.ocpp import frames, schemas
from commonwatt.adapters.devices.ocpp.gate import Gate
from commonwatt.adapters.devices.ocpp.handlers import MUST_LAST, WHILE_PENDING, Handler, Heard, Payload
from commonwatt.adapters.devices.ocpp.handlers2 import HANDLERS_21, HANDLERS_201
from commonwatt.adapters.devices.ocpp.handlers16 import HANDLERS_16
from commonwatt.adapters.devices.ocpp.handlers21 import HANDLERS_V2X
from commonwatt.adapters.devices.ocpp.memory import Memory
from commonwatt.adapters.devices.ocpp.services import Services
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.model import InvalidValue, epoch

HANDLERS = {"1.6": HANDLERS_16, "2.0.1": HANDLERS_201, "2.1": {**HANDLERS_21, **HANDLERS_V2X}}
SUBPROTOCOLS = [Subprotocol(f"ocpp{version}") for version in schemas.VERSIONS]
LARGEST_MESSAGE = 262_144
PING_EVERY_S = 60.0
MOST_STRANGERS = 100
"""So many stations that nobody registered are kept waiting, to be registered; more are turned away."""
LONGEST_STATION_ID = 48
MOST_UNHEARD = 4
"""So many answers to one station may be under way at once; it asks one thing after the other, unless it means harm."""
WIRE = logging.getLogger("commonwatt.ocpp.wire")
WIRE.setLevel(logging.WARNING)  # finer ones would write headers and frames, and with them passwords, to the log


@asynccontextmanager
async def serving(
    host: str,
    port: int,
    clock: Callable[[], datetime],
    folder: Path | None = None,
    *,
    tls: SSLContext | None = None,
    services: Services | None = None,
    gate: Gate | None = None,
    ping_s: float = PING_EVERY_S,
) -> AsyncIterator["Server"]:
    """Run a server while the context is entered.

    Raises:
        OSError: The port is not free.
    """
    server = Server(clock, Memory(folder), services, gate)
    try:
        async with server.doors:
            server.port = await server.listen(host, port, tls, ping_s)
            yield server
    finally:
        await server.services.close()
        server.close()


class Server:
    """Knows the stations, and answers what they say.

    Args:
        clock: Our time, which stations are told.
        memory: What must outlive us.
        services: What stations may need of others; without, everybody may charge and nothing is signed.
        gate: Who may come in; without, whoever knocks.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        memory: Memory,
        services: Services | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.clock, self.memory, self.gate = clock, memory, gate
        self.services = services or Services()
        self.services.journal = memory.note
        self.stations: dict[str, Station] = self.services.stations
        self.doors = AsyncExitStack()
        self.tls: SSLContext | None = None
        self.names: tuple[str, ...] = ()
        self.given: tuple[Path, Path] | None = None  # certificate and key of somebody else's
        self.port = 0

    async def listen(self, host: str, port: int, tls: SSLContext | None = None, ping_s: float = PING_EVERY_S) -> int:
        """Listen at one more address until the server ends, and return its port.

        Raises:
            OSError: The port is not free.
        """
        listening = await self.doors.enter_async_context(
            serve(
                self.serve, host, port, ssl=tls, subprotocols=SUBPROTOCOLS, compression=None, max_size=LARGEST_MESSAGE,
                max_queue=4, write_limit=4096, ping_interval=ping_s, ping_timeout=ping_s, close_timeout=1,
                server_header=None, process_request=self.admit, logger=WIRE,
            )
        )  # fmt: skip
        found: int = next(iter(listening.sockets)).getsockname()[1]
        return found

    @asynccontextmanager
    async def at(self, host: str, port: int, tls: SSLContext | None) -> AsyncIterator[int]:
        """Listen at one more address; it is closed with the server. Yields the port.

        Raises:
            OSError: The port is not free.
        """
        yield await self.listen(host, port, tls)

    async def admit(self, link: ServerConnection, request: Request) -> Response | None:
        """Turn a connection away before it becomes one, where its security does not do."""
        if self.gate is None:
            return None
        station = _id_in(request.path)
        turned = await self.gate.admit(link, station, request.headers.get("Authorization", ""))
        if turned is None:
            return None
        peer = link.remote_address
        where = f" from {peer[0]}" if peer else ""
        self.services.note(station, epoch(self.clock()), "TurnedAway", f"{turned.words}{where}")
        response = link.respond(turned.status, f"{turned.status.phrase}\n")
        if turned.status == HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Basic realm="ocpp"'
        return response

    def register(self, id: str) -> Station:
        """Return a station that is ours from now on; one that waits is welcomed at its next boot message."""
        found = self.stations.get(id)
        if found is None:
            found = self.stations[id] = Station(id, registered=True, remember=self._remember, kept=self.memory.load(id))
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
                answer = await self.answer(station, raw, partial(link.send, text=True))
                if answer is not None:
                    await link.send(answer, text=True)
                if station.begun:
                    self._tell_begun(station)
        except ConnectionClosed:
            pass
        finally:
            if station.link is link:
                station.lost()
                if not station.registered:
                    self.stations.pop(station.id, None)

    async def answer(
        self, station: Station, raw: str | bytes, say: Callable[[bytes], Awaitable[None]] | None = None
    ) -> bytes | None:
        """Return what a station shall be answered, whatever it said; None for what has no answer.

        With `say`, an answer for which others have to be asked first is said when it is there, and None returned.
        """
        now = self.clock()
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
            return _refusal(station, frame, refused)
        if iscoroutine(payload):
            work = self._ask_others(station, frame, payload)
            if say is None:
                return await work
            if station.busy < MOST_UNHEARD and self.services.later(_then(station, work, say)):
                return None
            work.close()
            payload.close()
            return frames.error(frame.id, "InternalError", "too much at once")
        if frame.action in MUST_LAST:
            await self.memory.written()
        return None if frame.kind == frames.SEND else frames.result(frame.id, payload)

    def close(self) -> None:
        """Write what must outlive us."""
        for station in self.stations.values():
            if station.registered:
                self._remember(station)
        self.memory.close()

    async def _ask_others(
        self, station: Station, frame: frames.Frame, payload: Coroutine[Any, Any, Payload]
    ) -> bytes | None:
        try:
            made = await payload
        except InvalidValue as wrong:
            return _refusal(station, frame, frames.CallRefused("PropertyConstraintViolation", str(wrong)))
        return None if frame.kind == frames.SEND else frames.result(frame.id, made)

    def _handle(self, station: Station, frame: frames.Frame, now: datetime) -> Payload | Coroutine[Any, Any, Payload]:
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
            answer = handler(Heard(station, now, self.services), frame.payload)
            station.clock.hear(action, frame.payload, epoch(now))
            return answer
        except InvalidValue as wrong:
            raise frames.CallRefused("PropertyConstraintViolation", str(wrong)) from None

    def _tell_begun(self, station: Station) -> None:
        """Tell who keeps an EVSE that a transaction began there, once the station has its answer: 1.6 names it so."""
        for number in [*station.begun]:
            hook = station.hooks.get(number)
            if hook is None or self.services.later(hook()):
                station.begun.discard(number)

    def _station_at(self, link: ServerConnection) -> Station | None:
        id = _id_in(link.request.path if link.request is not None else "")
        found = self.stations.get(id)
        if found is None and id:
            if sum(not station.registered for station in self.stations.values()) >= MOST_STRANGERS:
                return None
            found = self.stations[id] = Station(id, registered=False, remember=self._remember, kept=None)
        return found

    def _remember(self, station: Station) -> None:
        if station.registered:
            self.memory.change(station.id, station.body)


async def _then(
    station: Station, work: Coroutine[Any, Any, bytes | None], say: Callable[[bytes], Awaitable[None]]
) -> None:
    station.busy += 1
    try:
        answer = await work
        if answer is not None:
            await say(answer)
    except ConnectionClosed:
        pass
    finally:
        station.busy -= 1


def _refusal(station: Station, frame: frames.Frame, refused: frames.CallRefused) -> bytes | None:
    station.note(f"{frame.action[:40]}: {refused.code}")
    return None if frame.kind == frames.SEND else frames.error(frame.id, refused.code, refused.words)


def _id_in(path: str) -> str:
    return unquote(urlsplit(path).path.rstrip("/").rpartition("/")[2])[:LONGEST_STATION_ID]


def _code(keyword: str) -> str:
    return "TypeConstraintViolation" if keyword == "type" else "ProtocolError"
