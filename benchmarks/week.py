"""WEEK: 101 recorded homes with sun and batteries trade, share and are billed for a full week on the durable log."""

import csv
import gzip
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from benchmarks.figure import Figure, figure
from benchmarks.neighbourhood import House, neighbourhood, proven
from benchmarks.workplace.sessions import DATA
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms, SharingBody
from commonwatt.model import (
    SLOT_SECONDS,
    SLOTS_PER_HOUR,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Commodity,
    GatewayId,
    epoch,
    share_wh,
)
from commonwatt.settlement.bill import Bill
from commonwatt.simulator.home import Home, HomeState, Surroundings

HOUSEHOLDS = DATA / "households"
FIRST = datetime(2021, 9, 6, 14, tzinfo=UTC)
"""Midnight of a Tuesday in spring at UTC+10, where the homes stand."""
SLOTS = int(os.environ.get("COMMONWATT_WEEK_SLOTS", "672"))
IMPORT, EXPORT = 300_000, 80_000
"""Micro per kWh: no tariff was recorded with the homes, so these two are ours, frozen before the first run."""
PERMILLE = 950
"""One way, in thousandths: no efficiency was recorded either."""
TERMS = SettlementTerms(imbalance="grid", sharing=SharingBody(key="dynamic", fee_micro_per_kwh=20_000), equalise="day")


def recorded_houses(slots: int = SLOTS) -> list[House]:
    """Return the recorded homes, hourly Wh split in four; a home without battery has one that takes nothing."""
    load, solar = (_columns(f"switchdin_au_2021q3_{name}_kwh_hourly.csv.gz") for name in ("load", "pv"))
    with gzip.open(HOUSEHOLDS / "switchdin_au_batteries.csv.gz", "rt") as file:
        batteries = {row["unit"]: row for row in csv.DictReader(file)}
    houses = []
    for unit in sorted(load):
        around = Surroundings(start_s=epoch(FIRST), load_wh=load[unit][:slots], solar_wh=solar[unit][:slots], stays=())
        houses.append(House(AccountId(unit), _home(unit, around, batteries.get(unit))))
    return houses


def _columns(name: str) -> dict[str, tuple[int, ...]]:
    """Return Wh per slot from the first day on, by unit."""
    with gzip.open(HOUSEHOLDS / name, "rt") as file:
        rows = [row for row in csv.DictReader(file) if datetime.fromisoformat(row.pop("hour_start_utc")) >= FIRST]
    return {
        unit: tuple(
            quarter for row in rows for quarter in share_wh(round(1000 * float(row[unit])), [1] * SLOTS_PER_HOUR)
        )
        for unit in rows[0]
    }


def _home(unit: str, around: Surroundings, battery: dict[str, str] | None) -> Home:
    def make(name: str, kind: AssetKind, import_w: int, export_w: int, capacity_wh: int = 0) -> Asset:
        return Asset(
            id=AssetId(f"{name}-{unit}"),
            owner=AccountId(unit),
            gateway=GatewayId(f"gw-{unit}"),
            kind=kind,
            zone="street",
            max_import_w=import_w,
            max_export_w=export_w,
            capacity_wh=capacity_wh,
            charge_permille=PERMILLE if capacity_wh else 1000,
            discharge_permille=PERMILLE if capacity_wh else 1000,
        )

    told = battery or {"battery_kwh": "0.001", "charge_kw": "0", "discharge_kw": "0"}
    capacity_wh, charge_w, discharge_w = (
        round(1000 * float(told[name])) for name in ("battery_kwh", "charge_kw", "discharge_kw")
    )
    assets = [
        make("home", AssetKind.CONNECTION, 60_000, 60_000),
        make("solar", AssetKind.SOLAR, 0, 60_000),
        make("battery", AssetKind.BATTERY, charge_w, discharge_w, capacity_wh),
    ]
    return Home(
        assets={asset.kind: asset for asset in assets}, around=around, state=HomeState(battery_wh=0), reserve_wh=0
    )


def week() -> Figure:
    """Wall seconds of a week of 101 homes: ordered, cleared, metered, settled, durable; then every bill is proven.

    Zero sums per slot and every bill are asserted, not counted. The limit is the week itself: 604,800 s.
    """
    houses = recorded_houses()
    first_s = epoch(FIRST)
    end_s = first_s + SLOTS * SLOT_SECONDS
    prices = dict.fromkeys(range(first_s, end_s, SLOT_SECONDS), (IMPORT, EXPORT))
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as folder,
        SqliteLog(Path(folder) / "log.sqlite", MasterKey.in_file(Path(folder) / "key")) as log,
    ):
        lived = neighbourhood(houses, log, prices)
        began = perf_counter()
        lived.found(first_s, TERMS, b_max_wh=10_000)
        for slot_s in range(first_s, end_s, SLOT_SECONDS):
            lived.live(slot_s)
        lived_s = perf_counter() - began
        began = perf_counter()
        found, bills = proven(lived, log.rows(), first_s, end_s)
        proven_s = perf_counter() - began
        leaves = log.size
    made_wh = sum(sum(house.home.around.solar_wh) for house in houses)
    entries = found.state.entries
    with_grid = {
        memo: sum(e.amount for e in entries if e.memo == memo and e.commodity is Commodity.ENERGY)
        for memo in ("grid import", "grid export", "trade", "trade kept", "shared import", "watt delivery")
    }
    feeder_wh = [sum(into - out for into, out in slot.values()) for slot in lived.metered.values()]
    exported_wh = sum(max(0, -wh) for wh in feeder_wh)
    return figure(
        "WEEK", lived_s, "s", SLOTS * SLOT_SECONDS, homes=len(houses), slots=SLOTS, leaves=leaves,
        entries=len(entries), proven_s=round(proven_s, 1), bills=len(bills),
        self_consumption_percent=round(100 * (1 - exported_wh / made_wh), 1),
        self_consumption_alone_percent=round(100 * (1 - sum(bill.export_wh for bill in bills) / made_wh), 1),
        kwh={memo: round(wh / 1000, 1) for memo, wh in with_grid.items()},
        equalised=round(sum(e.amount for e in entries if e.memo == "equalisation") / 2e6, 2),
        imbalance_account=round(found.state.ergon(AccountId("imbalance")) / 1e6, 2),
        dearer_than_alone=sum(_alone(bill) < bill.total_micro for bill in bills),
        outcomes={outcome.value: n for outcome, n in lived.outcomes.items()},
        limit_is="the week itself",
    )  # fmt: skip


def _alone(bill: Bill) -> int:
    """Return what a home's bill would be at the grid's prices, to the micro that rounding per slot leaves open."""
    return (bill.import_wh * IMPORT - bill.export_wh * EXPORT) // 1000 + SLOTS
