"""What shows that something is so: a leaf, a reading, an entry, with its way up to a checkpoint that others signed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.apps.publishing import TRUST, cosigned
from commonwatt.apps.views import audit
from commonwatt.apps.views.seeing import Unseen, asset_of, check
from commonwatt.flows.evidence import read_trust
from commonwatt.flows.publish import checkpoint_note
from commonwatt.flows.replay import store_tile
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.ledger import tiles
from commonwatt.ledger.checkpoint import read_note
from commonwatt.ledger.cosign import cosigned_at_s
from commonwatt.ledger.journal import entry_leaf
from commonwatt.ledger.leaf import LeafRow
from commonwatt.metering.batch import ITEM_BYTES, decode_items, item_proof
from commonwatt.model import AccountId, Entry, Kind, Memo, Outcome, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """A registered witness: its C2SP word, its weight, and when it cosigned, seconds since 1970; None where not yet."""

    vkey: str
    weight: int
    cosigned_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The last checkpoint: a signed note with the cosignatures so far, and by whose keys to read it.

    Args:
        note: C2SP signed note: text, blank line, signature lines.
        vkey: The C2SP word of the key that signs the community's notes.
        size: Leaves that it covers.
        slot_s: The slot that it closes, seconds since 1970.
        log_root, state_root: 64 hex digits each.
        witnesses: Who is registered.
        final: Whether two thirds of their weight cosigned it.
        rehearsal: Whether all these keys follow from a published seed.
    """

    note: str
    vkey: str
    size: int
    slot_s: int
    log_root: str
    state_root: str
    witnesses: list[Watcher]
    final: bool
    rehearsal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafPart:
    """A leaf of the log and its way to the log root.

    Args:
        position: From 0.
        data: The leaf's data, 64 hex digits: SHA-256 over salt and record.
        salt: 64 hex digits; None where the record is not for who asks.
        record: The request with what became of it, as text; likewise.
        path: Inclusion proof (RFC 6962), lowest first, 64 hex digits each.
    """

    position: int
    data: str
    salt: str | None
    record: str | None
    path: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPart:
    """One record of a batch of readings, 48 bytes in hex, and its way to the batch's root, which its leaf tells."""

    record: str
    index: int
    count: int
    path: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPart:
    """An entry as it is hashed, its way up the journal, and the roots that the state root is made of, hex."""

    number: int
    record: str
    path: list[str]
    sections: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What shows one thing; parts that it does not need are None.

    Args:
        what: ``leaf``, ``reading``, ``entry`` or ``checkpoint``.
        checkpoint: On which it rests.
        leaf: Of a leaf, and of a reading's batch.
        item: Of a reading.
        entry: Of an entry.
    """

    what: str
    checkpoint: Checked
    leaf: LeafPart | None = None
    item: ItemPart | None = None
    entry: EntryPart | None = None


async def checkpoint(community: Community, seat: Seat) -> Proof:
    """Return the last checkpoint with all that signed it.

    Raises:
        Refused: The log holds none yet.
    """
    check(community, seat, Action.SEE_COMMUNITY, None)
    return Proof(what="checkpoint", checkpoint=await _checked(community, _note(community)))


async def leaf(community: Community, seat: Seat, position: int) -> Proof:
    """Return one leaf with its proof; its content only for who may read it, see `audit.leaf`.

    Raises:
        Unseen, Refused: As in `audit.leaf`; or no checkpoint covers it yet.
        Corrupt: The leaf or a tile is damaged.
    """
    seen = audit.leaf(community, seat, position)
    row, note = _row(community, position), _note(community)
    told = seen.body is not None or seen.account == seat.account
    part = _leaf(community, row, read_note(note).size, told=told)
    return Proof(what="leaf", checkpoint=await _checked(community, note), leaf=part)


async def reading(community: Community, seat: Seat, name: str, slot_s: int) -> Proof:
    """Return what is believed of a meter in a slot, out of the batch that told it last.

    Raises:
        Unseen, Refused: As in `seeing.check`; or no checkpoint covers it yet.
        Corrupt: The leaf or a tile is damaged.
    """
    asset = asset_of(community, seat, name, Action.SEE_READINGS)
    found = community.chronicle.readings(asset.id, slot_s, slot_s + 1)
    if not found:
        raise Unseen(f"{name} at {slot_s}")
    row, note = _row(community, found[0].position), _note(community)
    register = community.state.gateways[asset.gateway].assets.index(asset.id)
    items = decode_items(row.items)
    place = next(n for n, one in enumerate(items) if (one.register, one.start_s) == (register, slot_s))
    item = ItemPart(
        record=row.items[place * ITEM_BYTES : (place + 1) * ITEM_BYTES].hex(),
        index=place,
        count=len(row.items) // ITEM_BYTES,
        path=[step.hex() for step in item_proof(row.items, place)],
    )
    # The batch's own request tells its root alone, so that nothing else that its gateway read is shown.
    part = _leaf(community, row, read_note(note).size, told=True)
    return Proof(what="reading", checkpoint=await _checked(community, note), leaf=part, item=item)


async def entry(community: Community, seat: Seat, number: int) -> Proof:
    """Return one entry with its way up to the state root; takes a while where the log was not run again yet.

    Raises:
        Unseen: There is none, or it is between others.
        Refused: No checkpoint covers it yet, or as in `proving.Prover.entry`.
        Corrupt: The log contradicts itself.
    """
    seen(community, seat, number)
    note = _note(community)
    proven = await community.prover.entry(_asker(seat), note, number)
    part = EntryPart(
        number=number,
        record=entry_leaf(proven.entry).decode(),
        path=proven.path,
        sections=proven.sections,
    )
    return Proof(what="entry", checkpoint=await _checked(community, note), entry=part)


async def evidence(community: Community, seat: Seat, account: AccountId, slot_s: int) -> bytes:
    """Return the file that `commonwatt verify` checks, of one account's slot.

    Raises:
        Unseen, Refused, Corrupt: As in `proving.Prover.evidence`, and as in `seeing.check`.
    """
    check(community, seat, Action.SEE_ENTRIES, account)
    check(community, seat, Action.SEE_READINGS, account, community.state.connections.get(account))
    return await community.prover.evidence(_asker(seat), _note(community), account, slot_s)


async def chain(community: Community, seat: Seat, name: str, slot_s: int) -> bytes:
    """Return the chain of evidence of an asset's slot (row X6), which `commonwatt verify` checks.

    Raises:
        Unseen, Refused, Corrupt: As in `proving.Prover.chain`, and as in `seeing.check`.
    """
    asset = asset_of(community, seat, name, Action.SEE_SCHEDULES)
    check(community, seat, Action.SEE_READINGS, asset.owner, asset.id)
    return await community.prover.chain(_asker(seat), _note(community), asset.id, slot_s)


def _asker(seat: Seat) -> str:
    return seat.account or seat.person


def trust(community: Community, seat: Seat) -> bytes:
    """Return the community's public keys as they are passed on."""
    check(community, seat, Action.SEE_COMMUNITY, None)
    return (community.folder / TRUST).read_bytes()


