"""What a window comes to: payment, availability and penalty, in whole micro."""

from collections.abc import Sequence
from typing import NamedTuple

from commonwatt.market.contracts.terms import Basis, Direction, PaymentRule, Terms, Window
from commonwatt.model import cost_micro
from commonwatt.model.money import round_div


class Due(NamedTuple):
    """What a utility owes for a window, and what its member owes for what was missed; micro, zero or more."""

    payment_micro: int
    availability_micro: int
    penalty_micro: int

    @property
    def net_micro(self) -> int:
        """What the utility pays in the end; below zero where the member does."""
        return self.payment_micro + self.availability_micro - self.penalty_micro


def rate_micro_per_kwh(terms: Terms, window: Window, grid: tuple[int, int]) -> int:
    """Return what a utility pays for a kWh in one slot.

    In place of the grid's price means the difference to it: who charges has paid the grid's import price, who gives
    back has got its export price. It never turns round, and never exceeds what the terms name as the most.

    Args:
        terms: The contract's.
        window: The one that was called.
        grid: What the grid takes and gives in that slot, micro per kWh.
    """
    if terms.basis is Basis.ON_TOP:
        return window.price_micro_per_kwh
    bought, sold = grid
    charges = window.direction is Direction.CHARGE
    more = bought - window.price_micro_per_kwh if charges else window.price_micro_per_kwh - sold
    return max(0, min(terms.most_micro_per_kwh, more))


def due(
    terms: Terms, *, promised_wh: int, delivered_wh: int, rates: Sequence[int], availability_micro: int, called: bool
) -> Due:
    """Return what a window comes to.

    Args:
        terms: The contract's.
        promised_wh: For the time that was called, Wh.
        delivered_wh: From zero to what was promised.
        rates: `rate_micro_per_kwh` of the slots that were called and are known; their mean is paid.
        availability_micro: For the whole window.
        called: Whether anything was asked for; where not, only availability is owed.
    """
    if not called or not promised_wh:
        return Due(0, availability_micro, 0)
    missed_wh = promised_wh - delivered_wh
    whole = delivered_wh * 1000 >= promised_wh * terms.whole_permille
    if whole:
        missed_wh = 0
    penalty = cost_micro(missed_wh, terms.penalty_micro_per_kwh)
    if terms.rule is PaymentRule.ALL_OR_NOTHING and not whole:
        return Due(0, 0, penalty)
    rate = round_div(sum(rates), len(rates)) if rates else 0
    earned = availability_micro if whole else availability_micro * delivered_wh // promised_wh
    return Due(cost_micro(delivered_wh, rate), earned, penalty)


def availability_micro(terms: Terms, power_w: int, seconds: int) -> int:
    """Return what standing by comes to, rounded down."""
    return terms.availability_micro_per_kw_h * power_w * seconds // 3_600_000


def most_paid_micro(terms: Terms, charge_w: int, give_back_w: int) -> int:
    """Return the most that one window can cost the utility, for what one member promises."""
    return max(
        -(-power_w * window.longest_s * terms.most_micro_per_kwh // 3_600_000)
        + 1
        + availability_micro(terms, power_w, window.longest_s)
        for window, power_w in _promises(terms, charge_w, give_back_w)
    )


def most_penalty_micro(terms: Terms, charge_w: int, give_back_w: int) -> int:
    """Return the most that one window can cost a member."""
    if not terms.penalty_micro_per_kwh:
        return 0
    return max(
        -(-power_w * window.longest_s * terms.penalty_micro_per_kwh // 3_600_000) + 1
        for window, power_w in _promises(terms, charge_w, give_back_w)
    )


def promised_w(window: Window, charge_w: int, give_back_w: int) -> int:
    """Return the power that was promised for a window's direction."""
    return charge_w if window.direction is Direction.CHARGE else give_back_w


def _promises(terms: Terms, charge_w: int, give_back_w: int) -> list[tuple[Window, int]]:
    return [(window, promised_w(window, charge_w, give_back_w)) for window in terms.windows]
