"""One device as columns and rows: what it can draw, supply and store, in kWh per slot so that numbers are near one."""

from dataclasses import dataclass

import numpy as np

from commonwatt.flexibility.exact.matrix import NOTHING, Matrix, Numbers, Terms, Values, joined, terms
from commonwatt.flexibility.problem import SLOT_HOURS
from commonwatt.model import Envelope, Store
from commonwatt.model.envelope import MILLION

KWH_PER_W = SLOT_HOURS / 1000
BARELY_W = 10
"""A device that must be known to be on draws or supplies at least this."""


@dataclass(slots=True)
class Device:
    """Where a device stands in the program.

    Args:
        envelope: What it was made from.
        draw: kWh drawn per slot, zero or more.
        supply: kWh supplied per slot, zero or more.
        constant: kWh drawn in each slot whatever is decided.
        level: Columns of its stored kWh at each slot's end; -1 where nothing asks for it.
        on: How much each slot counts as on, 0 or 1; only where that is asked.
        constant_on: Likewise, what does not depend on a decision.
        both: Slots in which the columns alone would let it draw and supply at once.
        taken: Per layer of cycle depth beyond the first, columns of stored kWh that are discharged from it.
        starts: Columns of an appliance's starts, from its earliest.
    """

    envelope: Envelope
    draw: Terms
    supply: Terms
    constant: Values
    level: Numbers | None = None
    on: Terms = NOTHING
    constant_on: Values | None = None
    both: Numbers | None = None
    taken: tuple[Numbers, ...] = ()
    starts: Numbers | None = None

    @property
    def net(self) -> Terms:
        """Return the kWh drawn per slot, less what is supplied."""
        return joined([self.draw, self.supply.scaled(-1.0)])


def add(matrix: Matrix, envelope: Envelope, *, steps: int, count_on: bool, asked: Numbers) -> Device:
    """Add a device to a program.

    Args:
        matrix: The program.
        envelope: The device.
        steps: Slots from the first in which least powers and least times are kept.
        count_on: Tell in which slots it is on, for a statement about its run time.
        asked: Slots at whose end statements ask for its level.
    """
    lo, hi = np.array(envelope.lo_w) * KWH_PER_W, np.array(envelope.hi_w) * KWH_PER_W
    slots = len(lo)
    if envelope.fixed:
        return Device(envelope, NOTHING, NOTHING, lo, constant_on=(lo != 0.0) * 1.0)
    if envelope.shift:
        return _appliance(matrix, envelope)
    runs = max(envelope.least_run, envelope.least_rest) > 1
    whole = slots if count_on else min(steps, slots)
    tell_on = count_on or runs
    draws = _way(matrix, np.maximum(lo, 0.0), np.maximum(hi, 0.0), envelope.least_import_w * KWH_PER_W, tell_on, whole)
    supplies = _way(
        matrix, np.maximum(-hi, 0.0), np.maximum(-lo, 0.0), envelope.least_export_w * KWH_PER_W, tell_on, whole
    )
    device = Device(envelope, draws.energy, supplies.energy, np.zeros(slots))
    device.both = _one_way(matrix, draws, supplies, hi, -lo)
    if tell_on:
        device.on, device.constant_on = joined([draws.on, supplies.on]), np.zeros(slots)
        if runs:
            _runs(matrix, envelope, device.on, slots)
    if envelope.store:
        device.level = _levels(matrix, envelope.store, device, asked)
        if envelope.store.deep_wear and len(supplies.energy.rows):
            device.taken = _layers(matrix, envelope.store, device, slots)
    return device


def inflow_kwh(store: Store, slots: int) -> Values:
    """Return what enters a store by itself, per slot."""
    return np.array(store.inflow_wh) / 1000 if store.inflow_wh else np.zeros(slots)


def gain(store: Store, slots: int) -> Values:
    """Return what is stored of a drawn kWh, per slot."""
    return (np.array(store.gain_permille) if store.gain_permille else np.full(slots, store.charge_permille)) / 1000


@dataclass(frozen=True, slots=True)
class _Way:
    """One direction of a device: its energy per slot, and in which slots a column says whether there is any."""

    energy: Terms
    on: Terms


