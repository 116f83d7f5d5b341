"""Run ``python -m benchmarks`` for the list, ``python -m benchmarks P34`` for one figure."""

import gc
import sys
from collections.abc import Callable

import msgspec

from benchmarks.figure import Figure
from benchmarks.ledger import p36, p37
from benchmarks.loop import p34, p35
from benchmarks.meters import p9, p9_day, p9_single
from benchmarks.month import month
from benchmarks.replaying import p15, p16, p30
from benchmarks.requests import p14
from benchmarks.stores import p37pg
from benchmarks.tiles import p10
from commonwatt.kernels.cores import COLLECT_AFTER

FIGURES: dict[str, Callable[[], Figure]] = {
    "P9": p9,
    "P9-1": p9_single,
    "P9-96": p9_day,
    "P10": p10,
    "P14": p14,
    "P15": p15,
    "P16": p16,
    "P30": p30,
    "P34": p34,
    "P35": p35,
    "P36": p36,
    "P37": p37,
    "P37PG": p37pg,
    "MONTH": month,
}


def main(wanted: list[str]) -> int:
    """Print the list, or measure what was named and end with one JSON line each."""
    unknown = [name for name in wanted if name not in FIGURES]
    if unknown:
        print(f"no such figure: {', '.join(unknown)}; there are {', '.join(FIGURES)}", file=sys.stderr)
        return 2
    gc.set_threshold(*COLLECT_AFTER)  # as the command does
    for name in wanted:
        print(msgspec.json.encode(FIGURES[name]()).decode(), flush=True)
    if not wanted:
        for name, measure in FIGURES.items():
            print(f"{name:6} {(measure.__doc__ or '').splitlines()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
