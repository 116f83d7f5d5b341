"""A gateway on a small box: run until it is stopped."""

import asyncio
import fcntl
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from commonwatt.adapters.devices.driver import Doors
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.adapters.stores.outbox import OutboxFile, open_outbox
from commonwatt.adapters.uplink.mqtt import MqttUplink
from commonwatt.adapters.uplink.translate import client_tls
from commonwatt.adapters.uplink.websocket import WebSocketUplink
from commonwatt.apps.device_watch import Oversight
from commonwatt.apps.gateway_channel import open_courier, open_paying
from commonwatt.apps.gateway_folder import (
    DEVICES,
    LOCK,
    ORDERS,
    OUTBOX,
    GatewayFile,
    blinds,
    login_of,
    open_signer,
    read_devices,
    read_gateway,
)
from commonwatt.apps.gateway_status import Status, devices_of, save_status
from commonwatt.apps.household import Household
from commonwatt.apps.updating import confirm_health
from commonwatt.apps.witness_child import keep_witness
from commonwatt.flows.device_ports import Device
from commonwatt.flows.gateway.gateway import Counter, Gateway, Identity
from commonwatt.flows.gateway.letters import Orders, open_letter
from commonwatt.flows.gateway.paying import Paying
from commonwatt.flows.gateway.ports import Clock, Uplink
from commonwatt.flows.gateway.post import Post
from commonwatt.flows.gateway.rules import Rules
from commonwatt.flows.gateway.running import EVERY_S, Alarms, Runner
from commonwatt.flows.keeper import Keeper
from commonwatt.identity.keys import RequestSigner, VerifyingKey
from commonwatt.model import Asset, AssetId, AssetKind, GatewayId, InvalidValue, Refused, epoch

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
        Refused: Its key or its memory is not to be had, or the folder is in use.
    """
    told = read_gateway(folder)
    with ExitStack() as doors:
        doors.enter_context(_alone(folder))
        try:
            outbox = doors.enter_context(open_outbox(folder / OUTBOX, on_word))
        except OSError as error:
            raise Refused("a gateway starts with its memory at hand", folder=folder, found=error) from error
        key = open_signer(folder, told)
        program = _Program(
            folder=folder,
            told=told,
            key=key,
            outbox=outbox,
            clock=clock or SystemClock(),
            sleep=sleep,
            word=on_word,
            stop=stop or asyncio.Event(),
        )
        asyncio.run(program.run())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Behind:
    """A gateway with all that is behind it: assets, the names of their drivers, and who watches and rules them."""

    gateway: Gateway
    assets: dict[AssetId, Asset]
    drivers: dict[AssetId, str]
    oversight: Oversight
    household: Household
    paying: Paying | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Program:
    """One life of the program."""

    folder: Path
    told: GatewayFile
    key: RequestSigner
    outbox: OutboxFile
    clock: Clock
    sleep: Sleep
    word: Callable[[str], None]
    stop: asyncio.Event

    async def run(self) -> None:
        """Open what is behind the gateway, run it until it is told to stop, and let go of everything."""
        self._heed_signals()
        async with Doors(clock=self.clock.now, folder=self.folder) as doors:
            alarms = Alarms(self.clock, self.word)
            behind = await self._open(doors, alarms)
            uplink = _uplink(self.folder, self.told, self.key)
            post = None if uplink is None else self._post(behind.gateway, uplink, alarms)
            runner = self._runner(behind, post, uplink, alarms)
            self.word(f"{self.told.number} keeps {len(behind.drivers)} devices")
            with ExitStack() as lines:
                following = [asyncio.create_task(self._follow(behind.gateway.keeper))]
                following += self._pay(behind, alarms, lines)
                watching = []
                if self.told.witness is not None:
                    seen = keep_witness(self.folder / WITNESS, self.told.witness, behind.assets.values(), self.stop)
                    watching.append(asyncio.create_task(seen))
                try:
                    await runner.run(self.stop)
                finally:
                    self.stop.set()
                    for task in following:
                        task.cancel()
                    await asyncio.gather(*following, *watching, return_exceptions=True)
                    behind.oversight.close()
            self.word(f"{self.told.number} has let its devices go")

    def _pay(self, behind: _Behind, alarms: Alarms, lines: ExitStack) -> list[asyncio.Task[None]]:
        """Begin to show vouchers, where it pays through a channel."""
        if behind.paying is None or self.told.channel is None:
            return []
        channel = behind.paying.channel
        self.word(f"{self.told.number} pays through channel {channel.id}; {channel.signer} signs its vouchers")
        courier = open_courier(behind.gateway, behind.paying, self.told.channel, alarms.raise_, lines)
        return [asyncio.create_task(courier.run(self.sleep))]

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for ending in (signal.SIGTERM, signal.SIGINT):
            with suppress(ValueError, RuntimeError):  # in a thread whoever started it stops it
                loop.add_signal_handler(ending, self.stop.set)

    async def _open(self, doors: Doors, alarms: Alarms) -> _Behind:
        """Open every device under watch, show it at home where that is wanted, and put the gateway in front."""
        told = self.told
        switch = None if told.switch is None else AssetId(told.switch)
        rules = Rules(mode=told.mode, switch=switch, reserve_percent=told.reserve_percent)
        household = Household(self.folder, rules, self.clock.now, alarms.raise_)
        oversight = Oversight(self.folder, doors)
        gateway, paying, drivers, assets = await _open(self.folder, told, self.key, self.outbox, oversight, household)
        if told.home_assistant is not None:
            kept = {name: assets[name] for name in gateway.keeper.kept}
            await household.open_home(told.home_assistant, GatewayId(told.number), kept, doors)
        return _Behind(
            gateway=gateway, assets=assets, drivers=drivers, oversight=oversight, household=household, paying=paying
        )

    def _post(self, gateway: Gateway, uplink: Uplink, alarms: Alarms) -> Post:
        pinned, number = VerifyingKey(bytes.fromhex(self.told.community_public or "")), GatewayId(self.told.number)
        return Post(gateway, self.outbox, uplink, self.told.community, number, pinned, self.clock, alarms.raise_)

    def _runner(self, behind: _Behind, post: Post | None, uplink: Uplink | None, alarms: Alarms) -> Runner:
        async def each() -> None:
            await behind.oversight.tick(behind.gateway, behind.assets)
            await behind.household.show(behind.gateway.keeper)

        last = self._last_orders() if post is not None else None
        runner = Runner(
            behind.gateway,
            self.outbox,
            post,
            uplink,
            self.clock,
            alarms,
            word=self.word,
            keep=lambda wire: save_secret(self.folder / ORDERS, wire),
            show=lambda: self._show(behind, post, alarms),
            each=each,
            heard=behind.household.hear,
            sleep=self.sleep,
            known_s=last.told_s if last is not None else 0,
        )
        if last is not None and post is not None:
            post.last = last.number  # nothing older is taken after them
            if last.told_s <= epoch(self.clock.now()) < last.until_s:
                runner.obey(last)
        return runner

    def _last_orders(self) -> Orders | None:
        """Return the last orders of the life before, if there are any."""
        pinned = VerifyingKey(bytes.fromhex(self.told.community_public or ""))
        with suppress(InvalidValue, OSError, Refused):
            letter = open_letter((self.folder / ORDERS).read_bytes(), pinned, self.told.community, self.told.number)
            return letter if isinstance(letter, Orders) else None
        return None

    def _show(self, behind: _Behind, post: Post | None, alarms: Alarms) -> None:
        keeper = behind.gateway.keeper
        status = Status(
            community=self.told.community,
            number=self.told.number,
            public=self.key.public.hex(),
            uplink=self.told.uplink,
            at=self.clock.now(),
            running=not self.stop.is_set(),
            closed_s=behind.gateway.closed_s,
            heard_at=post.heard_at if post else None,
            devices=devices_of(keeper, behind.drivers),
            alarms=list(alarms.standing),
        )
        save_status(self.folder, status)
        if all(kept.state is not None for kept in keeper.kept.values()):
            confirm_health()

    async def _follow(self, keeper: Keeper) -> None:
        """Move what is armed with the grid's frequency, whatever else takes its time."""
        while True:
            await keeper.follow(self.clock.now())
            await self.sleep(EVERY_S)


