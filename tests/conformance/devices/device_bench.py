"""What every adapter brings to the shared suite: a device behind a real wire, and the physics behind the device."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from commonwatt.flows.device_ports import Device
from commonwatt.model import Band, Command, Nameplate, instant
from commonwatt.simulator.mischief import Mischief
from commonwatt.simulator.plant import Plant

NOON_S = 1_767_268_800
"""1 January 2026, 12:00 UTC: what every clock shows at first."""


async def nothing() -> None:
    """Do nothing: a polled device needs no time to tell."""


@dataclass(slots=True, kw_only=True)
class Bench:
    """One device on the bench: time passes only when it is told to, on both sides of the wire.

    Args:
        plant: The physics, whose clock starts at ``NOON_S``.
        device: Our adapter's, opened as its driver opens it, with ``Bench.clock`` as clock, through ``wire``.
        wire: What the wire does wrong.
        told: Waits until the device has told all that it has to tell (push and session devices); real time, short.
        back: Waits until a connection that was cut stands again; polled devices need none.
        restart: Takes the simulated device's power away for a moment: what it was told is forgotten, counters stay.
        lie: Makes the device show what cannot be true until called with False; None where there is no room for a lie.
        repeat: Makes the device say its last messages again, and in another order; None where it only answers.
        resolution_wh: What its counters leave out.
        resolution_w: What its power leaves out.
        levels: Whether it tells the level of what stores.
        label: Makes the simulated device say that it is another one, or has another firmware; None where it says
            nothing of itself.
        label_of: What our adapter makes of what the device says, where its protocol tells less or in another way.
        labels_every_s: How often it is asked for it.
        rests_free: Whether one of the things that it can be told is its safe default itself: a relay that is on.
    """

    plant: Plant
    device: Device
    wire: Mischief
    now_s: int = NOON_S
    told: Callable[[], Awaitable[None]] = nothing
    back: Callable[[], Awaitable[None]] = nothing
    restart: Callable[[], Awaitable[None]] | None = None
    lie: Callable[[bool], None] | None = None
    repeat: Callable[[], Awaitable[None]] | None = None
    resolution_wh: int = 1
    resolution_w: int = 1
    levels: bool = False
    label: Callable[[Nameplate], None] | None = None
    label_of: Callable[[Nameplate], Nameplate] = copy
    labels_every_s: int = 1
    rests_free: bool = False

    def clock(self) -> datetime:
        """Return what the adapter takes for the time."""
        return instant(self.now_s)

    async def pass_time(self, seconds: int) -> None:
        """Let time pass on both sides, and let the device tell what it tells by itself."""
        self.plant.pass_time(seconds)
        self.now_s += seconds
        await self.told()

    def command(self, lo_w: int, hi_w: int | None = None, *, seconds: int = 15, name: str = "c1") -> Command:
        """Return a command that expires so many seconds from now."""
        return Command(
            id=name,
            asset=self.plant.asset.id,
            band=Band(lo_w=lo_w, hi_w=lo_w if hi_w is None else hi_w),
            expires=self.clock() + timedelta(seconds=seconds),
            reason="conformance",
        )


ANSWERS = {"repeat": "it says nothing by itself"}
"""Of a polled device."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How a bench is set up.

    Args:
        name: For the test's id, and in the table of faults.
        open: Opens it, connected and with time standing still.
        without: Faults that there cannot be, each with the reason why.
        told: Whether the device takes commands.
        driver: Whose it is, none for the yardstick on paper.
        clock: Whether its device tells the time.
    """

    name: str
    open: Callable[[], AbstractAsyncContextManager[Bench]]
    without: Mapping[str, str] = field(default_factory=dict)
    told: bool = True
    driver: str = field(default="", kw_only=True)
    clock: bool = field(default=False, kw_only=True)

    def __str__(self) -> str:
        return self.name
