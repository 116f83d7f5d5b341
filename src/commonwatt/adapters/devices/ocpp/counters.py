"""One counter that only rises from registers that are late, repeated, reset by each transaction, or wrong."""

import msgspec

LATE_S = 3600
"""What a register may have gone on by the meter's own time, where messages come all at once: hourly ones at most."""
SLACK_S = 60
"""How much later than the one before a message may come."""
STEP_WH = 1000
"""Some meters show whole kilowatt-hours, so what they show rises by one at once."""
AHEAD_S = 900
"""A meter's clock that is further ahead of ours is wrong, and our time is taken."""
NOTHING_WH = 100
"""A register that shows less begins."""
ANEW_AFTER = 2
"""A meter that began so many transactions in a row at nothing does so with each."""
BELIEVED_AFTER = 5
"""A meter that says five times what cannot follow is another meter: it counts on from there."""


class Counter(msgspec.Struct):
    """Adds up what a meter's register shows.

    Args:
        base_wh: What registers before this one have counted.
        last_wh: What the register stands at; None while it was never heard.
        at_s: The meter's own time of the newest reading.
        since_s: The meter's own time of its last reset, 0 without any.
        before_wh: What the register stood at before that reset.
        heard_s: Our time of the newest reading.
        doubts: How often in a row it said what cannot follow.
        anew: How many transactions in a row it began at nothing.
    """

    base_wh: int = 0
    last_wh: int | None = None
    at_s: int = 0
    since_s: int = 0
    before_wh: int = 0
    heard_s: int = 0
    doubts: int = 0
    anew: int = 0

    @property
    def total_wh(self) -> int | None:
        """What has been counted in all, None before the first reading."""
        return None if self.last_wh is None else self.base_wh + self.last_wh

    def rise_to(self, total_wh: int) -> None:
        """Count on from a sum that is known elsewhere, where this one is lower; one that is unknown yet stays so."""
        if self.total_wh is not None:
            self.base_wh += max(0, total_wh - self.total_wh)

    def take(self, wh: int, at_s: int, now_s: int, fuse_w: int, *, reset: bool = False, unheard: bool = False) -> str:
        """Take one reading of the register; what arrives late never turns the sum back.

        A higher register is the newer one, whatever the station's clock says: clocks jump, energy does not.

        Args:
            wh: What the register shows.
            at_s: The meter's own time.
            now_s: Our time.
            fuse_w: More than this times 1.25 cannot have flowed; 0 where that is unknown.
            reset: Whether the register may have started anew: a transaction began, or the station did.
            unheard: Whether a transaction began and what it showed then was not told: of a meter that starts anew with
                each, all that it shows now is of this one, though it may be more than the last one came to.

        Returns:
            Nothing where it was taken or is merely late, else why it cannot be true; then nothing of it is used.
        """
        at_s = believed(at_s, now_s)
        if max(self.at_s, self.since_s) > now_s + AHEAD_S:
            self.at_s = self.since_s = 0  # kept while our own clock was wrong
        if self.last_wh is None:
            self.last_wh, self.at_s, self.heard_s = wh, at_s, now_s
            return ""
        if at_s < self.since_s:
            if wh > self.before_wh and self._flowed(wh - self.before_wh, LATE_S, now_s, fuse_w):
                self.base_wh += wh - self.before_wh
                self.before_wh = wh
            return ""
        if unheard and self.anew >= ANEW_AFTER and wh >= self.last_wh and at_s > self.at_s:
            if not self._flowed(wh, at_s - self.at_s, now_s, fuse_w):
                return self._doubt(wh, at_s, now_s, f"the register rose from 0 to {wh} Wh too fast")
            self.base_wh += self.last_wh
            self.before_wh, self.since_s = self.last_wh, at_s
        elif wh >= self.last_wh:
            if reset and self.last_wh >= NOTHING_WH:
                self.anew = 0
            if not self._flowed(wh - self.last_wh, at_s - self.at_s, now_s, fuse_w):
                return self._doubt(wh, at_s, now_s, f"the register rose from {self.last_wh} to {wh} Wh too fast")
        elif reset and at_s > self.at_s:
            self.anew = self.anew + 1 if wh < NOTHING_WH and not unheard else 0
            self.base_wh += self.last_wh
            self.before_wh, self.since_s = self.last_wh, at_s
        elif at_s <= self.at_s:
            return ""
        else:
            return self._doubt(wh, at_s, now_s, f"the register fell from {self.last_wh} to {wh} Wh")
        self.last_wh, self.at_s, self.heard_s, self.doubts = wh, max(at_s, self.at_s), now_s, 0
        return ""

    def _flowed(self, more_wh: int, own_s: int, now_s: int, fuse_w: int) -> bool:
        """Tell whether so much can have flowed, by the longer of our time and the meter's own, as far as it goes."""
        seconds = max(0, now_s - self.heard_s, min(own_s, LATE_S)) + SLACK_S
        return fuse_w == 0 or (more_wh - STEP_WH) * 3600 <= fuse_w * seconds * 5 // 4

    def _doubt(self, wh: int, at_s: int, now_s: int, why: str) -> str:
        self.doubts += 1
        if self.doubts < BELIEVED_AFTER:
            return why
        assert self.last_wh is not None
        self.base_wh += self.last_wh - wh
        self.last_wh, self.at_s, self.heard_s, self.doubts = wh, at_s, now_s, 0
        self.since_s = at_s
        self.before_wh = 1 << 62  # nothing of the other meter is added any more
        return ""


def believed(at_s: int, now_s: int) -> int:
    """Return a time of a station's clock, or ours where that one is far ahead: else what is right later looks old."""
    return now_s if at_s > now_s + AHEAD_S else at_s
