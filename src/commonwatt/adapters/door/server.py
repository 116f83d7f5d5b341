"""Take requests from sockets, decide them in commits, and answer each once it is durable."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import msgspec

from commonwatt.adapters.door.wire import ERROR, OUTCOMES, RECEIPT, answer, outcome_codes, split_frames
from commonwatt.flows.intake import Intake
from commonwatt.flows.receipts import give_receipt
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import SigningKey
from commonwatt.model import CommunityId, InvalidValue

AT_ONCE = 1_024
"""Requests a commit at most: what keeps an answer within some hundredths of a second."""
MOST_WAITING = 16_384
"""Requests that may wait for their commit; beyond, sockets are not read until some are answered."""


class Door:
    """One community's door. While one commit becomes durable, the next is read and its signatures are checked.

    Args:
        sequencer: The community's writer; nobody else submits to it meanwhile.
        operator: Signs the receipts.
        now_s: The clock, seconds since 1970.
        after: Called after every commit, for checkpoints and snapshots; may submit too.
    """

    def __init__(
        self, sequencer: Sequencer, operator: SigningKey, now_s: Callable[[], int], after: Callable[[], None]
    ) -> None:
        self._sequencer, self._operator, self._now_s, self._after = sequencer, operator, now_s, after
        self._waiting: deque[tuple[_Connection, bytes]] = deque()
        self._read: tuple[list[_Connection], Intake] | None = None
        self._pumping = False
        self._connections: set[_Connection] = set()
        self.failed: BaseException | None = None

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Begin to take connections."""
        return await asyncio.get_running_loop().create_server(lambda: _Connection(self), host, port)

    def take(self, connection: "_Connection", wires: list[bytes]) -> None:
        """Put requests of one connection in line, and give its receipt."""
        if self.failed is not None:
            connection.refuse(f"the log could not be written: {self.failed}")
            return
        first = len(self._sequencer.tree) + len(self._waiting) + (len(self._read[0]) if self._read else 0)
        heads = [wire.partition(b"\n")[0] for wire in wires]
        # Requests ahead may be refused, and a checkpoint may come between commits: no later than this, all the same.
        stands_by = first + len(wires) + 1 + (first + len(wires)) // AT_ONCE
        community = CommunityId(self._sequencer.state.community)
        receipt = give_receipt(self._operator, community, heads, self._now_s(), stands_by)
        connection.send(answer(RECEIPT, msgspec.json.encode(receipt, order="sorted")))
        self._waiting.extend((connection, wire) for wire in wires)
        if len(self._waiting) > MOST_WAITING:
            for open_one in self._connections:
                open_one.pause()
        self._pump_soon()

    def joined(self, connection: "_Connection") -> None:
        """Note a connection that opened."""
        self._connections.add(connection)

    def left(self, connection: "_Connection") -> None:
        """Note a connection that closed; what it sent is decided all the same."""
        self._connections.discard(connection)

    def _pump_soon(self) -> None:
        if not self._pumping:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        """Read the next commit, then decide the one that was read before; as long as there is any."""
        self._pumping = False
        ready, self._read = self._read, self._read_next()
        if ready:
            try:
                self._decide(*ready)
            except BaseException as error:
                self.failed = error
                for connection in list(self._connections):
                    connection.refuse(f"the log could not be written: {error}")
                raise
        if self._read:
            self._pump_soon()

    def _read_next(self) -> tuple[list["_Connection"], Intake] | None:
        if not self._waiting:
            return None
        some = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        if len(self._waiting) <= MOST_WAITING // 2:
            for connection in self._connections:
                connection.go_on()
        return [connection for connection, _ in some], self._sequencer.read([wire for _, wire in some])

    def _decide(self, connections: list["_Connection"], intake: Intake) -> None:
        outcomes = self._sequencer.submit(intake, self._now_s())
        codes = outcome_codes(outcomes)
        by_connection: dict[_Connection, bytearray] = {}
        for connection, code in zip(connections, codes, strict=True):
            by_connection.setdefault(connection, bytearray()).append(code)
        for connection, own in by_connection.items():
            connection.send(answer(OUTCOMES, bytes(own)))
        self._after()


class _Connection(asyncio.Protocol):
    """One socket: collects bytes until they are requests."""

    def __init__(self, door: Door) -> None:
        self._door, self._buffer = door, bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._door.joined(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            wires = split_frames(self._buffer)
        except InvalidValue as error:
            self.refuse(str(error))
            return
        if wires:
            self._door.take(self, wires)

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
