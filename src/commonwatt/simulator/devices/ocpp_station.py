"""A simulated charging station that speaks real OCPP 1.6, 2.0.1 or 2.1 over WebSocket, on a plant of physics."""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from ocpp.messages import get_validator  # type: ignore[import-untyped]  # it ships no types
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.typing import Subprotocol

from commonwatt.model import Band, Nameplate
from commonwatt.simulator.devices import ocpp_v2x
from commonwatt.simulator.devices.label import label_of
from commonwatt.simulator.devices.ocpp_answers import answer
from commonwatt.simulator.devices.ocpp_duties import Duties
from commonwatt.simulator.devices.ocpp_meter import SigningMeter
from commonwatt.simulator.devices.ocpp_stack import Stack
from commonwatt.simulator.devices.ocpp_words import Words, words_of
from commonwatt.simulator.plant import Plant

CALL, RESULT = 2, 3


class Quiet(Exception):
    """The other side gave no answer, or none that is a result."""


@dataclass(slots=True, kw_only=True)
class OcppStation:
    """One station with one EVSE and a car at its plug.

    Time is the plant's; the station tells its meter values when `tell` is called. What belongs to a transaction waits
    in a queue while there is no connection, and is said again until it is answered.

    Args:
        plant: The car and its meter.
        version: ``1.6``, ``2.0.1`` or ``2.1``.
        url: Of the server, its own id being the last part.
        unit: What it counts limits in.
        per_transaction: Its register starts anew with each transaction.
        rejects: Purposes of profiles that it refuses.
        clears: Whether it can clear profiles.
        levels: Highest stack level that it knows.
        duties: What it does beside charging; None: nothing.
        tag: Token of whoever charges; a start from afar brings its own.
        patience_s: How long it waits for an answer.
        label: What it says of itself; without, what every simulated device says.
        boot_reason: Why it boots, in the words of 2.x.
        meter: Signs what its register shows when a transaction begins and ends; None: nothing is signed.
        life: Part of its transactions' names: none is given twice, whatever it forgets when its program is killed.
    """

    plant: Plant
    version: str
    url: str
    unit: str = "W"
    volts: int = 230
    per_transaction: bool = False
    rejects: frozenset[str] = frozenset()
    clears: bool = True
    levels: int = 8
    frequency_mhz: int = 50_000
    grid: ocpp_v2x.GridSupport = field(default_factory=ocpp_v2x.GridSupport)
    patience_s: float = 0.4
    duties: Duties | None = None
    tag: str = "CAR"
    lies: bool = False
    boot_reason: str = "PowerUp"
    plugged: bool = True
    meter: SigningMeter | None = None
    signed: list[str] = field(default_factory=list)
    transaction: str | None = None
    stack: Stack = field(default_factory=Stack)
    queue: deque[tuple[str, dict[str, Any]]] = field(default_factory=deque)
    said: deque[tuple[str, dict[str, Any]]] = field(default_factory=lambda: deque(maxlen=10))
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    number: int = 0
    register_from_wh: int = 0
    label: Nameplate | None = None
    life: str = field(default_factory=lambda: secrets.token_hex(4))
    _link: ClientConnection | None = None
    _up: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    _saying: asyncio.Lock = field(default_factory=asyncio.Lock)
    _ids: int = 0
    _starts: int = 0
    _soon: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def words(self) -> Words:
        """How its version says things."""
        return words_of(self.version)

    @property
    def register_wh(self) -> int:
        """What its meter shows of import."""
        return self.plant.import_wh - self.register_from_wh

    @property
    def firmware(self) -> str:
        """The version that it tells at its boots."""
        return self.said_label.firmware

    @firmware.setter
    def firmware(self, version: str) -> None:
        self.label = replace(self.said_label, firmware=version)

    @property
    def said_label(self) -> Nameplate:
        """What it says of itself."""
        return self.label or label_of(self.plant)

    @property
    def in_service(self) -> bool:
        """Whether it charges; one that was taken out of service ends what it has begun."""
        return self.duties is None or self.duties.in_service or self.transaction is not None

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""
        while True:
            with suppress(OSError, WebSocketException, InvalidHandshake, TimeoutError, EOFError):
                async with connect(
                    self.url, subprotocols=[Subprotocol(f"ocpp{self.version}")], compression=None, ping_interval=None,
                    open_timeout=1, close_timeout=0.1, proxy=None,
                    additional_headers=self.duties.headers if self.duties else None,
                    ssl=self.duties.keys.tls() if self.duties and self.url.startswith("wss:") else None,
                ) as link:  # fmt: skip
                    self._link = link
                    greeting = asyncio.create_task(self._greet())
                    try:
                        async for raw in link:
                            await self._hear(link, raw)
                    finally:
                        self._link = None
                        self._up.clear()
                        greeting.cancel()
            await asyncio.sleep(0.02)

    async def up(self) -> None:
        """Return when it is connected and welcome."""
        await self._up.wait()

    async def tell(self) -> None:
        """Look at the clock: do what the profiles say now, and send meter values; it waits a moment for the answer."""
        self.follow()
        if self.duties is not None:
            self.duties.monitors.look(self)
        self.queue.append(self.words.measured(self))
        await self._flush()

    async def live_to(self, now_s: int) -> None:
        """Do what it was asked to, let time pass up to a moment, and tell what it shows then."""
        await asyncio.gather(*self._soon)
        self.plant.pass_time(max(0, now_s - self.plant.now_s))
        await self.tell()

    async def plug(self) -> None:
        """Begin a transaction."""
        self.plugged = True
        if self.per_transaction:
            self.register_from_wh = self.plant.import_wh
        self.number = 0
        self._starts += 1
        self.stack.began_s = self.plant.now_s
        self.transaction = self.words.first_id(f"{self.plant.now_s}-{self._starts}-{self.life}")
        self.follow()
        self.signed = []
        self._sign("B")
        self.queue.append(("StatusNotification", self.words.status(self)))
        self.queue.append(self.words.started(self))
        await self._flush()

    async def unplug(self, reason: str = "EVDisconnected") -> None:
        """End the transaction; the car leaves, or the power did."""
        self._sign("E")
        self.queue.append(self.words.ended(self, reason))
        self.signed = []
        self.transaction = None
        self.stack.end_transaction()
        self.plugged = reason != "EVDisconnected"
        self.follow()
        self.queue.append(("StatusNotification", self.words.status(self)))
        await self._flush()

    def _sign(self, mark: str) -> None:
        if self.meter is not None:
            self.signed.append(self.meter.sign(mark, self.plant.now_s, self.register_wh, self.tag))

    async def restart(self) -> None:
        """Lose power for a moment: profiles are forgotten, the transaction ends and another begins."""
        self.plant.restart()
        self.stack = Stack()
        if self.transaction is not None:
            self._sign("E")
            self.queue.append(self.words.ended(self, "PowerLoss"))
            self.transaction = None
        if self._link is not None:
            self._link.transport.abort()
        self._up.clear()
        await self.up()
        await self.plug()

    def relabel(self, label: Nameplate) -> None:
        """Say something else of itself from now on: it boots again, as after an update, and charges on."""
        self.label = label
        if self._link is not None:
            self._link.transport.abort()

    async def reboot(self, reason: str) -> None:
        """Boot anew for a reason of 2.x, and return when the server has welcomed it."""
        self.boot_reason = reason
        self._up.clear()
        if self._link is not None:
            self._link.transport.abort()
        await self.up()

    async def repeat(self) -> None:
        """Say the last messages again, in the other order."""
        for action, payload in reversed(list(self.said)):
            with suppress(Quiet, OSError, WebSocketException):
                await self.call(action, payload)

    def follow(self) -> None:
        """Make the plant do what the profiles say now."""
        if self.transaction is None:
            self.plant.ask(Band(lo_w=0, hi_w=0), None)  # its relay is open
            return
        held = self.stack.now(self.plant.now_s, in_transaction=self.transaction is not None)
        if held is None:
            self.plant.release()
            return
        per = 1 if self.unit == "W" else self.volts * (held.phases or 1)
        most_w = self.plant.asset.max_import_w if held.limit is None else int(held.limit * per)
        band = ocpp_v2x.band_of(self, held, per, most_w)
        self.plant.ask(self.grid.bounded(band, self.plant.now_s), held.until_s)

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Say something and return the answer; both are checked by the official schemas.

        Raises:
            Quiet: No answer came in time, or an error did.
        """
        validate(self.version, CALL, action, payload)
        async with self._busy:
            if self._link is None:
                raise Quiet("not connected")
            self._ids += 1
            id = f"s{self._ids}"
            waiting = self._waiting[id] = asyncio.get_running_loop().create_future()
            try:
                await self._link.send(json.dumps([CALL, id, action, payload]))
                async with asyncio.timeout(self.patience_s):
                    told: dict[str, Any] = await waiting
            except TimeoutError:
                raise Quiet(f"no answer to {action}") from None
            finally:
                del self._waiting[id]
        validate(self.version, RESULT, action, told)
        return told

    async def _greet(self) -> None:
        with suppress(Quiet, OSError, WebSocketException):
            told = await self.call("BootNotification", self.words.boot(self))
            if told["status"] != "Accepted":
                return
            await self.call("StatusNotification", self.words.status(self))
            self._up.set()
        await self._flush()

    async def _flush(self) -> None:
        """Say what waits, oldest first, as long as it is answered."""
        with suppress(Quiet, OSError, WebSocketException):
            async with self._saying:
                await self._say_all()

    async def _say_all(self) -> None:
        while self.queue and self._link is not None:
            action, payload = self.queue[0]
            told = await self.call(action, payload)
            if self.queue and self.queue[0][1] is payload:
                self.queue.popleft()
            self.said.append((action, payload))
            self.words.learn(self, action, told)

    async def _hear(self, link: ClientConnection, raw: str | bytes) -> None:
        try:
            frame = json.loads(raw, parse_float=Decimal)
        except (json.JSONDecodeError, UnicodeDecodeError):
            return
        if frame[0] != CALL:
            waiting = self._waiting.get(frame[1])
            if waiting is not None and not waiting.done():
                if frame[0] == RESULT:
                    waiting.set_result(frame[2])
                else:
                    waiting.set_exception(Quiet(f"{frame[2]}: {frame[3]}"))
            return
        _, id, action, payload = frame
        validate(self.version, CALL, action, payload)
        self.heard.append((action, payload))
        told = answer(self, action, payload)
        if told is None and self.duties is not None:
            told = self.duties.answer(self, action, payload)
        if told is None:
            await link.send(json.dumps([4, id, "NotImplemented", "", {}]))
            return
        validate(self.version, RESULT, action, told)
        await link.send(json.dumps([RESULT, id, told]))

    def later(self, action: str, payload: dict[str, Any]) -> None:
        """Say something soon, after the answer that is under way."""
        self.queue.append((action, payload))
        self.soon(self._flush())

    def begin_soon(self) -> None:
        """Begin a transaction soon, as it was asked to from afar."""
        self.soon(self.plug())

    def end_soon(self) -> None:
        """End the transaction soon, as it was asked to from afar."""
        self.soon(self.unplug("Remote"))

    def soon(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Do something beside, for as long as the station runs."""
        task = asyncio.create_task(work)
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)
        return task


@asynccontextmanager
async def running(station: OcppStation) -> AsyncIterator[OcppStation]:
    """Run a station while the context is entered."""
    task = asyncio.create_task(station.run())
    try:
        yield station
    finally:
        for one in (task, *station._soon):
            one.cancel()
        await asyncio.gather(task, *station._soon, return_exceptions=True)


def validate(version: str, kind: int, action: str, payload: dict[str, Any]) -> None:
    """Check a payload by the official schema.

    Raises:
        jsonschema.ValidationError: It is not what the schema allows.
    """
    exact = json.loads(json.dumps(payload, default=float), parse_float=Decimal)
    get_validator(kind, action, version, parse_float=Decimal).validate(exact)
