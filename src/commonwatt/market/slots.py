"""The slot market: orders for energy that flows in a slot, in columns from their placing until they are settled."""

from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from commonwatt.kernels import slot_orders
from commonwatt.kernels.auctions import ASK, BID
from commonwatt.kernels.slot_orders import SELLER, SELLS
from commonwatt.market.auction import Clearing, mean_price
from commonwatt.market.call.staged import NOBODY, Orders, Tree, clear
from commonwatt.market.slot import Slot
from commonwatt.market.slot_rows import (
    ALONE,
    NEAR,
    NOW,
    ROW,
    STRICT,
    TRADE,
    Batched,
    Numbers,
    OpenMarket,
    Rows,
    Waiting,
    costs,
    order_id,
)
from commonwatt.model import AccountId, InvalidValue, Side, SlotOrder, Source, Trade, cost_micro

Flags = NDArray[np.bool_]
_NAME_BYTES = 16


Dumped = tuple[list[str], list[tuple[int, bytes, bytes, bool, bool]]]


class SlotMarket:
    """Orders and trades of all slots that are still at hand.

    Before its gate a slot is an open market for orders that are meant for *now*: they meet at once, inside one zone, at
    the earlier one's price. What is left of them and all other orders meet at the gate, see `market.call.staged`. Bids
    reserve what they may come to, until the slot is settled; of how many Wh all orders are is counted as long.
    """

    def __init__(self) -> None:
        self._names: list[AccountId] = []
        self._numbers: dict[AccountId, int] = {}
        self._reserved: Numbers = np.zeros(16, np.int64)
        self._open_wh: Numbers = np.zeros(16, np.int64)
        self._slots: dict[int, Slot] = {}

    def number(self, owner: AccountId) -> int:
        """Return an account's number in this market's rows; a new one where it has none."""
        number = self._numbers.get(owner)
        if number is None:
            number = self._numbers[owner] = len(self._names)
            self._names.append(owner)
            if number == len(self._reserved):
                self._reserved = np.concatenate([self._reserved, np.zeros_like(self._reserved)])
                self._open_wh = np.concatenate([self._open_wh, np.zeros_like(self._open_wh)])
        return number

    def name(self, number: int) -> AccountId:
        """Return a numbered account."""
        return self._names[number]

    def names(self) -> Sequence[AccountId]:
        """Return all accounts, by number."""
        return self._names

    def reserved_micro(self, owner: AccountId) -> int:
        """Return what an account's bids of slots that are not settled may come to."""
        number = self._numbers.get(owner)
        return 0 if number is None else int(self._reserved[number])

    def reserved_of(self, owners: NDArray[np.int32]) -> Numbers:
        """Return the same for many, by number."""
        return self._reserved[owners]

    def open_wh(self, owner: AccountId) -> int:
        """Return of how many Wh an account's orders of slots are that are not settled, on either side."""
        number = self._numbers.get(owner)
        return 0 if number is None else int(self._open_wh[number])

    def open_of(self, owners: NDArray[np.int32]) -> Numbers:
        """Return the same for many, by number."""
        return self._open_wh[owners]

    def standing(self, slot_s: int, owner: AccountId) -> tuple[Side | None, int, int]:
        """Return on which side an account stands in a slot, with how many orders, and of how many Wh."""
        slot, number = self._slots.get(slot_s), self._numbers.get(owner)
        if slot is None or number is None or number >= len(slot.sides) or not slot.sides[number]:
            return None, 0, 0
        told = int(slot.sides[number])
        return (Side.ASK if told & SELLER else Side.BID), told & ~SELLER, int(slot.stands_wh[number])

    def place(self, slot_s: int, order: SlotOrder, position: int, open_market: "OpenMarket | None" = None) -> None:
        """Take an order in; one that is meant for now trades at once where it can.

        Args:
            slot_s: The slot, whose gate is open.
            order: Of an owner who stands on no other side there.
            position: Its place in time: where it stands in the log, or where it was sealed.
            open_market: What it meets under where it is meant for now; such an order has no preference.
        """
        owner, sells = self.number(order.owner), order.side is Side.ASK
        partner = NOBODY if order.partner is None else self.number(order.partner)
        slot = self._open(slot_s)
        self._widen(slot)
        slot.reserve(1)
        limit, premium, wh = order.price_micro_per_kwh, order.premium_micro_per_kwh, order.energy_wh
        flags = NEAR * order.near | STRICT * order.strict | NOW * (open_market is not None) | SELLS * sells
        at = slot.count
        slot.rows[at] = (position, owner, partner, wh, 0, limit, premium, ALONE, int(order.source), flags)
        slot.count, slot.digest = at + 1, None
        slot.sides[owner] = (slot.sides.item(owner) + 1) | (SELLER if sells else 0)
        slot.stands_wh[owner] += wh
        self._open_wh[owner] += wh
        if not sells:
            self._reserved[owner] += cost_micro(wh, limit + premium)
        if at and slot.rows["position"].item(at - 1) > position:
            self._to_its_place(slot)
        if open_market is not None:
            self._meet(slot, Waiting(open_market.rank(order), at, wh), order, open_market)

    def place_many(self, slot_s: int, rows: Rows) -> None:
        """Take rows in, in log order, none of them meant for now; their owners stand on no other side there."""
        slot = self._open(slot_s)
        self._widen(slot)
        slot.add(rows)
        sells = rows["flags"] & SELLS != 0
        standing = rows["wh"] > 0
        np.add.at(slot.sides, rows["owner"][standing], 1)
        np.add.at(slot.stands_wh, rows["owner"], rows["wh"])
        np.add.at(self._open_wh, rows["owner"], rows["wh"])
        slot.sides[rows["owner"][standing & sells]] |= SELLER
        np.add.at(self._reserved, rows["owner"][~sells], costs(rows[~sells]))

    def _to_its_place(self, slot: Slot) -> None:
        """Move the last row to its place in time, which was fixed before others came."""
        rows, trades = slot.orders(), slot.made()
        at = int(np.searchsorted(rows["position"][:-1], rows["position"][-1], side="right"))
        rows[at:] = np.roll(rows[at:], 1)
        for of in ("bid", "ask"):
            trades[of] += trades[of] >= at
        slot.waiting = None

    def judge(
        self, slot_s: int, places: Numbers, told: "Batched", most_in_wh: Numbers, most_out_wh: Numbers, makes: Flags
    ) -> None:
        """Note in ``told.why`` which batches cannot stand in a slot, see `commonwatt.kernels.slot_orders`.

        Args:
            slot_s: The slot.
            places: Of the records that are for it, in order.
            told: Batches of different owners.
            most_in_wh: What each account's connection can take in a slot, by number.
            most_out_wh: What it can give.
            makes: Whether it has a roof to sell from.
        """
        slot = self._slots.get(slot_s) or Slot()
        self._widen(slot)
        slot_orders.judge(
            told.records, places, told.whose, told.owners, slot.sides, slot.stands_wh, most_in_wh, most_out_wh, makes,
            told.why,
        )  # fmt: skip

    def write(self, slot_s: int, places: Numbers, told: "Batched") -> None:
        """Take in the orders for a slot of those batches that nothing speaks against."""
        slot = self._slots.get(slot_s) or Slot()
        self._widen(slot)
        slot.reserve(len(places))
        before = slot.count
        slot.count = slot_orders.write(
            told.records, places, told.whose, told.begins, told.owners, told.partners, told.positions, told.why,
            slot.rows, slot.count, slot.sides, slot.stands_wh, self._reserved, self._open_wh,
        )  # fmt: skip
        if slot.count > before:
            slot.digest = None
            self._slots[slot_s] = slot

    def _open(self, slot_s: int) -> Slot:
        slot = self._slots.setdefault(slot_s, Slot())
        if slot.cleared:
            raise InvalidValue(f"a gate that is closed takes no orders, was the slot at {slot_s} s")
        return slot

    def _widen(self, slot: Slot) -> None:
        """Make room in a slot's notes for accounts that came since."""
        if len(slot.sides) < len(self._names):
            more = (0, len(self._reserved) - len(slot.sides))
            slot.sides, slot.stands_wh = np.pad(slot.sides, more), np.pad(slot.stands_wh, more)

    def cancel(self, owner: AccountId, position: int, item: int = ALONE) -> bool:
        """Take back what is open of an order before its gate; False where that owner has none such."""
        number = self._numbers.get(owner)
        for slot in self._slots.values():
            rows = slot.orders()
            at = int(np.searchsorted(rows["position"], position))
            while at < slot.count and rows["position"][at] == position:
                if rows["owner"][at] == number and rows["item"][at] == item:
                    return self._shrink(slot, at)
                at += 1
        return False

    def _shrink(self, slot: Slot, at: int) -> bool:
        row = slot.rows[at]
        if slot.cleared or row["wh"] == row["taken"]:
            return False
        owner, before = int(row["owner"]), int(costs(slot.rows[at : at + 1])[0])
        slot.stands_wh[owner] -= int(row["wh"] - row["taken"])
        self._open_wh[owner] -= int(row["wh"] - row["taken"])
        row["wh"], slot.digest, slot.waiting = row["taken"], None, None
        if not row["flags"] & SELLS:
            self._reserved[owner] += int(costs(slot.rows[at : at + 1])[0]) - before
        if not row["wh"]:
            told = int(slot.sides[owner]) - 1
            slot.sides[owner] = told if told & ~SELLER else 0
        return True

    def due(self, last_s: int) -> list[int]:
        """Return the slots up to one whose gates are still open, in order."""
        return sorted(slot_s for slot_s, slot in self._slots.items() if slot_s <= last_s and not slot.cleared)

    def close(self, slot_s: int, zones: Tree, zone_of: NDArray[np.int32], import_price: int, export_price: int) -> None:
        """Clear what is left of a slot's orders at its gate.

        Args:
            slot_s: The slot.
            zones: In which they trade.
            zone_of: Each account's place in them, by number.
            import_price: What the grid takes, in micro per kWh.
            export_price: What the grid gives.
        """
        slot = self._slots[slot_s]
        rows = slot.orders()
        flags = rows["flags"]
        orders = Orders(
            owner=np.ascontiguousarray(rows["owner"]),
            zone=zone_of[rows["owner"]],
            side=np.where(flags & SELLS, ASK, BID).astype(np.uint8),
            wh=rows["wh"] - rows["taken"],
            limit=np.ascontiguousarray(rows["limit"]),
            source=np.ascontiguousarray(rows["source"]),
            near=flags & NEAR != 0,
            partner=np.ascontiguousarray(rows["partner"]),
            premium=np.ascontiguousarray(rows["premium"]),
            strict=flags & STRICT != 0,
        )
        matched = clear(orders, zones, import_price, export_price)
        trades = np.empty(len(matched.wh), TRADE)
        for name in TRADE.names or ():
            trades[name] = getattr(matched, name)
        slot.add_trades(trades)
        slot.cleared, slot.digest, slot.waiting = True, None, None

    def settled(self, slot_s: int) -> bool:
        """Release what a slot's orders had reserved, and tell whether there were any."""
        slot = self._slots.get(slot_s)
        there = slot is not None and not slot.settled
        if slot is not None and there:
            bids = slot.orders()[slot.orders()["flags"] & SELLS == 0]
            np.subtract.at(self._open_wh, slot.orders()["owner"], slot.orders()["wh"])
            np.subtract.at(self._reserved, bids["owner"], costs(bids))
            slot.settled = True
        return there

    def forget_before(self, slot_s: int) -> None:
        """Let go of the orders and trades of slots before one, all of them settled."""
        for old_s in [start_s for start_s in self._slots if start_s < slot_s]:
            del self._slots[old_s]

    def slots(self) -> list[int]:
        """Return the slots of which orders are at hand, in order."""
        return sorted(self._slots)

    def orders(self, slot_s: int) -> list[SlotOrder]:
        """Return a slot's orders as they were placed, in log order, without what was cancelled."""
        slot = self._slots.get(slot_s)
        return [self._order(row) for row in slot.orders() if row["wh"]] if slot else []

    def rows(self, slot_s: int) -> Rows:
        """Return a slot's orders as rows of `ROW`; none where there are none."""
        return self._slots[slot_s].orders() if slot_s in self._slots else np.empty(0, ROW)

    def trades(self, slot_s: int) -> Rows:
        """Return a slot's trades as rows of `TRADE`; none before any were made."""
        return self._slots[slot_s].made() if slot_s in self._slots else np.empty(0, TRADE)

    def clearing(self, slot_s: int) -> Clearing | None:
        """Return what a closed gate decided, with what was traded before it; None while it is open."""
        slot = self._slots.get(slot_s)
        if slot is None or not slot.cleared:
            return None
        trades = tuple(self.told(slot_s, slot.made()))
        return Clearing(*mean_price(trades), trades)

    def told(self, slot_s: int, trades: Rows) -> list[Trade]:
        """Return some of a slot's trades one by one."""
        return [self._trade(self._slots[slot_s], trade) for trade in trades]

    def _order(self, row: Any) -> SlotOrder:
        return SlotOrder(
            id=order_id(row),
            owner=self._names[row["owner"]],
            side=Side.ASK if row["flags"] & SELLS else Side.BID,
            energy_wh=int(row["wh"]),
            price_micro_per_kwh=int(row["limit"]),
            source=Source(int(row["source"])),
            near=bool(row["flags"] & NEAR),
            partner=None if row["partner"] == NOBODY else self._names[row["partner"]],
            premium_micro_per_kwh=int(row["premium"]),
            strict=bool(row["flags"] & STRICT),
        )

    def _trade(self, slot: Slot, trade: Any) -> Trade:
        bid, ask = slot.rows[trade["bid"]], slot.rows[trade["ask"]]
        return Trade(
            buyer=self._names[bid["owner"]],
            seller=self._names[ask["owner"]],
            bid=order_id(bid),
            ask=order_id(ask),
            energy_wh=int(trade["wh"]),
            price_micro_per_kwh=int(trade["price"]),
            fee_micro_per_kwh=int(trade["fee"]),
        )

    def _meet(self, slot: Slot, new: Waiting, order: SlotOrder, under: OpenMarket) -> None:
        """Let an order for now meet those that wait in its zone, the best first, at their price."""
        waiting = self._waiting(slot, under, new.row)
        zone, fee = under.of(order.owner)
        sells = order.side is Side.ASK
        others = waiting.setdefault((zone, not sells), [])
        made = []
        while others and new.left_wh:
            old = others[-1]
            # A rank is a seller's limit, or a buyer's below zero.
            paid, got = (-old.rank, new.rank) if sells else (-new.rank, old.rank)
            if paid - fee < got:
                break
            wh = min(new.left_wh, old.left_wh)
            new.left_wh, old.left_wh = new.left_wh - wh, old.left_wh - wh
            slot.rows["taken"][old.row] += wh
            bid, ask = (old.row, new.row) if sells else (new.row, old.row)
            made.append((bid, ask, wh, paid - fee if sells else got, fee))
            if not old.left_wh:
                others.pop()
        if made:
            slot.rows["taken"][new.row] = order.energy_wh - new.left_wh
            slot.add_trades(np.array(made, TRADE))
        if new.left_wh:
            insort(waiting.setdefault((zone, sells), []), new, key=Waiting.worst_first)

    def _waiting(self, slot: Slot, under: OpenMarket, before: int) -> dict[tuple[str, bool], list[Waiting]]:
        """Return who waits, of rows before one; after a restart, or where one was taken back, it follows from them."""
        if slot.waiting is None:
            slot.waiting = {}
            rows = slot.rows[:before]
            for at in np.flatnonzero((rows["flags"] & NOW != 0) & (rows["wh"] > rows["taken"])).tolist():
                row = rows[at]
                zone = under.of(self._names[row["owner"]])[0]
                one = Waiting(under.rank(self._order(row)), at, int(row["wh"] - row["taken"]))
                queue = slot.waiting.setdefault((zone, bool(row["flags"] & SELLS)), [])
                insort(queue, one, key=Waiting.worst_first)
        return slot.waiting

    def leaves(self) -> Iterator[Mapping[str, object]]:
        """Yield what decides what may happen next, one leaf a slot that is not settled."""
        marks: NDArray[np.uint8] | None = None
        for slot_s in self.slots():
            slot = self._slots[slot_s]
            if slot.settled:
                continue
            if slot.digest is None:
                marks = self._marks() if marks is None else marks
                slot.digest = slot.hashed(marks)
            yield {"slot_s": slot_s, "slot_market": slot.digest.hex()}

    def _marks(self) -> NDArray[np.uint8]:
        """Return what stands for each account in a digest: numbers are this object's own. (n + 1, 16) bytes."""
        marks = b"".join(sha256(name.encode()).digest()[:_NAME_BYTES] for name in self._names)
        return np.frombuffer(marks + bytes(_NAME_BYTES), np.uint8).reshape(-1, _NAME_BYTES)

    def dump(self) -> Dumped:
        """Return all of it in plain form: a snapshot's."""
        return [str(name) for name in self._names], [
            (slot_s, slot.orders().tobytes(), slot.made().tobytes(), slot.cleared, slot.settled)
            for slot_s, slot in sorted(self._slots.items())
        ]

    @classmethod
    def load(cls, told: Dumped) -> "SlotMarket":
        """Return the market that `dump` wrote.

        Raises:
            InvalidValue: A row names an account or an order that is not there.
        """
        market = cls()
        for name in told[0]:
            market.number(AccountId(name))
        for slot_s, orders, trades, cleared, settled in told[1]:
            rows, made = np.frombuffer(orders, ROW), np.frombuffer(trades, TRADE)
            if len(rows) and not (rows["partner"].min() >= -1 and rows["partner"].max() < len(market._names)):
                raise InvalidValue("a partner is an account that is there")
            if len(rows) and not (rows["owner"].min() >= 0 and rows["owner"].max() < len(market._names)):
                raise InvalidValue("an order has an owner that is there")
            if any(len(made) and not (made[of].min() >= 0 and made[of].max() < len(rows)) for of in ("bid", "ask")):
                raise InvalidValue("a trade is of two orders that are there")
            market.place_many(slot_s, rows)
            slot = market._slots[slot_s]
            slot.add_trades(made)
            slot.cleared = cleared
            if settled:
                market.settled(slot_s)
        return market
