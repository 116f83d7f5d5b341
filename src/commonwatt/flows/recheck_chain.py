"""Follow one slot of one asset through what a chain shows: who asked, what was planned, who agreed, what flowed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from commonwatt.flexibility import language
from commonwatt.flexibility.dispatch import command_id
from commonwatt.flexibility.permission import Known, Statement, objection
from commonwatt.flows.evidence import Chain, Said, need
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.flexibility.consenting import consent_of, goes_beyond, instruction_of
from commonwatt.identity.keys import VerifyingKey
from commonwatt.metering.batch import decode_items, verify_item
from commonwatt.model import (
    SLOT_SECONDS,
    SLOTS_PER_DAY,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    ConsentMode,
    GatewayId,
    Interval,
    Outcome,
    Reach,
    Refused,
    Repeating,
    instant,
    round_div,
    within,
)

AHEAD_S = SLOTS_PER_DAY * SLOT_SECONDS
"""How far a plan looks ahead: what is asked for later than this was not what it was made for."""
OUTCOMES = {
    ConsentMode.ALWAYS: {Outcome.BOOKED},
    ConsentMode.WITHIN: {Outcome.BOOKED, Outcome.NOT_ALLOWED},
    ConsentMode.ASK: {Outcome.WAITING},
    ConsentMode.OFF: {Outcome.NOT_ALLOWED},
}
"""What the log makes of a schedule under each consent, where nothing but the owner's word decides."""
SCHEDULED = {Outcome.BOOKED, Outcome.NOT_ALLOWED, Outcome.WAITING}
LIMITS = (
    "that no other statement, of the asset or its connection, none that takes one back, no newer schedule and no later"
    " word or decision of the owner was left out; how full the asset was where a schedule left its owner's limits; that"
    " the meter's record was believed where others of its batch were set aside; how the plan was found; that others see"
    " the same log; who holds custodial keys"
)


@dataclass(frozen=True, slots=True)
class Thing:
    """The asset that a chain is about, as it was registered."""

    position: int
    owner: str
    asset: bodies.RegisterAsset

    def noun(self) -> Asset:
        """Return it as what everyone talks about; its limits do not matter here."""
        return Asset(
            id=AssetId(self.asset.asset),
            owner=AccountId(self.owner),
            gateway=GatewayId(self.asset.gateway),
            kind=self.asset.asset_kind,
            zone=self.asset.zone,
            max_import_w=self.asset.max_import_w,
            max_export_w=self.asset.max_export_w,
            min_import_w=self.asset.min_import_w,
            capacity_wh=self.asset.capacity_wh,
        )


@dataclass(frozen=True, slots=True)
class Planned:
    """The schedule's instruction for the slot, what the log made of the schedule, and what its owner decided of it.

    ``decision`` is there only where the owner was asked, and answered.
    """

    position: int
    item: bodies.InstructionItem
    schedule: bodies.ScheduleBody
    stamped_s: int
    outcome: Outcome
    decision: Said | None = None

    @property
    def in_force(self) -> bool:
        """Whether the schedule came into force."""
        body = self.decision.body if self.decision else None
        return self.outcome is Outcome.BOOKED or (isinstance(body, bodies.DecisionBody) and body.accept)


def links(
    chain: Chain, said: Sequence[Said], founding: bodies.RegisterCommunity, begin: Callable[[str], None]
) -> Iterator[tuple[str, str]]:
    """Check link after link, and yield each one's name with what it tells in plain words.

    Args:
        chain: What is shown.
        said: Its leaves, read; signatures were checked before.
        founding: The first of them.
        begin: Told the name of each link before it is checked.

    Raises:
        Refused: A link does not hold.
    """
    clock = ZoneInfo(founding.timezone)
    begin("asset")
    thing = _registered(chain, said)
    yield "asset", f"{chain.asset} is a {thing.asset.asset_kind} of {thing.owner}, behind {thing.asset.gateway}"
    begin("planned")
    planned, plan_words = _planned(chain, said, thing, clock)
    begin("asked")
    yield "asked", _asked(chain, said, thing, planned, clock)
    yield "planned", plan_words
    begin("agreed")
    yield "agreed", _agreed(chain, said, thing, planned, founding.timezone)
    begin("took")
    yield "took", _took(chain, said, thing, planned)
    begin("flowed")
    yield "flowed", _flowed(chain, said, thing, planned)


