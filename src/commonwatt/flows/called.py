"""What contracts that are called ask of their stores: statements that a plan keeps as a contract's, below owners'."""

from collections.abc import Iterator

from commonwatt.flows.rulebook import State
from commonwatt.market.contracts import Direction, Status
from commonwatt.market.contracts.paying import promised_w
from commonwatt.model import (
    Constraint,
    Interval,
    Priority,
    Quantity,
    Relation,
    epoch,
    instant,
)


def called(state: State, ahead: Interval) -> Iterator[Constraint]:
    """Yield a statement for each window that is called and not over: its store's power, from now to its end.

    A promise of a whole connection is measured against what it would have drawn, which a plan does not know: it is
    left to whoever made it.

    Args:
        state: With the contracts.
        ahead: What a plan looks at.
    """
    book = state.contracted.book
    for one in book.running():
        asset, offer = state.assets[one.asset], book.offers[one.offer]
        if not asset.stores:
            continue
        for call in one.calls:
            if call.status is not Status.CALLED or call.called is None:
                continue
            start_s, end_s = max(call.called[0], epoch(ahead.start)), min(call.called[1], epoch(ahead.end))
            if start_s >= end_s:
                continue
            window = offer.terms.windows[call.window]
            power_w = promised_w(window, one.charge_w, one.give_back_w)
            charges = window.direction is Direction.CHARGE
            yield Constraint(
                quantity=Quantity.POWER,
                scope=(asset.id,),
                relation=Relation.AT_LEAST if charges else Relation.AT_MOST,
                value=power_w if charges else -power_w,
                window=Interval(instant(start_s), instant(end_s)),
                priority=Priority.CONTRACT,
                author=offer.utility,
            )
