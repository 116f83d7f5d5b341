"""Settle one slot: meters against trades, what is left shared, the rest with the grid, the feeder's rest to the losses.

Trades are kept as far as the meters bear them out. What a community makes of the rest is its own choice: without
imbalance prices a trade that is not delivered is no trade; with them it is one, see `Imbalance`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from commonwatt.model import (
    GRID,
    GRID_FEES,
    IMBALANCE,
    LOSSES,
    MARKET,
    SYSTEM_ACCOUNTS,
    AccountId,
    Commodity,
    Entry,
    InvalidValue,
    Memo,
    Trade,
    cost_micro,
    share_wh,
)
from commonwatt.settlement.sharing import NO_SHARING, Sharing, SharingTerms, share


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
class Imbalance:
    """What is paid for energy that was traded and not delivered, or not taken, in micro per kWh.

    A trade is firm then: whoever sent or took what they had agreed to gets the trade's price for it, whatever the
    other did. `IMBALANCE` stands in for the other, and meets the grid with what is left of all that it stood in for.
    Who sold more than they sent buys the lack at ``short``; who bought more than they took sells the excess at
    ``long``. With one price for both this is single pricing, with the grid's two prices dual pricing.

    Whose connection told nothing pays and gets ``short_unheard`` and ``long_unheard`` where they are given: who may
    still report, at the grid's prices, must not gain by waiting for a better price of the lack.

    Source: Commission Regulation (EU) 2017/2195, articles 52 to 55 (imbalance settlement).
    """

    short: int
    long: int
    short_unheard: int | None = None
    long_unheard: int | None = None

    def of_lack(self, *, heard: bool) -> int:
        """Return what a seller pays for what was not sent."""
        return self.short if heard or self.short_unheard is None else self.short_unheard

    def of_excess(self, *, heard: bool) -> int:
        """Return what a buyer gets for what was not taken."""
        return self.long if heard or self.long_unheard is None else self.long_unheard


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldAsSun:
    """Which trades promise energy that a roof made in the slot (row M1).

    Args:
        trades: Their places among all trades.
        sun_wh: What each seller's roof made and nothing else has used, in Wh; nothing where an account is not named.
    """

    trades: frozenset[int] = frozenset()
    sun_wh: Mapping[AccountId, int] = field(default_factory=dict)


NO_SUN = SoldAsSun()
"""Nothing was sold as sun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One slot's postings and what they came to.

    Args:
        entries: Deliveries, trades, shares, grid and losses, in this order.
        traded_wh: Sum of what the trades moved.
        delivered: One value in Wh per trade: what of it the meters bear out.
        sent_wh: Likewise what its seller is paid for as sent: beyond ``delivered`` where a firm trade's buyer failed.
        took_wh: Likewise what its buyer pays for as taken.
        losses_wh: What the feeder saw and the members' meters did not; below zero the other way round.
        losses_micro: What `LOSSES` owes `GRID` for the slot; below zero where the community keeps the spread of energy
            that flowed from neighbour to neighbour without a trade.
        shared_wh: What was shared beside the trades.
    """

    entries: tuple[Entry, ...]
    traded_wh: int
    delivered: tuple[int, ...]
    losses_wh: int
    losses_micro: int
    shared_wh: int = 0
    sent_wh: tuple[int, ...] = ()
    took_wh: tuple[int, ...] = ()


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
    imbalance: Imbalance | None = None,
    sharing: SharingTerms = NO_SHARING,
    as_sun: SoldAsSun = NO_SUN,
) -> Settlement:
    """Turn one slot's meter registers, trades and calls of stored energy into double entries.

    Energy flows from source to target and money the other way; a price below zero turns the money round. Called
    energy comes first; then each trade takes what its seller still exports and its buyer still imports, so that no Wh
    ever serves two trades; what is left is shared; the grid supplies and takes the rest. An export sold to the grid
    earns ERGON from the retailer's account (row H5).

    Args:
        points: Members' connection points, Wh; several points of one account add up.
        feeder: The grid's own meter, Wh into and out of the community.
        trades: What was agreed, Wh and micro per kWh, in the order in which energy is allotted.
        deliveries: WATT that was called, Wh; already burned by the caller.
        import_price: What the grid takes, in micro per kWh.
        export_price: What the grid gives, in micro per kWh.
        slot_s: Start of the slot, seconds since 1970.
        apart: What others settled with the grid in the same slot; the feeder counted them too.
        imbalance: What is paid for what was traded and not delivered; None where such trades lapse.
        sharing: How what is left is shared among neighbours.
        as_sun: Trades under which no more can be sent than a roof made; what else is exported is not what was sold.

    Returns:
        The settlement. Each member's energy moves by import minus export, `GRID`'s by what the feeder counted, and
        `GRID`'s money by the feeder's import and export at its two prices; `LOSSES` bears both differences, so an
        import that a member's meter hides shows there as losses above zero. `MARKET` and `IMBALANCE` hold no energy
        afterwards, `MARKET` no money either. Zero amounts make no entry.

    Raises:
        InvalidValue: The feeder or a trade counts below zero, a delivery is more than its seller exports or its buyer
            imports, or someone trades with or delivers to themselves.

    Source: RULES, Energy and money.
    """
    if min(feeder) < 0:
        raise InvalidValue(f"the feeder counts zero or more, was {feeder} Wh")
    slot = _Slot(points, slot_s, as_sun.sun_wh)
    for delivery in deliveries:
        slot.deliver(delivery)
    kept = [slot.trade(trade, imbalance, as_sun=n in as_sun.trades) for n, trade in enumerate(trades)]
    delivered = tuple(min(sent_wh, took_wh) for sent_wh, took_wh in kept)
    shared_wh = slot.share(sharing)
    slot.meet_grid(import_price, export_price)
    losses_wh, losses_micro = slot.meet_feeder(feeder, import_price, export_price, apart)
    return Settlement(
        entries=tuple(slot.entries),
        traded_wh=sum(delivered),
        delivered=delivered,
        losses_wh=losses_wh,
        losses_micro=losses_micro,
        shared_wh=shared_wh,
        sent_wh=tuple(sent_wh for sent_wh, _ in kept),
        took_wh=tuple(took_wh for _, took_wh in kept),
    )


_BETWEEN = (MARKET, IMBALANCE)


class _Slot:
    """What is not yet settled of each member's import and export, and the entries so far."""

    def __init__(self, points: Sequence[PointReading], slot_s: int, sun_wh: Mapping[AccountId, int]) -> None:
        self.entries: list[Entry] = []
        self._slot_s = slot_s
        self._stood_in_wh = 0  # what IMBALANCE gave less what it took
        self._import_wh = {point.account: 0 for point in points}
        self._export_wh = dict(self._import_wh)
        self._sun_wh = dict(sun_wh)
        for point in points:
            self._import_wh[point.account] += point.import_wh
            self._export_wh[point.account] += point.export_wh

    def deliver(self, delivery: Delivery) -> None:
        free_wh = self._free_wh(delivery.seller, delivery.buyer)
        if delivery.energy_wh > free_wh:
            raise InvalidValue(f"a delivery is exported and imported, was {delivery} where {free_wh} Wh are left")
        self._exchange(delivery.seller, delivery.buyer, delivery.energy_wh, memo=Memo.WATT_DELIVERY)

    def trade(self, trade: Trade, imbalance: Imbalance | None, *, as_sun: bool) -> tuple[int, int]:
        """Settle a trade, and return what counts as sent under it and as taken."""
        if trade.energy_wh < 0:
            raise InvalidValue(f"a trade is of zero or more, was {trade}")
        seller, buyer, ref = trade.seller, trade.buyer, f"{trade.bid}/{trade.ask}"
        sent_wh = min(trade.energy_wh, self._export_wh.get(seller, 0))
        if as_sun:
            sent_wh = min(sent_wh, self._sun_wh.get(seller, 0))
        took_wh = min(trade.energy_wh, self._import_wh.get(buyer, 0))
        energy_wh = min(sent_wh, took_wh)
        self._exchange(seller, buyer, energy_wh, memo=Memo.TRADE, ref=ref)
        paid_micro = cost_micro(energy_wh, trade.price_micro_per_kwh)
        self._book(Commodity.ERGON, buyer, seller, paid_micro, memo=Memo.TRADE, ref=ref)
        if imbalance is None:
            sent_wh = took_wh = energy_wh
        else:
            self._stand_in(trade, energy_wh, sent_wh, took_wh, imbalance)
        if as_sun and sent_wh:
            self._sun_wh[seller] -= sent_wh
        return sent_wh, took_wh

    def _stand_in(self, trade: Trade, energy_wh: int, sent_wh: int, took_wh: int, imbalance: Imbalance) -> None:
        """Take what the seller sent and the buyer did not, or give what is missing; and let each pay for their lack."""
        price, ref = trade.price_micro_per_kwh, f"{trade.bid}/{trade.ask}"
        paid_micro = cost_micro(energy_wh, price)
        for source, target, wh, kept in (
            (trade.seller, IMBALANCE, sent_wh - energy_wh, sent_wh),
            (IMBALANCE, trade.buyer, took_wh - energy_wh, took_wh),
        ):
            if wh:
                self._move_wh(source, target, wh, memo=Memo.TRADE_KEPT, ref=ref)
                more_micro = cost_micro(kept, price) - paid_micro
                self._book(Commodity.ERGON, target, source, more_micro, memo=Memo.TRADE_KEPT, ref=ref)
        short_wh, long_wh = trade.energy_wh - sent_wh, trade.energy_wh - took_wh
        short = imbalance.of_lack(heard=trade.seller in self._export_wh)
        long = imbalance.of_excess(heard=trade.buyer in self._import_wh)
        for account, due_micro in (
            (trade.seller, cost_micro(short_wh, short) - cost_micro(short_wh, price)),
            (trade.buyer, cost_micro(long_wh, price) - cost_micro(long_wh, long)),
        ):
            self._book(Commodity.ERGON, account, IMBALANCE, due_micro, memo=Memo.IMBALANCE, ref=ref)

    def share(self, terms: SharingTerms) -> int:
        """Share what is left of exports among what is left of imports, and return how much."""
        givers = [account for account, wh in self._export_wh.items() if wh]
        takers = [account for account, wh in self._import_wh.items() if wh]
        shared = share(
            terms.key,
            [self._export_wh[account] for account in givers],
            [self._import_wh[account] for account in takers],
            [terms.permille.get(account, 0) for account in takers] if terms.key is Sharing.STATIC else (),
            redistribute=terms.redistribute,
        )
        if shared.pairs_wh:
            for giver, row in zip(givers, shared.pairs_wh, strict=True):
                for taker, wh in zip(takers, row, strict=True):
                    self._share_pair(giver, taker, wh, terms.price_micro_per_kwh)
        else:
            given, taken = (
                {account: wh for account, wh in zip(accounts, amounts, strict=True) if wh}
                for accounts, amounts in ((givers, shared.given_wh), (takers, shared.taken_wh))
            )
            self._share_pool(given, taken, terms.price_micro_per_kwh)
        for taker, wh in zip(takers, shared.taken_wh, strict=True):
            fee_micro = cost_micro(wh, terms.fee_micro_per_kwh)
            self._book(Commodity.ERGON, taker, GRID_FEES, fee_micro, memo=Memo.GRID_FEE)
        return shared.total_wh

    def _share_pair(self, giver: AccountId, taker: AccountId, wh: int, price: int) -> None:
        ref = f"{giver}/{taker}"
        if giver == taker:  # what they sent at one moment of the slot and took at another: nobody owes anybody
            self._move_wh(giver, MARKET, wh, memo=Memo.SHARED, ref=ref)
            self._move_wh(MARKET, taker, wh, memo=Memo.SHARED, ref=ref)
            return
        self._move_wh(giver, taker, wh, memo=Memo.SHARED, ref=ref)
        self._book(Commodity.ERGON, taker, giver, cost_micro(wh, price), memo=Memo.SHARED, ref=ref)

    def _share_pool(self, given: dict[AccountId, int], taken: dict[AccountId, int], price: int) -> None:
        """Let what is shared pass through `MARKET`; what is paid in is paid out to the micro."""
        total_micro = 0
        for giver, wh in given.items():
            self._move_wh(giver, MARKET, wh, memo=Memo.SHARED_EXPORT)
        for taker, wh in taken.items():
            self._move_wh(MARKET, taker, wh, memo=Memo.SHARED_IMPORT)
            owed_micro = cost_micro(wh, price)
            total_micro += owed_micro
            self._book(Commodity.ERGON, taker, MARKET, owed_micro, memo=Memo.SHARED_IMPORT)
        if total_micro:
            sign = 1 if total_micro > 0 else -1
            for giver, micro in zip(given, share_wh(abs(total_micro), list(given.values())), strict=True):
                self._book(Commodity.ERGON, MARKET, giver, sign * micro, memo=Memo.SHARED_EXPORT)

    def meet_grid(self, import_price: int, export_price: int) -> None:
        if self._stood_in_wh:
            self._import_wh[IMBALANCE] = max(0, self._stood_in_wh)
            self._export_wh[IMBALANCE] = max(0, -self._stood_in_wh)
        for account, import_wh in self._import_wh.items():
            self._book(Commodity.ENERGY, GRID, account, import_wh, memo=Memo.GRID_IMPORT)
            self._book(Commodity.ERGON, account, GRID, cost_micro(import_wh, import_price), memo=Memo.GRID_IMPORT)
            export_wh = self._export_wh[account]
            self._book(Commodity.ENERGY, account, GRID, export_wh, memo=Memo.GRID_EXPORT)
            self._book(Commodity.ERGON, GRID, account, cost_micro(export_wh, export_price), memo=Memo.GRID_EXPORT)

    def meet_feeder(
        self, feeder: tuple[int, int], import_price: int, export_price: int, apart: Apart
    ) -> tuple[int, int]:
        into_wh, out_wh = feeder
        losses_wh = into_wh - out_wh - _sent(self.entries, Commodity.ENERGY) - apart.net_wh
        due_micro = cost_micro(into_wh, import_price) - cost_micro(out_wh, export_price)
        losses_micro = due_micro + _sent(self.entries, Commodity.ERGON) - apart.due_micro
        self._book(Commodity.ENERGY, GRID, LOSSES, losses_wh, memo=Memo.LOSSES)
        self._book(Commodity.ERGON, LOSSES, GRID, losses_micro, memo=Memo.LOSSES)
        return losses_wh, losses_micro

    def _free_wh(self, seller: AccountId, buyer: AccountId) -> int:
        return min(self._export_wh.get(seller, 0), self._import_wh.get(buyer, 0))

    def _exchange(self, seller: AccountId, buyer: AccountId, energy_wh: int, *, memo: Memo, ref: str = "") -> None:
        if seller == buyer:
            raise InvalidValue(f"energy goes from one member to another, was {memo} of {seller} with themselves")
        self._move_wh(seller, buyer, energy_wh, memo=memo, ref=ref)

    def _move_wh(self, source: AccountId, target: AccountId, wh: int, *, memo: Memo, ref: str = "") -> None:
        """Book energy, and take it off what its source still exports and its target still imports."""
        if wh:
            if source not in _BETWEEN:
                self._export_wh[source] -= wh
            if target not in _BETWEEN:
                self._import_wh[target] -= wh
            if IMBALANCE in (source, target):
                self._stood_in_wh += wh if source == IMBALANCE else -wh
            self._book(Commodity.ENERGY, source, target, wh, memo=memo, ref=ref)

    def _book(
        self, commodity: Commodity, source: AccountId, target: AccountId, amount: int, *, memo: Memo, ref: str = ""
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
