"""An envelope: all that the planner knows of a flexible thing (DESIGN section 1, idea 3)."""

from dataclasses import dataclass

from commonwatt.model.errors import InvalidValue
from commonwatt.model.ids import AssetId


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Bounds on power per slot and on stored energy at each slot's end, over n slots.

    Args:
        asset: Whose envelope this is.
        zone: Where it is connected.
        import_max_w: n values in W at the AC side, zero or more; 0 where it cannot charge.
        export_max_w: n values in W, zero or more; 0 where it cannot supply.
        import_min_w: Least power if it draws at all; 0 or that or more (a car's 6 A).
        level_now_wh: Stored energy before the first slot.
        level_min_wh: n values, stored energy at each slot's end.
        level_max_wh: n values.
        charge_permille: One-way efficiency in, thousandths.
        discharge_permille: One-way efficiency out, thousandths.
        wear_micro_per_kwh: What a discharged kWh costs in degradation.

    Raises:
        InvalidValue: The lists differ in length.
    """

    asset: AssetId
    zone: str
    import_max_w: tuple[int, ...]
    export_max_w: tuple[int, ...]
    import_min_w: int
    level_now_wh: int
    level_min_wh: tuple[int, ...]
    level_max_wh: tuple[int, ...]
    charge_permille: int
    discharge_permille: int
    wear_micro_per_kwh: int

    def __post_init__(self) -> None:
        lengths = {len(self.import_max_w), len(self.export_max_w), len(self.level_min_wh), len(self.level_max_wh)}
        if len(lengths) != 1:
            raise InvalidValue(f"all lists of an envelope have one length, was {sorted(lengths)} for {self.asset}")
