"""P20 and P22: what the embedded chain bears, and how long one waits for the first."""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from benchmarks.figure import Figure, figure
from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.opening import recheck
from commonwatt.adapters.chains.embedded.rules import Genesis, read_tx
from commonwatt.adapters.chains.evm.signing import Transaction, signed
from commonwatt.identity.keys import SigningKey

TRANSFERS, BATCH, ROUNDS = 3_000, 300, 3
SENDERS = 100
GOAL_PER_CPU_S, GOAL_START_S = 300, 3.0


def p20() -> Figure:
    """Signed transfers that the embedded chain checks, runs and makes durable per second of processor time.

    The goal is the limit. Beside: one caller who waits for each block, opening the chain, and running it all again.
    """
    rates, alone, opened, again = [], [], [], []
    for turn in range(ROUNDS):
        keys = [SigningKey.from_seed(b"P20", f"{turn} {n}") for n in range(SENDERS)]
        genesis = Genesis(time_s=1_700_000_000, balances={one.id: 10**24 for one in keys})
        raws = [_transfer(keys[n % SENDERS], n // SENDERS, genesis.chain_id, n) for n in range(TRANSFERS)]
        singles = [_transfer(keys[0], TRANSFERS // SENDERS + n, genesis.chain_id, n) for n in range(100)]
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            with EmbeddedChain(folder, genesis) as chain:
                began = process_time()
                for first in range(0, TRANSFERS, BATCH):
                    chain.take_many(raws[first : first + BATCH])
                rates.append(TRANSFERS / (process_time() - began))
                began = process_time()
                for raw in singles:
                    chain.take(raw)
                alone.append(len(singles) / (process_time() - began))
                head = chain.head.hash
            began = process_time()
            with EmbeddedChain(folder) as chain:
                opened.append(process_time() - began)
                assert chain.head.hash == head
            began = process_time()
            assert recheck(folder) == TRANSFERS + len(singles)
            again.append((TRANSFERS + len(singles)) / (process_time() - began))
            size = sum(file.stat().st_size for file in folder.iterdir())
    began = process_time()
    for raw in raws:
        read_tx(raw, genesis.chain_id)
    return figure(
        "P20", median(rates), "transfers/CPU-s", GOAL_PER_CPU_S, transfers=TRANSFERS, a_block=BATCH, rounds=ROUNDS,
        one_a_block=round(median(alone)), open_cpu_s=round(median(opened), 3), run_again=round(median(again)),
        signatures_alone=round(TRANSFERS / (process_time() - began)), bytes_a_transfer=size // (TRANSFERS + 100),
        limit_is="the goal",
    )  # fmt: skip


def p22() -> Figure:
    """Seconds until a process that begins with nothing has an embedded chain with all contracts on it."""
    spans, cpu, inside = [], [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as place:
            began, busy = perf_counter(), _children_s()
            told = subprocess.run(
                [sys.executable, "-c", _FIRST_START, place], check=True, capture_output=True, text=True
            ).stdout.split()
            spans.append(perf_counter() - began)
            cpu.append(_children_s() - busy)
            inside.append(float(told[0]))
    return figure(
        "P22", median(spans), "s", GOAL_START_S, rounds=ROUNDS, cpu_s=round(median(cpu), 2),
        without_imports=round(median(inside), 2), contracts=int(told[1]), limit_is="the goal",
    )  # fmt: skip


_FIRST_START = """
import sys, time
from pathlib import Path
from commonwatt.adapters.chains.deployment import Terms, deploy
from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.rpc import embedded
from commonwatt.identity.keys import SigningKey
began = time.perf_counter()
key = SigningKey.generate()
with EmbeddedChain(Path(sys.argv[1]) / "chain") as chain:
    deployed = deploy(embedded(chain), key, Terms.of("a street", key.id))
print(time.perf_counter() - began, len(deployed))
"""


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _transfer(key: SigningKey, nonce: int, chain_id: int, number: int) -> bytes:
    to = (2**150 + number % 1_000).to_bytes(20)
    return signed(Transaction(chain_id=chain_id, nonce=nonce, gas=21_000, to=to, value=1), key)
