"""What stands beside members' balances: reservations, money on its way, top-ups, meters' switches, time held."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from commonwatt.ledger.accounts import Accounts
from commonwatt.ledger.transfers import Transfer, Transfers
from commonwatt.model import AccountId, Commodity, Entry, is_system
from commonwatt.tokens.ergon import Payout, Payouts, PurchaseFact, Purchases
from commonwatt.tokens.prepaid import AutoTopUp, LowBalance, MeterSwitch, Switched, TopUps
from commonwatt.tokens.tsl import HeldTime

OF_AUCTIONS = "auction "
"""How the names of all reservations begin that auctions make; no member's request can spell one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What goes with a reservation beyond its amount.

    Args:
        arbiter: Who may post it or let it go beside its target; None where nobody.
        against: What the target gives in return in the same instant; None where nothing.
        against_amount: How much of that, in base units; 0 where nothing.
    """

    arbiter: AccountId | None = None
    against: Commodity | None = None
    against_amount: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Wallets at rest, see `Wallets.dump`: the `items` of each part, and the numbers that it was made with."""

    transfers: list[Transfer]
    agreed: dict[str, Agreed]
    purchases: list[PurchaseFact]
    payouts: list[Payout]
    topups: list[AutoTopUp]
    mandates: list[AccountId]
    low: tuple[int, int, list[AccountId]] | None
    switch: tuple[int, int, list[Switched]] | None
    held: tuple[int, list[tuple[AccountId, int, int]]] | None
    quarters: dict[int, dict[AccountId, int]]


