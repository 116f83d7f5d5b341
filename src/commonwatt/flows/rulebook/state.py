"""The state of one community: everything that the log's requests have made true, and its root."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from commonwatt.flows.rulebook.charging.licences import Licences
from commonwatt.flows.rulebook.charging.sessions import Sessions
from commonwatt.flows.rulebook.charter import Charter
from commonwatt.flows.rulebook.flexibility.proposed import Proposal
from commonwatt.flows.rulebook.flexibility.stated import Stated
from commonwatt.flows.rulebook.identity.trusted import Trusted
from commonwatt.flows.rulebook.market.contracts.contracted import Contracted
from commonwatt.flows.rulebook.market.interchange.neighbours import Neighbours
from commonwatt.flows.rulebook.market.seals import Seals
from commonwatt.flows.rulebook.settlement.sharing_bodies import SharingBody
from commonwatt.flows.rulebook.tokens.crossed import Crossed
from commonwatt.flows.rulebook.tokens.exits import exit_rows
from commonwatt.flows.rulebook.tokens.wallets import Wallets
from commonwatt.identity.directory import Directory
from commonwatt.kernels.sha256 import leaf_hashes, tree_root
from commonwatt.ledger.accounts import Accounts
from commonwatt.ledger.journal import Journal
from commonwatt.ledger.merkle import EMPTY_ROOT, merkle_root
from commonwatt.ledger.sheet import Sheet
from commonwatt.market.auctions import Auctions
from commonwatt.market.book import Book
from commonwatt.market.listings import Listed
from commonwatt.market.slots import SlotMarket
from commonwatt.metering.table import ReadingTable
from commonwatt.model import (
    GRID,
    MARKET,
    OFF,
    SLOT_SECONDS,
    SYSTEM_ACCOUNTS,
    AccountId,
    Ack,
    Asset,
    AssetId,
    Commodity,
    Consent,
    Entry,
    GatewayId,
    KeyId,
    Memo,
    Schedule,
    Zone,
)
from commonwatt.tokens.watt import StorageClaims

WALLET_ROLES = ("member", "utility", "aggregator", "station", "car", "operator")
"""Whose accounts hold tokens: members, who sells to them and buys their flexibility, what charges, and the operator."""
COMPARED = frozenset(
    {
        Memo.SHARED,
        Memo.SHARED_IMPORT,
        Memo.SHARED_EXPORT,
        Memo.GRID_IMPORT,
        Memo.GRID_EXPORT,
        Memo.GRID_FEE,
    }
)
"""Memos of what a home pays for its energy, and is paid, at prices that no two accounts make between themselves."""
SECTIONS = ("entries", "accounts", "numbers", "registry", "market", "readings", "rest")
"""What the state root is made of, in this order."""
CHAIN_SECTIONS = (*SECTIONS, "exits")
"""Likewise where a community has a chain: whoever registers the key of a crossing desk adds the last one."""
CHAIN_ROLE, CHAIN_DESK = "chain", AccountId("chain")
"""Role and account of the key that tells what came in from the chain."""


@dataclass(slots=True)
class Gateway:
    """A registered gateway: its key, and the assets behind it, numbered in the order of registration."""

    key: KeyId
    assets: list[AssetId] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A reading that was not believed: listed, never settled."""

    position: int
    asset: str
    slot_s: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A gateway's answer to one command, and for which slot it came."""

    slot_s: int
    ack: Ack


@dataclass(frozen=True, slots=True, kw_only=True)
class WattPrices:
    """What a member's agent pays and takes for WATT, micro per kWh (row E7), and whether it trades forecasts too."""

    buy: int
    sell: int
    forecast: bool = False


