"""What all published formats share: JSON, moments, whole numbers, and series out of what stands at which time."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from commonwatt.flows.feeds.series import MOST_VALUE, MOST_VALUES, Issue, Topic, What
from commonwatt.model import InvalidValue, epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a publisher: a path of its address, and what stands behind it."""

    path: str
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What an answer does not say of itself: the place in our words, the source, its licence, and when we heard it."""

    place: str
    source: str
    licence: str
    heard_s: int

    def issue(
        self, what: What, told: Mapping[int, int | None], step_s: int, issued_s: int | None, *, measured: bool = False
    ) -> Issue | None:
        """Return a series out of values by the time from which they hold; what is missing between stays missing.

        None where no value was published at all.

        Raises:
            InvalidValue: A time does not fit the step, or the series is longer than any that is published.
        """
        known = sorted(at_s for at_s, value in told.items() if value is not None)
        if not known:
            return None
        first_s, last_s = known[0], known[-1]
        count = (last_s - first_s) // step_s + 1
        if count > MOST_VALUES or any((at_s - first_s) % step_s for at_s in known):
            raise InvalidValue(f"a series every {step_s} s has values at its steps, was {len(known)} over {count}")
        return Issue(
            topic=Topic(what, self.place, measured),
            source=self.source,
            licence=self.licence,
            issued_s=issued_s,
            heard_s=self.heard_s,
            start_s=first_s,
            step_s=step_s,
            values=tuple(told.get(first_s + n * step_s) for n in range(count)),
        )


def json_object(content: bytes) -> dict[str, Any]:
    """Return the JSON object of an answer; its numbers with a point are `Decimal`.

    Raises:
        InvalidValue: It is none.
    """
    try:
        found = json.loads(content, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise InvalidValue(f"an answer is JSON, was {content[:60]!r}") from error
    if not isinstance(found, dict):
        raise InvalidValue(f"an answer is a JSON object, was {content[:60]!r}")
    return found


def part(found: object, *names: str) -> Any:
    """Return what stands at a path of names in an answer.

    Raises:
        InvalidValue: Nothing stands there.
    """
    for name in names:
        if not isinstance(found, dict) or name not in found:
            raise InvalidValue(f"an answer has {'.'.join(names)}, it was missing at {name}")
        found = found[name]
    return found


def rows(found: object, *names: str) -> list[Any]:
    """Return the list at a path of names. Raises as `part`, or where it is no list."""
    listed = part(found, *names)
    if not isinstance(listed, list):
        raise InvalidValue(f"{'.'.join(names)} is a list, was {type(listed).__name__}")
    return listed


def moment_s(text: object) -> int:
    """Return an ISO moment with its offset as seconds since 1970.

    Raises:
        InvalidValue: It is none, or says no offset: a local time is two moments on one night of the year.
    """
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise InvalidValue(f"a moment is in ISO 8601, was {str(text)[:40]!r}") from error
    if found.tzinfo is None:
        raise InvalidValue(f"a moment says its offset, was {str(text)[:40]!r}")
    try:
        return epoch(found)
    except (OverflowError, ValueError) as error:
        raise InvalidValue(f"a moment is of this age, was {str(text)[:40]!r}") from error


def whole(value: object, factor: int, name: str) -> int | None:
    """Return a published number times a factor, whole; None for null.

    Raises:
        InvalidValue: It is no number, or beyond all reason.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise InvalidValue(f"{name} is a number, was {str(value)[:40]!r}")
    try:
        exact = Decimal(value) * factor
        found = int(exact.to_integral_value()) if abs(exact) <= MOST_VALUE else None
    except ArithmeticError:  # NaN is in no order, and beyond a million digits nothing can be multiplied.
        found = None
    if found is None:
        raise InvalidValue(f"{name} is a number of this world, was {str(value)[:40]}")
    return found


def put(told: dict[int, int | None], at_s: int, value: int | None, name: str) -> None:
    """Note a value of a time; the same may be said twice, two different ones may not.

    Raises:
        InvalidValue: Another value stands there.
    """
    if told.setdefault(at_s, value) != value:
        raise InvalidValue(f"{name} is one at a time, was {told[at_s]} and {value} at {at_s} s")


def _no_number(word: str) -> Any:
    raise ValueError(word)
