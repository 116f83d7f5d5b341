"""Two communities with ledgers of their own, and operators who sign documents and carry proofs to each other."""

from functools import cache
from typing import Any

from community import Community, Flow, Noted
from msgspec import structs

from commonwatt.flows.interchange_words import prove_word, sign_document
from commonwatt.flows.rulebook.market.interchange import interchange_bodies as bodies
from commonwatt.flows.rulebook.snapshot import dump
from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.flows.sequence import Sequencer, replay
from commonwatt.identity.keys import NoteKey, SigningKey
from commonwatt.ledger.checkpoint import sign_note, vkey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.model import Commodity, Kind, Outcome, neighbour_account
from commonwatt.simulator.world import salts

SUNNY = Flow(solar_wh=1_000, charge_wh=1_000)
"""A clean charge: 900 Wh are stored, 810 WATT are minted."""
PRICE, WHEELING = 200_000, 10_000
LASTS_S = 3_600


@cache
def town_key(town: str, who: str) -> SigningKey:
    return SigningKey.from_seed(town.encode(), who)


@cache
def note_key(town: str) -> NoteKey:
    return NoteKey.from_seed(town.encode(), "note")


class Town(Community):
    """A community whose anna has WATT, and whose ben has money."""

    def __init__(self, name: str, homes: int = 2, **more: Any) -> None:
        super().__init__(homes, name=name, journal=Noted(), **more)
        self.live(anna=SUNNY)
        self.leaves = MerkleTree()
        self.word_of: dict[int, LeafRow] = {}

    def key(self, who: str) -> SigningKey:
        return town_key(self.name, who)

    def knows(self, other: str, **more: Any) -> Outcome:
        given: dict[str, Any] = {
            "community": other,
            "operator": town_key(other, "operator").public.hex(),
            "note": vkey(other, note_key(other).public),
            "most_wh": 10_000,
            "most_micro": 10**9,
        }
        return self.say(bodies.RegisterNeighbour(**(given | more)))

    def say(self, body: bodies.InterchangeBody) -> Outcome:
        return self.ask("operator", Kind.INTERCHANGE, body)

    def reserve(self, who: str, document: bodies.Document) -> str:
        """Let a member agree to a document, as seller or buyer; return the reservation's name."""
        told, name = document.read(), str(len(self.sequencer.tree))
        watt = wallets.InReturn(commodity=Commodity.WATT, amount=told.energy_wh)
        money = wallets.InReturn(commodity=Commodity.ERGON, amount=max(1, told.cost_micro))
        sells = document.giver == self.name
        body = wallets.Reserve(
            target="operator",
            commodity=Commodity.WATT if sells else Commodity.ERGON,
            amount=told.energy_wh if sells else told.cost_micro + told.fee_micro,
            until_s=self.now_s + LASTS_S,
            against=money if sells else watt,
        )
        assert self.ask(who, Kind.TRANSFER, body) is Outcome.BOOKED
        return name

    def word(self, number: int) -> LeafRow | None:
        """Return the leaf by which this log spoke about a number."""
        for row in self.rows():
            text = row.body.decode()
            speaks = '"what":"prepare"' in text or '"what":"refuse"' in text
            if row.outcome is Outcome.BOOKED and speaks and f'"number":{number},' in text.replace("}", ","):
                return row
        return None

    def signed_note(self) -> str:
        return sign_note(self.sequencer.checkpoint(self.slot_s).note_text(), self.name, note_key(self.name).private)

    def proof(self, row: LeafRow) -> bodies.Proof:
        """Prove a leaf of this log under a checkpoint over all there is."""
        for other in list(self.store.rows(len(self.leaves))):
            self.leaves.append(other.data())
        return prove_word(row, self.leaves, self.signed_note(), len(self.leaves))

    def hear(self, other: str, number: int, proof: bodies.Proof) -> Outcome:
        return self.say(bodies.Decide(community=other, number=number, proof=proof))

    def restart(self, *, snapshot: bool) -> None:
        """Kill the writer and begin again from the log."""
        root = self.state.root()
        if snapshot:
            kept = replay(self.store.rows(), self.name)
            self.store.save_snapshot(self.store.size, dump(kept.state, self.now_s, kept.tree.root()))
        self.sequencer.close()
        self.sequencer = Sequencer(self.store, self.name, salts("tiny"))
        assert self.state.root() == root

    def owed(self, other: str, commodity: Commodity) -> int:
        return self.state.accounts.balance(neighbour_account(other), commodity)

    def held(self, other: str) -> int:
        account = neighbour_account(f"{other}:held")
        return sum(self.state.accounts.balance(account, commodity) for commodity in Commodity)


def towns(**more: Any) -> tuple[Town, Town]:
    """Return two communities that know each other."""
    east, west = Town("east", **more), Town("west", **more)
    assert east.knows("west") is Outcome.BOOKED
    assert west.knows("east") is Outcome.BOOKED
    return east, west


def document(number: int = 1, **more: Any) -> bodies.Document:
    """Return what east's anna gives west's ben."""
    given: dict[str, Any] = {
        "number": number,
        "giver": "east",
        "taker": "west",
        "seller": "anna",
        "buyer": "ben",
        "energy_wh": 100,
        "price_micro_per_kwh": PRICE,
        "wheeling_micro_per_kwh": WHEELING,
        "decide_by_s": 1_800_000_000,
    }
    return bodies.Document(**(given | more))


def prepare(told: bodies.Document, reservation: str | None = None, **changed: Any) -> bodies.Prepare:
    """Return a document that both operators signed, as either log takes it."""
    signed = {
        side: sign_document(told.read(), town_key(getattr(told, side), "operator")) for side in ("giver", "taker")
    }
    return structs.replace(
        bodies.Prepare(
            document=told,
            giver_signature=signed["giver"],
            taker_signature=signed["taker"],
            reservation=reservation,
        ),
        **changed,
    )


def agreed(east: Town, west: Town, told: bodies.Document) -> tuple[bodies.Prepare, bodies.Prepare]:
    """Let both members agree to a document; return what each log is asked to prepare."""
    return prepare(told, east.reserve("anna", told)), prepare(told, west.reserve("ben", told))
