"""Rules for sharing keys and imbalance prices: what a slot is settled by beside its trades and the grid's prices.

A key is registered by the operator and holds from a later slot on, so that nobody can choose it knowing what was
metered. An imbalance price is the oracle's fact about a slot that is not settled yet.
"""

from collections.abc import Iterable
from dataclasses import astuple

import numpy as np

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.settlement.sharing_bodies import SharingBody, SharingKey, accounts_of
from commonwatt.flows.rulebook.state import State
from commonwatt.model import MARKET, SLOT_SECONDS, AccountId, Commodity, Entry, Memo, Outcome, Trade, round_div
from commonwatt.settlement.settle import Imbalance
from commonwatt.settlement.sharing import Sharing, SharingTerms

MOST_KEYS = 8
"""Sharing keys that may wait for their slot."""


def register_key(state: State, body: SharingKey, stamped_s: int) -> Outcome:
    """Take in how is shared from a slot on that has not begun; each key begins after all that were registered before.

    A key that has come into force replaces the one before it once its first slot is settled.
    """
    if body.from_s % SLOT_SECONDS or body.from_s <= max(stamped_s, *state.sharing, 0):
        return Outcome.TOO_LATE
    if any(not state.keys.has_role(account, "member") for account in accounts_of(body.sharing)):
        return Outcome.UNKNOWN_THING
    if len(state.sharing) > MOST_KEYS:
        return Outcome.OVER_LIMIT
    state.sharing[body.from_s] = body.sharing
    return Outcome.BOOKED


def imbalance_fact(state: State, body: bodies.FactBody) -> Outcome:
    """Take in imbalance prices; one that is told never changes, and none is told of a settled slot."""
    if state.charter.settlement.imbalance != "told":
        return Outcome.NOT_ALLOWED
    if body.start_s % SLOT_SECONDS:
        return Outcome.OVER_LIMIT
    told = {body.start_s + n * SLOT_SECONDS: price for n, price in enumerate(body.imbalance)}
    told = {slot_s: price for slot_s, price in told.items() if slot_s >= state.settled_to_s}
    if not told:
        return Outcome.TOO_LATE
    if any(slot_s in state.imbalance for slot_s in told):
        return Outcome.ALREADY_THERE
    state.imbalance.update(told)
    return Outcome.BOOKED


def imbalance_due(state: State, slot_s: int) -> bool:
    """Tell whether settlement should wait for a slot's imbalance price: nothing was traded where none is needed."""
    waits = state.charter.settlement.imbalance == "told" and slot_s not in state.imbalance
    return waits and bool(_trades(state, slot_s))


def stake_micro(state: State, energy_wh: int) -> int:
    """Return what must stand behind energy that somebody agrees to send or take; 0 where trades are not firm."""
    return state.charter.settlement.stake_micro(energy_wh)


def imbalance_prices(state: State, slot_s: int) -> Imbalance | None:
    """Return what is paid in a slot for what was traded and not delivered; None where it lapses.

    Who lacks pays the dearer of the grid's two prices and who has too much gets the lower, so that whatever passes
    between the grid and those who failed, the account in between is never out of pocket. Where the grid itself is
    dearer than the charter's most, no stake covers a lack, and trades lapse.

    A told price is known before a silent meter reports, and what it reports late is the grid's. So who was not heard
    gets the worse of the told and the grid's price: keeping silent is no choice between the two.
    """
    terms = state.charter.settlement
    most, markup = terms.imbalance_most_micro_per_kwh, terms.imbalance_markup_micro_per_kwh
    long, short = sorted(state.prices[slot_s])
    if terms.imbalance == "none" or max(short, -long) > most:
        return None
    told = state.imbalance.get(slot_s)
    worst = (short, long) if told is None else (max(short, told), min(long, told))
    if told is not None:
        short = long = told

    def bounded(price: int) -> int:
        return max(-most, min(most, price))

    return Imbalance(
        short=bounded(short + markup),
        long=bounded(long - markup),
        short_unheard=bounded(worst[0] + markup),
        long_unheard=bounded(worst[1] - markup),
    )


def key_in_force(state: State, slot_s: int) -> SharingBody:
    """Return by which key a slot is shared: the last that begins no later, the charter's where there is none."""
    begun = [from_s for from_s in state.sharing if from_s <= slot_s]
    return state.sharing[max(begun)] if begun else state.charter.settlement.sharing


def sharing_terms(state: State, slot_s: int) -> SharingTerms:
    """Return how a slot is shared, and what it costs."""
    told = key_in_force(state, slot_s)
    price = told.price_micro_per_kwh
    return SharingTerms(
        key=Sharing(told.key),
        price_micro_per_kwh=round_div(sum(state.prices[slot_s]), 2) if price is None else price,
        fee_micro_per_kwh=told.fee_micro_per_kwh,
        permille={AccountId(name): part for name, part in told.permille.items()},
        redistribute=told.redistribute,
    )


def one_by_one(state: State, slot_s: int) -> bool:
    """Tell whether even connections without trades must be settled one by one: what is theirs is shared or compared."""
    return key_in_force(state, slot_s).key != "none" or state.charter.settlement.equalise != "none"


def most_micro(state: State, slot_s: int) -> int:
    """Return what imbalance and sharing of a slot can come to at most, in micro."""
    imbalance, shared, owed = imbalance_prices(state, slot_s), sharing_terms(state, slot_s), 0
    if imbalance is not None:
        prices = max(abs(price) for price in astuple(imbalance))
        # Paid as agreed, made up for by the one who stands in, and the lack on either side.
        owed += sum(
            4 * (t.energy_wh * max(prices, abs(t.price_micro_per_kwh)) // 1000 + 1) for t in _trades(state, slot_s)
        )
    if shared.key is not Sharing.NONE and slot_s in state.readings:
        slot = state.readings.at(slot_s)
        price = max(abs(shared.price_micro_per_kwh), shared.fee_micro_per_kwh)
        owed += 3 * (int(slot.import_wh.sum(dtype=np.int64)) * price // 1000 + len(slot.quality))
    return owed


def most_wh(state: State, slot_s: int) -> int:
    """Return what energy the two can move at most beyond what meters told, in Wh."""
    return 0 if imbalance_prices(state, slot_s) is None else 2 * sum(t.energy_wh for t in _trades(state, slot_s))


def _trades(state: State, slot_s: int) -> list[Trade]:
    clearing = state.slot_market.clearing(slot_s)
    return [*state.auctions.trades(slot_s), *(clearing.trades if clearing else ())]


def bought_wh(entries: Iterable[Entry]) -> int:
    """Return what members paid others for of what was shared in a slot, in Wh: nobody pays themselves."""
    return sum(
        entry.amount
        for entry in entries
        if entry.commodity is Commodity.ENERGY
        and (
            entry.memo == Memo.SHARED_IMPORT
            or (entry.memo == Memo.SHARED and MARKET not in (entry.source, entry.target))
        )
    )


def let_go(state: State) -> None:
    """Forget what settled slots alone were settled by."""
    for slot_s in [slot_s for slot_s in state.imbalance if slot_s < state.settled_to_s]:
        del state.imbalance[slot_s]
    begun = [from_s for from_s in state.sharing if from_s <= state.settled_to_s]
    for from_s in begun[:-1]:
        del state.sharing[from_s]
