"""How device adapters are found and opened: by entry point, each with a file that admits what is missing."""

import asyncio
import tomllib
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from commonwatt.flows.device_ports import Device
from commonwatt.model import NO_NAMEPLATE, Asset, AssetId, InvalidValue, Nameplate

GROUP = "commonwatt.devices"
PROBING = "commonwatt.adapters.devices.probing"
Shared = TypeVar("Shared")


class DeviceSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a device is and how to speak to it: one ``[[device]]`` of a devices file.

    ``rollover_wh`` is where its counters begin again at 0, none where they never do; ``resolution_wh`` what they leave
    out. ``settings`` belong to the driver, which refuses what it does not know.
    """

    asset: AssetId
    driver: str
    url: str
    rollover_wh: int | None = None
    resolution_wh: int = 1
    settings: dict[str, Any] = {}


@dataclass(slots=True)
class Doors:
    """What the devices of one process share: a clock, a folder for what must not be forgotten, and connections.

    Use as ``async with doors:``; leaving closes all that was shared.
    """

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    folder: Path | None = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _shared: dict[Hashable, Any] = field(default_factory=dict)
    _one_by_one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def shared(self, key: Hashable, make: Callable[[], AbstractAsyncContextManager[Shared]]) -> Shared:
        """Return what several devices speak through (a server, a broker's connection), made by the first of them."""
        async with self._one_by_one:
            if key not in self._shared:
                self._shared[key] = await self._stack.enter_async_context(make())
        made: Shared = self._shared[key]
        return made

    async def __aenter__(self) -> "Doors":
        return self

    async def __aexit__(self, *error: object) -> None:
        self._shared.clear()
        await self._stack.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A device that a probe found, as it would stand in a devices file; what only its owner knows is told in words.

    Args:
        driver: That speaks to it.
        url: Where it is.
        nameplate: What it says of itself.
        settings: Of the driver, as far as the probe could tell.
        still: What its owner has to add, in words.
    """

    driver: str
    url: str
    nameplate: Nameplate = NO_NAMEPLATE
    settings: Mapping[str, Any] = field(default_factory=dict)
    still: str = ""


class Probe(Protocol):
    """What a driver's module may offer beside its `OpenDevice`, as a function ``probe``: it looks for devices.

    It asks the one address that it is given, changes nothing there, and ends within the time that it is given.
    """

    def __call__(self, host: str, port: int | None, within_s: float) -> Awaitable[Sequence[Found]]:
        """Return the devices of this driver at an address; none where nothing answers, or something else does.

        Args:
            host: The one address to ask.
            port: The one port to ask; without, the usual one.
            within_s: How long it may take.
        """


OpenDevice = Callable[[Asset, DeviceSpec, Doors], Awaitable[Device]]
"""What a driver's entry point names: opens a device. A device that cannot be reached yet is opened nevertheless."""


class Quality(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a driver does, what it need not do and why, and what is missing: by short name, in words."""

    title: str
    shape: Literal["polled", "session", "push"]
    interval_s: int | None = None
    """How often its devices have something new to say, where that is slower than once in half a minute."""
    done: dict[str, str] = {}
    exempt: dict[str, str] = {}
    missing: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Driver:
    """An adapter that is installed: its name, and how to open a device with it."""

    name: str
    entry: EntryPoint

    def open(self) -> OpenDevice:
        """Load it.

        Raises:
            InvalidValue: It needs packages that are not installed.
        """
        try:
            loaded: OpenDevice = self.entry.load()
        except ImportError as error:
            raise InvalidValue(self._needs(error)) from error
        return loaded

    def probe(self) -> Probe | None:
        """Return how it looks for devices: its module's own ``probe``, or ours for it; None where there is none."""
        ours = f"{PROBING}.{self.name}"
        for module in (self.entry.module, ours):
            with suppress(Exception):  # anybody's module may be broken in any way, and ours may still know how to look
                probe: Probe | None = getattr(import_module(module), "probe", None)
                if probe is not None:
                    return probe
        return None

    def quality(self) -> Quality:
        """Return what it admits of itself.

        Raises:
            InvalidValue: It is not installed, or admits nothing that could be read.
        """
        try:
            text = (files(self.entry.module.rpartition(".")[0]) / "quality.toml").read_text(encoding="utf-8")
            return msgspec.convert(tomllib.loads(text), Quality)
        except ImportError as error:
            raise InvalidValue(self._needs(error)) from error
        except OSError as error:
            raise InvalidValue(f"driver {self.name} brings no quality.toml: {error}") from error
        except ValueError as error:  # no text, no TOML, or not what is asked
            raise InvalidValue(f"quality.toml of driver {self.name} cannot be read: {error}") from error

    def _needs(self, error: ImportError) -> str:
        extra = f"it needs commonwatt[{self.entry.extras[0]}]: " if self.entry.extras else ""
        return f"driver {self.name} is not installed: {extra}{error}"


def drivers() -> dict[str, Driver]:
    """Return the adapters that are installed, ours and other people's, by name."""
    return {entry.name: Driver(entry.name, entry) for entry in sorted(entry_points(group=GROUP))}


async def open_device(asset: Asset, spec: DeviceSpec, doors: Doors) -> Device:
    """Open the device of an asset.

    Raises:
        InvalidValue: There is no such driver, or what is said of the device makes no sense to it.
    """
    known = drivers()
    if spec.driver not in known:
        raise InvalidValue(f"a driver is one of {', '.join(known)}, was {spec.driver!r} for {asset.id}")
    return await known[spec.driver].open()(asset, spec, doors)


Settings = TypeVar("Settings", bound=msgspec.Struct)


def settings_of(spec: DeviceSpec, kind: type[Settings]) -> Settings:
    """Return a device's settings as its driver's own type.

    Raises:
        InvalidValue: A setting is unknown, missing or of the wrong kind.
    """
    try:
        return msgspec.convert(spec.settings, kind)
    except msgspec.ValidationError as error:
        raise InvalidValue(f"settings of {spec.asset} for driver {spec.driver}: {error}") from error
