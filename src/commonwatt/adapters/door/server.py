"""Take requests from sockets, decide them in commits, and answer each once it is durable."""

import asyncio
import gc
import sys
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import msgspec

from commonwatt.adapters.door.wire import (
    ERROR,
    OUTCOMES,
    RECEIPT,
    answer,
    outcome_codes,
    read_outcomes,
    split_answers,
    split_frames,
    split_way,
)
from commonwatt.flows.intake import Intake
from commonwatt.flows.receipts import give_receipt
from commonwatt.flows.sequence import Decided, Sequencer
from commonwatt.identity.keys import SigningKey
from commonwatt.model import CommunityId, InvalidValue, Outcome, Refused

MOST_KEEPING = 2
"""Commits that may be on their way to the disk at once."""
MOST_READ = 3
"""Commits whose signatures may be in the making at once."""
AT_ONCE = 256
"""Requests a commit at most: what keeps an answer within some hundredths of a second."""
MANY, AT_ONCE_OF_MANY = 1_024, 2_048
"""Where so many wait, as at a quarter-hour's end, nobody is answered at once anyway: larger commits answer sooner."""
_TURN_S = 0.0005
_DRAIN_S = 0.002
MOST_WAITING = 16_384
"""Requests that may wait for their commit; beyond, sockets are not read until some are answered."""


LookOn = Callable[[int, Collection[str]], Callable[[], None]]
"""Told of a commit before it is decided: of how many requests, and the ways that they are part of; what it returns is
called once they are durable."""


class Door:
    """One community's door. While one commit becomes durable, the next is decided, and one more is read and checked.

    Args:
        sequencer: The community's writer; nobody else submits to it meanwhile.
        operator: Signs the receipts.
        now_s: The clock, seconds since 1970.
        after: Called after every commit and by `keep_time`, for checkpoints and snapshots; may submit too.
        look_on: Told of commits.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        operator: SigningKey,
        now_s: Callable[[], int],
        after: Callable[[], None],
        look_on: LookOn = lambda many, ways: lambda: None,
    ) -> None:
        self._look_on = look_on
        self._sequencer, self._operator, self._now_s, self._after = sequencer, operator, now_s, after
        self._waiting: deque[tuple[_Asker, bytes]] = deque()
        self._read: deque[tuple[list[_Asker], Intake]] = deque()
        self._keeping = 0
        self._pumping = False
        self._connections: set[_Asker] = set()
        self._closed = self._draining = ""
        self.failed: BaseException | None = None

    @property
    def waiting(self) -> int:
        """Requests for which there may be receipts, and which are not decided yet."""
        return len(self._waiting) + sum(len(askers) for askers, _ in self._read)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Begin to take connections."""
        # What is there by now stays: the collector need not look at it again and again, some ten times a second.
        gc.collect()
        gc.freeze()
        # Threads that check and keep need the interpreter only for a moment; they shall not wait 5 ms for it each time.
        sys.setswitchinterval(_TURN_S)
        return await asyncio.get_running_loop().create_server(lambda: _Connection(self), host, port)

    async def keep_time(self, every_s: float) -> None:
        """Call `after` again and again, so that what has come due is done without any traffic too.

        Raises:
            BaseException: Why this door takes no requests any more; it never returns otherwise.
        """
        while self.failed is None:
            try:
                self._after()
            except BaseException as error:
                self._fail(error)
                raise
            await asyncio.sleep(every_s)
        raise self.failed

    async def submit(self, wires: list[bytes], *, promised: bool = True) -> list[Outcome]:
        """Put requests of this process in line behind those that came by socket, and return their outcomes.

        Args:
            wires: Signed requests.
            promised: Whether a receipt is made for them; whoever hands in for others who want none can do without.

        Raises:
            Refused: The log could not be written.
        """
        inside = _Inside(len(wires), promised=promised)
        self.joined(inside)
        try:
            self.take(inside, wires)
            return await inside.answered
        finally:
            self.left(inside)

    def hand_in(self, wires: list[bytes]) -> None:
        """Put requests of this process in line whose outcomes nobody waits for: the log tells them."""
        self.take(_Nobody(), wires)

    async def drain(self, why: str) -> None:
        """Take nothing more, and decide all for which there are receipts: whoever stops has promised to."""
        self._draining = why
        while self.failed is None and (self._waiting or self._read or self._keeping):
            await asyncio.sleep(_DRAIN_S)

    def hang_up(self, why: str) -> None:
        """Tell every connection why it ends, those too that are only just being opened; the first reason stands."""
        self._closed = self._closed or why
        for connection in list(self._connections):
            connection.refuse(self._closed)

    def take(self, connection: "_Asker", wires: list[bytes]) -> None:
        """Put requests of one connection in line, and give its receipt."""
        if self.failed is not None or self._draining:
            connection.refuse(f"nothing more is taken: {self.failed or self._draining}")
            return
        try:
            now_s = self._now_s()
        except Refused as error:
            self._fail(error)
            return
        if connection.promised:
            self._promise(connection, wires, now_s)
        self._waiting.extend((connection, wire) for wire in wires)
        if len(self._waiting) > MOST_WAITING:
            for open_one in self._connections:
                open_one.pause()
        self._pump_soon()

    def _promise(self, connection: "_Asker", wires: list[bytes], now_s: int) -> None:
        """Give the receipt for requests that are put in line next."""
        before = self.waiting + len(wires)
        # Requests ahead may be refused, and a checkpoint may come between commits: no later than this, all the same.
        # It is counted by what waits, and not by how long the log is: whoever has room between may put something there.
        stands_by = len(self._sequencer.tree) + before + 1 + before // AT_ONCE
        community = CommunityId(self._sequencer.state.community)
        receipt = give_receipt(self._operator, community, wires, now_s, stands_by)
        connection.send(answer(RECEIPT, msgspec.json.encode(receipt, order="sorted")))

    def joined(self, connection: "_Asker") -> None:
        """Note a connection that opened."""
        self._connections.add(connection)
        if self._closed:
            connection.refuse(self._closed)

    def left(self, connection: "_Asker") -> None:
        """Note a connection that closed; what it sent is decided all the same."""
        self._connections.discard(connection)

    def _pump_soon(self) -> None:
        if not self._pumping:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        """Read what waits, and decide the first commit whose signatures are checked; then again, once more is done."""
        self._pumping = False
        if self.failed is not None:
            return
        while self._waiting and len(self._read) < MOST_READ:
            self._read_next()
        if not self._read or self._keeping >= MOST_KEEPING:
            return  # `take` and `_answer` go on
        connections, intake = self._read[0]
        if not all(check.done() for check in intake.checks()):
            return  # `_read_next` has seen to it that somebody goes on
        self._read.popleft()
        try:
            self._decide(connections, intake)
        except BaseException as error:
            self._fail(error)
            raise
        self._pump_soon()

    def _fail(self, error: BaseException) -> None:
        """Take no more requests: what is in memory is ahead of the log."""
        self.failed = error
        self.hang_up(f"nothing more is taken: {error}")

    def _read_next(self) -> None:
        """Begin to read a commit; whoever ends the last of its checks lets the door go on."""
        most = AT_ONCE if len(self._waiting) < MANY else AT_ONCE_OF_MANY
        some = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        if len(self._waiting) <= MOST_WAITING // 2:
            for connection in self._connections:
                connection.go_on()
        try:
            intake = self._sequencer.read([wire for _, wire in some])
        except BaseException as error:
            self._fail(error)
            raise
        self._read.append(([connection for connection, _ in some], intake))
        for check in intake.checks():
            self._when_done(check, self._pump_soon)

    def _when_done(self, future: "Future[Any]", then: Callable[[], None]) -> None:
        """Do something on this loop once a thread has ended its work."""
        loop = asyncio.get_running_loop()

        def tell(_: object) -> None:
            with suppress(RuntimeError):  # whose loop has ended waits for no answer
                loop.call_soon_threadsafe(then)

        future.add_done_callback(tell)

    def _decide(self, connections: list["_Asker"], intake: Intake) -> None:
        durable = self._look_on(len(connections), {one.way for one in connections if one.way})
        decided = self._sequencer.decide(intake, self._now_s())
        self._keeping += 1
        self._when_done(decided.kept, partial(self._answer, connections, decided, durable))
        self._after()

    def _answer(self, connections: list["_Asker"], decided: Decided, durable: Callable[[], None]) -> None:
        """Tell outcomes that are durable now; commits become so in their order."""
        self._keeping -= 1
        try:
            outcomes = decided.wait()
        except BaseException as error:
            self._fail(error)
            raise
        durable()
        by_connection: dict[_Asker, bytearray] = {}
        for connection, code in zip(connections, outcome_codes(outcomes), strict=True):
            by_connection.setdefault(connection, bytearray()).append(code)
        for connection, own in by_connection.items():
            connection.send(answer(OUTCOMES, bytes(own)))
        self._pump_soon()


