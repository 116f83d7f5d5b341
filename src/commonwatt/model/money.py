"""Money and shares in whole numbers: one rounding rule, one way to split, nothing lost."""

from collections.abc import Sequence

from commonwatt.model.errors import InvalidValue

MICRO = 1_000_000


def round_div(numerator: int, denominator: int) -> int:
    """Divide whole numbers, halves to even: the only rounding that money ever meets.

    Args:
        numerator: Any whole number.
        denominator: A whole number above zero.

    Raises:
        InvalidValue: The denominator is not above zero.

    Source: round-half-even, IEEE 754-2019 section 4.3.1, as in Python's ``round``.
    """
    if denominator <= 0:
        raise InvalidValue(f"a divisor is above zero, was {denominator}")
    quotient, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and quotient % 2):
        quotient += 1
    return quotient


def cost_micro(energy_wh: int, price_micro_per_kwh: int) -> int:
    """Return what an amount of energy costs, in millionths of the currency."""
    return round_div(energy_wh * price_micro_per_kwh, 1000)


def share_wh(total_wh: int, weights: Sequence[int]) -> list[int]:
    """Split whole units in proportion to the weights, losing none.

    Args:
        total_wh: What to split, in Wh (or any whole unit), zero or more.
        weights: One whole number per receiver, n values.

    Returns:
        n values that sum to total_wh; equal remainders favour the earlier receiver.

    Raises:
        InvalidValue: The total or a weight is negative, or no weight is above zero.

    Source: largest remainders (Hamilton); Balinski & Young, Fair Representation, 1982.
    """
    whole = sum(weights)
    if total_wh < 0 or whole == 0 or min(weights) < 0:
        raise InvalidValue(f"total and weights must be zero or more and not all zero, was {total_wh} by {weights}")
    shares = [total_wh * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: -(total_wh * weights[i] % whole))
    for i in by_remainder[: total_wh - sum(shares)]:
        shares[i] += 1
    return shares
