"""A community's door held open: its writer behind a socket, checkpoints by the clock, snapshots now and then."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from commonwatt.adapters.door.server import Door
from commonwatt.adapters.stores.keyfile import load_secret, passphrase
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps.wiring import MASTER_KEY
from commonwatt.flows.desk import Desk
from commonwatt.flows.onboard import OPERATOR
from commonwatt.flows.replay import community_of
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import NoteKey, SigningKey
from commonwatt.ledger.checkpoint import sign_note
from commonwatt.model import SLOT_SECONDS, Kind, Refused

SNAPSHOT_EVERY = 100_000
"""Leaves between snapshots: what a start has to run again at most, some seconds' worth."""


@dataclass(slots=True)
class Office:
    """The operator's keys and habits around a sequencer: a checkpoint for every slot, a snapshot before some.

    Never two for one slot, whatever was killed in between: two histories of one slot are what a fraud would sign.
    """

    sequencer: Sequencer
    operator: SigningKey
    note: NoteKey
    now_s: Callable[[], int]
    _kept: int = field(init=False)

    def __post_init__(self) -> None:
        self._kept = len(self.sequencer.tree)

    def after_commit(self) -> None:
        """Sign a checkpoint once in each slot; keep a snapshot under one now and then."""
        if self.now_s() // SLOT_SECONDS * SLOT_SECONDS > self.sequencer.state.checked_s:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Sign a checkpoint over everything so far."""
        size = len(self.sequencer.tree)
        if size >= self._kept + SNAPSHOT_EVERY:
            self.sequencer.save_snapshot()
            self._kept = size
        slot_s = self.now_s() // SLOT_SECONDS * SLOT_SECONDS
        text = self.sequencer.checkpoint(slot_s).note_text()
        note = sign_note(text, self.sequencer.state.community, self.note.private)
        desk = Desk(self.sequencer.state)
        desk.write(self.operator, OPERATOR, Kind.CHECKPOINT, bodies.CheckpointBody(note=note))
        self.sequencer.submit(desk.wires, self.now_s())


def accept(
    folder: Path,
    host: str,
    port: int,
    now_s: Callable[[], int],
    *,
    on_open: Callable[[int, int], None],
) -> None:
    """Take requests for the community of a folder until interrupted.

    Args:
        folder: Holds the log and the operator's keys, as a run leaves them.
        host: Where to listen.
        port: Likewise; 0 for any free one.
        now_s: The clock, seconds since 1970; the log's own time never runs backwards even where it does.
        on_open: Told the port, and how many leaves the log has, once requests can come.

    Raises:
        Refused: The folder holds no community, or not its keys.
        Corrupt: Its log contradicts itself.
    """
    if not (folder / "log.sqlite").exists():
        raise Refused("no log in this folder", folder=folder)
    operator, note = desk_keys(folder)
    with SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        sequencer = Sequencer(log, community_of(log), lambda _: os.urandom(32))

        def clock() -> int:
            return max(now_s(), sequencer.last_s)

        office = Office(sequencer, operator, note, clock)
        door = Door(sequencer, operator, clock, office.after_commit)
        asyncio.run(_serve(door, host, port, on_open, len(sequencer.tree)))


async def _serve(door: Door, host: str, port: int, on_open: Callable[[int, int], None], leaves: int) -> None:
    server = await door.listen(host, port)
    async with server:
        on_open(server.sockets[0].getsockname()[1], leaves)
        await server.serve_forever()


def desk_keys(folder: Path) -> tuple[SigningKey, NoteKey]:
    """Return the operator's two keys of a community's folder: for requests, and for checkpoint notes.

    Raises:
        Refused: A key file is not its owner's alone, or the passphrase does not open it.
        FileNotFoundError: The folder holds none.
    """
    words = passphrase(folder / "keys" / "passphrase")
    operator = SigningKey.from_pem(load_secret(folder / "keys" / "operator.pem"), words)
    return operator, NoteKey.from_pem(load_secret(folder / "keys" / "note.pem"), words)
