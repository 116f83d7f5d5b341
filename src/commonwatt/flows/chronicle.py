"""Tell what a log's leaves came to, for people who look: entries, readings, trades, schedules, one chapter a step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from commonwatt.flows.follower import Follower
from commonwatt.flows.intake import read_head
from commonwatt.flows.ports import LogStore
from commonwatt.flows.replay import Replayed, community_of, restored
from commonwatt.flows.rulebook import State
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.tiles import Frontier
from commonwatt.metering.batch import Quality, decode_items
from commonwatt.model import SLOT_SECONDS, AccountId, AssetId, Entry, Kind, Outcome, Reading, Request, Trade

AT_ONCE = 256
"""Leaves run at a step, so that whoever waits for an answer meanwhile waits some hundredths of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One leaf as people look for it: where it stands, what was asked, for whom, and what became of it."""

    position: int
    stamped_s: int
    kind: Kind
    account: AccountId
    author: str
    seq: int
    outcome: Outcome
    slot_s: int | None = None
    asset: AssetId | None = None
    body: bytes = b""
    """The request as it stands in the log, for all but batches of readings and orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Believed:
    """What is believed of one meter in one slot, and how it came to be."""

    reading: Reading
    slot_s: int
    quality: Quality
    position: int
    """Of the batch that told it last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """Energy of one slot that neighbours traded, as the gate decided, in the order of the slot's list."""

    slot_s: int
    number: int
    trade: Trade


@dataclass(slots=True, kw_only=True)
class Chapter:
    """What one step through the log told, in the order in which it came; ``size`` leaves are run by its end."""

    size: int
    now_s: int
    leaves: list[Told] = field(default_factory=list)
    entries: list[tuple[int, Entry]] = field(default_factory=list)
    readings: list[Believed] = field(default_factory=list)
    trades: list[Traded] = field(default_factory=list)
    prices: dict[int, tuple[int, int]] = field(default_factory=dict)
    losses_wh: dict[int, int] = field(default_factory=dict)

    @property
    def accounts(self) -> set[AccountId]:
        """Return whose things changed."""
        moved = {side for _, entry in self.entries for side in (entry.source, entry.target)}
        return moved | {leaf.account for leaf in self.leaves}


class Chronicler:
    """Follows a log and tells it as chapters; `state` is the rulebook's, as of the last of them.

    Args:
        store: The community's log; it begins where the log is whole, so from its first leaf unless some were erased
            or pruned, else from the last snapshot after those.
    """

    def __init__(self, store: LogStore, whole_from: int = 0) -> None:
        self._store, community = store, community_of(store)
        begun = restored(store, community) if whole_from else _from_zero(community)
        self._follower = Follower(begun)
        self._entries: list[tuple[int, Entry]] = []
        self._cleared_to_s = begun.state.settled_to_s
        self.begins = begun.from_leaf
        self.state.journal.listener = self._booked

    @property
    def state(self) -> State:
        """What holds as of the last chapter."""
        return self._follower.replayed.state

    @property
    def size(self) -> int:
        """Leaves that are told."""
        return self._follower.size

    @property
    def now_s(self) -> int:
        """The log's time as of the last chapter."""
        return self._follower.replayed.last_s

    @property
    def root(self) -> bytes:
        """The log root over what is told."""
        return self._follower.replayed.tree.root()

    def step(self) -> Chapter | None:
        """Run what came since, some hundred leaves at most, and tell it; None where nothing whole came.

        Raises:
            Corrupt: The log contradicts itself; nothing told of it is to be believed any more.
        """
        before = self.size
        while rows := list(islice(self._store.rows(self._follower.received), AT_ONCE)):
            waiting = [*self._follower.open, *rows]
            self._follower.take(rows)
            if self.size > before:  # else more was decided together than is read at once
                return self._tell(waiting[: self.size - before])
        return None

    def _booked(self, entry: Entry) -> None:
        # A sheet's lines count once they are in, an entry by itself before it is: both are told in their order.
        self._entries.append((len(self._entries), entry))

    def _tell(self, rows: Sequence[LeafRow]) -> Chapter:
        entries, self._entries = self._entries, []
        first = self.state.journal.count - len(entries)
        chapter = Chapter(
            size=self.size, now_s=self.now_s, entries=[(first + number, entry) for number, entry in entries]
        )
        for row in rows:
            request = read_head(row.body)
            if request.kind is Kind.READING_BATCH and row.outcome is Outcome.BOOKED:
                self._readings(chapter, row, request)
            elif request.kind is Kind.FACT and row.outcome is Outcome.BOOKED:
                self._facts(chapter, request)
            chapter.leaves.append(_told(row, request))
        self._slots(chapter)
        return chapter

    def _readings(self, chapter: Chapter, row: LeafRow, request: Request) -> None:
        record = self.state.keys[request.author]
        assert record.gateway is not None
        behind = self.state.gateways[record.gateway].assets
        for item in decode_items(row.items):
            slot = self.state.readings.told(item.start_s)
            asset = behind[item.register] if item.register < len(behind) else None
            if asset is not None and asset in slot:
                quality = self.state.readings[item.start_s].quality_of(asset)
                chapter.readings.append(
                    Believed(reading=slot[asset], slot_s=item.start_s, quality=quality, position=row.position)
                )

    def _facts(self, chapter: Chapter, request: Request) -> None:
        start_s, told = request.body.get("start_s"), request.body.get("prices")
        if isinstance(start_s, int) and isinstance(told, list):
            slots = (start_s + SLOT_SECONDS * number for number in range(len(told)))
            chapter.prices |= {slot_s: self.state.prices[slot_s] for slot_s in slots if slot_s in self.state.prices}

    def _slots(self, chapter: Chapter) -> None:
        """Tell the trades and losses of slots that were settled since."""
        market, settled_to_s = self.state.slot_market, self.state.settled_to_s
        for slot_s in market.slots():
            if self._cleared_to_s <= slot_s < settled_to_s:
                trades = market.told(slot_s, market.trades(slot_s))
                chapter.trades += [
                    Traded(slot_s=slot_s, number=number, trade=trade) for number, trade in enumerate(trades)
                ]
        chapter.losses_wh = {
            slot_s: wh for slot_s, wh in self.state.losses_wh.items() if self._cleared_to_s <= slot_s < settled_to_s
        }
        self._cleared_to_s = settled_to_s


def _from_zero(community: str) -> Replayed:
    return Replayed(State(community), Frontier())


def _told(row: LeafRow, request: Request) -> Told:
    body, asset = request.body, request.body.get("asset")
    slot_s = body.get("slot_s")
    return Told(
        position=row.position,
        stamped_s=row.stamped_s,
        kind=request.kind,
        account=request.on_behalf_of,
        author=request.author,
        seq=request.seq,
        outcome=row.outcome,
        slot_s=slot_s if isinstance(slot_s, int) else None,
        asset=AssetId(asset) if isinstance(asset, str) else None,
        body=b"" if row.items else row.body,
    )
