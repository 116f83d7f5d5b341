"""A home at a glance: what flows, what today came to, what stands in the stores, and what comes next and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.apps.views import wanted
from commonwatt.apps.views.carbon import Carbon, carbon
from commonwatt.apps.views.seeing import check, relation
from commonwatt.flexibility.diary import in_force
from commonwatt.flows.chronicle import Believed
from commonwatt.identity.access import Action, lets
from commonwatt.identity.seat import Seat
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Commodity,
    ConsentMode,
    epoch,
    instant,
    round_div,
    zone_of,
)
from commonwatt.settlement.statement import NOT_EARNED

_HOUR_S = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Mean power in W over one slot, as the meters told it: what each drew (or, below zero, gave).

    ``solar_w`` is what the roof made, zero or more. House, battery and car are behind the connection, so
    grid + solar = house + battery + car. ``bought_w`` and ``sold_w`` are the part of what passed the connection that
    neighbours traded.
    """

    slot_s: int
    solar_w: int
    house_w: int
    battery_w: int
    car_w: int
    grid_w: int
    bought_w: int
    sold_w: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A battery or a car: its last level that was read, and when.

    ``control`` is how its owner lets it be scheduled, ``ready`` by when they want it charged next, and ``target`` what
    they want of it for now.
    """

    asset: AssetId
    kind: AssetKind
    level_wh: int | None
    capacity_wh: int
    level_s: int | None
    control: ConsentMode
    ready: wanted.Ready | None
    target: wanted.Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """The next thing that a schedule in force has an asset do, and its reason."""

    asset: AssetId
    verb: str
    power_w: int
    start_s: int
    end_s: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """What the local day came to so far, in micro and Wh: above zero was paid; ERGON bought or paid out is not in it.

    ``alone_micro`` is what the grid alone would have taken for the same house, the same sun and the car as it charged,
    without a battery and without neighbours; both are None for who may look at meters and not at money. ``carbon``
    compares the same two; None where no feed tells the grid's.
    """

    from_s: int
    to_s: int
    paid_micro: int | None
    alone_micro: int | None
    import_wh: int
    export_wh: int
    solar_wh: int
    bought_wh: int
    sold_wh: int
    carbon: Carbon | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A member's home; ``flow`` is None before all its meters told of one slot, money for who may not see entries."""

    account: AccountId
    as_of_s: int
    flow: Flow | None
    today: Today
    stores: Sequence[Store]
    next: Sequence[Next]
    paused: bool
    ergon_micro: int | None


