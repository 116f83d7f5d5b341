"""Rules that measure what an asset delivered in a window, by its own meter, and remember its days for later ones.

Only what a registered meter measured counts: an estimate earns nothing. Readings that are still at hand are looked up
among them, all earlier ones in the columns of days that the contracts keep. A baseline is made once, when a window is
first measured; a reading that is corrected before the window is paid changes what was delivered, not the baseline.
"""

from datetime import date, datetime, time, timedelta
from functools import lru_cache

from commonwatt.flows.rulebook.columns import columns
from commonwatt.flows.rulebook.state import State
from commonwatt.market.contracts.payment import Due, Slot, availability, due, promised_wh
from commonwatt.market.contracts.standing import Call, Contract, Part
from commonwatt.market.contracts.terms import Baseline, Direction
from commonwatt.metering.baseline import ADJUST_SLOTS, baseline_wh, mean_of_like_days
from commonwatt.metering.batch import Quality
from commonwatt.metering.table import UNTOLD
from commonwatt.model import (
    SLOT_SECONDS,
    Asset,
    AssetId,
    AssetKind,
    epoch,
    instant,
    moment,
    zone_of,
)

_SLOT_MINUTES = SLOT_SECONDS // 60


def at_hand(state: State, call: Call) -> bool:
    """Tell whether the readings of a call's slots are still known one by one."""
    return call.from_s >= state.contracts.at_hand_s


def make_baseline(state: State, contract: Contract, call: Call, part: Part) -> tuple[int | None, ...]:
    """Return what the part's meter would have taken in each slot of a call, in Wh; see `metering.baseline`."""
    if contract.terms.baseline is Baseline.METERED_SETPOINT:
        return (0,) * len(call.slots)
    zone = state.charter.timezone
    days = state.contracts.days[part.asset]

    def net(day: int, place: int) -> int | None:
        slot_s = _slot_s(zone, day, place)
        if slot_s >= state.contracts.at_hand_s:
            return net_wh(state, part.asset, slot_s)
        return days.net_wh(day, place)

    def mean(slot_s: int) -> int | None:
        return mean_of_like_days(net, *place_of(zone, slot_s), days.called)

    last_s = call.told_s // SLOT_SECONDS * SLOT_SECONDS
    before = [s for s in range(last_s - ADJUST_SLOTS * SLOT_SECONDS, last_s, SLOT_SECONDS) if _known(state, s)]
    took = [net_wh(state, part.asset, slot_s) for slot_s in before]
    means = [mean(slot_s) for slot_s in before]
    return baseline_wh([mean(slot_s) for slot_s in call.slots], (took, means), contract.terms.adjust_permille)


def deliver(
    state: State, contract: Contract, call: Call, part: Part, baseline: tuple[int | None, ...]
) -> tuple[int, int, Due]:
    """Return what a part promised and delivered, in Wh, and what that comes to."""
    terms, way = contract.terms, call.window.direction
    slots = [_slot(state, contract, call, part, baseline, place) for place in range(len(call.slots))]
    promised = sum(slot.promised_wh for slot in slots)
    # Who let the asset be moved stood ready, and so did who was called and never told what to do.
    stood = part.ready or promised > 0
    available_micro = availability(terms, part.power_w, call.window.seconds) if stood else 0
    delivered, owed = due(terms, way, available_micro, slots)
    return promised, delivered, owed


def net_wh(state: State, asset: AssetId, slot_s: int) -> int | None:
    """Return import less export that an asset's meter measured in a slot that is at hand, Wh; None where it did not."""
    slot, number = state.readings.get(slot_s), state.readings.number(asset)
    if slot is None or number >= len(slot.quality):
        return None
    quality = int(slot.quality[number])
    if quality == UNTOLD or not Quality(quality).mints:
        return None
    return int(slot.import_wh[number]) - int(slot.export_wh[number])


def note_days(state: State) -> None:
    """Put readings that will soon be out of reach into the columns of their days, and let go of what nobody needs."""
    contracts, horizon_s, zone = state.contracts, state.horizon_s, state.charter.timezone
    if not contracts.days or horizon_s <= contracts.at_hand_s:
        return
    for slot_s in sorted(s for s in state.readings if contracts.at_hand_s <= s < horizon_s):
        for asset, days in contracts.days.items():
            wh = net_wh(state, asset, slot_s)
            if wh is not None:
                days.note(*place_of(zone, slot_s), wh)
    first, watched = place_of(zone, horizon_s)[0], contracts.watched()
    for asset in sorted(contracts.days):
        # A meter that is promised no more is kept while a day is known on which it was called.
        if contracts.days[asset].forget_calls(first) and asset not in watched:
            del contracts.days[asset]


def mark_called(state: State, call: Call) -> None:
    """Take the days of a call out of what is normal for the meters that saw it."""
    zone = state.charter.timezone
    days = {place_of(zone, slot_s)[0] for slot_s in call.slots}
    for part in call.parts.values():
        moved = state.assets[part.asset]
        for asset in columns(state).owned.get(part.account, ()):
            if asset.id in state.contracts.days and one_meter(asset, moved):
                for day in sorted(days):
                    state.contracts.days[asset.id].call(day)


def one_meter(one: Asset, other: Asset) -> bool:
    """Tell whether what one asset's meter sees the other's sees too: it is the same, or the connection of both."""
    connection = AssetKind.CONNECTION in (one.kind, other.kind)
    return one.id == other.id or (connection and one.owner == other.owner)


@lru_cache(65_536)
def place_of(zone: str, slot_s: int) -> tuple[int, int]:
    """Return a slot's local day, as `date.toordinal` counts, and its place in it, 0 to 95."""
    local = instant(slot_s).astimezone(zone_of(zone))
    return local.date().toordinal(), (60 * local.hour + local.minute) // _SLOT_MINUTES


@lru_cache(65_536)
def _slot_s(zone: str, day: int, place: int) -> int:
    shown = datetime.combine(date.fromordinal(day), time()) + timedelta(minutes=place * _SLOT_MINUTES)
    return epoch(moment(shown, zone_of(zone)))


def _known(state: State, slot_s: int) -> bool:
    return state.contracts.at_hand_s <= slot_s < state.settled_to_s


def _slot(
    state: State, contract: Contract, call: Call, part: Part, baseline: tuple[int | None, ...], place: int
) -> Slot:
    way, slot_s = call.window.direction, call.from_s + place * SLOT_SECONDS
    promised, base = promised_wh(part.power_w), baseline[place]
    took = net_wh(state, part.asset, slot_s)
    sign = 1 if way is Direction.CHARGE else -1
    moved = None if took is None or base is None else sign * (took - base)
    if base is None:
        promised = 0  # there is nothing to compare with, so nothing is owed either way
    elif contract.terms.baseline is Baseline.METERED_SETPOINT:
        instructed = part.instructed_wh[place]
        if instructed is not None:
            promised = min(promised, max(0, sign * instructed))
        elif part.ready:
            promised = 0  # nobody asked
        else:
            moved = None if moved is None else 0
    prices = state.prices.get(slot_s)
    grid = 0 if prices is None else prices[0 if way is Direction.CHARGE else 1]
    return Slot(promised_wh=promised, moved_wh=moved, grid_micro_per_kwh=grid)
