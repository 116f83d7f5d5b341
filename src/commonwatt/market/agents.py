"""What a member's agents would order, from two prices and a meter: they decide, the member's key signs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from commonwatt.model import InvalidValue, Side


def zi_order(
    balance_wh: int, t_lo_wh: int, t_hi_wh: int, p_buy: int, p_sell: int, *, has_open_order: bool
) -> tuple[Side, int, int] | None:
    """Return the WATT order that brings a balance back to its nearer threshold, or None (row E7).

    Args:
        balance_wh: The member's WATT in base units, 1 = 1 Wh.
        t_lo_wh: At or below this the agent buys up to it.
        t_hi_wh: At or above this the agent sells down to it.
        p_buy: The member's purchase price, micro per kWh.
        p_sell: The member's selling price, micro per kWh.
        has_open_order: Whether an order of the member already rests in the book.

    Returns:
        Side, Wh and limit in micro per kWh; None between and exactly on the thresholds, or while an order is open.

    Raises:
        InvalidValue: The purchase price is not below the selling price, or the thresholds are the wrong way round.

    Source: energo-dae, Zero-Intelligence agents; MISSION, Formulas of the Energo document.
    """
    if p_buy >= p_sell:
        raise InvalidValue(f"a purchase price is below the selling price, was {p_buy} against {p_sell} micro per kWh")
    if t_lo_wh > t_hi_wh:
        raise InvalidValue(f"the low threshold is at most the high one, was {t_lo_wh} against {t_hi_wh} Wh")
    if has_open_order:
        return None
    if balance_wh > t_hi_wh:
        return Side.ASK, balance_wh - t_hi_wh, p_sell
    if balance_wh < t_lo_wh:
        return Side.BID, t_lo_wh - balance_wh, p_buy
    return None


def outlived(side: Side, balance_wh: int, t_lo_wh: int, t_hi_wh: int) -> bool:
    """Tell whether a resting WATT order has lost its reason, so that its agent takes it back.

    A bid stands for a balance at or below the low threshold, an ask for one at or above the high one. Without this,
    a member whose own sun filled the shortfall would keep a bid that forbids the sale of what came after.
    """
    return balance_wh > t_lo_wh if side is Side.BID else balance_wh < t_hi_wh


def slot_order(expected_import_wh: int, import_price: int, export_price: int) -> tuple[Side, int, int] | None:
    """Return the slot-auction order of a member who would rather deal with neighbours than with the grid, or None.

    The limit is what the grid would do anyway: any trade at all is then at least as good as none.

    Args:
        expected_import_wh: Forecast at the connection point over the slot; below zero for export.
        import_price: What the grid takes, in micro per kWh.
        export_price: What the grid gives, in micro per kWh.

    Returns:
        Side, Wh and limit in micro per kWh; None where nothing is expected, or where there is no auction because the
        export price is not below the import price.
    """
    if expected_import_wh == 0 or export_price >= import_price:
        return None
    if expected_import_wh > 0:
        return Side.BID, expected_import_wh, import_price
    return Side.ASK, -expected_import_wh, export_price


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is expected of one slot.

    Args:
        slot_s: Its start, seconds since 1970.
        quantiles: Rising levels in thousandths, above 0 and below 1000, each with the net import in Wh (below zero for
            export) that is not exceeded with that probability.
        import_price: What the grid takes, micro per kWh.
        export_price: What the grid gives.

    Raises:
        InvalidValue: There is no quantile, or levels or energies do not rise.
    """

    slot_s: int
    quantiles: tuple[tuple[int, int], ...]
    import_price: int
    export_price: int

    def __post_init__(self) -> None:
        levels = [0, *(level for level, _ in self.quantiles), 1000]
        energies = [wh for _, wh in self.quantiles]
        if not energies or any(a >= b for a, b in pairwise(levels)) or energies != sorted(energies):
            raise InvalidValue(f"quantiles rise, in level and in energy, was {self.quantiles}")


@dataclass(frozen=True, slots=True)
class SlotWish:
    """An order for a slot: side, Wh and limit in micro per kWh."""

    slot_s: int
    side: Side
    energy_wh: int
    price_micro_per_kwh: int


def forecast_orders(expected: Sequence[Expected], buy_limit: int, sell_limit: int) -> list[SlotWish]:
    """Return slot orders in price steps from what is expected: the surer a Wh is, the more it is worth to deal in it.

    A Wh that is bought and not needed goes to the grid at the export price, and one that was sold and is not there
    comes from the grid at the import price. So a Wh that is needed with probability P is worth
    ``export + P * (import - export)``, and one that is there with probability P costs the seller
    ``import - P * (import - export)``: at any price within these limits the expected bill is no higher than with the
    grid alone. P is the least that the quantiles leave open. Wh beyond the last quantile are not dealt in.

    Args:
        expected: Slot by slot.
        buy_limit: The most that the member pays, micro per kWh.
        sell_limit: The least that the member takes.

    Returns:
        Per slot orders of one side, on which more is expected, best price first, one a price; none where the export
        price is not below the import price.

    Source: the newsvendor's critical ratio; Arrow, Harris & Marschak, Optimal Inventory Policy, 1951.
    """
    wishes: list[SlotWish] = []
    for slot in expected:
        if slot.export_price >= slot.import_price:
            continue
        bought = _steps([(1000 - level, wh) for level, wh in slot.quantiles])
        sold = _steps([(level, -wh) for level, wh in reversed(slot.quantiles)])
        if not bought and not sold:
            continue
        gap, buys = slot.import_price - slot.export_price, _weight(bought) >= _weight(sold)
        priced: dict[int, int] = {}
        for permille, wh in bought if buys else sold:
            if buys:
                price = min(buy_limit, slot.export_price + permille * gap // 1000)
            else:
                price = max(sell_limit, slot.import_price - permille * gap // 1000)
            if slot.export_price <= price <= slot.import_price:  # else the grid is better
                priced[price] = priced.get(price, 0) + wh
        side = Side.BID if buys else Side.ASK
        wishes += [SlotWish(slot.slot_s, side, wh, price) for price, wh in priced.items()]
    return wishes


def _steps(levels: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return how surely, in thousandths, and how many Wh lie between one quantile above zero and the next."""
    steps, below_wh = [], 0
    for permille, wh in levels:
        if wh > below_wh:
            steps.append((permille, wh - below_wh))
            below_wh = wh
    return steps


def _weight(steps: Sequence[tuple[int, int]]) -> int:
    return sum(permille * wh for permille, wh in steps)