def home(community: Community, seat: Seat, account: AccountId) -> Home:
    """Return a home at a glance.

    Args:
        community: Where it is.
        seat: Who looks.
        account: Whose home.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.SEE_READINGS, account)
    money = lets(seat, Action.SEE_ENTRIES, relation(community, seat, account, action=Action.SEE_ENTRIES))
    state = community.state
    own = sorted((one for one in state.assets.values() if one.owner == account), key=lambda one: one.id)
    stores = [_store(community, asset) for asset in own if asset.stores]
    return Home(
        account=account,
        as_of_s=community.told_s,
        flow=_flow(community, account, own),
        today=today(community, account, own, money=money),
        stores=stores,
        next=_next(community, own),
        paused=bool(stores) and all(store.control is ConsentMode.OFF for store in stores),
        ergon_micro=state.ergon(account) if money else None,
    )


def today(community: Community, account: AccountId, own: Sequence[Asset], *, money: bool) -> Today:
    """Return what the local day came to, as far as it is settled; what it cost only with ``money``."""
    clock = zone_of(community.state.charter.timezone)
    last_s = max(community.state.settled_to_s - 1, 0)
    midnight = instant(last_s).astimezone(clock).replace(hour=0, minute=0, second=0)
    from_s, to_s = epoch(midnight), community.state.settled_to_s
    chronicle = community.chronicle
    paid = -sum(
        one.gained - one.gave
        for one in chronicle.sums(account, from_s, to_s)
        if one.commodity is Commodity.ERGON and one.memo not in NOT_EARNED
    )
    told: dict[AssetKind, list[Believed]] = {}
    for asset in own:
        told.setdefault(asset.kind, []).extend(chronicle.readings(asset.id, from_s, to_s))
    trades = chronicle.trades(from_s, to_s, account, limit=10_000)
    meter = told.get(AssetKind.CONNECTION, [])
    net_wh, alone_wh = _net_wh(told)
    return Today(
        from_s=from_s,
        to_s=to_s,
        paid_micro=paid if money else None,
        alone_micro=_alone_micro(chronicle.prices(from_s, to_s), alone_wh) if money else None,
        import_wh=sum(one.reading.import_wh for one in meter),
        export_wh=sum(one.reading.export_wh for one in meter),
        solar_wh=sum(one.reading.export_wh for one in told.get(AssetKind.SOLAR, [])),
        bought_wh=sum(one.trade.energy_wh for one in trades if one.trade.buyer == account),
        sold_wh=sum(one.trade.energy_wh for one in trades if one.trade.seller == account),
        carbon=carbon(community, from_s, to_s, net_wh, alone_wh),
    )


def _net_wh(told: dict[AssetKind, list[Believed]]) -> tuple[dict[int, int], dict[int, int]]:
    """Return what the connection drew by slot, below zero what it gave; and the same without what batteries did."""
    net_wh: dict[int, int] = {}
    for one in told.get(AssetKind.CONNECTION, []):
        net_wh[one.slot_s] = net_wh.get(one.slot_s, 0) + one.reading.import_wh - one.reading.export_wh
    alone_wh = dict(net_wh)
    for one in told.get(AssetKind.BATTERY, []):
        if one.slot_s in alone_wh:
            alone_wh[one.slot_s] -= one.reading.import_wh - one.reading.export_wh
    return net_wh, alone_wh


def _alone_micro(prices: dict[int, tuple[int, int]], alone_wh: dict[int, int]) -> int:
    """Return what the grid alone would have taken."""
    priced = ((wh, prices[slot_s]) for slot_s, wh in alone_wh.items() if slot_s in prices)
    return sum(round_div(wh * (bought if wh > 0 else sold), 1000) for wh, (bought, sold) in priced)


def _flow(community: Community, account: AccountId, own: Sequence[Asset]) -> Flow | None:
    last = [community.chronicle.last_slot_s(asset.id) for asset in own]
    slots = [slot_s for slot_s in last if slot_s is not None]
    if not own or len(slots) < len(own):
        return None
    slot_s = min(slots)  # the last of which all meters told
    drawn = dict.fromkeys(AssetKind, 0)
    for asset in own:
        for one in community.chronicle.readings(asset.id, slot_s, slot_s + SLOT_SECONDS):
            drawn[asset.kind] += _mean_w(one.reading.import_wh - one.reading.export_wh)
    trades = [one.trade for one in community.chronicle.trades(slot_s, slot_s + SLOT_SECONDS, account)]
    battery_w, car_w = drawn[AssetKind.BATTERY], drawn[AssetKind.VEHICLE]
    return Flow(
        slot_s=slot_s,
        solar_w=-drawn[AssetKind.SOLAR],
        house_w=drawn[AssetKind.CONNECTION] - drawn[AssetKind.SOLAR] - battery_w - car_w,
        battery_w=battery_w,
        car_w=car_w,
        grid_w=drawn[AssetKind.CONNECTION],
        bought_w=_mean_w(sum(trade.energy_wh for trade in trades if trade.buyer == account)),
        sold_w=_mean_w(sum(trade.energy_wh for trade in trades if trade.seller == account)),
    )


def _mean_w(energy_wh: int) -> int:
    return round_div(energy_wh * _HOUR_S, SLOT_SECONDS)


def _store(community: Community, asset: Asset) -> Store:
    state, chronicle = community.state, community.chronicle
    last_s = chronicle.last_slot_s(asset.id)
    told = chronicle.readings(asset.id, last_s, last_s + SLOT_SECONDS) if last_s is not None else []
    return Store(
        asset=asset.id,
        kind=asset.kind,
        level_wh=told[0].reading.level_wh if told else None,
        capacity_wh=asset.capacity_wh,
        level_s=None if last_s is None else last_s + SLOT_SECONDS,
        control=state.consent(asset.id).mode,
        ready=wanted.ready(community, asset),
        target=wanted.target(community, asset),
    )


def _next(community: Community, own: Sequence[Asset]) -> list[Next]:
    """Return for each asset what its schedule in force asks of it now, or else first."""
    now, found = instant(community.now_s()), []
    for asset in own:
        schedule = community.state.schedules.get(asset.id)
        if schedule is None or community.state.consent(asset.id).mode is ConsentMode.OFF:
            continue
        coming = [one for one in schedule.instructions if one.interval.end > now]
        entry = in_force(schedule, now) or (min(coming, key=lambda one: one.interval.start) if coming else None)
        if entry is not None:
            found.append(
                Next(
                    asset=asset.id,
                    verb=entry.verb.value,
                    power_w=entry.power_w,
                    start_s=epoch(entry.interval.start),
                    end_s=epoch(entry.interval.end),
                    reason=entry.reason,
                )
            )
    return found
