"""A community's door held open: its writer behind a socket, checkpoints by the clock, snapshots now and then."""

import asyncio
import gc
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from commonwatt.adapters.door.server import Door
from commonwatt.adapters.stores.keyfile import load_secret, passphrase
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps.acting import Agents
from commonwatt.apps.checking import check_gently
from commonwatt.apps.door_card import CardClock, DoorCard, posted
from commonwatt.apps.gateway_lines import NO_LINES, GatewayLines, Lines
from commonwatt.apps.hosting import PaymentHost
from commonwatt.apps.observing.at_door import DoorMetrics
from commonwatt.apps.observing.listener import LOOPBACK, show_metrics
from commonwatt.apps.observing.spans import open_spans
from commonwatt.apps.publishing import address, listen
from commonwatt.apps.tilling import TillHost
from commonwatt.apps.wiring import MASTER_KEY
from commonwatt.flows.desk import Desk
from commonwatt.flows.onboard import OPERATOR
from commonwatt.flows.replay import community_of
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import NoteKey, SigningKey
from commonwatt.ledger.checkpoint import sign_note
from commonwatt.model import SLOT_SECONDS, Kind, Outcome, Refused

SNAPSHOT_EVERY = 100_000
"""Leaves between snapshots: what a start has to run again at most, some seconds' worth."""
MOST_AHEAD_S = 86_400
"""How far the clock may be ahead of the log's last time; every slot between is settled at once when it goes on."""
MOST_BEHIND_S = 60
"""How far the clock may be behind; until it has caught up the log's own time stands still."""
LOOK_EVERY_S = 1.0
LAST_WORDS_S = 0.05
MOST_DRAINING_S = 10.0
"""For what is said last to leave before the process ends."""


