"""What a day came to, in figures for people: curves, bills, shares, diaries and the ledger, all taken from the log."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from commonwatt.flexibility import language
from commonwatt.flows.foreseen import foreseen_micro
from commonwatt.flows.intake import read_head
from commonwatt.flows.outlook import Terms, homes, measured
from commonwatt.flows.rulebook import State, bodies
from commonwatt.flows.sequence import Replayed
from commonwatt.forecasting.score import normalised_error
from commonwatt.forecasting.seasonal import corrected_naive, seasonal_naive
from commonwatt.ledger.leaf import LeafRow
from commonwatt.metering.kept import miss
from commonwatt.model import (
    BURN,
    GRID,
    LOSSES,
    MINT,
    SLOT_SECONDS,
    SLOTS_PER_DAY,
    AccountId,
    AssetId,
    AssetKind,
    Commodity,
    CommunityId,
    Interval,
    Kind,
    Memo,
    Outcome,
    epoch,
    round_div,
)
from commonwatt.settlement.statement import statement


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """One member's day: money before (alone with the grid) and after, in micro; energy in Wh."""

    member: str
    before_micro: int
    after_micro: int
    import_wh: int
    export_wh: int
    bought_wh: int
    sold_wh: int


class DiaryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What one asset was told from one time to another, what the plan expected of it, and what was measured."""

    asset: str
    start_s: int
    end_s: int
    verb: str
    power_w: int
    expected_wh: int
    measured_wh: int
    reason: str


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """How much a street lived on its own energy, in per cent, and its highest import in W.

    ``self_consumption``: the part of the solar energy that was not exported. ``self_sufficiency``: the part of what
    homes and cars used that was not imported.
    """

    self_consumption_percent: float
    self_sufficiency_percent: float
    peak_w: int


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Errors (nMAE) of seasonal forecasts of a home's load and roof: a slot ahead corrected, a day ahead not."""

    member: str
    load_slot_ahead: float
    load_day_ahead: float
    solar_slot_ahead: float
    solar_day_ahead: float


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """What the day comes to without us: feeder energy per slot, homes alone per slot, bills, and batteries' end."""

    net_wh: list[int]
    demand_wh: list[int]
    bills_micro: dict[str, int]
    stored_wh: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A day in figures. Curves are mean W at the feeder per slot, import positive; prices micro per kWh.

    ``foreseen_micro`` is what the day's first plan expected the grid to be paid, ``unproven`` why no bundle shows a
    slot of the day; empty where one does.
    """

    community: str
    timezone: str
    start_s: int
    demand_w: list[int]
    unmanaged_w: list[int]
    smart_w: list[int]
    discharging_w: list[int]
    import_price: list[int]
    export_price: list[int]
    local_price: list[int | None]
    traded_wh: list[int]
    bills: list[Bill]
    cost_before_micro: int
    cost_after_micro: int
    foreseen_micro: int | None
    losses_wh: int
    losses_micro: int
    shares_before: Shares
    shares_after: Shares
    stored_before_wh: int
    stored_after_wh: int
    watt_minted_wh: int
    watt_burned_wh: int
    watt_traded_wh: int
    watt_traded_micro: int
    scores: list[Score]
    diary: list[DiaryEntry]
    statements: list[str]
    unmet: list[str]
    set_aside: list[str]
    leaves: int
    entries: int
    log_root: str
    state_root: str
    unproven: str = ""


def summarise(
    replayed: Replayed,
    rows: Sequence[LeafRow],
    terms: Terms,
    before: Before,
    smart_w: Sequence[int],
) -> Summary:
    """Put a finished day into figures.

    Args:
        replayed: State and tree at the day's end.
        rows: The log, for what was scheduled when.
        terms: What the plan took as given.
        before: The same day without us.
        smart_w: The day's curve had cars given nothing back.
    """
    state = replayed.state
    slots = list(range(epoch(terms.span.start), epoch(terms.span.end), SLOT_SECONDS))
    feeder = next(asset.id for asset in state.assets.values() if asset.kind is AssetKind.FEEDER)
    net_wh = [_net(state, slot_s, feeder) for slot_s in slots]
    solar_wh, used_wh = _own(state, terms, slots)
    clearings = [state.slot_market.clearing(slot_s) for slot_s in slots]
    traded = _moved(state, Memo.TRADE, Commodity.ENERGY)
    return Summary(
        community=state.community,
        timezone=state.charter.timezone,
        start_s=slots[0],
        demand_w=_power(before.demand_wh),
        unmanaged_w=_power(before.net_wh),
        smart_w=list(smart_w),
        discharging_w=_power(net_wh),
        import_price=[state.prices[slot_s][0] for slot_s in slots],
        export_price=[state.prices[slot_s][1] for slot_s in slots],
        local_price=[clearing.price_micro_per_kwh if clearing else None for clearing in clearings],
        traded_wh=[traded.get(slot_s, 0) for slot_s in slots],
        bills=_bills(state, before),
        cost_before_micro=sum(before.bills_micro.values()),
        cost_after_micro=state.ergon(GRID),
        foreseen_micro=foreseen_micro(rows, CommunityId(state.community), terms),
        losses_wh=sum(state.losses_wh.values()),
        losses_micro=state.ergon(LOSSES),
        shares_before=_shares(before.net_wh, solar_wh, used_wh),
        shares_after=_shares(net_wh, solar_wh, used_wh),
        stored_before_wh=before.stored_wh,
        stored_after_wh=_stored_wh(state, slots[-1]),
        watt_minted_wh=-state.accounts.balance(MINT, Commodity.WATT),
        watt_burned_wh=state.accounts.balance(BURN, Commodity.WATT),
        watt_traded_wh=sum(_moved(state, Memo.WATT_TRADE, Commodity.WATT).values()),
        watt_traded_micro=sum(_moved(state, Memo.WATT_TRADE, Commodity.ERGON).values()),
        scores=_scores(state, terms, slots),
        diary=diary(state, rows),
        statements=[*{stated.position: stated.text for stated in state.stated}.values()],
        unmet=missed(state, terms.span),
        set_aside=_doubts(state, slots[-1] + SLOT_SECONDS),
        leaves=len(replayed.tree),
        entries=len(state.entries),
        log_root=replayed.tree.root().hex(),
        state_root=state.root().hex(),
    )


def diary(state: State, rows: Iterable[LeafRow]) -> list[DiaryEntry]:
    """Return what each asset was told slot by slot, runs in one direction joined; sorted by asset and time.

    Of a plan that its owner accepted that is all of it, of every other what it begins with: the next plan has the rest.
    """
    told: dict[str, list[DiaryEntry]] = {}
    for asset, items in _in_force(state, rows):
        entries = told.setdefault(asset, [])
        for item in items:
            entry = _diary_entry(state, asset, item)
            if entries and _continues(entries[-1], entry):
                entry = _joined(entries.pop(), entry)
            entries.append(entry)
    return [entry for asset in sorted(told) for entry in told[asset]]


def _in_force(state: State, rows: Iterable[LeafRow]) -> list[tuple[str, list[bodies.InstructionItem]]]:
    """Return, as they came into force, each asset's instructions that it was told."""
    waiting: dict[tuple[str, int], bodies.ScheduleBody] = {}
    found, accepted = list[tuple[str, list[bodies.InstructionItem]]](), list[tuple[str, list[bodies.InstructionItem]]]()
    for row in rows:
        request = read_head(row.body)
        if request.kind not in (Kind.SCHEDULE, Kind.CONSENT) or row.outcome not in (Outcome.BOOKED, Outcome.WAITING):
            continue
        match bodies.read_body(request.kind, request.body):
            case bodies.ScheduleBody() as body if row.outcome is Outcome.BOOKED:
                found.append((body.asset, [item for item in body.instructions if item.start_s == body.issued_s][:1]))
            case bodies.ScheduleBody() as body:
                waiting[body.asset, body.issued_s] = body
            case bodies.DecisionBody(accept=True) as body if (body.asset, body.issued_s) in waiting:
                accepted.append((body.asset, [*waiting.pop((body.asset, body.issued_s)).instructions]))
                found.append(accepted[-1])
            case bodies.ConsentBody(asset=about):
                # A new word ends what was accepted under the one before.
                for asset, items in accepted:
                    if about == asset or (not about and state.assets[AssetId(asset)].owner == request.on_behalf_of):
                        items[:] = [item for item in items if item.start_s <= row.stamped_s]
    return found