@dataclass(slots=True)
class State:
    """What the rulebook keeps: as much as what is still open needs, however long the log grows.

    ``settled_to_s`` is the start of the first slot that is not settled yet; the community's founding slot at first.
    ``joined_s`` is the slot in which an asset was registered,
    ``stood_in`` the settled slots in which the members' sum stands in for a silent feeder, ``given`` what the grid
    gave in each slot at hand, less what it took: Wh and micro. ``set_aside`` lists doubts that still matter, as
    many as it has room for, ``doubted`` all there ever were, where somebody asks for them. ``sharing`` are the keys by
    the slot from which each holds, ``imbalance`` the prices told of slots that are not settled, micro per kWh, and
    ``gains`` by how much each home paid less than the grid alone would have taken, in micro, where a charter
    equalises. Slots further back than the charter's ``correction_slots`` are let go of, unless the journal keeps
    everything for whoever replays to prove or to sum up.
    """

    community: str
    journal: Journal = field(default_factory=Journal)
    operator: KeyId | None = None
    charter: Charter = field(default_factory=Charter)
    keys: Directory = field(default_factory=Directory)
    gateways: dict[GatewayId, Gateway] = field(default_factory=dict)
    assets: dict[AssetId, Asset] = field(default_factory=dict)
    connections: dict[AccountId, AssetId] = field(default_factory=dict)
    consents: dict[AssetId, Consent] = field(default_factory=dict)
    consents_of: dict[AccountId, Consent] = field(default_factory=dict)
    proposals: dict[AssetId, Proposal] = field(default_factory=dict)
    stated: list[Stated] = field(default_factory=list)
    schedules: dict[AssetId, Schedule] = field(default_factory=dict)
    answers: dict[AssetId, Answer] = field(default_factory=dict)
    prices: dict[int, tuple[int, int]] = field(default_factory=dict)
    readings: ReadingTable = field(default_factory=ReadingTable)
    set_aside: list[SetAside] = field(default_factory=list)
    doubted: list[SetAside] | None = None
    zones: dict[str, Zone] = field(default_factory=dict)
    slot_market: SlotMarket = field(default_factory=SlotMarket)
    book: Book = field(default_factory=Book)
    seals: Seals = field(default_factory=Seals)
    agents: dict[AccountId, WattPrices] = field(default_factory=dict)
    auctions: Auctions = field(default_factory=Auctions)
    listings: dict[str, Listed] = field(default_factory=dict)
    claims: StorageClaims = field(default_factory=StorageClaims)
    accounts: Accounts = field(default_factory=Accounts)
    neighbours: Neighbours = field(default_factory=Neighbours)
    wallets: Wallets = field(default_factory=Wallets)
    crossed: Crossed = field(default_factory=Crossed)
    licences: Licences = field(default_factory=Licences)
    sessions: Sessions = field(default_factory=Sessions)
    trusted: Trusted = field(default_factory=Trusted)
    contracted: Contracted = field(default_factory=Contracted)
    settled_to_s: int = 0
    losses_wh: dict[int, int] = field(default_factory=dict)
    given: dict[int, tuple[int, int]] = field(default_factory=dict)
    sharing: dict[int, SharingBody] = field(default_factory=dict)
    imbalance: dict[int, int] = field(default_factory=dict)
    gains: dict[AccountId, int] | None = None
    joined_s: dict[AssetId, int] = field(default_factory=dict)
    stood_in: set[int] = field(default_factory=set)
    checked_s: int = -SLOT_SECONDS
    archived: dict[str, str] = field(default_factory=dict)
    registry_version: int = 0
    columns: tuple[int, object] | None = None
    traders: tuple[int, object] | None = None
    _registry: tuple[int, bytes] = (-1, EMPTY_ROOT)
    _exits: tuple[int, int, bytes] = (-1, 0, EMPTY_ROOT)

    @property
    def entries(self) -> list[Entry]:
        """All entries, where the journal keeps them."""
        return self.journal.kept

    def post(self, entry: Entry) -> None:
        """Book an entry: with `post_sheet`, the only way by which anything changes hands."""
        self.wallets.note(entry, self.accounts)
        if self.gains is not None and entry.commodity is Commodity.ERGON and entry.memo in COMPARED:
            for account, micro in ((entry.source, -entry.amount), (entry.target, entry.amount)):
                if account in self.connections:
                    self.gains[account] = self.gains.get(account, 0) + micro
        self.accounts.post(entry)
        self.journal.append(entry)
        self.sessions.note(entry)
        if GRID in (entry.source, entry.target):
            amount = entry.amount if entry.source == GRID else -entry.amount
            self._gave(entry.slot_s, entry.commodity, amount)

    def post_sheet(self, sheet: Sheet) -> None:
        """Book a slot's settlement of many members at once."""
        energy_wh = sheet.bought_wh - sheet.sold_wh
        grid_wh = sheet.import_wh - sheet.export_wh
        for other, commodity, amounts in (
            (MARKET, Commodity.ENERGY, energy_wh),
            (GRID, Commodity.ENERGY, grid_wh),
            (MARKET, Commodity.ERGON, sheet.traded_micro),
            (GRID, Commodity.ERGON, sheet.grid_micro),
        ):
            self.accounts.spread(commodity, other, sheet.members, amounts)
        self.wallets.note_many(sheet.members)
        self.journal.append_sheet(sheet, self.accounts)
        self.sessions.note_many(
            sheet.slot_s, int(sheet.sold_wh.sum()), int(sheet.import_wh.sum()), int(sheet.export_wh.sum())
        )
        self._gave(sheet.slot_s, Commodity.ENERGY, int(grid_wh.sum()))
        self._gave(sheet.slot_s, Commodity.ERGON, int(sheet.grid_micro.sum()))

    def _gave(self, slot_s: int, commodity: Commodity, amount: int) -> None:
        energy_wh, micro = self.given.get(slot_s, (0, 0))
        if commodity is Commodity.ENERGY:
            self.given[slot_s] = (energy_wh + amount, micro)
        elif commodity is Commodity.ERGON:
            self.given[slot_s] = (energy_wh, micro + amount)

    def move(
        self,
        commodity: Commodity,
        source: AccountId,
        target: AccountId,
        amount: int,
        *,
        slot_s: int,
        memo: Memo,
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

    def tsl(self, account: AccountId) -> int:
        """Return an account's TSL in micro."""
        return self.accounts.balance(account, Commodity.TSL)

    def consent(self, asset: AssetId) -> Consent:
        """Return what an asset's owner agreed to: of this asset, else of all that they own, else nothing."""
        said = self.consents.get(asset)
        if said is None and asset in self.assets:
            said = self.consents_of.get(self.assets[asset].owner)
        return OFF if said is None else said

    def has_wallet(self, account: AccountId) -> bool:
        """Tell whether tokens can be an account's own: whoever trades, and is none of the books' own names."""
        return account not in SYSTEM_ACCOUNTS and any(self.keys.has_role(account, role) for role in WALLET_ROLES)

    @property
    def has_chain(self) -> bool:
        """Tell whether tokens can go out to a chain, and come back."""
        return self.keys.has_role(CHAIN_DESK, CHAIN_ROLE)

    def members(self) -> list[AccountId]:
        """Return the accounts of all members, sorted."""
        return [account for account in self.keys.accounts("member") if account != GRID]

    @property
    def horizon_s(self) -> int:
        """The start of the first slot that a reading may still correct; what lies before it decides nothing."""
        return self.settled_to_s - self.charter.correction_slots * SLOT_SECONDS

    def forget(self) -> None:
        """Let go of what no correction can reach any more; see the class."""
        horizon_s = self.horizon_s
        self.set_aside = [doubt for doubt in self.set_aside if doubt.slot_s >= horizon_s]
        if self.journal.keep:
            return
        self.readings.forget_before(horizon_s)
        self.claims.forget_before(horizon_s)
        self.slot_market.forget_before(horizon_s)
        self.contracted.book.forget_before(horizon_s)
        for by_slot in (self.prices, self.losses_wh, self.given):
            for slot_s in [slot_s for slot_s in by_slot if slot_s < horizon_s]:
                del by_slot[slot_s]
        self.stood_in = {slot_s for slot_s in self.stood_in if slot_s >= horizon_s}
        self.stated = [stated for stated in self.stated if stated.ends_s >= horizon_s]

    def _open(self, by_slot: Iterable[int]) -> list[int]:
        """Return the slots of something that can still be corrected, in order."""
        return sorted(slot_s for slot_s in by_slot if slot_s >= self.horizon_s)

    def root(self) -> bytes:
        """Return the state root: the Merkle root over the roots of the sections, in their order."""
        return merkle_root(self.sections())

    def sections(self) -> list[bytes]:
        """Return the roots that the state root is made of, see `SECTIONS` and `CHAIN_SECTIONS`."""
        if self._registry[0] != self.registry_version:
            self._registry = (self.registry_version, merkle_root(self.registry_leaves()))
        numbers = self.number_rows()
        return [
            self.journal.root(),
            self.accounts.root(),
            tree_root(leaf_hashes(numbers)) if len(numbers) else EMPTY_ROOT,
            self._registry[1],
            merkle_root(self.market_leaves()),
            merkle_root(self.readings.digests(self.horizon_s)),
            merkle_root(self.rest_leaves()),
            *([self._exits_root()] if self.has_chain else []),
        ]

    def exit_rows(self) -> NDArray[np.uint8]:
        """Return the leaves of the section ``exits``, see `exits.exit_rows`."""
        return exit_rows(self.keys, WALLET_ROLES, self.crossed)

    def _exits_root(self) -> bytes:
        made_of = self.registry_version, self.crossed.count
        if self._exits[:2] != made_of:
            self._exits = (*made_of, tree_root(leaf_hashes(self.exit_rows())))
        return self._exits[2]

    def number_rows(self) -> NDArray[np.uint8]:
        """Return each key's address and next sequence number, in order of registration; (n, 28) bytes."""
        if not len(self.keys):
            return np.empty((0, 28), np.uint8)
        addresses = bytes.fromhex("".join(record.verifying.id[2:] for record in self.keys))
        numbers = self.keys.next_seqs().astype(">i8").view(np.uint8).reshape(-1, 8)
        return np.concatenate([np.frombuffer(addresses, np.uint8).reshape(-1, 20), numbers], axis=1)

    def registry_leaves(self) -> list[bytes]:
        """Return who and what is registered, one leaf each: keys, assets, consents, and whom they trust."""
        return _leaves(
            [
                *(record.leaf() for record in self.keys),
                *({"asset": asset, "joined_s": self.joined_s[asset.id]} for asset in self.assets.values()),
                *({"asset": asset, "consents": self.consents[asset]} for asset in sorted(self.consents)),
                *({"account": owner, "consents": self.consents_of[owner]} for owner in sorted(self.consents_of)),
                *({"zone": self.zones[name]} for name in sorted(self.zones)),
                *self.trusted.leaves(),
            ]
        )

    def market_leaves(self) -> list[bytes]:
        """Return what stands in the markets: one leaf a slot, and one for each thing else."""
        return _leaves(
            [
                *self.slot_market.leaves(),
                *({"order": order} for order in self.book.orders()),
                *self.seals.leaves(),
                *({"agent_of": account, "prices": self.agents[account]} for account in sorted(self.agents)),
                *self.auctions.leaves(),
                *({"listed": self.listings[name], "reserved": name} for name in sorted(self.listings)),
            ]
        )

    def rest_leaves(self) -> list[bytes]:
        """Return everything else that decides what may happen next."""
        told = sorted(slot_s for slot_s in self.prices if slot_s >= self.horizon_s)
        return _leaves(
            [
                {"charter": self.charter, "community": self.community, "operator": self.operator},
                {"checked_s": self.checked_s, "settled_to_s": self.settled_to_s},
                *({"claim": asset, "issued_wh": wh} for asset, wh in self.claims.listing()),
                *({"minted": h, "slot_s": slot_s} for slot_s, h in self.claims.minted.digests(self.horizon_s)),
                *({"lost": h, "slot_s": slot_s} for slot_s, h in self.claims.lost.digests(self.horizon_s)),
                *({"stood_in_s": slot_s} for slot_s in sorted(self.stood_in) if slot_s >= self.horizon_s),
                *({"stated": stated.leaf()} for stated in self.stated if stated.ends_s >= self.horizon_s),
                *({"schedule": schedule} for schedule in self.schedules.values()),
                *({"asset": asset, "proposal": self.proposals[asset]} for asset in sorted(self.proposals)),
                *({"answer": answer} for answer in self.answers.values()),
                *({"set_aside": doubt} for doubt in self.set_aside if doubt.slot_s >= self.horizon_s),
                *({"given": self.given[slot_s], "slot_s": slot_s} for slot_s in self._open(self.given)),
                *({"losses_wh": self.losses_wh[slot_s], "slot_s": slot_s} for slot_s in self._open(self.losses_wh)),
                *({"price": self.prices[slot_s], "slot_s": slot_s} for slot_s in told),
                *({"archived": day, "manifest": digest} for day, digest in sorted(self.archived.items())),
                *({"sharing": self.sharing[from_s], "from_s": from_s} for from_s in sorted(self.sharing)),
                *({"imbalance": self.imbalance[slot_s], "slot_s": slot_s} for slot_s in sorted(self.imbalance)),
                *({"gain": account, "micro": micro} for account, micro in sorted((self.gains or {}).items())),
                *self.wallets.leaves(),
                *self.crossed.leaves(),
                *self.neighbours.leaves(),
                *self.contracted.leaves(self.horizon_s),
                *self.licences.leaves(),
                *self.sessions.leaves(),
            ]
        )


def _leaves(items: Iterable[object]) -> list[bytes]:
    """Return items as leaf data: RFC 8785 JSON, as msgspec writes what holds only text, whole numbers and instants."""
    return [msgspec.json.encode(item, order="sorted") for item in items]
