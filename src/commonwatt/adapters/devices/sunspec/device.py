"""A device that describes itself by SunSpec models: found, read and told whatever it offers."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import msgspec

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, settings_of
from commonwatt.adapters.devices.modbus.client import Link, Wire, shared_link
from commonwatt.adapters.devices.sunspec.client import BASES, Found, read_models, scan, write_points
from commonwatt.adapters.devices.sunspec.translate import (
    COMMON,
    RATINGS,
    STATUS,
    WANTED_FOR_CLOCK,
    WANTED_FOR_NAMEPLATE,
    Ratings,
    Write,
    beat,
    clock_s,
    hold,
    nameplate_of,
    offers,
    ratings_of,
    release,
    state_of,
    step_w,
    timer_of,
    told_w,
    wanted_for_state,
    ways_of,
)
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

UNITS = (1, 126)
HEARTBEAT = 715
FOR_EVER = "it has no timer and would hold a command for ever if we were lost; holds_for_ever = true is not set"
NO_WAY = "it has no model, or no registers, to tell it a power"


class SunSpecSettings(Wire, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the driver ``sunspec``.

    Args:
        unit: The device's unit id; without, 1 and 126 are tried.
        base: Where its map begins; without, 40000, 50000 and 0 are tried.
        lease_s: After how many seconds without hearing from us it shall revert.
        holds_for_ever: Accepts a device without that timer, which goes on with its last command if we are lost.
    """

    unit: int | None = msgspec.field(default=None)
    base: int | None = msgspec.field(default=None)
    lease_s: int = 60
    holds_for_ever: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.lease_s <= 3600:
            raise InvalidValue(f"lease_s is 1 to 3600 s, was {self.lease_s}")


async def open_device(asset: Asset, spec: DeviceSpec, doors: Doors) -> "SunSpecDevice":
    """Open a device, and find its models if it can be reached; else they are found at its first answer.

    Raises:
        InvalidValue: The settings or the address make no sense.
    """
    settings = settings_of(spec, SunSpecSettings)
    device = SunSpecDevice(asset, await shared_link(doors, spec.url, settings), doors.clock, settings)
    with suppress(Unreachable, InvalidValue):
        await device.find()
    return device