def _diary_entry(state: State, asset: str, item: bodies.InstructionItem) -> DiaryEntry:
    slots = range(item.start_s, item.end_s, SLOT_SECONDS)
    read = [reading for slot_s in slots if (reading := state.readings.told(slot_s).get(AssetId(asset))) is not None]
    return DiaryEntry(
        asset=asset,
        start_s=item.start_s,
        end_s=item.end_s,
        verb=item.verb.value,
        power_w=item.power_w,
        expected_wh=item.expected_wh,
        measured_wh=sum(reading.import_wh - reading.export_wh for reading in read),
        reason=item.reason,
    )


def missed(state: State, span: Interval) -> list[str]:
    """Return, in words, the statements that the meters show to be missed, each time of what repeats by itself."""
    clock, assets = ZoneInfo(state.charter.timezone), state.assets.values()
    asked = ((stated, one) for stated in state.stated for one in stated.occurrences(span))
    lines = []
    for stated, asked_for in asked:
        found = miss(asked_for, assets, state.readings)
        if found is not None:
            text = stated.text if stated.once is not None else language.text(asked_for, clock)
            most = f" at most, in {found.slots} slots" if found.slots > 1 else ""
            lines.append(f"{text}: missed by {found.by} {found.unit}{most}")
    return lines


def _doubts(state: State, end_s: int) -> list[str]:
    """Return readings set aside with their reasons, and how many slots still wait for meters."""
    lines = [f"{doubt.asset} {doubt.slot_s}: {doubt.why}" for doubt in state.doubted or state.set_aside]
    waiting = (end_s - state.settled_to_s) // SLOT_SECONDS
    return [*lines, f"{waiting} slots from {state.settled_to_s} on wait for meters"] if waiting > 0 else lines


