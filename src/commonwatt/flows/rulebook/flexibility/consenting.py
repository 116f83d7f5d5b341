"""Rules for consent (row X3): which schedules their assets' owners let come into force, and what they end.

- The last word counts: of one asset, or of all that an account owns. Each word ends at once what was in force or
  waiting under the one before, so an ``off`` holds from its position in the log on. It wins over every plan, never
  over safety.
- ``within``: a schedule that leaves the limits is refused. Levels are followed from the last that was read, an hour
  old at most; where none is known, nothing may be supplied from a store that has a least level.
- ``ask``: a schedule waits, one at a time, until its owner decides. No answer by the deadline is a no. Who said no is
  not asked again before their next statement or consent. A decision is made once.
- Saying no costs nothing here; what a contract says of it is the contract's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from commonwatt.flexibility.instructions.compiling import in_order
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.columns import columns
from commonwatt.flows.rulebook.flexibility.proposed import Proposal
from commonwatt.flows.rulebook.state import State
from commonwatt.model import (
    SLOT_SECONDS,
    SLOTS_PER_HOUR,
    AccountId,
    Asset,
    AssetId,
    Consent,
    ConsentMode,
    Instruction,
    Interval,
    InvalidValue,
    Outcome,
    Request,
    Schedule,
    epoch,
    instant,
    zone_of,
)


def agreement(state: State, request: Request, body: bodies.Agreement, stamped_s: int) -> Outcome:
    """Note how an owner lets assets be scheduled, or what they decided about one schedule."""
    asset = None
    if body.asset is not None:
        asset = state.assets.get(AssetId(body.asset))
        if asset is None:
            return Outcome.UNKNOWN_THING
        if asset.owner != request.on_behalf_of:
            return Outcome.NOT_ALLOWED
    if isinstance(body, bodies.DecisionBody):
        assert asset is not None
        return _decide(state, asset.id, body, stamped_s)
    try:
        said = consent_of(body)
    except InvalidValue:
        return Outcome.OVER_LIMIT
    if asset is None:
        owned = columns(state).owned.get(request.on_behalf_of, ())
        state.consents_of[request.on_behalf_of] = said
        for one in owned:
            state.consents.pop(one.id, None)
        _end(state, (one.id for one in owned))
    else:
        state.consents[asset.id] = said
        _end(state, (asset.id,))
    state.registry_version += 1
    return Outcome.BOOKED


def consent_of(body: bodies.ConsentBody) -> Consent:
    """Return what a body says.

    Raises:
        InvalidValue: It contradicts itself.
    """
    return Consent(
        mode=body.mode,
        least_percent=body.least_percent,
        most_supply_w=body.most_supply_w,
        hours=body.hours,
        decide_s=body.decide_s,
    )


def schedule(state: State, body: bodies.ScheduleBody, position: int, stamped_s: int) -> Outcome:
    """Put a schedule in force, or to its owner; it is refused where they do not agree or the asset is suspended."""
    asset = state.assets.get(AssetId(body.asset))
    if asset is None:
        return Outcome.UNKNOWN_THING
    consent = state.consent(asset.id)
    if consent.mode is ConsentMode.OFF or state.trusted.suspended(asset.id):
        return Outcome.NOT_ALLOWED
    try:
        entries = tuple(map(instruction_of, body.instructions))
        told = Schedule(asset=asset.id, issued=instant(body.issued_s), instructions=entries)
        in_order(told)  # what is said twice of one time could be judged by the one and told by the other
    except InvalidValue:
        return Outcome.OVER_LIMIT
    if any(not -asset.max_export_w <= entry.power_w <= asset.max_import_w for entry in entries):
        return Outcome.OVER_LIMIT
    if consent.mode is ConsentMode.ASK:
        return _propose(state, told, consent, position, stamped_s)
    if _leaves(state, asset, consent, entries, stamped_s):
        return Outcome.NOT_ALLOWED
    state.schedules[asset.id] = told
    return Outcome.BOOKED


def told_now(state: State, asset: AssetId, slot: Interval) -> Instruction | None:
    """Return what an asset is to be told for a slot: what a schedule in force says, as far as its owner agrees now.

    A schedule is told in the slot that it was issued for, since each slot has its own; one that was put to its owner,
    in all of its time.
    """
    schedule, consent = state.schedules.get(asset), state.consent(asset)
    if schedule is None or consent.mode is ConsentMode.OFF or state.trusted.suspended(asset):
        return None
    of_now = schedule.issued == slot.start and consent.open_during(slot, zone_of(state.charter.timezone))
    if consent.mode is not ConsentMode.ASK and not of_now:
        return None
    return next((entry for entry in schedule.instructions if slot.start in entry.interval), None)


def waiting(state: State, at_s: int) -> list[Proposal]:
    """Return what owners may still decide about at an instant, in order of the log."""
    return sorted((one for one in state.proposals.values() if one.waits(at_s)), key=lambda one: one.position)


def heard(state: State, account: AccountId, stamped_s: int) -> None:
    """Let an owner who stated something be asked again: what they want is another thing now."""
    if not state.proposals:
        return
    for asset in columns(state).owned.get(account, ()):
        proposal = state.proposals.get(asset.id)
        if proposal is not None and proposal.declined(stamped_s):
            del state.proposals[asset.id]


def last_level_wh(state: State, asset: AssetId, at_s: int) -> int | None:
    """Return the level that was read last in the hour before an instant, or None."""
    slot_s = at_s // SLOT_SECONDS * SLOT_SECONDS
    for past_s in range(slot_s - SLOT_SECONDS, slot_s - (SLOTS_PER_HOUR + 1) * SLOT_SECONDS, -SLOT_SECONDS):
        if past_s < state.horizon_s:
            break
        reading = state.readings.told(past_s).get(asset)
        if reading is not None and reading.level_wh is not None:
            return reading.level_wh
    return None


def instruction_of(item: bodies.InstructionItem) -> Instruction:
    """Return a schedule's entry as a noun.

    Raises:
        InvalidValue: It ends before it begins.
    """
    return Instruction(
        verb=item.verb,
        interval=Interval(instant(item.start_s), instant(item.end_s)),
        power_w=item.power_w,
        expected_wh=item.expected_wh,
        reason=item.reason,
        balance_w=item.balance_w,
    )


def _decide(state: State, asset: AssetId, body: bodies.DecisionBody, stamped_s: int) -> Outcome:
    proposal = state.proposals.get(asset)
    if proposal is None or epoch(proposal.schedule.issued) != body.issued_s:
        return Outcome.UNKNOWN_THING
    if proposal.accepted is not None:
        return Outcome.ALREADY_THERE
    if not proposal.waits(stamped_s):
        return Outcome.TOO_LATE
    state.proposals[asset] = replace(proposal, accepted=body.accept)
    if body.accept:
        state.schedules[asset] = proposal.schedule
    return Outcome.BOOKED


def _propose(state: State, told: Schedule, consent: Consent, position: int, stamped_s: int) -> Outcome:
    deadline_s = deadline(told, consent)
    if deadline_s <= stamped_s:
        return Outcome.TOO_LATE
    before = state.proposals.get(told.asset)
    if before is not None and before.waits(stamped_s):
        return Outcome.ALREADY_THERE
    if before is not None and before.declined(stamped_s):
        return Outcome.NOT_ALLOWED
    state.proposals[told.asset] = Proposal(position=position, schedule=told, deadline_s=deadline_s)
    return Outcome.WAITING


def deadline(schedule: Schedule, consent: Consent) -> int:
    """Return by when an owner who wants to be asked must have decided about a schedule, seconds since 1970."""
    return min(epoch(entry.interval.start) for entry in schedule.instructions) - (consent.decide_s or 0)


def _end(state: State, assets: Iterable[AssetId]) -> None:
    for asset in assets:
        state.schedules.pop(asset, None)
        state.proposals.pop(asset, None)


def _leaves(state: State, asset: Asset, consent: Consent, entries: Sequence[Instruction], stamped_s: int) -> bool:
    """Tell whether a schedule leaves what its owner agreed to."""
    if consent.mode is not ConsentMode.WITHIN:
        return False
    if goes_beyond(consent, entries, state.charter.timezone):
        return True
    if consent.least_percent is None:
        return False
    level_wh, floor_wh = last_level_wh(state, asset.id, stamped_s), consent.floor_wh(asset.capacity_wh)
    for entry in sorted(entries, key=lambda one: one.interval):
        energy_wh = abs(entry.power_w) * entry.interval.seconds // 3600
        if entry.power_w >= 0:
            stored_wh = energy_wh * asset.charge_permille // 1000
            level_wh = None if level_wh is None else min(asset.capacity_wh, level_wh + stored_wh)
            continue
        if level_wh is None:
            return True
        level_wh -= -(-energy_wh * 1000 // asset.discharge_permille)
        if level_wh < floor_wh:
            return True
    return False


def goes_beyond(consent: Consent, entries: Iterable[Instruction], timezone: str) -> bool:
    """Tell whether instructions leave a consent's hours or its most supply: what they show without any reading."""
    zone, most_w = zone_of(timezone), consent.most_supply_w
    return any(
        not consent.open_during(entry.interval, zone) or (most_w is not None and -entry.power_w > most_w)
        for entry in entries
    )
