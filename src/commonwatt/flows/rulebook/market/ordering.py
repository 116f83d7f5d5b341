"""Rules for orders of either market, and for what takes them back: which market a request is for."""

from commonwatt.flows.rulebook.market import agency, sealing, slot_market, watt_book
from commonwatt.flows.rulebook.market import order_bodies as bodies
from commonwatt.flows.rulebook.state import State
from commonwatt.model import Outcome, Request


def order(state: State, request: Request, body: bodies.Ordering, position: int, stamped_s: int) -> Outcome:
    """Place an order where it belongs, or take one back from where it stands."""
    match body:
        case bodies.WattOrder():
            return watt_book.order(state, request.on_behalf_of, body, position, stamped_s)
        case bodies.SlotOrder():
            return slot_market.order(state, request, body, position, stamped_s)
        case bodies.Sealed():
            return sealing.seal(state, request.on_behalf_of, body, position, stamped_s)
        case bodies.Reveal():
            return sealing.reveal(state, request, body, position, stamped_s)
        case bodies.AgentOn() | bodies.AgentOff():
            return agency.switch(state, request.on_behalf_of, body)
        case bodies.Amend():
            return watt_book.amend(state, request.on_behalf_of, body)
        case bodies.CancelBody():
            if watt_book.cancel(state, request.on_behalf_of, body.order):
                return Outcome.BOOKED
            return slot_market.cancel(state, request.on_behalf_of, body.order)
