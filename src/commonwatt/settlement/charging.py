"""What a charging session comes to: its energy slot by slot, its price, and where each Wh came from (row E9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from commonwatt.model import SLOT_SECONDS, InvalidValue, cost_micro, share_wh

BySlot = tuple[tuple[int, int], ...]
"""Starts of slots in seconds since 1970, in order, and the Wh of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What fed a community in one slot, in Wh; see `mix_of`.

    Raises:
        InvalidValue: A part is below zero.
    """

    neighbours_wh: int = 0
    stored_wh: int = 0
    grid_wh: int = 0

    def __post_init__(self) -> None:
        if min(self.neighbours_wh, self.stored_wh, self.grid_wh) < 0:
            raise InvalidValue(f"a part of what fed a slot is zero or more, was {self}")

    def __add__(self, other: "Mix") -> "Mix":
        return Mix(
            neighbours_wh=self.neighbours_wh + other.neighbours_wh,
            stored_wh=self.stored_wh + other.stored_wh,
            grid_wh=self.grid_wh + other.grid_wh,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one slot of a session costs.

    Args:
        slot_s: Start of the slot, seconds since 1970.
        energy_wh: What is sold of it.
        price_micro_per_kwh: The community's price then.
        owed_micro: What that comes to, without the station's fee.
        paid_micro: What of it lies within what the car authorised.
    """

    slot_s: int
    energy_wh: int
    price_micro_per_kwh: int
    owed_micro: int
    paid_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a session costs: its lines in order of time, and the station's own fee; micro."""

    lines: tuple[Line, ...] = ()
    fee_owed_micro: int = 0
    fee_paid_micro: int = 0

    @property
    def energy_wh(self) -> int:
        """What is sold, in Wh."""
        return sum(line.energy_wh for line in self.lines)

    @property
    def owed_micro(self) -> int:
        """What it would cost without a limit."""
        return sum(line.owed_micro for line in self.lines) + self.fee_owed_micro

    @property
    def paid_micro(self) -> int:
        """What it costs: never more than was authorised."""
        return sum(line.paid_micro for line in self.lines) + self.fee_paid_micro