@dataclass(slots=True)
class Wallets:
    """All of it for one community; `low`, `switch` and `held` are None where its charter asks for no such thing.

    ``quarters`` are the Wh-seconds that were held in quarter-hours which have ended and are not settled yet,
    ``touched`` whose ERGON has changed since `take_touched`, ``moved`` who can give or take something else than at
    `take_moved` (None for anybody), ``now_s`` the moment of the running commit: the log's time, at which balances
    change. The last three mean nothing between commits and are no part of the state.
    """

    transfers: Transfers = field(default_factory=Transfers)
    agreed: dict[str, Agreed] = field(default_factory=dict)
    purchases: Purchases = field(default_factory=Purchases)
    payouts: Payouts = field(default_factory=Payouts)
    topups: TopUps = field(default_factory=TopUps)
    mandates: set[AccountId] = field(default_factory=set)
    low: tuple[int, int, LowBalance] | None = None
    switch: tuple[int, int, MeterSwitch] | None = None
    held: HeldTime | None = None
    quarters: dict[int, dict[AccountId, int]] = field(default_factory=dict)
    now_s: int = 0
    touched: set[AccountId] = field(default_factory=set)
    moved: set[AccountId] | None = field(default_factory=set)
    _touched_many: list[NDArray[np.int64]] = field(default_factory=list)
    _pending: Counter[AccountId] = field(default_factory=Counter)
    _asked: Counter[AccountId] = field(default_factory=Counter)
    _watching: bool = False

    def open(
        self, slot_s: int, low: tuple[int, int] | None, switch: tuple[int, int] | None, *, commission: bool
    ) -> None:
        """Begin what the charter asks for.

        Args:
            slot_s: The community's first slot.
            low: At which ERGON a notice is due, and at which the next fall is a new one, in micro.
            switch: The threshold in micro and the grace in seconds of members' meters.
            commission: Whether those who hold WATT pay for it.
        """
        self.low = (*low, LowBalance(*low)) if low else None
        self.switch = (*switch, MeterSwitch(*switch)) if switch else None
        self.held = HeldTime(slot_s) if commission else None
        self._watching = low is not None or switch is not None

    def note(self, entry: Entry, accounts: Accounts) -> None:
        """Take note of an entry that is about to be booked: who held how much WATT until now, whose balance changes."""
        if entry.commodity is not Commodity.ENERGY:
            self.moves(entry.source, entry.target)
        if entry.commodity is Commodity.WATT:
            if self.held is not None:
                for account in (entry.source, entry.target):
                    if not is_system(account):
                        self.held.changed(account, accounts.balance(account, Commodity.WATT), self.now_s)
        elif self._watching and entry.commodity is Commodity.ERGON:
            self.touched |= {entry.source, entry.target}

    def note_many(self, members: NDArray[np.int64]) -> None:
        """Take note of members, by number, whose ERGON is changed at once."""
        self.moved = None
        if self._watching:
            self._touched_many.append(members)

    def moves(self, *accounts: AccountId) -> None:
        """Take note that accounts can give or take something else than before."""
        if self.moved is not None:
            self.moved.update(accounts)

    def take_moved(self) -> set[AccountId] | None:
        """Return who can give or take something else than at the last call, or None for anybody."""
        moved, self.moved = self.moved, set()
        return moved

    def look_at(self, account: AccountId) -> None:
        """See to it that an account is looked at when the commit ends, and whenever its ERGON changes from now on."""
        self._watching = True
        self.touched.add(account)

    def take_touched(self, accounts: Accounts) -> list[AccountId]:
        """Return whose ERGON has changed and may set something off, sorted; nobody is touched afterwards."""
        found, self.touched = self.touched, set()
        if self._touched_many:
            numbers = np.unique(np.concatenate(self._touched_many))
            self._touched_many.clear()
            matter = accounts.column(Commodity.ERGON)[numbers] <= self._edge_micro()
            matter |= np.isin(numbers, [accounts.number(account) for account in self._fallen()])
            found.update(accounts.names(numbers[matter].tolist()))
        return sorted(found)

    def _edge_micro(self) -> int:
        """Return the balance above which a fall sets nothing off."""
        rules = [known.rule.threshold_micro for known in self.topups.items() if known.rule]
        return max([*(part[0] for part in (self.low, self.switch) if part), *rules], default=0)

    def _fallen(self) -> list[AccountId]:
        """Return who matters whatever they have now: who was told of a low balance, whose meter is not enabled."""
        told = self.low[2].items() if self.low else []
        return told + [stand.account for stand in (self.switch[2].items() if self.switch else [])]

    def reserve(self, transfer: Transfer, agreed: Agreed | None = None) -> None:
        """Set an amount aside at its source; see `Transfers.reserve`."""
        self.transfers.reserve(transfer)
        self.moves(transfer.source)
        _count(self._pending, transfer.source, 1)
        _count(self._asked, transfer.source, _asked_for(transfer))
        if agreed:
            self.agreed[transfer.id] = agreed

    def release(self, name: str) -> Transfer | None:
        """End a reservation without booking anything, and return it; None where none of that name is pending."""
        transfer = self.transfers.void(name)
        if transfer is not None:
            self.moves(transfer.source)
            _count(self._pending, transfer.source, -1)
            _count(self._asked, transfer.source, -_asked_for(transfer))
            self.agreed.pop(name, None)
        return transfer

    def pending_of(self, account: AccountId) -> int:
        """Return how many reservations an account has standing."""
        return self._pending[account]

    def asked_of(self, account: AccountId) -> int:
        """Return how many of them it asked for: what auctions set aside is as much as their rules allow."""
        return self._asked[account]

    @property
    def any_pending(self) -> bool:
        """Tell whether anybody has a reservation standing."""
        return bool(self._pending)

    def leaves(self) -> Iterator[Mapping[str, object]]:
        """Yield everything that decides what may happen next, in one order whatever the way that led to it."""
        yield from ({"reserved": t, "agreed": self.agreed.get(t.id)} for t in self.transfers.items())
        yield from ({"purchase": fact} for fact in self.purchases.items())
        yield from ({"payout": payout} for payout in self.payouts.items())
        yield from ({"topup": known} for known in self.topups.items())
        yield from ({"mandate": account} for account in sorted(self.mandates))
        if self.low:
            yield {"told_low": self.low[2].items()}
        if self.switch:
            yield from ({"meter": stand} for stand in self.switch[2].items())
        if self.held:
            yield {"held": self.held.items(), "quarter_s": self.held.start_s}
        for slot_s in sorted(self.quarters):
            yield {"held": sorted(self.quarters[slot_s].items()), "slot_s": slot_s}

    def dump(self) -> Kept:
        """Return all of it in plain form: a snapshot's."""
        return Kept(
            transfers=self.transfers.items(),
            agreed=dict(sorted(self.agreed.items())),
            purchases=self.purchases.items(),
            payouts=self.payouts.items(),
            topups=self.topups.items(),
            mandates=sorted(self.mandates),
            low=(*self.low[:2], self.low[2].items()) if self.low else None,
            switch=(*self.switch[:2], self.switch[2].items()) if self.switch else None,
            held=(self.held.start_s, self.held.items()) if self.held else None,
            quarters={slot_s: self.quarters[slot_s] for slot_s in sorted(self.quarters)},
        )

    @classmethod
    def load(cls, kept: Kept) -> "Wallets":
        """Return the wallets that `dump` wrote.

        Raises:
            InvalidValue: A part contradicts itself.
        """
        wallets = cls(
            agreed=dict(kept.agreed),
            purchases=Purchases(kept.purchases),
            payouts=Payouts(kept.payouts),
            topups=TopUps(kept.topups),
            mandates=set(kept.mandates),
            low=(*kept.low[:2], LowBalance(*kept.low)) if kept.low else None,
            switch=(*kept.switch[:2], MeterSwitch(*kept.switch)) if kept.switch else None,
            held=HeldTime(*kept.held) if kept.held else None,
            quarters=dict(kept.quarters),
        )
        for transfer in kept.transfers:
            wallets.reserve(transfer)
        wallets._watching = bool(kept.low or kept.switch or kept.topups)
        return wallets


def _asked_for(transfer: Transfer) -> bool:
    """Tell whether it counts against what an account may have standing: auctions have their own bounds."""
    return not transfer.id.startswith(OF_AUCTIONS)


def _count(counter: Counter[AccountId], account: AccountId, more: int) -> None:
    counter[account] += more
    if not counter[account]:
        del counter[account]
