"""Take one day out of a log, whole: its leaves, the entries that they led to, and the readings that were believed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from commonwatt.flows.ports import LogStore
from commonwatt.flows.replay import go_on, restored
from commonwatt.flows.rulebook import snapshot
from commonwatt.flows.rulebook.bodies import Witness
from commonwatt.flows.rulebook.state import SetAside
from commonwatt.ledger.leaf import LeafRow
from commonwatt.metering.batch import Item, decode_items
from commonwatt.model import AssetId, Entry, Outcome, Refused, epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A reading that was believed when it came: of which asset, and at which place in the log."""

    position: int
    asset: AssetId
    item: Item


@dataclass(slots=True)
class DayOfLog:
    """One UTC day of a log, by the stamps of its leaves, both roots at its end, and who was to watch it."""

    community: str
    day: date
    log_root: bytes = b""
    state_root: bytes = b""
    snapshot: bytes = b""
    first_entry: int = 0
    leaves: list[LeafRow] = field(default_factory=list)
    witnesses: tuple[Witness, ...] = ()
    entries: list[Entry] = field(default_factory=list)
    readings: list[Told] = field(default_factory=list)


def take_day(store: LogStore, community: str, day: date) -> DayOfLog:
    """Run a log up to a day's end and return the day.

    Args:
        store: The log, with a snapshot from the day's beginning or earlier, or unpruned.
        community: Whose log.
        day: UTC.

    Raises:
        Refused: The day is not over in the log, nothing happened in it, or it was pruned.
        Corrupt: The log contradicts itself.
    """
    begin_s = epoch(datetime.combine(day, datetime.min.time(), UTC))
    end_s = begin_s + int(timedelta(days=1).total_seconds())
    replayed = restored(store, community, before_s=begin_s)
    taken, rows = DayOfLog(community, day), _Rows(store.rows(len(replayed.tree)))
    go_on(replayed, rows.until(begin_s))
    taken.first_entry = replayed.state.journal.count
    replayed.state.journal.listener = taken.entries.append
    replayed.state.doubted = doubts = list[SetAside]()
    go_on(replayed, rows.until(end_s, taken.leaves))
    if not taken.leaves or not rows.more:
        raise Refused("a day is archived once it is over in the log", day=day, leaves=len(taken.leaves))
    taken.witnesses = replayed.state.charter.witnesses
    taken.log_root, taken.state_root = replayed.tree.root(), replayed.state.root()
    taken.snapshot = snapshot.dump(replayed.state, replayed.last_s, taken.log_root)
    behind = {str(name): gateway.assets for name, gateway in replayed.state.gateways.items()}
    noted = {(doubt.position, str(doubt.asset), doubt.slot_s) for doubt in doubts}
    taken.readings = [told for row in taken.leaves for told in _told(row, behind) if not _doubted(noted, row, told)]
    return taken


def _doubted(noted: set[tuple[int, str, int]], row: LeafRow, told: Told) -> bool:
    """Tell whether a reading was set aside: by its asset's name, or by its register while nobody had claimed that.

    Of two readings of one asset and slot in one batch neither stands, where either is in doubt.
    """
    unclaimed = f"{row.owner} register {told.item.register}"
    return any((told.position, name, told.item.start_s) in noted for name in (told.asset, unclaimed))


class _Rows:
    """Leaves in order, taken up to one moment after the other."""

    def __init__(self, rows: Iterator[LeafRow]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    @property
    def more(self) -> bool:
        """Whether the log goes on."""
        return self._next is not None

    def until(self, end_s: int, kept: list[LeafRow] | None = None) -> Iterator[LeafRow]:
        """Yield the leaves stamped before a moment, and note them where a list is given."""
        while self._next is not None and self._next.stamped_s < end_s:
            if kept is not None:
                kept.append(self._next)
            yield self._next
            self._next = next(self._rows, None)


def _told(row: LeafRow, behind: Mapping[str, Sequence[AssetId]]) -> list[Told]:
    if not row.items or row.outcome not in (Outcome.BOOKED, Outcome.SET_ASIDE):
        return []
    assets = behind[row.owner]
    items = [item for item in decode_items(row.items) if item.register < len(assets)]
    return [Told(position=row.position, asset=assets[item.register], item=item) for item in items]
