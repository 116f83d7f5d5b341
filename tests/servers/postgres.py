"""A PostgreSQL server of the tests' own, on a private socket."""

import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from servers.started import Started


class Cluster(Started):
    """A server process; starts within a second or two.

    Args:
        *settings: Lines for postgresql.conf.
    """

    def __init__(self, *settings: str) -> None:
        super().__init__(
            "PostgreSQL", "postgres", *settings, ending=signal.SIGQUIT
        )  # without a word to who is connected
        self._numbers = itertools.count()
        self.dsn = f"host={self.folder} user=postgres dbname=postgres"
        self.wait()

    def wait(self, for_s: float = 20) -> None:
        """Wait until it takes connections, also after it restarted itself."""
        self.until_it_answers(lambda: psycopg.connect(self.dsn).close(), psycopg.OperationalError, for_s)

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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A server for the whole session; every test takes a community of its own in it."""
    with Cluster() as cluster:
        yield cluster
