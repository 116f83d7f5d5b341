"""A smart meter at its P1 port as a device: it pushes telegrams, and shows the latest good one."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from commonwatt.adapters.devices.addresses import NAMED, address_of
from commonwatt.adapters.devices.clouds import secret_from
from commonwatt.adapters.devices.driver import DeviceSpec, Doors, settings_of
from commonwatt.adapters.devices.p1.client import Port
from commonwatt.adapters.devices.p1.nameplate import nameplate_of, told_s
from commonwatt.adapters.devices.p1.sealed import LUXEMBOURG, Opener, SealedFramer
from commonwatt.adapters.devices.p1.translate import SPECIFICATIONS, Checksum, Framer, Shown, Version, shown
from commonwatt.flexibility.fitting import fitted
from commonwatt.model import (
    METERS_ONLY,
    Ack,
    Asset,
    Caps,
    Command,
    DeviceState,
    InvalidValue,
    Nameplate,
    Unreachable,
    epoch,
)

LOOK_EVERY_S = 0.002
FRESH_WITHIN_S = 15
"""DSMR 2.2 to 4, and several countries' meters, send a telegram every 10 s: the next is not further away."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be said of a P1 port.

    Args:
        version: Whose telegrams it sends.
        checksum: ``x25`` for Holley meters, ``crc16`` for all others.
        key_file: Where telegrams are encrypted: the customer's key, readable by its owner alone.
        authentication_key: Where it is not Luxembourg's, which is public: the grid company's for this meter.
        stale_s: Without a good telegram for so long the meter is unreachable; DSMR 4 sends one every 10 s.
        again_s: Seconds until a lost connection is made again.
    """

    version: Version = "5"
    checksum: Checksum = "crc16"
    key_file: str = ""
    authentication_key: str = LUXEMBOURG
    stale_s: int = 30
    again_s: float = 2.0


async def open_device(asset: Asset, spec: DeviceSpec, doors: Doors) -> "P1Meter":
    """Open a meter at ``tcp://host:port``.

    Raises:
        InvalidValue: Its address or a setting makes no sense.
    """
    settings = settings_of(spec, Settings)
    at = address_of(spec.url, "tcp://host:port", {"tcp": NAMED})
    if settings.stale_s < 1 or settings.again_s <= 0:
        raise InvalidValue(f"stale_s and again_s are above zero, was {settings} for {asset.id}")
    if settings.version == "steiermark" and not settings.key_file:
        raise InvalidValue(f"telegrams of version steiermark are encrypted: key_file is missing for {asset.id}")
    opener = None
    if settings.key_file:
        opener = Opener(secret_from(settings.key_file), settings.authentication_key)
    return P1Meter(at.host, at.port, settings, doors.clock, opener)


class P1Meter:
    """Implements the ports `Device`, `Pushing`, `Identified` and `Clocked` on a P1 port.

    Args:
        host: Where it is.
        port: Its TCP port.
        settings: Of the device.
        clock: By which readings are stamped: a meter's own may be wrong.
        opener: Opens telegrams that are encrypted.
    """

    def __init__(
        self, host: str, port: int, settings: Settings, clock: Callable[[], datetime], opener: Opener | None = None
    ) -> None:
        self._settings, self._clock, self._opener = settings, clock, opener
        self._framer: Framer | SealedFramer = Framer() if opener is None else SealedFramer()
        self._latest: tuple[datetime, Shown] | None = None
        self._nameplate: Nameplate | None = None
        self._said: Nameplate | None = None
        self._ahead_s: int | None = None
        self._pieces = self._begun_in = self._latest_begun_in = 0
        self._damaged = 0
        self._why = ""
        self.good = 0
        self._port = Port(
            host,
            port,
            heard=self._heard,
            lost=self._framer.forget,
            silence_s=settings.stale_s,
            again_s=settings.again_s,
        )

    @property
    def caps(self) -> Caps:
        """Say that it only measures."""
        return METERS_ONLY

    @property
    def connected(self) -> bool:
        """Tell whether there is a connection to its port just now."""
        return self._port.connected

    @property
    def dropped(self) -> int:
        """Return how many telegrams were damaged, cut short or garbage since it was opened."""
        return self._framer.dropped + self._damaged

    @property
    def fresh_within_s(self) -> int:
        """How long `fresh` may take, s: longer than the time between two telegrams."""
        return min(FRESH_WITHIN_S, self._settings.stale_s)

    async def read(self) -> DeviceState:
        """Return the latest good telegram."""
        stale = timedelta(seconds=self._settings.stale_s)
        # A telegram from the future was stamped before the clock was put back: nobody knows how old it is.
        if self._latest is None or not timedelta() <= self._clock() - self._latest[0] <= stale:
            why = f"{self.dropped} dropped, the last because {self._why}" if self._why else f"{self.dropped} dropped"
            raise Unreachable(f"no good telegram for {self._settings.stale_s} s: {self._port.trouble}; {why}")
        at, telegram = self._latest
        return DeviceState(at=at, power_w=telegram.power_w, import_wh=telegram.import_wh, export_wh=telegram.export_wh)

    async def identity(self) -> Nameplate:
        """Return who sent the latest good telegram; its serial number is a fingerprint."""
        if self._nameplate is None:
            raise Unreachable(f"no telegram has said who sends it: {self._port.trouble}")
        return self._nameplate

    @property
    def clock_ahead_s(self) -> int | None:
        """By how much the meter's clock was ahead of ours in its latest good telegram, where it tells the time."""
        return self._ahead_s

    async def fresh(self) -> None:
        """Wait for a telegram whose first byte arrives after this call: the next one may be on its way already.

        Raises:
            Unreachable: None came in time.
        """
        try:
            async with asyncio.timeout(self.fresh_within_s):
                await asyncio.sleep(LOOK_EVERY_S)  # what has arrived before is heard first
                called_in = self._pieces
                while self._latest_begun_in <= called_in:
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError as error:
            raise Unreachable(f"no new telegram for {self.fresh_within_s} s: {self._port.trouble}") from error

    async def apply(self, command: Command) -> Ack:
        """Say that it takes no commands."""
        taken, why = fitted(METERS_ONLY, command.band)
        return Ack(command=command.id, asset=command.asset, taken=taken, why=why)

    async def release(self) -> None:
        """Do nothing: a meter holds nothing."""

    async def close(self) -> None:
        """Stop listening."""
        await self._port.close()

    def _heard(self, piece: bytes) -> None:
        self._pieces += 1
        if not self._framer.begun:
            self._begun_in = self._pieces
        for telegram in self._framer.feed(piece):
            begun_in, self._begun_in = self._begun_in, self._pieces
            try:
                plain = telegram if self._opener is None else self._opener.open(telegram)
                self._latest = self._clock(), shown(plain, self._settings.version, self._settings.checksum)
                self._latest_begun_in = begun_in
                self.good += 1
                self._learn(plain)
            except InvalidValue as error:  # noise on the line is daily bread: DSMR-reader has issues full of it
                self._damaged += 1
                self._why = str(error)

    def _learn(self, telegram: bytes) -> None:
        """Take in who sends a good telegram, and when by its own clock."""
        said, before = nameplate_of(telegram), self._said
        self._said = said
        # Without a checksum a flipped digit would look like another meter: it has to be said twice.
        if SPECIFICATIONS[self._settings.version]["checksum_support"] or said == before:
            self._nameplate = said
        at_s = told_s(telegram, hours_less=1 if self._settings.version == "ireland" else 0)
        self._ahead_s = None if at_s is None else at_s - epoch(self._clock())