def _way(matrix: Matrix, least: Values, most: Values, step: float, tell_on: bool, whole: int) -> _Way:
    """Add one direction: nothing, or from the step up to the most."""
    if tell_on:
        step = max(step, BARELY_W * KWH_PER_W)
    possible = (most > 0.0) & (most >= step - 1e-12)
    possible[whole:] = most[whole:] > 0.0
    slots = np.flatnonzero(possible)
    if not len(slots):
        return _Way(NOTHING, NOTHING)
    stepped = slots if tell_on else slots[(slots < whole) & (step > 0.0)]
    on = NOTHING
    if len(stepped):
        columns = matrix.columns(np.where(least[stepped] > 0.0, 1.0, 0.0), 1.0)
        matrix.whole(columns[stepped < whole])
        on = terms(stepped, columns, 1.0)
        if len(stepped) == len(slots) and np.all(most[slots] <= step + 1e-12):  # on or off, nothing between
            return _Way(terms(slots, columns, most[slots]), on)
    energy = terms(slots, matrix.columns(least[slots], most[slots]), 1.0)
    if len(stepped):
        drawn = energy.within(stepped, len(least))
        rows = np.arange(len(stepped))
        matrix.rows(joined([drawn, terms(rows, columns, -most[stepped])]), -np.inf, 0.0, len(stepped))
        low = np.minimum(step, most[stepped])
        matrix.rows(joined([drawn, terms(rows, columns, -low)]), 0.0, np.inf, len(stepped))
    return _Way(energy, on)


def _one_way(matrix: Matrix, draws: _Way, supplies: _Way, hi: Values, most_out: Values) -> Numbers:
    """Keep a device from drawing and supplying at once where a column tells; return the slots where none does."""
    both = np.intersect1d(draws.energy.rows, supplies.energy.rows)
    if not len(both):
        return both
    count = len(hi)
    told_in, told_out = np.isin(both, draws.on.rows), np.isin(both, supplies.on.rows)
    for told, first, second in (
        (told_in & told_out, draws.on, supplies.on),
        (told_in & ~told_out, draws.on, supplies.energy.scaled(1 / np.maximum(most_out, 1e-9))),
        (~told_in & told_out, draws.energy.scaled(1 / np.maximum(hi, 1e-9)), supplies.on),
    ):
        slots = both[told]
        if len(slots):
            block = joined([first.within(slots, count), second.within(slots, count)])
            matrix.rows(block, -np.inf, 1.0, len(slots))
    return both[~told_in & ~told_out]


def _runs(matrix: Matrix, envelope: Envelope, on: Terms, slots: int) -> None:
    """Keep least runs and rests, and what is left of those that began before the first slot.

    Source: Rajan & Takriti, Minimum up/down polytopes of the unit commitment problem with start-up costs, 2005.
    """
    run, rest, running = envelope.least_run, envelope.least_rest, envelope.running
    every = np.arange(slots)
    starts = matrix.columns(0.0, 1.0, slots)
    before = 1.0 if running > 0 else 0.0
    # start[t] >= on[t] - on[t - 1]
    block = joined([on, terms(on.rows + 1, on.columns, -on.weights).within(every, slots + 1)])
    block = joined([block, terms(every, starts, -1.0)])
    matrix.rows(block, -np.inf, np.where(every == 0, before, 0.0), slots)
    # All starts of the last `run` slots are still on.
    recent = joined([terms(every[back:], starts[: slots - back], 1.0) for back in range(min(run, slots))])
    matrix.rows(joined([recent, on.scaled(-1.0)]), -np.inf, 0.0, slots)
    # Whoever starts within the next `rest` slots is off now.
    soon = joined([terms(every[: slots - ahead], starts[ahead:], 1.0) for ahead in range(1, min(rest, slots - 1) + 1)])
    matrix.rows(joined([soon, on]), -np.inf, 1.0, slots)
    kept = min(slots, run - running) if running > 0 else 0
    if kept > 0:
        matrix.rows(on.within(every[:kept], slots), 1.0, 1.0, kept)
    resting = min(slots, rest + running) if running < 0 else 0
    if resting > 0:
        matrix.rows(on.within(every[:resting], slots), 0.0, 0.0, resting)
    if running > 0:  # what was on before the first slot and stops rests, too
        early = every[: min(rest, slots)]
        matrix.rows(terms(early, starts[early], 1.0), 0.0, 0.0, len(early))