def seen(community: Community, seat: Seat, number: int) -> Entry:
    """Return one entry, for who may see an entry of one of its two sides.

    Raises:
        Unseen: There is none for who asks.
        Refused: The role sees no entries.
    """
    found = community.chronicle.entry(number)
    if found is None:
        raise Unseen(str(number))
    own = found.source if found.source == seat.account else found.target
    check(community, seat, Action.SEE_ENTRIES, own)
    return found


def entries_of_trade(community: Community, seat: Seat, slot_s: int, seller: str, buyer: str) -> Sequence[int]:
    """Return the numbers of the entries that a trade came to, energy and money, as far as who asks may see them."""
    found = community.chronicle.entries(AccountId(seller), from_s=slot_s, to_s=slot_s + 1, memo=Memo.TRADE, limit=500)
    between = [number for number, one in found if {one.source, one.target} == {seller, buyer}]
    return [number for number in reversed(between) if _sees(community, seat, number)]


def _sees(community: Community, seat: Seat, number: int) -> bool:
    try:
        seen(community, seat, number)
    except (Unseen, Refused):
        return False
    return True


def _note(community: Community) -> str:
    """Return the last signed checkpoint of the log, without cosignatures."""
    found = community.chronicle.leaves(kinds=[Kind.CHECKPOINT], outcome=Outcome.BOOKED, limit=1)
    note = checkpoint_note(_row(community, found[0].position)) if found else None
    if note is None:
        raise Refused("a proof rests on a signed checkpoint, the log holds none yet", size=community.size)
    return note


async def _checked(community: Community, note: str) -> Checked:
    """Return a note with the cosignatures that were handed in for it so far."""
    trust = read_trust((community.folder / TRUST).read_bytes())
    whole = await asyncio.to_thread(cosigned, community.folder, note)
    point, registered = read_note(note), community.state.charter.witnesses
    at_s = cosigned_at_s(whole, [one.note for one in registered])
    behind = sum(one.weight for one in registered if one.note in at_s)
    total = sum(one.weight for one in registered)
    return Checked(
        note=whole,
        vkey=trust.note,
        size=point.size,
        slot_s=point.slot_s,
        log_root=point.log_root.hex(),
        state_root=point.state_root.hex(),
        witnesses=[Watcher(vkey=one.note, weight=one.weight, cosigned_s=at_s.get(one.note)) for one in registered],
        final=total > 0 and behind * 3 >= total * 2,
        rehearsal=trust.rehearsal,
    )


def _row(community: Community, position: int) -> LeafRow:
    row = next(community.log.rows(position), None)
    if row is None or row.position != position:
        raise Unseen(str(position))
    return row


def _leaf(community: Community, row: LeafRow, size: int, *, told: bool) -> LeafPart:
    if row.position >= size:
        raise Refused("the next checkpoint covers it, the last one does not yet", position=row.position, covered=size)
    proof = tiles.inclusion_proof(row.position, size, store_tile(community.log))
    return LeafPart(
        position=row.position,
        data=row.data().hex(),
        salt=row.salt.hex() if told else None,
        record=row.record().decode() if told else None,
        path=[step.hex() for step in proof],
    )
