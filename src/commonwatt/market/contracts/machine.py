"""Contracts as states: offers, who accepted them, and each window from standing by to paid.

A window stands by, is called (or passes uncalled), is measured once its readings are final, and is paid when nobody
disputed it in time; a dispute holds it until it is resolved or its time is over. Paid is the end. Nothing moves
money here: who owns the books asks what is due.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from commonwatt.market.contracts.paying import (
    Due,
    availability_micro,
    due,
    most_paid_micro,
    most_penalty_micro,
    promised_w,
)
from commonwatt.market.contracts.terms import BaselineRule, Direction, Terms, Trigger, TriggerKind
from commonwatt.model import SLOT_SECONDS, AccountId, AssetId, InvalidValue

_NOTHING = Due(0, 0, 0)


class Status(StrEnum):
    """How far a window has come."""

    STANDBY = "standby"
    CALLED = "called"
    MEASURED = "measured"
    DISPUTED = "disputed"
    PAID = "paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee:
    """What an asset's owner answered that it can be counted on for, W each way, until when.

    Only what is controlled directly backs a contract; an answer without that is information.
    """

    asset: AssetId
    until_s: int
    charge_w: int
    give_back_w: int
    direct: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What one oracle signed: a frequency over a time, or a grid event."""

    oracle: AccountId
    start_s: int
    end_s: int
    mhz: int | None = None
    name: str | None = None
    zone: str | None = None
    direction: Direction | None = None

    @property
    def about(self) -> str:
        """What it is about: an oracle says one thing of that."""
        if self.mhz is not None:
            return f"frequency {self.start_s} {self.end_s}"
        return f"event {self.name} {self.zone or ''}"

    def says(self, trigger: Trigger) -> bool:
        """Tell whether it is what a trigger waits for."""
        if self.oracle not in trigger.oracles:
            return False
        if trigger.kind is TriggerKind.EVENT:
            return self.name == trigger.name
        if self.mhz is None:
            return False
        above = trigger.kind is TriggerKind.FREQUENCY_ABOVE
        return self.mhz > trigger.level if above else self.mhz < trigger.level

    def same(self, other: "Fact") -> bool:
        """Tell whether two oracles mean the same: the same seconds, or the same event."""
        if (self.about, self.start_s, self.end_s) != (other.about, other.start_s, other.end_s):
            return False
        return self.direction is other.direction


@dataclass(slots=True, kw_only=True)
class Call:
    """One window of one contract.

    ``start_s`` and ``end_s`` are the window's; ``called`` is the part of it that was asked for, None while nothing was.
    ``actual_wh`` is net, import positive, one a called slot, None where unknown; ``against_wh`` the baseline or the
    instructed energy of the same slots, ``rates`` what a kWh earns in those that are known.
    """

    window: int
    start_s: int
    end_s: int
    status: Status = Status.STANDBY
    called: tuple[int, int] | None = None
    actual_wh: list[int | None] = field(default_factory=list)
    against_wh: list[int | None] = field(default_factory=list)
    rates: list[int | None] = field(default_factory=list)
    promised_wh: int = 0
    delivered_wh: int = 0
    available: bool = True
    due: Due = _NOTHING
    due_s: int = 0
    reason: str = ""
    wishes: dict[str, int] = field(default_factory=dict)
    paid_micro: int = 0

    def slots(self) -> range:
        """Return the slots that were called, by start."""
        return range(*self.called, SLOT_SECONDS) if self.called else range(0)


@dataclass(slots=True, kw_only=True)
class Offer:
    """What a utility offers; ``free_micro`` is what of its budget no contract needs yet."""

    id: str
    utility: AccountId
    terms: Terms
    free_micro: int
    closed: bool = False


@dataclass(slots=True, kw_only=True)
class Contract:
    """An acceptance: whose asset promises what; ``left`` windows may still cost either side its stake."""

    id: str
    offer: str
    member: AccountId
    asset: AssetId
    charge_w: int
    give_back_w: int
    stake_micro: int
    penalty_stake_micro: int
    left: int
    ends_s: int
    calls: list[Call] = field(default_factory=list)
    ended_s: int | None = None

    def promised_w(self, direction: Direction) -> int:
        """Return the power promised in a direction, W."""
        return self.charge_w if direction is Direction.CHARGE else self.give_back_w

    def find(self, start_s: int) -> Call | None:
        """Return the window that starts at a time, or None."""
        return next((call for call in self.calls if call.start_s == start_s), None)


