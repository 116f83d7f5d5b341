"""P8: a million homes, a day of 96 slots, from signed orders and readings to settled, chained books."""

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter, process_time

import numpy as np

from benchmarks.figure import Figure, figure
from benchmarks.market import FIRST_S, set_up
from benchmarks.meters import NAME, _limit, feeder_batch_at, key, signed
from benchmarks.submitting import submit
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.sequence import Sequencer
from commonwatt.kernels.slot_orders import SELLS
from commonwatt.market.order_batch import ORDER_DTYPE
from commonwatt.metering.batch import ITEM_DTYPE
from commonwatt.model import GRID, MARKET, SLOT_SECONDS, SLOTS_PER_DAY, Commodity, Kind

HOMES = int(os.environ.get("COMMONWATT_P8_HOMES", "1000000"))
AT_ONCE = 8_192
ENDS_S = FIRST_S + SLOTS_PER_DAY * SLOT_SECONDS
SLOTS = FIRST_S + SLOT_SECONDS * np.arange(SLOTS_PER_DAY)


def write_orders(path: Path, first: int, last: int) -> None:
    """Write signed orders of some homes for the whole day: every other home sells what it expects to have left."""
    chance = np.random.default_rng(first)
    items = np.zeros(SLOTS_PER_DAY, ORDER_DTYPE)
    items["start_s"] = SLOTS
    wires = []
    for n in range(first, last):
        items["wh"] = chance.integers(1, 400, SLOTS_PER_DAY)
        items["limit"] = chance.integers(100_000, 300_000, SLOTS_PER_DAY)
        items["flags"] = SELLS * (n % 2)
        packed, name = items.tobytes(), f"member-{n}"
        wires.append(signed(key(name), Kind.ORDER_BATCH, 2, name, bodies.orders_head(packed), packed))
    _write(path, wires)


def write_readings(path: Path, first: int, last: int) -> None:
    """Write signed readings of some homes' connections for the whole day."""
    chance = np.random.default_rng(first + 10**9)
    items = np.zeros(SLOTS_PER_DAY, ITEM_DTYPE)
    items["start_s"], items["seconds"], items["level_wh"] = SLOTS, SLOT_SECONDS, -1
    wires = []
    for n in range(first, last):
        items["import_wh"] = chance.integers(0, 400, SLOTS_PER_DAY) * (1 - n % 2)
        items["export_wh"] = chance.integers(0, 400, SLOTS_PER_DAY) * (n % 2)
        packed, name = items.tobytes(), f"gw-{n}"
        wires.append(signed(key(name), Kind.READING_BATCH, 1, name, bodies.batch_head(name, packed), packed))
    _write(path, wires)


def _write(path: Path, wires: list[bytes]) -> None:
    with path.open("wb") as file:
        np.array([len(wires), *map(len, wires)], "<i8").tofile(file)
        file.write(b"".join(wires))


def _read(path: Path) -> list[bytes]:
    data = path.read_bytes()
    count = int.from_bytes(data[:8], "little")
    ends = np.cumsum(np.frombuffer(data, "<i8", count, 8)) + 8 * (count + 1)
    begins = np.concatenate([[8 * (count + 1)], ends[:-1]])
    return [data[at:to] for at, to in zip(begins.tolist(), ends.tolist(), strict=True)]


def p8(homes: int = HOMES) -> Figure:
    """Seconds for a million homes' day: ordered, cleared, metered, settled, chained in the log; and to verify it again.

    The limit is libsecp256k1 checking two signatures a home on all cores, with nothing else done.
    """
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, ProcessPoolExecutor() as pool:
        log = SqliteLog(Path(folder) / "log.sqlite", MasterKey(bytes(32)))
        sequencer = Sequencer(log, NAME, lambda position: position.to_bytes(32))
        began = perf_counter()
        set_up(sequencer, pool, homes, 1)
        firsts = list(range(0, homes, AT_ONCE))
        lasts = [min(at + AT_ONCE, homes) for at in firsts]
        paths = {kind: [Path(folder) / f"{kind}-{at}" for at in firsts] for kind in ("orders", "readings")}
        list(pool.map(write_orders, paths["orders"], firsts, lasts))
        list(pool.map(write_readings, paths["readings"], firsts, lasts))
        set_up_s = perf_counter() - began
        size, cpu_s = log.size, process_time()
        spent_s, _ = submit(sequencer, _day(paths["orders"], paths["readings"], homes))
        cpu_s, state = process_time() - cpu_s, sequencer.state
        assert state.settled_to_s == ENDS_S, "every slot is settled"
        assert state.accounts.total(Commodity.ENERGY) == state.accounts.total(Commodity.ERGON) == 0
        assert state.accounts.balance(MARKET, Commodity.ENERGY) == state.accounts.balance(MARKET, Commodity.ERGON) == 0
        began = perf_counter()
        root = state.root()
        root_s = perf_counter() - began
        peak_gb = getrusage(RUSAGE_SELF).ru_maxrss / 1e6
        replayed_s = _again(log, root) if homes <= 10**5 else None
        leaves = log.size - size
        log.close()
    return figure(
        "P8", spent_s, "s", 2 * homes / _limit(), homes=homes, goal_s=45, cpu_seconds=round(cpu_s, 1),
        set_up_s=round(set_up_s, 1), state_root_s=round(root_s, 2), replay_with_founding_s=replayed_s,
        leaves=leaves, entries=state.journal.count, peak_gb=round(peak_gb, 1),
        grid_wh=-state.accounts.balance(GRID, Commodity.ENERGY),
        limit_is="libsecp256k1 on all cores checking two signatures a home, nothing else",
    )  # fmt: skip


def _day(orders: list[Path], readings: list[Path], homes: int) -> Iterator[tuple[list[bytes], int]]:
    """Yield a day's commits as they are read: all orders before the first gate, all readings after the last slot."""
    for path in orders:
        yield _read(path), FIRST_S - 60
    for path in readings:
        yield _read(path), ENDS_S
    yield [feeder_batch_at(1, FIRST_S, SLOTS_PER_DAY, homes * 10)], ENDS_S


def _again(log: SqliteLog, root: bytes) -> float:
    began = perf_counter()
    assert replay(log.rows(), NAME).state.root() == root
    return round(perf_counter() - began, 1)
