"""What stations' connections took in slots that a session may still be billed for, and what of that is billed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from commonwatt.model import AssetId

Kept = list[tuple[int, list[tuple[AssetId, int | None, int]]]]
"""Slots, and for each its connections: what its meter told, None where it is silent, and what is billed; Wh."""


@dataclass(slots=True)
class Drawn:
    """All of it, by slot and connection; a session is never billed what the community's own meter did not see."""

    told: dict[int, dict[AssetId, int]] = field(default_factory=dict)
    billed: dict[int, dict[AssetId, int]] = field(default_factory=dict)

    def tell(self, meter: AssetId, slot_s: int, import_wh: int) -> None:
        """Note what a connection imported in a slot, in place of what was told before."""
        self.told.setdefault(slot_s, {})[meter] = import_wh

    def is_told(self, meter: AssetId, slot_s: int) -> bool:
        """Tell whether a connection's meter spoke of a slot."""
        return meter in self.told.get(slot_s, {})

    def left_wh(self, meter: AssetId, slot_s: int) -> int:
        """Return what a connection took in a slot and nobody was billed for yet, in Wh; a silent meter took nothing.

        Below zero where more was billed than it tells by now.
        """
        told_wh, billed_wh = (by.get(slot_s, {}).get(meter, 0) for by in (self.told, self.billed))
        return told_wh - billed_wh

    def bill(self, meter: AssetId, slot_s: int, wh: int) -> None:
        """Note what of a slot is billed; below zero where less is than before."""
        by_meter = self.billed.setdefault(slot_s, {})
        by_meter[meter] = by_meter.get(meter, 0) + wh

    def forget_before(self, slot_s: int) -> None:
        """Let go of slots that no session can be billed for any more."""
        for by_slot in (self.told, self.billed):
            for old_s in [old_s for old_s in by_slot if old_s < slot_s]:
                del by_slot[old_s]

    def leaves(self) -> Iterator[Mapping[str, object]]:
        """Yield everything that decides what may happen next, in order of slots."""
        yield from ({"drawn": by_meter, "slot_s": slot_s} for slot_s, by_meter in self.dump())

    def dump(self) -> Kept:
        """Return all of it in plain form, sorted: a snapshot's."""
        return [
            (
                slot_s,
                [
                    (meter, self.told.get(slot_s, {}).get(meter), self.billed.get(slot_s, {}).get(meter, 0))
                    for meter in sorted({*self.told.get(slot_s, {}), *self.billed.get(slot_s, {})})
                ],
            )
            for slot_s in sorted({*self.told, *self.billed})
        ]

    @classmethod
    def load(cls, kept: Kept) -> "Drawn":
        """Return what `dump` wrote."""
        drawn = cls()
        for slot_s, by_meter in kept:
            for meter, told_wh, billed_wh in by_meter:
                if told_wh is not None:
                    drawn.tell(meter, slot_s, told_wh)
                if billed_wh:
                    drawn.bill(meter, slot_s, billed_wh)
        return drawn