class SunSpecDevice:
    """Implements the ports `Device`, `Identified` and `Clocked` over SunSpec models."""

    def __init__(self, asset: Asset, link: Link, clock: Callable[[], datetime], settings: SunSpecSettings) -> None:
        self._asset, self._link, self._clock, self._settings = asset, link, clock, settings
        self._found: Found | None = None
        self._ratings = Ratings()
        self._curtail = asset.max_import_w == 0
        self._caps = METERS_ONLY
        self._way: int | None = None
        self._refusal = ""
        self._ahead_s: int | None = None

    @property
    def caps(self) -> Caps:
        """What it can be told: nothing, as long as it could not be asked."""
        return self._caps

    async def find(self) -> Found:
        """Return its models, scanned where that has not been done or did not hold.

        Raises:
            Unreachable: No answer.
            InvalidValue: No SunSpec device.
        """
        if self._found is None:
            settings = self._settings
            found = await scan(
                self._link,
                UNITS if settings.unit is None else (settings.unit,),
                BASES if settings.base is None else (settings.base,),
            )
            rated = [(model, names) for model, names in RATINGS.items() if found.has(model)]
            self._ratings = ratings_of(await read_models(self._link, found, rated))
            self._caps = await self._learned(found)
            self._found = found
        return self._found

    async def read(self) -> DeviceState:
        """Return what its models say, each with the scale factors that it has at that moment."""
        found = await self.find()
        try:
            nodes = await read_models(self._link, found, wanted_for_state(_usable(found)))
        except InvalidValue:
            self._found = None
            raise
        return state_of(nodes, self._clock(), self._asset)

    async def identity(self) -> Nameplate:
        """Return what its common model says, and look at its clock where it has model 122.

        One that has no common model, or no text in it, says nothing; whether its map moved its readings will tell.
        """
        found = await self.find()
        clock = [WANTED_FOR_CLOCK] if found.has(STATUS) else []
        try:
            nodes = await read_models(self._link, found, [WANTED_FOR_NAMEPLATE, *clock] if found.has(COMMON) else clock)
        except InvalidValue:
            return NO_NAMEPLATE
        told_s = clock_s(nodes[STATUS]) if clock else None
        self._ahead_s = None if told_s is None else told_s - epoch(self._clock())
        return nameplate_of(nodes[COMMON]) if COMMON in nodes else NO_NAMEPLATE

    @property
    def clock_ahead_s(self) -> int | None:
        """By how much its clock was ahead when it was asked who it is; it is asked every hour, not at each reading."""
        return self._ahead_s

    async def apply(self, command: Command) -> Ack:
        """Write a power for as long as the command or the lease lasts, whichever is shorter."""
        left_s = epoch(command.expires) - epoch(self._clock())
        taken: Band | None = None
        try:
            found = await self.find()
            taken, why = fitted(self._caps, command.band)
            if left_s <= 0:
                taken, why = None, "command has expired"
            if taken is not None:
                power_w = taken.lo_w if self._curtail else hold_w(taken)
                power_w = await self._hold(found, power_w, min(left_s, self._settings.lease_s))
                if self._curtail and taken.hi_w < 0:
                    why = "it supplies what the sun gives, and no more than asked"
                taken = replace(taken, lo_w=power_w, hi_w=max(taken.hi_w, power_w) if self._curtail else power_w)
        except InvalidValue as error:
            self._found = None  # its map may have changed: it is found again the next time
            taken, why = None, str(error)
        return Ack(command=command.id, asset=command.asset, taken=taken, why=self._refusal or why)

    async def release(self) -> None:
        """Take back what it was told."""
        found = await self.find()
        way = self._way
        if way is not None:
            nodes = await read_models(self._link, found, [(way, ("ID",))])
            await self._write(found, way, release(nodes[way], way, curtail=self._curtail))

    async def close(self) -> None:
        """Leave the connection to the others behind it."""

    async def _hold(self, found: Found, power_w: int, seconds: int) -> int:
        """Tell a power, and return what of it was told: the scale factor may have changed since the scan."""
        way = self._way
        assert way is not None
        beats = found.has(HEARTBEAT)
        nodes = await read_models(self._link, found, [(way, ()), *([(HEARTBEAT, ())] if beats else [])])
        if beats:
            await self._write(found, HEARTBEAT, beat(nodes[HEARTBEAT]))
        writes = hold(
            nodes[way],
            way,
            power_w=power_w,
            seconds=seconds,
            full_w=self._ratings.full_w,
            curtail=self._curtail,
        )
        await self._write(found, way, writes)
        return told_w(nodes[way], way, power_w, self._ratings.full_w, curtail=self._curtail)

    async def _write(self, found: Found, model: int, writes: list[Write]) -> None:
        at, _ = found.models[model][0]
        await write_points(self._link, found.unit, [(at + offset, words) for offset, words in writes])

    async def _learned(self, found: Found) -> Caps:
        """Return what it can be told, by its asset's limits, by its own and by the models that it has."""
        asset, rated = self._asset, self._ratings
        self._way, self._refusal = None, NO_WAY
        ways = ways_of(_usable(found), asset)
        nodes = await read_models(self._link, found, [(way, ()) for way in ways])
        way = next((way for way in ways if offers(nodes[way], way, curtail=self._curtail)), None)
        if way is None:
            return METERS_ONLY
        node = nodes[way]
        timer = timer_of(node, way, curtail=self._curtail)
        if not timer and not self._settings.holds_for_ever:
            self._refusal = FOR_EVER
            return METERS_ONLY
        self._way, self._refusal = way, ""
        draws_w = min(asset.max_import_w, rated.charge_w or asset.max_import_w)
        return Caps(
            max_import_w=draws_w,
            max_export_w=min(asset.max_export_w, rated.discharge_w or rated.full_w or asset.max_export_w),
            min_import_w=min(asset.min_import_w, draws_w),
            step_w=step_w(node, way, rated.full_w, curtail=self._curtail),
            lease_s=self._settings.lease_s if timer else None,
        )


def _usable(found: Found) -> list[int]:
    return [model for model in found.models if found.has(model)]
