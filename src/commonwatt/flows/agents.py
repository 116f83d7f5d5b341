"""What members' agents do next in the WATT book: read from the state alone, signed by whoever may order for them."""

from collections.abc import Iterator

from msgspec import Struct

from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.market import agency, order_bodies
from commonwatt.market.agents import outlived
from commonwatt.model import AccountId, Kind
from commonwatt.tokens.watt import thresholds


def acts(state: State) -> Iterator[tuple[AccountId, Kind, Struct]]:
    """Yield what each member's agent asks for, member by member: back what has lost its reason, then what it wants.

    Every agent sees the same moment and goes in the order of names; none sees what another is about to do.
    """
    low_wh, high_wh = thresholds(state.charter.b_max_wh)
    for owner in sorted(state.agents):
        standing = state.book.of(owner)
        gone = [one for one in standing if one.by_agent and outlived(one.side, state.watt(owner), low_wh, high_wh)]
        for order in gone:
            yield owner, Kind.CANCEL, order_bodies.CancelBody(order=order.id)
        wish = agency.wanted(state, owner, has_open_order=len(gone) < len(standing))
        if wish:
            side, energy_wh, price = wish
            yield (
                owner,
                Kind.ORDER,
                order_bodies.WattOrder(side=side, energy_wh=energy_wh, price_micro_per_kwh=price, by_agent=True),
            )
