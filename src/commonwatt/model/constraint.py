"""A constraint: one statement about the future by somebody with a say (row X1)."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from commonwatt.model.errors import InvalidValue
from commonwatt.model.time import Interval

MOST = 10**9
"""A gigawatt or gigawatt-hour: no community reaches it, and every solver can count so far."""


class Priority(IntEnum):
    """Who wins; a lower number is never traded for any amount of a higher one."""

    SAFETY = 0
    GRID = 1
    DSO = 2
    OWNER = 3
    CONTRACT = 4
    COMFORT = 5


class Quantity(StrEnum):
    """What is bounded: ``charge`` is per cent of capacity, ``battery`` is stored Wh."""

    CHARGE = "charge"
    BATTERY = "battery"
    ENERGY = "energy"
    POWER = "power"


class Relation(StrEnum):
    """Which side of the bound is allowed."""

    AT_LEAST = ">="
    AT_MOST = "<="


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One bound on one quantity of an asset or of zones, at an instant or over a window.

    Args:
        quantity: What is bounded.
        scope: Names of assets, or of zones; a bound is on their sum.
        zones: True where the scope names zones, not assets.
        relation: Which side is allowed.
        value: Whole number in the unit of the quantity: per cent, Wh, Wh, W.
        window: From when to when; None where the bound is on an instant.
        at: The instant of a bound on a stored quantity; None otherwise.
        priority: Whose word this is.

    Raises:
        InvalidValue: Neither or both of window and at are given, or the value is below zero.
    """

    quantity: Quantity
    scope: tuple[str, ...]
    zones: bool
    relation: Relation
    value: int
    window: Interval | None = None
    at: datetime | None = None
    priority: Priority = Priority.OWNER

    def __post_init__(self) -> None:
        stored = self.quantity in (Quantity.CHARGE, Quantity.BATTERY)
        if (self.at is not None) != stored or (self.window is None) != stored:
            raise InvalidValue(f"{self.quantity} takes {'an instant' if stored else 'a window'}, was {self}")
        most = 100 if self.quantity is Quantity.CHARGE else MOST
        if not 0 <= self.value <= most:
            raise InvalidValue(f"a bound on {self.quantity} is zero or more and at most {most}")
        if not self.scope:
            raise InvalidValue("a constraint names assets or zones, was none")
