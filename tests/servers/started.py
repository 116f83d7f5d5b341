"""A foreign server that `scripts/servers.sh` starts for tests, in a folder of its own that goes with it."""

import shutil
import signal
import subprocess
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "servers.sh"
CANNOT_BE_HAD = 3


class Started:
    """A server's process; where it cannot be had the test is skipped, loudly.

    Args:
        name: In words.
        *words: For the script.
        ending: How it is told to stop.
    """

    def __init__(self, name: str, *words: str, ending: signal.Signals = signal.SIGTERM) -> None:
        self._name, self._ending = name, ending
        self._process = subprocess.Popen(
            [str(SCRIPT), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        self.folder = Path(self._process.stdout.readline().strip())
        if self.folder == Path():
            said = self._process.stderr.read().strip()
            if self._process.wait() == CANNOT_BE_HAD:
                leave_out(f"NOTHING IS TESTED AGAINST {name.upper()}: {said}")
            raise RuntimeError(f"{name} did not start: {said}")

    def until_it_answers(self, ask: Callable[[], object], silence: type[Exception], for_s: float = 20) -> None:
        """Wait until asking it something raises no such error any more."""
        until = time.monotonic() + for_s
        while True:
            try:
                ask()
                return
            except silence:
                if self._process.poll() is not None or time.monotonic() > until:
                    log = (self.folder / "server.log").read_text()
                    self.stop()
                    raise RuntimeError(f"{self._name} takes no connections: {log}") from None
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop it and delete all it had."""
        if self._process.poll() is None:
            self._process.send_signal(self._ending)
            self._process.wait(15)
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()
        shutil.rmtree(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def leave_out(reason: str) -> None:
    """Skip a test, and say so where everybody looks."""
    warnings.warn(reason, stacklevel=3)
    pytest.skip(reason)
