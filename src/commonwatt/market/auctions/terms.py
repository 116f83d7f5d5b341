"""What is auctioned, by which form, and until when: fixed when an auction opens, and never changed."""

from dataclasses import dataclass
from enum import StrEnum

from commonwatt.model import SLOT_SECONDS, InvalidValue, Side, cost_micro, round_div

MOST_AMOUNT = 10**9
"""Wh, or what a capacity comes to over its window: with `MOST_PRICE`, no lot costs more than 10^15 micro."""
MOST_PRICE = 10**9
LONGEST_S = 31 * 86_400
"""Of an auction, of its reveal window, and of the window that a lot is for."""
MOST_SLOTS = 672
"""Of one lot: a week."""


class Form(StrEnum):
    """How the winner is found."""

    ENGLISH = "english"
    """Open bids, each better than the one before; who buys calls them downwards."""
    FIRST_PRICE = "first_price"
    """Sealed; winners pay (or get) what they bid."""
    SECOND_PRICE = "second_price"
    """Sealed; winners pay what they keep others from."""
    DUTCH = "dutch"
    """The price falls by the log's time until somebody takes it; where the owner buys, it rises."""


class Good(StrEnum):
    """What a lot is of."""

    WATT = "watt"
    """Stored energy now, in Wh."""
    SLOTS = "slots"
    """Energy to be delivered over whole slots, in Wh, spread evenly."""
    UP = "capacity_up"
    """Power, in W, by which the grid can be given more, or asked for less, over a window."""
    DOWN = "capacity_down"
    """Power, in W, by which the grid can be asked for more, or given less, over a window."""


