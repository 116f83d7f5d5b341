"""Rules for readings: what can be believed is kept for settlement, the rest is set aside with its reason.

Whole runs of batches are judged as arrays where every item is plain: measured, on time, of a meter that stores
nothing. All others, and all that arrays cannot believe, are judged one by one, by the rules that are also the
oracle of the arrays.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from commonwatt.flows.rulebook.columns import Columns, columns
from commonwatt.flows.rulebook.market.contracts import contract_measuring
from commonwatt.flows.rulebook.metering import late
from commonwatt.flows.rulebook.state import SetAside, State
from commonwatt.flows.rulebook.tokens import storage
from commonwatt.kernels.slot_orders import by_slot
from commonwatt.metering.batch import ITEM_BYTES, ITEM_DTYPE, MOST_WH, Flag, Item, Quality, decode_items
from commonwatt.metering.bulk import BELIEVED, TAKEN, believe, find_plain
from commonwatt.metering.check import fault
from commonwatt.model import SLOT_SECONDS, AccountId, Asset, AssetId, AssetKind, Commodity, GatewayId, Outcome, Reading

Places = NDArray[np.int64]
_FEW = 64
"""Records below which arrays are not worth their making."""

MOST_DOUBTS = 2_000
"""Doubts that are listed at a time: each further one is in the log as its batch's outcome, and nowhere else."""


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
    if sum(len(batch.items) for batch in batches) < _FEW * ITEM_BYTES:
        for batch in batches:
            _apply_one_by_one(state, batch, stamped_s)
        return
    records = np.frombuffer(b"".join(batch.items for batch in batches), ITEM_DTYPE)
    ends: Places = np.cumsum([len(batch.items) // ITEM_BYTES for batch in batches])
    known = np.array([table.first.get(batch.gateway, (0, 0)) for batch in batches], np.int64)
    plain, places = find_plain(
        records, ends, known[:, 0], known[:, 1], table.behind, table.meters, state.settled_to_s, stamped_s
    )
    at = 0
    while at < len(batches):
        to = at
        while to < len(batches) and plain[to]:
            to += 1
        if to > at:
            begin = int(ends[at - 1]) if at else 0
            run = _Run(batches[at:to], ends[at:to] - begin, records[begin : ends[to - 1]], places[begin : ends[to - 1]])
            _apply_run(state, table, run)
        if to < len(batches):
            _apply_one_by_one(state, batches[to], stamped_s)
        at = to + 1


@dataclass(frozen=True, slots=True)
class _Run:
    """Plain batches in a row: where each ends among their records, and of each record the place of its meter."""

    batches: Sequence[Batch]
    ends: Places
    records: NDArray[np.void]
    places: Places


def _apply_run(state: State, table: Columns, run: _Run) -> None:
    """Believe plain batches at once, slot by slot, and give each item that was not believed its reason."""
    verdicts = np.zeros(len(run.records), np.uint8)
    first_s, last_s = int(run.records["start_s"].min()), int(run.records["start_s"].max())
    # Plain records are about slots that are over and not settled: as many as that, and no more.
    by_place, ends = by_slot(run.records, first_s, (last_s - first_s) // SLOT_SECONDS + 1, SLOT_SECONDS)
    for number in np.flatnonzero(np.diff(ends)).tolist():
        slot_s, here = first_s + number * SLOT_SECONDS, by_place[ends[number] : ends[number + 1]]
        believe(run.records, here, run.places, state.readings.at(slot_s), table.meters, verdicts)
        state.readings.forget_empty(slot_s)
    for number in np.flatnonzero(verdicts != BELIEVED).tolist():
        owner = int(np.searchsorted(run.ends, number, side="right"))
        batch, (item,) = run.batches[owner], decode_items(run.records[number : number + 1].tobytes())
        asset = _asset(state, batch, item)
        assert asset is not None
        reading = item.reading(asset.id)
        booked = [reading] if verdicts[number] == TAKEN else []
        why = _too_early(state, asset, item) or fault(reading, asset, None, booked)
        assert why is not None
        _doubt(state, batch, asset.id, item.start_s, why)


def _apply_one_by_one(state: State, batch: Batch, stamped_s: int) -> None:
    items = decode_items(batch.items)
    if any(item.start_s + item.seconds > stamped_s for item in items):
        batch.outcome = Outcome.NOT_ALLOWED  # nobody has measured what has not happened yet
        return
    changed: set[tuple[int, AccountId]] = set()
    for item in _in_time(items):
        asset = _asset(state, batch, item)
        if asset is None:
            _doubt(state, batch, f"{batch.gateway} register {item.register}", item.start_s, "no asset is registered")
        elif why := _why_not(state, asset, item):
            _doubt(state, batch, asset.id, item.start_s, why)
        else:
            _believe(state, asset, item)
            if item.start_s < state.settled_to_s and asset.kind is not AssetKind.FEEDER:
                changed.add((item.start_s, asset.owner))
    # Only once all of a home's meters have been corrected: one alone would not fit the others.
    for slot_s, owner in sorted(changed):
        storage.reconsider(state, slot_s, owner)


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
        most_wh = 4 * (item.import_wh + item.export_wh) + 2 * state.claims.total_wh + 4 * MOST_WH
        if most_wh * max(map(abs, state.prices[item.start_s])) // 1000 > state.accounts.headroom(Commodity.ERGON):
            return "slot is settled, and the books have no room for more"
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
        contract_measuring.corrected(state, asset.id, item.start_s)


def _doubt(state: State, batch: Batch, asset: AssetId | str, slot_s: int, why: str) -> None:
    batch.outcome = Outcome.SET_ASIDE
    doubt = SetAside(position=batch.position, asset=asset, slot_s=slot_s, why=why)
    if state.doubted is not None:
        state.doubted.append(doubt)
    if len(state.set_aside) < MOST_DOUBTS:
        state.set_aside.append(doubt)
