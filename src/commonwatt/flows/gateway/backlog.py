"""What meters showed while nobody knew the time, by the clock that nobody sets: told once somebody does."""

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from commonwatt.flows.gateway.gateway import READ_WITHIN_S
from commonwatt.model import SLOT_SECONDS, AssetId, DeviceState, epoch

EVERY_S = 30.0
"""So that some value lies shortly after every slot's end."""
MOST = 2 * 2_880
"""Two days; what is older goes into the next value."""


class Backlog:
    """Values of all meters, in memory alone: what a power cut takes of them, the next value tells in one."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, datetime, Mapping[AssetId, DeviceState]]] = deque(maxlen=MOST)

    def due(self, steady_s: float) -> bool:
        """Tell whether it is time to read again."""
        return not self._seen or steady_s - self._seen[-1][0] >= EVERY_S

    def note(self, steady_s: float, now: datetime, states: Mapping[AssetId, DeviceState]) -> None:
        """Take in what was read.

        Args:
            steady_s: When, by the steady clock.
            now: What the other one showed then, right or wrong: states tell their age by it.
            states: What each meter showed.
        """
        self._seen.append((steady_s, now, states))

    def slots(self, steady_s: float, now: datetime, after_s: int) -> list[tuple[int, dict[AssetId, DeviceState]]]:
        """Return each slot after one that ended meanwhile and was read shortly after, with what meters showed then.

        Args:
            steady_s: What the steady clock shows.
            now: What time it is, now that this is known.
            after_s: The start of the last slot that was closed.
        """
        found = dict[int, dict[AssetId, DeviceState]]()
        for seen_s, clock, states in self._seen:
            at = now - timedelta(seconds=steady_s - seen_s)
            slot_s = epoch(at) // SLOT_SECONDS * SLOT_SECONDS - SLOT_SECONDS  # the one that had just ended
            if slot_s > after_s and slot_s not in found and epoch(at) - slot_s - SLOT_SECONDS <= READ_WITHIN_S:
                found[slot_s] = {name: replace(one, at=one.at + (at - clock)) for name, one in states.items()}
        return sorted(found.items())

    def clear(self) -> None:
        """Forget all of it: it was told."""
        self._seen.clear()
