"""The tiny community with a chain, three witnesses who stake, and everything deployed: what stories of both need."""

from pathlib import Path

from community import NAME, Flow
from crossed_town import CrossedTown
from test_handover import PaperShelf
from watched import ANNE, BOB, CARDS, CARL, NOTE, DirectLog, trusted

from chain_bank import Bank
from commonwatt.adapters.chains.attempts import AttemptFile
from commonwatt.adapters.stores.notes import NoteFile
from commonwatt.adapters.witness.memory import MemoryFile
from commonwatt.flows.anchoring import Anchor
from commonwatt.flows.chain_ports import Chain
from commonwatt.flows.crossing import CrossingDesk, bind
from commonwatt.flows.crossing_proofs import bound_proof, point_of
from commonwatt.flows.publish import Publisher
from commonwatt.flows.rulebook import State, bodies
from commonwatt.flows.sequence import replay
from commonwatt.flows.witness import Witness
from commonwatt.identity.keys import SigningKey
from commonwatt.ledger.checkpoint import Checkpoint, read_note, sign_note
from commonwatt.model import Commodity, Kind, Outcome
from on_chain import OPERATOR

WATCHERS = (ANNE, BOB, CARL)
STAKERS = tuple(sorted((one.signing for one in WATCHERS), key=lambda one: one.id))
TOKENS = (Commodity.ERGON, Commodity.WATT, Commodity.TSL)


class ChainTown(CrossedTown):
    """Closes each slot with a checkpoint, which its witnesses cosign and its operator takes to the chain."""

    def __init__(self, path: Path, *, folder: Path | None = None, bonded: int = 3, bound: bool = False) -> None:
        self.path = path
        self.bank = Bank(bonded=bonded, witnesses=STAKERS, folder=folder, bound=bound)
        super().__init__(witnesses=CARDS, vault=self.bank.vault.address)
        self.notes = NoteFile(path / "notes.sqlite")
        self.publisher = Publisher(self.store, self.notes, trusted())
        self.served = DirectLog(self.store)
        self.shelf = PaperShelf()

    def close(self) -> None:
        """Let a slot pass, and sign what it came to."""
        slot_s = self.live(anna=Flow(load_wh=100))
        note = sign_note(self.sequencer.checkpoint(slot_s).note_text(), NAME, NOTE.private)
        assert self.ask("operator", Kind.CHECKPOINT, bodies.CheckpointBody(note=note)) is Outcome.BOOKED
        self.served.note = note

    def cosign(self, count: int = 3) -> Checkpoint:
        """Have witnesses run the log again and cosign; return the checkpoint."""
        for keys in WATCHERS[:count]:
            with MemoryFile(self.path / f"{keys.name}.sqlite") as memory:
                shelf = self.shelf if keys is ANNE else None
                done = Witness(self.served, memory, keys, trusted(), lambda: 1_800_000_000, shelf=shelf).look()
                self.publisher.take(done.size, done.line, done.typed)
        return read_note(self.served.note)

    def anchor(self, chain: Chain | None = None) -> Anchor:
        attempts = AttemptFile(self.path / "attempt.json")
        return Anchor(chain or self.bank.chain, self.bank.checkpoints, OPERATOR, self.notes, CARDS, attempts)

    def desk(self, chain: Chain | None = None) -> CrossingDesk:
        desk_key = self.key("chain")
        assert isinstance(desk_key, SigningKey)
        return CrossingDesk(
            self.sequencer, desk_key, chain or self.bank.chain, self.bank.vault, self.named(), lambda: self.now_s
        )

    def named(self) -> dict[str, Commodity]:
        """Return what each token is."""
        return dict(zip(self.bank.tokens, TOKENS, strict=True))

    def at(self, point: Checkpoint) -> State:
        """Return the state of a checkpoint, as anybody who has the log reaches it."""
        return replay(self.rows()[: point.size], NAME).state

    def final(self) -> tuple[State, Checkpoint]:
        """Close a slot, have it cosigned and anchored; return the state that is final."""
        self.close()
        point = self.cosign()
        self.anchor().round()
        assert self.bank.ask(self.bank.checkpoints, "is_final", point_of(point))
        state = self.at(point)
        bind(self.bank.chain, self.bank.vault, OPERATOR, bound_proof(state, point))
        return state, point
