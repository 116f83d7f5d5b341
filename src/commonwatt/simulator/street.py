"""A street as its file describes it: who lives there, with what, from when to when."""

import tomllib
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from commonwatt.flows.foreseeing import Forecasts
from commonwatt.flows.rulebook.bodies import Witness
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms
from commonwatt.forecasting.days import holidays_in
from commonwatt.forecasting.sun import Place
from commonwatt.model import (
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Consent,
    ConsentMode,
    GatewayId,
    Interval,
    InvalidValue,
)

MICRO_PER_PENNY = 10_000
CONNECTION_W = 23_000
"""A British home's 100 A fuse at 230 V."""
FEEDER_GATEWAY = GatewayId("HEPEK-0000")
FEEDER = AssetId("feeder")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatterySpec:
    """Every home's battery; energies in Wh, power in W, efficiencies one-way in thousandths."""

    capacity_wh: int
    power_w: int
    charge_permille: int
    discharge_permille: int
    level_at_start_wh: int
    reserve_wh: int
    wear_pence_per_kwh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CarSpec:
    """Every car with its charger; units as `BatterySpec`."""

    capacity_wh: int
    least_power_w: int
    power_w: int
    charge_permille: int
    discharge_permille: int
    ready_percent: int
    wear_pence_per_kwh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WattSpec:
    """What storage may cost a user, and what a kWh of it costs: from them follows B_max."""

    storage_cost_pounds: int
    price_pounds_per_kwh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaidSpec:
    """What every member pays in before the day, when they are told that little is left, and when the meter goes."""

    pounds: int
    low_pounds: int = 5
    clear_pounds: int = 10
    meter_grace_hours: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class TslSpec:
    """What TSL a stored kWh needs, what is paid for it each quarter-hour, and what is given to begin with."""

    tsl_per_kwh: int
    commission_micro_per_kwh: int
    member_tsl: int
    education_tsl: int
    welcome_grant_tsl: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargesSpec:
    """What markets and storage cost beside the energy.

    ``unbacked_pence_per_kwh`` stands on the seller's money for what is asked without WATT, ``sealed_bond_pence`` for a
    sealed order; the operator takes its two rates for what storage takes and gives, unless a premium licence is held.
    """

    unbacked_pence_per_kwh: int = 0
    sealed_bond_pence: int = 10
    operator_pence_per_kwh_charged: int = 0
    operator_pence_per_kwh_discharged: int = 0
    licence_pounds_per_month: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentSpec:
    """How a home's member lets battery and car be scheduled, see `commonwatt.model.Consent`.

    ``hours`` are two local times like "22:00". A member who is asked gives the answer in ``answers`` to everything:
    yes, no, nothing at all, or yes to what takes no energy out of their store and no to the rest ("charging").
    """

    mode: ConsentMode
    least_percent: int | None = None
    most_supply_w: int | None = None
    hours: tuple[time, time] | None = None
    decide_minutes: int | None = None
    answers: Literal["yes", "no", "nothing", "charging"] = "yes"

    def consent(self) -> Consent:
        """Return what the member agrees to.

        Raises:
            InvalidValue: It contradicts itself.
        """
        hours = self.hours and (_minute(self.hours[0]), _minute(self.hours[1]))
        return Consent(
            mode=self.mode,
            least_percent=self.least_percent,
            most_supply_w=self.most_supply_w,
            hours=hours,
            decide_s=None if self.decide_minutes is None else 60 * self.decide_minutes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeSpec:
    """One home: its roof, its car if any, its member's WATT prices, and what its member agrees to: all, if left out.

    With ``trades_forecast`` its member's agent deals in slots from what is expected, see `order_bodies.AgentOn`.
    """

    solar_kw: int
    watt_buy_pence: int
    watt_sell_pence: int
    car: int | None = None
    trades_forecast: bool = False
    consent: ConsentSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """The whole street; `load` reads it from its TOML file.

    ``place`` is where its roofs are, as their sun tells; ``forecast`` says whether plans go by the seasonal forecast
    alone, or for each home and roof by what did better of late (docs/decisions/0009).
    """

    community: str
    zone: str
    timezone: str
    day: date
    starts: str
    seed: str
    dso: tuple[str, ...]
    battery: BatterySpec
    car: CarSpec
    watt: WattSpec
    prepaid: PrepaidSpec
    home: tuple[HomeSpec, ...]
    witness: tuple[Witness, ...] = ()
    tsl: TslSpec | None = None
    charges: ChargesSpec = ChargesSpec()
    settlement: SettlementTerms = field(default_factory=SettlementTerms)
    days: int = 1
    place: Place | None = None
    forecast: Forecasts = "naive"

    def __post_init__(self) -> None:
        if self.place is not None:
            holidays_in(self.place.region, [self.day])  # a region that nobody knows is said before anything is lived

    @property
    def clock(self) -> ZoneInfo:
        """Return the zone in which the street's people read their clocks."""
        return ZoneInfo(self.timezone)

    @property
    def span(self) -> Interval:
        """Return what is replayed, as a UTC interval of 24 hours a day."""
        start = datetime.combine(self.day, time.fromisoformat(self.starts), self.clock).astimezone(UTC)
        return Interval(start, start + timedelta(days=self.days))

    def on(self, day: date) -> "Street":
        """Return the same street on another day; what the grid operator states moves with it."""
        names = {self.day + timedelta(days=n): day + timedelta(days=n) for n in (0, 1)}
        lines = self.dso
        for old in sorted(names, reverse=day > self.day):
            lines = tuple(line.replace(f"{old.day} {old:%B}", f"{names[old].day} {names[old]:%B}") for line in lines)
        return replace(self, day=day, dso=lines)

    def each_day(self) -> list["Street"]:
        """Return the street once for each of its days, of one day each."""
        return [replace(self.on(self.day + timedelta(days=n)), days=1) for n in range(self.days)]


def load(path: Path) -> Street:
    """Read a street file.

    Raises:
        InvalidValue: The file is not a street; says which line or field.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), Street)
    except FileNotFoundError as error:
        raise InvalidValue(f"{path} does not exist: a street's folder holds street.toml and data/") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidValue(f"{path} is not a street: {error}") from error


def _minute(at: time) -> int:
    return 60 * at.hour + at.minute


def account(home: int) -> AccountId:
    """Return the pseudonym of the member in a home, numbered from 1."""
    return AccountId(f"member-{home:02d}")


def gateway(home: int) -> GatewayId:
    """Return the number of a home's gateway."""
    return GatewayId(f"HEPEK-{home:04d}")


def assets(street: Street) -> list[Asset]:
    """Return everything registered in the street, the feeder's meter first."""
    feeder = Asset(
        id=FEEDER,
        owner=AccountId("grid"),
        gateway=FEEDER_GATEWAY,
        kind=AssetKind.FEEDER,
        zone=street.zone,
        max_import_w=CONNECTION_W * len(street.home),
        max_export_w=CONNECTION_W * len(street.home),
    )
    return [feeder, *(asset for home in range(1, len(street.home) + 1) for asset in home_assets(street, home))]


def home_assets(street: Street, home: int) -> list[Asset]:
    """Return what stands in one home: connection, solar, battery, and a car where there is one."""

    def make(name: str, kind: AssetKind, import_w: int, export_w: int) -> Asset:
        return Asset(
            id=AssetId(f"{name}-{home:02d}"),
            owner=account(home),
            gateway=gateway(home),
            kind=kind,
            zone=street.zone,
            max_import_w=import_w,
            max_export_w=export_w,
        )

    spec, battery, car = street.home[home - 1], street.battery, street.car
    here = [
        make("home", AssetKind.CONNECTION, CONNECTION_W, CONNECTION_W),
        make("solar", AssetKind.SOLAR, 0, spec.solar_kw * 1000),
        replace(
            make("battery", AssetKind.BATTERY, battery.power_w, battery.power_w),
            capacity_wh=battery.capacity_wh,
            charge_permille=battery.charge_permille,
            discharge_permille=battery.discharge_permille,
        ),
    ]
    if spec.car is not None:
        here.append(
            replace(
                make("car", AssetKind.VEHICLE, car.power_w, car.power_w),
                min_import_w=car.least_power_w,
                capacity_wh=car.capacity_wh,
                charge_permille=car.charge_permille,
                discharge_permille=car.discharge_permille,
            )
        )
    return here