NOTHING = Bill()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLine:
    """One slot on a receipt: a bill's line, and where its energy came from."""

    slot_s: int
    energy_wh: int
    price_micro_per_kwh: int
    paid_micro: int
    sources: Mix


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a car charged, what it paid, and where each Wh came from.

    Args:
        session: Its name: where the authorisation stands in the log.
        car: Who paid.
        station: Who was paid.
        meter: The asset whose register counted.
        started_s: Seconds since 1970.
        stopped_s: Likewise.
        why: What ended it.
        streamed_wh: What the last running count told.
        metered_wh: What the gateway signed for its register; None where it has not yet.
        energy_wh: What is sold: metered, or as long as nothing is, streamed; within what was authorised.
        unsold_wh: What was counted beyond that, and is the station's to bear.
        lines: Slot by slot.
        fee_micro: The station's own fee, as it was paid.
        paid_micro: All that was paid.
        owed_micro: What it would have cost without the car's limit.
        most_micro: That limit.
        wish: Which source the car would have liked best.
        wished_wh: How much of the energy came from there.
        final: Whether the gateway's count settled it; otherwise a late one still may change it.
    """

    session: str
    car: str
    station: str
    meter: str
    started_s: int
    stopped_s: int
    why: str
    streamed_wh: int
    metered_wh: int | None
    energy_wh: int
    unsold_wh: int
    lines: tuple[ReceiptLine, ...]
    fee_micro: int
    paid_micro: int
    owed_micro: int
    most_micro: int
    wish: str
    wished_wh: int
    final: bool

    @property
    def difference_wh(self) -> int | None:
        """By how much the meter counted more than the stream told; below zero where the station told too much."""
        return None if self.metered_wh is None else self.metered_wh - self.streamed_wh

    @property
    def sources(self) -> Mix:
        """Where all of it came from."""
        return sum((line.sources for line in self.lines), Mix())


def by_slot(from_s: int, to_s: int, energy_wh: int) -> BySlot:
    """Return how energy that flowed over a stretch of time lies in slots: evenly, by seconds, none lost.

    Args:
        from_s: Start, seconds since 1970.
        to_s: End; at the start itself, all of it lies in that slot.
        energy_wh: Zero or more; nothing where it is zero.

    Raises:
        InvalidValue: The energy is below zero, or the end before the start.
    """
    if energy_wh < 0 or to_s < from_s:
        raise InvalidValue(f"energy flows forward in time, was {energy_wh} Wh from {from_s} s to {to_s} s")
    first_s = from_s // SLOT_SECONDS * SLOT_SECONDS
    slots = range(first_s, max(to_s, from_s + 1), SLOT_SECONDS)
    weights = [min(slot_s + SLOT_SECONDS, to_s) - max(slot_s, from_s) for slot_s in slots] if to_s > from_s else [1]
    shares = share_wh(energy_wh, weights)
    return tuple((slot_s, wh) for slot_s, wh in zip(slots, shares, strict=True) if wh)


def joined(earlier: BySlot, later: BySlot) -> BySlot:
    """Return the sum of two stretches."""
    found = dict(earlier)
    for slot_s, wh in later:
        found[slot_s] = found.get(slot_s, 0) + wh
    return tuple(sorted(found.items()))


def cut(told: BySlot, total_wh: int) -> BySlot:
    """Return the first so many Wh of a stretch: what comes last is what is too much."""
    left_wh, found = total_wh, list[tuple[int, int]]()
    for slot_s, wh in told:
        if kept_wh := min(wh, left_wh):
            found.append((slot_s, kept_wh))
        left_wh -= kept_wh
    return tuple(found)


def fit(streamed: BySlot, started_s: int, counted_s: int, stopped_s: int, total_wh: int) -> BySlot:
    """Lay what a register counted over the slots that the running counts told of.

    Where it counted less, what was told last is cut off; where it counted more, the rest flowed after the last count,
    or in the session's last second where that was its end.

    Args:
        streamed: What the running counts told, in Wh.
        started_s: When the session began, seconds since 1970.
        counted_s: When the last count was taken.
        stopped_s: When the session ended, not before that.
        total_wh: What the register counted, zero or more.
    """
    more_wh = total_wh - sum(wh for _, wh in streamed)
    if more_wh <= 0:
        return cut(streamed, total_wh)
    return joined(streamed, by_slot(max(started_s, min(counted_s, stopped_s - 1)), stopped_s, more_wh))


def bill(
    told: BySlot,
    prices: Mapping[int, int],
    *,
    fee_micro_per_kwh: int,
    fee_micro_per_session: int,
    most_wh: int,
    most_micro: int,
) -> Bill:
    """Price a session: the community's price in each slot, and the station's fee; within what was authorised.

    A price below zero counts as zero: no station pays for what it delivers. Without energy there is no fee. What the
    limit does not reach is paid first for energy, in order of time, and then for the fee.

    Args:
        told: The session's energy, Wh.
        prices: The community's price of each of its slots, micro per kWh.
        fee_micro_per_kwh: The station's own fee, zero or more.
        fee_micro_per_session: Likewise.
        most_wh: What the car authorised.
        most_micro: Likewise.
    """
    left_micro, lines = most_micro, list[Line]()
    for slot_s, wh in cut(told, most_wh):
        price = max(0, prices[slot_s])
        owed_micro = cost_micro(wh, price)
        paid_micro = min(owed_micro, left_micro)
        left_micro -= paid_micro
        lines.append(
            Line(
                slot_s=slot_s,
                energy_wh=wh,
                price_micro_per_kwh=price,
                owed_micro=owed_micro,
                paid_micro=paid_micro,
            )
        )
    energy_wh = sum(line.energy_wh for line in lines)
    fee_micro = cost_micro(energy_wh, fee_micro_per_kwh) + fee_micro_per_session if energy_wh else 0
    return Bill(lines=tuple(lines), fee_owed_micro=fee_micro, fee_paid_micro=min(fee_micro, left_micro))


def mix_of(*, exchanged_wh: int, called_wh: int, imported_wh: int, exported_wh: int) -> Mix:
    """Return what fed a community in a slot, as its entries tell.

    What members sent to each other came from neighbours, what was called for WATT from storage. What members gave to
    the grid and others took from it in the same slot flowed from neighbour to neighbour all the same, as far as both
    reach; the rest of what was taken from the grid came from there.

    Args:
        exchanged_wh: Energy from member to member, other than for WATT.
        called_wh: Energy from member to member for WATT.
        imported_wh: From the grid to members.
        exported_wh: From members to the grid.
    """
    passed_wh = min(imported_wh, exported_wh)
    return Mix(neighbours_wh=exchanged_wh + passed_wh, stored_wh=called_wh, grid_wh=imported_wh - passed_wh)


def sources(energy_wh: int, mix: Mix) -> Mix:
    """Split a session's energy of one slot by what fed the community then; all from the grid where nothing did.

    Args:
        energy_wh: The session's, zero or more.
        mix: The community's.

    Returns:
        Whole Wh that sum to the energy, by largest remainder; of equals neighbours come before storage and grid.
    """
    weights = [mix.neighbours_wh, mix.stored_wh, mix.grid_wh]
    if not any(weights):
        return Mix(grid_wh=energy_wh)
    neighbours_wh, stored_wh, grid_wh = share_wh(energy_wh, weights)
    return Mix(neighbours_wh=neighbours_wh, stored_wh=stored_wh, grid_wh=grid_wh)


def receipt_lines(paid: Bill, mixes: Mapping[int, Mix]) -> tuple[ReceiptLine, ...]:
    """Return a bill's lines with the sources of each."""
    return tuple(
        ReceiptLine(
            slot_s=line.slot_s,
            energy_wh=line.energy_wh,
            price_micro_per_kwh=line.price_micro_per_kwh,
            paid_micro=line.paid_micro,
            sources=sources(line.energy_wh, mixes[line.slot_s]),
        )
        for line in paid.lines
    )


def differences(older: Bill, newer: Bill) -> Sequence[tuple[int, int, int]]:
    """Return slot, Wh and micro by which a newer bill differs from an older one, slot by slot, without the fee."""
    before = {line.slot_s: (line.energy_wh, line.paid_micro) for line in older.lines}
    after = {line.slot_s: (line.energy_wh, line.paid_micro) for line in newer.lines}
    found = []
    for slot_s in sorted(before.keys() | after.keys()):
        (old_wh, old_micro), (new_wh, new_micro) = before.get(slot_s, (0, 0)), after.get(slot_s, (0, 0))
        found.append((slot_s, new_wh - old_wh, new_micro - old_micro))
    return found
