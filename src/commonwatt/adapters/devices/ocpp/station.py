"""One charging station as we know it: its connection, its EVSEs, what it can do, and what it gets wrong."""

import asyncio
from collections import Counter as Tally
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from commonwatt.adapters.devices.ocpp import frames, schemas
from commonwatt.adapters.devices.ocpp.books import Books
from commonwatt.adapters.devices.ocpp.evse import Evse
from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.telling import Clock
from commonwatt.model import NO_NAMEPLATE, InvalidValue, Nameplate, Unreachable

MOST_EVSES = 64
MOST_QUIRKS = 200
ANSWER_WITHIN_S = 8.0
"""How long a station may take to answer a CALL; whoever keeps devices waits ten seconds at most."""


class Kept(msgspec.Struct):
    """What of a station outlives us."""

    evses: dict[int, Evse]
    last_id: int = 0
    books: Books = msgspec.field(default_factory=Books)
    nameplate: Nameplate = NO_NAMEPLATE


class Station:
    """A station, connected or not. Whoever wants something of it says `call`.

    Args:
        id: The last part of the address that it connects to.
        registered: Whether we know it; strangers are kept waiting at their boot.
        remember: Called when something changed that must outlive us.
        kept: What was remembered of it.
    """

    __slots__ = (
        "_lock", "_next", "_waiting", "begun", "books", "boot", "booted", "busy", "clock", "evses", "facts", "heard_s",
        "hooks", "id", "last_id", "link", "model", "nameplate", "quirks", "registered", "remember", "version",
        "within_s",
    )  # fmt: skip

    def __init__(self, id: str, *, registered: bool, remember: Callable[["Station"], None], kept: bytes | None) -> None:
        self.id, self.registered, self.remember = id, registered, remember
        self.version = ""
        self.link: ServerConnection | None = None
        self.within_s = ANSWER_WITHIN_S
        self.boot: dict[str, Any] = {}
        self.booted = False
        self.begun: set[int] = set()  # EVSEs at which a transaction began of which nobody was told yet
        self.hooks: dict[int, Callable[[], Coroutine[Any, Any, None]]] = {}  # by EVSE, who wants to know
        self.busy = 0  # answers under way, for which others are asked
        self.heard_s: int | None = None
        self.facts: dict[str, Any] = {}
        self.model: dict[str, Any] = {}
        self.clock = Clock()
        self.quirks: Tally[str] = Tally()
        self._lock: asyncio.Lock | None = None
        self._waiting: tuple[str, str, asyncio.Future[Any]] | None = None
        self._next = 0
        memory = msgspec.json.decode(kept, type=Kept) if kept else Kept(evses={})
        self.evses, self.last_id, self.books = memory.evses, memory.last_id, memory.books
        self.nameplate = memory.nameplate

    def body(self) -> bytes:
        """Return what of it outlives us."""
        return msgspec.json.encode(
            Kept(evses=self.evses, last_id=self.last_id, books=self.books, nameplate=self.nameplate)
        )

    def evse(self, number: int) -> Evse:
        """Return one of its EVSEs, known from now on.

        Raises:
            InvalidValue: No station has so many.
        """
        found = self.evses.get(number)
        if found is None:
            if number < 0 or len(self.evses) >= MOST_EVSES:
                raise InvalidValue(f"a station has at most {MOST_EVSES} EVSEs, numbered from 0, was {number}")
            found = self.evses[number] = Evse(number)
        return found

    async def call(self, action: str, payload: dict[str, Any], within_s: float | None = None) -> dict[str, Any]:
        """Ask the station for something and return what it answers; one CALL at a time, as OCPP demands.

        Args:
            action: As OCPP names it, of the version that the station speaks.
            payload: As the official schema wants it.
            within_s: How long to wait in all, for earlier calls and for the answer; without, as is usual for it.

        Raises:
            CallRefused: It answered by a CALLERROR.
            Unreachable: It is not connected, or gave no answer in time.
            InvalidValue: Our payload is not what the schema allows, or its answer makes no sense.
        """
        self._refuse_wrong(action, payload)
        within_s = self.within_s if within_s is None else within_s
        if self._lock is None:
            self._lock = asyncio.Lock()
        try:
            async with asyncio.timeout(within_s), self._lock:
                answer = await self._ask(action, payload)
        except TimeoutError:
            raise Unreachable(f"station {self.id} gave no answer to {action} in {within_s} s") from None
        await self._heed(action, answer)
        made: dict[str, Any] = answer[1]
        return made

    async def send(self, action: str, payload: dict[str, Any]) -> None:
        """Send an unconfirmed message of OCPP 2.1, which has no answer.

        Raises:
            Unreachable: It is not connected.
            InvalidValue: Our payload is not what the schema allows.
        """
        self._refuse_wrong(action, payload)
        await self._write(msgspec.json.encode([frames.SEND, self._id(), action, payload]))

    async def heard_of(self, evse: Evse, since_s: int, within_s: float) -> None:
        """Return when an EVSE has told something since a moment of our clock, or the time is over."""
        until = asyncio.get_running_loop().time() + within_s
        while (evse.told_s is None or evse.told_s < since_s) and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.01)

    def answered(self, frame: frames.Frame) -> None:
        """Hand an answer to whoever waits for it; one that nobody waits for is counted and forgotten."""
        if self._waiting is None or self._waiting[0] != frame.id or self._waiting[2].done():
            self.note("answer that nobody waits for")
        elif frame.kind == frames.RESULT:
            self._waiting[2].set_result((frame.id, frame.payload))
        else:
            self._waiting[2].set_exception(CallRefused(frame.action, *frame.payload))

    def note(self, quirk: str) -> None:
        """Count what it gets wrong; a station that finds ever new ways fills no memory."""
        self.quirks[quirk if quirk in self.quirks or len(self.quirks) < MOST_QUIRKS else "and others"] += 1

    def lost(self) -> None:
        """Note that the connection is gone; whoever waits for an answer gets none."""
        self.link = None
        if self._waiting is not None and not self._waiting[2].done():
            self._waiting[2].set_exception(Unreachable(f"station {self.id} has gone"))

    def _refuse_wrong(self, action: str, payload: dict[str, Any]) -> None:
        if self.link is None:
            raise Unreachable(f"station {self.id} is not connected")
        found = schemas.check(self.version, action, payload)
        if found is None:
            raise InvalidValue(f"OCPP {self.version} has no {action}")
        if found:
            raise InvalidValue(f"{action}{found[0].where} for {self.id}: {found[0].words}")

    async def _ask(self, action: str, payload: dict[str, Any]) -> tuple[str, Any]:
        waiting = asyncio.get_running_loop().create_future()
        id = self._id()
        self._waiting = (id, action, waiting)
        try:
            await self._write(frames.call(id, action, payload))
            answer: tuple[str, Any] = await waiting
            return answer
        finally:
            self._waiting = None
            if waiting.done() and not waiting.cancelled():
                waiting.exception()  # seen by whoever waits, or he has gone

    async def _heed(self, action: str, answer: tuple[str, Any]) -> None:
        found = schemas.check(self.version, action, answer[1], answer=True) or []
        for one in found:
            self.note(f"{action} answer{one.where}: {one.keyword}")
        wrong = next((one for one in found if one.keyword not in schemas.FORGIVEN), None)
        if wrong is not None:
            words = f"{action}{wrong.where}: {wrong.words}"
            if self.version == "2.1":
                await self._write(frames.error(answer[0], "FormatViolation", words, frames.RESULT_ERROR))
            raise InvalidValue(f"station {self.id} answered what makes no sense: {words}")

    async def _write(self, message: bytes) -> None:
        link = self.link
        if link is None:
            raise Unreachable(f"station {self.id} is not connected")
        try:
            await link.send(message, text=True)
        except (OSError, ConnectionClosed) as error:
            raise Unreachable(f"station {self.id} has gone") from error

    def _id(self) -> str:
        self._next += 1
        return f"c{self._next}"