def in_force(statements: Iterable[Statement], thing: Asset, slot_s: int) -> list[Statement]:
    """Return the statements that are about an asset, and bind in a slot or in the day after it.

    One about a connection is about what is behind it; who that is cannot be told from one asset's registration.
    """
    span = Interval(instant(slot_s), instant(slot_s + AHEAD_S))
    names = {Reach.ASSET: thing.id, Reach.CONNECTION: thing.id, Reach.OWNER: thing.owner, Reach.ZONE: thing.zone}
    about = (one for one in statements if one.reach not in names or names[one.reach] in one.scope)
    return [one for one in about if (one.occurrences(span) if isinstance(one, Repeating) else within(one, span))]


def expected_wh(item: bodies.InstructionItem) -> int:
    """Return what an instruction expects of one slot, in Wh; of a longer one its share."""
    return round_div(item.expected_wh * SLOT_SECONDS, item.end_s - item.start_s)


def covers(item: bodies.InstructionItem, slot_s: int) -> bool:
    """Tell whether an instruction is about a whole slot."""
    return item.start_s <= slot_s and slot_s + SLOT_SECONDS <= item.end_s


def _registered(chain: Chain, said: Sequence[Said]) -> Thing:
    (thing,) = _only(said, bodies.RegisterAsset, "registration of an asset", 1)
    body = thing.body
    assert isinstance(body, bodies.RegisterAsset)
    need(body.asset == chain.asset, "the chain is about the registered asset", found=body.asset)
    return Thing(thing.row.position, thing.request.on_behalf_of, body)


def _planned(chain: Chain, said: Sequence[Said], thing: Thing, clock: ZoneInfo) -> tuple[Planned, str]:
    (one,) = _only(said, bodies.ScheduleBody, "schedule", 1)
    body, position, slot_s = one.body, one.row.position, chain.slot_s
    assert isinstance(body, bodies.ScheduleBody)
    need(slot_s % SLOT_SECONDS == 0, "a chain is about a quarter of an hour", slot_s=slot_s)
    need(body.asset == chain.asset, "the schedule is of this asset", position=position, found=body.asset)
    need(thing.position < position, "an asset is registered before it is planned", position=position)
    in_time = one.row.stamped_s < slot_s + SLOT_SECONDS
    need(in_time, "the schedule was there before the slot had passed", position=position, at_s=one.row.stamped_s)
    items = [item for item in body.instructions if covers(item, slot_s)]
    need(len(items) == 1, "one instruction is about the slot", position=position, found=len(items))
    (item,) = items
    hoped_wh = expected_wh(item)
    need(chain.expected_wh == hoped_wh, "what was expected is what the schedule says", position=position, says=hoped_wh)
    words = f"{item.verb} at {item.power_w} W from {_at(item.start_s, clock)} to {_at(item.end_s, clock)}"
    told = f"{words}, {hoped_wh} Wh expected of this slot, because: {item.reason}; issued {_at(body.issued_s, clock)}"
    decisions = [other for other in said if isinstance(other.body, bodies.DecisionBody)]
    need(len(decisions) <= 1, "a schedule is decided about once", found=len(decisions))
    decision = decisions[0] if decisions else None
    return Planned(position, item, body, one.row.stamped_s, one.row.outcome, decision), told


def _asked(chain: Chain, said: Sequence[Said], thing: Thing, planned: Planned, clock: ZoneInfo) -> str:
    words = []
    for one in said:
        if not isinstance(one.body, bodies.ConstraintBody):
            continue
        position = one.row.position
        need(position < planned.position, "what was asked came before the plan", position=position)
        read = language.read(one.body.text, instant(one.body.said_s), clock)
        need(not read.no_longer, "what was taken back is not asked for any more", position=position)
        binds = in_force(read.statements, thing.noun(), chain.slot_s)
        need(bool(binds), "a statement binds this asset in this slot or the day after", position=position)
        speaker = one.request.on_behalf_of
        for statement in binds:
            no = objection(_narrowed(statement, chain, thing), _role(said, one), speaker, _known(chain, thing))
            if no is not None:
                raise Refused(no.rule, position=position, **no.found)
            words.append(f"{speaker} asked: {language.text(statement, clock)}")
    return "; ".join(words) or "nobody asked for anything in particular"


