"""The only place that chooses adapters: it puts a street together on durable doors, or on paper ones."""

import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from time import perf_counter

import msgspec

from commonwatt.adapters.devices.driver import DeviceSpec
from commonwatt.adapters.devices.gateway.client import GatewayProcess, PlantProcess
from commonwatt.adapters.devices.gateway.device import PaperFleet, WiredFleet
from commonwatt.adapters.stores import brought
from commonwatt.adapters.stores.keyfile import load_secret, passphrase, save_secret
from commonwatt.adapters.stores.people import PeopleFile
from commonwatt.adapters.stores.sqlite import SqliteLog, in_use
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.flows.brought import Brought, HomePast, PastStay
from commonwatt.flows.foreseeing import Chosen, Forecasts, naive
from commonwatt.flows.onboard import Cast, Charter, WalletTerms
from commonwatt.flows.outlook import Terms
from commonwatt.flows.ports import Gateways, LogStore
from commonwatt.flows.rulebook.bodies import Witness
from commonwatt.flows.rulebook.identity.witnesses import check_witnesses
from commonwatt.flows.rulebook.state import WattPrices
from commonwatt.flows.sequence import Sequencer
from commonwatt.flows.trading_day import Day
from commonwatt.identity.keys import NoteKey, SigningKey
from commonwatt.model import (
    MICRO,
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    GatewayId,
    Interval,
    InvalidValue,
    Refused,
    epoch,
)
from commonwatt.simulator import recorded as recordings
from commonwatt.simulator import street as streets
from commonwatt.simulator.box import Fault, Spec
from commonwatt.simulator.gateway_program import GatewaySpec
from commonwatt.simulator.kept_paper import KeptPaperFleet
from commonwatt.simulator.larger import larger
from commonwatt.simulator.paper import PaperLog, PaperProgram
from commonwatt.simulator.plant_program import PlantSpec
from commonwatt.simulator.recorded import Recorded, Series
from commonwatt.simulator.street import MICRO_PER_PENNY, Street, account, assets, gateway, home_assets
from commonwatt.simulator.world import RecordedFeeds, RecordedPeople, salts, surroundings
from commonwatt.tokens.watt import b_max_wh

HISTORY_S = 14 * 86_400
MOST_HISTORY_S = 56 * 86_400
"""Where more was recorded than the least, forecasts learn from so much of it: eight weeks are a season."""
GRACE_SLOTS = 4
CORRECTION_SLOTS = 192
"""Two days: a plan looks back over the day, and a meter may report or correct that long."""
GATE_S = 60
MASTER_KEY = Path("keys") / "master.key"
STATION_PORTS = range(20_000, 32_000)
GATEWAY_PROGRAM = "commonwatt.simulator.gateway_program"
PLANT_PROGRAM = "commonwatt.simulator.plant_program"
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
        try:
            street = street.on(date.fromisoformat(day))
        except ValueError as error:
            raise InvalidValue(f"a day looks like 2018-11-14, was {day!r}") from error
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


def paper_day(scene: Scene, *, v2g: bool = True, faults: Sequence[Fault] = ()) -> Day:
    """Return the street's day on paper doors: nothing is written, no process is started."""
    street = scene.street
    programs = [PaperProgram(spec) for spec in _specs(scene, faults)]
    seed = street.seed.encode()
    cast = _cast(
        {name: SigningKey.from_seed(seed, name) for name in _names(street)}, NoteKey.from_seed(seed, "note"), street
    )
    return _day(scene, PaperLog(), PaperFleet(programs[1:], programs[0], _owners(street)), cast, v2g=v2g)


def durable_day(scene: Scene, output: Path, doors: ExitStack) -> Day:
    """Return the street's day on durable doors in a folder: SQLite, key files, devices on real wires, gateways that
    speak to them in processes of their own.

    Args:
        scene: What to replay.
        output: The run's folder; a folder of an earlier, interrupted run goes on where that stopped.
        doors: Closes everything that is opened here.
    """
    street = scene.street
    output.mkdir(parents=True, exist_ok=True)
    feeder, *homes = _specs(scene, ())
    stations = _stations(homes)
    told = PlantSpec(homes=homes, feeder=feeder, stations=stations)
    plant = PlantProcess(PLANT_PROGRAM, output / "devices", msgspec.json.encode(told))
    doors.callback(plant.close)
    urls = {**plant.greet().urls, **stations}
    gateways = []
    for spec in (*homes, feeder):
        known = msgspec.json.encode(_wired(spec, urls, epoch(street.span.start) - SLOT_SECONDS))
        program = GatewayProcess(GATEWAY_PROGRAM, output / "gateways" / spec.number, known)
        doors.callback(program.close)
        gateways.append(program)
    cast = _custody(street, output / "keys")
    log = doors.enter_context(SqliteLog(output / "log.sqlite", MasterKey.in_file(output / MASTER_KEY)))
    return _day(scene, log, WiredFleet(gateways[:-1], gateways[-1], plant, _owners(street)), cast)


