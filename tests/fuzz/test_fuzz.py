"""No decoder crashes or hangs on any bytes, and no refused request changes anything.

Twice: by mutations of real messages that follow from a seed, on every machine; and guided by coverage, in a child
process and within a budget of time, where atheris is installed: each night all targets, with each commit a fourth of
them. A finding is printed with the command that repeats it.
"""

import os
import re
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from targets import TARGETS

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
EXAMPLES = 20_000 if NIGHTLY else 60
SECONDS = 300 if NIGHTLY else 1
QUIET = ("INFO: ", "WARNING: ", "stat::", '"', "######")
"""How lines begin by which libFuzzer tells what it does, and finds nothing."""
SLOWEST_S = 5
"""No input of these sizes needs as long, on a busy machine either."""
HUNT = Path(__file__).parent / "hunt.py"
NAMES = sorted(TARGETS)
EXTREMES = (0, 1, -1, 255, 10**4, 10**9, 10**9 + 1, 10**12, 10**15, 2**31, 2**53 - 1, 2**53, 2**63, 2**64, -(2**53))


def mutated(seeds: list[bytes], chance: Random) -> bytes:
    """Return real bytes with a few things wrong, as they go wrong: bits, lengths, numbers, pieces of others."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((1, 1, 2, 4, 32, 200)))
        numbers = [found.span() for found in re.finditer(rb"-?[0-9]+", data)] if chance.random() < 0.5 else []
        if numbers:
            begin, end = chance.choice(numbers)
            data[begin:end] = str(chance.choice(EXTREMES)).encode()
            continue
        other = chance.choice(seeds)
        match chance.randrange(6):
            case 0 if data:
                data[at % len(data)] ^= 1 << chance.randrange(8)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = data[at:end]
            case 3:
                data[at:end] = chance.randbytes(end - at)
            case 4:
                data[at:] = other[chance.randrange(len(other) + 1) :]
            case 5:
                data[:1] = chance.randbytes(1)
    return bytes(data)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_almost_a_message_is_read_or_refused(name: str) -> None:
    target = TARGETS[name]
    seeds = list(target.seeds())
    for seed in seeds:
        target.run(seed)

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=not NIGHTLY, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32))
    def hunt(seed: int) -> None:
        chance = Random(seed)
        for _ in range(10):
            data = mutated(seeds, chance)
            begun = time.perf_counter()
            target.run(data)
            assert time.perf_counter() - begun < SLOWEST_S, data

    hunt()


@pytest.mark.parametrize("part", range(4 if NIGHTLY else 1))
def test_hunting_by_coverage_finds_nothing(part: int) -> None:
    if find_spec("atheris") is None:
        pytest.skip(f"NOT FUZZED: atheris has no wheel for Python {sys.version_info.major}.{sys.version_info.minor}")
    names = NAMES[part::4]
    within_s = 60 + len(names) * (SECONDS + 30)
    done = subprocess.run(
        [sys.executable, str(HUNT), str(SECONDS), *names], capture_output=True, text=True, timeout=within_s, check=False
    )
    told = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith(QUIET)]
    assert done.returncode == 0, "\n".join(told)[-6_000:]
    units = [int(found) for found in re.findall(r"number_of_executed_units: (\d+)", done.stdout + done.stderr)]
    assert len(units) == len(names) and min(units) > 0
