"""An entry: one line of the ledger, moving a commodity from one account to another."""

from dataclasses import dataclass
from enum import StrEnum

from commonwatt.model.errors import InvalidValue
from commonwatt.model.ids import AccountId


class Commodity(StrEnum):
    """What the books count, each in whole base units; in the order in which a leaf of the accounts tells them."""

    ENERGY = "energy_wh"
    ERGON = "ergon_micro"
    WATT = "watt_wh"
    TSL = "tsl_micro"


GRID = AccountId("grid")
"""The retailer at the feeder: sells what the community imports, buys what it exports."""
LOSSES = AccountId("losses")
"""Where the feeder's meter and the members' meters disagree."""
MARKET = AccountId("market")
"""Through which neighbours' trades and shares pass where many are settled at once; empty once a slot is settled."""
GRID_FEES = AccountId("grid-fees")
"""What the grid takes for energy that passes from neighbour to neighbour over its wires."""
IMBALANCE = AccountId("imbalance")
"""Stands in for whoever traded energy and did not deliver or take it: its energy is nothing once a slot is settled."""
PAYMENT_PORT = AccountId("payment-port")
"""Stands for money outside: its ERGON balance is minus all ERGON that was bought."""
MINT = AccountId("mint")
"""Where WATT comes from, and TSL once at the founding: minus all that was ever minted."""
BURN = AccountId("burn")
"""Where WATT goes when its energy is used; nothing comes back."""
VAULT = AccountId("vault")
"""Holds the TSL that is not in circulation in this community."""
COMMISSION_POOL = AccountId("commission-pool")
"""Where commissions come together before they are shared; holds what no storage owner could be given yet."""
EDUCATION_POT = AccountId("education-pot")
"""Pays the welcome grants."""
NETWORK = AccountId("network")
"""Pays the validators."""
CHAIN_PORT = AccountId("chain-port")
"""Stands for the chain: minus what came back from there; what was sent there stands on `chain_account` of each."""
SYSTEM_ACCOUNTS = (
    GRID,
    LOSSES,
    MARKET,
    GRID_FEES,
    IMBALANCE,
    PAYMENT_PORT,
    MINT,
    BURN,
    VAULT,
    COMMISSION_POOL,
    EDUCATION_POT,
    NETWORK,
    CHAIN_PORT,
)
"""Names that no member can have."""
ANYONE = AccountId("*")
"""In place of the target of a reservation for whoever will take it; no account has this name."""
_NEIGHBOUR, _CHAIN = "neighbour:", "chain:"
CHAIN_HELD = AccountId(f"{_CHAIN}held")
"""Holds the money for WATT outside whose energy was used here: it is for whoever brings that WATT back."""


def neighbour_account(community: str) -> AccountId:
    """Return the account that stands for another community in these books; no member's name holds a colon.

    What it has is what this community owes that one; the account of this community in the other's books mirrors it.
    """
    return AccountId(_NEIGHBOUR + community)


def chain_account(address: str) -> AccountId:
    """Return the account of what was sent out to an address of the chain, ever; it only grows.

    Args:
        address: 0x and 40 hex digits, whichever way they are written.
    """
    return AccountId(_CHAIN + address.lower())


def is_system(account: AccountId) -> bool:
    """Tell whether an account is the books' own, or stands for what is outside: nobody's who can hold WATT here."""
    return account in SYSTEM_ACCOUNTS or account.startswith((_NEIGHBOUR, _CHAIN))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One double-entry posting: ``amount`` leaves ``source`` and arrives at ``target``.

    Args:
        commodity: What moves.
        source: The account that is reduced.
        target: The account that grows.
        amount: Whole base units, above zero.
        memo: Why, in a few fixed words, for example ``trade`` or ``grid import``.
        slot_s: Start of the slot that it belongs to, seconds since 1970.
        ref: What it derives from: a log position, an order, a trade.

    Raises:
        InvalidValue: The amount is not above zero, or both accounts are one.
    """

    commodity: Commodity
    source: AccountId
    target: AccountId
    amount: int
    memo: str
    slot_s: int
    ref: str = ""

    def __post_init__(self) -> None:
        if self.amount <= 0 or self.source == self.target:
            raise InvalidValue(f"an entry moves more than zero between two accounts, was {self}")
