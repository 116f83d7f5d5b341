"""A tiny community whose log is watched, in a folder as a run leaves it, and witnesses with keys of their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from community import NAME, Community, Flow, key

from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.flows.evidence import Trust, read_trust
from commonwatt.flows.ports import LogStore
from commonwatt.flows.prove import trust_file
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.witness import WitnessKeys
from commonwatt.identity.keys import NoteKey, SigningKey
from commonwatt.ledger.checkpoint import sign_note, vkey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Kind, Outcome, Refused

NOTE = NoteKey.from_seed(b"tiny", "note")
LOG_VKEY = vkey(NAME, NOTE.public)


def witness(name: str) -> WitnessKeys:
    return WitnessKeys(name, NoteKey.from_seed(b"w", name), SigningKey.from_seed(b"w", name))


def card(keys: WitnessKeys, weight: int = 1) -> bodies.Witness:
    return bodies.Witness(note=keys.word, public=keys.signing.public.hex(), weight=weight)


ANNE, BOB, CARL = (witness(name) for name in ("anne.example", "bob.example", "carl.example"))
CARDS = tuple(map(card, (ANNE, BOB, CARL)))


def trust(cards: Sequence[bodies.Witness] = CARDS) -> str:
    return trust_file(key("operator").public, LOG_VKEY, NAME, witnesses=cards)


def trusted(cards: Sequence[bodies.Witness] = CARDS) -> Trust:
    return read_trust(trust(cards))


class Watched(Community):
    """Closes each slot with a checkpoint, signed by the log's key."""

    def __init__(self, cards: Sequence[bodies.Witness] = CARDS, store: LogStore | None = None) -> None:
        super().__init__(store=store, witnesses=tuple(cards))

    def slot(self, charge_wh: int = 0, load_wh: int = 100) -> str:
        """Let a slot pass, and return the note that closes it."""
        slot_s = self.live(anna=Flow(load_wh=load_wh, solar_wh=charge_wh, charge_wh=charge_wh))
        return self.close(slot_s)

    def close(self, slot_s: int) -> str:
        note = sign_note(self.sequencer.checkpoint(slot_s).note_text(), NAME, NOTE.private)
        assert self.ask("operator", Kind.CHECKPOINT, bodies.CheckpointBody(note=note)) is Outcome.BOOKED
        return note

    def pay_often(self, count: int) -> None:
        """Fill the log, in one commit, without changing the time."""
        wires, seq = [], self.state.keys.next_seq(key("payment").id)
        for n in range(count):
            body = bodies.PurchaseBody(account="anna", amount_micro=1, reference=f"{seq} {n}")
            wires.append(self.wire("payment", Kind.PURCHASE, body, seq=seq + n))
        assert set(self.sequencer.submit(wires, self.now_s)) == {Outcome.BOOKED}


def folder_of(path: Path, cards: Sequence[bodies.Witness] = CARDS) -> Watched:
    """Return a community whose log rests in a folder, with the keys that are passed on."""
    (path / "keys").mkdir(parents=True)
    log = SqliteLog(path / "log.sqlite", MasterKey.in_file(path / "keys" / "master.key"))
    (path / "community.pub").write_text(trust(cards))
    return Watched(cards, log)


@dataclass
class DirectLog:
    """Implements `commonwatt.flows.witness.Log` without a line; what it gives out can be bent on the way."""

    store: LogStore
    note: str = ""
    bend: Callable[[LeafRow], LeafRow] = lambda row: row
    tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)
    handed_in: list[tuple[int, str, str]] = field(default_factory=list)
    asked: int = 0
    state: bytes | None = None

    def checkpoint(self) -> str:
        return self.note

    def tile(self, level: int, index: int, width: int) -> bytes:
        return self.tiles.get((level, index), self.store.tile(level, index))[: width * 32]

    def leaves(self, first: int, limit: int) -> list[LeafRow]:
        self.asked += 1
        found = []
        for row in self.store.rows(first):
            if len(found) == limit:
                break
            found.append(self.bend(row))
        return found

    def handed(self) -> bytes:
        if self.state is None:
            raise Refused("said no", status=404)
        return self.state

    def hand_in(self, size: int, line: str, typed: str) -> None:
        self.handed_in.append((size, line, typed))
