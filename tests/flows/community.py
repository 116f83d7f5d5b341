"""A tiny community on paper: a few homes behind one feeder, and a pen for everyone who signs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
from msgspec import Struct

from commonwatt.flows.ports import LogStore
from commonwatt.flows.rulebook import State, bodies
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms
from commonwatt.flows.sequence import Sequencer, replay
from commonwatt.identity.keys import RequestSigner, SigningKey, sign_request
from commonwatt.kernels.slot_orders import SELLS
from commonwatt.ledger.accounts import Accounts
from commonwatt.ledger.journal import Journal
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.ledger.sheet import Sheet
from commonwatt.market.order_batch import ORDER_DTYPE
from commonwatt.metering.batch import Flag, Item, Quality, encode_items
from commonwatt.model import (
    MICRO,
    SLOT_SECONDS,
    AccountId,
    AssetId,
    AssetKind,
    Commodity,
    CommunityId,
    ConsentMode,
    Entry,
    GatewayId,
    Kind,
    Outcome,
    Request,
    Side,
    Verb,
    epoch,
)
from commonwatt.simulator.paper import PaperLog
from commonwatt.simulator.world import salts

NAME = "tiny"
NOON = epoch(datetime(2026, 6, 1, 12, tzinfo=UTC))
MEMBERS = ("anna", "ben", "cleo")
ROLES = {"planner": "planner", "oracle": "oracle", "dso": "grid", "payment": "payment"}
IMPORT, EXPORT = 300_000, 100_000
"""What the grid takes and gives, micro per kWh."""
PREPAID = 5 * MICRO
CAPACITY_WH = 10_000
EFFICIENCY = 900
"""One way, in thousandths: of a clean 1,000 Wh 900 are stored and 810 come out again."""
LIMIT_W = 20_000
LAPSE = SettlementTerms()
"""Trades that are not delivered lapse, and nothing is shared."""


@cache
def key(who: str) -> SigningKey:
    """Return somebody's key: a role's, a member's, or a gateway's by its number."""
    return SigningKey.from_seed(b"tiny", who)


def gateway(member: str) -> str:
    return f"gw-{member}"


@dataclass(frozen=True, kw_only=True)
class Flow:
    """What happens in one home in one slot, Wh."""

    load_wh: int = 0
    solar_wh: int = 0
    charge_wh: int = 0
    discharge_wh: int = 0

    @property
    def net_wh(self) -> int:
        return self.load_wh - self.solar_wh + self.charge_wh - self.discharge_wh


@dataclass(frozen=True)
class Roots:
    """All that a refused request must leave as it was."""

    leaves: int
    log: bytes
    state: bytes


class Noted(Journal):
    """A journal that keeps no entries, as a live one, while a test takes notes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[Entry] = []

    def append(self, entry: Entry) -> None:
        self.noted.append(entry)
        super().append(entry)

    def append_sheet(self, sheet: Sheet, accounts: Accounts) -> None:
        self.noted += sheet.entries(accounts)
        super().append_sheet(sheet, accounts)


