"""Put together what one member needs to show how a slot was settled; `commonwatt.flows.verify` checks it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from commonwatt.flows.evidence import (
    EVIDENCE_FORMAT,
    SETTLED,
    TRUST_FORMAT,
    Bundle,
    Said,
    ShownEntry,
    ShownItem,
    ShownLeaf,
    Trust,
    encode,
)
from commonwatt.flows.intake import read_head
from commonwatt.flows.rulebook import State, bodies
from commonwatt.flows.speakers import needed
from commonwatt.identity.keys import VerifyingKey
from commonwatt.ledger.checkpoint import read_note
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.metering.batch import ITEM_BYTES, decode_items, item_proof
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Commodity,
    KeyId,
    Kind,
    Outcome,
    Refused,
    Trade,
)


def make_evidence(
    state: State, tree: MerkleTree, rows: Iterable[LeafRow], note: str, account: str, slot_s: int
) -> bytes:
    """Return the evidence bundle of one member and one settled slot.

    Args:
        state: As of the note, neither earlier nor later; see `final_note`.
        tree: Over the leaves that the note covers, or more.
        rows: The log's leaves; those after the note are passed over.
        note: The signed checkpoint.
        account: The member.
        slot_s: Start of the slot, seconds since 1970.

    Returns:
        JSON, see `commonwatt.flows.evidence.Bundle`. It shows the slot's orders of all members under their
        pseudonyms, and of entries only the member's own, energy and money; WATT postings are left out, since a
        bundle cannot show that none is missing.

    Raises:
        Refused: Log or state are not those of the note, or the slot is not settled from a reading of the member's.
        Corrupt: The note holds no checkpoint.
    """
    point = read_note(note)
    if len(tree) < point.size or tree.root(point.size) != point.log_root:
        raise Refused("the log is the one of the note", size=point.size, found=len(tree))
    if state.root() != point.state_root:
        raise Refused("the state is that of the note, replay the log up to it", size=point.size)
    if slot_s >= state.settled_to_s:
        raise Refused("the slot is settled", slot_s=slot_s, settled_to_s=state.settled_to_s)
    who = AccountId(account)
    shown = _case(ReadLog.read(rows, point.size), state, who, slot_s)
    return encode(
        Bundle(
            format=EVIDENCE_FORMAT,
            community=state.community,
            account=who,
            slot_s=slot_s,
            note=note,
            sections=[section.hex() for section in state.sections()],
            leaves=[shown_leaf(one.row, tree, point.size) for one in shown],
            reading=_item(shown, state, who, slot_s),
            entries=_entries(state, who, slot_s),
            trades=_trades(state, who, slot_s),
        )
    )


def final_note(rows: Iterable[LeafRow]) -> tuple[str, int]:
    """Return the last signed checkpoint in the log and how many leaves it covers.

    The checkpoint's own leaf and whatever follows it are not covered, and applying them may already have changed
    the state. State and tree as of the note are those of `replay(rows[:size], community)`, see
    `commonwatt.flows.sequence`.

    Raises:
        Refused: The log holds no checkpoint.
        Corrupt: The last one cannot be read.
    """
    last = None
    for row in rows:
        if row.outcome is Outcome.BOOKED and b'"kind":"checkpoint"' in row.body:
            request = read_head(row.body)
            last = request if request.kind is Kind.CHECKPOINT else last
    if last is None:
        raise Refused("evidence rests on a checkpoint, the log holds none")
    body = bodies.read_body(last.kind, last.body)
    assert isinstance(body, bodies.CheckpointBody)
    return body.note, read_note(body.note).size


def trust_file(
    operator_public: bytes,
    note_vkey: str,
    community: str,
    *,
    witnesses: Sequence[bodies.Witness] = (),
    rehearsal: bool = False,
) -> str:
    """Return the text of ``community.pub``: whom a reader of evidence has to trust, to be passed on by another way.

    Args:
        operator_public: The operator's secp256k1 key, 33 bytes.
        note_vkey: The key that signs checkpoint notes, as a C2SP vkey.
        community: The community's name.
        witnesses: As the first leaf of the log names them.
        rehearsal: Whether the keys follow from a published seed, as in a simulation.
    """
    operator = VerifyingKey(operator_public).public.hex()
    trust = Trust(
        format=TRUST_FORMAT,
        community=community,
        operator=operator,
        note=note_vkey,
        witnesses=tuple(witnesses),
        rehearsal=rehearsal,
    )
    return encode(trust).decode()


def default_case(state: State) -> tuple[AccountId, int]:
    """Return the member and the settled slot with the most energy traded; of equals the earliest slot, then by name.

    Raises:
        Refused: Nobody has traded yet.
    """
    traded_wh: Counter[tuple[AccountId, int]] = Counter()
    for entry in state.entries:
        if entry.commodity is Commodity.ENERGY and entry.memo == "trade":
            traded_wh[entry.source, entry.slot_s] += entry.amount
            traded_wh[entry.target, entry.slot_s] += entry.amount
    if not traded_wh:
        raise Refused("a case has a trade, nobody has traded yet", entries=len(state.entries))
    return min(traded_wh, key=lambda case: (-traded_wh[case], case[1], case[0]))


@dataclass(frozen=True, slots=True)
class ReadLog:
    """The part of a log that cases are made of."""

    said: list[Said]
    keys: dict[KeyId, Said]

    @classmethod
    def read(cls, rows: Iterable[LeafRow], size: int) -> "ReadLog":
        """Read the first leaves of a log.

        Raises:
            Refused: There are not so many.
        """
        said, keys = list[Said](), dict[KeyId, Said]()
        for row in rows:
            if row.position >= size:
                break
            request = read_head(row.body)
            one = Said(row, request, bodies.read_body(request.kind, request.body))
            said.append(one)
            if row.outcome is Outcome.BOOKED and isinstance(one.body, bodies.RegisterKey | bodies.RegisterGateway):
                keys[VerifyingKey(bytes.fromhex(one.body.public)).id] = one
        if len(said) != size:
            raise Refused("the rows go up to the note", size=size, found=len(said))
        return cls(said, keys)


def _case(log: ReadLog, state: State, account: AccountId, slot_s: int) -> list[Said]:
    """Return what the case rests on, in log order: what was said about it, and the keys of all who said it."""
    batch = _batch(log, state, account, slot_s)
    assert isinstance(batch.body, bodies.ReadingBatch)
    ordered = {order.id for order in state.slot_orders.get(slot_s, [])}
    connection = state.connections[account]
    spoken = [batch]
    for one in log.said:
        match one.body:
            case bodies.RegisterAsset(asset=asset):
                relevant = asset == connection
            case bodies.OrderBody():
                relevant = str(one.row.position) in ordered
            case bodies.FactBody(start_s=start_s, prices=prices):
                relevant = start_s <= slot_s < start_s + len(prices) * SLOT_SECONDS
            case _:
                relevant = False
        if relevant and one.row.outcome is Outcome.BOOKED:
            spoken.append(one)
    shown = [log.said[0], *needed(log.said, log.keys, spoken), *spoken]
    return sorted(shown, key=lambda one: one.row.position)


def _batch(log: ReadLog, state: State, account: AccountId, slot_s: int) -> Said:
    """Return the batch from which the member's connection was booked: the last that tells what is believed."""
    for one in reversed(log.said):
        read = isinstance(one.body, bodies.ReadingBatch) and one.row.outcome in (Outcome.BOOKED, Outcome.SET_ASIDE)
        if read and _place(one, state, account, slot_s) is not None:
            return one
    raise Refused("a case is about a member whose connection was read", account=account, slot_s=slot_s)