def _role(said: Sequence[Said], one: Said) -> str:
    """Return the role in which a shown leaf was said; for another's account that is a delegate's, see `speakers`."""
    for other in said:
        body = other.body
        if isinstance(body, bodies.RegisterKey | bodies.RegisterCommunity):
            if VerifyingKey(bytes.fromhex(body.public)).id != one.request.author:
                continue
            if isinstance(body, bodies.RegisterCommunity):
                return "operator"
            return body.role if body.account == one.request.on_behalf_of else "member"
    return "member"


def _narrowed(statement: Statement, chain: Chain, thing: Thing) -> Statement:
    """Return what a statement says of the one asset that is shown: nothing can be told of others."""
    names = {Reach.ASSET: chain.asset, Reach.OWNER: thing.owner, Reach.ZONE: thing.asset.zone}
    return replace(statement, scope=(names[statement.reach],)) if statement.reach in names else statement


def _known(chain: Chain, thing: Thing) -> Known:
    own = {chain.asset: thing.owner}
    meter = own if thing.asset.asset_kind is AssetKind.CONNECTION else {}
    return Known(
        owner=own.get,
        stores=lambda _: thing.asset.capacity_wh > 0,
        consents=lambda _: True,  # what the owner agreed to is a link of its own
        connection=meter.get,
        is_owner=lambda _: True,
        is_zone=lambda _: True,
        is_feeder=lambda _: True,
        pays=lambda *_: True,  # which contracts run is not shown: that the log took the statement is
    )


def _agreed(chain: Chain, said: Sequence[Said], thing: Thing, planned: Planned, timezone: str) -> str:
    (one,) = _only(said, bodies.ConsentBody, "word of the owner", 1)
    body, position = one.body, one.row.position
    assert isinstance(body, bodies.ConsentBody)
    speaker = one.request.on_behalf_of
    about = body.asset in (chain.asset, None) and speaker == thing.owner
    need(about, "the owner spoke about this asset", position=position, found=body.asset, by=speaker)
    before = position < planned.position and (body.asset is None or thing.position < position)
    need(before, "the owner spoke before the plan", position=position)
    fits = planned.outcome in OUTCOMES[body.mode]
    need(fits, "a schedule becomes what its owner's word makes of it", position=position, word=body.mode)
    asked = planned.decision is None or body.mode is ConsentMode.ASK
    need(asked, "only who is asked decides", position=position, word=body.mode)
    standing = f", at position {position} of the log, standing"
    match body.mode:
        case ConsentMode.ALWAYS:
            return f"{speaker} agreed{standing}"
        case ConsentMode.OFF:
            return f"{speaker} refused{standing}"
        case ConsentMode.WITHIN:
            return _within(body, planned, timezone, speaker) + standing
        case ConsentMode.ASK:
            return _decided(chain, thing, body, planned, speaker)


def _within(body: bodies.ConsentBody, planned: Planned, timezone: str, speaker: str) -> str:
    consent = consent_of(body)
    left = goes_beyond(consent, map(instruction_of, planned.schedule.instructions), timezone)
    need(not (left and planned.in_force), "a schedule in force is within its owner's limits", hours=body.hours)
    if planned.in_force:
        return f"{speaker} agreed within limits that the schedule keeps"
    may_leave = left or body.least_percent is not None
    need(may_leave, "a schedule is refused where it leaves its owner's limits", hours=body.hours)
    return f"{speaker} agreed within limits that the schedule leaves: refused"


