"""The state of one community: everything that the log's requests have made true, and its root."""

from dataclasses import dataclass, field
from hashlib import sha256

from commonwatt.identity.keys import VerifyingKey
from commonwatt.ledger.accounts import Accounts
from commonwatt.ledger.merkle import MerkleTree, merkle_root
from commonwatt.market.auction import Clearing
from commonwatt.market.book import Book
from commonwatt.model import (
    GRID,
    AccountId,
    Ack,
    Asset,
    AssetId,
    Commodity,
    Constraint,
    Entry,
    GatewayId,
    KeyId,
    Order,
    Outcome,
    Reading,
    Schedule,
    canonical_json,
)
from commonwatt.tokens.watt import StorageClaims


@dataclass(slots=True)
class KeyRecord:
    """A registered key: what it may do, for whom, and which of its requests were answered how."""

    verifying: VerifyingKey
    role: str
    account: AccountId
    gateway: GatewayId | None = None
    answered: list[tuple[bytes, Outcome]] = field(default_factory=list)

    @property
    def next_seq(self) -> int:
        """The sequence number that its next request must have."""
        return len(self.answered) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A constraint as it stands in the log."""

    position: int
    account: AccountId
    text: str
    constraint: Constraint


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A reading that was not believed: listed, never settled."""

    position: int
    asset: AssetId
    slot_s: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A gateway's answer to one command, and for which slot it came."""

    slot_s: int
    ack: Ack


@dataclass(slots=True)
class State:
    """What the rulebook keeps. Plain objects; arrays come with the ledger issue, and this stays as their oracle.

    ``settled_to_s`` is the start of the first slot that is not settled yet; the community's founding slot at first.
    ``cleared_to_s`` likewise for the slot market. ``joined_s`` is the slot in which an asset was registered,
    ``stood_in`` the settled slots in which the members' sum stands in for a silent feeder.
    """

    community: str
    operator: KeyId | None = None
    timezone: str = "UTC"
    b_max_wh: int = 0
    grace_slots: int = 0
    gate_s: int = 0
    keys: dict[KeyId, KeyRecord] = field(default_factory=dict)
    gateways: dict[GatewayId, KeyId] = field(default_factory=dict)
    assets: dict[AssetId, Asset] = field(default_factory=dict)
    consents: dict[AssetId, bool] = field(default_factory=dict)
    stated: list[Stated] = field(default_factory=list)
    schedules: dict[AssetId, Schedule] = field(default_factory=dict)
    answers: dict[AssetId, Answer] = field(default_factory=dict)
    prices: dict[int, tuple[int, int]] = field(default_factory=dict)
    readings: dict[int, dict[AssetId, Reading]] = field(default_factory=dict)
    set_aside: list[SetAside] = field(default_factory=list)
    slot_orders: dict[int, list[Order]] = field(default_factory=dict)
    clearings: dict[int, Clearing] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    claims: StorageClaims = field(default_factory=StorageClaims)
    accounts: Accounts = field(default_factory=Accounts)
    entries: list[Entry] = field(default_factory=list)
    entry_tree: MerkleTree = field(default_factory=MerkleTree)
    purchases: set[str] = field(default_factory=set)
    settled_to_s: int = 0
    cleared_to_s: int = 0
    losses_wh: dict[int, int] = field(default_factory=dict)
    joined_s: dict[AssetId, int] = field(default_factory=dict)
    stood_in: set[int] = field(default_factory=set)

    def post(self, entry: Entry) -> None:
        """Book an entry: the only way by which anything changes hands."""
        self.accounts.post(entry)
        self.entries.append(entry)
        self.entry_tree.append(entry_bytes(entry))

    def move(
        self,
        commodity: Commodity,
        source: AccountId,
        target: AccountId,
        amount: int,
        *,
        slot_s: int,
        memo: str,
        ref: str = "",
    ) -> None:
        """Book an amount as an entry: none for zero, and one below zero goes the other way."""
        if amount < 0:
            source, target, amount = target, source, -amount
        if amount:
            self.post(
                Entry(
                    commodity=commodity, source=source, target=target, amount=amount, memo=memo, slot_s=slot_s, ref=ref
                )
            )

    def ergon(self, account: AccountId) -> int:
        """Return an account's ERGON in micro."""
        return self.accounts.balance(account, Commodity.ERGON)

    def watt(self, account: AccountId) -> int:
        """Return an account's WATT in base units (Wh)."""
        return self.accounts.balance(account, Commodity.WATT)

    def members(self) -> list[AccountId]:
        """Return the accounts of all members, sorted."""
        return sorted({key.account for key in self.keys.values() if key.role == "member"} - {GRID})

    def root(self) -> bytes:
        """Return the state root: the Merkle root over the sections, entries first (see `sections`)."""
        return merkle_root(self.sections())

    def sections(self) -> list[bytes]:
        """Return the roots that the state root is made of: entries, accounts, registry, market, and the rest.

        What belongs to settled slots stands in the entries and is left out of the other sections.
        """
        registry = [
            *(f"{key} {r.role} {r.account} {r.gateway} {r.next_seq}" for key, r in self.keys.items()),
            *(repr(asset) for asset in self.assets.values()),
            *(f"{asset} {consent}" for asset, consent in self.consents.items()),
        ]
        market = [
            *(f"{slot_s} {self.slot_orders[slot_s]}" for slot_s in self.slot_orders if slot_s >= self.settled_to_s),
            *(f"{slot_s} {self.clearings[slot_s]}" for slot_s in self.clearings if slot_s >= self.settled_to_s),
            *(repr(order) for order in self.book.orders()),
        ]
        rest = [
            f"{self.community} {self.operator} {self.timezone} {self.b_max_wh} {self.grace_slots} {self.gate_s}",
            f"{self.settled_to_s} {self.cleared_to_s} {self.claims.listing()} {sorted(self.purchases)}",
            f"{sorted(self.joined_s.items())} {sorted(self.stood_in)}",
            *(repr(stated) for stated in self.stated),
            *(repr(schedule) for schedule in self.schedules.values()),
            *(repr(doubt) for doubt in self.set_aside),
            *(f"{slot_s} {self.prices[slot_s]}" for slot_s in self.prices if slot_s >= self.settled_to_s),
            *(f"{slot_s} {self.readings[slot_s]}" for slot_s in self.readings if slot_s >= self.settled_to_s),
        ]
        lists = [_hash(lines) for lines in (registry, market, rest)]
        return [self.entry_tree.root(), merkle_root(self.accounts.leaves()), *lists]


def entry_bytes(entry: Entry) -> bytes:
    """Return an entry's canonical bytes, the leaf data of the entry tree."""
    return canonical_json(entry_fields(entry))


def entry_fields(entry: Entry) -> dict[str, object]:
    """Return an entry as a JSON object."""
    return {
        "amount": entry.amount,
        "commodity": entry.commodity.value,
        "memo": entry.memo,
        "ref": entry.ref,
        "slot_s": entry.slot_s,
        "source": entry.source,
        "target": entry.target,
    }


def _hash(lines: list[str]) -> bytes:
    return sha256("\n".join(lines).encode()).digest()
