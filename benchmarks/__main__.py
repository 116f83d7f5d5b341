"""Run ``python -m benchmarks`` for the list, ``python -m benchmarks P34`` for one figure."""

import gc
import sys
from collections.abc import Callable

import msgspec

from benchmarks.anchoring import p21
from benchmarks.app import p13, p27, p28, p29
from benchmarks.baseline import baseline
from benchmarks.channels import p12
from benchmarks.citylearn.d1 import d1
from benchmarks.embedded_chain import p20, p22
from benchmarks.figure import Figure
from benchmarks.forecasts.homes import d4, d8
from benchmarks.forecasts.markets import d5, d10
from benchmarks.forecasts.next_slot import d6
from benchmarks.forecasts.night import p31
from benchmarks.forecasts.promised import d12
from benchmarks.forecasts.stays import d11
from benchmarks.forecasts.yields import d9
from benchmarks.gateways import p24, p24_burst
from benchmarks.gode_sunder import gs
from benchmarks.ledger import p36, p37
from benchmarks.loop import p34, p35
from benchmarks.market import p6, p7
from benchmarks.meters import p9, p9_day, p9_single
from benchmarks.month import month
from benchmarks.nation import p8
from benchmarks.planning import p4, p4_meter, p18, p32
from benchmarks.planning_fleet import p1, p2, p3, p17, p19, p33
from benchmarks.polling import p25
from benchmarks.replaying import p15, p16, p30
from benchmarks.requests import p5, p14
from benchmarks.solarhome.d2 import d2
from benchmarks.stations import p11, p11_ten, p23, p26
from benchmarks.stores import p37pg
from benchmarks.tiles import p10
from benchmarks.watt_book import book
from benchmarks.week import week
from benchmarks.workplace.d3 import d3, d3_real
from commonwatt.kernels.cores import COLLECT_AFTER

FIGURES: dict[str, Callable[[], Figure]] = {
    "P1": p1,
    "P2": p2,
    "P3": p3,
    "P4": p4,
    "P4-METER": p4_meter,
    "P17": p17,
    "P18": p18,
    "P19": p19,
    "P32": p32,
    "P33": p33,
    "BASELINE": baseline,
    "D1": d1,
    "D2": d2,
    "D3": d3,
    "D3-REAL": d3_real,
    "D4": d4,
    "D5": d5,
    "D6": d6,
    "D8": d8,
    "D9": d9,
    "D10": d10,
    "D11": d11,
    "D12": d12,
    "P5": p5,
    "P6": p6,
    "P7": p7,
    "P8": p8,
    "P9": p9,
    "P9-1": p9_single,
    "P9-96": p9_day,
    "P10": p10,
    "P11": p11,
    "P11-10K": p11_ten,
    "P12": p12,
    "P13": p13,
    "P14": p14,
    "P15": p15,
    "P16": p16,
    "P20": p20,
    "P21": p21,
    "P22": p22,
    "P23": p23,
    "P24": p24,
    "P24-BURST": p24_burst,
    "P25": p25,
    "P26": p26,
    "P27": p27,
    "P28": p28,
    "P29": p29,
    "P30": p30,
    "P31": p31,
    "P34": p34,
    "P35": p35,
    "P36": p36,
    "P37": p37,
    "P37PG": p37pg,
    "MONTH": month,
    "GS": gs,
    "WEEK": week,
    "BOOK": book,
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
