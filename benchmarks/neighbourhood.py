"""A neighbourhood that lives through recorded slots on the production log, and the proof that its bills add up."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from commonwatt.flows.billing import make_bill
from commonwatt.flows.desk import Desk
from commonwatt.flows.onboard import OPERATOR, Cast, Charter, onboard
from commonwatt.flows.ports import LogStore
from commonwatt.flows.replay import Replayed, replay
from commonwatt.flows.rulebook import State, bodies
from commonwatt.flows.rulebook.market.order_bodies import SlotOrder
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import NoteKey, SigningKey, sign_request
from commonwatt.ledger.checkpoint import sign_note
from commonwatt.ledger.leaf import LeafRow
from commonwatt.market.agents import slot_order
from commonwatt.metering.batch import Item, encode_items
from commonwatt.model import (
    GRID,
    IMBALANCE,
    LOSSES,
    MARKET,
    MICRO,
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Commodity,
    CommunityId,
    GatewayId,
    Kind,
    Outcome,
    Request,
)
from commonwatt.settlement.bill import Bill
from commonwatt.simulator.home import Flow, Home
from commonwatt.simulator.world import salts

NAME, SEED = "neighbourhood", b"neighbourhood"
PREPAID_MICRO = 200 * MICRO
ORDERED_AFTER_S = 30


@dataclass(slots=True)
class House:
    """A recorded home: its connection, roof and battery behind one gateway; ``told`` is what its meters said last.

    It runs its battery greedily (`Home`), and offers or asks for the slot what flowed in the slot before.
    """

    account: AccountId
    home: Home
    told: dict[AssetId, Flow] = field(default_factory=dict)

    @property
    def gateway(self) -> GatewayId:
        """Return the number of its gateway."""
        return self.home.assets[AssetKind.CONNECTION].gateway

    def line(self) -> Flow:
        """Return what its connection counted last."""
        return self.told[self.home.assets[AssetKind.CONNECTION].id]


@dataclass(slots=True, kw_only=True)
class Neighbourhood:
    """Houses behind one feeder."""

    houses: Sequence[House]
    sequencer: Sequencer
    prices: Mapping[int, tuple[int, int]]
    seed: bytes = SEED
    metered: dict[int, dict[AccountId, tuple[int, int]]] = field(default_factory=lambda: defaultdict(dict))
    outcomes: Counter[Outcome] = field(default_factory=Counter)

    @property
    def state(self) -> State:
        """Return the live state."""
        return self.sequencer.state

    def found(self, slot_s: int, settlement: SettlementTerms, b_max_wh: int) -> None:
        """Register everyone and everything, tell all prices, and pay in."""
        feeder = GatewayId("gw-feeder")
        most_w = sum(house.home.assets[AssetKind.CONNECTION].max_import_w for house in self.houses)
        meter = Asset(
            id=AssetId("feeder"),
            owner=GRID,
            gateway=feeder,
            kind=AssetKind.FEEDER,
            zone="street",
            max_import_w=most_w,
            max_export_w=most_w,
        )
        charter = Charter(
            timezone="UTC",
            b_max_wh=b_max_wh,
            grace_slots=4,
            correction_slots=96,
            gate_s=60,
            assets=[meter, *(asset for house in self.houses for asset in house.home.assets.values())],
            gateways={name: self.key(name).public for name in (feeder, *(house.gateway for house in self.houses))},
            prepaid_micro=PREPAID_MICRO,
            dso=(),
            settlement=settlement,
        )
        self.submit(onboard(self.state, self._cast(), charter, slot_s), slot_s)
        desk, told = Desk(self.state), sorted(self.prices)
        for first in range(0, len(told), 400):
            some = told[first : first + 400]
            fact = bodies.FactBody(start_s=some[0], prices=[self.prices[at] for at in some])
            desk.write(self.key("oracle"), AccountId("oracle"), Kind.FACT, fact)
        self.submit(desk.wires, slot_s)

    def live(self, slot_s: int) -> None:
        """Let one slot pass: orders, the meters' signed word, a checkpoint."""
        if not self.state.charter.settlement.ex_post:
            self._order(slot_s)
        wires, net_wh = [], 0
        for house in self.houses:
            house.told = house.home.step(slot_s, {})
            line = house.line()
            net_wh += line.import_wh - line.export_wh
            self.metered[slot_s][house.account] = (line.import_wh, line.export_wh)
            wires.append(self._readings(house.gateway, slot_s, list(house.told.items())))
        counted = Flow(max(0, net_wh), max(0, -net_wh))
        wires.append(self._readings(GatewayId("gw-feeder"), slot_s, [(AssetId("feeder"), counted)]))
        self.submit(wires, slot_s + SLOT_SECONDS)
        if (slot_s // SLOT_SECONDS) % 96 == 95:
            desk = Desk(self.state)
            note = sign_note(self.sequencer.checkpoint(slot_s).note_text(), NAME, self._cast().note.private)
            desk.write(self.key("operator"), OPERATOR, Kind.CHECKPOINT, bodies.CheckpointBody(note=note))
            self.submit(desk.wires, slot_s + SLOT_SECONDS)

    def submit(self, wires: list[bytes], stamped_s: int) -> None:
        """Hand requests to the log; each must be taken, though an order may be refused."""
        outcomes = self.sequencer.submit(wires, stamped_s)
        self.outcomes.update(outcomes)
        assert {*outcomes} <= {Outcome.BOOKED, Outcome.NOT_BACKED}

    def key(self, name: str) -> SigningKey:
        """Return somebody's key."""
        return SigningKey.from_seed(self.seed, name)

    def _order(self, slot_s: int) -> None:
        desk = Desk(self.state)
        for house in self.houses:
            if house.told:
                line = house.line()
                wish = slot_order(line.import_wh - line.export_wh, *self.prices[slot_s])
                if wish:
                    side, energy_wh, price = wish
                    body = SlotOrder(side=side, energy_wh=energy_wh, price_micro_per_kwh=price, slot_s=slot_s)
                    desk.write(self.key(house.account), house.account, Kind.ORDER, body)
        self.submit(desk.wires, slot_s + ORDERED_AFTER_S)

    def _readings(self, gateway: GatewayId, slot_s: int, flows: list[tuple[AssetId, Flow]]) -> bytes:
        behind = self.state.gateways[gateway].assets
        items = [
            Item(
                start_s=slot_s,
                register=behind.index(asset),
                import_wh=flow.import_wh,
                export_wh=flow.export_wh,
                level_wh=flow.level_wh,
            )
            for asset, flow in sorted(flows, key=lambda told: behind.index(told[0]))
        ]
        packed, signer = encode_items(items), self.key(gateway)
        request = Request(
            community=CommunityId(NAME),
            kind=Kind.READING_BATCH,
            author=signer.id,
            seq=self.state.keys.next_seq(signer.id),
            on_behalf_of=AccountId(gateway),
            body=bodies.write_body(bodies.batch_head(gateway, packed)),
            items=packed,
        )
        return sign_request(request, signer).wire_bytes()

    def _cast(self) -> Cast:
        roles = {role: self.key(role) for role in ("operator", "planner", "oracle", "dso", "payment")}
        members = {house.account: self.key(house.account) for house in self.houses}
        return Cast(note=NoteKey.from_seed(self.seed, "note"), members=members, **roles)


def neighbourhood(houses: Sequence[House], store: LogStore, prices: Mapping[int, tuple[int, int]]) -> Neighbourhood:
    """Return a neighbourhood that has not been founded yet."""
    return Neighbourhood(houses=houses, sequencer=Sequencer(store, NAME, salts(NAME)), prices=prices)


def proven(lived: Neighbourhood, rows: Iterator[LeafRow], first_s: int, end_s: int) -> tuple[Replayed, list[Bill]]:
    """Replay a log from zero, hold its books against the meters slot by slot, and every bill against both.

    Raises:
        AssertionError: Something does not add up.
    """
    found = replay(rows, NAME, keep=True)
    assert found.state.root() == lived.state.root()
    assert found.state.settled_to_s == end_s
    _slots_sum_to_zero(lived, found.state, first_s, end_s)
    bills = [make_bill(found.state, house.account, first_s) for house in lived.houses]
    _bills_add_up(lived, found.state, bills)
    return found, bills


def _slots_sum_to_zero(lived: Neighbourhood, state: State, first_s: int, end_s: int) -> None:
    moved: dict[tuple[int, Commodity], Counter[AccountId]] = defaultdict(Counter)
    for entry in state.entries:
        moved[entry.slot_s, entry.commodity][entry.source] -= entry.amount
        moved[entry.slot_s, entry.commodity][entry.target] += entry.amount
    for slot_s in range(first_s, end_s, SLOT_SECONDS):
        energy, money = moved[slot_s, Commodity.ENERGY], moved[slot_s, Commodity.ERGON]
        assert sum(energy.values()) == sum(money.values()) == sum(moved[slot_s, Commodity.WATT].values()) == 0
        assert energy[MARKET] == energy[IMBALANCE] == energy[LOSSES] == money[MARKET] == 0
        for account, (import_wh, export_wh) in lived.metered[slot_s].items():
            assert energy[account] == import_wh - export_wh, "the meter is final"
        assert -energy[GRID] == sum(into - out for into, out in lived.metered[slot_s].values())


def _bills_add_up(lived: Neighbourhood, state: State, bills: Sequence[Bill]) -> None:
    named: Counter[int] = Counter()
    for told in bills:
        gains = {
            number: entry.amount * ((entry.target == told.account) - (entry.source == told.account))
            for number, entry in enumerate(state.entries)
            if entry.commodity is Commodity.ERGON and told.account in (entry.source, entry.target)
        }
        for line in told.lines:
            assert line.amount_micro == -sum(gains.get(number, 0) for number in line.entries)
            named.update(line.entries)
        assert told.purchases_micro - told.total_micro == state.ergon(told.account)
        metered = [slot[told.account] for slot in lived.metered.values()]
        assert told.import_wh == sum(import_wh for import_wh, _ in metered)
        assert told.export_wh == sum(export_wh for _, export_wh in metered)
    accounts = {told.account for told in bills}
    for number, entry in enumerate(state.entries):
        if entry.commodity is not Commodity.TSL and entry.memo != "purchase":
            assert named[number] == len(accounts & {entry.source, entry.target}), "each side's bill names it once"
