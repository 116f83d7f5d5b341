"""The street alive and its app, together: the street in a process of its own, so that no plan delays a page."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from commonwatt.apps import door_card
from commonwatt.apps.chain_terms import RPC_PORT, want_embedded
from commonwatt.apps.demo_feeds import played_feeds
from commonwatt.apps.opening import Opened, Way, open_app
from commonwatt.model import Refused

_PROGRAM = "from commonwatt.apps.cli.main import main; main()"
_LOOK_S = 0.2
_OPEN_WITHIN_S = 300.0
"""Compiled parts are made at their first use on a fresh machine."""
_STOP_WITHIN_S = 30.0


def demonstrate(
    street: Path,
    folder: Path,
    way: Way,
    words: Sequence[str],
    on_open: Callable[[Opened], None],
) -> None:
    """Let a street live on and serve its app, anybody in any seat, until the process is told to end.

    Args:
        street: Its folder, with its recorded data.
        folder: The live run's own.
        way: How the app is opened.
        words: Further words for `commonwatt run --live`.
        on_open: Told once people can come.

    Raises:
        Refused: The street did not begin; says what it said last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alive(street, folder, words), played_feeds(street, folder, time.time):
        want_embedded(folder, RPC_PORT)
        open_app(folder, way, on_open)


@contextmanager
def _alive(street: Path, folder: Path, words: Sequence[str]) -> Iterator[None]:
    """Keep a live street running as long as the block does; what it says lies beside its folder."""
    told = folder.with_name(f"{folder.name}.log")
    asked = ("run", str(street), "--live", "--port", "0", "--output", str(folder), *words)
    with told.open("wb") as output:
        living = subprocess.Popen(  # noqa: S603  our own program, told by our own command line
            [sys.executable, "-c", _PROGRAM, *asked],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            # Ctrl-C at a terminal is for this process, which ends the street in good order afterwards.
            start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        try:
            _wait_for_door(living, folder, told)
            yield
        finally:
            living.terminate()
            with suppress(subprocess.TimeoutExpired):
                living.wait(_STOP_WITHIN_S)
            living.kill()
            living.wait()


def _wait_for_door(living: "subprocess.Popen[bytes]", folder: Path, told: Path) -> None:
    before_s = time.monotonic() + _OPEN_WITHIN_S
    began_ns = time.time_ns()
    card = folder / door_card.DOOR_CARD
    while time.monotonic() < before_s:
        with suppress(OSError):
            if card.stat().st_mtime_ns > began_ns:
                return
        if living.poll() is not None:
            break
        time.sleep(_LOOK_S)
    last = told.read_text(errors="replace").strip().splitlines()[-1:] or ["nothing"]
    raise Refused("a street opens its door before its app", folder=folder, said=last[0][:400])
