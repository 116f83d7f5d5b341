"""A contract as it stands, and what can become of each member's part in each of its windows.

A part runs from the moment at which its window begins or is called. Once the meters are final it is due; either side
may dispute it until a moment; then it is paid, once, and nothing changes it any more:

    RUNNING -> DUE -> PAID, and with a dispute DUE -> DISPUTED -> PAID

A transition that the state of a part does not allow returns None and leaves it as it was.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from commonwatt.market.contracts.payment import Due, member_most, promised_wh, utility_most
from commonwatt.market.contracts.terms import Direction, Terms, Window
from commonwatt.model import SLOT_SECONDS, AccountId, AssetId


class Stage(StrEnum):
    """How far a part has come."""

    RUNNING = "running"
    DUE = "due"
    DISPUTED = "disputed"
    PAID = "paid"


class Party(StrEnum):
    """Who can agree to how a dispute ends."""

    UTILITY = "utility"
    MEMBER = "member"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What a member promised with one asset.

    Args:
        id: Its place in the log.
        account: The member.
        asset: Whose meter counts.
        up_w: Guaranteed in each window that asks to give back.
        down_w: Guaranteed in each window that asks to charge.
        since_s: No window that begins before is promised, seconds since 1970.
        until_s: No window that ends later.
    """

    id: str
    account: AccountId
    asset: AssetId
    up_w: int
    down_w: int
    since_s: int
    until_s: int

    def power_w(self, direction: Direction) -> int:
        """Return what is promised in windows of a direction."""
        return self.up_w if direction is Direction.GIVE_BACK else self.down_w

    def binds(self, window: Window) -> bool:
        """Tell whether a window is promised."""
        inside = self.since_s <= window.start_s and window.end_s <= self.until_s
        return inside and self.power_w(window.direction) > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One member's part in one window.

    Args:
        acceptance: Which promise it is of.
        account: The member.
        asset: Whose meter counts.
        power_w: What is promised.
        stage: See there.
        ready: Whether the owner has let the asset be moved all the time.
        instructed_wh: Per slot of the call what the logged schedule asks for, import positive; None for nothing.
        baseline_wh: Per slot of the call, once it is measured; None where there is nothing to compare with.
        promised_wh: Of the slots that count, once it is measured.
        delivered_wh: Likewise.
        due: What it comes to.
        until_s: When it is paid by itself, seconds since 1970.
        reason: Why it is disputed.
        by: Who disputes it.
        said: What each side would agree to, micro from utility to member.
    """

    acceptance: str
    account: AccountId
    asset: AssetId
    power_w: int
    stage: Stage = Stage.RUNNING
    ready: bool = True
    instructed_wh: tuple[int | None, ...] = ()
    baseline_wh: tuple[int | None, ...] | None = None
    promised_wh: int = 0
    delivered_wh: int = 0
    due: Due = field(default_factory=Due)
    until_s: int = 0
    reason: str = ""
    by: Party | None = None
    said: tuple[tuple[Party, int], ...] = ()


@dataclass(slots=True, kw_only=True)
class Call:
    """A window that has begun, or was called before it begins.

    Args:
        window: Which.
        told_s: From when on members knew; the hours before adjust the baseline.
        from_s: First second for which it was called; at ``to_s`` where it was not called.
        to_s: First second after.
        parts: By acceptance.
    """

    window: Window
    told_s: int
    from_s: int
    to_s: int
    parts: dict[str, Part]

    @property
    def called(self) -> bool:
        """Tell whether anybody had to move."""
        return self.from_s < self.to_s

    @property
    def slots(self) -> range:
        """The starts of the slots for which it was called."""
        return range(self.from_s, self.to_s, SLOT_SECONDS)

    @property
    def over_s(self) -> int:
        """From when on it can be measured: the call's end, or where it was not called the window's."""
        return self.to_s if self.called else self.window.end_s

    def place(self, slot_s: int) -> int | None:
        """Return which slot of the call this is, or None."""
        return (slot_s - self.from_s) // SLOT_SECONDS if self.from_s <= slot_s < self.to_s else None


@dataclass(slots=True, kw_only=True)
class Contract:
    """A contract as it stands.

    Args:
        id: Its place in the log.
        terms: What was offered.
        accept_by_s: From when on nobody can accept: as in the terms, or earlier where the utility withdrew the offer.
        opened: How many of its windows have begun; those from here on are still to come.
        called_wh: How much energy was called so far.
        accepted: Who promised what, by the place of the acceptance in the log.
        calls: Windows that have begun or were called and are not paid for yet, by their number.
    """

    id: str
    terms: Terms
    accept_by_s: int
    opened: int = 0
    called_wh: int = 0
    accepted: dict[str, Acceptance] = field(default_factory=dict)
    calls: dict[int, Call] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Tell whether nothing can follow from it any more."""
        return self.opened == len(self.terms.windows) and not self.calls

    def to_come(self) -> Iterator[tuple[int, Window]]:
        """Yield the windows that have neither begun nor been called, with their numbers."""
        for number in range(self.opened, len(self.terms.windows)):
            if number not in self.calls:
                yield number, self.terms.windows[number]

    def promised_w(self, direction: Direction) -> int:
        """Return the power that members promised in windows of a direction."""
        return sum(acceptance.power_w(direction) for acceptance in self.accepted.values())

    def utility_owes_most(self, now_s: int) -> int:
        """Return the most that the utility can come to owe from here on, micro."""
        terms = self.terms
        wanted = {way: terms.most_w if now_s < self.accept_by_s else self.promised_w(way) for way in Direction}
        left_wh = None if terms.most_wh is None else max(0, terms.most_wh - self.called_wh)
        coming = utility_most(terms, ((window, wanted[window.direction]) for _, window in self.to_come()), left_wh)
        open_parts = ((call.window, part) for call in self.calls.values() for part in call.parts.values())
        return coming + sum(part_most(terms, window, part) for window, part in open_parts)

    def member_owes_most(self, acceptance: Acceptance) -> int:
        """Return the most that a member can come to owe for one promise from here on, micro."""
        terms = self.terms
        coming = [
            (window, acceptance.power_w(window.direction)) for _, window in self.to_come() if acceptance.binds(window)
        ]
        running = [
            (call.window, part.power_w)
            for call in self.calls.values()
            if (part := call.parts.get(acceptance.id)) is not None and part.stage is not Stage.PAID
        ]
        return member_most(terms, coming) + sum(member_most(terms, [each]) for each in running)

    def bound(self, acceptance: str) -> bool:
        """Tell whether anything can still follow from an acceptance."""
        promise = self.accepted[acceptance]
        return any(promise.binds(window) for _, window in self.to_come()) or any(
            acceptance in call.parts and call.parts[acceptance].stage is not Stage.PAID for call in self.calls.values()
        )

    def room_for(self, call_wh: int) -> bool:
        """Tell whether so much may still be called."""
        return self.terms.most_wh is None or self.called_wh + call_wh <= self.terms.most_wh


