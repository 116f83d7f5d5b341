"""Put together what one member needs to show how a slot was settled; `commonwatt.flows.verify` checks it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from commonwatt.flows.evidence import (
    EVIDENCE_FORMAT,
    LATE,
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
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.speakers import needed
from commonwatt.identity.keys import VerifyingKey
from commonwatt.identity.p256 import verifying_key
from commonwatt.ledger.checkpoint import read_note
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.market.slot_rows import ALONE, NOW
from commonwatt.metering.batch import ITEM_BYTES, Flag, Item, Quality, decode_items, item_proof
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Commodity,
    Entry,
    KeyId,
    Kind,
    Memo,
    Outcome,
    Refused,
    Trade,
)

_WAYS = ("import", "export")
_BEYOND = frozenset(
    {Memo.TRADE_KEPT, Memo.IMBALANCE, Memo.SHARED, Memo.SHARED_IMPORT, Memo.SHARED_EXPORT, Memo.GRID_FEE}
)
"""Memos of what rests on others' meters as well, or on terms that no bundle shows."""


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
        Refused: Log or state are not those of the note, the slot is not settled from a reading of the member's, or
            what was booked later does not follow from later readings.
        Corrupt: The note holds no checkpoint.
    """
    point = read_note(note)
    if len(tree) < point.size or tree.root(point.size) != point.log_root:
        raise Refused("the log is the one of the note", size=point.size, found=len(tree))
    if state.root() != point.state_root:
        raise Refused("the state is that of the note, replay the log up to it", size=point.size)
    if slot_s >= state.settled_to_s:
        raise Refused("the slot is settled", slot_s=slot_s, settled_to_s=state.settled_to_s)
    own = [entry for entry in state.entries if entry.slot_s == slot_s and account in (entry.source, entry.target)]
    beyond = sorted({str(entry.memo) for entry in own} & _BEYOND)
    if beyond:
        raise Refused("a bundle shows trades and the grid alone; a bill shows every entry", account=account, has=beyond)
    who = AccountId(account)
    log = ReadLog.read(rows, point.size)
    readings = _readings(log, state, who, slot_s)
    shown = _case(log, [one.said for one in readings], state, who, slot_s)
    return encode(
        Bundle(
            format=EVIDENCE_FORMAT,
            community=state.community,
            account=who,
            slot_s=slot_s,
            note=note,
            sections=[section.hex() for section in state.sections()],
            leaves=[shown_leaf(one.row, tree, point.size) for one in shown],
            reading=readings[-1].shown(),
            older=[one.shown() for one in readings[:-1]],
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

    Only slots in which the member's energy was traded or the grid's are looked at, see `make_evidence`.

    Raises:
        Refused: Nobody has traded yet in such a slot.
    """
    traded_wh: Counter[tuple[AccountId, int]] = Counter()
    beyond: set[tuple[str, int]] = set()
    for entry in state.entries:
        if entry.memo in _BEYOND:
            beyond |= {(entry.source, entry.slot_s), (entry.target, entry.slot_s)}
        if entry.commodity is Commodity.ENERGY and entry.memo == Memo.TRADE:
            traded_wh[entry.source, entry.slot_s] += entry.amount
            traded_wh[entry.target, entry.slot_s] += entry.amount
    for case in beyond & traded_wh.keys():
        del traded_wh[case]
    if not traded_wh:
        missing = "in a slot of trades and the grid alone, found none" if beyond else "nobody has traded yet"
        raise Refused(f"a case has a trade, {missing}", entries=len(state.entries))
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
                keys[verifying_key(bytes.fromhex(one.body.public), one.body.alg).id] = one
        if len(said) != size:
            raise Refused("the rows go up to the note", size=size, found=len(said))
        return cls(said, keys)


def _case(log: ReadLog, batches: Sequence[Said], state: State, account: AccountId, slot_s: int) -> list[Said]:
    """Return what the case rests on, in log order: what was said about it, and the keys of all who said it."""
    rows = state.slot_market.rows(slot_s)
    if state.zones or (rows["item"] != ALONE).any() or (rows["flags"] & NOW != 0).any():
        raise Refused("a bundle shows orders that met at the gate, one by one and in one zone; replay shows all others")
    told = {one.row.position for one in log.said if isinstance(one.body, order_bodies.SlotOrder)}
    if not told.issuperset(rows["position"].tolist()):
        raise Refused("a bundle shows orders that were told when they were placed; replay shows those that were sealed")
    ordered = {order.id for order in state.slot_market.orders(slot_s)}
    connection = state.connections[account]
    spoken = list(batches)
    for one in log.said:
        match one.body:
            case bodies.RegisterAsset(asset=asset):
                relevant = asset == connection
            case order_bodies.SlotOrder():
                relevant = str(one.row.position) in ordered
            case bodies.FactBody(start_s=start_s, prices=prices):
                relevant = start_s <= slot_s < start_s + len(prices) * SLOT_SECONDS
            case _:
                relevant = False
        if relevant and one.row.outcome is Outcome.BOOKED:
            spoken.append(one)
    shown = [log.said[0], *needed(log.said, log.keys, spoken), *spoken]
    return sorted(shown, key=lambda one: one.row.position)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a batch tells of the member's connection in the slot, and where."""

    said: Said
    place: int
    item: Item

    @property
    def counted(self) -> tuple[int, int]:
        return self.item.import_wh, self.item.export_wh

    def shown(self) -> ShownItem:
        """Return the one record that the case is about; what else its gateway read stays private."""
        items = self.said.row.items
        return ShownItem(
            record=items[self.place * ITEM_BYTES : (self.place + 1) * ITEM_BYTES].hex(),
            index=self.place,
            path=[step.hex() for step in item_proof(items, self.place)],
        )