class _Asker(Protocol):
    """Whoever waits for answers."""

    promised: bool
    """Whether it gets receipts."""
    way: str
    """The way that its requests are part of, as they say; empty for none."""

    def send(self, data: bytes) -> None:
        """Take a frame."""

    def refuse(self, why: str) -> None:
        """Be told that nothing more comes."""

    def pause(self) -> None:
        """Ask nothing more for now."""

    def go_on(self) -> None:
        """Ask again."""


class _Connection(asyncio.Protocol):
    """One socket: collects bytes until they are requests."""

    promised = True

    def __init__(self, door: Door) -> None:
        self._door, self._buffer = door, bytearray()
        self.way = ""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._door.joined(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        more = True
        while more:
            try:
                wires = split_frames(self._buffer)
            except InvalidValue as error:
                self.refuse(str(error))
                return
            if wires:
                self._door.take(self, wires)
            way = split_way(self._buffer)
            self.way, more = (self.way, False) if way is None else (way, True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._door.left(self)

    def send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def refuse(self, why: str) -> None:
        self.send(answer(ERROR, why.encode()))
        if self._transport is not None:
            self._transport.close()

    def pause(self) -> None:
        if self._transport is not None:
            with suppress(RuntimeError):
                self._transport.pause_reading()

    def go_on(self) -> None:
        if self._transport is not None:
            with suppress(RuntimeError):
                self._transport.resume_reading()


class _Nobody:
    """Whoever wants no answer."""

    promised, way = True, ""

    def send(self, data: bytes) -> None:
        """Let it go."""

    def refuse(self, why: str) -> None:
        """Ask nothing more."""

    def pause(self) -> None:
        """Ask nothing more for now."""

    def go_on(self) -> None:
        """Ask again when there is something to ask."""


class _Inside:
    """Somebody of this process who waits for the outcomes of some requests."""

    way = ""

    def __init__(self, count: int, *, promised: bool = True) -> None:
        self.promised = promised
        self.answered: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._count, self._outcomes = count, list[Outcome]()

    def send(self, data: bytes) -> None:
        for kind, content in split_answers(bytearray(data)):
            if kind == OUTCOMES:
                self._outcomes += read_outcomes(content)
        if len(self._outcomes) == self._count and not self.answered.done():
            self.answered.set_result(self._outcomes)

    def refuse(self, why: str) -> None:
        if not self.answered.done():
            self.answered.set_exception(Refused(why))

    def pause(self) -> None:
        """Go on waiting: what is asked from inside is little."""

    def go_on(self) -> None:
        """Go on waiting."""