def _levels(matrix: Matrix, store: Store, device: Device, asked: Numbers) -> Numbers:
    low, high = np.array(store.level_min_wh) / 1000, np.array(store.level_max_wh) / 1000
    slots = len(low)
    at = np.arange(slots)
    if store.keep_ppm == MILLION and not any(store.inflow_wh) and not len(device.supply.rows):
        at = _bends(store.level_now_wh / 1000, low, high, asked)
    level, count = np.full(slots, -1), np.arange(len(at))
    level[at] = matrix.columns(low[at], high[at])
    keep = store.keep_ppm / 1e6
    moved = inflow_kwh(store, slots)[at]
    moved[0] += keep * store.level_now_wh / 1000
    drawn = device.draw.scaled(-gain(store, slots))
    block = joined(
        [
            terms(count, level[at], 1.0),
            terms(count[1:], level[at[:-1]], -keep),
            Terms(np.searchsorted(at, drawn.rows), drawn.columns, drawn.weights),
            device.supply.scaled(1000 / store.discharge_permille),
        ]
    )
    matrix.rows(block, moved, moved, len(at))
    return level


def _bends(now: float, low: Values, high: Values, asked: Numbers) -> Numbers:
    """Return the slots whose level matters in a store that only fills: elsewhere its bounds follow from these."""
    before = np.maximum.accumulate(np.concatenate([[now], low[:-1]]))
    after = np.minimum.accumulate(np.concatenate([high[1:], [np.inf]])[::-1])[::-1]
    return np.union1d(np.flatnonzero((low > before) | (high < after)), asked)


def _layers(matrix: Matrix, store: Store, device: Device, slots: int) -> tuple[Numbers, ...]:
    """Split a store into layers of cycle depth; at the start the shallow ones are full (Xu et al. 2018)."""
    full = store.capacity_wh / 1000
    depths = np.array([0.0] + [share / 1000 * full for share, _ in store.deep_wear] + [np.inf])
    widths = np.diff(depths)
    held = np.clip(store.level_now_wh / 1000 - depths[:-1], 0.0, widths)
    keep, every = store.keep_ppm / 1e6, np.arange(slots)
    inflow = inflow_kwh(store, slots)
    most = max(store.level_max_wh) / 1000 + 1.0
    poured, taken, drawn = [], [], []
    for width, first in zip(np.minimum(widths, most), held, strict=True):
        level = matrix.columns(0.0, width, slots)
        into, out = matrix.columns(0.0, np.inf, slots), matrix.columns(0.0, np.inf, slots)
        leaves = matrix.columns(0.0, np.maximum(-inflow, 0.0))
        block = [terms(every, level, 1.0), terms(every[1:], level[:-1], -keep)]
        block += [terms(every, into, -1.0), terms(every, out, 1.0), terms(every, leaves, 1.0)]
        start = np.where(every == 0, keep * first, 0.0)
        matrix.rows(joined(block), start, start, slots)
        # What is poured in must fit before anything is taken out.
        flows = np.flatnonzero(inflow > 0.0)
        fits = joined([terms(every[1:], level[:-1], keep), terms(every, into, 1.0)]).within(flows, slots)
        matrix.rows(fits, -np.inf, (width - start)[flows], len(flows))
        poured.append(terms(every, into, 1.0))
        taken.append(out)
        drawn.append(terms(every, leaves, 1.0))
    enters, leaves_kwh = np.maximum(inflow, 0.0), np.maximum(-inflow, 0.0)
    matrix.rows(joined([*poured, device.draw.scaled(-gain(store, slots))]), enters, enters, slots)
    supplied = device.supply.scaled(-1000 / store.discharge_permille)
    matrix.rows(joined([*[terms(every, out, 1.0) for out in taken], supplied]), 0.0, 0.0, slots)
    matrix.rows(joined(drawn), leaves_kwh, leaves_kwh, slots)
    return tuple(taken[1:])


def _appliance(matrix: Matrix, envelope: Envelope) -> Device:
    shift = envelope.shift
    assert shift is not None
    first = np.arange(shift.earliest, shift.latest + 1)
    starts = matrix.columns(0.0, 1.0, len(first))
    matrix.whole(starts)
    matrix.rows(terms(0, starts, 1.0), 1.0, 1.0, 1)
    profile = np.array(shift.profile_w) * KWH_PER_W
    slots = first[:, None] + np.arange(len(profile))[None, :]
    columns = np.broadcast_to(starts[:, None], slots.shape)

    def where(values: Values) -> Terms:
        used = np.broadcast_to(values != 0.0, slots.shape)
        return terms(slots[used], columns[used], np.broadcast_to(values, slots.shape)[used])

    return Device(
        envelope,
        where(np.maximum(profile, 0.0)),
        where(np.maximum(-profile, 0.0)),
        np.zeros(len(envelope.lo_w)),
        on=where((profile != 0.0) * 1.0),
        constant_on=np.zeros(len(envelope.lo_w)),
        starts=starts,
    )