def durable_paper_day(scene: Scene, output: Path, doors: ExitStack) -> Day:
    """Return the street's day on a durable log, with gateways and homes on paper, in this process.

    For streets too large to give every gateway a process of its own. What they remember is kept in the folder.

    Args:
        scene: What to replay.
        output: The run's folder, which may hold an interrupted run.
        doors: Closes everything that is opened here.
    """
    cast = _custody(scene.street, output / "keys")
    log = doors.enter_context(SqliteLog(output / "log.sqlite", MasterKey.in_file(output / MASTER_KEY)))
    fleet = KeptPaperFleet(_specs(scene, ()), _owners(scene.street), output / "gateways.json")
    return _day(scene, log, fleet, cast)


def open_log(folder: Path) -> SqliteLog:
    """Open the log of a run's folder for reading, with the master key that lies in the folder's keys.

    Raises:
        Refused: There is no log, or no key to it.
        Corrupt: The key is not this log's, or the file is damaged.
    """
    path, key = folder / "log.sqlite", folder / MASTER_KEY
    if not path.exists():
        raise Refused("no log in this folder", folder=folder)
    if not key.exists():
        raise Refused("a log is opened with its master key", missing=key)
    return SqliteLog.open_readonly(path, MasterKey.in_file(key))


def open_log_alone(folder: Path) -> SqliteLog:
    """Open the log of a community's folder for writing, where nobody else has it open.

    Raises:
        Refused: There is no log or no key to it, or somebody has it open.
        Corrupt: The key is not this log's, or the file is damaged.
    """
    open_log(folder).close()
    if in_use(folder / "log.sqlite"):
        raise Refused("nobody else has the log open meanwhile", folder=folder)
    return SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY))


def open_people(folder: Path) -> PeopleFile:
    """Open the people of a community's folder, of the thread that calls; the file is made where it is missing.

    Raises:
        Refused: There is no log, or no key to it; or it is of another format.
        Corrupt: The file is damaged, or another master key's.
    """
    open_log(folder).close()
    return PeopleFile(folder / "people.sqlite", MasterKey.in_file(folder / MASTER_KEY))


def open_key(folder: Path, name: str) -> SigningKey:
    """Open a key of a run's folder by its name: whoever can, holds it.

    Raises:
        Refused: There is no such key, others may read it, or the passphrase beside it does not open it.
    """
    keys = folder / "keys"
    path = keys / f"{name}.pem"
    if not name.replace("-", "").replace("_", "").isalnum() or not path.exists() or not (keys / "passphrase").exists():
        raise Refused("a key is named as its file in the folder's keys", named=repr(name), folder=keys)
    return SigningKey.from_pem(load_secret(path), passphrase(keys / "passphrase"))


def open_gateway_key(folder: Path, number: GatewayId) -> SigningKey:
    """Open the key of a gateway that is simulated on this machine: in a folder of its own, or with the others.

    Raises:
        Refused: There is none, others may read it, or the passphrase beside it does not open it.
    """
    own = folder / "gateways" / number
    if not (own / "key.pem").exists():
        return open_key(folder, number)
    return SigningKey.from_pem(load_secret(own / "key.pem"), passphrase(own / "passphrase"))


