"""What a reading must pass before it counts; what fails is set aside with its reason, listed, and not settled."""

from collections.abc import Iterable, Iterator

from commonwatt.model import Asset, AssetKind, Reading

ROUNDING_WH = 1
"""A meter's counter may stand between two watt-hours."""


def fault(reading: Reading, asset: Asset, before: Reading | None, same_time: Iterable[Reading]) -> str | None:
    """Return why a reading cannot be believed, or None.

    Args:
        reading: What was reported.
        asset: The registered limits of the metered asset (row M6).
        before: The reading of the interval just before, where there is one.
        same_time: Believed readings of the same asset that might overlap.
    """
    if any(reading.interval.overlaps(other.interval) for other in same_time):
        return "overlaps a reading that was booked"
    return next(_energy_faults(reading, asset), None) or next(_level_faults(reading, asset, before), None)


def _energy_faults(reading: Reading, asset: Asset) -> Iterator[str]:
    for energy_wh, limit_w, way in (
        (reading.import_wh, asset.max_import_w, "import"),
        (reading.export_wh, asset.max_export_w, "export"),
    ):
        most_wh = limit_w * reading.interval.seconds // 3600 + ROUNDING_WH
        if energy_wh > most_wh:
            yield f"{way} above registered limit: found {energy_wh} Wh, limit {most_wh} Wh"


def _level_faults(reading: Reading, asset: Asset, before: Reading | None) -> Iterator[str]:
    level_wh = reading.level_wh
    if level_wh is None:
        # While a car is away its meter is still there, and sees nothing pass.
        away = asset.kind is AssetKind.VEHICLE and not reading.import_wh and not reading.export_wh
        if asset.stores and not away:
            yield "tells no level of an asset that stores"
        return
    if not asset.stores:
        yield "tells a level of an asset that stores nothing"
    elif level_wh > asset.capacity_wh:
        yield f"level above registered capacity: found {level_wh} Wh, capacity {asset.capacity_wh} Wh"
    elif before is not None and before.level_wh is not None:
        most_wh = before.level_wh + reading.import_wh * asset.charge_permille // 1000 + ROUNDING_WH
        if level_wh > most_wh:
            yield f"level rose more than was charged: found {level_wh} Wh, possible {most_wh} Wh"
