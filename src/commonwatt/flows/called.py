"""What contracts that are called ask: of stores, statements that a plan keeps as a contract's, below owners'; of homes,
what no forecast should take for their usual.
"""

from collections.abc import Iterator, Mapping

from commonwatt.flows.rulebook import State
from commonwatt.market.contracts import Direction, Status
from commonwatt.market.contracts.paying import promised_w
from commonwatt.model import (
    AccountId,
    AssetKind,
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


def asked_of_homes(state: State) -> Mapping[AccountId, tuple[tuple[int, int], ...]]:
    """Return when each home was asked, under a contract on its whole connection, to use more or less than it would.

    What it did then is no habit. Contracts that ended are known until nothing can be corrected of them any more. What
    is asked of a store is no matter: it is metered beside the home's own use.

    Returns:
        By owner, the parts of windows that were called: seconds since 1970, the end not in it.
    """
    found = dict[AccountId, list[tuple[int, int]]]()
    for one in state.contracted.book.contracts.values():
        asset = state.assets.get(one.asset)
        if asset is not None and asset.kind is AssetKind.CONNECTION:
            found.setdefault(asset.owner, []).extend(call.called for call in one.calls if call.called is not None)
    return {owner: tuple(windows) for owner, windows in found.items() if windows}
