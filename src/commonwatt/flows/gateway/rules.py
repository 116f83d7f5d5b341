"""What a gateway does by itself: its member's mode, DEMAND, the meter's switch and the owner's wishes, as limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from commonwatt.flexibility.dispatch import LEASE_S, Authority, Limit
from commonwatt.flows.keeper import Keeper, Kept, commanded
from commonwatt.model import Asset, AssetId, AssetKind, Band, Caps, Interval, InvalidValue, Verb, share_wh
from commonwatt.tokens.prepaid import Supply

WORD_LASTS_S = LEASE_S
"""A meter that was said to be disabled is in doubt, and so enabled, when the community was not heard for so long."""
MOST_DEMANDS = 96
MODE, OWN_USE, SWITCH, WISH = "mode", "own use", "meter switch", "wish"
"""The names under which limits are set; nobody else uses them."""
NAMES = (MODE, OWN_USE, SWITCH, WISH)


class Mode(StrEnum):
    """What a member is to the grid (row H5)."""

    CONSUMER = "consumer"
    """Storage never supplies more than the home itself needs, whatever plan, contract or event say."""
    PROSUMER = "prosumer"
    """Stored energy is sent out on DEMAND alone; else it is the home's."""
    GENERATOR = "generator"
    """DEMAND is always on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A broadcast that supply is wanted (row H6).

    Args:
        id: By which it is taken back, or heard twice and kept once.
        window: While it lasts.
        power_w: What each connection that hears it is asked to send out, above zero; None: what it can.
    """

    id: str
    window: Interval
    power_w: int | None = None

    def __post_init__(self) -> None:
        if not self.id or (self.power_w is not None and self.power_w <= 0):
            raise InvalidValue(f"a DEMAND has a name and asks for some power or for all, was {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an owner says at home, by a button or through Home Assistant: until it ends it goes before any plan.

    Args:
        asset: Of what.
        until: When it ends, UTC.
        verb: One of the six; None: schedules are off, nothing is drawn or supplied.
        power_w: How much, zero or more, in the verb's direction; None: all that it can.
    """

    asset: AssetId
    until: datetime
    verb: Verb | None = None
    power_w: int | None = None

    def __post_init__(self) -> None:
        if self.until.utcoffset() != timedelta(0) or (self.power_w is not None and self.power_w < 0):
            raise InvalidValue(f"a wish ends at an instant in UTC and is for zero W or more, was {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """All that a gateway's own rules must not forget when it starts again.

    Args:
        demands: What was broadcast.
        supply: How the community said last that the meter stands; None where it never did.
        supply_at: When it said so last, by the gateway's clock.
        wishes: The owner's, by asset.
    """

    demands: tuple[Demand, ...] = ()
    supply: Supply | None = None
    supply_at: datetime | None = None
    wishes: dict[AssetId, Wish] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a gateway is set up.

    Args:
        mode: Its member's.
        switch: The relay of the connection, where there is one: a device that is closed unless it is told 0 W.
        reserve_percent: Of its capacity, what a battery keeps back from DEMAND, for the home.
    """

    mode: Mode = Mode.PROSUMER
    switch: AssetId | None = None
    reserve_percent: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.reserve_percent <= 100:
            raise InvalidValue(f"a reserve is 0 to 100 percent, was {self.reserve_percent}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the rules see of one device at one moment.

    Args:
        asset: Which.
        caps: What it can be told.
        commanded: Whether a command of the community stands and its owner did not switch schedules off.
        held: Whether anything beside these rules holds it: a command, or a limit of somebody.
        line: Whether the connection point has a meter of its own.
        need_w: Its share of what the home needs beside its storage, zero or more; None where nobody knows.
        level_wh: Stored energy; None where nobody knows.
    """

    asset: Asset
    caps: Caps
    commanded: bool = False
    held: bool = False
    line: bool = False
    need_w: int | None = None
    level_wh: int | None = None


def limits_of(rules: Rules, heard: Heard, sight: Sight, now: datetime) -> dict[str, Limit]:
    """Return the limits that a gateway sets one device by itself, by name; the same for the same arguments.

    Merged with all others they never take precedence over safety, grid or grid operator; `Mode.CONSUMER`, the switch
    and the wishes go before contract and plan, own use and DEMAND only before nothing: they stand in for a plan.
    Nothing is asked of what only makes energy: the sun is curtailed by others, if at all.
    """
    asset, limits = sight.asset, dict[str, Limit]()
    disabled = meter_disabled(heard, now)
    if asset.id == rules.switch:
        # A relay that would stay open if we were lost could cut somebody off for good: it is not used.
        if disabled and sight.caps.lease_s is not None:
            limits[SWITCH] = _switched(Band(lo_w=0, hi_w=0), heard)
        return limits
    if not sight.caps.takes_commands:
        return limits
    if disabled and asset.max_import_w > 0:
        limits[SWITCH] = _switched(Band(lo_w=-asset.max_export_w, hi_w=0), heard)
    wish = heard.wishes.get(asset.id)
    if wish is not None and now < wish.until:
        limits[WISH] = wished(asset, wish)
    if asset.stores and asset.max_export_w > 0:
        limits |= _of_storage(rules, heard, sight, now, held=sight.held or WISH in limits or SWITCH in limits)
    return limits


def meter_disabled(heard: Heard, now: datetime) -> bool:
    """Tell whether the meter is certainly disabled (row H4): said by the community, and said again not long ago.

    Never heard, in grace, heard too long ago or at a time that is still to come: enabled. Nobody is cut off in doubt.
    """
    if heard.supply is not Supply.DISABLED or heard.supply_at is None:
        return False
    return heard.supply_at <= now < heard.supply_at + timedelta(seconds=WORD_LASTS_S)


def demanded(rules: Rules, heard: Heard, now: datetime) -> Demand | None:
    """Return the DEMAND to answer now: of several the one that asks for most, none where the mode answers none."""
    if rules.mode is Mode.CONSUMER:
        return None
    if rules.mode is Mode.GENERATOR:
        return Demand(id=Mode.GENERATOR, window=Interval(now, now + timedelta(seconds=LEASE_S)))
    standing = [one for one in heard.demands if now in one.window]
    return max(standing, default=None, key=lambda one: (one.power_w is None, one.power_w or 0, one.id))


def wished(asset: Asset, wish: Wish) -> Limit:
    """Return an owner's wish as a limit: as far as the asset goes, and to its end."""
    most_in_w, most_out_w = asset.max_import_w, asset.max_export_w
    in_w = most_in_w if wish.power_w is None else min(wish.power_w, most_in_w)
    out_w = most_out_w if wish.power_w is None else min(wish.power_w, most_out_w)
    if 0 < in_w < asset.min_import_w:
        in_w = asset.min_import_w
    lo_w, hi_w = {
        None: (0, 0),
        Verb.START_CHARGE: (in_w, in_w),
        Verb.INCREASE_RATE: (in_w, most_in_w),
        Verb.REDUCE_RATE: (-most_out_w, in_w),
        Verb.STOP_CHARGE: (-most_out_w, 0),
        Verb.SUPPLY: (-out_w, -out_w),
        Verb.STOP_SUPPLY: (0, most_in_w),
    }[wish.verb]
    word = "schedules are off" if wish.verb is None else wish.verb
    return Limit(
        authority=Authority.OWNER,
        band=Band(lo_w=lo_w, hi_w=hi_w),
        expires=wish.until,
        reason=f"its owner says: {word} until {wish.until:%H:%M} UTC",
    )


class LocalRules:
    """A gateway's own rules, kept up with what it hears; give `settle` to the `Keeper` as its rules.

    Args:
        rules: How the gateway is set up.
        heard: What it knew when it stopped; whoever owns this keeps `heard` when it has changed.
    """

    def __init__(self, rules: Rules, heard: Heard | None = None) -> None:
        self.rules = rules
        self.heard = heard or Heard()

    def demand(self, demand: Demand, now: datetime) -> None:
        """Take in a DEMAND; one of the same name is replaced, those that are over are forgotten.

        Raises:
            InvalidValue: There are too many at once.
        """
        kept = [one for one in self.heard.demands if one.id != demand.id and now < one.window.end]
        if len(kept) >= MOST_DEMANDS:
            raise InvalidValue(f"at most {MOST_DEMANDS} DEMANDs stand at once, was one more: {demand.id}")
        self.heard = replace(self.heard, demands=(*kept, demand))

    def retract(self, demand: str) -> None:
        """Take a DEMAND back, by its name."""
        self.heard = replace(self.heard, demands=tuple(one for one in self.heard.demands if one.id != demand))

    def meter(self, supply: Supply, at: datetime) -> None:
        """Take in how the community says that the meter stands; to be told at every contact, at the latest half-hourly.

        That it is disabled does not count where something later was heard; that it is enabled counts at once, whatever
        clocks say.
        """
        if supply is not Supply.DISABLED or self.heard.supply_at is None or at >= self.heard.supply_at:
            self.heard = replace(self.heard, supply=supply, supply_at=at)

    def wish(self, wish: Wish) -> None:
        """Take in what the owner wishes; the newest wish about an asset stands alone."""
        self.heard = replace(self.heard, wishes={**self.heard.wishes, wish.asset: wish})

    def unwish(self, asset: AssetId) -> None:
        """Take back what the owner wished of an asset."""
        self.heard = replace(
            self.heard, wishes={name: wish for name, wish in self.heard.wishes.items() if name != asset}
        )

    async def settle(self, keeper: Keeper, now: datetime) -> None:
        """Set every device's limits by what stands now, and take back those that do not."""
        needs = await self._needs_w(keeper)
        for name, kept in keeper.kept.items():
            found = limits_of(self.rules, self.heard, self._seen(keeper, kept, needs, now), now)
            for limit in NAMES:
                keeper.limit(name, limit, found.get(limit))

    def _seen(self, keeper: Keeper, kept: Kept, needs: Mapping[AssetId, int], now: datetime) -> Sight:
        others = [limit for name, limit in kept.limits.items() if name not in NAMES and limit.at(now) is not None]
        wish = self.heard.wishes.get(kept.asset.id)
        off = wish is not None and wish.verb is None and now < wish.until
        return Sight(
            asset=kept.asset,
            caps=kept.device.caps,
            commanded=commanded(kept, now) and not off,
            held=commanded(kept, now) or bool(others),
            line=keeper.line is not None,
            need_w=needs.get(kept.asset.id),
            level_wh=None if kept.state is None else kept.state.level_wh,
        )

    async def _needs_w(self, keeper: Keeper) -> dict[AssetId, int]:
        """Return each storage's share of what the home needs beside them all; nothing where that cannot be known."""
        stores = {name: kept for name, kept in keeper.kept.items() if name != keeper.line and _supplies(kept)}
        if self.rules.mode is Mode.CONSUMER and keeper.line is not None and stores:
            await keeper.glance([keeper.line, *stores])
            line = keeper.kept[keeper.line].state
            powers_w = [None if kept.state is None else kept.state.power_w for kept in stores.values()]
            if line is not None and line.power_w is not None:
                need_w = home_needs_w(line.power_w, powers_w)
                shares = share_wh(need_w, [kept.asset.max_export_w for kept in stores.values()])
                return dict(zip(stores, shares, strict=True))
        elif self.rules.reserve_percent:
            await keeper.glance(stores)
        return {}


def home_needs_w(line_w: int, stores_w: Sequence[int | None]) -> int:
    """Return what a home draws beside its storage, less what its roof makes; zero where it needs nothing.

    Args:
        line_w: At the connection point, import positive.
        stores_w: What each storage does, import positive. Where one is not known, nor is the need: zero.
    """
    known = [power_w for power_w in stores_w if power_w is not None]
    return max(0, line_w - sum(known)) if len(known) == len(stores_w) else 0


def _supplies(kept: Kept) -> bool:
    """Tell whether it can be told to send out what it stores; storage that only measures is part of the home."""
    return kept.asset.stores and kept.asset.max_export_w > 0 and kept.device.caps.takes_commands


def _of_storage(rules: Rules, heard: Heard, sight: Sight, now: datetime, *, held: bool) -> dict[str, Limit]:
    """Return what the mode asks of what could send out stored energy, while nothing is demanded or while it is."""
    asset, limits = sight.asset, dict[str, Limit]()
    most_w, whole = asset.max_export_w, Band(lo_w=-asset.max_export_w, hi_w=asset.max_import_w)
    if rules.mode is Mode.CONSUMER and (sight.need_w is not None or held or not sight.caps.balances):
        most_w = min(most_w, sight.need_w or 0)
        band = replace(whole, lo_w=-most_w)
        limits[MODE] = Limit(authority=Authority.OWNER, band=band, reason="a consumer's storage is for the home alone")
    if sight.commanded:
        return limits
    called = demanded(rules, heard, now)
    if asset.kind is not AssetKind.BATTERY:
        # A car is left to its charger: nobody here knows of the next trip. What else holds it lets it supply nothing.
        if held:
            limits[OWN_USE] = _own(replace(whole, lo_w=0), "no stored energy is sent out without DEMAND")
        return limits
    if called is not None and _above_reserve(rules, sight):
        limits[OWN_USE] = _answer(called, sight, whole)
    elif sight.line or sight.caps.balances:
        limits[OWN_USE] = _own(replace(whole, balance_w=0), "by itself it fills with the sun and runs the house")
    else:
        limits[OWN_USE] = _own(replace(whole, lo_w=0), "no stored energy is sent out without DEMAND")
    return limits


def _answer(demand: Demand, sight: Sight, whole: Band) -> Limit:
    """Return what answers a DEMAND: so much at the connection where that can be held, else so much by the battery."""
    reason = f"DEMAND {demand.id}"
    if demand.power_w is None:
        band = Band(lo_w=whole.lo_w, hi_w=whole.lo_w)
    elif sight.line or sight.caps.balances:
        band = replace(whole, balance_w=-demand.power_w)
    else:
        band = Band(lo_w=max(whole.lo_w, -demand.power_w), hi_w=max(whole.lo_w, -demand.power_w))
    return Limit(authority=Authority.PLAN, band=band, expires=demand.window.end, reason=reason)


def _above_reserve(rules: Rules, sight: Sight) -> bool:
    """Tell whether a battery may answer DEMAND; one with a reserve and a level that nobody knows may not."""
    if rules.reserve_percent == 0:
        return True
    return sight.level_wh is not None and sight.level_wh * 100 > rules.reserve_percent * sight.asset.capacity_wh


def _own(band: Band, reason: str) -> Limit:
    return Limit(authority=Authority.PLAN, band=band, reason=reason)


def _switched(band: Band, heard: Heard) -> Limit:
    """Return the limit of a meter that is disabled. It goes before an owner's wish, not before what the grid needs."""
    assert heard.supply_at is not None
    return Limit(
        authority=Authority.DSO,
        band=band,
        expires=heard.supply_at + timedelta(seconds=WORD_LASTS_S),
        reason="the meter is disabled: its account has no ERGON",
    )