def _decided(chain: Chain, thing: Thing, body: bodies.ConsentBody, planned: Planned, speaker: str) -> str:
    one, issued_s = planned.decision, planned.schedule.issued_s
    until_s = min(item.start_s for item in planned.schedule.instructions) - (body.decide_s or 0)
    need(planned.stamped_s < until_s, "an owner is asked before it is too late to decide", until_s=until_s)
    if one is None:
        return f"{speaker} was asked and did not answer in time: not agreed"
    decision, position = one.body, one.row.position
    assert isinstance(decision, bodies.DecisionBody)
    about = (decision.asset, decision.issued_s) == (chain.asset, issued_s)
    need(about, "the owner decided about this schedule", position=position, found=decision.asset)
    own = one.request.on_behalf_of == thing.owner
    need(own, "the owner decides", position=position, by=one.request.on_behalf_of)
    need(planned.position < position, "an owner decides about what is planned", position=position)
    need(one.row.stamped_s < until_s, "an owner decides in time", position=position, at_s=one.row.stamped_s)
    return f"{speaker} was asked and {'accepted' if decision.accept else 'declined'}, at position {position} of the log"


def _took(chain: Chain, said: Sequence[Said], thing: Thing, planned: Planned) -> str:
    found = _only(said, bodies.AckBody, "answer of the gateway", 1 if planned.in_force else 0)
    if not found:
        return "nothing was told to the device"
    (one,) = found
    body, position = one.body, one.row.position
    assert isinstance(body, bodies.AckBody)
    since = planned.position if planned.decision is None else planned.decision.row.position
    need(since < position, "a command is answered after it was planned and agreed to", position=position)
    need(body.slot_s == chain.slot_s, "the answer is about this slot", position=position, found=body.slot_s)
    own = body.gateway == thing.asset.gateway == one.request.on_behalf_of
    need(own, "the asset's gateway answers", position=position, found=body.gateway)
    answers = [ack for ack in body.acks if ack.asset == chain.asset]
    need(len(answers) == 1, "one answer is about this asset", position=position, found=len(answers))
    (ack,) = answers
    asked = command_id(AssetId(chain.asset), instant(planned.item.start_s))
    need(ack.command == asked, "the answer is to this command", position=position, found=ack.command)
    if ack.lo_w is None or ack.hi_w is None:
        return f"the device took nothing: {ack.why}"
    return f"the device took {ack.lo_w} to {ack.hi_w} W" + (f": {ack.why}" if ack.why else "")


def _flowed(chain: Chain, said: Sequence[Said], thing: Thing, planned: Planned) -> str:
    (one,) = _only(said, bodies.ReadingBatch, "batch of readings", 1)
    body, position, shown = one.body, one.row.position, chain.reading
    assert isinstance(body, bodies.ReadingBatch)
    record, path = bytes.fromhex(shown.record), [bytes.fromhex(step) for step in shown.path]
    held = verify_item(record, shown.index, body.count, path, bytes.fromhex(body.root))
    need(held, "the record is in the batch that was signed", position=position, index=shown.index)
    (item,) = decode_items(record)
    need(item.settles and item.start_s == chain.slot_s, "the record is of this slot", found=item.start_s)
    ended = one.row.stamped_s >= chain.slot_s + SLOT_SECONDS and position > planned.position
    need(ended, "what flowed is read after the slot", position=position, at_s=one.row.stamped_s)
    own = body.gateway == thing.asset.gateway == one.request.on_behalf_of
    need(own, "the asset's gateway reads it", position=position, found=body.gateway)
    need(item.register == thing.asset.register, "the record is of this asset", found=item.register)
    measured_wh = item.import_wh - item.export_wh
    need(chain.measured_wh == measured_wh, "what was measured is what the record says", says=measured_wh)
    missed_wh = measured_wh - chain.expected_wh
    return f"{measured_wh} Wh measured, {chain.expected_wh} Wh expected, {missed_wh:+} Wh between them"


def _only(said: Sequence[Said], shape: type, what: str, count: int) -> list[Said]:
    found = [one for one in said if isinstance(one.body, shape)]
    if len(found) != count:
        raise Refused(f"a chain has one {what}" if count else f"there is no {what} where nothing is told", found=found)
    return found


def _at(at_s: int, clock: ZoneInfo) -> str:
    return f"{instant(at_s).astimezone(clock):%Y-%m-%d %H:%M}"
