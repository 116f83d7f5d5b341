"""What a window of a contract comes to: counted energy, money, and the most that either could be.

Everything rounds down to whole Wh and micro, so that the parts of many members never come to more than the whole that
was set aside for them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from commonwatt.market.contracts.terms import Direction, PaymentRule, Reference, Terms, Volume, Window
from commonwatt.model import SLOT_SECONDS, share_wh

_HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What is known of one slot of a window for one member.

    Args:
        promised_wh: What was to be moved; 0 where there is nothing to measure by.
        moved_wh: Metered beyond the baseline in the window's direction, below zero for the other way; None where the
            meter was silent.
        grid_micro_per_kwh: The grid's price that a kWh so moved has cost or earned already.
    """

    promised_wh: int
    moved_wh: int | None
    grid_micro_per_kwh: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What a member is to get for a window, in micro.

    Args:
        energy_micro: For what was delivered; below zero where the member pays for surplus.
        availability_micro: For standing ready, zero or more.
        penalty_micro: What the member owes for what was missed, zero or more.
    """

    energy_micro: int = 0
    availability_micro: int = 0
    penalty_micro: int = 0

    @property
    def net_micro(self) -> int:
        """All together, from the utility to the member; below zero where the member pays."""
        return self.energy_micro + self.availability_micro - self.penalty_micro


def promised_wh(power_w: int) -> int:
    """Return the energy of a power over one slot, Wh, rounded down."""
    return power_w * SLOT_SECONDS // _HOUR_S


def counted_wh(slots: Sequence[Slot], volume: Volume) -> list[int]:
    """Return how much of what was moved counts as delivered, slot by slot.

    Of a power each slot counts by itself, up to what it promised: more in one does not make up for less in another.
    Of an energy the window counts as a whole, shared among its slots by what moved in each; what flowed back in
    between is taken off, and a slot that nobody metered delivers nothing.
    """
    if volume is Volume.POWER:
        return [min(slot.promised_wh, max(0, slot.moved_wh or 0)) for slot in slots]
    metered = [slot for slot in slots if slot.moved_wh is not None and slot.promised_wh]
    moved_wh = sum(slot.moved_wh or 0 for slot in metered)
    whole_wh = min(sum(slot.promised_wh for slot in metered), max(0, moved_wh))
    if not whole_wh:
        return [0] * len(slots)
    return share_wh(whole_wh, [max(0, slot.moved_wh or 0) if slot.promised_wh else 0 for slot in slots])


def due(terms: Terms, direction: Direction, available_micro: int, slots: Sequence[Slot]) -> tuple[int, Due]:
    """Return the Wh that a called window delivered, and what it comes to.

    Args:
        terms: The contract's.
        direction: The window's.
        available_micro: What standing ready for the whole window earns, see `availability`; 0 for who did not.
        slots: Those for which it was called; none where it was not.
    """
    counted = counted_wh(slots, terms.volume)
    promised, delivered = sum(slot.promised_wh for slot in slots), sum(counted)
    missed = promised - delivered
    penalty_micro = missed * terms.penalty_micro_per_kwh // 1000
    if terms.rule is PaymentRule.ALL_OR_NOTHING:
        if delivered * 1000 < promised * terms.whole_permille:
            return delivered, Due(penalty_micro=penalty_micro)
        penalty_micro = 0
    elif promised:
        available_micro = available_micro * delivered // promised
    worth = sum(wh * _worth(terms, direction, slot.grid_micro_per_kwh) for wh, slot in zip(counted, slots, strict=True))
    # Towards zero, whoever pays.
    energy_micro = worth // 1000 if worth >= 0 else -(-worth // 1000)
    return delivered, Due(energy_micro=energy_micro, availability_micro=available_micro, penalty_micro=penalty_micro)


def availability(terms: Terms, power_w: int, seconds: int) -> int:
    """Return what standing ready earns, micro."""
    return terms.availability_micro_per_kw_h * power_w * seconds // (1000 * _HOUR_S)


def utility_most(terms: Terms, windows: Iterable[tuple[Window, int]], left_wh: int | None = None) -> int:
    """Return the most that a utility can owe for windows and the power promised in each, micro.

    Args:
        terms: The contract's.
        windows: With W.
        left_wh: The most energy that can still be called; None for no limit.
    """
    worth = available_micro = dearest = 0
    for window, power_w in windows:
        rate = most_to_member(terms, window.direction)
        dearest = max(dearest, rate)
        worth += _energy_wh(window, power_w) * rate
        available_micro += availability(terms, power_w, window.seconds)
    if left_wh is not None:
        worth = min(worth, left_wh * dearest)
    return worth // 1000 + available_micro


def member_most(terms: Terms, windows: Iterable[tuple[Window, int]]) -> int:
    """Return the most that a member can owe for windows and the power promised in each, micro."""
    return (
        sum(_energy_wh(window, power_w) * most_to_utility(terms, window.direction) for window, power_w in windows)
        // 1000
    )


def most_to_member(terms: Terms, direction: Direction) -> int:
    """Return the most that a delivered kWh can earn, micro."""
    if direction is Direction.GIVE_BACK:
        return terms.buy_back_micro_per_kwh
    return max(0, terms.cap_micro_per_kwh - terms.sale_micro_per_kwh)


def most_to_utility(terms: Terms, direction: Direction) -> int:
    """Return the most that a called kWh can cost its member, micro: it is delivered and paid for, or missed."""
    sale = terms.sale_micro_per_kwh if direction is Direction.CHARGE else 0
    return max(0, sale, terms.penalty_micro_per_kwh)


def _worth(terms: Terms, direction: Direction, grid_micro_per_kwh: int) -> int:
    """Return what the contract adds to a delivered kWh, micro.

    Beside the grid's price: a surplus kWh cost the grid's price and shall cost the sale price, so the difference is
    made good up to the cap; a kWh given back earned the grid's price and shall earn the buy-back price, and where the
    grid pays more already, nothing is taken.
    """
    grid = grid_micro_per_kwh if terms.reference is Reference.GRID else 0
    if direction is Direction.CHARGE:
        return min(max(0, grid), terms.cap_micro_per_kwh) - terms.sale_micro_per_kwh
    return max(0, terms.buy_back_micro_per_kwh - max(0, grid))


def _energy_wh(window: Window, power_w: int) -> int:
    return promised_wh(power_w) * (window.seconds // SLOT_SECONDS)
