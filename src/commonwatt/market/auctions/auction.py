"""The life of one auction, alike for all forms: bids while it is open, reveals after it, a result that stays."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from commonwatt.market.auctions import dutch, english, sealed
from commonwatt.market.auctions.allotting import Award, Bid, allot
from commonwatt.market.auctions.terms import Form, Good, Terms
from commonwatt.model import SLOT_SECONDS, AccountId, OrderId, Side, Trade

__all__ = ["Auction", "Award", "Bid", "Phase", "Result", "Sealed", "Why"]


class Phase(StrEnum):
    """Where an auction stands."""

    COMING = "coming"
    OPEN = "open"
    REVEALING = "revealing"
    """Nobody bids any more; what was sealed is revealed."""
    DUE = "due"
    """It is to be closed."""
    CLOSED = "closed"


class Why(StrEnum):
    """Why an auction ended as it did, and what became of each bidder."""

    SOLD = "sold"
    NO_BID = "no bid met the reserve price"
    WITHDRAWN = "withdrawn before any bid"
    OWNER_HID = "the reserve price was not revealed"
    OWNER_FAILED = "the owner did not perform"
    BOOKS_FULL = "the books could not hold what was owed"
    WON = "won"
    OUTBID = "outbid"
    NOTHING_SOLD = "nothing was sold"
    BELOW_RESERVE = "short of the reserve price"
    HID = "the bid was not revealed"
    FAILED = "won and did not perform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A bid of which only the hash is known, and where that stands in the log."""

    hash: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an auction came to.

    Args:
        why: As a whole.
        closed_s: When, by the log's time.
        awards: Who won how much at which price.
        bidders: What became of each bidder, sorted by name.
    """

    why: Why
    closed_s: int
    awards: tuple[Award, ...] = ()
    bidders: tuple[tuple[AccountId, Why], ...] = ()


@dataclass(slots=True, kw_only=True)
class Auction:
    """One auction as it stands.

    Args:
        id: Its place in the log.
        owner: Who sells, or buys.
        terms: As it was opened.
        ends_s: When bids end; later than the terms say once late bids have extended it.
        extended: How often they have.
        bids: The best one of each bidder; of sealed ones, what was revealed.
        sealed: Commitments.
        reserve: The reserve price, as soon as it is known.
        awards: Taken so far, in a Dutch auction.
        fee_micro_per_kwh: What the wires of the owner's zone cost whoever buys, as it was when the auction opened.
        standing: Who would win something if an English auction ended now, by the place of their bids.
        missed: Who sold capacity and was not heard in some slot of its window.
        result: Once it is closed.
        done: Whether nothing is owed any more because of it.
    """

    id: str
    owner: AccountId
    terms: Terms
    ends_s: int
    extended: int = 0
    bids: dict[AccountId, Bid] = field(default_factory=dict)
    sealed: dict[AccountId, Sealed] = field(default_factory=dict)
    reserve: int | None = None
    awards: list[Award] = field(default_factory=list)
    fee_micro_per_kwh: int = 0
    standing: list[AccountId] = field(default_factory=list)
    missed: list[AccountId] = field(default_factory=list)
    result: Result | None = None
    done: bool = False

    @property
    def closes_s(self) -> int:
        """When it is to be closed."""
        return self.ends_s + self.terms.reveal_s

    @property
    def due_s(self) -> int:
        """When something has to be done about it next: it is to be closed, or what was won is over."""
        return self.closes_s if self.result is None else self.over_s

    @property
    def over_s(self) -> int:
        """When what was won is over: what comes later can correct nothing of it. Of a closed one."""
        assert self.result is not None
        return max(self.result.closed_s, self.terms.to_s)

    @property
    def left(self) -> int:
        """What nobody has taken yet, in a Dutch auction; Wh, or W of capacity."""
        return self.terms.amount - sum(award.amount for award in self.awards)

    def phase(self, now_s: int) -> Phase:
        """Return where it stands at a moment."""
        if self.result is not None:
            return Phase.CLOSED
        if now_s < self.terms.start_s:
            return Phase.COMING
        if now_s < self.ends_s:
            return Phase.OPEN
        return Phase.REVEALING if now_s < self.closes_s else Phase.DUE

    def fits(self, amount: int) -> bool:
        """Tell whether a bid may be for so much: the whole lot, or a part where it is divisible."""
        whole = self.left if self.terms.form is Form.DUTCH else self.terms.amount
        return 0 < amount <= whole and (self.terms.divisible or amount == self.terms.amount)

    def improves(self, bidder: AccountId, amount: int, price: int) -> bool:
        """Tell whether an open bid is good enough: better than what stands, and nothing of one's own taken back."""
        required = english.required_price(self.terms, self.bids.values())
        if required is not None and self.terms.better(required, price):
            return False
        own = self.bids.get(bidder)
        return own is None or (self.terms.better(price, own.price) and amount >= own.amount)

    def bid(self, bid: Bid, now_s: int) -> list[AccountId]:
        """Take in an open bid that `improves`, and return who is outbid by it; one that comes late extends the auction.

        Since a bid only ever becomes better and never smaller, whoever is outbid wins something again by a better bid
        of their own alone, or where a winner does not perform in the end.
        """
        self.bids[bid.bidder] = bid
        winning = {award.bidder for award in allot(self.terms, self.bids.values(), reserve=None)}
        outbid = [bidder for bidder in self.standing if bidder not in winning]
        self.standing = sorted(winning, key=lambda bidder: self.bids[bidder].position)
        ends_s = english.extended_end_s(self.terms, self.ends_s, self.extended, now_s)
        self.extended += ends_s != self.ends_s
        self.ends_s = ends_s
        return outbid

    def opens(self, bidder: AccountId, amount: int, price: int, salt: str) -> bool:
        """Tell whether this is the bid that a bidder has sealed."""
        known = self.sealed.get(bidder)
        return known is not None and known.hash == sealed.commitment(self.id, bidder, amount, price, salt)

    def price(self, now_s: int) -> int:
        """Return the price that stands in a Dutch auction."""
        return dutch.price_at(self.terms, now_s)

    def take(self, award: Award) -> int:
        """Take in what somebody takes at a Dutch price, and return which award it is: one for each taker and price."""
        for number, known in enumerate(self.awards):
            if (known.bidder, known.price) == (award.bidder, award.price):
                self.awards[number] = replace(known, amount=known.amount + award.amount)
                return number
        self.awards.append(award)
        return len(self.awards) - 1

    def winners(self, out: set[AccountId]) -> list[Award]:
        """Return what is won once nobody bids any more, without those who are out."""
        return allot(self.terms, [bid for bid in self.bids.values() if bid.bidder not in out], self.reserve)

    def fates(self, awards: Iterable[Award], out: set[AccountId]) -> tuple[tuple[AccountId, Why], ...]:
        """Return what became of each bidder, sorted by name."""
        won = {award.bidder for award in awards}
        return tuple((bidder, self._fate(bidder, won, out)) for bidder in sorted({*self.bids, *self.sealed, *won}))

    def _fate(self, bidder: AccountId, won: set[AccountId], out: set[AccountId]) -> Why:
        if bidder in won:
            return Why.WON
        if bidder in out:
            return Why.FAILED
        bid = self.bids.get(bidder)
        if bid is None:
            return Why.HID
        if self.reserve is not None and self.terms.better(self.reserve, bid.price):
            return Why.BELOW_RESERVE
        return Why.OUTBID if won else Why.NOTHING_SOLD

    @property
    def of_slots(self) -> bool:
        """Tell whether what is won is energy of slots."""
        return self.terms.good is Good.SLOTS

    def trades(self, slot_s: int) -> list[Trade]:
        """Return what is to be delivered in a slot for what was won, in the order of the awards; none before the end.

        What was won is spread evenly over the slots of the lot; where it does not divide, earlier slots have a Wh more.
        """
        if self.result is None or not self.of_slots or not self.terms.from_s <= slot_s < self.terms.to_s:
            return []
        place = (slot_s - self.terms.from_s) // SLOT_SECONDS
        energies = zip(self.result.awards, self._amounts(place, place + 1), strict=True)
        return [self._trade(award, energy_wh) for award, energy_wh in energies if energy_wh]

    def outstanding(self, from_s: int) -> list[int]:
        """Return how much of each award is still to come from a slot on, Wh; of a closed one of slots."""
        return self._amounts(max(0, from_s - self.terms.from_s) // SLOT_SECONDS, self.terms.slots)

    def _amounts(self, first: int, last: int) -> list[int]:
        """Return how much of each award falls into the slots from one place in the window to another.

        The awards are laid end to end, those of one bidder together, and what is laid is spread: so no slot has more
        than its share of all that was sold, nor of what one bidder has.
        """
        awards = self.result.awards if self.result else ()
        sizes, ends, total = dict[AccountId, int](), dict[AccountId, int](), 0
        for award in awards:
            sizes[award.bidder] = sizes.get(award.bidder, 0) + award.amount
        for bidder, size in sizes.items():
            ends[bidder], total = total, total + size
        found = []
        for award in awards:
            before = ends[award.bidder]
            until = ends[award.bidder] = before + award.amount
            laid = [self._laid(amount, place) for amount in (before, until) for place in (first, last)]
            found.append(laid[3] - laid[2] - laid[1] + laid[0])
        return found

    def _laid(self, amount: int, places: int) -> int:
        """Return how much of an amount that is spread evenly lies in the first places of the window."""
        each, over = divmod(amount, self.terms.slots)
        return each * places + min(over, places)

    def promised(self, account: AccountId, *, gives: bool) -> int:
        """Return what an account may have to give, or take, because of this auction; Wh, or W of capacity.

        That is the owner's whole lot until it is closed, bids that would win now, those that were revealed, and what
        is won.
        """
        if gives != ((self.terms.side is Side.ASK) == (account == self.owner)):
            return 0
        if self.result is not None or (self.terms.form is Form.DUTCH and account != self.owner):
            won = self.awards if self.result is None else self.result.awards
            return sum(award.amount for award in won if account in (self.owner, award.bidder))
        if account == self.owner:
            return self.terms.amount
        return self.bids[account].amount if self.stands(account) else 0

    def stands(self, bidder: AccountId) -> bool:
        """Tell whether a bidder stands to their bid: it would win something now, or was revealed."""
        return bidder in (self.bids if self.terms.sealed else self.standing)

    def parties(self) -> set[AccountId]:
        """Return who has, or may have, a part in it."""
        if self.result is not None:
            return {self.owner, *(award.bidder for award in self.result.awards)}
        return {self.owner, *self.bids, *(award.bidder for award in self.awards)}

    def _trade(self, award: Award, energy_wh: int) -> Trade:
        mine, theirs = OrderId(self.id), OrderId(str(award.position))
        sells = self.terms.side is Side.ASK
        return Trade(
            buyer=award.bidder if sells else self.owner,
            seller=self.owner if sells else award.bidder,
            bid=theirs if sells else mine,
            ask=mine if sells else theirs,
            energy_wh=energy_wh,
            price_micro_per_kwh=award.price,
            fee_micro_per_kwh=self.fee_micro_per_kwh,
        )