def _continues(last: DiaryEntry, new: DiaryEntry) -> bool:
    way = [(entry.power_w > 0) - (entry.power_w < 0) for entry in (last, new)]
    return last.end_s == new.start_s and way[0] == way[1]


def _joined(last: DiaryEntry, new: DiaryEntry) -> DiaryEntry:
    expected_wh, hours = last.expected_wh + new.expected_wh, (new.end_s - last.start_s) / 3600
    return msgspec.structs.replace(
        last,
        end_s=new.end_s,
        power_w=round(expected_wh / hours),
        expected_wh=expected_wh,
        measured_wh=last.measured_wh + new.measured_wh,
    )


def _net(state: State, slot_s: int, asset: str) -> int:
    reading = next((r for a, r in state.readings.told(slot_s).items() if a == asset), None)
    return reading.import_wh - reading.export_wh if reading else 0


def _own(state: State, terms: Terms, slots: Sequence[int]) -> tuple[list[int], int]:
    """Return the street's generation per slot, and what its homes and cars used in all, in Wh."""
    solar = [0] * len(slots)
    used = 0
    for owner, assets in homes(state, terms).items():
        loads, suns = measured(state, terms, owner, assets, slots[-1] + SLOT_SECONDS)
        solar = [total + sun for total, sun in zip(solar, suns[-len(slots) :], strict=True)]
        used += sum(loads[-len(slots) :])
        if AssetKind.VEHICLE in assets:
            used += sum(_net(state, slot_s, assets[AssetKind.VEHICLE].id) for slot_s in slots)
    return solar, used


def _shares(net_wh: Sequence[int], solar_wh: Sequence[int], used_wh: int) -> Shares:
    exported = sum(min(max(0, -net), sun) for net, sun in zip(net_wh, solar_wh, strict=True))
    imported = sum(max(0, net) for net in net_wh)
    return Shares(
        self_consumption_percent=round(100 * (1 - exported / max(1, sum(solar_wh))), 1),
        self_sufficiency_percent=round(100 * (1 - imported / max(1, used_wh)), 1),
        peak_w=max(_power(net_wh)),
    )


def _power(energy_wh: Sequence[int]) -> list[int]:
    return [round_div(value * 3600, SLOT_SECONDS) for value in energy_wh]


def _bills(state: State, before: Before) -> list[Bill]:
    bills = []
    for member in state.members():
        told = statement(member, state.entries)
        bills.append(
            Bill(
                member=member,
                before_micro=before.bills_micro[member],
                after_micro=-told.net_micro,
                import_wh=told.import_wh,
                export_wh=told.export_wh,
                bought_wh=told.bought_wh,
                sold_wh=told.sold_wh,
            )
        )
    return bills


def _moved(state: State, memo: str, commodity: Commodity) -> dict[int, int]:
    moved: dict[int, int] = {}
    for entry in state.entries:
        if entry.memo == memo and entry.commodity is commodity:
            moved[entry.slot_s] = moved.get(entry.slot_s, 0) + entry.amount
    return moved


def _stored_wh(state: State, slot_s: int) -> int:
    batteries = [asset.id for asset in state.assets.values() if asset.kind is AssetKind.BATTERY]
    told = state.readings[slot_s]
    return sum(told[asset].level_wh or 0 for asset in batteries if asset in told)


def _scores(state: State, terms: Terms, slots: Sequence[int]) -> list[Score]:
    scores = []
    for owner, assets in homes(state, terms).items():
        loads, suns = measured(state, terms, owner, assets, slots[-1] + SLOT_SECONDS)
        scores.append(
            Score(
                member=AccountId(owner),
                load_slot_ahead=_slot_ahead(loads),
                load_day_ahead=_day_ahead(loads),
                solar_slot_ahead=_slot_ahead(suns),
                solar_day_ahead=_day_ahead(suns),
            )
        )
    return scores


def _slot_ahead(series: Sequence[int]) -> float:
    first = len(series) - SLOTS_PER_DAY
    expected = [corrected_naive(series[:now], 1)[0] for now in range(first, len(series))]
    return round(normalised_error(expected, series[first:]), 3)


def _day_ahead(series: Sequence[int]) -> float:
    first = len(series) - SLOTS_PER_DAY
    return round(normalised_error(seasonal_naive(series[:first], SLOTS_PER_DAY), series[first:]), 3)