class Contracts:
    """All offers, contracts, guarantees and what oracles signed, by the names under which they stand in the log."""

    def __init__(self) -> None:
        self.offers: dict[str, Offer] = {}
        self.contracts: dict[str, Contract] = {}
        self.guarantees: dict[AssetId, Guarantee] = {}
        self.facts: list[Fact] = []

    def running(self) -> list[Contract]:
        """Return the contracts that have not ended, oldest first."""
        return [contract for contract in self.contracts.values() if contract.ended_s is None]

    def pledge(self, asset: AssetId) -> Contract | None:
        """Return the running contract that counts on an asset: one at a time, or one kWh would be paid twice."""
        return next((contract for contract in self.running() if contract.asset == asset), None)

    def promised_w(self, offer: Offer, direction: Direction) -> int:
        """Return what all who accepted an offer promise together."""
        return sum(one.promised_w(direction) for one in self.running() if one.offer == offer.id)

    def reserved_micro(self, offer: Offer) -> int:
        """Return what a utility must keep aside for an offer: what is still free of it, and all running stakes."""
        stakes = sum(one.left * one.stake_micro for one in self.running() if one.offer == offer.id)
        return stakes + (0 if offer.closed else offer.free_micro)

    def terms(self, contract: Contract) -> Terms:
        """Return the conditions that a contract is under."""
        return self.offers[contract.offer].terms

    def offer(self, name: str, utility: AccountId, terms: Terms, budget_micro: int) -> Offer:
        """Let an offer stand.

        Raises:
            InvalidValue: One of that name stands.
        """
        if name in self.offers:
            raise InvalidValue(f"an offer is made once, {name} stands")
        self.offers[name] = Offer(id=name, utility=utility, terms=terms, free_micro=budget_micro)
        return self.offers[name]

    def accept(
        self, name: str, offer: Offer, member: AccountId, asset: AssetId, charge_w: int, give_back_w: int
    ) -> Contract | None:
        """Begin a contract; None where an offer has no budget or no need for so much any more."""
        terms = offer.terms
        stake = most_paid_micro(terms, charge_w, give_back_w)
        most = stake * terms.most_windows
        over = any(
            self.promised_w(offer, direction) + power_w > terms.power_w
            for direction, power_w in ((Direction.CHARGE, charge_w), (Direction.GIVE_BACK, give_back_w))
        )
        if offer.closed or most > offer.free_micro or over:
            return None
        offer.free_micro -= most
        self.contracts[name] = Contract(
            id=name,
            offer=offer.id,
            member=member,
            asset=asset,
            charge_w=charge_w,
            give_back_w=give_back_w,
            stake_micro=stake,
            penalty_stake_micro=most_penalty_micro(terms, charge_w, give_back_w),
            left=terms.most_windows,
            ends_s=terms.until_s,
        )
        return self.contracts[name]

    def hear(self, fact: Fact) -> bool:
        """Take a fact in; False where this oracle spoke of that already, be it in the same words."""
        if any((known.oracle, known.about) == (fact.oracle, fact.about) for known in self.facts):
            return False
        self.facts.append(fact)
        return True

    def agreed(self, trigger: Trigger, fact: Fact) -> bool:
        """Tell whether enough distinct oracles have signed what a fact says."""
        voices = {known.oracle for known in self.facts if known.says(trigger) and known.same(fact)}
        return fact.says(trigger) and len(voices) >= trigger.quorum

    def call(self, contract: Contract, call: Call, start_s: int, end_s: int) -> bool:
        """Ask for a part of a window that stands by: the whole slots of it; False where there are none."""
        start_s = max(call.start_s, -(-start_s // SLOT_SECONDS) * SLOT_SECONDS)
        end_s = min(call.end_s, end_s // SLOT_SECONDS * SLOT_SECONDS)
        if call.status is not Status.STANDBY or start_s >= end_s:
            return False
        call.status, call.called = Status.CALLED, (start_s, end_s)
        count = (end_s - start_s) // SLOT_SECONDS
        call.actual_wh, call.against_wh, call.rates = [None] * count, [None] * count, [None] * count
        window = self.terms(contract).windows[call.window]
        power_w = promised_w(window, contract.charge_w, contract.give_back_w)
        call.promised_wh = power_w * (end_s - start_s) // 3600
        return True

    def measure(self, contract: Contract, call: Call, now_s: int) -> None:
        """Work out, or after a correction again, what a window delivered and what is due for it.

        Sums run over the whole call, so what was missed in one slot may be made up in another, within the power that
        was promised: more than that in a slot does not count.
        """
        if call.status is Status.PAID:
            raise InvalidValue(f"a window that is paid stays as it is, was the one at {call.start_s} s")
        terms = self.terms(contract)
        window = terms.windows[call.window]
        power_w = promised_w(window, contract.charge_w, contract.give_back_w)
        most_wh = power_w * SLOT_SECONDS // 3600
        told = [
            _delivered_wh(terms.baseline, window.direction, actual, against, most_wh)
            for actual, against in zip(call.actual_wh, call.against_wh, strict=True)
        ]
        call.delivered_wh = max(0, min(call.promised_wh, sum(told)))
        standing_by = availability_micro(terms, power_w, call.end_s - call.start_s) if call.available else 0
        # Where the day has no baseline nothing can be told of it, for better or worse.
        measurable = terms.baseline is BaselineRule.METERED_SETPOINT or any(wh is not None for wh in call.against_wh)
        found = due(
            terms,
            promised_wh=call.promised_wh,
            delivered_wh=call.delivered_wh,
            rates=[rate for rate in call.rates if rate is not None],
            availability_micro=standing_by,
            called=call.called is not None and measurable,
        )
        call.due = _within(found, contract)
        if call.status is not Status.DISPUTED:
            call.status = Status.MEASURED
        if not call.due_s:
            call.due_s = now_s + terms.dispute_s

    def dispute(self, contract: Contract, call: Call, now_s: int, reason: str) -> bool:
        """Hold a window's payment; False where it is not to be paid, or it is too late."""
        if call.status is not Status.MEASURED or now_s >= call.due_s:
            return False
        call.status, call.reason = Status.DISPUTED, reason
        call.due_s = now_s + self.terms(contract).resolve_s
        return True

    def resolve(self, contract: Contract, call: Call, by: AccountId, net_micro: int) -> int | None:
        """Say what a disputed window is to come to; return it where that decides: its arbiter, or both sides alike.

        Beyond what either side has at stake nothing can be said.

        Raises:
            InvalidValue: The window is not disputed, or the amount is beyond the stakes.
        """
        inside = -contract.penalty_stake_micro <= net_micro <= contract.stake_micro
        if call.status is not Status.DISPUTED or not inside:
            raise InvalidValue(f"a dispute is resolved within the stakes of its window, was {net_micro} micro")
        if by == self.terms(contract).arbiter:
            return net_micro
        call.wishes[by] = net_micro
        agreed = len(call.wishes) == 2 and len(set(call.wishes.values())) == 1
        return net_micro if agreed else None

    def paid(self, contract: Contract, call: Call, net_micro: int) -> None:
        """Note that a window is paid, which frees its stakes for good.

        Raises:
            InvalidValue: It was paid before, or not measured.
        """
        if call.status not in (Status.MEASURED, Status.DISPUTED):
            raise InvalidValue(f"a window is paid once, after it was measured, was {call.status}")
        call.status, call.paid_micro = Status.PAID, net_micro
        contract.left -= 1

    def end(self, contract: Contract, now_s: int) -> None:
        """End a contract: its open stakes go back to the offer's budget.

        Raises:
            InvalidValue: It ended before, or a window is not paid.
        """
        if contract.ended_s is not None or any(call.status is not Status.PAID for call in contract.calls):
            raise InvalidValue(f"a contract ends once, when all its windows are paid, was {contract.id}")
        self.offers[contract.offer].free_micro += contract.left * contract.stake_micro
        contract.ended_s, contract.left = now_s, 0

    def standing_offers(self, utility: AccountId) -> int:
        """Return how many of a utility's offers are open or have contracts that run."""
        busy = {contract.offer for contract in self.running()}
        return sum(one.utility == utility and (not one.closed or one.id in busy) for one in self.offers.values())

    def forget_before(self, horizon_s: int) -> None:
        """Let go of what ended before, and of offers that nothing stands under any more."""
        for name in [one.id for one in self.contracts.values() if one.ended_s is not None and one.ended_s < horizon_s]:
            del self.contracts[name]
        needed = {contract.offer for contract in self.contracts.values()}
        for name in [one.id for one in self.offers.values() if one.closed and one.id not in needed]:
            del self.offers[name]

    def leaves(self, horizon_s: int) -> Iterator[Mapping[str, object]]:
        """Yield everything that decides what may happen next, in log order."""
        kept = [c for c in self.contracts.values() if c.ended_s is None or c.ended_s >= horizon_s]
        needed = {contract.offer for contract in kept}
        yield from ({"offer": one} for one in self.offers.values() if not one.closed or one.id in needed)
        yield from ({"contract": one} for one in kept)
        yield from ({"guarantee": self.guarantees[asset]} for asset in sorted(self.guarantees))
        yield from ({"heard": fact} for fact in self.facts)

    def dump(self) -> tuple[list[Offer], list[Contract], list[Guarantee], list[Fact]]:
        """Return all of it in plain form: a snapshot's."""
        return [*self.offers.values()], [*self.contracts.values()], [*self.guarantees.values()], [*self.facts]

    @classmethod
    def load(
        cls,
        offers: Iterable[Offer],
        contracts: Iterable[Contract],
        guarantees: Iterable[Guarantee],
        facts: Iterable[Fact],
    ) -> "Contracts":
        """Return what `dump` wrote."""
        found = cls()
        found.offers = {offer.id: offer for offer in offers}
        found.contracts = {contract.id: contract for contract in contracts}
        found.guarantees = {told.asset: told for told in guarantees}
        found.facts = list(facts)
        return found


def _delivered_wh(
    rule: BaselineRule, direction: Direction, actual: int | None, against: int | None, most_wh: int
) -> int:
    """Return what one slot adds to what was delivered, in the direction asked for; 0 where anything is unknown."""
    if actual is None or against is None:
        return 0
    sign = 1 if direction is Direction.CHARGE else -1
    if rule is BaselineRule.METERED_SETPOINT:
        # What nobody instructed counts as little as what was instructed and not done.
        return max(0, min(sign * actual, sign * against, most_wh))
    return min(sign * (actual - against), most_wh)


def _within(found: Due, contract: Contract) -> Due:
    """Return what is due, within the stakes."""
    payment = min(found.payment_micro, contract.stake_micro)
    return Due(
        payment,
        min(found.availability_micro, contract.stake_micro - payment),
        min(found.penalty_micro, contract.penalty_stake_micro),
    )
