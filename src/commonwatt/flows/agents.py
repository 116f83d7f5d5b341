"""What members' agents do next in the WATT book: read from the state alone, signed by whoever may order for them."""

from collections.abc import Iterator
from hashlib import sha256

from msgspec import Struct

from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.market import agency, order_bodies
from commonwatt.market.agents import outlived
from commonwatt.model import AccountId, Kind, Order
from commonwatt.tokens.watt import thresholds


def acts(state: State, log_root: bytes, slot_s: int) -> Iterator[tuple[AccountId, Kind, Struct]]:
    """Yield what each member's agent asks for, member by member: back what has lost its reason, then what it wants.

    Every agent sees the same moment; none sees what another is about to do. Who goes first is drawn anew for every
    slot, so that nobody comes first because of a name.

    Args:
        state: As it stands.
        log_root: Root over all leaves that led to it.
        slot_s: After which slot they act.
    """
    for owner in sorted(state.agents, key=lambda account: _lot(log_root, slot_s, account)):
        standing = state.book.of(owner)
        gone = [order for order in standing if order.by_agent and _has_lost_its_reason(state, order)]
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


def _has_lost_its_reason(state: State, order: Order) -> bool:
    """Tell whether a balance has passed what an order was for, or its member has promised elsewhere what it needs."""
    low_wh, high_wh = thresholds(state.charter.b_max_wh)
    most_wh = agency.most_wh(state, order.owner, order.side, order.price_micro_per_kwh)
    return order.energy_wh > most_wh or outlived(order.side, state.watt(order.owner), low_wh, high_wh)


def _lot(log_root: bytes, slot_s: int, account: AccountId) -> bytes:
    """Return an account's place in a slot: whoever has the log can draw it again."""
    return sha256(log_root + slot_s.to_bytes(8) + account.encode()).digest()
