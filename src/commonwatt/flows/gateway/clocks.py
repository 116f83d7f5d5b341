"""What time it is, for a box whose own clock may be set, stand or lie: held against one that nobody sets, and against
the community's."""

from collections.abc import Callable
from dataclasses import dataclass

from commonwatt.flows.gateway.ports import Clock
from commonwatt.model import epoch, instant

JUMP_S = 5.0
"""A clock that differs so much from the steady one was set."""
FAR_S = 3600
"""A leap ahead that is not believed at once; and how long it stands until it is, where nobody can be asked."""
AGREES_S = 300
"""As near the clock has to be to what the community tells."""


@dataclass(frozen=True, slots=True)
class TimeTold:
    """What time the community told when it was asked.

    Args:
        at_s: Seconds since 1970.
        steady_s: What the steady clock showed when the answer came.
        took_s: How long it was on its way, at most: since it was asked.
    """

    at_s: int
    steady_s: float
    took_s: float = 0.0

    def off_s(self, now_s: float, steady_s: float) -> float:
        """Return by how much a clock is off, ahead or, below zero, behind; none where it lies within what was told."""
        earliest_s = self.at_s + steady_s - self.steady_s
        return now_s - max(earliest_s, min(now_s, earliest_s + self.took_s))


class Watch:
    """Says whether a clock may be believed enough to close a slot: one closed in a false year would close the door to
    all before it.

    What the community tells decides, from when it was first asked. Until then a clock is believed that goes on from
    what was last written down, within the hour: a short cut of power. Any other is not, be it that it shows a time
    before that, has nothing to go on from, or leapt far ahead; who has nobody to ask believes it after an hour,
    but never one before what was written down.

    Args:
        clock: What it watches.
        alarm: Told in words what a person should know.
        known_s: A time that has certainly passed, since something was written down then; 0 where nothing was.
        asks: Whether there is a community to ask.
    """

    def __init__(self, clock: Clock, alarm: Callable[[str], None], known_s: int = 0, *, asks: bool = False) -> None:
        self._clock, self._alarm, self._known_s, self._asks = clock, alarm, known_s, asks
        self._last_s, self._steady_s = epoch(clock.now()), clock.steady_s()
        goes_on = 0 <= self._last_s - known_s <= FAR_S
        self._doubted_s: float | None = None if goes_on else self._steady_s

    def look(self, told: TimeTold | None) -> bool:
        """Tell whether the clock may be believed now; to be asked every second or so."""
        now_s, steady_s = epoch(self._clock.now()), self._clock.steady_s()
        jumped_s = (now_s - self._last_s) - (steady_s - self._steady_s)
        self._last_s, self._steady_s = now_s, steady_s
        if abs(jumped_s) > JUMP_S:
            self._alarm(f"the clock was set {'ahead' if jumped_s > 0 else 'back'} by {abs(round(jumped_s))} s")
            self._doubted_s = steady_s if jumped_s > FAR_S else self._doubted_s
        if told is not None:
            self._doubted_s = None if self._agrees(told, steady_s) else steady_s
        elif now_s < self._known_s:
            shown, known = (f"{instant(at_s):%Y-%m-%d %H:%M} UTC" for at_s in (now_s, self._known_s))
            self._alarm(f"the clock shows {shown}, before {known}, when something was written here: nothing is signed")
            return False
        elif self._doubted_s is not None and not self._asks and steady_s - self._doubted_s >= FAR_S:
            self._doubted_s = None
        return self._doubted_s is None

    def _agrees(self, told: TimeTold, steady_s: float) -> bool:
        off_s = told.off_s(self._last_s, steady_s)
        if abs(off_s) > AGREES_S:
            hours = f"{abs(off_s) / 3600:.1f} h {'ahead of' if off_s > 0 else 'behind'}"
            self._alarm(f"the clock is {hours} the community's: nothing is signed until they agree")
        return abs(off_s) <= AGREES_S
