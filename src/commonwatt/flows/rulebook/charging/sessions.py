"""Charging sessions that are not closed yet, stations' tariffs, and what their slots cost: a part of the state."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from commonwatt.flows.rulebook.charging.drawn import Drawn
from commonwatt.flows.rulebook.charging.drawn import Kept as KeptDrawn
from commonwatt.model import (
    MAX_SAFE_INTEGER,
    SLOT_SECONDS,
    SYSTEM_ACCOUNTS,
    AccountId,
    AssetId,
    Commodity,
    Entry,
    InvalidValue,
    Memo,
    Reading,
)
from commonwatt.settlement.charging import Bill, Fees, SlotTerms

BY_ITSELF = ("silence", "time")
"""How a session ends when nobody says so."""
MOST_SPANS = 64
"""Stretches of a register that are remembered apart; a station's are one, unless something else feeds from it."""
_NEVER_S = 2**62
_EXPORTS = frozenset({Memo.TRADE, Memo.TRADE_KEPT, Memo.SHARED, Memo.SHARED_EXPORT, Memo.GRID_EXPORT})
"""Memos under which energy leaves a member's home; what passes through the market or stands in left one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationTariff:
    """A station's word from a moment on, see `session_bodies.Tariff`."""

    from_s: int
    meter: AssetId
    fees: Fees
    silent_s: int
    signs_as: str = ""
    signs_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingSession:
    """One session, from its authorisation until it is closed.

    Args:
        id: Where it was authorised in the log; the name of what is reserved for it, too.
        car: The account that pays.
        station: The account that is paid.
        terms: The station's tariff, as it was when the car said its word.
        most_wh: What the car takes at most.
        most_micro: What it pays at most.
        until_s: When its word ends.
        source: What it would rather have.
        started_s: When the station began; None before.
        register_wh: What the station said that its meter showed then.
        heard_s: The log's time at which the station was last heard.
        counted_s: When it last counted.
        counted_wh: What it had counted then.
        flowed: What of that fell into which slot, in order of slots.
        ended_s: When energy ceased to flow; None while it may.
        stopped_s: The log's time at which that became known.
        ended_by: ``car``, ``station``, ``energy`` (all that was authorised), ``silence`` or ``time``.
        metered: What the gateway read of the register at start and end; None before.
        signed: The records by which the station's own meter says so; none where it does not sign.
        settled: Whether the count was settled without waiting for the gateway any longer.
        billed: What was booked so far, by slot, in order of slots.
        paid_micro: What was paid so far.
    """

    id: str
    car: AccountId
    station: AccountId
    terms: StationTariff
    most_wh: int
    most_micro: int
    until_s: int
    source: str
    started_s: int | None = None
    register_wh: int = 0
    heard_s: int = 0
    counted_s: int = 0
    counted_wh: int = 0
    flowed: tuple[tuple[int, int], ...] = ()
    ended_s: int | None = None
    stopped_s: int = 0
    ended_by: str = ""
    metered: tuple[int, int] | None = None
    signed: tuple[str, ...] = ()
    settled: bool = False
    billed: tuple[tuple[int, int], ...] = ()
    paid_micro: int = 0

    @property
    def billed_wh(self) -> int:
        """What was booked so far."""
        return sum(wh for _, wh in self.billed)

    @property
    def due_s(self) -> int:
        """When it ends, or its authorisation does, if nothing more is heard."""
        if self.ended_s is not None:
            return _NEVER_S
        if self.started_s is None:
            return self.until_s
        return min(self.until_s, self.heard_s + self.terms.silent_s)

    @property
    def metered_wh(self) -> int | None:
        """What the gateway saw; None before its reading."""
        return None if self.metered is None else self.metered[1] - self.metered[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a session; ``bill`` is None where it never started. The last one of a session counts."""

    session: ChargingSession
    bill: Bill | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSessions:
    """Sessions at rest, see `Sessions.dump`."""

    tariffs: list[tuple[AccountId, list[StationTariff]]]
    standing: list[ChargingSession]
    terms: list[SlotTerms]
    registers: list[tuple[AssetId, int, list[tuple[int, int]]]]
    drawn: KeptDrawn


@dataclass(slots=True)
class Register:
    """Which stretches of a meter's register are billed already: disjoint, in order, and all below ``floor_wh``."""

    floor_wh: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list)

    def is_free(self, began_wh: int, ended_wh: int) -> bool:
        """Tell whether no Wh of a stretch is billed yet."""
        return began_wh >= self.floor_wh and all(
            ended_wh <= low or began_wh >= high or began_wh == ended_wh for low, high in self.spans
        )

    def take(self, began_wh: int, ended_wh: int) -> None:
        """Remember a free stretch as billed."""
        if began_wh == ended_wh:
            return
        spans: list[tuple[int, int]] = []
        for low, high in sorted([*self.spans, (began_wh, ended_wh)]):
            if spans and spans[-1][1] == low:
                spans[-1] = (spans[-1][0], high)
            else:
                spans.append((low, high))
        for _, high in spans[:-MOST_SPANS]:
            self.floor_wh = high
        self.spans = spans[-MOST_SPANS:]


