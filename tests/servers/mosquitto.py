"""A Mosquitto broker of the tests' own on loopback, in a folder that goes with it."""

import atexit
import shutil
import socket
import subprocess
import time
import warnings
from contextlib import closing
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "servers.sh"
CANNOT_BE_HAD = 3


class Mosquitto:
    """A broker process; starts within a second.

    Args:
        *settings: Lines for mosquitto.conf; without any, everybody is let in.
        port: Where it listens; a free one where nothing is said.
    """

    def __init__(self, *settings: str, port: int = 0) -> None:
        self.port = port or free_port()
        words = [str(SCRIPT), "mosquitto", str(self.port), *settings]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stdout is not None and self._process.stderr is not None
        self._folder = self._process.stdout.readline().strip()
        if not self._folder:
            said = self._process.stderr.read().strip()
            if self._process.wait() == CANNOT_BE_HAD:
                reason = f"NOTHING IS TESTED AGAINST AN MQTT BROKER: {said}"
                warnings.warn(reason, stacklevel=2)
                pytest.skip(reason)
            raise RuntimeError(f"Mosquitto did not start: {said}")
        self._wait()

    def _wait(self, for_s: float = 10) -> None:
        until = time.monotonic() + for_s
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > until:
                    log = Path(self._folder, "server.log").read_text()
                    self.stop()
                    raise RuntimeError(f"Mosquitto takes no connections: {log}") from None
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop it and delete all it had."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(15)
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def free_port() -> int:
    """Return a port of loopback that nobody listens on just now."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@cache
def shared() -> Mosquitto:
    """Return a broker for the whole process, stopped at its end."""
    broker = Mosquitto()
    atexit.register(broker.stop)
    return broker


@pytest.fixture(scope="session")
def mosquitto() -> Mosquitto:
    """A broker for the whole session; every test takes topics of its own in it."""
    return shared()
