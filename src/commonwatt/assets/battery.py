"""How a battery behaves: what it can do, and what it does when told a power for a while."""

from dataclasses import dataclass

from commonwatt.assets import levels
from commonwatt.model import SLOT_SECONDS, Asset, Envelope, Store
from commonwatt.model.envelope import MILLION


@dataclass(frozen=True, slots=True)
class StoreStep:
    """What a store did over one stretch: metered energy at the AC side, and the level after."""

    import_wh: int
    export_wh: int
    level_wh: int


def step(
    asset: Asset, level_wh: int, power_w: int, seconds: int, floor_wh: int = 0, *, keep_ppm: int = MILLION
) -> StoreStep:
    """Hold a power for a while, as far as limits, fullness and emptiness let it.

    Whole watt-hours throughout, so that a replay on any machine gives the same: what enters is rounded
    down, what leaves the store is rounded up, so that rounding never makes energy.

    Args:
        asset: Limits and one-way efficiencies.
        level_wh: Stored energy before, Wh.
        power_w: Wanted power at the AC meter, import positive.
        seconds: How long.
        floor_wh: Level below which it does not discharge.
        keep_ppm: What standing by leaves of a level in a slot, millionths.
    """
    level_wh -= -(-level_wh * (MILLION - keep_ppm) * seconds // (MILLION * SLOT_SECONDS))
    power_w = max(-asset.max_export_w, min(asset.max_import_w, power_w))
    energy_wh = abs(power_w) * seconds // 3600
    if power_w >= 0:
        room_wh = max(0, asset.capacity_wh - level_wh)
        import_wh = min(energy_wh, room_wh * 1000 // asset.charge_permille)
        return StoreStep(import_wh, 0, level_wh + import_wh * asset.charge_permille // 1000)
    above_floor_wh = max(0, level_wh - floor_wh)
    export_wh = min(energy_wh, above_floor_wh * asset.discharge_permille // 1000)
    return StoreStep(0, export_wh, level_wh - -(-export_wh * 1000 // asset.discharge_permille))


def envelope(
    asset: Asset,
    level_wh: int,
    slots: int,
    wear_micro_per_kwh: int,
    reserve_wh: int = 0,
    *,
    deep_wear: tuple[tuple[int, int], ...] = (),
    keep_ppm: int = MILLION,
) -> Envelope:
    """Return what a battery can do over the next slots; a level below the reserve may only rise, or seep away.

    Args:
        asset: Limits and one-way efficiencies.
        level_wh: Stored energy now, Wh.
        slots: Length of the horizon.
        wear_micro_per_kwh: Degradation price of a discharged kWh.
        reserve_wh: What it keeps.
        deep_wear: What deeper cycles cost on top, as in `Store.deep_wear`.
        keep_ppm: What standing by leaves of a level in a slot, millionths.
    """
    lowest_wh = min(reserve_wh, level_wh)
    made = Envelope(
        asset=asset.id,
        zone=asset.zone,
        lo_w=(-asset.max_export_w,) * slots,
        hi_w=(asset.max_import_w,) * slots,
        least_import_w=asset.min_import_w,
        store=Store(
            level_now_wh=level_wh,
            level_min_wh=(lowest_wh,) * slots,
            level_max_wh=(max(asset.capacity_wh, level_wh),) * slots,
            capacity_wh=asset.capacity_wh,
            charge_permille=asset.charge_permille,
            discharge_permille=asset.discharge_permille,
            wear_micro_per_kwh=wear_micro_per_kwh,
            deep_wear=deep_wear,
            keep_ppm=keep_ppm,
        ),
    )
    return levels.may_rest(made) if keep_ppm < MILLION else made
