"""P4, P18 and P32: how fast the exact engine plans a home and a site, and how fast a refusal is explained."""

import math
from dataclasses import replace
from random import Random

from commonwatt.flexibility.problem import Connection, Problem
from commonwatt.model import (
    SLOT,
    AssetId,
    Constraint,
    Envelope,
    Interval,
    Priority,
    Quantity,
    Reach,
    Relation,
    Shift,
    Store,
    Warmth,
    instant,
)

SLOTS = 96
START = instant(1_776_895_200)


def home(seed: int = 1) -> Problem:
    """Return one home behind one meter: a car from 6 A on, a battery, an on/off heat pump, an appliance, a roof."""
    random = Random(seed)
    name = {"zone": "street", "connection": "meter", "owner": "owner"}
    base = [0.3 + 0.25 * math.exp(-(((t / 4 - 19) / 2) ** 2)) * 8 + 0.2 * random.random() for t in range(SLOTS)]
    load = tuple(round(1000 * value) for value in base)
    roof = tuple(-round(5_000 * max(0.0, math.sin(math.pi * (t / 4 - 6) / 13))) for t in range(SLOTS))
    price = tuple(
        round(1e4 * (22 + 9 * math.sin((t / 4 - 14) / 24 * 2 * math.pi) + 12 * math.exp(-(((t / 4 - 18.5) / 1.8) ** 2))
        + 3 * random.random()))
        for t in range(SLOTS)
    )  # fmt: skip
    outside = [4 + 5 * math.sin((t / 4 - 9) / 24 * 2 * math.pi) for t in range(SLOTS)]
    return Problem(
        start=START,
        envelopes=(
            Envelope(asset=AssetId("load"), lo_w=load, hi_w=load, **name),
            Envelope(asset=AssetId("roof"), lo_w=roof, hi_w=roof, **name),
            Envelope(
                asset=AssetId("car"), lo_w=(0,) * SLOTS, hi_w=(11_000,) * 30 + (0,) * 36 + (11_000,) * 30,
                least_import_w=4_140, **name,
                store=_store(20_000, 0, 60_000, 0.92, inflow_wh=(0,) * 40 + (-9_000,) + (0,) * 55),
            ),
            Envelope(
                asset=AssetId("battery"), lo_w=(-5_000,) * SLOTS, hi_w=(5_000,) * SLOTS, **name,
                store=_store(3_000, 500, 10_000, 0.95, wear_micro_per_kwh=20_000),
            ),
            Envelope(
                asset=AssetId("heat-pump"), lo_w=(0,) * SLOTS, hi_w=(2_500,) * SLOTS, least_import_w=2_500,
                least_run=4, least_rest=2, running=-3, **name,
                store=_store(
                    6_000, 0, 12_000, 1.0, keep_ppm=990_000,
                    inflow_wh=tuple(-round(80 * (20 - t)) for t in outside),
                    gain_permille=tuple(round(2_600 + 60 * t) for t in outside),
                    warmth=Warmth(zero_mc=19_500, wh_per_k=4_000),
                ),
            ),
            Envelope(
                asset=AssetId("dishwasher"), lo_w=(0,) * SLOTS, hi_w=(2_000,) * SLOTS, **name,
                shift=Shift(profile_w=(2_000, 1_200, 200, 200, 1_800, 100), earliest=34, latest=80),
            ),
        ),
        import_price=tuple(p - 120_000 for p in price),
        export_price=tuple(p - 120_000 for p in price),
        connections=(
            Connection(name="meter", import_fee=(120_000,) * SLOTS, export_fee=tuple(p - 200_000 for p in price)),
        ),
        constraints=(
            _level("car", 45_000, 30), _level("car", 40_000, 95),
        ),
        final_value_micro_per_kwh=150_000,
        own_use=False,
    )  # fmt: skip


def _level(asset: str, wh: int, slot: int) -> Constraint:
    return Constraint(
        quantity=Quantity.BATTERY, scope=(asset,), relation=Relation.AT_LEAST, value=wh, at=START + slot * SLOT,
        priority=Priority.OWNER,
    )  # fmt: skip


def _store(now: int, least: int, most: int, efficiency: float, **more: object) -> Store:
    return Store(
        level_now_wh=now,
        level_min_wh=(least,) * SLOTS,
        level_max_wh=(most,) * SLOTS,
        capacity_wh=most,
        charge_permille=round(efficiency * 1000),
        discharge_permille=round(efficiency * 1000),
        **more,  # type: ignore[arg-type]  # passed through
    )


