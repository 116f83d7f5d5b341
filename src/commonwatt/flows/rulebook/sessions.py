"""What stands of charging: stations with their fees, sessions that are not over yet, and what fed their slots."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from commonwatt.ledger.accounts import Accounts
from commonwatt.ledger.journal import Postings
from commonwatt.model import (
    GRID,
    LOSSES,
    MAX_SAFE_INTEGER,
    SLOT_SECONDS,
    SYSTEM_ACCOUNTS,
    AccountId,
    AssetId,
    Commodity,
    Entry,
)
from commonwatt.settlement.charging import Bill, BySlot, Mix, Receipt, mix_of

MOST_SILENT_S = 1_800
"""After so long without a count a session stops by itself: twice the longest interval at which stations tell one."""
NEVER_S = MAX_SAFE_INTEGER
CHARGING = ("charging", "charging corrected")
"""Memos of the energy that a station passes on: it has reached the community under another entry already."""
_SYSTEM = frozenset(SYSTEM_ACCOUNTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """A station's own fee from a moment on, in micro."""

    valid_from_s: int
    micro_per_kwh: int
    micro_per_session: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A station: its meter, its fees in order of time, and up to where its register was claimed for a session."""

    meter: AssetId
    fees: tuple[Fee, ...]
    claimed_wh: int = 0

    def fee(self, at_s: int) -> Fee | None:
        """Return the fee in force at a moment, or None before the first."""
        return next((fee for fee in reversed(self.fees) if fee.valid_from_s <= at_s), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session from its authorisation until nothing about it can change any more; Wh, micro, seconds since 1970.

    Args:
        id: Where the authorisation stands in the log.
        car: Who pays.
        station: Who is paid.
        most_wh: What the car authorised.
        most_micro: Likewise; reserved until it is settled.
        until_s: Likewise.
        wish: The source that the car would like best.
        fee: The station's, as it was when the car authorised.
        started_s: When the station began; None before that.
        register_wh: What the station's meter showed then, as the station says.
        floor_wh: Where on the register sessions before this one end: below it nothing can be this one's.
        ceiling_wh: Where the next one began, once there is one: beyond it nothing is this one's.
        heard_s: When the last count arrived.
        counted_s: When it was taken.
        streamed: What the counts come to, slot by slot.
        stopped_s: When it ended; None before that.
        why: What ended it.
        metered: What the gateway's register showed at start and end; None before that.
        settled: What was paid by the streamed count while the meter was silent; None where nothing was.
    """

    id: str
    car: AccountId
    station: AccountId
    most_wh: int
    most_micro: int
    until_s: int
    wish: str
    fee: Fee
    started_s: int | None = None
    register_wh: int = 0
    floor_wh: int = 0
    ceiling_wh: int | None = None
    heard_s: int = 0
    counted_s: int = 0
    streamed: BySlot = ()
    stopped_s: int | None = None
    why: str = ""
    metered: tuple[int, int] | None = None
    settled: Bill | None = None

    @property
    def streamed_wh(self) -> int:
        """What the last count told."""
        return sum(wh for _, wh in self.streamed)

    @property
    def running(self) -> bool:
        """Tell whether it has begun and not ended."""
        return self.started_s is not None and self.stopped_s is None

    @property
    def due_s(self) -> int:
        """When it ends by itself, if nobody says anything more."""
        if self.stopped_s is not None:
            return NEVER_S
        return self.until_s if self.started_s is None else min(self.until_s, self.heard_s + MOST_SILENT_S)


