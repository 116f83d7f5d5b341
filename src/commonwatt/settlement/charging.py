"""The arithmetic of a charging session: which slot each watt-hour belongs to, what it costs, where it came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from commonwatt.model import MAX_SAFE_INTEGER, SLOT_SECONDS, InvalidValue, cost_micro, share_wh


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Where a slot's energy in a community came from, in Wh.

    Args:
        solar_wh: Members' sun that left their homes, traded or exported.
        watt_wh: Stored clean energy that holders of WATT called.
        other_wh: What else members exported: no registered solar meter bears out where it was made.
        grid_wh: What the grid gave to the community beyond what it took.

    Raises:
        InvalidValue: One of them is below zero.
    """

    solar_wh: int = 0
    watt_wh: int = 0
    other_wh: int = 0
    grid_wh: int = 0

    def __post_init__(self) -> None:
        if min(self.solar_wh, self.watt_wh, self.other_wh, self.grid_wh) < 0:
            raise InvalidValue(f"energy comes from somewhere in zero or more Wh, was {self}")

    def of(self, energy_wh: int) -> "Mix":
        """Return the same mix of another amount: whole Wh, largest remainder, the grid's where nothing flowed."""
        weights = [self.solar_wh, self.watt_wh, self.other_wh, self.grid_wh]
        if not any(weights):
            return Mix(grid_wh=energy_wh)
        solar_wh, watt_wh, other_wh, grid_wh = share_wh(energy_wh, weights)
        return Mix(solar_wh=solar_wh, watt_wh=watt_wh, other_wh=other_wh, grid_wh=grid_wh)

    @property
    def total_wh(self) -> int:
        """The sum of all four."""
        return self.solar_wh + self.watt_wh + self.other_wh + self.grid_wh


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotTerms:
    """What holds for all energy that a station gives in one slot: its price in micro per kWh, and its mix."""

    slot_s: int
    price_micro_per_kwh: int
    mix: Mix


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """What a station asks for its service beyond the energy: micro per kWh, and micro per session.

    Raises:
        InvalidValue: One is below zero.
    """

    micro_per_kwh: int = 0
    micro_per_session: int = 0

    def __post_init__(self) -> None:
        if min(self.micro_per_kwh, self.micro_per_session) < 0:
            raise InvalidValue(f"a fee is zero or more, was {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One slot of a bill."""

    slot_s: int
    energy_wh: int
    price_micro_per_kwh: int
    cost_micro: int
    mix: Mix


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a session comes to.

    Args:
        lines: Slots in which energy flowed, in order.
        energy_micro: Sum of their costs; below zero where the grid paid for taking energy.
        service_micro: The station's fees.
        due_micro: What the car pays: the sum of both, never below zero nor above what it authorised.
        unpaid_micro: What the station has to bear because it went beyond what was authorised.
    """

    lines: tuple[Line, ...]
    energy_micro: int
    service_micro: int
    due_micro: int
    unpaid_micro: int

    @property
    def energy_wh(self) -> int:
        """The sum of the lines."""
        return sum(line.energy_wh for line in self.lines)


def bill(
    energy_wh: int,
    flowed: Mapping[int, int],
    terms: Sequence[SlotTerms],
    room_wh: Mapping[int, int],
    fees: Fees,
    most_micro: int,
) -> Bill:
    """Return what a session's energy costs.

    Each slot's energy is priced and rounded once, halves to even; so is the service. A session in which nothing
    flowed costs nothing. What a slot has no room for goes to the session's other slots, the earliest first, and what
    none has room for is not billed.

    Args:
        energy_wh: What the register bears out, within what was authorised; zero or more.
        flowed: Slot to what was said to flow in it, in Wh: the energy is split in this proportion. Where nothing was
            said it is spread over all slots alike.
        terms: Of each slot of the session, in order; at least one, and all of those that ``flowed`` names.
        room_wh: Of each slot the most Wh that can have flowed in it; nothing where none is named.
        fees: Of the station.
        most_micro: What the car authorised.

    Raises:
        InvalidValue: The energy is below zero, or a slot has no terms.
    """
    if not terms or set(flowed) - {term.slot_s for term in terms}:
        raise InvalidValue(f"each slot of a session has its terms, was {terms} for {flowed}")
    weights = [flowed.get(term.slot_s, 0) for term in terms]
    shares = share_wh(energy_wh, weights if any(weights) else [1] * len(terms))
    shares = _fit_wh(shares, [room_wh.get(term.slot_s, 0) for term in terms])
    lines = tuple(
        Line(
            slot_s=term.slot_s,
            energy_wh=wh,
            price_micro_per_kwh=term.price_micro_per_kwh,
            cost_micro=cost_micro(wh, term.price_micro_per_kwh),
            mix=term.mix.of(wh),
        )
        for term, wh in zip(terms, shares, strict=True)
        if wh
    )
    energy_micro = sum(line.cost_micro for line in lines)
    billed_wh = sum(shares)
    service_micro = cost_micro(billed_wh, fees.micro_per_kwh) + fees.micro_per_session if billed_wh else 0
    owed_micro = max(0, energy_micro + service_micro)
    due_micro = min(owed_micro, most_micro)
    return Bill(
        lines=lines,
        energy_micro=energy_micro,
        service_micro=service_micro,
        due_micro=due_micro,
        unpaid_micro=owed_micro - due_micro,
    )


def _fit_wh(shares: Sequence[int], room_wh: Sequence[int]) -> list[int]:
    """Return shares within the room of each slot; what does not fit goes to the earliest slots that have room left."""
    fitted = [min(wh, room) for wh, room in zip(shares, room_wh, strict=True)]
    over_wh = sum(shares) - sum(fitted)
    for n, room in enumerate(room_wh):
        more_wh = min(over_wh, room - fitted[n])
        fitted[n], over_wh = fitted[n] + more_wh, over_wh - more_wh
    return fitted


def slots_between(from_s: int, to_s: int) -> range:
    """Return the starts of the slots that a span touches; of one instant, the slot that holds it."""
    first_s = from_s // SLOT_SECONDS * SLOT_SECONDS
    return range(first_s, max(to_s, first_s + 1), SLOT_SECONDS)


def spread_wh(energy_wh: int, from_s: int, to_s: int) -> dict[int, int]:
    """Split energy that flowed between two counts over the slots between them, by time; whole Wh, none lost.

    Args:
        energy_wh: What the later count adds, in Wh, zero or more.
        from_s: When the earlier count was made, seconds since 1970.
        to_s: When the later one was, after it.

    Raises:
        InvalidValue: The later count is not later, or counts less.
    """
    if to_s <= from_s or not 0 <= energy_wh <= MAX_SAFE_INTEGER:
        raise InvalidValue(f"a later count is later and no less, was {energy_wh} Wh from {from_s} s to {to_s} s")
    slots = slots_between(from_s, to_s)
    seconds = [min(to_s, slot_s + SLOT_SECONDS) - max(from_s, slot_s) for slot_s in slots]
    return {slot_s: wh for slot_s, wh in zip(slots, share_wh(energy_wh, seconds), strict=True) if wh}