def _day(scene: Scene, log: LogStore, fleet: Gateways, cast: Cast, *, v2g: bool = True) -> Day:
    street, recorded = scene.street, scene.recorded
    return Day(
        sequencer=Sequencer(log, street.community, salts(street.seed)),
        cast=cast,
        charter=Charter(
            timezone=street.timezone,
            b_max_wh=b_max_wh(street.watt.storage_cost_pounds * MICRO, street.watt.price_pounds_per_kwh * MICRO),
            grace_slots=GRACE_SLOTS,
            correction_slots=CORRECTION_SLOTS,
            gate_s=GATE_S,
            assets=assets(street),
            gateways=fleet.keys(),
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
        ),
        terms=terms(scene, street.span, v2g=v2g),
        gateways=fleet,
        people=RecordedPeople(street, recorded),
        feeds=RecordedFeeds(street, recorded),
        marks=log.marks,
        stopwatch=perf_counter,
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


def keep_past(scene: Scene, folder: Path) -> None:
    """Leave in a run's folder what was recorded before it, for those who forecast beside it; once, so that what was
    erased of it stays so.
    """
    if (folder / brought.BROUGHT).exists():
        return
    street, recorded = scene.street, scene.recorded
    given, start_s = terms(scene, street.span), epoch(street.span.start)
    homes = {}
    for number in range(1, len(street.home) + 1):
        owner = account(number)
        load_wh = given.load_wh[owner]
        stays = tuple(
            PastStay(start_s=one.start_s, end_s=one.end_s, energy_wh=one.need_wh)
            for one in recorded.sessions_before
            if one.home == number and one.end_s < start_s  # what ends with it was cut there
        )
        homes[owner] = HomePast(
            first_s=start_s - len(load_wh) * SLOT_SECONDS,
            load_wh=load_wh,
            solar_wh=given.solar_wh[owner],
            stays={AssetId(f"car-{number:02d}"): stays} if stays else {},
        )
    first_s = recorded.import_price.start_s
    bought, sold = (one.between(first_s, start_s) for one in (recorded.import_price, recorded.export_price))
    told = Brought(
        place=street.place,
        prices_from_s=first_s,
        prices=tuple(zip(bought, sold, strict=True)),
        wear_micro_per_kwh=given.wear_micro_per_kwh[AssetKind.BATTERY],
        reserve_wh=given.reserve_wh,
        homes=homes,
    )
    brought.keep(folder, MasterKey.in_file(folder / MASTER_KEY), told)


def open_past(folder: Path) -> Brought:
    """Return what was measured before a community's log begins; nothing where nobody left it there.

    Raises:
        Corrupt: The file is damaged, or another master key's.
    """
    return brought.read(folder, MasterKey.in_file(folder / MASTER_KEY))


def forget_past(folder: Path, account: AccountId) -> bool:
    """Delete what a member brought along; tell whether there was anything."""
    return brought.forget(folder, account)


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


def _specs(scene: Scene, faults: Sequence[Fault]) -> list[Spec]:
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


def _wired(spec: Spec, urls: Mapping[AssetId, str], begins_s: int) -> GatewaySpec:
    """Return what a gateway on wires is told: how to speak to each device behind it."""
    return GatewaySpec(
        community=spec.community,
        number=spec.number,
        seed=spec.seed,
        timezone=spec.timezone,
        begins_s=begins_s,
        assets=spec.assets,
        devices=[_device(asset, urls[asset.id]) for asset in spec.assets],
    )


def _stations(homes: Sequence[Spec]) -> dict[AssetId, str]:
    """Return where each home's charging station calls its gateway: at a port that nobody listens on just now.

    From below the ports that connections get: a station that calls before anybody listens could else meet itself.
    """
    cars = [asset.id for home in homes for asset in home.assets if asset.kind is AssetKind.VEHICLE]
    ports: list[int] = []
    while len(ports) < len(cars):
        port = STATION_PORTS.start + secrets.randbelow(len(STATION_PORTS))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports.append(port)
    return {car: f"ws://127.0.0.1:{port}/{car}" for car, port in zip(cars, ports, strict=True)}


def _device(asset: Asset, url: str) -> DeviceSpec:
    """Return how one device of the street is spoken to. A lease outlives a slot, which passes in one step here."""
    if asset.kind is AssetKind.FEEDER:
        return DeviceSpec(asset=asset.id, driver="p1", url=url, rollover_wh=10**9, settings={"stale_s": 3600})
    if asset.kind is AssetKind.VEHICLE:
        settings = {"bidirectional": True, "lease_s": 1800, "fresh_s": 60, "silent_s": 3600}
        return DeviceSpec(asset=asset.id, driver="ocpp", url=url, settings=settings)
    return DeviceSpec(asset=asset.id, driver="sunspec", url=url, rollover_wh=2**32, settings={"lease_s": 1800})


def _owners(street: Street) -> dict[AssetId, GatewayId]:
    return {asset.id: asset.gateway for asset in assets(street)}


def _names(street: Street) -> list[str]:
    return [*ROLES, *(account(number) for number in range(1, len(street.home) + 1))]


def _custody(street: Street, folder: Path) -> Cast:
    """Open the keys that are held at this desk, or make them from the seed."""
    seed = street.seed.encode()
    keys, note = custody(
        folder, _names(street), lambda name: SigningKey.from_seed(seed, name), lambda: NoteKey.from_seed(seed, "note")
    )
    return _cast(keys, note, street)


def custody(
    folder: Path, names: Sequence[str], make: Callable[[str], SigningKey], make_note: Callable[[], NoteKey]
) -> tuple[dict[str, SigningKey], NoteKey]:
    """Open the keys of a folder by name, or make those that are missing: encrypted, under one passphrase.

    Args:
        folder: Of keys.
        names: Of those that sign requests.
        make: Makes one of them.
        make_note: Makes the one that signs checkpoints.

    Raises:
        Refused: Others may read a key.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    words, keys = passphrase(folder / "passphrase"), dict[str, SigningKey]()
    for name in names:
        path = folder / f"{name}.pem"
        if not path.exists():
            save_secret(path, make(name).to_pem(words))
        keys[name] = SigningKey.from_pem(load_secret(path), words)
    path = folder / "note.pem"
    if not path.exists():
        save_secret(path, make_note().to_pem(words))
    return keys, NoteKey.from_pem(load_secret(path), words)


def _cast(keys: dict[str, SigningKey], note: NoteKey, street: Street) -> Cast:
    members = {account(number): keys[account(number)] for number in range(1, len(street.home) + 1)}
    return Cast(note=note, members=members, **{role: keys[role] for role in ROLES})
