"""Put together the chain of evidence of one asset in one slot (row X6): from what was asked to what flowed."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from commonwatt.flexibility import language
from commonwatt.flexibility.dispatch import command_id
from commonwatt.flows import recheck_chain
from commonwatt.flows.evidence import CHAIN_FORMAT, Chain, Said, ShownItem, encode
from commonwatt.flows.intake import read_head
from commonwatt.flows.prove import ReadLog, shown_leaf
from commonwatt.flows.rulebook import State, bodies
from commonwatt.flows.rulebook.flexibility.stating import undated
from commonwatt.flows.speakers import needed
from commonwatt.ledger.checkpoint import read_note
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.metering.batch import ITEM_BYTES, Item, decode_items, item_proof
from commonwatt.model import SLOT_SECONDS, Asset, AssetId, InvalidValue, Outcome, Refused, instant


def make_chain(state: State, tree: MerkleTree, rows: Iterable[LeafRow], note: str, asset: str, slot_s: int) -> bytes:
    """Return the chain of evidence of one asset in one slot; `commonwatt.flows.verify` checks it.

    Args:
        state: As of the note.
        tree: Over the leaves that the note covers, or more.
        rows: The log's leaves; those after the note are passed over.
        note: The signed checkpoint.
        asset: Whose schedule it was.
        slot_s: Start of the slot, seconds since 1970.

    Returns:
        JSON, see `commonwatt.flows.evidence.Chain`: the statements that bound the asset, its schedule, the owner's
        word on that and, where they were asked, their decision, the gateway's answer, the meter's record, and who all
        these are. Where the owner said no, or nothing when asked, there is no answer.

    Raises:
        Refused: The asset is unknown, or a link is missing; says which.
        Corrupt: The note holds no checkpoint.
    """
    point = read_note(note)
    if len(tree) < point.size or tree.root(point.size) != point.log_root:
        raise Refused("the log is the one of the note", size=point.size, found=len(tree))
    thing = state.assets.get(AssetId(asset))
    if thing is None:
        raise Refused("a chain is about an asset that is registered", asset=asset)
    log = ReadLog.read(rows, point.size)
    schedule = _schedule(log.said, thing, slot_s)
    batch, place, item = _batch(log.said, state, thing, slot_s)
    spoken = [
        _registration(log.said, thing),
        *_statements(log.said, state, thing, schedule, slot_s),
        _consent(log.said, thing, schedule),
        schedule,
        *(decided := _decision(log.said, thing, schedule)),
        *_answer(log.said, thing, schedule, decided, slot_s),
        batch,
    ]
    shown = [log.said[0], *needed(log.said, log.keys, spoken), *spoken]
    items = batch.row.items
    return encode(
        Chain(
            format=CHAIN_FORMAT,
            community=state.community,
            asset=asset,
            slot_s=slot_s,
            note=note,
            leaves=[shown_leaf(one.row, tree, point.size) for one in sorted(shown, key=_place)],
            reading=ShownItem(
                record=items[place * ITEM_BYTES : (place + 1) * ITEM_BYTES].hex(),
                index=place,
                path=[step.hex() for step in item_proof(items, place)],
            ),
            expected_wh=recheck_chain.expected_wh(_instruction(schedule, slot_s)),
            measured_wh=item.import_wh - item.export_wh,
        )
    )


def story(content: bytes) -> list[str]:
    """Tell a chain in plain words, one line a link: who asked, what was planned, who agreed, what was taken and flowed.

    Signatures and proofs are not looked at; `commonwatt.flows.verify` does that.

    Raises:
        Refused: A link does not hold.
        InvalidValue: The content is no chain.
    """
    try:
        chain = msgspec.json.decode(content, type=Chain)
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidValue(f"this is no chain of evidence: {error}") from error
    said = []
    for leaf in chain.leaves:
        request = read_head(leaf.body.encode())
        said.append(Said(leaf.row(), request, bodies.read_body(request.kind, request.body)))
    if not said or not isinstance(founding := said[0].body, bodies.RegisterCommunity):
        raise Refused("a chain begins with the community's registration", leaves=len(said))
    return [f"{name:8} {detail}" for name, detail in recheck_chain.links(chain, said, founding, lambda _: None)]


def _place(one: Said) -> int:
    return one.row.position


def _last(said: Iterable[Said], missing: str, **found: object) -> Said:
    last = None
    for one in said:
        last = one
    if last is None:
        raise Refused(missing, **found)
    return last


def _registration(said: Sequence[Said], thing: Asset) -> Said:
    claims = (one for one in said if isinstance(one.body, bodies.RegisterAsset) and one.body.asset == thing.id)
    booked = (one for one in claims if one.row.outcome is Outcome.BOOKED)
    return _last(booked, "the log registers the asset", asset=thing.id)


def _schedule(said: Sequence[Said], thing: Asset, slot_s: int) -> Said:
    """Return the last schedule that was there before the slot had passed, in force or refused."""
    schedules = (one for one in said if isinstance(one.body, bodies.ScheduleBody) and one.body.asset == thing.id)
    known = (one for one in schedules if one.row.outcome in recheck_chain.SCHEDULED)
    in_time = (one for one in known if one.row.stamped_s < slot_s + SLOT_SECONDS and _covering(one, slot_s))
    return _last(in_time, "a chain has a schedule for the slot", asset=thing.id, slot_s=slot_s)


def _covering(schedule: Said, slot_s: int) -> list[bodies.InstructionItem]:
    assert isinstance(schedule.body, bodies.ScheduleBody)
    return [item for item in schedule.body.instructions if recheck_chain.covers(item, slot_s)]


def _instruction(schedule: Said, slot_s: int) -> bodies.InstructionItem:
    found = _covering(schedule, slot_s)
    if len(found) != 1:
        raise Refused("one instruction is about the slot", position=schedule.row.position, found=len(found))
    return found[0]


def _consent(said: Sequence[Said], thing: Asset, schedule: Said) -> Said:
    """Return the owner's last word before a schedule: about this asset, or about all that is theirs."""
    words = (one for one in said[: schedule.row.position] if isinstance(one.body, bodies.ConsentBody))
    booked = (one for one in words if one.row.outcome is Outcome.BOOKED and one.request.on_behalf_of == thing.owner)
    about = (one for one in booked if isinstance(one.body, bodies.ConsentBody) and one.body.asset in (thing.id, None))
    last = _last(about, "the owner has said how the asset may be scheduled", asset=thing.id)
    assert isinstance(last.body, bodies.ConsentBody)
    if schedule.row.outcome not in recheck_chain.OUTCOMES[last.body.mode]:
        raise Refused("a schedule is refused by its owner's word", outcome=schedule.row.outcome, word=last.body.mode)
    return last


