"""What two communities agree to exchange, and which numbers of such agreements a log has spoken about."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from commonwatt.model import AccountId, InvalidValue, canonical_json, cost_micro


@dataclass(frozen=True, slots=True, kw_only=True)
class Interchange:
    """WATT of one community's member for ERGON of another's; both operators sign it, and each log books its side.

    Args:
        number: Of this agreement between these two, from 1; no two have the same.
        giver: The community whose seller gives WATT.
        taker: The community whose buyer pays.
        seller: Account in the giver's ledger.
        buyer: Account in the taker's ledger.
        energy_wh: WATT in base units (Wh).
        price_micro_per_kwh: What the seller gets.
        wheeling_micro_per_kwh: What the buyer pays on top, to the taker's operator.
        decide_by_s: From when on neither log prepares its side any more.

    Raises:
        InvalidValue: Both communities are one, or a number is out of bounds.
    """

    number: int
    giver: str
    taker: str
    seller: AccountId
    buyer: AccountId
    energy_wh: int
    price_micro_per_kwh: int
    wheeling_micro_per_kwh: int
    decide_by_s: int

    def __post_init__(self) -> None:
        amounts = (self.energy_wh, self.price_micro_per_kwh, self.wheeling_micro_per_kwh)
        if self.giver == self.taker or self.number < 1 or min(amounts) < 0 or max(amounts) > 10**9 or not amounts[0]:
            raise InvalidValue(f"two communities exchange more than zero, at most 10^9 Wh, was {self}")

    @property
    def cost_micro(self) -> int:
        """What the seller gets."""
        return cost_micro(self.energy_wh, self.price_micro_per_kwh)

    @property
    def fee_micro(self) -> int:
        """What the buyer pays on top."""
        return cost_micro(self.energy_wh, self.wheeling_micro_per_kwh)

    def signed_bytes(self) -> bytes:
        """Return what both operators sign; no request looks like it."""
        told = {
            "buyer": self.buyer,
            "decide_by_s": self.decide_by_s,
            "energy_wh": self.energy_wh,
            "giver": self.giver,
            "number": self.number,
            "price_micro_per_kwh": self.price_micro_per_kwh,
            "seller": self.seller,
            "taker": self.taker,
            "wheeling_micro_per_kwh": self.wheeling_micro_per_kwh,
        }
        return canonical_json({"interchange": told})


Ranges = tuple[tuple[int, int], ...]
"""Whole numbers as ranges, each from its first to its last, in order and never touching."""


def spoken(ranges: Ranges, number: int) -> bool:
    """Tell whether a number is among those of ranges."""
    place = bisect_right(ranges, number, key=lambda span: span[0])
    return place > 0 and number <= ranges[place - 1][1]


def speak(ranges: Ranges, number: int) -> Ranges:
    """Return ranges with one more number; where it fills a gap there are fewer of them."""
    return _merged(sorted([*ranges, (number, number)]))


def _merged(spans: Iterable[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for first, last in spans:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)
