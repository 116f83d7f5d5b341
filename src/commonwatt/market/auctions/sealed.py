"""Sealed bids: a hash now, the price once nobody can bid any more."""

from hashlib import sha256

from commonwatt.model import AccountId, canonical_json


def commitment(auction: str, account: AccountId, amount: int, price: int, salt: str) -> str:
    """Return the hash that seals a bid, as 64 hex digits.

    It names the auction and the account, so that nobody can take over another's hash, or use one twice.

    Args:
        auction: Its name.
        account: Who bids.
        amount: Wh, or W of capacity.
        price: Micro per kWh.
        salt: 64 hex digits that nobody can guess; with fewer the price could be tried out.

    Source: commit and reveal; SHA-256 over RFC 8785 JSON.
    """
    told = {"account": account, "amount": amount, "auction": auction, "price_micro_per_kwh": price, "salt": salt}
    return sha256(canonical_json(told)).hexdigest()


def reserve_commitment(account: AccountId, price: int, salt: str) -> str:
    """Return the hash that seals a reserve price, as 64 hex digits; arguments as in `commitment`."""
    return sha256(canonical_json({"account": account, "reserve_micro_per_kwh": price, "salt": salt})).hexdigest()