class Community:
    """Founded at noon: everyone registered, every asset claimed and agreed to, prices told, money paid in."""

    name: str = NAME

    def __init__(
        self,
        homes: int = 2,
        *,
        store: LogStore | None = None,
        journal: Journal | None = None,
        b_max_wh: int = 5_000,
        grace_slots: int = 2,
        gate_s: int = 60,
        correction_slots: int = 96,
        prepaid_micro: int = PREPAID,
        priced_slots: int = 96,
        witnesses: tuple[bodies.Witness, ...] = (),
        name: str = NAME,
        settlement: SettlementTerms = LAPSE,
        **terms: Any,
    ) -> None:
        self.name = name
        self.members = MEMBERS[:homes]
        self.store = PaperLog() if store is None else store
        self.sequencer = Sequencer(self.store, name, salts("tiny"))
        self.sequencer.state.journal = journal or self.state.journal
        self.now_s = NOON
        self._booked: tuple[int, list[Entry]] = (0, [])
        self.levels_wh = dict.fromkeys(self.members, 0)
        charter = bodies.RegisterCommunity(
            public=self.key("operator").public.hex(),
            timezone="Europe/London",
            b_max_wh=b_max_wh,
            grace_slots=grace_slots,
            gate_s=gate_s,
            correction_slots=correction_slots,
            witnesses=witnesses,
            **terms,
            settlement=settlement,
        )
        founded = [
            self.ask("operator", Kind.REGISTER, charter),
            *(self.register_key(role, role, account) for role, account in ROLES.items()),
            *(self.register_key(member, "member", member) for member in self.members),
            *(self.register_gateway(gateway(name)) for name in ("feeder", *self.members)),
            self.claim("dso", "feeder", AssetKind.FEEDER, gateway="gw-feeder"),
        ]
        for member in self.members:
            founded += self._move_in(member)
            if prepaid_micro:
                founded.append(self.pay(member, prepaid_micro, f"first {member}"))
        if priced_slots:
            founded.append(self.tell_prices(NOON, [(IMPORT, EXPORT)] * priced_slots))
        assert set(founded) == {Outcome.BOOKED}

    def _move_in(self, member: str) -> list[Outcome]:
        return [
            self.claim(member, f"{member}-home", AssetKind.CONNECTION),
            self.claim(member, f"{member}-solar", AssetKind.SOLAR),
            self.claim(
                member,
                f"{member}-battery",
                AssetKind.BATTERY,
                capacity_wh=CAPACITY_WH,
                charge_permille=EFFICIENCY,
                discharge_permille=EFFICIENCY,
            ),
            self.agree(member, f"{member}-battery"),
        ]

    def key(self, who: str) -> RequestSigner:
        """Return somebody's key in this community."""
        return key(who)

    @property
    def state(self) -> State:
        return self.sequencer.state

    @property
    def slot_s(self) -> int:
        return self.now_s // SLOT_SECONDS * SLOT_SECONDS

    def roots(self) -> Roots:
        tree = self.sequencer.tree
        return Roots(len(tree), tree.root(), self.state.root())

    def rows(self) -> list[LeafRow]:
        return list(self.store.rows())

    def ergon(self, account: str) -> int:
        return self.state.ergon(AccountId(account))

    def watt(self, account: str) -> int:
        return self.state.watt(AccountId(account))

    def booked(self) -> list[Entry]:
        """Return all entries, from a replay that keeps them and must reach the roots that were lived."""
        if self._booked[0] != self.store.size:
            found = replay(self.rows(), self.name, keep=True)
            assert (found.tree.root(), found.state.root()) == (self.roots().log, self.roots().state)
            self._booked = (self.store.size, found.state.entries)
        return self._booked[1]

    def tree(self) -> MerkleTree:
        """Return the log's tree with all its hashes."""
        return replay(self.rows(), self.name, keep=True).whole_tree()

    def entries(self, memo: str, commodity: Commodity | None = None) -> list[tuple[str, str, int]]:
        """Return source, target and amount of the entries with a memo."""
        return [
            (entry.source, entry.target, entry.amount)
            for entry in self.booked()
            if entry.memo == memo and commodity in (None, entry.commodity)
        ]

    def moved(self, account: str, commodity: Commodity, slot_s: int) -> int:
        """Return what one slot's entries added to an account."""
        booked = [entry for entry in self.booked() if entry.slot_s == slot_s and entry.commodity is commodity]
        return sum(gain(entry, account) for entry in booked)

    def balances(self) -> list[tuple[str, str, int]]:
        """Return every balance that is not zero."""
        return list(self.state.accounts.balances())

    def wire(
        self,
        who: str,
        kind: Kind,
        body: Struct | Mapping[str, object],
        *,
        account: str | None = None,
        seq: int | None = None,
        community: str | None = None,
        items: bytes = b"",
    ) -> bytes:
        """Return a signed request; number and account are the signer's own where none are given."""
        request = Request(
            community=CommunityId(community or self.name),
            kind=kind,
            author=self.key(who).id,
            seq=self.state.keys.next_seq(self.key(who).id) if seq is None else seq,
            on_behalf_of=AccountId(account or ROLES.get(who, who)),
            body=bodies.write_body(body) if isinstance(body, Struct) else body,
            items=items,
        )
        return sign_request(request, self.key(who)).wire_bytes()

    def send(self, wire: bytes) -> Outcome:
        (outcome,) = self.sequencer.submit([wire], self.now_s)
        return outcome

    def ask(self, who: str, kind: Kind, body: Struct, account: str | None = None) -> Outcome:
        return self.send(self.wire(who, kind, body, account=account))

    def register_key(self, name: str, role: str, account: str, by: str = "operator") -> Outcome:
        body = bodies.RegisterKey(public=self.key(name).public.hex(), alg="secp256k1", role=role, account=account)
        return self.ask(by, Kind.REGISTER, body)

    def register_gateway(self, number: str, by: str = "operator") -> Outcome:
        key = self.key(number)
        body = bodies.RegisterGateway(gateway=number, public=key.public.hex(), alg=key.alg)
        return self.ask(by, Kind.REGISTER, body)

    def claim(self, who: str, asset: str, kind: AssetKind, **limits: int | str) -> Outcome:
        fields = {"gateway": gateway(who), "zone": "lane", "max_import_w": LIMIT_W, "max_export_w": LIMIT_W} | limits
        fields = {"register": len(self.behind(str(fields["gateway"])))} | fields
        return self.ask(who, Kind.REGISTER, bodies.RegisterAsset(asset=asset, asset_kind=kind, **fields))

    def behind(self, number: str) -> list[AssetId]:
        """Return the assets behind a gateway, in order of their registers."""
        known = self.state.gateways.get(GatewayId(number))
        return known.assets if known else []

    def agree(self, member: str, asset: str, *, standing: bool = True) -> Outcome:
        mode = ConsentMode.ALWAYS if standing else ConsentMode.OFF
        return self.ask(member, Kind.CONSENT, bodies.ConsentBody(asset=asset, mode=mode))

    def state_that(self, who: str, text: str) -> Outcome:
        return self.ask(who, Kind.CONSTRAINT, bodies.ConstraintBody(text=text, said_s=self.now_s))

    def pay(self, member: str, amount_micro: int, reference: str) -> Outcome:
        body = bodies.PurchaseBody(account=member, amount_micro=amount_micro, reference=reference)
        return self.ask("payment", Kind.PURCHASE, body)

    def tell_prices(self, start_s: int, prices: Sequence[tuple[int, int]]) -> Outcome:
        return self.ask("oracle", Kind.FACT, bodies.FactBody(start_s=start_s, prices=list(prices)))

    def schedule(self, asset: str, *entries: bodies.InstructionItem, by: str = "planner") -> Outcome:
        body = bodies.ScheduleBody(asset=asset, issued_s=self.now_s, instructions=list(entries))
        return self.ask(by, Kind.SCHEDULE, body)

    def order(
        self, member: str, side: Side, energy_wh: int, price: int | None, slot_s: int | None = None, **likes: Any
    ) -> Outcome:
        """Order in a slot's market, or without slot in the WATT book."""
        return self.ask(member, Kind.ORDER, order_body(side, energy_wh, price, slot_s, **likes))

    def report(
        self,
        number: str,
        slot_s: int,
        told: Mapping[str, tuple[int, ...]],
        by: str | None = None,
        flags: Flag = Flag.NONE,
        quality: Quality = Quality.MEASURED,
    ) -> Outcome:
        """Sign readings: import, export and, where it stores, level, by asset."""
        return self.send(self.reading(number, slot_s, told, by, flags, quality))

    def reading(
        self,
        number: str,
        slot_s: int,
        told: Mapping[str, tuple[int, ...]],
        by: str | None = None,
        flags: Flag = Flag.NONE,
        quality: Quality = Quality.MEASURED,
    ) -> bytes:
        """Return a signed batch; what stands behind no register of this gateway comes from the first that is free."""
        names, behind = ("import_wh", "export_wh", "level_wh"), self.behind(number)
        registers = {asset: behind.index(asset) if asset in behind else len(behind) for asset in told}
        items = [
            Item(
                start_s=slot_s,
                register=registers[asset],
                flags=flags,
                quality=quality,
                **dict(zip(names, told[asset], strict=False)),
            )
            for asset in sorted(told, key=registers.__getitem__)
        ]
        return self.batch(number, encode_items(items), by or number)

    def orders(self, member: str, *records: tuple[int, int, int, int], partner: str | None = None) -> Outcome:
        """Sign a batch of orders: slot, Wh (below zero to sell), price, and flags beside the side."""
        packed = np.zeros(len(records), ORDER_DTYPE)
        for n, (slot_s, wh, price, flags) in enumerate(records):
            packed[n] = (slot_s, abs(wh), price, 0, 0, flags | SELLS * (wh < 0), 0)
        items = packed.tobytes()
        return self.send(self.wire(member, Kind.ORDER_BATCH, bodies.orders_head(items, partner), items=items))

    def batch(self, number: str, items: bytes, by: str | None = None) -> bytes:
        """Return a signed batch of packed records."""
        return self.wire(by or number, Kind.READING_BATCH, bodies.batch_head(number, items), items=items)

    def home(self, member: str, flow: Flow) -> dict[str, tuple[int, ...]]:
        """Return what an honest home's meters tell of a slot; its battery's level moves on with it."""
        self.levels_wh[member] += flow.charge_wh * EFFICIENCY // 1000 - -(-flow.discharge_wh * 1000 // EFFICIENCY)
        return {
            f"{member}-home": (max(0, flow.net_wh), max(0, -flow.net_wh)),
            f"{member}-solar": (0, flow.solar_wh),
            f"{member}-battery": (flow.charge_wh, flow.discharge_wh, self.levels_wh[member]),
        }

    def feeder(self, net_wh: int) -> dict[str, tuple[int, ...]]:
        return {"feeder": (max(0, net_wh), max(0, -net_wh))}

    def live(self, *, silent: Iterable[str] = (), **flows: Flow) -> int:
        """Let the slot pass; all meters report at its end. Return the slot's start."""
        slot_s, quiet = self.slot_s, {*silent}
        self.now_s = slot_s + SLOT_SECONDS
        homes = {member: self.home(member, flows.get(member, Flow())) for member in self.members}
        wires = [self.reading(gateway(m), slot_s, told) for m, told in homes.items() if m not in quiet]
        if "feeder" not in quiet:
            net_wh = sum(flow.net_wh for flow in flows.values())
            wires.append(self.reading("gw-feeder", slot_s, self.feeder(net_wh)))
        assert {*self.sequencer.submit(wires, self.now_s)} <= {Outcome.BOOKED}
        return slot_s


def order_body(
    side: Side, energy_wh: int, price: int | None, slot_s: int | None = None, **likes: Any
) -> order_bodies.OrderBody:
    """Return an order in a slot's market, or without slot in the WATT book."""
    told = {"side": side, "energy_wh": energy_wh, "price_micro_per_kwh": price, **likes}
    if slot_s is None:
        return order_bodies.WattOrder(**told)
    return order_bodies.SlotOrder(slot_s=slot_s, **told)


def instruction(power_w: int, start_s: int = NOON, end_s: int = NOON + SLOT_SECONDS) -> bodies.InstructionItem:
    verb = Verb.START_CHARGE if power_w > 0 else Verb.SUPPLY
    return bodies.InstructionItem(
        verb=verb, start_s=start_s, end_s=end_s, power_w=power_w, expected_wh=power_w // 4, reason="a test"
    )


def gain(entry: Entry, account: str) -> int:
    """Return what an entry adds to an account."""
    return entry.amount * ((entry.target == account) - (entry.source == account))


def battery(member: str) -> AssetId:
    return AssetId(f"{member}-battery")
