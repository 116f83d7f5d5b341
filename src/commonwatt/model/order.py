"""Orders and trades of the two markets."""

from dataclasses import dataclass
from enum import StrEnum

from commonwatt.model.errors import InvalidValue
from commonwatt.model.ids import AccountId, OrderId


class Side(StrEnum):
    """Sellers ask, buyers bid."""

    BID = "bid"
    ASK = "ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A wish to buy or sell at a limit price or better.

    ``energy_wh`` is what is still open: Wh in the slot market, base units of WATT (1 base unit = 1 Wh) in the book.
    """

    id: OrderId
    owner: AccountId
    side: Side
    energy_wh: int
    price_micro_per_kwh: int

    def __post_init__(self) -> None:
        if self.energy_wh <= 0:
            raise InvalidValue(f"an order is for more than zero, was {self.energy_wh} Wh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Energy that a seller owes a buyer at a price, and the two orders that it came from."""

    buyer: AccountId
    seller: AccountId
    bid: OrderId
    ask: OrderId
    energy_wh: int
    price_micro_per_kwh: int
