"""What a step through the log changed, as one seat may know it: told to whoever follows live."""

from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.flows.chronicle import Chapter
from commonwatt.identity.access import Action, Relation, lets
from commonwatt.identity.seat import Seat
from commonwatt.model import AssetId, Kind

_PUBLIC = frozenset(
    {Kind.FACT, Kind.ORDER, Kind.CANCEL, Kind.ORDER_BATCH, Kind.AUCTION, Kind.CHECKPOINT, Kind.CONTRACT}
)
"""Kinds that everybody may know were asked for: the markets are public, homes are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingTold:
    """A reading of an own meter, as it was believed; Wh."""

    asset: AssetId
    slot_s: int
    import_wh: int
    export_wh: int
    level_wh: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step.

    Args:
        size: Leaves of the log by its end.
        as_of_s: The log's time.
        kinds: Which kinds of request came that this seat may know of.
        trades: How many trades of slots were settled.
        own: Whether anything of the seat's own account moved, where it may see its entries.
        readings: Of meters that it may see.
    """

    size: int
    as_of_s: int
    kinds: Sequence[str]
    trades: int
    own: bool
    readings: Sequence[ReadingTold]


def change(community: Community, chapter: Chapter, seat: Seat) -> Change:
    """Return what one step changed for a seat."""
    assets = community.state.assets
    log, account = lets(seat, Action.SEE_LOG, Relation.COMMUNITY), seat.account
    kinds = {leaf.kind for leaf in chapter.leaves if log or leaf.kind in _PUBLIC}
    return Change(
        size=chapter.size,
        as_of_s=chapter.now_s,
        kinds=sorted(kind.value for kind in kinds),
        trades=len(chapter.trades),
        own=account in chapter.accounts and lets(seat, Action.SEE_ENTRIES, Relation.OWN),
        readings=[
            ReadingTold(
                asset=one.reading.asset,
                slot_s=one.slot_s,
                import_wh=one.reading.import_wh,
                export_wh=one.reading.export_wh,
                level_wh=one.reading.level_wh,
            )
            for one in chapter.readings
            if account is not None
            and (asset := assets.get(one.reading.asset)) is not None
            and asset.owner == account
            and lets(seat, Action.SEE_READINGS, Relation.OWN)
        ],
    )


def missed(community: Community, seat: Seat) -> Change:
    """Return one step in place of those that a seat did not hear: all that it may know of may have changed."""
    kinds = set(Kind) if lets(seat, Action.SEE_LOG, Relation.COMMUNITY) else _PUBLIC
    own = seat.account is not None and lets(seat, Action.SEE_ENTRIES, Relation.OWN)
    told = sorted(kind.value for kind in kinds)
    return Change(size=community.size, as_of_s=community.told_s, kinds=told, trades=0, own=own, readings=[])
