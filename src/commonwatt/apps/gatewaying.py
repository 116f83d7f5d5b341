"""A gateway on a small box: run until it is stopped, and looked at."""

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from commonwatt.adapters.devices.driver import Doors
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.adapters.stores.outbox import OutboxFile
from commonwatt.adapters.uplink.mqtt import MqttUplink
from commonwatt.adapters.uplink.translate import client_tls
from commonwatt.adapters.uplink.websocket import WebSocketUplink
from commonwatt.apps.device_watch import Oversight
from commonwatt.apps.gateway_folder import (
    DEVICES,
    LOCK,
    ORDERS,
    OUTBOX,
    STATUS,
    GatewayFile,
    blinds,
    login_of,
    open_signer,
    read_devices,
    read_gateway,
)
from commonwatt.apps.household import Household
from commonwatt.apps.updating import confirm_health
from commonwatt.apps.witness_child import keep_witness
from commonwatt.flows.device_ports import Device
from commonwatt.flows.gateway.gateway import Counter, Gateway, Identity
from commonwatt.flows.gateway.letters import Orders, open_letter
from commonwatt.flows.gateway.ports import Clock, Uplink
from commonwatt.flows.gateway.post import Post
from commonwatt.flows.gateway.rules import Rules
from commonwatt.flows.gateway.running import EVERY_S, Alarm, Alarms, Runner
from commonwatt.flows.keeper import Keeper, Kept
from commonwatt.identity.keys import RequestSigner, VerifyingKey
from commonwatt.model import (
    Asset,
    AssetId,
    AssetKind,
    GatewayId,
    InvalidValue,
    Refused,
    epoch,
)

WITNESS = "witness"
Sleep = Callable[[float], Awaitable[None]]


class SystemClock:
    """Implements `commonwatt.flows.gateway.ports.Clock` with the machine's own two clocks."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def steady_s(self) -> float:
        """Return seconds since the machine was switched on, asleep or awake."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)


class DeviceStatus(Struct, frozen=True, kw_only=True):
    """How one device fares; power in W, import positive, counters and level in Wh."""

    asset: str
    kind: str
    driver: str
    at: datetime | None = None
    power_w: int | None = None
    import_wh: int | None = None
    export_wh: int | None = None
    level_wh: int | None = None
    connected: bool | None = None
    frequency_mhz: int | None = None
    told: str = ""
    lo_w: int | None = None
    hi_w: int | None = None
    expires: datetime | None = None
    trouble: str = ""


class Status(Struct, frozen=True, kw_only=True):
    """What a gateway knows, as it last wrote it down; ``waiting`` and ``aside`` are counted when it is shown."""

    community: str
    number: str
    public: str
    uplink: str
    at: datetime
    running: bool
    closed_s: int
    heard_at: datetime | None
    devices: list[DeviceStatus]
    alarms: list[Alarm]
    waiting: int = 0
    aside: int = 0


