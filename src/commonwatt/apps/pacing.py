"""The log's time while a street lives on at a pace: simulated seconds, never backwards, never past what comes next."""

from collections.abc import Callable

from commonwatt.apps.door_card import CardClock
from commonwatt.model import SLOT_SECONDS, InvalidValue


class Pacer:
    """A clock that runs at a pace up to the moment at which something is due, and waits there until it is done.

    While it waits, time goes on beside: what was lost is made up for at once, so that slots keep their pace. Who
    falls behind by a whole slot goes on from there, and makes nothing up.

    Args:
        ticks_ms: A clock that is never set, in milliseconds.
        slot_ms: How long a slot lasts on it.
        from_s: The log's time at first, seconds since 1970.

    Raises:
        InvalidValue: A slot lasts no time.
    """

    def __init__(self, ticks_ms: Callable[[], int], slot_ms: int, from_s: int) -> None:
        if slot_ms < 1:
            raise InvalidValue(f"a slot lasts a millisecond or more, was {slot_ms} ms")
        self._ticks_ms, self._slot_ms = ticks_ms, slot_ms
        self._began_s, self._began_ms = from_s, ticks_ms()
        self._until_s = from_s

    def __call__(self) -> int:
        """Return the log's time, seconds since 1970."""
        return min(self._until_s, self._free_s())

    def go_on(self, until_s: int) -> None:
        """Let time pass up to a moment.

        Raises:
            InvalidValue: It was passed already.
        """
        if until_s < self._until_s:
            raise InvalidValue(f"time does not run backwards, was {until_s} at {self._until_s}")
        if (self._free_s() - self._until_s) >= SLOT_SECONDS:
            self._began_s, self._began_ms = self._until_s, self._ticks_ms()
        self._until_s = until_s

    def left_ms(self) -> int:
        """Return how long it is until time stands still, zero where it does."""
        due_ms = self._began_ms - (self._began_s - self._until_s) * self._slot_ms // SLOT_SECONDS
        return max(0, due_ms - self._ticks_ms())

    def card(self, system_ms: int) -> CardClock:
        """Return the same clock by another one, which shows milliseconds since 1970 now."""
        began_ms = system_ms - (self._ticks_ms() - self._began_ms)
        return CardClock(log_s=self._began_s, system_ms=began_ms, slot_ms=self._slot_ms, until_s=self._until_s)

    def _free_s(self) -> int:
        return self._began_s + (self._ticks_ms() - self._began_ms) * SLOT_SECONDS // self._slot_ms
