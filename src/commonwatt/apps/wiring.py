"""The only place that chooses adapters: it puts a street together on durable doors, or on paper ones."""

import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from time import perf_counter

import msgspec

from commonwatt.adapters.devices.driver import DeviceSpec
from commonwatt.adapters.devices.gateway.client import GatewayProcess, PlantProcess
from commonwatt.adapters.devices.gateway.device import PaperFleet, WiredFleet
from commonwatt.adapters.stores import brought
from commonwatt.adapters.stores.issued import IssuedFile
from commonwatt.adapters.stores.keyfile import load_secret, passphrase, save_first, save_secret
from commonwatt.adapters.stores.people import PeopleFile
from commonwatt.adapters.stores.positions import Positions
from commonwatt.adapters.stores.sqlite import SqliteLog, in_use
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps.scenes import ROLES, Scene, charter, specs, terms
from commonwatt.flows.brought import Brought, HomePast
from commonwatt.flows.onboard import Cast
from commonwatt.flows.ports import Gateways, LogStore
from commonwatt.flows.sequence import Sequencer
from commonwatt.flows.trading_day import Day
from commonwatt.forecasting.parked import Parked
from commonwatt.identity.keys import NoteKey, SigningKey
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    GatewayId,
    Refused,
    epoch,
)
from commonwatt.simulator.box import Fault, Spec
from commonwatt.simulator.gateway_program import GatewaySpec
from commonwatt.simulator.kept_paper import KeptPaperFleet
from commonwatt.simulator.paper import PaperLog, PaperProgram
from commonwatt.simulator.plant_program import PlantSpec
from commonwatt.simulator.street import Street, account, assets
from commonwatt.simulator.world import RecordedFeeds, RecordedPeople, salts

MASTER_KEY = Path("keys") / "master.key"
STATION_PORTS = range(20_000, 32_000)
GATEWAY_PROGRAM = "commonwatt.simulator.gateway_program"
PLANT_PROGRAM = "commonwatt.simulator.plant_program"


def paper_day(scene: Scene, *, v2g: bool = True, faults: Sequence[Fault] = ()) -> Day:
    """Return the street's day on paper doors: nothing is written, no process is started."""
    street = scene.street
    programs = [PaperProgram(spec) for spec in specs(scene, faults)]
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
    feeder, *homes = specs(scene, ())
    stations = _stations(homes, doors)
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
    fleet = KeptPaperFleet(specs(scene, ()), _owners(scene.street), output / "gateways.json")
    return _day(scene, log, fleet, cast)


def _day(scene: Scene, log: LogStore, fleet: Gateways, cast: Cast, *, v2g: bool = True) -> Day:
    street, recorded = scene.street, scene.recorded
    return Day(
        sequencer=Sequencer(log, street.community, salts(street.seed)),
        cast=cast,
        charter=charter(scene, fleet.keys()),
        terms=terms(scene, street.span, v2g=v2g),
        gateways=fleet,
        people=RecordedPeople(street, recorded),
        feeds=RecordedFeeds(street, recorded),
        marks=log.marks,
        stopwatch=perf_counter,
    )


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


def keep_key(folder: Path, name: str, key: SigningKey) -> None:
    """Keep a key in a run's folder under a name; another that lies there stays beside it, under its address too.

    Raises:
        Refused: What lies there does not open, so that nobody knows what would be lost.
        OSError: The disk is full or broken.
    """
    keys = folder / "keys"
    path, words = keys / f"{name}.pem", passphrase(keys / "passphrase")
    if path.exists():
        before = open_key(folder, name)
        if before.id == key.id:
            return
        save_first(keys / f"{name}-{before.id}.pem", load_secret(path))
    save_secret(path, key.to_pem(words))


def open_gateway_key(folder: Path, number: GatewayId) -> SigningKey:
    """Open the key of a gateway that is simulated on this machine: in a folder of its own, or with the others.

    Raises:
        Refused: There is none, others may read it, or the passphrase beside it does not open it.
    """
    own = folder / "gateways" / number
    if not (own / "key.pem").exists():
        return open_key(folder, number)
    return SigningKey.from_pem(load_secret(own / "key.pem"), passphrase(own / "passphrase"))


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
            Parked(start_s=one.start_s, end_s=one.end_s, energy_wh=one.need_wh)
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


def open_issued(folder: Path) -> IssuedFile:
    """Return what a community issued as forecasts, as it was told then."""
    return IssuedFile(folder, MasterKey.in_file(folder / MASTER_KEY))


def open_positions(folder: Path) -> Positions:
    """Return where a community's homes stand, as far as their owners said so."""
    return Positions(folder, MasterKey.in_file(folder / MASTER_KEY))


def forget_past(folder: Path, account: AccountId) -> bool:
    """Delete what a member brought along, where they live and what was forecast of them; tell if they brought it."""
    open_positions(folder).keep(account, None)
    open_issued(folder).forget(account)
    return brought.forget(folder, account)


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


def _stations(homes: Sequence[Spec], doors: ExitStack) -> dict[AssetId, str]:
    """Return where each home's charging station calls its gateway: at a port that nobody listens on just now.

    From below the ports that connections get: a station that calls before anybody listens could else meet itself. Until
    the gateway listens, other streets of this machine are kept off by the same port of UDP, which this one holds.
    """
    cars = [asset.id for home in homes for asset in home.assets if asset.kind is AssetKind.VEHICLE]
    ports: list[int] = []
    while len(ports) < len(cars):
        port = STATION_PORTS.start + secrets.randbelow(len(STATION_PORTS))
        with ExitStack() as tried, suppress(OSError):
            held = tried.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            held.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
            doors.enter_context(tried.pop_all())
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
