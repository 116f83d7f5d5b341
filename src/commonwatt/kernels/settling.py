"""Settle whole columns of trades against what meters counted, in compiled loops."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


def deliver(
    trades: NDArray[np.void], bidder: Numbers, asker: Numbers, import_wh: Numbers, export_wh: Numbers
) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Take each trade's energy from what its seller still exports and its buyer still imports, first come first served.

    Args:
        trades: With ``wh``, ``price`` and ``fee`` (micro per kWh), in the order in which they are served.
        bidder: Of each trade, who buys: a place in the next two.
        asker: Who sells.
        import_wh: What each counted in; what is left of it afterwards.
        export_wh: What each counted out; likewise.

    Returns:
        Of each place what it bought and what it sold, in Wh; what it got for both in micro, less what it paid, fees
        included; and of each trade what was delivered. Halves of a micro round to even, as `model.cost_micro` does.
    """
    bought, sold, micro = (np.zeros(len(import_wh), np.int64) for _ in range(3))
    delivered = np.zeros(len(trades), np.int64)
    _deliver(trades, bidder, asker, import_wh, export_wh, bought, sold, micro, delivered)
    return bought, sold, micro, delivered


@njit(nogil=True, cache=True)
def _cost(wh: int, price: int) -> int:
    product = wh * price
    whole, rest = product // 1000, product % 1000
    return whole + (1 if rest > 500 or (rest == 500 and whole & 1) else 0)


@njit(nogil=True, cache=True)
def _deliver(
    trades: Any, bidder: Any, asker: Any, import_wh: Any, export_wh: Any, bought: Any, sold: Any, micro: Any,
    delivered: Any,
) -> None:  # fmt: skip
    for i in range(len(trades)):
        trade, buyer, seller = trades[i], bidder[i], asker[i]
        wh = min(np.int64(trade.wh), import_wh[buyer], export_wh[seller])
        if wh > 0:
            import_wh[buyer] -= wh
            export_wh[seller] -= wh
            bought[buyer] += wh
            sold[seller] += wh
            paid = _cost(wh, int(trade.price))
            micro[seller] += paid
            micro[buyer] -= paid + _cost(wh, int(trade.fee))
            delivered[i] = wh
