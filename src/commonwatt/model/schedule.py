"""A schedule: an asset's diary of instructions, and the commands that they become (row X2)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from commonwatt.model.droop import Armed
from commonwatt.model.errors import InvalidValue
from commonwatt.model.ids import AssetId
from commonwatt.model.time import Interval


class Verb(StrEnum):
    """The six instructions of row X2."""

    START_CHARGE = "START CHARGE"
    STOP_CHARGE = "STOP CHARGE"
    SUPPLY = "SUPPLY"
    STOP_SUPPLY = "STOP SUPPLY"
    REDUCE_RATE = "REDUCE RATE"
    INCREASE_RATE = "INCREASE RATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A stretch of allowed power in W, import positive; ``balance`` asks the device to hold its connection point.

    With ``balance_w`` set, the device moves inside the band so that its connection point exchanges that
    many watts; without, it takes the edge nearest to what it does.
    """

    lo_w: int
    hi_w: int
    balance_w: int | None = None

    def __post_init__(self) -> None:
        if self.lo_w > self.hi_w:
            raise InvalidValue(f"a band runs from low to high, was {self.lo_w} to {self.hi_w} W")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One diary entry: from this interval on do this, at this target, for this reason.

    ``power_w`` is the target, import positive. ``expected_wh`` is the energy that the plan expects over the
    interval, import positive. ``balance_w`` as in `Band`.
    """

    verb: Verb
    interval: Interval
    power_w: int
    expected_wh: int
    reason: str
    balance_w: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The instructions of one asset from one plan on; the newest schedule of an asset is in force."""

    asset: AssetId
    issued: datetime
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What goes to a device: a band, until when it holds, and why.

    With ``droop`` armed, the device moves its power by that curve as the frequency asks, inside ``droop_band``, which
    holds what outranks the plan and not the plan's own target.
    """

    id: str
    asset: AssetId
    band: Band
    expires: datetime
    reason: str
    droop: Armed | None = None
    droop_band: Band | None = None

    def __post_init__(self) -> None:
        if (self.droop is None) != (self.droop_band is None):
            raise InvalidValue(f"an armed curve has a band to move in, was otherwise in {self.id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """What a device answers: the band that it really took, or why it took none."""

    command: str
    asset: AssetId
    taken: Band | None
    why: str = ""
