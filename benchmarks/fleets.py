"""A made-up city for the fleet engine's figures: cars, batteries, heat pumps, appliances; zones, feeders, a grid."""

import numpy as np
from numpy.typing import NDArray

from commonwatt.flexibility.fleet.columns import Columns, Kind
from commonwatt.flexibility.fleet.nodes import Nodes
from commonwatt.flexibility.fleet.sweep import Fleet

SLOTS = 96
HOURS = (np.arange(SLOTS) / 4 + 12) % 24
"""The day begins at noon."""
MICRO_PER_WH = 1000.0
"""One unit of money per kWh."""
NEED = 100 * MICRO_PER_WH
"""What a Wh of an owner's need counts; far above any price of energy."""
LIMIT = 10_000 * MICRO_PER_WH
"""What a Wh beyond a limit counts: limits outrank needs."""


def prices() -> NDArray[np.float64]:
    """Return a day's prices in micro per Wh: dear in the evening, cheap at night and at noon."""
    night = 0.07 * np.exp(-((((HOURS - 3 + 12) % 24 - 12) / 2.5) ** 2))
    noon = 0.05 * np.exp(-(((HOURS - 13) / 2) ** 2))
    evening = 0.08 * np.exp(-(((HOURS - 18.5) / 2) ** 2))
    values: NDArray[np.float64] = (0.20 + evening - night - noon) * MICRO_PER_WH
    return values


def fixed_w() -> NDArray[np.float64]:
    """Return what a home with one asset draws by itself, W."""
    values: NDArray[np.float64] = (
        300 + 500 * np.exp(-(((HOURS - 19) / 2.5) ** 2)) + 200 * np.exp(-(((HOURS - 8) / 1.5) ** 2))
    )
    return values


SHARES = {
    "fleet": {Kind.CHARGE: 0.5, "v2g": 0.2, Kind.STORE: 0.3},
    "city": {Kind.CHARGE: 0.32, "v2g": 0.10, Kind.STORE: 0.18, Kind.COUNT: 0.25, Kind.ONCE: 0.15},
}
"""Kinds of assets: P1's cars, V2G cars and batteries, and P2's mixture, of which 40 % are on or off."""


def assets(count: int, mixture: str, seed: int = 0) -> Columns:
    """Return random assets; every car's need can be met by itself, every tank's band can be held."""
    rng = np.random.default_rng(seed)
    shares = SHARES[mixture]
    names = list(shares)
    drawn = rng.choice(len(names), count, p=list(shares.values()))
    kind = np.array([Kind.STORE if name == "v2g" else name for name in names], np.int8)[drawn]
    v2g = np.array([name == "v2g" for name in names])[drawn]
    car, battery = (kind == Kind.CHARGE) | v2g, (kind == Kind.STORE) & ~v2g
    pump, once = kind == Kind.COUNT, kind == Kind.ONCE

    first = np.where(car, np.clip(rng.normal(24, 8, count), 0, 60), 0).astype(np.int16)
    last = np.where(car, np.clip(rng.normal(76, 6, count), first + 8, SLOTS), SLOTS).astype(np.int16)
    first = np.where(once, rng.integers(0, 40, count), first).astype(np.int16)
    last = np.where(once, first + rng.integers(8, 46, count), last).astype(np.int16)
    draw = np.select(
        [car, battery, pump], [rng.choice([3680, 7360, 11040], count), rng.choice([3000, 5000], count),
                               rng.choice([1500, 2000, 2500, 3000], count)], 0).astype(np.int32)  # fmt: skip
    into = np.select([car, battery, pump], [0.93, 0.95, 3.0], 1.0)
    capacity = np.select([car, battery], [rng.uniform(40, 80, count) * 1000, draw * 2.2], 0.0)
    need = np.minimum(rng.uniform(5, 30, count) * 1000, (last - first - 1) * draw * 0.25 * into)
    arrives = np.maximum(capacity - need - rng.uniform(0, 10_000, count), 0.2 * capacity)
    level = np.select(
        [car, battery],
        [arrives, capacity * rng.uniform(0.1, 0.6, count)],
        0.0,
    )  # fmt: skip
    heat = draw * 0.25 * into
    band = heat * rng.uniform(5, 9, count)
    top = np.where(pump, band, capacity)
    level = np.where(pump, band * rng.uniform(0.5, 0.7, count), level)
    wish = np.r_[0, np.cumsum(car)].astype(np.int32)
    row = np.full(count, -1, np.int32)
    row[pump] = np.arange(pump.sum())
    tables = _tanks(rng, draw[pump], heat[pump], top[pump])
    profile, profile_w = _profiles(rng, once)

    def singles(values: NDArray[np.float64]) -> NDArray[np.float32]:
        return np.asarray(values, np.float32)

    return Columns(
        kind=kind, first=first, last=last, draw=draw,
        give=np.where(v2g | battery, draw, 0).astype(np.int32),
        least_in=np.where(kind == Kind.CHARGE, 1380, 0).astype(np.int32), least_out=np.zeros(count, np.int32),
        level=singles(level), low=singles(np.where(car, np.minimum(level, 0.2 * capacity), 0.0)), top=singles(top),
        into=singles(into), out=singles(np.where(pump, 1.0, into)), keep=singles(np.ones(count)),
        wear=singles(np.select([v2g, battery], [0.04, 0.02], 0.0) * MICRO_PER_WH),
        final=singles(np.select([battery, pump], [0.095, 0.05], 0.0) * MICRO_PER_WH),
        run=np.where(pump, rng.choice([1, 2, 3], count), 1).astype(np.int8),
        rest=np.where(pump, rng.choice([1, 2], count), 1).astype(np.int8), running=np.zeros(count, np.int8),
        wish=wish, wish_at=(last[car] - 1).astype(np.int16),
        wish_level=singles(np.minimum(level + need, capacity)[car]), wish_slope=np.full(car.sum(), NEED, np.float32),
        row=row, **tables, profile=profile, profile_w=profile_w,
    )  # fmt: skip