def run(
    folder: Path,
    *,
    clock: Clock | None = None,
    sleep: Sleep = asyncio.sleep,
    on_word: Callable[[str], None] = lambda word: None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run the gateway of a folder until SIGTERM or SIGINT; then its devices are let go.

    Args:
        folder: Its own, as `make_folder` made it.
        clock: By which it lives.
        sleep: How it waits.
        on_word: Told in words what happens.
        stop: Ends it too.

    Raises:
        InvalidValue: A file of the folder makes no sense, or a driver is not there.
        Refused: Its key is not to be had, or the folder is in use.
    """
    told = read_gateway(folder)
    with ExitStack() as doors:
        doors.enter_context(_alone(folder))
        outbox = doors.enter_context(OutboxFile(folder / OUTBOX))
        key = open_signer(folder, told)
        asyncio.run(_run(folder, told, key, outbox, clock or SystemClock(), sleep, on_word, stop))


async def _run(
    folder: Path,
    told: GatewayFile,
    key: RequestSigner,
    outbox: OutboxFile,
    clock: Clock,
    sleep: Sleep,
    on_word: Callable[[str], None],
    stop: asyncio.Event | None,
) -> None:
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for ending in (signal.SIGTERM, signal.SIGINT):
        with suppress(ValueError, RuntimeError):  # in a thread whoever started it stops it
            loop.add_signal_handler(ending, stop.set)
    async with Doors(clock=clock.now, folder=folder) as doors:
        alarms = Alarms(clock, on_word)
        switch = None if told.switch is None else AssetId(told.switch)
        rules = Rules(mode=told.mode, switch=switch, reserve_percent=told.reserve_percent)
        household = Household(folder, rules, clock.now, alarms.raise_)
        oversight = Oversight(folder, doors)
        gateway, drivers, assets = await _open(folder, told, key, outbox, oversight, household)
        if told.home_assistant is not None:
            kept = {name: assets[name] for name in gateway.keeper.kept}
            await household.open_home(told.home_assistant, GatewayId(told.number), kept, doors)
        uplink = _uplink(folder, told, key)
        post = None
        if uplink is not None:
            pinned = VerifyingKey(bytes.fromhex(told.community_public or ""))
            number = GatewayId(told.number)
            post = Post(gateway, outbox, uplink, told.community, number, pinned, clock, alarms.raise_)

        def show() -> None:
            status = Status(
                community=told.community,
                number=told.number,
                public=key.public.hex(),
                uplink=told.uplink,
                at=clock.now(),
                running=not stop.is_set(),
                closed_s=gateway.closed_s,
                heard_at=post.heard_at if post else None,
                devices=[_device(kept, drivers[name]) for name, kept in gateway.keeper.kept.items()],
                alarms=list(alarms.standing),
            )
            _write(folder / STATUS, msgspec.json.encode(status))
            if all(kept.state is not None for kept in gateway.keeper.kept.values()):
                confirm_health()

        async def each() -> None:
            await oversight.tick(gateway, assets)
            await household.show(gateway.keeper)

        runner = Runner(
            gateway,
            outbox,
            post,
            uplink,
            clock,
            alarms,
            word=on_word,
            keep=lambda wire: save_secret(folder / ORDERS, wire),
            show=show,
            each=each,
            heard=household.hear,
            sleep=sleep,
        )
        if post is not None and (folder / ORDERS).exists():
            _resume(folder, told, post, runner, clock)
        on_word(f"{told.number} keeps {len(drivers)} devices; {len(outbox)} requests wait")
        beside = [asyncio.create_task(_follow(gateway.keeper, clock, sleep))]
        if told.witness is not None:
            watching = keep_witness(folder / WITNESS, told.witness, assets.values(), stop)
            beside.append(asyncio.create_task(watching))
        try:
            await runner.run(stop)
        finally:
            stop.set()
            beside[0].cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            oversight.close()
        on_word(f"{told.number} has let its devices go")


async def _follow(keeper: Keeper, clock: Clock, sleep: Sleep) -> None:
    """Move what is armed with the grid's frequency, whatever else takes its time."""
    while True:
        await keeper.follow(clock.now())
        await sleep(EVERY_S)


async def _open(
    folder: Path,
    told: GatewayFile,
    key: RequestSigner,
    outbox: OutboxFile,
    oversight: Oversight,
    household: Household,
) -> tuple[Gateway, dict[AssetId, str], dict[AssetId, Asset]]:
    """Open every device under watch, and return the gateway with its drivers' names and what is behind it."""
    behind = read_devices(folder / DEVICES)
    assets = {AssetId(one.id): one.asset(told.owner or told.number, told.number) for one in behind.asset}
    devices = dict[AssetId, tuple[Asset, Device]]()
    for spec in behind.device:
        devices[spec.asset] = (assets[spec.asset], await oversight.open(assets[spec.asset], spec))
    line = next((name for name in devices if assets[name].kind is AssetKind.CONNECTION), None)
    identity = Identity(
        community=told.community,
        number=GatewayId(told.number),
        secret=blinds(folder),
        timezone=told.timezone,
        latitude_e7_deg=told.latitude_e7_deg,
        longitude_e7_deg=told.longitude_e7_deg,
    )
    meters = {
        spec.asset: Counter(rollover_wh=spec.rollover_wh, resolution_wh=spec.resolution_wh) for spec in behind.device
    }
    keeper = Keeper(devices, line, rules=household.settle)
    gateway = Gateway(identity, list(assets.values()), keeper, key, outbox, meters)
    return gateway, {spec.asset: spec.driver for spec in behind.device}, assets


def _uplink(folder: Path, told: GatewayFile, key: RequestSigner) -> Uplink | None:
    where = told.place()
    if where is None:
        return None
    tls = client_tls(where, told.tls)
    if where.scheme in ("mqtt", "mqtts"):
        login = login_of(folder / told.login if told.login else None)
        return MqttUplink(where, told.community, GatewayId(told.number), tls, login)
    return WebSocketUplink(where, told.community, GatewayId(told.number), key, tls)


def _resume(folder: Path, told: GatewayFile, post: Post, runner: Runner, clock: Clock) -> None:
    """Obey the last orders of the life before, as far as they stand; nothing older is taken after them."""
    pinned = VerifyingKey(bytes.fromhex(told.community_public or ""))
    with suppress(InvalidValue, OSError, Refused):
        letter = open_letter((folder / ORDERS).read_bytes(), pinned, told.community, told.number)
        if isinstance(letter, Orders):
            post.last = letter.number
            if epoch(clock.now()) < letter.until_s:
                runner.obey(letter)


def _device(kept: Kept, driver: str) -> DeviceStatus:
    state, sent = kept.state, kept.sent
    return DeviceStatus(
        asset=kept.asset.id,
        kind=kept.asset.kind,
        driver=driver,
        at=state.at if state else None,
        power_w=state.power_w if state else None,
        import_wh=state.import_wh if state else None,
        export_wh=state.export_wh if state else None,
        level_wh=state.level_wh if state else None,
        connected=state.connected if state else None,
        frequency_mhz=state.frequency_mhz if state else None,
        told=sent.id if sent else "",
        lo_w=sent.band.lo_w if sent else None,
        hi_w=sent.band.hi_w if sent else None,
        expires=sent.expires if sent else None,
        trouble=kept.trouble,
    )


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; it need not survive a power cut."""
    beside = path.with_suffix(".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)
    beside.replace(path)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder: two that sign under one gateway's numbers would take them from each other."""
    with (folder / LOCK).open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused("a gateway's folder is in use by one program at a time", folder=folder) from error
        yield


def show(folder: Path) -> Status:
    """Return what the gateway of a folder last wrote down of itself, and what waits in it now.

    Raises:
        InvalidValue: The folder is no gateway's.
        Refused: It has never run.
    """
    read_gateway(folder)
    if not (folder / STATUS).exists():
        raise Refused("a gateway that has run tells of itself: `commonwatt gateway run`", folder=folder)
    status = msgspec.json.decode((folder / STATUS).read_bytes(), type=Status)
    with OutboxFile(folder / OUTBOX) as outbox:
        return msgspec.structs.replace(status, waiting=len(outbox), aside=len(outbox.aside()))
