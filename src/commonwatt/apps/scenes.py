"""What a street's folder says, as its days take it: rules, terms of plans, and what each gateway is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from commonwatt.flows.foreseeing import Chosen, Forecasts, naive
from commonwatt.flows.onboard import Charter, WalletTerms
from commonwatt.flows.outlook import Terms
from commonwatt.flows.rulebook.bodies import Witness
from commonwatt.flows.rulebook.identity.witnesses import check_witnesses
from commonwatt.flows.rulebook.state import WattPrices
from commonwatt.model import MICRO, AssetKind, GatewayId, Interval, InvalidValue, epoch, read_day
from commonwatt.simulator import recorded as recordings
from commonwatt.simulator import street as streets
from commonwatt.simulator.box import Fault, Spec
from commonwatt.simulator.larger import larger
from commonwatt.simulator.recorded import Recorded, Series
from commonwatt.simulator.street import MICRO_PER_PENNY, Street, account, assets, gateway, home_assets
from commonwatt.simulator.world import surroundings
from commonwatt.tokens.watt import b_max_wh

HISTORY_S = 14 * 86_400
MOST_HISTORY_S = 56 * 86_400
"""Where more was recorded than the least, forecasts learn from so much of it: eight weeks are a season."""
GRACE_SLOTS = 4
CORRECTION_SLOTS = 192
"""Two days: a plan looks back over the day, and a meter may report or correct that long."""
GATE_S = 60
ROLES = ("operator", "planner", "oracle", "dso", "payment")


@dataclass(frozen=True, slots=True)
class Scene:
    """A street with its recorded day."""

    street: Street
    recorded: Recorded


def scene(folder: Path, day: str | None = None) -> Scene:
    """Read a street's folder; another day than its own where one is given (YYYY-MM-DD).

    Raises:
        InvalidValue: The folder holds no street, the day is no date, or the recorded data does not cover it.
    """
    street = streets.load(folder / "street.toml")
    if day:
        street = street.on(read_day(day))
    return Scene(street, recordings.load(folder / "data", street))


def live_scene(folder: Path, day: str | None = None, homes: int | None = None) -> Scene:
    """Read a street's folder for all recorded days from one on; with more homes than were recorded where asked.

    Raises:
        InvalidValue: As `scene`, or the street cannot be made so large.
    """
    first = scene(folder, day).street
    last = recordings.last_day(folder / "data", first)
    street = replace(first, days=max(1, (last - first.day).days + 1))
    recorded = recordings.load_days(folder / "data", street)
    return Scene(street, recorded) if homes is None else Scene(*larger(street, recorded, homes))


def foreseen_by(scene: Scene, forecast: Forecasts | None) -> Scene:
    """Return a street whose plans go by other forecasts than its file says; by the same where none is given."""
    return scene if forecast is None else Scene(replace(scene.street, forecast=forecast), scene.recorded)


def watched(scene: Scene, cards: Sequence[Path]) -> Scene:
    """Return a street whose log has further witnesses, each told by the card that `commonwatt witness` made.

    Raises:
        InvalidValue: A file is no card, or two witnesses share a name or key.
    """
    witnesses = list(scene.street.witness)
    for card in cards:
        try:
            witnesses.append(msgspec.json.decode(card.read_bytes(), type=Witness))
        except (msgspec.MsgspecError, ValueError) as error:
            raise InvalidValue(f"{card} is no witness's card: {error}") from error
    check_witnesses(witnesses)
    return Scene(replace(scene.street, witness=tuple(witnesses)), scene.recorded)


def charter(scene: Scene, gateways: Mapping[GatewayId, bytes]) -> Charter:
    """Return the rules by which a street is founded.

    Args:
        scene: The street.
        gateways: Keys of its gateways, by number.
    """
    street = scene.street
    return Charter(
        timezone=street.timezone,
        b_max_wh=b_max_wh(street.watt.storage_cost_pounds * MICRO, street.watt.price_pounds_per_kwh * MICRO),
        grace_slots=GRACE_SLOTS,
        correction_slots=CORRECTION_SLOTS,
        gate_s=GATE_S,
        assets=assets(street),
        gateways=gateways,
        prepaid_micro=street.prepaid.pounds * MICRO,
        dso=street.dso,
        witnesses=street.witness,
        wallets=_wallets(street),
        settlement=street.settlement,
        consents={account(n): home.consent.consent() for n, home in enumerate(street.home, 1) if home.consent},
        agents={
            account(n): WattPrices(
                buy=home.watt_buy_pence * MICRO_PER_PENNY,
                sell=home.watt_sell_pence * MICRO_PER_PENNY,
                forecast=home.trades_forecast,
            )
            for n, home in enumerate(street.home, 1)
        },
    )


def terms(scene: Scene, span: Interval, *, v2g: bool = True) -> Terms:
    """Return what plans of a day take as given, with what was recorded before it."""
    street, recorded, start_s = scene.street, scene.recorded, epoch(span.start)
    numbers = range(1, len(street.home) + 1)
    return Terms(
        span=span,
        zone=street.zone,
        load_wh={account(n): _before(recorded.load_wh[n - 1], start_s) for n in numbers},
        solar_wh={account(n): _before(recorded.solar_wh[n - 1], start_s) for n in numbers},
        wear_micro_per_kwh={
            AssetKind.BATTERY: street.battery.wear_pence_per_kwh * MICRO_PER_PENNY,
            AssetKind.VEHICLE: street.car.wear_pence_per_kwh * MICRO_PER_PENNY,
        },
        reserve_wh=street.battery.reserve_wh,
        v2g=v2g,
        foresee=Chosen(street.place) if street.forecast == "chosen" else naive,
    )


def _before(series: Series, start_s: int) -> tuple[int, ...]:
    """Return what was recorded before an instant: two weeks at least, more where there is more.

    Raises:
        InvalidValue: Two weeks before it were not recorded.
    """
    first_s = min(start_s - HISTORY_S, max(series.start_s, start_s - MOST_HISTORY_S))
    return series.between(first_s, start_s)


def _wallets(street: Street) -> WalletTerms:
    """Return what the street asks and gives in tokens; without its section on TSL, no right is needed to store."""
    prepaid, charges, tsl = street.prepaid, street.charges, street.tsl
    licence = charges.licence_pounds_per_month
    terms = WalletTerms(
        low_micro=prepaid.low_pounds * MICRO,
        clear_micro=prepaid.clear_pounds * MICRO,
        meter_grace_s=prepaid.meter_grace_hours * 3600,
        unbacked_micro_per_kwh=charges.unbacked_pence_per_kwh * MICRO_PER_PENNY,
        sealed_bond_micro=charges.sealed_bond_pence * MICRO_PER_PENNY,
        operator_micro_per_kwh_charged=charges.operator_pence_per_kwh_charged * MICRO_PER_PENNY,
        operator_micro_per_kwh_discharged=charges.operator_pence_per_kwh_discharged * MICRO_PER_PENNY,
        licence_micro_per_month=None if licence is None else licence * MICRO,
    )
    if tsl is None:
        return terms
    return replace(
        terms,
        tsl_micro_per_kwh=tsl.tsl_per_kwh * MICRO,
        commission_micro_per_kwh=tsl.commission_micro_per_kwh,
        member_tsl_micro=tsl.member_tsl * MICRO,
        education_tsl_micro=tsl.education_tsl * MICRO,
        welcome_grant_micro=tsl.welcome_grant_tsl * MICRO,
    )


def specs(scene: Scene, faults: Sequence[Fault]) -> list[Spec]:
    """Return what each gateway program is told, the feeder's meter first."""
    street = scene.street
    feeder, *_ = assets(street)
    meter = Spec(community=street.community, number=feeder.gateway, seed=street.seed, assets=[feeder], around=None)
    return [
        meter,
        *(
            Spec(
                community=street.community,
                number=gateway(number),
                seed=street.seed,
                assets=(own := home_assets(street, number)),
                around=surroundings(street, scene.recorded, number),
                reserve_wh=street.battery.reserve_wh,
                battery_wh=street.battery.level_at_start_wh,
                timezone=street.timezone,
                faults=[fault for fault in faults if fault.asset in {asset.id for asset in own}],
            )
            for number in range(1, len(street.home) + 1)
        ),
    ]