@dataclass(slots=True)
class Office:
    """The operator's keys and habits around a sequencer: a checkpoint for every slot, snapshots, and agents.

    Never two for one slot, whatever was killed in between: two histories of one slot are what a fraud would sign.
    """

    sequencer: Sequencer
    operator: SigningKey
    note: NoteKey
    now_s: Callable[[], int]
    agents: Callable[[], None] = lambda: None

    def look(self) -> None:
        """Sign a checkpoint once in each slot, keep a snapshot under one now and then, and let members' agents act."""
        if self.now_s() // SLOT_SECONDS * SLOT_SECONDS > self.sequencer.state.checked_s:
            self.checkpoint()
        self.agents()

    def checkpoint(self) -> None:
        """Sign a checkpoint over everything so far.

        Raises:
            Refused: The log does not take it.
        """
        now_s, size = self.now_s(), len(self.sequencer.tree)
        slept = now_s - self.sequencer.last_s > MOST_AHEAD_S
        if size >= self.sequencer.kept_to + SNAPSHOT_EVERY:
            self.sequencer.save_snapshot()
        text = self.sequencer.checkpoint(now_s // SLOT_SECONDS * SLOT_SECONDS).note_text()
        note = sign_note(text, self.sequencer.state.community, self.note.private)
        desk = Desk(self.sequencer.state)
        desk.write(self.operator, OPERATOR, Kind.CHECKPOINT, bodies.CheckpointBody(note=note))
        (outcome,) = self.sequencer.submit(desk.wires, now_s)
        if outcome is not Outcome.BOOKED:
            raise Refused("a log takes its operator's checkpoints", size=size, outcome=outcome)
        if slept:  # so that nobody has to live through all those slots once more
            self.sequencer.save_snapshot()


class LogClock:
    """The time as a log takes it: never backwards, and never far ahead of what it has seen without being told.

    Args:
        now_s: The system's clock, seconds since 1970.
        last_s: The log's last time.
        most_ahead_s: How far the clock may be ahead of that.
        slept: Whether somebody says that the log really slept until now, however long that was.

    Raises:
        Refused: The clock is too far from the log's last time.
    """

    def __init__(
        self, now_s: Callable[[], int], last_s: Callable[[], int], most_ahead_s: int, *, slept: bool = False
    ) -> None:
        self._now_s, self._last_s, self._most_ahead_s = now_s, last_s, most_ahead_s
        self._woke_s = now_s() if slept else 0
        self()

    def __call__(self) -> int:
        """Return the time for what is decided now, seconds since 1970.

        Raises:
            Refused: The clock is too far from the log's last time.
        """
        now_s, last_s = self._now_s(), self._last_s()
        if now_s > max(last_s, self._woke_s) + self._most_ahead_s:
            raise Refused(
                "the clock has jumped ahead of the log; set it, or say --slept if the log really slept that long",
                log_s=last_s,
                clock_s=now_s,
                most_ahead_s=self._most_ahead_s,
            )
        if now_s < last_s - MOST_BEHIND_S:
            raise Refused(
                "the clock is behind the log; set it, or wait until it is later than what the log has seen",
                log_s=last_s,
                clock_s=now_s,
                most_behind_s=MOST_BEHIND_S,
            )
        return max(now_s, last_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """How a door is kept.

    Args:
        most_ahead_s: How far the clock may be ahead of the log's last time.
        slept: Whether the log really slept until now, however long that was.
        check: Whether every stored leaf is hashed again beside; a fault that is found closes the door.
        look_every_s: Between two looks at whether a checkpoint is due.
        payments: The file that says where the payment provider is, if there is one; see `hosting.Terms`.
        channels: The file that says where payment channels are, if vouchers are taken; see `tilling.TillFile`.
        lines: Where gateways come in.
        metrics: The port on loopback where metrics are shown; None for none.
        traces: The collector to which traces go; empty for none.
    """

    most_ahead_s: int = MOST_AHEAD_S
    slept: bool = False
    check: bool = True
    look_every_s: float = LOOK_EVERY_S
    payments: Path | None = None
    channels: Path | None = None
    lines: Lines = NO_LINES
    metrics: int | None = None
    traces: str = ""


_USUAL = Hours()


def accept(
    folder: Path,
    host: str,
    port: int,
    now_s: Callable[[], int],
    *,
    on_open: Callable[[int, int], None],
    on_word: Callable[[str], None] = lambda word: None,
    hours: Hours = _USUAL,
) -> None:
    """Take requests for the community of a folder until interrupted.

    Args:
        folder: Holds the log and the operator's keys, as a run leaves them.
        host: Where to listen.
        port: Likewise; 0 for any free one.
        now_s: The clock, seconds since 1970.
        on_open: Told the port, and how many leaves the log has, once requests can come.
        on_word: Told in words what else is done beside.
        hours: How the door is kept.

    Raises:
        Refused: The folder holds no community, or not its keys; the clock is too far from the log's time; or the log
            cannot be written any more.
        Corrupt: Its log contradicts itself, be it found later, beside.
    """
    if not (folder / "log.sqlite").exists():
        raise Refused("no log in this folder", folder=folder)
    operator, note = desk_keys(folder)
    with ExitStack() as doors, SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        metrics = DoorMetrics(time.perf_counter_ns, open_spans(hours.traces, "commonwatt-accept", doors))
        panel = None if hours.metrics is None else doors.enter_context(listen(LOOPBACK, hours.metrics))
        sequencer = Sequencer(log, community_of(log), lambda _: os.urandom(32))
        clock = LogClock(now_s, lambda: sequencer.last_s, hours.most_ahead_s, slept=hours.slept)
        office = Office(sequencer, operator, note, clock)
        door = Door(sequencer, operator, clock, office.look, metrics.commit)
        office.agents = Agents(folder, sequencer, door.hand_in).look
        turn = threading.Lock()
        payments = PaymentHost(folder, hours.payments, sequencer, clock, now_s, turn) if hours.payments else None
        till = TillHost(folder, hours.channels, sequencer, clock, turn) if hours.channels else None
        gateways = GatewayLines(hours.lines, sequencer, operator, clock, on_word, hours.look_every_s, folder)
        metrics.watch(door, sequencer, now_s, (lambda: gateways.connected) if hours.lines.gateways else None)

        async def keep() -> None:
            stop = threading.Event()
            office.look()
            began_s = clock()
            server = await door.listen(host, port)
            where = server.sockets[0].getsockname()[1]
            shown = CardClock(log_s=began_s, system_ms=1_000 * began_s)
            with posted(folder, DoorCard(community=sequencer.state.community, host=host, port=where, clock=shown)):
                try:
                    beside_it = _beside_the_door(door, payments, till, gateways, hours, stop, on_word)
                    if panel is not None:
                        on_word(f"metrics at {address(panel)}/metrics")
                        beside_it.append(asyncio.ensure_future(show_metrics(panel, metrics.registry)))
                    on_open(where, len(sequencer.tree))
                    if hours.check:
                        beside_it.append(beside(lambda: _check(folder, stop, on_word)))
                    await asyncio.gather(door.keep_time(hours.look_every_s), *beside_it)
                finally:
                    stop.set()
                    await see_off(server, door)

        try:
            asyncio.run(keep())
        finally:
            sequencer.close()  # its thread may still be writing to the store that is closed next


def _beside_the_door(
    door: Door,
    payments: PaymentHost | None,
    till: TillHost | None,
    gateways: GatewayLines,
    hours: Hours,
    stop: threading.Event,
    on_word: Callable[[str], None],
) -> "list[asyncio.Future[None]]":
    """Begin what hands in at the door from other places: payments, vouchers, gateways."""
    loop = asyncio.get_running_loop()
    begun: list[asyncio.Future[None]] = []
    for host in (payments, till):
        if host is not None:
            begun.append(beside(partial(host.run, door, loop, stop, on_word)))
    if hours.lines != NO_LINES:
        begun.append(asyncio.ensure_future(gateways.run(door)))
    return begun


async def see_off(server: asyncio.Server, door: Door) -> None:
    """Close a door: nobody comes in any more, what was promised is decided, and all are told that it is closed."""
    server.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(MOST_DRAINING_S):
            await door.drain("the door is closed")
    door.hang_up("the door is closed")
    await asyncio.sleep(LAST_WORDS_S)
    gc.unfreeze()  # what the door set aside for the collector may go now


def beside(work: Callable[[], None]) -> "asyncio.Future[None]":
    """Do something in a thread that ends with the process, and return what waits for its end or its error."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def tell(error: BaseException | None) -> None:
        if not ended.done():
            ended.set_result(None) if error is None else ended.set_exception(error)

    def run() -> None:
        found: BaseException | None = None
        try:
            work()
        except BaseException as error:
            found = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, found)

    threading.Thread(target=run, daemon=True).start()
    return ended


def _check(folder: Path, stop: threading.Event, on_word: Callable[[str], None]) -> None:
    if found := check_gently(folder, stop):
        on_word(f"{found.hashed} leaves hashed again, and {found.checkpoints} checkpoints compared: all as it was")


def desk_keys(folder: Path) -> tuple[SigningKey, NoteKey]:
    """Return the operator's two keys of a community's folder: for requests, and for checkpoint notes.

    Raises:
        Refused: A key file is not its owner's alone, or the passphrase does not open it.
        FileNotFoundError: The folder holds none.
    """
    words = passphrase(folder / "keys" / "passphrase")
    operator = SigningKey.from_pem(load_secret(folder / "keys" / "operator.pem"), words)
    return operator, NoteKey.from_pem(load_secret(folder / "keys" / "note.pem"), words)