async def _open(
    folder: Path,
    told: GatewayFile,
    key: RequestSigner,
    outbox: OutboxFile,
    oversight: Oversight,
    household: Household,
) -> tuple[Gateway, Paying | None, dict[AssetId, str], dict[AssetId, Asset]]:
    """Open every device under watch; return the gateway, how it pays, its drivers' names and what is behind it."""
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
    paying = None
    if told.channel is not None:
        paying = open_paying(folder, told.channel, told.community, told.owner, list(assets.values()))
    pays = None if paying is None else paying.after
    gateway = Gateway(identity, list(assets.values()), keeper, key, outbox, meters, pays)
    return gateway, paying, {spec.asset: spec.driver for spec in behind.device}, assets


def _uplink(folder: Path, told: GatewayFile, key: RequestSigner) -> Uplink | None:
    where = told.place()
    if where is None:
        return None
    tls = client_tls(where, told.tls)
    if where.scheme in ("mqtt", "mqtts"):
        login = login_of(folder / told.login if told.login else None)
        return MqttUplink(where, told.community, GatewayId(told.number), tls, login)
    return WebSocketUplink(where, told.community, GatewayId(told.number), key, tls)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder: two that sign under one gateway's numbers would take them from each other."""
    with (folder / LOCK).open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused("a gateway's folder is in use by one program at a time", folder=folder) from error
        yield
