"""An envelope: all that the planner knows of a thing that draws, makes or stores energy (DESIGN section 1, idea 3)."""

from dataclasses import dataclass

from commonwatt.model.errors import InvalidValue
from commonwatt.model.ids import AssetId

MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmth:
    """How a stored Wh shows as a temperature: ``level 0`` is ``zero_mc`` thousandths of a degree Celsius.

    ``wh_per_k`` is the heat that one degree takes; below zero where the store is one of cold, which fills as it cools.
    """

    zero_mc: int
    wh_per_k: int

    def __post_init__(self) -> None:
        if self.wh_per_k == 0:
            raise InvalidValue("a degree takes some heat, was 0 Wh per degree")


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Bounds on stored energy at each slot's end, over n slots.

    Level after a slot = level before * ``keep_ppm`` / 10^6 + imported Wh * ``charge_permille`` / 1000
    - exported Wh * 1000 / ``discharge_permille`` + ``inflow_wh`` of the slot.

    Args:
        level_now_wh: Stored energy before the first slot.
        level_min_wh: n values in Wh.
        level_max_wh: n values in Wh.
        capacity_wh: What full means.
        charge_permille: One-way efficiency in, thousandths; above 1000 for a heat pump (its COP).
        discharge_permille: One-way efficiency out, thousandths.
        wear_micro_per_kwh: What a discharged kWh costs in degradation, in the shallowest layer.
        deep_wear: Further layers of cycle depth, ``(share of capacity in permille, extra micro per kWh)`` each,
            shallow first: beyond that depth a discharged kWh costs so much more. Source: Xu et al., Factoring the
            cycle aging cost of batteries participating in electricity markets, 2018.
        keep_ppm: What is left of a level after a slot in which nothing flows, millionths.
        inflow_wh: n values: what enters (or, below zero, leaves) by itself in each slot: hot water drawn, heat from
            outside, driving. Empty for none.
        gain_permille: n values in place of ``charge_permille`` where it changes with the weather. Empty for none.
        warmth: How the level shows as a temperature, where it does.
    """

    level_now_wh: int
    level_min_wh: tuple[int, ...]
    level_max_wh: tuple[int, ...]
    capacity_wh: int
    charge_permille: int
    discharge_permille: int
    wear_micro_per_kwh: int = 0
    deep_wear: tuple[tuple[int, int], ...] = ()
    keep_ppm: int = MILLION
    inflow_wh: tuple[int, ...] = ()
    gain_permille: tuple[int, ...] = ()
    warmth: Warmth | None = None

    def __post_init__(self) -> None:
        if not 0 < self.keep_ppm <= MILLION:
            raise InvalidValue(f"a store keeps some of what it holds and makes none, was {self.keep_ppm} ppm")
        if self.charge_permille <= 0 or self.discharge_permille <= 0 or any(gain <= 0 for gain in self.gain_permille):
            raise InvalidValue(f"what goes in and out of a store is above zero, was {self}")
        depths = [depth for depth, _ in self.deep_wear]
        if depths != sorted(set(depths)) or any(extra < 0 for _, extra in self.deep_wear):
            raise InvalidValue(f"wear grows with depth, layer by layer, was {self.deep_wear}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A fixed profile that starts once: a washing machine.

    Args:
        profile_w: Power in W, slot by slot from its start, import positive.
        earliest: First slot in which it may start.
        latest: Last such slot; it ends within the horizon.
    """

    profile_w: tuple[int, ...]
    earliest: int
    latest: int

    def __post_init__(self) -> None:
        if not self.profile_w or not 0 <= self.earliest <= self.latest:
            raise InvalidValue(f"an appliance has a profile and starts in some slot, was {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Bounds on power per slot, and on stored energy where there is a store, over n slots.

    Args:
        asset: Whose envelope this is.
        zone: Where it is connected: postcode area.
        feeder: Which feeder its zone hangs on; empty where there is but one.
        connection: The meter behind which it stands; empty where that does not matter.
        owner: Account of its owner.
        lo_w: n values in W, import positive: the least power (the most supply).
        hi_w: n values in W: the most power. Equal bounds describe a thing that cannot be shifted.
        least_import_w: If it draws at all it draws at least this (a car's 6 A, all of an on/off heat pump);
            0 where any power will do.
        least_export_w: If it supplies at all it supplies at least this (a generator).
        least_run: If it draws or supplies, then at least so many slots on end; with ``least_rest`` between.
        least_rest: See ``least_run``.
        running: Slots for which it has been on (above zero) or off (below zero) before the first slot; 0: free.
        supply_micro_per_kwh: What a supplied kWh costs by itself: fuel.
        store: Where energy is kept; None for load, solar, appliances and generators.
        shift: A profile that starts once; the power bounds then only hold it.
        direct: False where somebody is asked before it moves: then it backs no guarantee (rows X13, M4).

    Raises:
        InvalidValue: The lists differ in length, or a low bound is above its high one.
    """

    asset: AssetId
    zone: str
    feeder: str = ""
    connection: str = ""
    owner: str = ""
    lo_w: tuple[int, ...]
    hi_w: tuple[int, ...]
    least_import_w: int = 0
    least_export_w: int = 0
    least_run: int = 1
    least_rest: int = 1
    running: int = 0
    supply_micro_per_kwh: int = 0
    store: Store | None = None
    shift: Shift | None = None
    direct: bool = True

    def __post_init__(self) -> None:
        slots = len(self.lo_w)
        lengths = {slots, len(self.hi_w)}
        if self.store:
            lengths |= {len(self.store.level_min_wh), len(self.store.level_max_wh)}
            lengths |= {len(values) for values in (self.store.inflow_wh, self.store.gain_permille) if values}
        if len(lengths) != 1:
            raise InvalidValue(f"all lists of an envelope have one length, was {sorted(lengths)} for {self.asset}")
        if any(lo > hi for lo, hi in zip(self.lo_w, self.hi_w, strict=True)):
            raise InvalidValue(f"a low bound is at most its high one, was otherwise for {self.asset}")
        if min(self.least_import_w, self.least_export_w) < 0 or min(self.least_run, self.least_rest) < 1:
            raise InvalidValue(f"least powers are zero or more and least times a slot or more, was {self}")
        if self.shift and (self.store or self.shift.latest + len(self.shift.profile_w) > slots):
            raise InvalidValue(f"an appliance ends within the horizon and stores nothing, was {self.shift}")

    @property
    def fixed(self) -> bool:
        """Tell whether nothing can be shifted."""
        return self.store is None and self.shift is None and self.lo_w == self.hi_w
