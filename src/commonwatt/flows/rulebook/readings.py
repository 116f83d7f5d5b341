"""Rules for readings: what can be believed is kept for settlement, the rest is set aside with its reason.

Whole runs of batches are judged as arrays where every item is plain: measured, on time, of a meter that stores
nothing. All others, and all that arrays cannot believe, are judged one by one, by the rules that are also the
oracle of the arrays.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from commonwatt.flows.rulebook import late
from commonwatt.flows.rulebook.columns import Columns, columns
from commonwatt.flows.rulebook.state import SetAside, State
from commonwatt.metering.batch import ITEM_BYTES, ITEM_DTYPE, NO_LEVEL, Flag, Item, Quality, decode_items
from commonwatt.metering.check import fault
from commonwatt.model import SLOT_SECONDS, Asset, AssetId, AssetKind, GatewayId, Outcome, Reading

Places = NDArray[np.int64]
Flags = NDArray[np.bool_]
_FEW = 64
"""Records below which arrays are not worth their making."""


@dataclass(slots=True)
class Batch:
    """One admitted batch of readings: from which gateway, where it stands, and its packed records."""

    gateway: GatewayId
    position: int
    items: bytes
    outcome: Outcome = field(default=Outcome.BOOKED)


def apply_batches(state: State, batches: Sequence[Batch], stamped_s: int) -> None:
    """Believe what can be believed of several batches, as if one came after the other, and set their outcomes."""
    if not batches:
        return
    table = columns(state)
    run: list[Batch] = []
    plain = _plain(state, table, batches, stamped_s)
    for batch, is_plain in zip(batches, plain, strict=True):
        if is_plain:
            run.append(batch)
            continue
        _apply_run(state, table, run)
        run = []
        _apply_one_by_one(state, batch, stamped_s)
    _apply_run(state, table, run)


def _plain(state: State, table: Columns, batches: Sequence[Batch], stamped_s: int) -> list[bool]:
    """Tell which batches arrays can judge: known registers, plain measurements of slots that are open."""
    if sum(len(batch.items) for batch in batches) < _FEW * ITEM_BYTES:
        return [False] * len(batches)
    known = [batch.gateway in table.first for batch in batches]
    records, sizes = _records(batches)
    first = np.repeat([table.first.get(batch.gateway, (0, 0)) for batch in batches], sizes, axis=0)
    registers = records["register"].astype(np.int64)
    good = (registers < first[:, 1]) & (records["quality"] == Quality.MEASURED) & (records["flags"] == Flag.NONE)
    start_s = records["start_s"]
    good &= (records["seconds"] == SLOT_SECONDS) & (start_s % SLOT_SECONDS == 0)
    good &= (start_s >= state.settled_to_s) & (start_s + SLOT_SECONDS <= stamped_s) & (records["level_wh"] == NO_LEVEL)
    if len(table.behind):
        places = table.behind[np.where(good, first[:, 0] + registers, 0)]
        good &= ~table.stores[places]
    whole = np.logical_and.reduceat(good, np.cumsum(sizes) - sizes)
    return [bool(fits) and is_known for fits, is_known in zip(whole, known, strict=True)]


def _records(batches: Sequence[Batch]) -> tuple[NDArray[np.void], Places]:
    """Return the records of several batches end to end, and how many each has."""
    records = np.frombuffer(b"".join(batch.items for batch in batches), ITEM_DTYPE)
    return records, np.array([len(batch.items) // ITEM_BYTES for batch in batches], np.int64)


def _apply_run(state: State, table: Columns, run: list[Batch]) -> None:
    """Believe plain batches at once: a column at a time, slot by slot."""
    if not run:
        return
    records, sizes = _records(run)
    begins = np.repeat([table.first[batch.gateway][0] for batch in run], sizes)
    places = table.behind[begins + records["register"]]
    start_s, import_wh, export_wh = records["start_s"], records["import_wh"], records["export_wh"]
    good = (import_wh <= table.most_import_wh[places]) & (export_wh <= table.most_export_wh[places])
    good &= start_s >= table.joined_s[places]
    taken = _taken(state, start_s, places, good)
    good &= ~taken
    for slot_s in np.unique(start_s[good]).tolist():
        slot = state.readings.at(slot_s)
        here = np.flatnonzero((start_s == slot_s) & good)
        slot.import_wh[places[here]] = import_wh[here]
        slot.export_wh[places[here]] = export_wh[here]
        slot.quality[places[here]] = Quality.MEASURED
    _set_aside(state, run, sizes, good, taken)


def _taken(state: State, start_s: Places, places: Places, good: Flags) -> Flags:
    """Tell of which items meter and slot have a measurement already, believed before or earlier in the same run."""
    order = np.lexsort((np.arange(len(places)), places, start_s))
    new = np.ones(len(order), np.bool_)
    new[1:] = (start_s[order][1:] != start_s[order][:-1]) | (places[order][1:] != places[order][:-1])
    before: Places = np.cumsum(good[order]) - good[order]
    taken = np.zeros(len(order), np.bool_)
    taken[order] = before > before[np.flatnonzero(new)][np.cumsum(new) - 1]
    for slot_s in np.unique(start_s).tolist():
        if slot_s in state.readings:
            slot, here = state.readings.at(slot_s), np.flatnonzero(start_s == slot_s)
            taken[here] |= slot.quality[places[here]] == Quality.MEASURED
    return taken


def _set_aside(state: State, run: list[Batch], sizes: Places, good: Flags, taken: Flags) -> None:
    """Give each item that was not believed its reason, from the rules that judge one by one."""
    owner = np.repeat(np.arange(len(run)), sizes)
    begins = np.cumsum(sizes) - sizes
    for number in np.flatnonzero(~good).tolist():
        batch = run[owner[number]]
        at = (number - int(begins[owner[number]])) * ITEM_BYTES
        (item,) = decode_items(batch.items[at : at + ITEM_BYTES])
        asset = _asset(state, batch, item)
        assert asset is not None
        booked = item.reading(asset.id) if taken[number] else None
        why = _too_early(state, asset, item) or fault(item.reading(asset.id), asset, None, [booked] if booked else [])
        assert why is not None
        _doubt(state, batch, asset.id, item.start_s, why)


def _apply_one_by_one(state: State, batch: Batch, stamped_s: int) -> None:
    items = decode_items(batch.items)
    if any(item.start_s + item.seconds > stamped_s for item in items):
        batch.outcome = Outcome.NOT_ALLOWED  # nobody has measured what has not happened yet
        return
    for item in _in_time(items):
        asset = _asset(state, batch, item)
        if asset is None:
            _doubt(state, batch, f"{batch.gateway} register {item.register}", item.start_s, "no asset is registered")
        elif why := _why_not(state, asset, item):
            _doubt(state, batch, asset.id, item.start_s, why)
        else:
            _believe(state, asset, item)


def _in_time(items: Iterable[Item]) -> list[Item]:
    """Return items slot by slot, as they would have come had nothing been held up."""
    return sorted(items, key=lambda item: (item.start_s, item.register))


def _asset(state: State, batch: Batch, item: Item) -> Asset | None:
    behind = state.gateways[batch.gateway].assets
    return state.assets[behind[item.register]] if item.register < len(behind) else None


def _why_not(state: State, asset: Asset, item: Item) -> str | None:
    """Return why an item cannot be believed, or None."""
    if why := _too_early(state, asset, item):
        return why
    if not item.settles:
        return "interval is no slot"
    if item.start_s < state.settled_to_s:
        if item.start_s < state.horizon_s:
            return "slot is settled, and too long ago to be corrected"
        if item.start_s not in state.prices:
            return "slot is settled, and had no price"
    # A car's level changes while it drives; a battery's only by what is metered.
    before = None
    if asset.kind is not AssetKind.VEHICLE and item.start_s > state.horizon_s:
        before = state.readings.told(item.start_s - SLOT_SECONDS).get(asset.id)
    booked = state.readings.get(item.start_s)
    overlapping: list[Reading] = []
    if booked is not None and asset.id in booked:
        older = booked.quality_of(asset.id)
        corrects = Flag.CORRECTS in item.flags or older is not Quality.MEASURED
        if not (corrects and item.quality.replaces(older)):
            overlapping = [booked[asset.id]]
    return fault(item.reading(asset.id), asset, before, overlapping)


def _too_early(state: State, asset: Asset, item: Item) -> str | None:
    return "slot lies before the asset was registered" if item.start_s < state.joined_s[asset.id] else None


def _believe(state: State, asset: Asset, item: Item) -> None:
    slot = state.readings.at(item.start_s)
    older, reading = slot.get(asset.id), item.reading(asset.id)
    slot.set(asset.id, reading, item.quality)
    if item.start_s < state.settled_to_s:
        late.settle_late(state, asset, older, reading)


def _doubt(state: State, batch: Batch, asset: AssetId | str, slot_s: int, why: str) -> None:
    batch.outcome = Outcome.SET_ASIDE
    state.set_aside.append(SetAside(position=batch.position, asset=asset, slot_s=slot_s, why=why))
