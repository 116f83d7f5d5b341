"""An asset: a registered thing that draws, makes or stores energy, with its engineering limits."""

from dataclasses import dataclass
from enum import StrEnum

from commonwatt.model.errors import InvalidValue
from commonwatt.model.ids import AccountId, AssetId, GatewayId


class AssetKind(StrEnum):
    """What a registered asset is; the planner never asks, the ledger and the meters do."""

    CONNECTION = "connection"
    SOLAR = "solar"
    BATTERY = "battery"
    VEHICLE = "vehicle"
    FEEDER = "feeder"
    HEAT_PUMP = "heat pump"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A registered asset and the limits that its specification sets (row M6).

    Power is in W at the AC meter; ``max_import_w`` flows from grid to asset, ``max_export_w`` from asset to grid.
    Efficiencies are one-way, in thousandths. ``min_import_w`` is the least power that the asset can draw
    if it draws at all (a car: 6 A). Things that store nothing have ``capacity_wh`` 0.
    """

    id: AssetId
    owner: AccountId
    gateway: GatewayId
    kind: AssetKind
    zone: str
    max_import_w: int
    max_export_w: int
    min_import_w: int = 0
    capacity_wh: int = 0
    charge_permille: int = 1000
    discharge_permille: int = 1000

    def __post_init__(self) -> None:
        if min(self.max_import_w, self.max_export_w, self.min_import_w, self.capacity_wh) < 0:
            raise InvalidValue(f"limits of an asset are zero or more, was {self}")
        if not (0 < self.charge_permille <= 1000 and 0 < self.discharge_permille <= 1000):
            raise InvalidValue(f"an efficiency is above 0 and at most 1000 thousandths, was {self}")
        if self.min_import_w > self.max_import_w:
            raise InvalidValue(f"the least import of {self.id} is at most its most, was {self.min_import_w} W")

    @property
    def stores(self) -> bool:
        """Tell whether energy can be kept in it."""
        return self.capacity_wh > 0

    @property
    def own_use(self) -> bool:
        """Tell whether what it draws is a part of what its home uses, though it has a meter: nothing plans it."""
        return self.kind is AssetKind.HEAT_PUMP

    def round_trip_wh(self, charged_wh: int) -> int:
        """Return what can come out again, at the AC meter, of an amount charged there; rounded down."""
        return charged_wh * self.charge_permille * self.discharge_permille // 1_000_000

    def recoverable_wh(self, level_wh: int) -> int:
        """Return what a stored level gives at the AC meter; rounded down."""
        return level_wh * self.discharge_permille // 1000