CAPACITY = (Good.UP, Good.DOWN)
SEALED = (Form.FIRST_PRICE, Form.SECOND_PRICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """One lot and its rules.

    Prices are micro per kWh; of capacity, micro for each kW held ready for an hour.

    Args:
        form: How the winner is found.
        side: ``ask`` where the owner sells, ``bid`` where the owner buys (the reverse forms).
        good: What the lot is of.
        amount: Wh, or W of capacity.
        divisible: Whether a bid may be for a part.
        start_s: First second at which bids count.
        end_s: From when on none does, unless late bids extend it; seconds since 1970.
        reserve_price: The worst price that the owner takes; None where it is sealed.
        reserve_hash: Its commitment, see `sealed.reserve_commitment`; None where the price is public.
        step: Least improvement of an English bid, or by how much a Dutch price moves on each tick.
        tick_s: How long a Dutch price stands.
        opening_price: Where a Dutch price begins.
        reveal_s: How long after the end sealed bids, and a sealed reserve, can be revealed.
        late_s: A bid in the last so many seconds extends an English auction...
        extend_s: ... by so many seconds...
        most_extensions: ... at most so often.
        from_s: Start of the window that the lot is for; slots and capacity.
        to_s: Its end, not part of it.
        bidder_bond_micro: What each bidder has reserved, and loses who wins and does not perform, or hides a bid.
        owner_bond_micro: What the owner has reserved, and loses who does not perform, or hides the reserve price.

    Raises:
        InvalidValue: The terms contradict each other, or are out of bounds; says which.
    """

    form: Form
    side: Side
    good: Good
    amount: int
    start_s: int
    end_s: int
    reserve_price: int | None = None
    reserve_hash: str | None = None
    divisible: bool = False
    step: int = 1
    tick_s: int = 0
    opening_price: int = 0
    reveal_s: int = 0
    late_s: int = 0
    extend_s: int = 0
    most_extensions: int = 0
    from_s: int = 0
    to_s: int = 0
    bidder_bond_micro: int = 0
    owner_bond_micro: int = 0

    def __post_init__(self) -> None:
        for holds, rule in (*self._bounds(), *self._of_form(), *self._of_lot()):
            if not holds:
                raise InvalidValue(f"{rule}, was {self}")

    def _bounds(self) -> tuple[tuple[bool, str], ...]:
        prices = (self.reserve_price or 0, self.opening_price, self.step)
        bonds = (self.bidder_bond_micro, self.owner_bond_micro)
        return (
            (0 < self.amount <= MOST_AMOUNT, f"a lot is of more than zero and at most {MOST_AMOUNT}"),
            (min(prices) >= 0 and max(prices) <= MOST_PRICE, f"a price is zero or more and at most {MOST_PRICE}"),
            (min(bonds) >= 0 and max(bonds) <= 10**12, "a bond is zero or more and at most 10^12 micro"),
            (self.start_s < self.end_s <= self.start_s + LONGEST_S, "an auction ends after its start, within a month"),
            (0 <= self.reveal_s <= LONGEST_S, "a reveal window is a month at most"),
            ((self.reserve_price is None) != (self.reserve_hash is None), "a reserve price is told or sealed"),
        )

    def _of_form(self) -> tuple[tuple[bool, str], ...]:
        dutch, english = self.form is Form.DUTCH, self.form is Form.ENGLISH
        late = (self.late_s, self.extend_s, self.most_extensions)
        hides = self.form in SEALED or self.reserve_hash is not None
        falls = self.reserve_price is not None and self.opening_price != self.reserve_price
        return (
            (hides == (self.reveal_s > 0), "a reveal window goes with what is sealed"),
            (english == all(late) and english == any(late), "late bids extend an English auction, and no other"),
            (min(late) >= 0 and max(late) <= 86_400 and self.most_extensions <= 100, "an extension has its bounds"),
            (self.form not in SEALED or self.bidder_bond_micro > 0, "who seals a bid has a bond to lose"),
            (self.reserve_hash is None or self.owner_bond_micro > 0, "who seals a reserve price has a bond to lose"),
            (dutch == (self.tick_s > 0), "a Dutch price, and no other, moves in ticks"),
            (self.step > 0 or not (dutch or english), "bids and Dutch prices move by a step above zero"),
            (not dutch or (falls and self.better(self.opening_price, self.reserve_price or 0)), "a Dutch price falls"),
            (dutch or self.opening_price == 0, "a Dutch price alone has an opening"),
            (not dutch or self.bidder_bond_micro == 0, "who takes a Dutch price pays at once, so has no bond"),
        )

    def _of_lot(self) -> tuple[tuple[bool, str], ...]:
        if self.good is Good.WATT:
            return ((self.from_s == self.to_s == 0, "WATT is for now"),)
        whole = self.from_s % SLOT_SECONDS == self.to_s % SLOT_SECONDS == 0
        return (
            (whole and self.from_s < self.to_s, "a lot is for whole slots"),
            (self.slots <= MOST_SLOTS, "a lot is for a week at most"),
            (self.latest_s <= self.from_s <= self.end_s + 2 * LONGEST_S, "a lot is for later, not far, than it is won"),
            (self.good is not Good.SLOTS or self.amount >= self.slots, "each slot of a lot has its Wh"),
            (self._held_wh <= MOST_AMOUNT, f"a lot comes to {MOST_AMOUNT} Wh at most"),
        )

    @property
    def latest_s(self) -> int:
        """When it is surely closed: its end, with all extensions and the reveal window."""
        return self.end_s + self.most_extensions * self.extend_s + self.reveal_s

    @property
    def slots(self) -> int:
        """How many slots the lot is for."""
        return (self.to_s - self.from_s) // SLOT_SECONDS

    @property
    def sealed(self) -> bool:
        """Tell whether bids are sealed."""
        return self.form in SEALED

    def better(self, price: int, other: int) -> bool:
        """Tell whether a price is better for the owner than another."""
        return price > other if self.side is Side.ASK else price < other

    def rank(self, price: int) -> int:
        """Return a number that sorts prices, the best for the owner first."""
        return -price if self.side is Side.ASK else price

    def cost_micro(self, amount: int, price: int) -> int:
        """Return what an amount of the lot costs, in micro: capacity by kW and hours; rounded once, as all money."""
        if self.good in CAPACITY:
            return round_div(amount * (self.to_s - self.from_s) * price, 3_600_000)
        return cost_micro(amount, price)

    @property
    def _held_wh(self) -> int:
        return self.amount * (self.to_s - self.from_s) // 3600 if self.good in CAPACITY else self.amount
