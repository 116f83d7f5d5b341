"""P37PG: how fast batches become durable in PostgreSQL, beside SQLite in the same folder and the raw disk."""

import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg

from benchmarks.figure import Figure, figure
from commonwatt.adapters.stores.postgres import PostgresLog
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Outcome

SCRIPT = Path(__file__).parents[1] / "scripts" / "servers.sh"
MASTER = MasterKey(bytes(32))
BODY = bytes(range(200)) * 3
OWNERS = 1_000
BATCHES = {1: 300, 16: 300, 4096: 6}
ROUNDS = 5

Log = SqliteLog | PostgresLog


def p37pg() -> Figure:
    """Batches of 16 requests made durable per second in PostgreSQL, on a local socket; SQLite and others sizes beside.

    The limit is raw fdatasync of as many bytes in the same folder.
    """
    rates: dict[tuple[str, int], list[float]] = {}
    syncs: list[float] = []
    with tempfile.TemporaryDirectory() as folder, _server() as dsn:
        openings: dict[str, Callable[[str], Log]] = {
            "postgres": lambda name: PostgresLog(dsn, name, MASTER),
            "sqlite": lambda name: SqliteLog(Path(folder) / name, MASTER),
        }
        for turn in range(ROUNDS):
            for rows, batches in BATCHES.items():
                for store, opening in openings.items():
                    with opening(f"{store}-{rows}-{turn}") as log:
                        rates.setdefault((store, rows), []).append(_batches_per_second(log, rows, batches))
            syncs.append(_syncs_per_second(Path(folder) / f"{turn}.raw", 16 * len(BODY), 300))
        ((server,),) = _ask(dsn, "SHOW server_version")
    medians = {name: statistics.median(found) for name, found in rates.items()}
    told = {
        f"{store}_{rows}_rows": {"batches_per_s": _short(rate), "rows_per_s": _short(rate * rows)}
        for (store, rows), rate in sorted(medians.items())
    }
    return figure(
        "P37PG", medians["postgres", 16], "batches/s", statistics.median(syncs), batch=16, bytes=len(BODY),
        owners=OWNERS, rounds=ROUNDS, server=server, **told, postgres_over_sqlite={
            str(rows): round(medians["postgres", rows] / medians["sqlite", rows], 2) for rows in BATCHES
        }, limit_is="write and fdatasync of the same bytes, appended to one file",
    )  # fmt: skip


def _batches_per_second(log: Log, rows: int, batches: int) -> float:
    log.append([_row(position) for position in range(OWNERS)], {})
    made = [[_row(OWNERS + batch * rows + n) for n in range(rows)] for batch in range(batches)]
    tile = bytes(4_096)
    began = perf_counter()
    for number, batch in enumerate(made):
        log.append(batch, {"batch": str(number)}, {(0, number): tile})
    return batches / (perf_counter() - began)


def _row(position: int) -> LeafRow:
    return LeafRow(
        position=position,
        stamped_s=0,
        salt=bytes(32),
        body=BODY,
        outcome=Outcome.BOOKED,
        author=f"key-{position % OWNERS}",
        seq=position // OWNERS + 1,
        owner=f"member-{position % OWNERS}",
        closes=True,
    )


def _syncs_per_second(path: Path, size: int, count: int) -> float:
    with path.open("wb", buffering=0) as file:
        began = perf_counter()
        for _ in range(count):
            file.write(bytes(size))
            os.fdatasync(file.fileno())
        return count / (perf_counter() - began)


@contextmanager
def _server() -> Iterator[str]:
    """Run a throw-away server in the folder for temporary files, where the SQLite file is too."""
    with subprocess.Popen([SCRIPT, "postgres"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = process.stdout.readline().strip()
        if not folder:
            raise RuntimeError("P37PG needs PostgreSQL, scripts/servers.sh install brings it")
        dsn = f"host={folder} user=postgres dbname=postgres"
        try:
            while process.poll() is None:
                try:
                    _ask(dsn, "SELECT 1")
                    break
                except psycopg.OperationalError:
                    time.sleep(0.05)
            yield dsn
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait()
            shutil.rmtree(folder)


def _ask(dsn: str, question: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as db:
        return db.execute(question.encode()).fetchall()


def _short(rate: float) -> float:
    return float(f"{rate:.4g}")
