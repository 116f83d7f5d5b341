"""A PostgreSQL server of the tests' own, on a private socket in a folder that goes with it."""

import itertools
import os
import shutil
import signal
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "servers.sh"
CANNOT_BE_HAD = 3


class Cluster:
    """A server process; starts within a second or two.

    Args:
        *settings: Lines for postgresql.conf.
    """

    def __init__(self, *settings: str) -> None:
        words = [SCRIPT, "postgres", *settings]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stdout is not None and self._process.stderr is not None
        self._folder = self._process.stdout.readline().strip()
        if not self._folder:
            said = self._process.stderr.read().strip()
            if self._process.wait() == CANNOT_BE_HAD:
                reason = f"NOTHING IS TESTED AGAINST POSTGRESQL: {said}"
                warnings.warn(reason, stacklevel=2)
                pytest.skip(reason)
            raise RuntimeError(f"PostgreSQL did not start: {said}")
        self._numbers = itertools.count()
        self.dsn = f"host={self._folder} user=postgres dbname=postgres"
        self.wait()

    def wait(self, for_s: float = 20) -> None:
        """Wait until it takes connections, also after it restarted itself."""
        until = time.monotonic() + for_s
        while True:
            try:
                psycopg.connect(self.dsn).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    log = Path(self._folder, "server.log").read_text()
                    self.stop()
                    raise RuntimeError(f"PostgreSQL takes no connections: {log}") from None
                time.sleep(0.02)

    def crash(self, pid: int) -> None:
        """Kill one of its processes, whereupon it throws everybody out and recovers from its write-ahead log."""
        with psycopg.connect(self.dsn, autocommit=True) as db, suppress(psycopg.OperationalError):
            os.kill(pid, signal.SIGKILL)
            while True:
                db.execute("SELECT 1")
        self.wait(60)

    def name(self) -> str:
        """Return the name of a community that has no log here yet."""
        return f"street-{next(self._numbers)}"

    def do(self, statement: str, *, as_role: str = "postgres") -> list[tuple[object, ...]]:
        """Do something to the server behind everybody's back."""
        with psycopg.connect(self.dsn.replace("user=postgres", f"user={as_role}"), autocommit=True) as db:
            cursor = db.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def stop(self) -> None:
        """Stop it and delete all it had."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)  # without a word to those who are connected
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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A server for the whole session; every test takes a community of its own in it."""
    with Cluster() as cluster:
        yield cluster