def _tanks(rng: np.random.Generator, draw: np.ndarray, heat: np.ndarray, top: np.ndarray) -> dict[str, np.ndarray]:
    """Return the tables of heat pumps: losses and use by the hour; each is on for about a quarter of the day."""
    count = len(draw)
    shape = 1 + 0.6 * np.exp(-(((HOURS - 7.5) / 1.5) ** 2)) + 0.5 * np.exp(-(((HOURS - 20) / 2.5) ** 2))
    use = -heat[:, None] * rng.uniform(0.15, 0.4, count)[:, None] * shape / shape.mean()
    return {
        "most_w": np.repeat(draw[:, None], SLOTS, 1).astype(np.int32),
        "least_w": np.zeros((count, SLOTS), np.int32),
        "low_wh": np.zeros((count, SLOTS), np.float32),
        "top_wh": np.repeat(top[:, None], SLOTS, 1).astype(np.float32),
        "drift_wh": use.astype(np.float32),
        "gain": np.full((count, SLOTS), 3.0, np.float32),
    }


def _profiles(rng: np.random.Generator, once: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return washing machines and dishwashers: one to two hours, most of it in the first half."""
    lengths = np.where(once, rng.integers(4, 9, len(once)), 0)
    offsets = np.r_[0, np.cumsum(lengths)].astype(np.int32)
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    watts = np.where(place < np.repeat(lengths, lengths) / 2, 2000, 500)
    return offsets, watts.astype(np.int32)


def city(
    count: int,
    zone_size: int,
    zones_per_feeder: int,
    mixture: str,
    grid_w: float,
    feeder_w: float,
    zone_w: float,
    seed: int = 0,
) -> tuple[Fleet, NDArray[np.float64], NDArray[np.float64]]:
    """Return a fleet in a tree of places, and each place's limits in W (m, slots), import and export.

    Args:
        count: Assets.
        zone_size: Assets per zone.
        zones_per_feeder: Zones below one feeder; 0 for zones right below the grid.
        mixture: A name of `SHARES`.
        grid_w, feeder_w, zone_w: Limit per asset below, W; infinite for none. Zones differ by up to 15 % around it.
        seed: Of everything.
    """
    rng = np.random.default_rng(seed + 1)
    zones = -(-count // zone_size)
    begin = np.minimum(np.arange(zones + 1) * zone_size, count).astype(np.int32)
    feeders = -(-zones // zones_per_feeder) if zones_per_feeder else 0
    places = 1 + feeders + zones
    above_zone = 1 + np.arange(zones) // zones_per_feeder if feeders else np.zeros(zones)
    parent = np.r_[-1, np.zeros(feeders), above_zone].astype(np.int32)
    leaf = np.arange(1 + feeders, places, dtype=np.int32)
    total = np.zeros(places, np.int64)
    total[leaf] = np.diff(begin)
    for node in range(places - 1, 0, -1):
        total[parent[node]] += total[node]
    base = fixed_w() * total[:, None]
    each = np.r_[grid_w, np.full(feeders, feeder_w), zone_w * rng.uniform(0.85, 1.15, zones)]
    high = np.repeat((each * total)[:, None], SLOTS, 1)
    low = -high
    kink = np.full((places, SLOTS, 3), np.inf)
    slope = np.zeros((places, SLOTS, 4))
    kink[:, :, 0], kink[:, :, 1], kink[:, :, 2] = low, 0.0, high
    price = prices()
    grid = 100 * LIMIT  # the grid's limit outranks those of feeders and postcodes, these outrank needs, needs money
    slope[0] = np.stack([price - grid, 0.97 * price, price, price + grid], 1)
    slope[1:] = np.array([-LIMIT, 0.0, 0.0, LIMIT])
    start = np.zeros((places, SLOTS))
    start[0] = price
    limited = np.r_[1, np.isfinite(each[1:])].astype(np.int8)
    nodes = Nodes(parent, kink, slope, base.copy(), base.copy(), start, limited, np.zeros(places))
    columns = assets(count, mixture, seed)
    power = np.zeros((count, SLOTS), np.int16)  # nobody here draws more than 32 kW
    return Fleet(columns, nodes, leaf, begin, total.astype(np.int32), power, np.zeros(count)), high, low