@dataclass(slots=True)
class Flowed:
    """What the entries of one slot say of members' energy, in Wh: exports by owner, calls, and the rest.

    ``many_wh`` is what members exported that were settled as a sheet: nothing is behind their connections.
    ``bought_wh`` is what neighbours bought of each other and got, ``worth`` the sum of each Wh times its price.
    """

    exported: dict[AccountId, int] = field(default_factory=dict)
    called_wh: int = 0
    many_wh: int = 0
    net_wh: int = 0
    bought_wh: int = 0
    worth: int = 0


@dataclass(slots=True)
class Sessions:
    """All of it for one community.

    ``standing`` are sessions that are not closed, by name, in log order. ``terms`` is what slots cost that are settled
    and that one of them may need. ``receipts`` of closed sessions are noted where somebody asks for them. ``flowing``
    is what the running commit has booked so far; it means nothing between commits.
    """

    tariffs: dict[AccountId, list[StationTariff]] = field(default_factory=dict)
    standing: dict[str, ChargingSession] = field(default_factory=dict)
    terms: dict[int, SlotTerms] = field(default_factory=dict)
    registers: dict[AssetId, Register] = field(default_factory=dict)
    drawn: Drawn = field(default_factory=Drawn)
    receipts: list[Receipt] | None = None
    flowing: dict[int, Flowed] = field(default_factory=dict)
    busy: dict[AccountId, str] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    _of_car: Counter[AccountId] = field(default_factory=Counter)
    _started: Counter[AssetId] = field(default_factory=Counter)
    soonest_s: int = _NEVER_S

    def put(self, session: ChargingSession) -> None:
        """Let a session stand as it is now."""
        older = self.standing.get(session.id)
        if older is not None:
            self._forget(older)
        self.standing[session.id] = session
        self._of_car[session.car] += 1
        if session.started_s is not None:
            self._started[session.terms.meter] += 1
            if session.ended_s is None:
                self.busy[session.station] = session.id
            else:
                self.ended.add(session.id)
        self.soonest_s = min(self.soonest_s, session.due_s)

    def close(self, session: ChargingSession) -> None:
        """Let go of a session."""
        self._forget(session)
        del self.standing[session.id]
        self.ended.discard(session.id)

    def _forget(self, session: ChargingSession) -> None:
        self._of_car[session.car] -= 1
        if not self._of_car[session.car]:
            del self._of_car[session.car]
        if session.started_s is not None:
            self._started[session.terms.meter] -= 1
            if not self._started[session.terms.meter]:
                del self._started[session.terms.meter]
            if self.busy.get(session.station) == session.id:
                del self.busy[session.station]

    def of_car(self, car: AccountId) -> int:
        """Return how many sessions of a car stand."""
        return self._of_car[car]

    def due(self, now_s: int) -> list[ChargingSession]:
        """Return the sessions that end by themselves by now, in log order."""
        if now_s < self.soonest_s:
            return []
        found = [session for session in self.standing.values() if session.due_s <= now_s]
        later = (session.due_s for session in self.standing.values() if session.due_s > now_s)
        self.soonest_s = min(later, default=_NEVER_S)
        return found

    def waiting(self) -> list[ChargingSession]:
        """Return the sessions that have ended and are not closed, in log order: a snapshot knows no other."""
        return [self.standing[name] for name in sorted(self.ended, key=int)]

    @property
    def watching(self) -> bool:
        """Tell whether a session has started, so that it matters what its slots are made of."""
        return bool(self._started)

    def note_drawn(self, slot_s: int, told: Mapping[AssetId, Reading]) -> None:
        """Take note of what stations' connections took in a settled slot, as far as they told, be it late."""
        for meter in self._started:
            if meter in told:
                self.drawn.tell(meter, slot_s, told[meter].import_wh)

    def before(self, session: ChargingSession) -> list[ChargingSession]:
        """Return the sessions at the same connection that were authorised before one, have started, and wait."""
        found = []
        for other in self.standing.values():
            if other.id == session.id:
                break
            if other.terms.meter == session.terms.meter and other.started_s is not None and not other.settled:
                found.append(other)
        return found

    def forget(self) -> None:
        """Let go of what slots cost and gave before all sessions that stand."""
        began = (known.started_s for known in self.standing.values() if known.started_s is not None)
        first_s = min(began, default=MAX_SAFE_INTEGER) // SLOT_SECONDS * SLOT_SECONDS
        for slot_s in [slot_s for slot_s in self.terms if slot_s < first_s]:
            del self.terms[slot_s]
        self.drawn.forget_before(first_s)

    def note(self, entry: Entry) -> None:
        """Take note of energy that an entry moves between members and to or from the grid, for its slot's mix."""
        if entry.commodity is not Commodity.ENERGY or not self._started:
            return
        flowed = self.flowing.setdefault(entry.slot_s, Flowed())
        if entry.memo == Memo.WATT_DELIVERY:
            flowed.called_wh += entry.amount
        elif entry.memo in _EXPORTS and entry.source not in SYSTEM_ACCOUNTS:
            flowed.exported[entry.source] = flowed.exported.get(entry.source, 0) + entry.amount
        if entry.memo == Memo.GRID_IMPORT:
            flowed.net_wh += entry.amount
        elif entry.memo == Memo.GRID_EXPORT:
            flowed.net_wh -= entry.amount

    def note_many(self, slot_s: int, sold_wh: int, import_wh: int, export_wh: int) -> None:
        """Take note of the same of a sheet's lines: what they sold, took from the grid and gave to it, in Wh."""
        if self._started:
            flowed = self.flowing.setdefault(slot_s, Flowed())
            flowed.many_wh += sold_wh + export_wh
            flowed.net_wh += import_wh - export_wh

    def note_bought(self, slot_s: int, bought: Iterable[tuple[int, int]]) -> None:
        """Take note of what neighbours bought of each other and got: each Wh and micro per kWh."""
        if self._started:
            flowed = self.flowing.setdefault(slot_s, Flowed())
            for wh, price in bought:
                flowed.bought_wh += wh
                flowed.worth += wh * price

    def leaves(self) -> Iterator[Mapping[str, object]]:
        """Yield everything that decides what may happen next, in one order whatever the way that led to it."""
        yield from ({"station": account, "tariffs": self.tariffs[account]} for account in sorted(self.tariffs))
        yield from ({"session": session} for session in self.standing.values())
        yield from ({"terms": self.terms[slot_s]} for slot_s in sorted(self.terms))
        for meter, register in sorted(self.registers.items()):
            yield {"billed": register.spans, "floor_wh": register.floor_wh, "meter": meter}
        yield from self.drawn.leaves()

    def dump(self) -> KeptSessions:
        """Return all of it in plain form: a snapshot's."""
        return KeptSessions(
            tariffs=sorted(self.tariffs.items()),
            standing=list(self.standing.values()),
            terms=[self.terms[slot_s] for slot_s in sorted(self.terms)],
            registers=[(meter, r.floor_wh, r.spans) for meter, r in sorted(self.registers.items())],
            drawn=self.drawn.dump(),
        )

    @classmethod
    def load(cls, kept: KeptSessions) -> "Sessions":
        """Return the sessions that `dump` wrote.

        Raises:
            InvalidValue: They are not in the order of the log.
        """
        if [int(s.id) for s in kept.standing] != sorted({int(s.id) for s in kept.standing}):
            raise InvalidValue("sessions stand in the order of the log, each once")
        sessions = cls(
            tariffs=dict(kept.tariffs),
            terms={term.slot_s: term for term in kept.terms},
            registers={meter: Register(floor_wh, spans) for meter, floor_wh, spans in kept.registers},
            drawn=Drawn.load(kept.drawn),
        )
        for session in kept.standing:
            sessions.put(session)
        return sessions