def crowded(cars: int = 300, seed: int = 1) -> tuple[Problem, Constraint]:
    """Return cars under a zone's limit, and a request which they leave no room for: early, and for much."""
    random = Random(seed)
    envelopes, stated, most_w = [], [], 11_000
    for number in range(cars):
        first = random.randint(0, 60)
        leaves = min(SLOTS - 1, first + random.randint(8, 40))
        here = [first <= slot < leaves for slot in range(SLOTS)]
        level_wh = random.randint(5_000, 20_000)
        name = f"car-{number:03}"
        envelopes.append(
            Envelope(
                asset=AssetId(name), zone="PL", owner=f"owner-{number:03}", lo_w=(0,) * SLOTS,
                hi_w=tuple(most_w if stands else 0 for stands in here), store=_store(level_wh, 0, 60_000, 0.92),
            )
        )  # fmt: skip
        stated.append(
            replace(_level(name, level_wh + random.randint(3_000, 14_000), leaves), author=f"owner-{number:03}")
        )
    limit = Constraint(
        quantity=Quantity.POWER, reach=Reach.ZONE, scope=("PL",), relation=Relation.AT_MOST, value=cars * 640,
        window=Interval(START, START + SLOTS * SLOT), priority=Priority.DSO, author="grid",
    )  # fmt: skip
    early = replace(limit, value=cars * 100, window=Interval(START, START + 16 * SLOT))
    first_name = AssetId("car-new")
    envelopes.append(
        Envelope(
            asset=first_name, zone="PL", owner="owner-new", lo_w=(0,) * SLOTS,
            hi_w=(most_w,) * 16 + (0,) * (SLOTS - 16),
            store=_store(5_000, 0, 60_000, 0.92),
        )
    )  # fmt: skip
    request = replace(_level(first_name, 40_000, 16), author="owner-new")
    problem = Problem(
        start=START,
        envelopes=tuple(envelopes),
        import_price=(200_000,) * SLOTS,
        export_price=(80_000,) * SLOTS,
        constraints=(*stated, limit, early, request),
        own_use=False,
    )
    return problem, request


def site(devices: int = 100, seed: int = 1) -> Problem:
    """Return one site behind one meter with a limit: cars, batteries and heat pumps that go up and down freely."""
    random = Random(seed)
    name = {"zone": "site", "connection": "meter"}
    load = tuple(round(40_000 + 25_000 * math.sin((t / 4 - 8) / 24 * 2 * math.pi)) for t in range(SLOTS))
    roof = tuple(-round(250_000 * max(0.0, math.sin(math.pi * (t / 4 - 6) / 13))) for t in range(SLOTS))
    envelopes = [
        Envelope(asset=AssetId("load"), lo_w=load, hi_w=load, **name),
        Envelope(asset=AssetId("roof"), lo_w=roof, hi_w=roof, **name),
    ]
    stated = []
    for number in range(devices):
        kind = ("car", "car", "car", "car", "car", "car", "battery", "battery", "pump", "two-way")[number % 10]
        asset = AssetId(f"{kind}-{number:03}")
        first, last = random.randint(0, 40), random.randint(56, SLOTS - 1)
        here = [first <= slot < last for slot in range(SLOTS)]
        if kind == "battery":
            lo_w, hi_w = (-5_000,) * SLOTS, (5_000,) * SLOTS
            store = _store(random.randint(1_000, 9_000), 0, 10_000, 0.95, wear_micro_per_kwh=15_000)
        elif kind == "pump":
            lo_w, hi_w = (0,) * SLOTS, (3_000,) * SLOTS
            drawn = tuple(-random.randint(500, 1_200) for _ in range(SLOTS))
            store = _store(6_000, 0, 15_000, 1.0, keep_ppm=996_000, inflow_wh=drawn, gain_permille=(3_000,) * SLOTS)
        else:
            most = random.choice([7_400, 11_000])
            lo_w = tuple(-most if stands and kind == "two-way" else 0 for stands in here)
            hi_w = tuple(most if stands else 0 for stands in here)
            level = random.randint(10_000, 30_000)
            store = _store(level, 8_000, 60_000, 0.92, wear_micro_per_kwh=30_000)
            stated.append(_level(asset, level + random.randint(5_000, 25_000), last))
        envelopes.append(Envelope(asset=asset, lo_w=lo_w, hi_w=hi_w, store=store, **name))
    stated.append(
        Constraint(
            quantity=Quantity.POWER, reach=Reach.CONNECTION, scope=("meter",), relation=Relation.AT_MOST,
            value=devices * 1_300, window=Interval(START, START + SLOTS * SLOT), priority=Priority.GRID, author="grid",
        )
    )  # fmt: skip
    price = tuple(
        round(1e4 * (18 + 8 * math.sin((t / 4 - 14) / 24 * 2 * math.pi) + 2 * random.random())) for t in range(SLOTS)
    )
    return Problem(
        start=START,
        envelopes=tuple(envelopes),
        import_price=price,
        export_price=price,
        connections=(
            Connection(name="meter", import_fee=(110_000,) * SLOTS, export_fee=tuple(p - 70_000 for p in price)),
        ),
        constraints=tuple(stated),
        final_value_micro_per_kwh=150_000,
        own_use=False,
    )
