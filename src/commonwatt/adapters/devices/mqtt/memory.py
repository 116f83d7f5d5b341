"""What a device told last: fresh or stale, whole or missing a phase, and no counter that turned back by mistake."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from commonwatt.adapters.devices.mqtt.translate import ALIVE, COUNTERS, Value, decoded, whole
from commonwatt.model import DeviceState, InvalidValue, Unreachable

TURNED_BACK_FOR = timedelta(seconds=60)
"""A counter that is told lower for so long was reset; before that the message was an old one, told again."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One value and when it was heard, by our clock."""

    number: Decimal
    at: datetime


class Memory:
    """Collects a device's messages and answers what they come to.

    A retained message is a ghost: nobody knows how old it is, so it never counts. Nor does one whose counter stands
    lower than before: it came twice, or late. Where it stays lower the device was reset, and is believed again.

    Args:
        values: Where its values stand.
        silent_after: A value that was not heard for so long is unknown.
    """

    def __init__(self, values: Sequence[Value], silent_after: timedelta) -> None:
        self._silent_after = silent_after
        self._values: list[Value] = []
        self._heard: dict[tuple[str, str], Heard] = {}
        self._wrong: dict[str, tuple[InvalidValue, datetime]] = {}
        self._lower_since: dict[str, datetime] = {}
        self._away = ""
        self._last: datetime | None = None
        self.know(values)

    @property
    def topics(self) -> list[str]:
        """The topics on which values arrive."""
        return sorted({value.topic for value in self._values})

    def know(self, values: Sequence[Value]) -> None:
        """Learn where more values stand."""
        self._values += [value for value in values if value not in self._values]

    def away(self, words: str) -> None:
        """Note that the device said, or its broker for it, that it is gone; empty words: that it is back."""
        self._away = words

    def hear(self, topic: str, payload: bytes, now: datetime, *, retained: bool = False) -> None:
        """Take a message."""
        here = [value for value in self._values if value.topic == topic]
        if retained or not here:
            return
        try:
            found = decoded(payload, here)
        except InvalidValue as error:
            self._wrong[topic] = error, now
            return
        self._wrong.pop(topic, None)
        if self._old(topic, found, now):
            return
        for value, number in found.items():
            self._heard[value.field, value.part] = Heard(number, now)
        if found:
            self._away, self._last = "", now

    def fresh(self, now: datetime) -> bool:
        """Tell whether the device was heard lately, and did not say goodbye since."""
        return not self._away and self._last is not None and now - self._last < self._silent_after

    def state(self, now: datetime, who: str, *, capacity_wh: int = 0) -> DeviceState:
        """Return what the device shows.

        Args:
            now: By our clock.
            who: The device, for words.
            capacity_wh: What it can store; bounds its level.

        Raises:
            Unreachable: It is gone, was never heard, or not for too long; or a phase is missing.
            InvalidValue: What it said last cannot be true.
        """
        if self._away:
            raise Unreachable(f"{who} is gone: {self._away}")
        for topic, (error, at) in self._wrong.items():
            if now - at < self._silent_after and not self._told_since(topic, at):
                raise InvalidValue(f"{who}: {error}") from error
        shown: dict[str, Any] = {}
        moments = []
        for field, parts in self._parts().items():
            told = [self._heard.get((field, part)) for part in parts]
            there = [one for one in told if one is not None and now - one.at < self._silent_after]
            if len(there) < len(parts):
                if there:
                    raise Unreachable(f"{who} tells {field} in {len(parts)} parts, only {len(there)} were heard lately")
                continue
            number = sum((one.number for one in there), Decimal(0))
            if field != ALIVE:
                shown[field] = bool(number) if field == "connected" else whole(number)
            moments.append(max(one.at for one in there))
        if not moments:
            raise Unreachable(f"{who} has not been heard for {self._silent_after.total_seconds():.0f} s")
        if capacity_wh and shown.get("level_wh", 0) > capacity_wh * 2:
            raise InvalidValue(f"{who} stores {capacity_wh} Wh, and told {shown['level_wh']} Wh")
        return DeviceState(at=max(moments), **shown)

    def _told_since(self, topic: str, at: datetime) -> bool:
        """Tell whether all that a topic tells was heard after a moment, on whichever topic."""
        told = [self._heard.get((value.field, value.part)) for value in self._values if value.topic == topic]
        return all(one is not None and one.at > at for one in told)

    def _parts(self) -> Mapping[str, list[str]]:
        parts: dict[str, list[str]] = defaultdict(list)
        for value in self._values:
            if value.part not in parts[value.field]:
                parts[value.field].append(value.part)
        return parts

    def _old(self, topic: str, found: Mapping[Value, Decimal], now: datetime) -> bool:
        """Tell whether a message is an earlier one that arrives late; what stays so long is a reset."""
        lower = any(
            (before := self._heard.get((value.field, value.part))) is not None and number < before.number
            for value, number in found.items()
            if value.field in COUNTERS
        )
        if not lower:
            self._lower_since.pop(topic, None)
            return False
        since = self._lower_since.setdefault(topic, now)
        if now - since < TURNED_BACK_FOR:
            return True
        self._lower_since.pop(topic)
        return False
