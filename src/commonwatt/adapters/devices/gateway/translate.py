"""The words between us, a gateway program and simulated devices in simulated time: one JSON object a line, each way."""

from datetime import datetime
from typing import Literal

import msgspec

from commonwatt.model import AssetId, Band, Command, GatewayId


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway says of itself when it starts: the number on its case and its public key."""

    number: GatewayId
    public: str


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Where simulated devices can be reached: the address of each."""

    urls: dict[AssetId, str]


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a slot. Devices: it begins, it ends. A gateway: it is told the commands, it reads the meters.

    ``now_s`` is the moment that its clock shows, seconds since 1970.
    """

    slot_s: int
    phase: Literal["begin", "tell", "end", "read"]
    now_s: int
    commands: list["Told"] = []


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """Asks a box on paper to let a slot pass under these commands; ``wires_wh`` tells a feeder's meter what flowed."""

    slot_s: int
    commands: list["Told"] = []
    wires_wh: int = 0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A command on its way: a band in W, when it expires, and why."""

    id: str
    asset: AssetId
    lo_w: int
    hi_w: int
    balance_w: int | None = None
    expires: datetime
    reason: str


class Lived(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a slot: signed requests (acks, readings), and on paper what the home's wire carried, as physics.

    ``net_wh`` is no report: it is how the simulated wire reaches the feeder's meter, whatever the gateway signs.
    """

    slot_s: int
    requests: list[bytes]
    net_wh: int = 0


class Stepped(msgspec.Struct, frozen=True, kw_only=True):
    """Says that the devices are where they were asked to be."""

    slot_s: int


def told(command: Command) -> Told:
    """Return a command as it travels."""
    return Told(
        id=command.id,
        asset=command.asset,
        lo_w=command.band.lo_w,
        hi_w=command.band.hi_w,
        balance_w=command.band.balance_w,
        expires=command.expires,
        reason=command.reason,
    )


def command(message: Told) -> Command:
    """Return the command that a message tells.

    Raises:
        InvalidValue: Its low edge is above its high one.
    """
    return Command(
        id=message.id, asset=message.asset, band=band(message), expires=message.expires, reason=message.reason
    )


def band(message: Told) -> Band:
    """Return the band that a message tells.

    Raises:
        InvalidValue: Its low edge is above its high one.
    """
    return Band(lo_w=message.lo_w, hi_w=message.hi_w, balance_w=message.balance_w)
