"""A device that notes what it is told, and the keeper's plain assets and commands."""

from collections.abc import Callable
from datetime import datetime, timedelta

from commonwatt.model import (
    AccountId,
    Ack,
    Asset,
    AssetId,
    AssetKind,
    Band,
    Caps,
    Command,
    DeviceState,
    GatewayId,
    instant,
)

NOW = instant(1_767_268_800)
LEASE_S = 30


def asset(name: str, kind: AssetKind = AssetKind.BATTERY) -> Asset:
    return Asset(
        id=AssetId(name),
        owner=AccountId("anna"),
        gateway=GatewayId("gw-1"),
        kind=kind,
        zone="lane",
        max_import_w=5_000,
        max_export_w=5_000,
        capacity_wh=10_000,
    )


class Noting:
    """A device that notes what it is told."""

    def __init__(self, caps: Caps, line: Callable[[], int] = lambda: 0) -> None:
        self.caps, self.line = caps, line
        self.told: list[Command] = []
        self.released = 0
        self.power_w = 0
        self.fails: Exception | None = None
        self.frequency_mhz: int | None = None
        self.level_wh: int | None = None
        self.read_at: Callable[[], datetime] = lambda: NOW

    async def read(self) -> DeviceState:
        if self.fails:
            raise self.fails
        return DeviceState(
            at=self.read_at(),
            power_w=self.line() + self.power_w,
            frequency_mhz=self.frequency_mhz,
            level_wh=self.level_wh,
        )

    async def apply(self, command: Command) -> Ack:
        if self.fails:
            raise self.fails
        self.told.append(command)
        self.power_w = command.band.lo_w
        return Ack(command=command.id, asset=command.asset, taken=command.band)

    async def release(self) -> None:
        self.released += 1
        self.power_w = 0

    async def close(self) -> None:
        self.caps = Caps(max_import_w=0)


def noting(lease_s: int | None = LEASE_S, *, balances: bool = False) -> Noting:
    return Noting(Caps(max_import_w=5_000, max_export_w=5_000, lease_s=lease_s, balances=balances))


def command(lo_w: int, hi_w: int, seconds: int = 1_800, name: str = "c1", balance_w: int | None = None) -> Command:
    band = Band(lo_w=lo_w, hi_w=hi_w, balance_w=balance_w)
    return Command(
        id=name, asset=AssetId("battery"), band=band, expires=NOW + timedelta(seconds=seconds), reason="plan"
    )