@dataclass(slots=True, kw_only=True)
class Fed:
    """What fed the community in one slot: Wh from entries as they are booked, and its price once it is settled."""

    exchanged_wh: int = 0
    called_wh: int = 0
    imported_wh: int = 0
    exported_wh: int = 0
    price_micro_per_kwh: int | None = None

    def mix(self) -> Mix:
        """Return its parts."""
        return mix_of(
            exchanged_wh=self.exchanged_wh,
            called_wh=self.called_wh,
            imported_wh=self.imported_wh,
            exported_wh=self.exported_wh,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCharging:
    """Charging at rest, see `Charging.dump`."""

    stations: dict[AccountId, Station]
    equipped: dict[AssetId, AccountId]
    sessions: list[Session]
    fed: dict[int, Fed]
    from_s: int


@dataclass(slots=True)
class Charging:
    """All of it for one community.

    ``equipped`` is who may sell through a meter of somebody else's, ``fed`` the slots from ``from_s`` on that sessions
    may still need; nothing is noted before there is a station. ``receipts`` are those of all sessions that were
    settled, by name, where somebody asks for them: they follow from the log, and are no part of the state.
    """

    stations: dict[AccountId, Station] = field(default_factory=dict)
    equipped: dict[AssetId, AccountId] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    fed: dict[int, Fed] = field(default_factory=dict)
    from_s: int = 0
    receipts: dict[str, Receipt] | None = None
    next_s: int = 0
    """No session ends by itself before this moment; 0 where nobody has looked."""
    ripe_s: int = 0
    """Likewise, none can be settled before, unless slots are settled."""

    def put(self, session: Session) -> None:
        """Keep a session as it is now."""
        self.sessions[session.id] = session
        self.next_s = min(self.next_s, session.due_s)
        if session.stopped_s is not None:
            self.ripe_s = 0

    def of(self, account: AccountId) -> list[Session]:
        """Return a car's sessions that are not over."""
        return [session for session in self.sessions.values() if session.car == account]

    def at(self, station: AccountId) -> list[Session]:
        """Return a station's."""
        return [session for session in self.sessions.values() if session.station == station]

    def note(self, entry: Entry) -> None:
        """Take note of an entry that is booked: what feeds a slot that is not settled yet."""
        if not self.stations or entry.commodity is not Commodity.ENERGY or entry.memo in CHARGING:
            return
        if fed := self._open(entry.slot_s):
            _feed(fed, entry.memo, entry.source, entry.target, entry.amount)

    def note_many(self, postings: Postings, accounts: Accounts) -> None:
        """Take note of many entries that are booked, as `note` would one after the other."""
        if not self.stations or postings.commodity is not Commodity.ENERGY or postings.memo in CHARGING:
            return
        fed = self._open(postings.slot_s)
        if fed is None:
            return
        system = [accounts.number(name) for name in SYSTEM_ACCOUNTS]
        losses = accounts.number(LOSSES)
        member, sources, targets = AccountId(""), postings.sources, postings.targets
        given, taken = np.isin(sources, system), np.isin(targets, system)
        lost = (sources == losses) | (targets == losses)
        for here, source, target in (
            (given & ~taken, GRID, member),
            (taken & ~given, member, GRID),
            (~(given | taken), member, member),
        ):
            _feed(fed, postings.memo, source, target, int(postings.amounts[here & ~lost].sum()))

    def _open(self, slot_s: int) -> Fed | None:
        """Return a slot's sums as long as it is not settled: what comes later changes no receipt."""
        if slot_s < self.from_s:
            return None
        fed = self.fed.setdefault(slot_s, Fed())
        return fed if fed.price_micro_per_kwh is None else None

    def forget_before(self, slot_s: int) -> None:
        """Let go of slots that no session needs any more."""
        begun = (one.started_s for one in self.sessions.values() if one.started_s is not None)
        self.from_s = min([slot_s, *(started_s // SLOT_SECONDS * SLOT_SECONDS for started_s in begun)])
        for old_s in [old_s for old_s in self.fed if old_s < self.from_s]:
            del self.fed[old_s]

    def leaves(self) -> Iterator[Mapping[str, object]]:
        """Yield everything that decides what may happen next, in one order whatever the way that led to it."""
        yield from ({"account": a, "station": self.stations[a]} for a in sorted(self.stations))
        yield from ({"meter": meter, "sells": self.equipped[meter]} for meter in sorted(self.equipped))
        yield from ({"session": session} for session in self._sorted())
        yield from ({"fed": self.fed[slot_s], "slot_s": slot_s} for slot_s in sorted(self.fed))
        if self.stations or self.from_s:
            yield {"fed_from_s": self.from_s}

    def dump(self) -> KeptCharging:
        """Return all of it in plain form: a snapshot's."""
        return KeptCharging(
            stations={account: self.stations[account] for account in sorted(self.stations)},
            equipped={meter: self.equipped[meter] for meter in sorted(self.equipped)},
            sessions=self._sorted(),
            fed={slot_s: self.fed[slot_s] for slot_s in sorted(self.fed)},
            from_s=self.from_s,
        )

    @classmethod
    def load(cls, kept: KeptCharging) -> "Charging":
        """Return the charging that `dump` wrote."""
        sessions = {session.id: session for session in kept.sessions}
        return cls(dict(kept.stations), dict(kept.equipped), sessions, dict(kept.fed), kept.from_s)

    def _sorted(self) -> list[Session]:
        return in_order(self.sessions.values())


def in_order(sessions: Iterable[Session]) -> list[Session]:
    """Return sessions in the order in which they were authorised."""
    return sorted(sessions, key=lambda session: int(session.id))


def _feed(fed: Fed, memo: str, source: AccountId, target: AccountId, amount: int) -> None:
    """Add what an entry moved; whatever is neither a member's nor the losses' lies outside, as the grid does."""
    if LOSSES in (source, target) or (source in _SYSTEM and target in _SYSTEM):
        return
    if source in _SYSTEM:
        fed.imported_wh += amount
    elif target in _SYSTEM:
        fed.exported_wh += amount
    elif memo == "watt delivery":
        fed.called_wh += amount
    else:
        fed.exchanged_wh += amount
