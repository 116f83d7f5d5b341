"""What a feed publishes: a series of whole numbers of one quantity at one place, as of one issue."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from commonwatt.model import SLOT_SECONDS, InvalidValue

MOST_VALUES = 4_000
"""Of one issue: six weeks of quarter-hours."""
MOST_VALUE = 10**12


class What(StrEnum):
    """The quantity of a series; `UNITS` has the unit of each."""

    PRICE = "price"
    CARBON = "carbon"
    TEMPERATURE = "temperature"
    RADIATION = "radiation"
    CLOUD = "cloud"


UNITS = {
    What.PRICE: "micro_per_kwh",
    What.CARBON: "mg_per_kwh",
    What.TEMPERATURE: "millicelsius",
    What.RADIATION: "w_per_m2",
    What.CLOUD: "permille",
}
"""Whole numbers all: carbon of 231 g a kWh is 231,000 mg, 7.4 degrees are 7,400."""


@dataclass(frozen=True, slots=True, order=True)
class Topic:
    """What a series is of: a quantity, the place or zone in the community's own words, forecast or measured."""

    what: What
    place: str
    measured: bool = False

    def __str__(self) -> str:
        return f"{self.what.value} {self.place}{' measured' if self.measured else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One series as somebody published it at one time.

    Args:
        topic: What it is of.
        source: Who published it.
        licence: On which terms.
        issued_s: When they say that they did; None where they do not say.
        heard_s: When it was known here: that alone decides what a forecast made then may see.
        start_s: When the first value begins to hold.
        step_s: How long each holds: whole quarter-hours.
        values: In the topic's unit; None where nothing was published.

    Raises:
        InvalidValue: It is not in whole slots, holds nothing or too much, or a value is beyond all reason.
    """

    topic: Topic
    source: str
    licence: str
    issued_s: int | None
    heard_s: int
    start_s: int
    step_s: int
    values: tuple[int | None, ...]

    def __post_init__(self) -> None:
        if self.step_s <= 0 or self.step_s % SLOT_SECONDS or self.start_s % SLOT_SECONDS:
            raise InvalidValue(f"a series is in whole quarter-hours, was every {self.step_s} s from {self.start_s} s")
        if not 0 < len(self.values) <= MOST_VALUES or all(value is None for value in self.values):
            raise InvalidValue(f"a series has 1 to {MOST_VALUES} values, was {len(self.values)} of {self.topic}")
        if any(value is not None and abs(value) > MOST_VALUE for value in self.values):
            raise InvalidValue(f"no {self.topic} is so large: beyond {MOST_VALUE}")

    @property
    def end_s(self) -> int:
        """When the last value ceases to hold."""
        return self.start_s + self.step_s * len(self.values)

    def at(self, slot_s: int) -> int | None:
        """Return the value that holds in a slot; None where nothing was published for it."""
        n = (slot_s - self.start_s) // self.step_s
        return self.values[n] if 0 <= n < len(self.values) else None

    def slots(self) -> Iterator[tuple[int, int]]:
        """Yield each slot for which something was published, and its value."""
        for slot_s in range(self.start_s, self.end_s, SLOT_SECONDS):
            value = self.at(slot_s)
            if value is not None:
                yield slot_s, value
