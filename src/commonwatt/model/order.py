"""Orders and trades of the two markets."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from commonwatt.model.errors import InvalidValue
from commonwatt.model.ids import AccountId, OrderId


class Side(StrEnum):
    """Sellers ask, buyers bid."""

    BID = "bid"
    ASK = "ask"


class Source(IntEnum):
    """Where energy comes from: what a seller has, or the least that a buyer asks for (row M1)."""

    ANY = 0
    RENEWABLE = 1
    SOLAR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A wish to buy or sell WATT at a limit price or better.

    Args:
        id: Its name, one of its own.
        owner: Who wants it.
        side: Buy or sell.
        energy_wh: What is still open, base units of WATT (1 base unit = 1 Wh).
        price_micro_per_kwh: The limit.
        arrived: Its place in time: where it stands in the log, or where it was fixed while nobody could read it.
        until_s: When it goes by itself, seconds since 1970; None where it stays.
        by_agent: Whether its owner's agent wants it.
        told: Where in the log it was told, if its place in time was fixed before that; None where both are one.

    Raises:
        InvalidValue: The energy is not above zero.
    """

    id: OrderId
    owner: AccountId
    side: Side
    energy_wh: int
    price_micro_per_kwh: int
    arrived: int = 0
    until_s: int | None = None
    by_agent: bool = False
    told: int | None = None

    @property
    def readable(self) -> int:
        """From which place in the log on anybody could read it."""
        return self.arrived if self.told is None else self.told

    def __post_init__(self) -> None:
        if self.energy_wh <= 0:
            raise InvalidValue(f"an order is for more than zero, was {self.energy_wh} Wh")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotOrder:
    """A wish to buy or sell energy that flows in one slot, and what its owner would rather have (row M1).

    Args:
        id: Where it stands in the log; orders of one slot are listed in this order.
        owner: Who wants it.
        side: Buy or sell.
        energy_wh: Wh in the slot.
        price_micro_per_kwh: The limit, or better.
        source: Of an ask what it is, of a bid what it would rather have.
        near: Rather from the owner's own zone than from further away.
        partner: Rather with this account than with anybody.
        premium_micro_per_kwh: How much worse than the limit it may be where the preference is met.
        strict: Only as preferred, or not at all; of several preferences the first: partner, source, zone.

    Raises:
        InvalidValue: The energy is not above zero, the premium is below zero, or the partner is the owner.
    """

    id: OrderId
    owner: AccountId
    side: Side
    energy_wh: int
    price_micro_per_kwh: int
    source: Source = Source.ANY
    near: bool = False
    partner: AccountId | None = None
    premium_micro_per_kwh: int = 0
    strict: bool = False

    def __post_init__(self) -> None:
        if self.energy_wh <= 0:
            raise InvalidValue(f"an order is for more than zero, was {self.energy_wh} Wh")
        if self.premium_micro_per_kwh < 0:
            raise InvalidValue(f"a premium is zero or more, was {self.premium_micro_per_kwh} micro per kWh")
        if self.partner == self.owner:
            raise InvalidValue(f"nobody trades with themselves, was {self.owner}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A part of the grid in which energy is traded, inside a larger one or none.

    Args:
        name: As assets name it.
        parent: The zone around it; None for the outermost.
        fee_micro_per_kwh: What the grid takes for energy whose seller and buyer first meet in this zone: in the
            innermost a grid fee, further out a wheeling fee.
        most_out_wh: What the market may send out of it in a slot; None where nothing binds.
        most_in_wh: What the market may bring into it in a slot; None likewise.

    Raises:
        InvalidValue: A number is below zero, or it lies in itself.
    """

    name: str
    parent: str | None = None
    fee_micro_per_kwh: int = 0
    most_out_wh: int | None = None
    most_in_wh: int | None = None

    def __post_init__(self) -> None:
        if min(self.fee_micro_per_kwh, self.most_out_wh or 0, self.most_in_wh or 0) < 0:
            raise InvalidValue(f"a fee and what may cross a border are zero or more, was {self}")
        if self.parent == self.name:
            raise InvalidValue(f"a zone does not lie in itself, was {self.name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Energy that a seller owes a buyer at a price, and the two orders that it came from.

    The buyer pays the grid ``fee_micro_per_kwh`` beside the price.
    """

    buyer: AccountId
    seller: AccountId
    bid: OrderId
    ask: OrderId
    energy_wh: int
    price_micro_per_kwh: int
    fee_micro_per_kwh: int = 0