def _readings(log: ReadLog, state: State, account: AccountId, slot_s: int) -> list[_Told]:
    """Return what the member's connection was settled from, and each correction of it since, in log order.

    That a batch was taken is in its leaf, which of its records were is not: what was booked tells. Where several
    ways lead to it, they come to the same.
    """
    told = _told(log, state, account, slot_s)
    late = [entry for entry in _own(state, account, slot_s) if entry.memo in LATE]
    if not told:
        raise Refused("a case is about a member whose connection was read", account=account, slot_s=slot_s)
    if not late:
        return [told[-1]]
    booked = [entry for entry in _own(state, account, slot_s) if entry.memo not in LATE]
    inward = sum(e.amount for e in booked if e.commodity is Commodity.ENERGY and e.target == account)
    outward = sum(e.amount for e in booked if e.commodity is Commodity.ENERGY and e.source == account)
    steps = [entry for entry in late if entry.commodity is Commodity.ENERGY]
    came_late = steps[0].memo.startswith("late")
    starts = [n for n, one in enumerate(told) if one.counted == (inward, outward)]
    for first in [-1] if came_late else reversed(starts):
        found = _followed([] if came_late else [told[first]], told[first + 1 :], steps, account)
        if found and found[-1].counted == told[-1].counted:
            return found
    raise Refused("what was booked after a slot's settlement follows its readings", account=account, slot_s=slot_s)


def _followed(
    found: list[_Told], told: Sequence[_Told], steps: Sequence[Entry], account: AccountId
) -> list[_Told] | None:
    """Return the readings among those told that account for what was booked late, step by step; None where none do."""
    left = list(steps)
    for one in told:
        older = found[-1] if found else None
        if older and not (
            (Flag.CORRECTS in one.item.flags or older.item.quality is not Quality.MEASURED)
            and one.item.quality.replaces(older.item.quality)
        ):
            continue
        before = older.counted if older else (0, 0)
        word = "corrected" if older else "late"
        more = [(f"{word} {way}", new - old) for way, new, old in zip(_WAYS, one.counted, before, strict=True)]
        expected = [(memo, wh) for memo, wh in more if wh]
        if expected and expected == [_grown(entry, account) for entry in left[: len(expected)]]:
            found, left = [*found, one], left[len(expected) :]
    return None if left else found


def _grown(entry: Entry, account: AccountId) -> tuple[str, int]:
    """Return an entry's memo, and by how much it raises what the register counted."""
    more = (entry.target == account) == entry.memo.endswith(_WAYS[0])
    return entry.memo, entry.amount if more else -entry.amount


def _told(log: ReadLog, state: State, account: AccountId, slot_s: int) -> list[_Told]:
    """Return whatever the member's gateway told of the connection in the slot, up to what is believed now."""
    connection = state.connections.get(account)
    booked = state.readings.told(slot_s).get(connection) if connection else None
    if connection is None or booked is None:
        return []
    number = state.assets[connection].gateway
    register = state.gateways[number].assets.index(connection)
    found, last = list[_Told](), 0
    for one in log.said:
        read = isinstance(one.body, bodies.ReadingBatch) and one.row.outcome in (Outcome.BOOKED, Outcome.SET_ASIDE)
        if not read or one.request.on_behalf_of != str(number):
            continue
        for place, item in enumerate(decode_items(one.row.items)):
            if (item.register, item.start_s, item.settles) == (register, slot_s, True):
                found.append(_Told(one, place, item))
                last = len(found) if item.reading(connection) == booked else last
    return found[:last]


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
        if _about(entry, account, slot_s)
    ]


def _own(state: State, account: AccountId, slot_s: int) -> list[Entry]:
    return [entry for entry in state.entries if _about(entry, account, slot_s)]


def _about(entry: Entry, account: AccountId, slot_s: int) -> bool:
    return entry.slot_s == slot_s and entry.memo in SETTLED and account in (entry.source, entry.target)


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
    clearing = state.slot_market.clearing(slot_s)
    trades: Sequence[Trade] = clearing.trades if clearing else ()
    return [trade for trade in trades if account in (trade.buyer, trade.seller)]
