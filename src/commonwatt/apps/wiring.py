"""The only place that chooses adapters: it puts a street together on durable doors, or on paper ones."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import perf_counter

import msgspec

from commonwatt.adapters.devices.gateway.client import GatewayProcess
from commonwatt.adapters.devices.gateway.device import GatewayFleet
from commonwatt.adapters.stores.keyfile import load_secret, passphrase, save_secret
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.flows.onboard import Cast, Charter
from commonwatt.flows.outlook import Terms
from commonwatt.flows.ports import LogStore
from commonwatt.flows.sequence import Sequencer
from commonwatt.flows.trading_day import Day, WattPrices
from commonwatt.identity.keys import NoteKey, SigningKey
from commonwatt.model import MICRO, AssetId, AssetKind, GatewayId, InvalidValue, epoch
from commonwatt.simulator import recorded as recordings
from commonwatt.simulator import street as streets
from commonwatt.simulator.box import Fault, Spec
from commonwatt.simulator.paper import PaperLog, PaperProgram
from commonwatt.simulator.recorded import Recorded
from commonwatt.simulator.street import MICRO_PER_PENNY, Street, account, assets, gateway, home_assets
from commonwatt.simulator.world import RecordedFeeds, RecordedPeople, salts, surroundings
from commonwatt.tokens.watt import b_max_wh

HISTORY_S = 14 * 86_400
GRACE_SLOTS = 4
GATE_S = 60
GATEWAY_PROGRAM = "commonwatt.simulator.gateway_program"
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


def paper_day(scene: Scene, *, v2g: bool = True, faults: Sequence[Fault] = ()) -> Day:
    """Return the street's day on paper doors: nothing is written, no process is started."""
    street = scene.street
    programs = [PaperProgram(spec) for spec in _specs(scene, faults)]
    seed = street.seed.encode()
    cast = _cast(
        {name: SigningKey.from_seed(seed, name) for name in _names(street)}, NoteKey.from_seed(seed, "note"), street
    )
    return _day(scene, PaperLog(), GatewayFleet(programs[1:], programs[0], _owners(street)), cast, v2g=v2g)


def durable_day(scene: Scene, output: Path, doors: ExitStack, faults: Sequence[Fault] = ()) -> Day:
    """Return the street's day on durable doors in a folder: SQLite, key files, gateways in processes of their own.

    Args:
        scene: What to replay.
        output: The run's folder; a folder of an earlier, interrupted run goes on where that stopped.
        doors: Closes everything that is opened here.
        faults: What goes wrong on purpose.
    """
    street = scene.street
    output.mkdir(parents=True, exist_ok=True)
    programs = []
    for spec in _specs(scene, faults):
        program = GatewayProcess(GATEWAY_PROGRAM, output / "gateways" / spec.number, msgspec.json.encode(spec))
        doors.callback(program.close)
        programs.append(program)
    cast = _custody(street, output / "keys")
    log = doors.enter_context(SqliteLog(output / "log.sqlite"))
    for program in programs:
        program.greet()
    return _day(scene, log, GatewayFleet(programs[1:], programs[0], _owners(street)), cast)


def _day(scene: Scene, log: LogStore, fleet: GatewayFleet, cast: Cast, *, v2g: bool = True) -> Day:
    street, recorded = scene.street, scene.recorded
    start_s = epoch(street.span.start)
    numbers = range(1, len(street.home) + 1)
    return Day(
        sequencer=Sequencer(log, street.community, salts(street.seed)),
        cast=cast,
        charter=Charter(
            timezone=street.timezone,
            b_max_wh=b_max_wh(street.watt.storage_cost_pounds * MICRO, street.watt.price_pounds_per_kwh * MICRO),
            grace_slots=GRACE_SLOTS,
            gate_s=GATE_S,
            assets=assets(street),
            gateways=fleet.keys(),
            prepaid_micro=street.prepaid.pounds * MICRO,
            dso=street.dso,
        ),
        terms=Terms(
            span=street.span,
            zone=street.zone,
            load_wh={account(n): recorded.load_wh[n - 1].between(start_s - HISTORY_S, start_s) for n in numbers},
            solar_wh={account(n): recorded.solar_wh[n - 1].between(start_s - HISTORY_S, start_s) for n in numbers},
            wear_micro_per_kwh={
                AssetKind.BATTERY: street.battery.wear_pence_per_kwh * MICRO_PER_PENNY,
                AssetKind.VEHICLE: street.car.wear_pence_per_kwh * MICRO_PER_PENNY,
            },
            reserve_wh=street.battery.reserve_wh,
            v2g=v2g,
        ),
        watt_prices={
            account(n): WattPrices(
                buy=home.watt_buy_pence * MICRO_PER_PENNY, sell=home.watt_sell_pence * MICRO_PER_PENNY
            )
            for n, home in enumerate(street.home, 1)
        },
        gateways=fleet,
        people=RecordedPeople(street, recorded),
        feeds=RecordedFeeds(street, recorded),
        marks=log.marks,
        stopwatch=perf_counter,
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
                faults=[fault for fault in faults if fault.asset in {asset.id for asset in own}],
            )
            for number in range(1, len(street.home) + 1)
        ),
    ]


def _owners(street: Street) -> dict[AssetId, GatewayId]:
    return {asset.id: asset.gateway for asset in assets(street)}


def _names(street: Street) -> list[str]:
    return [*ROLES, *(account(number) for number in range(1, len(street.home) + 1))]


def _custody(street: Street, folder: Path) -> Cast:
    """Open the keys that are held at this desk, or make them from the seed: encrypted, under one passphrase."""
    folder.mkdir(mode=0o700, exist_ok=True)
    words, seed = passphrase(folder / "passphrase"), street.seed.encode()
    keys = {}
    for name in _names(street):
        path = folder / f"{name}.pem"
        if not path.exists():
            save_secret(path, SigningKey.from_seed(seed, name).to_pem(words))
        keys[name] = SigningKey.from_pem(load_secret(path), words)
    path = folder / "note.pem"
    if not path.exists():
        save_secret(path, NoteKey.from_seed(seed, "note").to_pem(words))
    return _cast(keys, NoteKey.from_pem(load_secret(path), words), street)


def _cast(keys: dict[str, SigningKey], note: NoteKey, street: Street) -> Cast:
    members = {account(number): keys[account(number)] for number in range(1, len(street.home) + 1)}
    return Cast(note=note, members=members, **{role: keys[role] for role in ROLES})
