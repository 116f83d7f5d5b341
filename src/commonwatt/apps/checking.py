"""Check the log of a folder, also while another process writes it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from commonwatt.apps.wiring import open_log
from commonwatt.flows.checking import Checked, check_log


def check_folder(folder: Path, on_progress: Callable[[int, int], None] = lambda done, whole: None) -> Checked:
    """Hash every leaf of a folder's log again, see `commonwatt.flows.checking.check_log`.

    Raises:
        Refused: There is no log, or no key to it.
        Corrupt: A leaf, a tile or a checkpoint is not what it was; says which.
    """
    with open_log(folder) as log:
        return check_log(log, on_progress)


def check_gently(folder: Path, stop: threading.Event) -> Checked | None:
    """Check a folder's log in half of the time of one core, beside what matters more; None where it was stopped.

    Raises:
        Refused, Corrupt: As `check_folder`.
    """
    began_s = time.perf_counter()

    def rest(done: int, whole: int) -> None:
        nonlocal began_s
        if stop.wait(time.perf_counter() - began_s):
            raise _StoppedError
        began_s = time.perf_counter()

    try:
        return check_folder(folder, rest)
    except _StoppedError:
        return None


class _StoppedError(Exception):
    """Nobody waits for the check any more."""
