"""What a member's agents would order, from two prices and a meter: they decide, the member's key signs."""

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
