"""A constraint: one statement about the future by somebody with a say (rows X1, X14)."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from commonwatt.model.errors import InvalidValue
from commonwatt.model.time import Interval

MOST = 10**9
"""A gigawatt or gigawatt-hour: no community reaches it, and every solver can count so far."""


class Priority(IntEnum):
    """Who wins; a lower number is never traded for any amount of a higher one. Money comes after all of them."""

    SAFETY = 0
    GRID = 1
    DSO = 2
    OWNER = 3
    CONTRACT = 4
    COMFORT = 5


class Quantity(StrEnum):
    """What is bounded, and in which whole unit.

    At an instant: ``charge`` in per cent of capacity, ``battery`` in stored Wh. Over a window: ``energy`` in Wh in all;
    ``power`` in W, ``ramp`` in W from a slot to the next, ``temperature`` in thousandths of a degree Celsius and
    ``reserve up`` and ``reserve down`` in W, each in every slot; ``run time`` in minutes in all; ``cycles`` in
    thousandths of a full discharge in all. Power and energy are net, import positive. Reserve up is what can be
    taken off the grid or supplied to it at once on top of the plan, down is what can be drawn at once.
    """

    CHARGE = "charge"
    BATTERY = "battery"
    ENERGY = "energy"
    POWER = "power"
    RAMP = "ramp"
    TEMPERATURE = "temperature"
    RESERVE_UP = "reserve up"
    RESERVE_DOWN = "reserve down"
    RUN_TIME = "run time"
    CYCLES = "cycles"


AT_AN_INSTANT = frozenset({Quantity.CHARGE, Quantity.BATTERY})
SIGNED = frozenset({Quantity.ENERGY, Quantity.POWER, Quantity.TEMPERATURE})
"""Below zero, power and energy flow from assets to grid."""
ABSOLUTE_ZERO_MC = -273_150


class Reach(StrEnum):
    """What the names of a constraint's scope name."""

    ASSET = "asset"
    OWNER = "owner"
    CONNECTION = "connection"
    ZONE = "zone"
    FEEDER = "feeder"
    COMMUNITY = "community"


class Relation(StrEnum):
    """Which side of the bound is allowed."""

    AT_LEAST = ">="
    AT_MOST = "<="


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One bound on one quantity of assets or places, at an instant or over a window.

    Args:
        quantity: What is bounded.
        reach: What the scope's names are.
        scope: Names; a bound is on their sum, a temperature on each. None for the whole community.
        relation: Which side is allowed.
        value: Whole number in the unit of the quantity.
        window: From when to when; None where the bound is on an instant.
        at: The instant of a bound on a stored quantity; None otherwise.
        priority: Whose word this is.
        author: Account of who said it; empty where nobody in particular did.

    Raises:
        InvalidValue: Neither or both of window and at are given, the scope does not fit its reach, or the value
            could not be true of any real thing.
    """

    quantity: Quantity
    reach: Reach = Reach.ASSET
    scope: tuple[str, ...] = ()
    relation: Relation
    value: int
    window: Interval | None = None
    at: datetime | None = None
    priority: Priority = Priority.OWNER
    author: str = ""

    def __post_init__(self) -> None:
        instant = self.quantity in AT_AN_INSTANT
        if (self.at is not None) != instant or (self.window is None) != instant:
            raise InvalidValue(f"{self.quantity} takes {'an instant' if instant else 'a window'}, was {self}")
        most = 100 if self.quantity is Quantity.CHARGE else MOST
        least = 0 if self.quantity not in SIGNED else -MOST
        if self.quantity is Quantity.TEMPERATURE:
            least = ABSOLUTE_ZERO_MC
        if not least <= self.value <= most:
            low = "zero or more" if least == 0 else f"at least {least}"
            raise InvalidValue(f"a bound on {self.quantity} is {low} and at most {most}")
        if bool(self.scope) == (self.reach is Reach.COMMUNITY):
            raise InvalidValue("a constraint names what it is about, the community none, was otherwise")
