"""Serve the log of a folder, also while another process writes it."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from commonwatt.adapters.stores.notes import NoteFile
from commonwatt.apps.api.limits import Fair, Limits
from commonwatt.apps.api.log import log_app
from commonwatt.apps.api.serving import server
from commonwatt.apps.checking import check_gently
from commonwatt.apps.wiring import open_log
from commonwatt.flows.evidence import read_trust
from commonwatt.flows.publish import Publisher
from commonwatt.ledger.checkpoint import Checkpoint, split_note
from commonwatt.model import Refused

TRUST = "community.pub"
NOTES = "notes.sqlite"
FAIR = Limits(unknown_per_s=500, burst_s=10)
"""For each address: what is public is there to be copied whole, and by more than one at a time."""


def serve_folder(folder: Path, host: str, port: int, on_open: Callable[[str], None]) -> None:
    """Serve a folder's log until the process is told to end, or a leaf is found that is not what it was.

    Every stored leaf is hashed again meanwhile, see `commonwatt.apps.checking`.

    Args:
        folder: A run's folder, with the log, its master key and the community's public keys.
        host: Where to listen.
        port: Where to listen; 0 for any that is free.
        on_open: Told the address, once it listens.

    Raises:
        Refused: The folder lacks one of the three.
        Corrupt: A file is damaged, be it found later, beside.
        OSError: The port is taken.
    """
    faults = list[Exception]()
    with ExitStack() as doors:
        publisher = open_publisher(folder, doors)
        publisher.refresh()
        door = doors.enter_context(listen(host, port))
        on_open(address(door))
        app = log_app(publisher, lambda: int(time.time()))
        app.add_middleware(Fair, limits=FAIR, now_s=time.monotonic, caller=lambda scope: None)
        running, stop = server(app), threading.Event()
        doors.callback(stop.set)

        def check() -> None:
            try:
                check_gently(folder, stop)
            except Exception as error:
                faults.append(error)
                running.should_exit = True

        threading.Thread(target=check, daemon=True).start()
        running.run([door])
    if faults:
        raise faults[0]


def open_publisher(folder: Path, doors: ExitStack) -> Publisher:
    """Return what a folder's log hands out.

    Args:
        folder: As in `serve_folder`.
        doors: Closes the files that are opened here.
    """
    trust = folder / TRUST
    if not trust.exists():
        raise Refused("a log is served with its community's public keys", missing=trust)
    log = doors.enter_context(open_log(folder))
    notes = doors.enter_context(NoteFile(folder / NOTES))
    notes.add({}, log.pruned_to)  # what was pruned before nobody can look through any more
    return Publisher(log, notes, read_trust(trust.read_bytes()))


def cosigned(folder: Path, note: str) -> str:
    """Return a note of a folder's log with the cosignatures that were handed in for it so far."""
    if not (folder / NOTES).exists():
        return note
    with NoteFile(folder / NOTES) as notes:
        size = Checkpoint.parse(split_note(note)[0]).size
        return note + "".join(one.line for one in notes.cosignatures(size))


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        OSError: The host is unknown, or the port taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def address(door: socket.socket) -> str:
    """Return where a socket listens, as a browser takes it."""
    host, port = door.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
