"""An envelope: all that the planner knows of a thing that draws, makes or stores energy (DESIGN section 1, idea 3)."""

from dataclasses import dataclass

from commonwatt.model.errors import InvalidValue
from commonwatt.model.ids import AssetId


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Bounds on stored energy at each slot's end, over n slots.

    Args:
        level_now_wh: Stored energy before the first slot.
        level_min_wh: n values in Wh.
        level_max_wh: n values in Wh.
        capacity_wh: What full means.
        charge_permille: One-way efficiency in, thousandths.
        discharge_permille: One-way efficiency out, thousandths.
        wear_micro_per_kwh: What a discharged kWh costs in degradation.
    """

    level_now_wh: int
    level_min_wh: tuple[int, ...]
    level_max_wh: tuple[int, ...]
    capacity_wh: int
    charge_permille: int
    discharge_permille: int
    wear_micro_per_kwh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Bounds on power per slot, and on stored energy where there is a store, over n slots.

    Args:
        asset: Whose envelope this is.
        zone: Where it is connected.
        lo_w: n values in W, import positive: the least power (the most supply).
        hi_w: n values in W: the most power. Equal bounds describe a thing that cannot be shifted.
        least_import_w: If it draws at all it draws at least this (a car's 6 A); 0 where any power will do.
        store: Where energy is kept; None for load and solar.

    Raises:
        InvalidValue: The lists differ in length, or a low bound is above its high one.
    """

    asset: AssetId
    zone: str
    lo_w: tuple[int, ...]
    hi_w: tuple[int, ...]
    least_import_w: int = 0
    store: Store | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.lo_w), len(self.hi_w)}
        if self.store:
            lengths |= {len(self.store.level_min_wh), len(self.store.level_max_wh)}
        if len(lengths) != 1:
            raise InvalidValue(f"all lists of an envelope have one length, was {sorted(lengths)} for {self.asset}")
        if any(lo > hi for lo, hi in zip(self.lo_w, self.hi_w, strict=True)):
            raise InvalidValue(f"a low bound is at most its high one, was otherwise for {self.asset}")
