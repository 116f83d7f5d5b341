"""P10: how fast a leaf of a large log is proven from tiles on disk, and how fast the proof is verified."""

import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from random import Random
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure, figure
from commonwatt.kernels.sha256 import leaf_hashes, node_hashes
from commonwatt.ledger.merkle import HASH_BYTES, verify_inclusion
from commonwatt.ledger.tile_format import TILE_WIDTH
from commonwatt.ledger.tiles import Frontier, inclusion_proof

ENTRIES = int(os.environ.get("COMMONWATT_P10_ENTRIES", "100_000_000"))
PROOFS = 2_000
AT_ONCE = 1 << 20
TILE_BYTES = TILE_WIDTH * HASH_BYTES


Read = tuple[int, int, int]


def p10() -> Figure:
    """Microseconds for an inclusion proof from tiles on disk, of random leaves, the system's cache dropped before.

    The limit is what the machine needs to read the same tiles, the cache dropped again, and to hash the pairs in them.
    The goals are 1,000 us for a proof and 20 us to verify it.
    """
    chance = Random(10)
    indices = [chance.randrange(ENTRIES) for _ in range(PROOFS)]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, _level_files(Path(folder)) as files:
        began = perf_counter()
        root = _build(files)
        built_s = perf_counter() - began
        proofs, cold, reads = _prove(files, indices)
        _, cached, _ = _prove(files, indices, drop_cache=False)
        read = _read(files, reads)
    verify = _verify(indices, proofs, root)
    pairs = statistics.median(sum(width - width.bit_count() for _, _, width in tiles) for tiles in reads)
    nodes = max(map(len, proofs))
    return figure(
        "P10", statistics.median(cold), "us", statistics.median(read) + pairs * _compiled_node_us(),
        entries=ENTRIES, proofs=PROOFS, p99_us=_p99(cold), cached_us=round(statistics.median(cached), 1),
        cached_p99_us=_p99(cached), verify_us=round(statistics.median(verify), 1), verify_p99_us=_p99(verify),
        verify_limit_us=round(_hashlib_node_us() * (nodes + 1), 1), hashes=nodes,
        tiles_read=round(statistics.mean(map(len, reads)), 1), pairs_hashed=pairs,
        read_us=round(statistics.median(read), 1), built_s=round(built_s, 1), goals="1,000 us a proof, 20 us to verify",
        limit_is="pread of the same tiles, cache dropped, and their pairs hashed by OpenSSL in one compiled loop",
        verify_limit_is="hashlib on as many nodes",
    )  # fmt: skip


@contextmanager
def _level_files(folder: Path) -> Iterator[list[int]]:
    """Open one file for the tiles of each level, a tile at every 8 KiB."""
    names = [folder / str(level) for level in range((ENTRIES.bit_length() + 7) // 8)]
    files = [os.open(name, os.O_RDWR | os.O_CREAT) for name in names]
    try:
        yield files
    finally:
        for file in files:
            os.close(file)


def _build(files: list[int]) -> bytes:
    """Write the tiles of a log whose leaf n is the number n in 32 bytes; return its root."""
    frontier = Frontier()
    for first in range(0, ENTRIES, AT_ONCE):
        frontier.extend(leaf_hashes(_datas(range(first, min(first + AT_ONCE, ENTRIES)))))
        for (level, index), tile in frontier.take().items():
            os.pwrite(files[level], tile, index * TILE_BYTES)
    return frontier.root()


def _datas(numbers: range) -> NDArray[np.uint8]:
    datas = np.zeros((len(numbers), HASH_BYTES // 8), np.uint64)
    datas[:, 0] = np.arange(numbers.start, numbers.stop)
    return datas.view(np.uint8)


def _prove(
    files: list[int], indices: list[int], *, drop_cache: bool = True
) -> tuple[list[list[bytes]], list[float], list[list[Read]]]:
    """Return the proofs, what each took in us, and which tiles it read."""
    proofs, took, reads = list[list[bytes]](), list[float](), list[list[Read]]()

    def read_tile(level: int, index: int, width: int) -> bytes:
        reads[-1].append((level, index, width))
        return os.pread(files[level], width * HASH_BYTES, index * TILE_BYTES)

    inclusion_proof(0, 1, lambda level, index, width: bytes(HASH_BYTES))
    if drop_cache:
        _drop_cache(files)
    for index in indices:
        reads.append([])
        began = perf_counter()
        proofs.append(inclusion_proof(index, ENTRIES, read_tile))
        took.append((perf_counter() - began) * 1e6)
    return proofs, took, reads


def _read(files: list[int], reads: list[list[Read]]) -> list[float]:
    """Return what reading the tiles of each proof alone takes, in us."""
    _drop_cache(files)
    took = []
    for tiles in reads:
        began = perf_counter()
        for level, index, width in tiles:
            os.pread(files[level], width * HASH_BYTES, index * TILE_BYTES)
        took.append((perf_counter() - began) * 1e6)
    return took


def _drop_cache(files: list[int]) -> None:
    for file in files:
        os.fdatasync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)


def _verify(indices: list[int], proofs: list[list[bytes]], root: bytes) -> list[float]:
    """Return what verifying each proof takes, in us."""
    took = []
    for index, proof in zip(indices, proofs, strict=True):
        data = _datas(range(index, index + 1)).tobytes()
        began = perf_counter()
        holds = verify_inclusion(data, index, ENTRIES, proof, root)
        took.append((perf_counter() - began) * 1e6)
        assert holds
    return took


def _compiled_node_us() -> float:
    pairs = 1 << 16
    row = np.zeros((2 * pairs, HASH_BYTES), np.uint8)
    began = perf_counter()
    node_hashes(row)
    return (perf_counter() - began) * 1e6 / pairs


def _hashlib_node_us() -> float:
    nodes, message = 1 << 16, b"\x01" + bytes(2 * HASH_BYTES)
    began = perf_counter()
    for _ in range(nodes):
        sha256(message).digest()
    return (perf_counter() - began) * 1e6 / nodes


def _p99(values: list[float]) -> float:
    return round(statistics.quantiles(values, n=100)[98], 1)
