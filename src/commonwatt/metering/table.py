"""What is believed of each meter, slot by slot, in columns: one array a field, one place a meter."""

from collections.abc import Iterator, Mapping
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from commonwatt.metering.batch import NO_LEVEL, Quality
from commonwatt.model import SLOT_SECONDS, AssetId, InvalidValue, Reading, slot_from

Column = NDArray[np.int32]
UNTOLD = 255
"""In place of a quality: nobody told anything of this meter."""


class SlotReadings(Mapping[AssetId, Reading]):
    """One slot's believed readings, by meter; every column has a place for every meter known."""

    def __init__(self, slot_s: int, meters: list[AssetId], numbers: Mapping[AssetId, int]) -> None:
        self.slot_s, self._meters, self._numbers = slot_s, meters, numbers
        self.import_wh: Column = np.zeros(len(meters), np.int32)
        self.export_wh: Column = np.zeros(len(meters), np.int32)
        self.level_wh: Column = np.full(len(meters), NO_LEVEL, np.int32)
        self.quality: NDArray[np.uint8] = np.full(len(meters), UNTOLD, np.uint8)

    def told(self) -> NDArray[np.bool_]:
        """Tell for each meter that this slot has room for whether anything is believed of it."""
        told: NDArray[np.bool_] = self.quality != UNTOLD
        return told

    def grow(self) -> None:
        """Make room for meters that joined since."""
        more = len(self._meters) - len(self.quality)
        if more > 0:
            self.import_wh = np.pad(self.import_wh, (0, more))
            self.export_wh = np.pad(self.export_wh, (0, more))
            self.level_wh = np.pad(self.level_wh, (0, more), constant_values=NO_LEVEL)
            self.quality = np.pad(self.quality, (0, more), constant_values=UNTOLD)

    def quality_of(self, meter: AssetId) -> Quality:
        """Return how a believed reading came to be.

        Raises:
            KeyError: Nothing is believed of this meter.
        """
        if meter not in self:
            raise KeyError(meter)
        return Quality(int(self.quality[self._numbers[meter]]))

    def set(self, meter: AssetId, reading: Reading, quality: Quality) -> None:
        """Believe a reading, in place of what was believed of that meter before."""
        self.grow()
        number = self._numbers[meter]
        self.import_wh[number] = reading.import_wh
        self.export_wh[number] = reading.export_wh
        self.level_wh[number] = NO_LEVEL if reading.level_wh is None else reading.level_wh
        self.quality[number] = quality

    def digest(self) -> bytes:
        """Return the hash of all columns, 32 bytes, the same whenever a meter joined that told nothing."""
        hashed = sha256()
        told = np.flatnonzero(self.told()).astype("<i8")
        hashed.update(self.slot_s.to_bytes(8) + told.tobytes())
        for column in (self.import_wh, self.export_wh, self.level_wh, self.quality):
            hashed.update(column[told].tobytes())
        return hashed.digest()

    def __getitem__(self, meter: AssetId) -> Reading:
        number = self._numbers.get(meter, len(self.quality))
        if number >= len(self.quality) or self.quality[number] == UNTOLD:
            raise KeyError(meter)
        level_wh = int(self.level_wh[number])
        return Reading(
            asset=meter,
            interval=slot_from(self.slot_s),
            import_wh=int(self.import_wh[number]),
            export_wh=int(self.export_wh[number]),
            level_wh=None if level_wh == NO_LEVEL else level_wh,
        )

    def __iter__(self) -> Iterator[AssetId]:
        return (self._meters[number] for number in np.flatnonzero(self.told()))

    def __len__(self) -> int:
        return int(self.told().sum())


class ReadingTable(Mapping[int, SlotReadings]):
    """Believed readings of the slots that are still at hand, by the start of the slot in seconds since 1970."""

    def __init__(self) -> None:
        self.meters: list[AssetId] = []
        self._numbers: dict[AssetId, int] = {}
        self._slots: dict[int, SlotReadings] = {}
        self._digests: dict[int, bytes] = {}

    def join(self, meter: AssetId) -> int:
        """Give a meter its place, counted from 0.

        Raises:
            InvalidValue: It has one.
        """
        if meter in self._numbers:
            raise InvalidValue(f"a meter joins once, {meter} has place {self._numbers[meter]}")
        self._numbers[meter] = len(self.meters)
        self.meters.append(meter)
        return len(self.meters) - 1

    def number(self, meter: AssetId) -> int:
        """Return a meter's place."""
        return self._numbers[meter]

    def at(self, slot_s: int) -> SlotReadings:
        """Return a slot's readings, to be changed; an empty slot where nothing was told yet."""
        if slot_s not in self._slots:
            if slot_s % SLOT_SECONDS:
                raise InvalidValue(f"a slot starts on a quarter of an hour, was {slot_s} s")
            self._slots[slot_s] = SlotReadings(slot_s, self.meters, self._numbers)
        self._digests.pop(slot_s, None)
        slot = self._slots[slot_s]
        slot.grow()
        return slot

    def told(self, slot_s: int) -> Mapping[AssetId, Reading]:
        """Return a slot's believed readings, to be looked at; none where nothing was told or all is forgotten."""
        return self._slots.get(slot_s, {})

    def forget_empty(self, slot_s: int) -> None:
        """Let go of a slot of which nothing is believed: it was only looked at."""
        if not self._slots[slot_s].told().any():
            del self._slots[slot_s]
            self._digests.pop(slot_s, None)

    def forget_before(self, slot_s: int) -> None:
        """Let go of all slots before one."""
        for old_s in [start_s for start_s in self._slots if start_s < slot_s]:
            del self._slots[old_s]
            self._digests.pop(old_s, None)

    def digests(self, from_s: int) -> list[bytes]:
        """Return the hash of every slot at hand from one on, sorted by slot; only what changed is hashed again."""
        for slot_s in sorted(self._slots.keys() - self._digests.keys()):
            self._digests[slot_s] = self._slots[slot_s].digest()
        return [self._digests[slot_s] for slot_s in sorted(self._slots) if slot_s >= from_s]

    def __getitem__(self, slot_s: int) -> SlotReadings:
        return self._slots[slot_s]

    def __iter__(self) -> Iterator[int]:
        return iter(self._slots)

    def __len__(self) -> int:
        return len(self._slots)
