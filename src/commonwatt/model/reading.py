"""A reading: signed energy in, energy out and stored level over an interval."""

from dataclasses import dataclass

from commonwatt.model.errors import InvalidValue
from commonwatt.model.ids import AssetId
from commonwatt.model.time import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one meter saw over one interval.

    Args:
        asset: The metered asset.
        interval: Half-open, UTC.
        import_wh: Energy from grid to asset, zero or more.
        export_wh: Energy from asset to grid, zero or more; a separate counter, never netted.
        level_wh: Stored energy at the interval's end, for things that store.

    Raises:
        InvalidValue: A count is below zero.
    """

    asset: AssetId
    interval: Interval
    import_wh: int
    export_wh: int
    level_wh: int | None = None

    def __post_init__(self) -> None:
        if self.import_wh < 0 or self.export_wh < 0 or (self.level_wh or 0) < 0:
            raise InvalidValue(f"a reading counts zero or more, was {self}")
