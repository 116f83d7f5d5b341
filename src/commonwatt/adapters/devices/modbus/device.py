"""A device behind Modbus registers, as a register map describes it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import msgspec

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, settings_of
from commonwatt.adapters.devices.modbus.client import Link, Wire, shared_link
from commonwatt.adapters.devices.modbus.map_file import RegisterMap, find_map
from commonwatt.adapters.devices.modbus.nameplate import label_blocks, label_of, named
from commonwatt.adapters.devices.modbus.translate import blocks_of, release_of, state_of, values_of, writes_for
from commonwatt.flexibility.fitting import fitted, hold_w
from commonwatt.model import (
    METERS_ONLY,
    NO_NAMEPLATE,
    Ack,
    Asset,
    Band,
    Caps,
    Command,
    DeviceState,
    InvalidValue,
    Nameplate,
    Unreachable,
    epoch,
)

FOR_EVER = "it would hold a command for ever if we were lost; its owner has not set holds_for_ever = true"

SILENT_MOST = 3
"""A device that gave no answer so often when it was asked who it is, and answers all else, is not asked any more."""
FOLLOW_EVERY_S = 5.0
NARROW = "it balances by itself only where nothing limits it: its power is held, and brought back every 5 s"


class ModbusSettings(Wire, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the driver ``modbus``.

    Args:
        map: The name of a map that we bring, or the path of the owner's own ``.toml``.
        unit: The device's unit id where it is not the usual one of its make.
        holds_for_ever: Accepts that the device has no timer, and goes on with its last command if we are lost.
    """

    map: str
    unit: int | None = msgspec.field(default=None)
    holds_for_ever: bool = False


async def open_device(asset: Asset, spec: DeviceSpec, doors: Doors) -> "ModbusDevice":
    """Open a device by its map; it need not be there yet.

    Raises:
        InvalidValue: There is no such map, or it is none, or the settings or the address make no sense.
    """
    settings = settings_of(spec, ModbusSettings)
    registers = find_map(settings.map)
    link = await shared_link(doors, spec.url, settings)
    unit = registers.unit if settings.unit is None else settings.unit
    return ModbusDevice(asset, registers, link, unit, doors.clock, holds_for_ever=settings.holds_for_ever)


class ModbusDevice:
    """Implements the ports `Device` and `Identified` over one unit of a Modbus server."""

    def __init__(
        self,
        asset: Asset,
        registers: RegisterMap,
        link: Link,
        unit: int,
        clock: Callable[[], datetime],
        *,
        holds_for_ever: bool = False,
    ) -> None:
        self._asset, self._map, self._link, self._unit, self._clock = asset, registers, link, unit, clock
        self._blocks = blocks_of(registers)
        control = registers.control
        self._refusal = FOR_EVER if control is not None and control.lease_s is None and not holds_for_ever else ""
        self._control = None if self._refusal else control
        self._caps = METERS_ONLY
        self._following: asyncio.Task[None] | None = None
        self._answers = self._nameless = False
        self._silent = 0
        if self._control is not None:
            self._caps = Caps(
                max_import_w=asset.max_import_w,
                max_export_w=asset.max_export_w,
                min_import_w=asset.min_import_w,
                step_w=self._control.step_w,
                lease_s=self._control.lease_s,
                balances=self._control.balances,
            )

    @property
    def caps(self) -> Caps:
        """What it can be told, by its map and its asset's limits."""
        return self._caps

    async def read(self) -> DeviceState:
        """Return what its registers say, all of them read in one go."""
        self._answers = False
        words = await self._link.read(self._unit, self._blocks)
        self._answers = True
        asset = self._asset
        return state_of(
            self._map,
            words,
            self._clock(),
            capacity_wh=asset.capacity_wh,
            most_w=max(asset.max_import_w, asset.max_export_w),
        )

    async def identity(self) -> Nameplate:
        """Return what its map's registers, or function 43/14, say that it is; nothing where it does not know of that.

        Raises:
            Unreachable: No answer.
        """
        if self._nameless:
            return NO_NAMEPLATE
        try:
            if self._map.nameplate is None:
                return named(await self._link.names(self._unit))
            return label_of(self._map, await self._link.read(self._unit, label_blocks(self._map)))
        except InvalidValue:
            self._nameless = True
            return NO_NAMEPLATE
        except Unreachable:
            self._silent += self._answers
            self._nameless = self._silent >= SILENT_MOST
            raise

    async def apply(self, command: Command) -> Ack:
        """Write a power for as long as the command or the device's lease lasts, whichever is shorter."""
        taken, why = fitted(self._caps, command.band)
        left_s = epoch(command.expires) - epoch(self._clock())
        if left_s <= 0:
            taken, why = None, "command has expired"
        if taken is not None and self._control is not None:
            await self._stop_following()
            try:
                asked, taken = taken, await self._hold(taken, left_s)
            except InvalidValue as error:
                taken, why = None, str(error)
            else:
                if self._control.balances and taken.balance_w is None:
                    self._following = asyncio.create_task(self._follow(asked, command.expires))
                    why = why or (NARROW if asked.balance_w is not None else "")
        return Ack(command=command.id, asset=command.asset, taken=taken, why=self._refusal or why)

    async def release(self) -> None:
        """Write what lets it go."""
        await self._stop_following()
        if self._control is not None:
            await self._link.write(self._unit, release_of(self._control, self._map.word_order))

    async def close(self) -> None:
        """Leave the connection to the others behind it."""
        await self._stop_following()

    async def _hold(self, band: Band, left_s: int) -> Band:
        control = self._control
        assert control is not None
        power_w, line_w = hold_w(band), 0
        itself = control.balances and band.balance_w is not None and self._reaches_all(band)
        if itself:
            line_w = band.balance_w or 0
        elif control.balances:
            power_w, line_w = await self._line_for(band)
        writes = writes_for(
            control,
            self._map.word_order,
            power_w=power_w,
            seconds=left_s if control.lease_s is None else min(left_s, control.lease_s),
            line_w=line_w,
        )
        await self._link.write(self._unit, writes)
        return band if itself else Band(lo_w=power_w, hi_w=power_w)

    def _reaches_all(self, band: Band) -> bool:
        """Tell whether a band leaves a device all that it may do: one that balances by itself is told no band."""
        return band.lo_w <= -self._caps.max_export_w and band.hi_w >= self._caps.max_import_w

    async def _line_for(self, band: Band) -> tuple[int, int]:
        """Return a power inside a band, and what the connection point exchanges if all else goes on as now.

        Where the band asks for a line, the power is the nearest that the band lets.
        """
        values = values_of(self._map, await self._link.read(self._unit, self._blocks))
        if "line_w" not in values or "power_w" not in values:
            raise InvalidValue("a device that holds a line shows what line and device exchange now, was without")
        others_w = round(values["line_w"] - values["power_w"])
        power_w = hold_w(band) if band.balance_w is None else hold_w(band, band.balance_w - others_w)
        return power_w, others_w + power_w

    async def _follow(self, band: Band, expires: datetime) -> None:
        """Move the line as the house changes, so that the device stays inside its band until the command ends."""
        while True:
            await asyncio.sleep(FOLLOW_EVERY_S)
            left_s = epoch(expires) - epoch(self._clock())
            if left_s <= 0:
                return
            with suppress(Unreachable, InvalidValue):  # tried again in a moment
                await self._hold(band, left_s)

    async def _stop_following(self) -> None:
        task, self._following = self._following, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
