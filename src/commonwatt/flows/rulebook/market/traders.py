"""Who trades in slots, in columns: for rules that look at whole arrays of orders."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.flows.rulebook.state import State
from commonwatt.market.call.staged import Tree, tree
from commonwatt.model import SLOT_SECONDS, AccountId, AssetKind

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traders:
    """What the registry says of each account in the slot market, by its number there.

    Args:
        zones: The zones in which they trade.
        zone: Each one's place among them.
        most_in_wh: What its connection can take in a slot.
        most_out_wh: What it can give.
        makes: Whether it has a solar roof to sell from.
        account: Its number in the books.
        meter: The place of its connection among all meters; below zero where it has none.
    """

    zones: Tree
    zone: NDArray[np.int32]
    most_in_wh: Numbers
    most_out_wh: Numbers
    makes: NDArray[np.bool_]
    account: Numbers
    meter: Numbers


def traders(state: State) -> Traders:
    """Return the columns as the registry stands; made anew when it changes, or when somebody comes to trade."""
    names = state.slot_market.names()
    version, before = state.traders or (-1, None)
    if not isinstance(before, Traders) or version != state.registry_version:
        before = None
    if before is None or len(before.zone) != len(names):
        before = _traders(state, before)
        state.traders = (state.registry_version, before)
    return before


def zone_of(state: State, account: AccountId) -> str:
    """Return the zone of an account's connection; without one the outermost."""
    connection = state.connections.get(account)
    return state.assets[connection].zone if connection is not None else ""


def _traders(state: State, before: Traders | None) -> Traders:
    """Return all columns; where only traders came, those of the others stay as they are."""
    names = state.slot_market.names()
    told = 0 if before is None else len(before.zone)
    zones = before.zones if before is not None else _zones(state)
    place = {name: n for n, name in enumerate(zones.names)}
    points = [state.assets[state.connections[a]] if a in state.connections else None for a in names[told:]]
    makers = {asset.owner for asset in state.assets.values() if asset.kind is AssetKind.SOLAR}
    more = Traders(
        zones=zones,
        zone=np.array([place.get(point.zone, 0) if point else 0 for point in points], np.int32),
        most_in_wh=_most_wh([point.max_import_w if point else 0 for point in points]),
        most_out_wh=_most_wh([point.max_export_w if point else 0 for point in points]),
        makes=np.array([account in makers for account in names[told:]], np.bool_),
        account=np.array([state.accounts.number(account) for account in names[told:]], np.int64),
        meter=np.array([state.readings.number(point.id) if point else -1 for point in points], np.int64),
    )
    if before is None:
        return more
    return Traders(
        zones=zones,
        zone=np.concatenate([before.zone, more.zone]),
        most_in_wh=np.concatenate([before.most_in_wh, more.most_in_wh]),
        most_out_wh=np.concatenate([before.most_out_wh, more.most_out_wh]),
        makes=np.concatenate([before.makes, more.makes]),
        account=np.concatenate([before.account, more.account]),
        meter=np.concatenate([before.meter, more.meter]),
    )


def _zones(state: State) -> Tree:
    """Return the registered zones, and those that only connections name; without any, everybody is in one."""
    if not state.zones:
        return tree(())
    named = (state.assets[connection].zone for connection in state.connections.values())
    return tree(state.zones.values(), dict.fromkeys(named))


def _most_wh(limits_w: list[int]) -> Numbers:
    return np.array(limits_w, np.int64) * SLOT_SECONDS // 3600