def call_wh(from_s: int, to_s: int, parts: Iterable[Part]) -> int:
    """Return the energy that a call asks of its parts, Wh."""
    return sum(promised_wh(part.power_w) for part in parts) * ((to_s - from_s) // SLOT_SECONDS)


def part_most(terms: Terms, window: Window, part: Part) -> int:
    """Return the most that the utility can owe for one part, micro; nothing once it is paid."""
    return 0 if part.stage is Stage.PAID else utility_most(terms, [(window, part.power_w)])


def measured(part: Part, promised: int, delivered: int, owed: Due, until_s: int) -> Part | None:
    """Return a part whose meter has told, or told anew, what it comes to.

    Args:
        part: Running, or due: what was measured may be corrected until it is paid.
        promised: Wh of the slots that count.
        delivered: Wh.
        owed: What it comes to.
        until_s: When it is paid by itself; kept where it was due already.
    """
    if part.stage not in (Stage.RUNNING, Stage.DUE):
        return None
    until_s = until_s if part.stage is Stage.RUNNING else part.until_s
    return replace(part, stage=Stage.DUE, promised_wh=promised, delivered_wh=delivered, due=owed, until_s=until_s)


def disputed(part: Part, by: Party, reason: str, now_s: int, until_s: int) -> Part | None:
    """Return a part that is held because one side says that it is wrong."""
    if part.stage is not Stage.DUE or now_s >= part.until_s:
        return None
    return replace(part, stage=Stage.DISPUTED, by=by, reason=reason, until_s=until_s)


def proposed(part: Part, by: Party, micro: int) -> Part | None:
    """Return a disputed part with what one side would agree to, in place of what that side said before."""
    if part.stage is not Stage.DISPUTED:
        return None
    others = [(party, amount) for party, amount in part.said if party is not by]
    return replace(part, said=tuple(sorted([*others, (by, micro)])))


def agreed(part: Part) -> int | None:
    """Return the amount that both sides agree to, micro from utility to member, or None."""
    amounts = {amount for _, amount in part.said}
    return amounts.pop() if len(part.said) == len(Party) and len(amounts) == 1 else None


def resolved(part: Part, micro: int, most_micro: int, least_micro: int) -> Part | None:
    """Return a disputed part that is to be paid with a named amount; None where that is beyond what is set aside."""
    if part.stage is not Stage.DISPUTED or not least_micro <= micro <= most_micro:
        return None
    return replace(part, due=Due(energy_micro=micro))


def paid(part: Part) -> Part | None:
    """Return a part that was paid; None where it was already, or is not to be paid yet."""
    if part.stage not in (Stage.DUE, Stage.DISPUTED):
        return None
    return replace(part, stage=Stage.PAID)