def _place(one: Said, state: State, account: AccountId, slot_s: int) -> int | None:
    """Return where a batch tells what is believed of a member's connection in a slot, or None."""
    connection = state.connections.get(account)
    booked = state.readings.told(slot_s).get(connection) if connection else None
    if connection is None or booked is None or str(state.assets[connection].gateway) != one.request.on_behalf_of:
        return None
    register = state.gateways[state.assets[connection].gateway].assets.index(connection)
    for place, item in enumerate(decode_items(one.row.items)):
        if (item.register, item.start_s) == (register, slot_s) and item.reading(connection) == booked:
            return place
    return None


def _item(shown: Sequence[Said], state: State, account: AccountId, slot_s: int) -> ShownItem:
    """Return the one record of the shown batch that the case is about; what else its gateway read stays private."""
    batch = next(one for one in shown if isinstance(one.body, bodies.ReadingBatch))
    place = _place(batch, state, account, slot_s)
    assert place is not None
    items = batch.row.items
    return ShownItem(
        record=items[place * ITEM_BYTES : (place + 1) * ITEM_BYTES].hex(),
        index=place,
        path=[step.hex() for step in item_proof(items, place)],
    )


def shown_leaf(row: LeafRow, tree: MerkleTree, size: int) -> ShownLeaf:
    """Return a leaf with its inclusion proof in the log of a size."""
    return ShownLeaf(
        body=row.body.decode(),
        closes=row.closes,
        outcome=row.outcome,
        position=row.position,
        proof=[item.hex() for item in tree.inclusion_proof(row.position, size)],
        salt=row.salt.hex(),
        stamped_s=row.stamped_s,
    )


def _entries(state: State, account: AccountId, slot_s: int) -> list[ShownEntry]:
    return [
        ShownEntry(entry=entry, path=sided_path(state.journal.tree, index))
        for index, entry in enumerate(state.entries)
        if entry.slot_s == slot_s and entry.memo in SETTLED and account in (entry.source, entry.target)
    ]


def sided_path(tree: MerkleTree, index: int) -> list[str]:
    """Return a leaf's inclusion proof with the side on which each hash stands, lowest first."""
    start, end, sides = 0, len(tree), list[str]()
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        sides.append("right" if index < middle else "left")
        start, end = (start, middle) if index < middle else (middle, end)
    proof = tree.inclusion_proof(index, len(tree))
    return [f"{side} {item.hex()}" for side, item in zip(reversed(sides), proof, strict=True)]


def _trades(state: State, account: AccountId, slot_s: int) -> list[Trade]:
    clearing = state.clearings.get(slot_s)
    trades: Sequence[Trade] = clearing.trades if clearing else ()
    return [trade for trade in trades if account in (trade.buyer, trade.seller)]