def _decision(said: Sequence[Said], thing: Asset, schedule: Said) -> list[Said]:
    """Return what the owner decided about a schedule that waited for it, or nothing."""
    assert isinstance(schedule.body, bodies.ScheduleBody)
    if schedule.row.outcome is not Outcome.WAITING:
        return []
    named = (thing.id, schedule.body.issued_s)
    decisions = (
        one
        for one in said[schedule.row.position :]
        if isinstance(one.body, bodies.DecisionBody)
        and one.row.outcome is Outcome.BOOKED
        and (one.body.asset, one.body.issued_s) == named
    )
    return [*decisions][:1]


def _statements(said: Sequence[Said], state: State, thing: Asset, schedule: Said, slot_s: int) -> list[Said]:
    clock = ZoneInfo(state.charter.timezone)
    found: list[tuple[Said, set[language.Statement]]] = []
    for one in said[: schedule.row.position]:
        if isinstance(one.body, bodies.ConstraintBody) and one.row.outcome is Outcome.BOOKED:
            read = language.read(one.body.text, instant(one.body.said_s), clock)
            if read.no_longer:
                for other, left in found:
                    if other.request.on_behalf_of == one.request.on_behalf_of:
                        left.difference_update(map(undated, read.statements))
                continue
            binding = recheck_chain.in_force(read.statements, thing, slot_s)
            found.append((one, {*map(undated, binding)}))
    return [one for one, left in found if left]


def _answer(said: Sequence[Said], thing: Asset, schedule: Said, decided: Sequence[Said], slot_s: int) -> list[Said]:
    accepted = any(isinstance(one.body, bodies.DecisionBody) and one.body.accept for one in decided)
    if schedule.row.outcome is not Outcome.BOOKED and not accepted:
        return []
    asked = command_id(thing.id, instant(_instruction(schedule, slot_s).start_s))
    answers = (
        one
        for one in said[schedule.row.position :]
        if isinstance(one.body, bodies.AckBody)
        and one.row.outcome is Outcome.BOOKED
        and one.body.slot_s == slot_s
        and any((ack.asset, ack.command) == (thing.id, asked) for ack in one.body.acks)
    )
    return [_last(answers, "the gateway answered the command", asset=thing.id, command=asked)]


def _batch(said: Sequence[Said], state: State, thing: Asset, slot_s: int) -> tuple[Said, int, Item]:
    """Return the last batch that tells what is believed of the asset in the slot, where, and what."""
    booked = state.readings.told(slot_s).get(thing.id)
    register = state.gateways[thing.gateway].assets.index(thing.id)
    for one in reversed(said if booked else []):
        read = isinstance(one.body, bodies.ReadingBatch) and one.row.outcome in (Outcome.BOOKED, Outcome.SET_ASIDE)
        if not read or str(one.request.on_behalf_of) != thing.gateway:
            continue
        for place, item in enumerate(decode_items(one.row.items)):
            if (item.register, item.start_s) == (register, slot_s) and item.reading(thing.id) == booked:
                return one, place, item
    raise Refused("a chain ends with what a meter counted", asset=thing.id, slot_s=slot_s)
