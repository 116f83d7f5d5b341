"""Settle one slot: meters against trades, the rest with the grid, the feeder's difference to the losses."""

from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.model import (
    GRID,
    LOSSES,
    SYSTEM_ACCOUNTS,
    AccountId,
    Commodity,
    Entry,
    InvalidValue,
    Trade,
    cost_micro,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PointReading:
    """What one connection point's registers counted over the slot, in Wh.

    Raises:
        InvalidValue: A count is below zero, or the account is one of the system's.
    """

    account: AccountId
    import_wh: int
    export_wh: int

    def __post_init__(self) -> None:
        if min(self.import_wh, self.export_wh) < 0:
            raise InvalidValue(f"a connection point counts zero or more, was {self}")
        if self.account in SYSTEM_ACCOUNTS:
            raise InvalidValue(f"a connection point belongs to a member, was {self.account}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Stored energy that a holder of WATT called: paid for when the WATT was bought, so it has no price here.

    Raises:
        InvalidValue: The energy is below zero.
    """

    seller: AccountId
    buyer: AccountId
    energy_wh: int

    def __post_init__(self) -> None:
        if self.energy_wh < 0:
            raise InvalidValue(f"a delivery is of zero or more, was {self.energy_wh} Wh to {self.buyer}")


@dataclass(frozen=True, slots=True)
class Apart:
    """What the grid settled with others in the same slot, apart from these points.

    Args:
        net_wh: What it gave them, less what it took, in Wh.
        due_micro: What they owe it for that, less what it owes them.
    """

    net_wh: int = 0
    due_micro: int = 0


NOBODY_APART = Apart()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One slot's postings and what they came to.

    Args:
        entries: Deliveries, trades, grid and losses, in this order.
        traded_wh: Sum of what the trades moved.
        delivered: One value in Wh per trade: what of it the meters bear out.
        losses_wh: What the feeder saw and the members' meters did not; below zero the other way round.
        losses_micro: What `LOSSES` owes `GRID` for the slot; below zero where the community keeps the spread of energy
            that flowed from neighbour to neighbour without a trade.
    """

    entries: tuple[Entry, ...]
    traded_wh: int
    delivered: tuple[int, ...]
    losses_wh: int
    losses_micro: int


def settle_slot(
    points: Sequence[PointReading],
    feeder: tuple[int, int],
    trades: Sequence[Trade],
    deliveries: Sequence[Delivery],
    *,
    import_price: int,
    export_price: int,
    slot_s: int,
    apart: Apart = NOBODY_APART,
) -> Settlement:
    """Turn one slot's meter registers, trades and calls of stored energy into double entries.

    Energy flows from source to target and money the other way; a price below zero turns the money round. Called
    energy comes first; then each trade takes what its seller still exports and its buyer still imports; the grid
    supplies and takes the rest. An export sold to the grid earns ERGON from the retailer's account (row H5).

    Args:
        points: Members' connection points, Wh; several points of one account add up.
        feeder: The grid's own meter, Wh into and out of the community.
        trades: What was agreed, Wh and micro per kWh, in the order in which energy is allotted.
        deliveries: WATT that was called, Wh; already burned by the caller.
        import_price: What the grid takes, in micro per kWh.
        export_price: What the grid gives, in micro per kWh.
        slot_s: Start of the slot, seconds since 1970.
        apart: What others settled with the grid in the same slot; the feeder counted them too.

    Returns:
        The settlement. Each member's energy moves by import minus export, `GRID`'s by what the feeder counted, and
        `GRID`'s money by the feeder's import and export at its two prices; `LOSSES` bears both differences, so an
        import that a member's meter hides shows there as losses above zero. Zero amounts make no entry.

    Raises:
        InvalidValue: The feeder or a trade counts below zero, a delivery is more than its seller exports or its buyer
            imports, or someone trades with or delivers to themselves.

    Source: RULES, Energy and money.
    """
    if min(feeder) < 0:
        raise InvalidValue(f"the feeder counts zero or more, was {feeder} Wh")
    slot = _Slot(points, slot_s)
    for delivery in deliveries:
        slot.deliver(delivery)
    delivered = tuple(slot.trade(trade) for trade in trades)
    slot.meet_grid(import_price, export_price)
    losses_wh, losses_micro = slot.meet_feeder(feeder, import_price, export_price, apart)
    return Settlement(
        entries=tuple(slot.entries),
        traded_wh=sum(delivered),
        delivered=delivered,
        losses_wh=losses_wh,
        losses_micro=losses_micro,
    )


class _Slot:
    """What is not yet settled of each member's import and export, and the entries so far."""

    def __init__(self, points: Sequence[PointReading], slot_s: int) -> None:
        self.entries: list[Entry] = []
        self._slot_s = slot_s
        self._import_wh = {point.account: 0 for point in points}
        self._export_wh = dict(self._import_wh)
        for point in points:
            self._import_wh[point.account] += point.import_wh
            self._export_wh[point.account] += point.export_wh

    def deliver(self, delivery: Delivery) -> None:
        free_wh = self._free_wh(delivery.seller, delivery.buyer)
        if delivery.energy_wh > free_wh:
            raise InvalidValue(f"a delivery is exported and imported, was {delivery} where {free_wh} Wh are left")
        self._exchange(delivery.seller, delivery.buyer, delivery.energy_wh, memo="watt delivery")

    def trade(self, trade: Trade) -> int:
        if trade.energy_wh < 0:
            raise InvalidValue(f"a trade is of zero or more, was {trade}")
        energy_wh = min(trade.energy_wh, self._free_wh(trade.seller, trade.buyer))
        ref = f"{trade.bid}/{trade.ask}"
        self._exchange(trade.seller, trade.buyer, energy_wh, memo="trade", ref=ref)
        paid_micro = cost_micro(energy_wh, trade.price_micro_per_kwh)
        self._book(Commodity.ERGON, trade.buyer, trade.seller, paid_micro, memo="trade", ref=ref)
        return energy_wh

    def meet_grid(self, import_price: int, export_price: int) -> None:
        for account, import_wh in self._import_wh.items():
            self._book(Commodity.ENERGY, GRID, account, import_wh, memo="grid import")
            self._book(Commodity.ERGON, account, GRID, cost_micro(import_wh, import_price), memo="grid import")
            export_wh = self._export_wh[account]
            self._book(Commodity.ENERGY, account, GRID, export_wh, memo="grid export")
            self._book(Commodity.ERGON, GRID, account, cost_micro(export_wh, export_price), memo="grid export")

    def meet_feeder(
        self, feeder: tuple[int, int], import_price: int, export_price: int, apart: Apart
    ) -> tuple[int, int]:
        into_wh, out_wh = feeder
        losses_wh = into_wh - out_wh - _sent(self.entries, Commodity.ENERGY) - apart.net_wh
        due_micro = cost_micro(into_wh, import_price) - cost_micro(out_wh, export_price)
        losses_micro = due_micro + _sent(self.entries, Commodity.ERGON) - apart.due_micro
        self._book(Commodity.ENERGY, GRID, LOSSES, losses_wh, memo="losses")
        self._book(Commodity.ERGON, LOSSES, GRID, losses_micro, memo="losses")
        return losses_wh, losses_micro

    def _free_wh(self, seller: AccountId, buyer: AccountId) -> int:
        return min(self._export_wh.get(seller, 0), self._import_wh.get(buyer, 0))

    def _exchange(self, seller: AccountId, buyer: AccountId, energy_wh: int, *, memo: str, ref: str = "") -> None:
        if seller == buyer:
            raise InvalidValue(f"energy goes from one member to another, was {memo} of {seller} with themselves")
        if energy_wh:
            self._export_wh[seller] -= energy_wh
            self._import_wh[buyer] -= energy_wh
            self._book(Commodity.ENERGY, seller, buyer, energy_wh, memo=memo, ref=ref)

    def _book(
        self, commodity: Commodity, source: AccountId, target: AccountId, amount: int, *, memo: str, ref: str = ""
    ) -> None:
        if amount < 0:
            source, target, amount = target, source, -amount
        if amount:
            self.entries.append(
                Entry(
                    commodity=commodity,
                    source=source,
                    target=target,
                    amount=amount,
                    memo=memo,
                    slot_s=self._slot_s,
                    ref=ref,
                )
            )


def _sent(entries: Sequence[Entry], commodity: Commodity) -> int:
    """Return what left `GRID` minus what reached it."""
    moved = [entry for entry in entries if entry.commodity is commodity]
    return sum(entry.amount * ((entry.source == GRID) - (entry.target == GRID)) for entry in moved)
