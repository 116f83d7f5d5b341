"""What contracts measure: each slot's readings as it is settled or corrected, against baseline or instruction.

Only what a registered meter saw counts: what was estimated, or put in by hand, earns nothing and is part of no
baseline. Such a slot stays unknown until a measurement takes its place.
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from commonwatt.flows.rulebook.columns import columns
from commonwatt.flows.rulebook.state import State
from commonwatt.market.contracts import BaselineRule, Call, Contract, Status
from commonwatt.market.contracts.paying import rate_micro_per_kwh
from commonwatt.metering.baseline import ADJUSTED_BY, DayRows, adjustment_wh, place
from commonwatt.metering.table import SlotReadings
from commonwatt.model import SLOT_SECONDS, AssetId, Reading, epoch, instant, zone_of
from commonwatt.model.money import round_div


def settled(state: State, slots: Sequence[int]) -> None:
    """Take note of slots that were just settled, and measure the windows that are complete with them."""
    contracted = state.contracted
    if not contracted.days or not slots:
        return
    contracted.forget_days_before(_place(state.horizon_s, _zone(state))[0])
    running = contracted.book.running()
    for slot_s in slots:
        for one in running:
            _note_measured(state, one, slot_s)
    for one in running:
        for call in one.calls:
            if call.status in (Status.STANDBY, Status.CALLED) and call.end_s <= state.settled_to_s:
                if contracted.book.terms(one).baseline is BaselineRule.TEN_LIKE_DAYS:
                    _set_baseline(state, one, call)
                contracted.book.measure(one, call, state.wallets.now_s)


def corrected(state: State, asset: AssetId, slot_s: int) -> None:
    """Take note of a new reading of a settled slot; what is measured and not paid yet is measured again."""
    book = state.contracted.book
    one = book.pledge(asset) if asset in state.contracted.days else None
    if one is None:
        return
    _note_measured(state, one, slot_s)
    for call in one.calls:
        if slot_s in call.slots() and call.status in (Status.MEASURED, Status.DISPUTED):
            book.measure(one, call, state.wallets.now_s)


def begin_measuring(state: State, one: Contract, call: Call) -> None:
    """Take note that a window was called: its days are none to compare with, and what is instructed in it so far.

    Neither are they for the connection before the asset, nor for what is behind a connection that was called.
    """
    called = {_place(slot_s, _zone(state))[0] for slot_s in call.slots()}
    for asset in _moved_with(state, one.asset):
        days = state.contracted.days.setdefault(asset, DayRows())
        for day in called:
            days.call(day)
    _instruct(state, one, call, 0)


def instructed(state: State, stamped_s: int) -> None:
    """Take note of what is instructed for the slots of called windows that have not begun."""
    for one in state.contracted.book.running():
        if state.contracted.book.terms(one).baseline is BaselineRule.METERED_SETPOINT:
            for call in one.calls[-1:]:
                _instruct(state, one, call, stamped_s)


def backfill(state: State, one: Contract) -> None:
    """Begin an asset's days with what can still be corrected, which every replay has at hand."""
    for slot_s in sorted(state.readings):
        if state.horizon_s <= slot_s < state.settled_to_s:
            _note_measured(state, one, slot_s)


def _moved_with(state: State, asset: AssetId) -> list[AssetId]:
    """Return an asset, and what a call of it may move beside it."""
    owner = state.assets[asset].owner
    connection = state.connections.get(owner)
    if asset == connection:
        return [other.id for other in columns(state).owned[owner]]
    return [asset] if connection is None else [asset, connection]


def _note_measured(state: State, one: Contract, slot_s: int) -> None:
    told = state.readings.told(slot_s)
    if isinstance(told, SlotReadings) and one.asset in told and told.quality_of(one.asset).mints:
        _note(state, one, slot_s, told[one.asset])


def _note(state: State, one: Contract, slot_s: int, reading: Reading) -> None:
    net_wh = reading.import_wh - reading.export_wh
    state.contracted.days[one.asset].put(*_place(slot_s, _zone(state)), net_wh)
    terms = state.contracted.book.terms(one)
    for call in one.calls:
        if slot_s in call.slots() and call.status is not Status.PAID:
            at = call.slots().index(slot_s)
            call.actual_wh[at] = net_wh
            call.rates[at] = rate_micro_per_kwh(terms, terms.windows[call.window], state.prices[slot_s])


def _set_baseline(state: State, one: Contract, call: Call) -> None:
    """Set what a window is measured against: ten like days, moved by the three hours before the notice."""
    zone, days = _zone(state), state.contracted.days[one.asset]
    terms = state.contracted.book.terms(one)

    def baseline_wh(slot_s: int) -> int | None:
        day, slot = _place(slot_s, zone)
        return days.baseline_wh(day, [slot])[0]

    call.against_wh = [baseline_wh(slot_s) for slot_s in call.slots()]
    known = [abs(wh) for wh in call.against_wh if wh is not None]
    if not known or not terms.adjust_permille or call.called is None:
        return
    notice_s = (call.called[0] - terms.notice_s) // SLOT_SECONDS * SLOT_SECONDS
    asked = {slot_s for other in one.calls for slot_s in other.slots()}
    before = [notice_s - n * SLOT_SECONDS for n in range(1, ADJUSTED_BY + 1)]
    before = [slot_s for slot_s in before if slot_s not in asked]
    more_wh = adjustment_wh(
        [days.at(*_place(slot_s, zone)) for slot_s in before],
        [baseline_wh(slot_s) for slot_s in before],
        round_div(sum(known), len(known)) * terms.adjust_permille // 1000,
    )
    call.against_wh = [None if wh is None else wh + more_wh for wh in call.against_wh]


def _instruct(state: State, one: Contract, call: Call, from_s: int) -> None:
    if state.contracted.book.terms(one).baseline is BaselineRule.METERED_SETPOINT:
        for at, slot_s in enumerate(call.slots()):
            if slot_s >= from_s and call.status is Status.CALLED:
                call.against_wh[at] = _instructed_wh(state, one.asset, slot_s)


def _instructed_wh(state: State, asset: AssetId, slot_s: int) -> int | None:
    """Return what the schedule in force instructs for a slot, Wh, import positive; None where it says nothing."""
    schedule = state.schedules.get(asset)
    told = []
    for instruction in schedule.instructions if schedule else ():
        start_s, end_s = epoch(instruction.interval.start), epoch(instruction.interval.end)
        seconds = min(end_s, slot_s + SLOT_SECONDS) - max(start_s, slot_s)
        if seconds > 0:
            told.append(round_div(instruction.power_w * seconds, 3600))
    return sum(told) if told else None


def _place(slot_s: int, zone: ZoneInfo) -> tuple[int, int]:
    return place(instant(slot_s).astimezone(zone))


def _zone(state: State) -> ZoneInfo:
    return zone_of(state.charter.timezone)
