"""A DEMAND followed up: what homes drew while it held, against what they would have drawn, live and after (row H6)."""

from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.apps import demanding
from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import check, relation
from commonwatt.apps.views.zones import LEAST_HOMES
from commonwatt.identity.access import Action, lets, sees_zone
from commonwatt.identity.seat import Seat
from commonwatt.metering.baseline import ADJUSTED_BY, SLOTS_A_DAY, DayRows, adjustment_wh
from commonwatt.model import SLOT_SECONDS, AccountId, Asset, AssetId, AssetKind, instant, round_div, zone_of

_DAY_S = 86_400
_LOOK_BACK_S = 24 * _DAY_S
"""Ten days of either kind, with weekends between them."""
ADJUST_PERMILLE = 200
"""How far a baseline is moved by the hours before the call, of its mean, as contracts do where they say nothing."""
SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeFollowed:
    """One home that its owner lets a seat see: net Wh while a DEMAND held, and what it would have been."""

    account: AccountId
    connection: AssetId
    baseline_wh: int
    actual_wh: int
    slots_s: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What became of a DEMAND, in whole quarter-hours within it; net Wh, import positive.

    Args:
        id: Its name.
        start_s: From when it held.
        end_s: Until when, or until it was taken back.
        told_s: When it was told.
        retracted: Whether it was taken back.
        power_w: What each connection was asked to send out; None for all it can.
        asked: How many homes are in the seat's zones: it is a broadcast, so each with a gateway was asked.
        measured: How many of their meters told of the quarter-hours counted here.
        gave: How many of these drew less, or sent out more, than in the three hours before.
        slots: How many quarter-hours all of them told of.
        against: ``ten_like_days``, or ``three_hours_before`` where fewer than five days are like it.
        baseline_wh: What they would have drawn together; None of fewer than three homes, and before the first slot.
        actual_wh: What they drew.
        delivered_wh: The difference.
        paid_micro: What contracts paid for windows in that time; a DEMAND itself pays nothing.
        due_micro: What they owe for them, as far as it is measured.
        homes: Those that the seat may see.
    """

    id: str
    start_s: int
    end_s: int
    told_s: int
    retracted: bool
    power_w: int | None
    asked: int
    measured: int
    gave: int | None
    slots: int
    against: str
    baseline_wh: int | None
    actual_wh: int | None
    delivered_wh: int | None
    paid_micro: int
    due_micro: int
    homes: Sequence[HomeFollowed]


def followed(community: Community, seat: Seat) -> list[Followed]:
    """Return the last DEMANDs that began, the newest first.

    Raises:
        Refused: The role does not see sums of homes.
        InvalidValue: The folder's file of them is damaged.
    """
    check(community, seat, Action.SEE_ZONES, None)
    now_s = community.now_s()
    told = [one for one in demanding.history(community.folder) if one.called.start_s <= now_s and _held_s(one) > 0]
    return [_followed(community, seat, one) for one in told[::-1][:SHOWN]]


def _held_s(one: demanding.Told) -> int:
    return one.end_s - max(one.called.start_s, one.told_s)


def _followed(community: Community, seat: Seat, told: demanding.Told) -> Followed:
    meters = [
        one for one in community.state.assets.values() if one.kind is AssetKind.CONNECTION and sees_zone(seat, one.zone)
    ]
    start_s = max(told.called.start_s, told.told_s)
    first_s = -(-start_s // SLOT_SECONDS) * SLOT_SECONDS
    wanted = range(first_s, told.end_s // SLOT_SECONDS * SLOT_SECONDS, SLOT_SECONDS)
    sums = community.chronicle.sums_wh([one.id for one in meters], first_s - _LOOK_BACK_S, told.end_s)
    whole = {slot_s: net_wh for slot_s, (count, net_wh) in sums.items() if count == len(meters)}
    slots = [slot_s for slot_s in wanted if slot_s in whole]
    before = range(first_s - ADJUSTED_BY * SLOT_SECONDS, first_s, SLOT_SECONDS)
    against, baseline_wh = _baseline(community, whole, slots, before)
    actual_wh = sum(whole[slot_s] for slot_s in slots)
    shown = len(meters) >= LEAST_HOMES and bool(slots) and baseline_wh is not None
    homes = [home for one in meters if (home := _home(community, one, slots, before))] if slots else []
    paid, due = _contracts(community, seat, start_s, told.end_s)
    return Followed(
        id=told.called.id,
        start_s=start_s,
        end_s=told.end_s,
        told_s=told.told_s,
        retracted=told.retracted_s is not None,
        power_w=told.called.power_w,
        asked=len(meters),
        measured=len(homes),
        gave=sum(one.actual_wh < one.baseline_wh for one in homes) if shown else None,
        slots=len(slots),
        against=against,
        baseline_wh=baseline_wh if shown else None,
        actual_wh=actual_wh if shown else None,
        delivered_wh=baseline_wh - actual_wh if shown and baseline_wh is not None else None,
        paid_micro=paid,
        due_micro=due,
        homes=[
            one
            for one in homes
            if lets(seat, Action.SEE_READINGS, relation(community, seat, one.account, one.connection))
        ],
    )


def _baseline(
    community: Community, whole: dict[int, int], slots: Sequence[int], before: Sequence[int]
) -> tuple[str, int | None]:
    """Return what all homes would have drawn in some slots, and against what: like days, else the hours before."""
    days, zone = DayRows(), zone_of(community.state.charter.timezone)

    def placed(slot_s: int) -> tuple[int, int]:
        local = instant(slot_s).astimezone(zone)
        return local.date().toordinal(), (local.hour * 60 + local.minute) * SLOTS_A_DAY // 1_440

    for one in demanding.history(community.folder):
        days.call(placed(one.called.start_s)[0])
    for slot_s, net_wh in whole.items():
        days.put(*placed(slot_s), net_wh)

    def like(slot_s: int) -> int | None:
        day, slot = placed(slot_s)
        return days.baseline_wh(day, [slot])[0]

    expected = [wh for wh in map(like, slots) if wh is not None]
    if slots and len(expected) == len(slots):
        most_wh = abs(round_div(sum(expected), len(expected))) * ADJUST_PERMILLE // 1_000
        moved_wh = adjustment_wh([whole.get(one) for one in before], [like(one) for one in before], most_wh)
        return "ten_like_days", sum(expected) + moved_wh * len(slots)
    known = [whole[slot_s] for slot_s in before if slot_s in whole]
    return "three_hours_before", round_div(sum(known) * len(slots), len(known)) if known else None


def _home(community: Community, meter: Asset, slots: Sequence[int], before: Sequence[int]) -> HomeFollowed | None:
    told = community.chronicle.readings(meter.id, before[0], slots[-1] + SLOT_SECONDS)
    net_wh = {one.slot_s: one.reading.import_wh - one.reading.export_wh for one in told}
    known = [net_wh[slot_s] for slot_s in before if slot_s in net_wh]
    if not known or any(slot_s not in net_wh for slot_s in slots):
        return None
    return HomeFollowed(
        account=meter.owner,
        connection=meter.id,
        baseline_wh=round_div(sum(known) * len(slots), len(known)),
        actual_wh=sum(net_wh[slot_s] for slot_s in slots),
        slots_s=list(slots),
    )


def _contracts(community: Community, seat: Seat, start_s: int, end_s: int) -> tuple[int, int]:
    """Return what contracts in a seat's zones paid, and what they come to, for windows called in some time, micro."""
    calls = [
        call
        for one in community.state.contracted.book.contracts.values()
        if sees_zone(seat, community.state.assets[one.asset].zone)
        for call in one.calls
        if call.called is not None and call.called[0] < end_s and start_s < call.called[1]
    ]
    return sum(call.paid_micro for call in calls), sum(call.due.net_micro for call in calls)
