"""Kill whoever appends to a log, and look whether every batch stands there whole."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commonwatt.flows.ports import LogStore


@contextmanager
def appending() -> "Iterator[subprocess.Popen[str]]":
    """Start the process whose children append."""
    child = Path(__file__).with_name("appender.py")
    with subprocess.Popen([sys.executable, child], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


def run_and_kill(
    process: "subprocess.Popen[str]", place: Path | str, community: str, seed: int, after: int, pause_s: float
) -> int | None:
    """Let a child append, kill it some answers and a moment later, and return the last batch that it answered for."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{place}\t{community}\t{seed}\n")
    process.stdin.flush()
    _, pid = process.stdout.readline().split()
    heard = [process.stdout.readline() for _ in range(after)]
    time.sleep(pause_s)
    os.kill(int(pid), signal.SIGKILL)
    while (line := process.stdout.readline()) != "dead\n":
        heard.append(line)
    return int(heard[-1]) if heard else None


def check_whole(log: LogStore, answered: int) -> None:
    """Check that every batch stands there whole and in order, the answered ones among them, and the marks with them."""
    told, marks = [tuple(map(int, row.body.split(b":")[:3])) for row in log.rows()], log.marks()
    batches = sorted({batch: count for batch, _, count in told}.items())
    assert told == [(batch, place, count) for batch, count in batches for place in range(count)]
    assert [batch for batch, _ in batches] == list(range(1, len(batches) + 1))
    assert len(batches) >= answered
    assert marks == ({"batch": str(len(batches)), "size": str(len(told))} if told else {})
    assert len(log.tile(0, 0)) == 32 * len(batches)
