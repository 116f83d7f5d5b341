"""Runs the gateway's version in force, and goes back to the one before where a new one does not prove its health.

This file is copied beside the versions and stays as it is when they change: it stands on the standard library alone.
Run as `python launch.py WORDS...`; the words are those of the commonwatt command.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

CURRENT, PREVIOUS, TRIAL = "current", "previous", "trial.json"
HEALTHY = "COMMONWATT_HEALTHY_FILE"
"""Names, in the program's surroundings, the file that it makes once it does what it shall."""
HEALTHY_WITHIN_S = float(os.environ.get("COMMONWATT_HEALTHY_WITHIN_S", "180"))
MOST_TRIES = 2
"""A trial that was cut off so often, by loss of power say, has failed."""
FAILED, CHANGED = "failed", "changed"
_STOP_WITHIN_S = 20
_LOOK_S = 0.05
_PROGRAM = "from commonwatt.apps.cli.main import main; main()"


def launch(folder: Path, words: list[str]) -> int:
    """Run the version in force until it ends, and return its exit code.

    Args:
        folder: With the versions in it.
        words: For the commonwatt command.
    """
    if failed_before(folder):
        go_back(folder)
    while True:
        ended = _run(folder, words)
        if isinstance(ended, int):
            return ended
        if ended == FAILED:
            go_back(folder)


def go_back(folder: Path) -> None:
    """Put the version before in force, or what is installed where there is none; a trial is over then."""
    previous = folder / PREVIOUS
    if previous.is_symlink():
        point(folder / CURRENT, previous.readlink())
        previous.unlink()
    else:
        (folder / CURRENT).unlink(missing_ok=True)
    (folder / TRIAL).unlink(missing_ok=True)
    print("commonwatt: the new version did not prove its health, the one before is in force again", file=sys.stderr)  # noqa: T201  its only voice


def failed_before(folder: Path) -> bool:
    """Note that a trial begins; tell whether it was begun too often, or nobody can tell."""
    trial = folder / TRIAL
    if not trial.exists():
        return False
    try:
        tries = int(json.loads(trial.read_text())["tries"])
    except (ValueError, KeyError, TypeError):
        return True
    if tries >= MOST_TRIES:
        return True
    begin_trial(folder, tries + 1)
    return False


def begin_trial(folder: Path, tries: int = 0) -> None:
    """Say that the version in force has yet to prove its health."""
    fresh = folder / f".{TRIAL}.new"
    with fresh.open("w") as file:
        file.write(json.dumps({"tries": tries}))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / TRIAL)
    sync(folder)


def point(link: Path, target: Path) -> None:
    """Make a link point elsewhere, at once and durably: whoever looks sees the old target or the new one."""
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
    sync(link.parent)


def sync(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _run(folder: Path, words: list[str]) -> int | str:
    """Run the version in force to its end; `FAILED` where it was on trial, `CHANGED` where another one is now."""
    current, trial, healthy = folder / CURRENT, folder / TRIAL, folder / "healthy"
    healthy.unlink(missing_ok=True)
    surroundings = {**os.environ, HEALTHY: str(healthy)}
    started = _in_force(current)
    if started is not None:
        # Its real place: modules that are loaded later come from the same version, whatever is in force by then.
        surroundings["PYTHONPATH"] = str(folder / started)
    program = subprocess.Popen([sys.executable, "-P", "-c", _PROGRAM, *words], env=surroundings)  # noqa: S603  our own
    stopped: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        stopped.append(number)
        program.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        until = time.monotonic() + HEALTHY_WITHIN_S
        while program.poll() is None:
            if not stopped and _in_force(current) != started:
                _stop(program)
                return CHANGED
            if healthy.exists() and trial.exists():
                trial.unlink()
                sync(folder)
            if trial.exists() and not stopped and time.monotonic() > until:
                _stop(program)
                return FAILED
            time.sleep(_LOOK_S)
        return FAILED if trial.exists() and not stopped else program.returncode
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_force(current: Path) -> str | None:
    return str(current.readlink()) if current.is_symlink() else None


def _stop(program: "subprocess.Popen[bytes]") -> None:
    program.terminate()
    try:
        program.wait(_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


if __name__ == "__main__":
    sys.exit(launch(Path(__file__).resolve().parent, sys.argv[1:]))
