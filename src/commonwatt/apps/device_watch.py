"""What a gateway's program needs to watch its devices: opened under watch, orders taken up, health shown."""

from collections.abc import Mapping
from pathlib import Path

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, drivers, open_device
from commonwatt.adapters.stores.inventory import InventoryFile
from commonwatt.apps.device_files import specs_of
from commonwatt.apps.device_health import log_note, overview, save_overview
from commonwatt.apps.devicing import INVENTORY
from commonwatt.flows.gateway.gateway import Gateway
from commonwatt.flows.inventory import Health, Meter, Rules
from commonwatt.flows.inventory_ports import Deed
from commonwatt.flows.watching import Inventory, Watched
from commonwatt.model import Asset, AssetId, CommonwattError, InvalidValue, epoch

SHOWN_EVERY_S = 60
SILENCES = 3
"""A device is silent once it missed so many of its own intervals, if that is longer than usual."""


class Oversight:
    """The inventory of one gateway's folder, for as long as its program runs. Use with ``close``.

    Args:
        folder: The gateway's.
        doors: Through which devices are opened.
    """

    def __init__(self, folder: Path, doors: Doors) -> None:
        self._folder, self._doors = folder, doors
        self._shelf = InventoryFile(folder / INVENTORY)
        self._shown: list[tuple[int, Health, bool]] | None = None
        self._shown_s = 0
        self.inventory = Inventory(self._shelf, doors.clock, log_note)

    async def open(self, asset: Asset, spec: DeviceSpec) -> Watched:
        """Open an asset's device under watch.

        Raises:
            InvalidValue: There is no such driver, or what is said of the device makes no sense to it.
        """
        device = await open_device(asset, spec, self._doors)
        meter = Meter(rollover_wh=spec.rollover_wh, resolution_wh=spec.resolution_wh)
        return self.inventory.watch(asset, device, spec.driver, spec.url, rules_of(spec), meter)

    async def tick(self, gateway: Gateway, assets: Mapping[AssetId, Asset]) -> None:
        """Take up what was ordered, open what was put in another's place, and show how all fare.

        To be called every second or so, and before a slot is closed: a meter that was exchanged must not be read
        before that is known.
        """
        for order in self.inventory.take_orders(gateway):
            if order.deed is Deed.REPLACE and order.asset in gateway.keeper.kept:
                await self._reopen(gateway, assets[order.asset])
        self.show()

    def show(self) -> None:
        """Write the health file where something changed, and once a minute."""
        records = list(self.inventory.records.values())
        fares, now_s = (
            [(record.number, record.health, record.alarmed) for record in records],
            epoch(self._doors.clock()),
        )
        if fares == self._shown and now_s - self._shown_s < SHOWN_EVERY_S:
            return
        try:
            save_overview(self._folder, overview(records, now_s, self.inventory.trouble))
        except OSError:
            return  # the disk is full; devices are kept nevertheless, and it is tried again
        self._shown, self._shown_s = fares, now_s

    def close(self) -> None:
        """Keep what is known, and let go of the file."""
        self.inventory.keep()
        self.show()
        self._shelf.close()

    async def _reopen(self, gateway: Gateway, asset: Asset) -> None:
        spec = next((spec for spec in specs_of(self._folder) if spec.asset == asset.id), None)
        if spec is None:
            return
        try:
            old = gateway.keeper.exchange(asset.id, await self.open(asset, spec))
            await old.close()
        except (CommonwattError, OSError) as error:
            gateway.keeper.kept[asset.id].trouble = str(error)


def rules_of(spec: DeviceSpec) -> Rules:
    """Return by which rules a device is judged: one that speaks seldom is not silent so soon."""
    every_s = spec.settings.get("every_s")
    if not isinstance(every_s, int):
        try:
            every_s = drivers()[spec.driver].quality().interval_s
        except (InvalidValue, KeyError):
            every_s = None
    usual = Rules()
    return Rules(silent_after_s=max(usual.silent_after_s, SILENCES * (every_s or 0)))
