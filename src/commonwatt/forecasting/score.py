"""How good a forecast was: the number that benchmarks of household load quote."""

from collections.abc import Sequence

from commonwatt.model import InvalidValue


def normalised_error(expected_wh: Sequence[int], measured_wh: Sequence[int]) -> float:
    """Return nMAE: the sum of absolute errors over the sum of what was measured; 0 is perfect.

    Raises:
        InvalidValue: The lists differ in length, or nothing was measured.
    """
    total = sum(measured_wh)
    if len(expected_wh) != len(measured_wh) or total <= 0:
        raise InvalidValue(
            f"a score compares equal lists of some energy, was {len(expected_wh)}, {len(measured_wh)}, {total} Wh"
        )
    return sum(abs(e - m) for e, m in zip(expected_wh, measured_wh, strict=True)) / total
