"""P15, P16 and P30: starting cold, replaying, and what memory a long log takes."""

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.figure import Figure, figure
from benchmarks.meters import FOUNDED_S, NAME, key
from benchmarks.requests import MEMBERS, founding, transfers
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.flows.intake import Arrived, read_many
from commonwatt.flows.replay import check_hashes, replay, resume
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.directory import Directory
from commonwatt.identity.keys import VerifyingKey
from commonwatt.kernels.cores import beside, shares
from commonwatt.kernels.keccak import signed_digests
from commonwatt.kernels.secp256k1 import verify_many
from commonwatt.kernels.sha256 import ragged_hashes
from commonwatt.model import Outcome

REQUESTS = int(os.environ.get("COMMONWATT_P15_REQUESTS", "1000000"))
AT_ONCE = 2_000


@contextmanager
def written(requests: int) -> Iterator[tuple[SqliteLog, Sequencer, list[int]]]:
    """Yield a log of so many transfers, its sequencer, and the process's memory in KiB along the way."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, ProcessPoolExecutor() as pool:
        log = SqliteLog(Path(folder) / "log.sqlite", MasterKey(bytes(32)))
        sequencer = Sequencer(log, NAME, lambda position: position.to_bytes(32))
        assert {*sequencer.submit(founding(MEMBERS), FOUNDED_S)} == {Outcome.BOOKED}
        each, memory = requests // MEMBERS, list[int]()
        step = max(1, each // 10)
        for first in range(0, each, step):
            last = min(first + step, each)
            spans = pool.map(_some, range(MEMBERS), [first] * MEMBERS, [last] * MEMBERS, chunksize=20)
            wires = [wire for own in spans for wire in own]
            for at in range(0, len(wires), AT_ONCE):
                assert {*sequencer.submit(wires[at : at + AT_ONCE], FOUNDED_S)} == {Outcome.BOOKED}
            del wires
            memory.append(_resident_kib())
        try:
            yield log, sequencer, memory
        finally:
            log.close()


def _some(member: int, first: int, last: int) -> list[bytes]:
    return transfers(member, last, first)


def _resident_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def p15(requests: int = REQUESTS) -> Figure:
    """Seconds to start over a log: all signatures and hashes rechecked; hashes and a snapshot; a snapshot alone."""
    with written(requests) as (log, sequencer, _):
        began = perf_counter()
        fresh = replay(log.rows(), NAME)
        from_zero_s = perf_counter() - began
        assert fresh.state.root() == sequencer.state.root()
        sequencer.save_snapshot()
        tail = [wire for n in range(MEMBERS) for wire in transfers(n, requests // MEMBERS + 10, requests // MEMBERS)]
        assert {*sequencer.submit(tail, FOUNDED_S)} == {Outcome.BOOKED}
        began = perf_counter()
        assert resume(log, NAME).state.root() == sequencer.state.root()
        snapshot_s = perf_counter() - began
        began = perf_counter()
        assert check_hashes(log) == len(sequencer.tree)
        hashes_s = perf_counter() - began
        limit_s = requests / _limit(log)
    return figure(
        "P15", hashes_s + snapshot_s, "s", limit_s, requests=requests, from_zero_s=round(from_zero_s, 1),
        snapshot_and_tail_s=round(snapshot_s, 2), tail=len(tail), hashes_s=round(hashes_s, 1),
        goals="30 s with all hashes and the signatures above the snapshot, 2 s with the snapshot and its tail",
        limit_is="the same requests hashed and their signatures checked on all cores, nothing else",
    )  # fmt: skip


def p16(requests: int = min(REQUESTS, 300_000)) -> Figure:
    """Requests replayed per second from zero, from a durable log; the limit hashes and checks them on all cores."""
    with written(requests) as (log, sequencer, _):
        rates, limits = [], []
        for _ in range(3):
            began = perf_counter()
            assert replay(log.rows(), NAME).state.root() == sequencer.state.root()
            rates.append(log.size / (perf_counter() - began))
            limits.append(_limit(log))
    return figure(
        "P16", sorted(rates)[1], "requests/s", sorted(limits)[1], requests=requests, goal="0.6 of the limit",
        limit_is="SHA-256 and EIP-191 hash and libsecp256k1 in compiled loops over the same bytes, on all cores",
    )  # fmt: skip


def p30(requests: int = REQUESTS) -> Figure:
    """Bytes of memory that each further request leaves behind in the writer, over the second half of a log."""
    with written(requests) as (_, _, memory):
        half = memory[len(memory) // 2 :]
        slope = np.polyfit(np.arange(len(half)) * requests / len(memory), np.array(half) * 1024.0, 1)[0]
    return figure(
        "P30", max(0.0, float(slope)), "bytes/request", 64.0, requests=requests,
        resident_mib=[k // 1024 for k in memory],
        limit_is="not a machine's limit: what a Merkle tree kept in memory takes, 64 bytes a leaf",
    )  # fmt: skip


def _limit(log: SqliteLog, count: int = 60_000) -> float:
    """Return how many requests per second all cores hash and check, given keys and bytes."""
    rows = [row for _, row in zip(range(count + 2 * MEMBERS), log.rows(), strict=False)][2 * MEMBERS + 2 :]
    told = [one for one in read_many([row.body for row in rows], Directory()).wait() if isinstance(one, Arrived)]
    keys = {row.author: row for row in rows}
    points = {author: np.frombuffer(VerifyingKey(_public(row.owner)).point, np.uint8) for author, row in keys.items()}
    heads = [row.body for row in rows]
    ends = np.cumsum([len(head) for head in heads])
    starts = ends - np.array([len(head) for head in heads])
    data = np.frombuffer(b"".join(heads), np.uint8)
    by_request = np.stack([points[row.author] for row in rows])
    raw = np.frombuffer(bytes.fromhex("".join(one.request.signature for one in told)), np.uint8).reshape(-1, 64)

    def check(at: int, to: int) -> bool:
        ragged_hashes(data, starts[at:to], ends[at:to], b"\0")
        digests = signed_digests(data, starts[at:to], ends[at:to] - 144, b"}")
        return bool(verify_many(by_request[at:to], digests, raw[at:to]).all())

    began = perf_counter()
    waits = [beside(check, at, to) for at, to in shares(len(rows), 64)]
    assert all(wait.result() for wait in waits)
    return len(rows) / (perf_counter() - began)


def _public(owner: str) -> bytes:
    return key(owner).public
