"""The thing behind a simulated device: it obeys physics, its own clock and its lease, whatever the wire says."""

from collections.abc import Callable
from dataclasses import dataclass, field

from commonwatt.assets import battery
from commonwatt.model import Asset, Band

SECONDS_PER_HOUR = 3600


def idle_w() -> int:
    """Return nothing: what does as it likes draws none."""
    return 0


@dataclass(slots=True, kw_only=True)
class Plant:
    """One asset as physics: its power, counters and level, a second or a slot at a time.

    A simulated device hands it what arrives on the wire with `ask`, and shows what it does. Time passes only through
    `pass_time`; when a lease is over within, it goes to its safe default at that second.

    Args:
        asset: Its limits; what stores has a level.
        now_s: What its own clock shows; set it wrong for a skewed clock.
        level_wh: Stored energy.
        floor_wh: Level below which it does not discharge.
        own_w: What it does while nobody holds it: its safe default, or the sun on a roof (then asked power caps it).
        import_wh: Its counter.
        export_wh: Likewise.
    """

    asset: Asset
    now_s: int
    level_wh: int = 0
    floor_wh: int = 0
    own_w: Callable[[], int] = idle_w
    import_wh: int = 0
    export_wh: int = 0
    held: Band | None = None
    until_s: int | None = None
    _carried: list[int] = field(default_factory=lambda: [0, 0])

    def ask(self, band: Band, until_s: int | None) -> None:
        """Hold a band until a second of its own clock, or for good; what has run out already is not obeyed."""
        if until_s is None or until_s > self.now_s:
            self.held, self.until_s = band, until_s

    def release(self) -> None:
        """Go to the safe default."""
        self.held = self.until_s = None

    def restart(self) -> None:
        """Lose power for a moment: what it was told is forgotten, its counters and level stay."""
        self.release()

    @property
    def power_w(self) -> int:
        """Return what it does now, import positive."""
        wanted_w = self.own_w()
        if self.held is not None:
            wanted_w = max(self.held.lo_w, min(self.held.hi_w, wanted_w))
        wanted_w = max(-self.asset.max_export_w, min(self.asset.max_import_w, wanted_w))
        if 0 < wanted_w < self.asset.min_import_w:
            return 0
        if self.asset.stores:
            if wanted_w > 0 and self.level_wh >= self.asset.capacity_wh:
                return 0
            if wanted_w < 0 and self.level_wh <= self.floor_wh:
                return 0
        return wanted_w

    def pass_time(self, seconds: int) -> None:
        """Let time pass: energy flows, counters turn, and what ran out lets go."""
        while seconds > 0:
            held_s = seconds if self.until_s is None else max(0, min(seconds, self.until_s - self.now_s))
            if held_s:
                self._flow(held_s)
                self.now_s += held_s
                seconds -= held_s
            if self.until_s is not None and self.now_s >= self.until_s:
                self.release()

    def _flow(self, seconds: int) -> None:
        power_w = self.power_w
        if not self.asset.stores:
            self._count(0 if power_w > 0 else 1, abs(power_w) * seconds)
            return
        done = battery.step(self.asset, self.level_wh, power_w, seconds, min(self.floor_wh, self.level_wh))
        self.level_wh = done.level_wh
        self.import_wh += done.import_wh
        self.export_wh += done.export_wh

    def _count(self, way: int, watt_seconds: int) -> None:
        """Turn a counter by whole Wh; what is left over waits for the next time."""
        whole_wh, self._carried[way] = divmod(self._carried[way] + watt_seconds, SECONDS_PER_HOUR)
        if way == 0:
            self.import_wh += whole_wh
        else:
            self.export_wh += whole_wh
