"""What was measured before a log begins, brought along by members: forecasts learn from it, nothing is owed by it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from commonwatt.forecasting.parked import Parked
from commonwatt.forecasting.sun import Place
from commonwatt.model import AccountId, AssetId, InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePast:
    """One home's, quarter-hour by quarter-hour from ``first_s`` on: what it used itself, and what its roof made, Wh."""

    first_s: int
    load_wh: tuple[int, ...]
    solar_wh: tuple[int, ...]
    stays: Mapping[AssetId, tuple[Parked, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.load_wh) != len(self.solar_wh) or any(wh < 0 for wh in (*self.load_wh, *self.solar_wh)):
            raise InvalidValue(
                f"a home's past is equal lists of zero or more, was {len(self.load_wh)}, {len(self.solar_wh)} slots"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What a community began with.

    Args:
        place: Where its roofs are; None where nobody told.
        prices_from_s: When the first of the prices held, seconds since 1970.
        prices: Import and export price by quarter-hour, micro per kWh.
        wear_micro_per_kwh: What plans count a battery's discharged kWh for.
        reserve_wh: What they leave in it.
        homes: By member.
    """

    place: Place | None = None
    prices_from_s: int = 0
    prices: tuple[tuple[int, int], ...] = ()
    wear_micro_per_kwh: int = 0
    reserve_wh: int = 0
    homes: Mapping[AccountId, HomePast] = field(default_factory=dict)


NOTHING_BROUGHT = Brought()
