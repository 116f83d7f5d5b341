"""A battery with foxBMS as a device: the BMS says what it bears, the inverter beside it is told."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from commonwatt.adapters.devices import driver
from commonwatt.adapters.devices.driver import DeviceSpec, Doors, settings_of
from commonwatt.adapters.devices.foxbms.client import Bus, Heard, bus_at
from commonwatt.adapters.devices.foxbms.translate import (
    CLOSED,
    DEBUG_ID,
    ESTIMATE_ID,
    LIMITS_ID,
    READ_IDS,
    REQUEST_ID,
    RESPONSE_ID,
    STATE_ID,
    STATES,
    WHOLE,
    Mode,
    Pack,
    answer,
    clamped,
    nameplate_of,
    question,
    request,
    told,
)
from commonwatt.flows.device_ports import Device
from commonwatt.model import (
    Ack,
    Asset,
    Band,
    Caps,
    Command,
    CommonwattError,
    DeviceState,
    InvalidValue,
    Nameplate,
    Unreachable,
)

ANSWERS_WITHIN_S = 1.0
ASKED_AGAIN_AFTER = timedelta(seconds=60)
"""A BMS that did not answer who it is, is not asked at every reading."""
STOPPED = Band(lo_w=0, hi_w=0)


class Inverter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The inverter beside the battery, as any device is described."""

    driver: str
    url: str
    settings: dict[str, Any] = {}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must and may be said of a battery with foxBMS.

    Args:
        inverter: Whom to tell what the battery shall do.
        stale_s: The BMS tells its limits ten times a second; older than this they are none.
        close_s: How long the contactors may take to close.
        guard_s: How often it is looked whether limits have changed or gone.
        again_s: Seconds until a lost bus is connected to again.
    """

    inverter: Inverter
    stale_s: float = 1.0
    close_s: float = 5.0
    guard_s: float = 0.25
    again_s: float = 1.0


async def open_device(asset: Asset, spec: DeviceSpec, doors: Doors) -> "FoxBmsBattery":
    """Open a battery on a CAN bus, and its inverter.

    Raises:
        InvalidValue: An address or a setting makes no sense.
    """
    settings = settings_of(spec, Settings)
    if min(settings.stale_s, settings.close_s, settings.guard_s, settings.again_s) <= 0:
        raise InvalidValue(f"times are above zero, was {settings} for {asset.id}")
    inner = settings.inverter
    if inner.driver == "foxbms":
        raise InvalidValue(f"the inverter of {asset.id} is told through a driver of its own, was foxbms")
    told_to = DeviceSpec(asset=asset.id, driver=inner.driver, url=inner.url, settings=inner.settings)
    inverter = await driver.open_device(asset, told_to, doors)

    def listen(heard: Heard) -> Bus:
        return bus_at(spec.url, heard, silence_s=max(3.0, settings.stale_s), again_s=settings.again_s)

    try:
        return FoxBmsBattery(asset, inverter, settings, doors.clock, listen)
    except InvalidValue:
        await inverter.close()
        raise


class FoxBmsBattery:
    """Implements the ports `Device` and `Identified` on a BMS and an inverter.

    Args:
        asset: The battery, at the inverter's AC side.
        inverter: The device that is told; its lease is ours.
        settings: Of the device.
        clock: By which the age of what the BMS says is told.
        listen: Starts to listen to the bus.
    """

    def __init__(
        self,
        asset: Asset,
        inverter: Device,
        settings: Settings,
        clock: Callable[[], datetime],
        listen: Callable[[Heard], Bus],
    ) -> None:
        self._asset, self._inverter, self._settings, self._clock = asset, inverter, settings, clock
        self._fields: dict[str, Any] = {}
        self._told_at: dict[int, datetime] = {}
        self._wrong: dict[int, InvalidValue] = {}
        self._said: dict[str, int] = {}
        self._unasked_until: datetime | None = None
        self._asked: Command | None = None
        self._holds: Band | None = None
        self._one_by_one = asyncio.Lock()
        self.heard = 0
        self.bus = listen(self._heard)
        self._guard = asyncio.create_task(self._watch())

    @property
    def caps(self) -> Caps:
        """Return what the inverter can be told; what the BMS allows just now is said in each answer."""
        return self._inverter.caps

    @property
    def pack(self) -> Pack:
        """Return what the BMS said last, however old."""
        return Pack(**self._fields)

    async def read(self) -> DeviceState:
        """Return the inverter's power and counters with the BMS's level, as long as the BMS is heard.

        Raises:
            Unreachable: The inverter gave no answer.
            InvalidValue: The BMS or the inverter says what cannot be.
        """
        state = await self._inverter.read()
        if ESTIMATE_ID in self._wrong:
            raise self._wrong[ESTIMATE_ID]
        soc = self.pack.soc_permille
        level_wh = None
        if soc is not None and self._fresh(ESTIMATE_ID, self._settings.stale_s + 2):  # told once a second
            level_wh = self._asset.capacity_wh * soc // 1000
        return replace(state, level_wh=level_wh)

    async def identity(self) -> Nameplate:
        """Return what the BMS says that it is; the inverter beside it is not asked.

        Raises:
            Unreachable: There is no bus, or the BMS did not say.
        """
        now = self._clock()
        if self._unasked_until is not None and now < self._unasked_until <= now + ASKED_AGAIN_AFTER:
            raise Unreachable("the BMS did not say who it is; it is asked again within a minute")
        self._unasked_until = now + ASKED_AGAIN_AFTER
        self._said.clear()
        await self.bus.send(DEBUG_ID, question())
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                while not self._said.keys() >= WHOLE:
                    await asyncio.sleep(0.01)
        if not self._said.keys() >= WHOLE:
            raise Unreachable(f"the BMS did not say within {ANSWERS_WITHIN_S:g} s who it is")
        self._unasked_until = None
        return nameplate_of(self._said)

    async def apply(self, command: Command) -> Ack:
        """Have the inverter hold a band within what the BMS allows; with a BMS that is silent it is stopped."""
        async with self._one_by_one:
            if command.expires <= self._clock():
                return self._refused(command, "command has expired")
            self._asked = None  # what is refused is not obeyed later either
            why = self._unfit() or await self._closed(command)
            if why:
                await self._tell(command, STOPPED)
                return self._refused(command, f"{why}: the inverter is stopped")
            self._asked = command
            band = self._allowed(command)
            ack = await self._tell(command, band)
            words = [ack.why] if ack.why else []
            if band != command.band:
                pack = self.pack
                words.append(f"the battery bears {-pack.discharge_w} to {pack.charge_w} W")
            return replace(ack, why="; ".join(words))

    async def release(self) -> None:
        """Let the inverter go to its safe default; the contactors stay as they are."""
        async with self._one_by_one:
            self._asked = self._holds = None
            await self._inverter.release()

    async def close(self) -> None:
        """Stop listening, and let go of the inverter's connection."""
        self._guard.cancel()
        await asyncio.gather(self._guard, return_exceptions=True)
        await self.bus.close()
        await self._inverter.close()

    def _heard(self, number: int, data: bytes) -> None:
        if number == RESPONSE_ID:
            with suppress(InvalidValue):  # who it is can be asked again
                self._said.update(answer(data))
        if number not in READ_IDS:
            return
        self.heard += 1
        try:
            fields: dict[str, Any] = {**told(number, data)}
        except InvalidValue as error:
            self._wrong[number] = error  # and what it said before grows stale
            return
        if number == STATE_ID:
            fields = {"state": STATES[fields["state"]], "error": bool(fields["error"])}
        self._fields.update(fields)
        self._told_at[number] = self._clock()
        self._wrong.pop(number, None)

    def _fresh(self, number: int, within_s: float) -> bool:
        """Tell whether a message is young; one from the future is not: the clock was put back."""
        at = self._told_at.get(number)
        return at is not None and timedelta(0) <= self._clock() - at <= timedelta(seconds=within_s)

    def _unfit(self) -> str:
        """Return why no power may flow at all, or nothing."""
        if not self._fresh(LIMITS_ID, self._settings.stale_s) or not self._fresh(STATE_ID, self._settings.stale_s):
            return f"the BMS has told no limits for {self._settings.stale_s:g} s ({self.bus.trouble})"
        pack = self.pack
        return f"the BMS shows an error (state {pack.state})" if pack.error or pack.state == "error" else ""

    async def _closed(self, command: Command) -> str:
        """Have the contactors closed; return why they are not, or nothing. A stop needs no contactors."""
        if self.pack.state in CLOSED or self._allowed(command) == STOPPED:
            return ""
        await self.bus.send(REQUEST_ID, request(Mode.CHARGE if command.band.lo_w > 0 else Mode.DISCHARGE))
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.close_s):
                while self.pack.state not in CLOSED:
                    await asyncio.sleep(0.01)
        return "" if self.pack.state in CLOSED else f"the contactors stay open (state {self.pack.state})"

    def _allowed(self, command: Command) -> Band:
        return clamped(command.band, self.pack, self._asset.discharge_permille)

    async def _tell(self, command: Command, band: Band) -> Ack:
        self._holds = None  # until it answers it may hold the old band or the new one
        ack = await self._inverter.apply(replace(command, band=band, droop=None, droop_band=None))
        self._holds = band
        return ack

    @staticmethod
    def _refused(command: Command, why: str) -> Ack:
        return Ack(command=command.id, asset=command.asset, taken=None, why=why)

    async def _watch(self) -> None:
        """Follow the BMS between two commands: clamp harder, stop, or let the command have its way again."""
        while True:
            await asyncio.sleep(self._settings.guard_s)
            async with self._one_by_one:
                command = self._asked
                if command is None or command.expires <= self._clock():
                    self._asked = None
                    continue
                fit = not self._unfit() and self.pack.state in CLOSED
                band = self._allowed(command) if fit else STOPPED
                if band != self._holds:
                    # One who gives no answer is told again, and lets go when its lease is over.
                    with suppress(CommonwattError, OSError, TimeoutError):
                        await self._tell(command, band)
