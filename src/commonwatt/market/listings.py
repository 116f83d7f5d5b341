"""WATT that a member offers to everybody at a price (row H11)."""

from dataclasses import dataclass

from commonwatt.model import AccountId, KeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An offer that stands; how much is left of it, and until when, is in its reservation.

    Args:
        seller: Whose WATT it is.
        key: The key that listed it: the address under which a buyer finds it.
        price_micro_per_kwh: What it costs.
        whole: Whether it is sold as a whole alone.
    """

    seller: AccountId
    key: KeyId
    price_micro_per_kwh: int
    whole: bool

    def is_at(self, address: str) -> bool:
        """Tell whether an address is the seller's: what looks like a key's is one, whatever accounts are called."""
        looks_like_key = len(address) == len(self.key) and address.startswith("0x")
        return address == (self.key if looks_like_key else self.seller)
