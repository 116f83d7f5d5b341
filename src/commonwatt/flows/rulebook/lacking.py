"""What a request that was not backed asked for and what stood behind it: so much is missing."""

from collections.abc import Mapping

from commonwatt.flows.rulebook.charging.licence_bodies import BuyLicence
from commonwatt.flows.rulebook.charging.session_bodies import Authorise
from commonwatt.flows.rulebook.market import order_bodies, sale_bodies
from commonwatt.flows.rulebook.market.auctions import auction_bodies, holding
from commonwatt.flows.rulebook.market.contracts.contract_bodies import Accept
from commonwatt.flows.rulebook.market.slot_market import needed_micro
from commonwatt.flows.rulebook.state import State
from commonwatt.flows.rulebook.tokens import wallet_bodies
from commonwatt.flows.rulebook.tokens.backing import collateral_micro, free
from commonwatt.flows.rulebook.tokens.crossing_bodies import SendOut
from commonwatt.market.contracts import most_penalty_micro
from commonwatt.model import AccountId, Commodity, Side, cost_micro

_UNITS = {Commodity.ENERGY: "wh", Commodity.WATT: "wh", Commodity.ERGON: "micro", Commodity.TSL: "micro_tsl"}


def lacking(state: State, account: AccountId, body: object) -> Mapping[str, int | str]:
    """Return the token, how much of it a request needs, and how much is free for it.

    Args:
        state: As it stands after the request, which changed nothing.
        account: For whom it was asked.
        body: What `bodies.read_body` made of its body.

    Returns:
        ``token``, and ``asked_wh`` with ``backed_wh`` of WATT, ``asked_micro`` with ``backed_micro`` of ERGON,
        ``asked_micro_tsl`` with ``backed_micro_tsl`` of TSL; nothing where it lacks another thing than own tokens.
    """
    found = _needed(state, account, body)
    if found is None:
        return {}
    commodity, asked = found
    backed = max(0, free(state, account, commodity))
    if asked <= backed:
        return {}  # time has passed, or it was another side's to back
    unit = _UNITS[commodity]
    return {"token": commodity.name, f"asked_{unit}": asked, f"backed_{unit}": backed}


def _needed(state: State, account: AccountId, body: object) -> tuple[Commodity, int] | None:
    match body:
        case wallet_bodies.Give() | wallet_bodies.Reserve() | SendOut():
            return body.commodity, body.amount
        case sale_bodies.Listing():
            return Commodity.WATT, body.energy_wh
        case auction_bodies.Offer():
            bid = state.auctions.get(body.auction)
            return None if bid is None else holding.promise(state, bid, body.amount, body.price_micro_per_kwh)
        case _:
            micro = _needed_micro(state, account, body)
            return None if micro is None else (Commodity.ERGON, micro)


def _needed_micro(state: State, account: AccountId, body: object) -> int | None:
    """Return the ERGON that a request needs; None where it is about something else."""
    match body:
        case order_bodies.SlotOrder():
            return needed_micro(state, account, body)
        case order_bodies.WattOrder() if body.side is Side.ASK:
            return collateral_micro(state, account, body.energy_wh) - collateral_micro(state, account)
        case order_bodies.Sealed():
            return state.charter.sealed_bond_micro
        case wallet_bodies.PayoutRequest():
            return body.amount_micro
        case Authorise():
            return body.most_micro
        case BuyLicence():
            return body.months * (state.charter.licence_micro_per_month or 0)
        case sale_bodies.Take():
            listed = state.listings.get(body.listing)
            return None if listed is None else cost_micro(body.energy_wh, listed.price_micro_per_kwh)
        case Accept():
            offer = state.contracted.book.offers.get(body.offer)
            if offer is None:
                return None
            return most_penalty_micro(offer.terms, body.charge_w, body.give_back_w) * offer.terms.most_windows
        case _:
            return None
