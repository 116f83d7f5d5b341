"""A whole community in one thread and one seed: clock, network, disk, crashes, witnesses, and people of every kind.

``python tests/simulation/tell.py SEED`` runs one seed and prints the hash of its trace, or how it failed. Nothing here
looks at the time, at the machine's chance or at a socket, so a seed is a story that can be told again.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from random import Random

from community import MEMBERS, NAME, NOON, Community, Flow, gateway, key
from founding import CARDS, KEYS, LIAR, WEIGHTS, copied, founded
from parts import Disk, Handle, Line, Notebook, PowerCutError, covers, replay_answer
from people import EVENTS, Person, reading, wish
from watched import LOG_VKEY, NOTE, trusted

from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.sequence import Sequencer
from commonwatt.flows.witness import FraudProven, Promise, Witness, WitnessKeys
from commonwatt.ledger.checkpoint import Checkpoint, sign_note, split_note
from commonwatt.ledger.cosign import cosignature_line, verify_fraud_proof, weight
from commonwatt.model import SLOT_SECONDS, Commodity, Kind, Outcome, Refused
from commonwatt.simulator.world import salts

PEOPLE = (*MEMBERS[:2], "payment", *map(gateway, ("feeder", *MEMBERS[:2])))
STEPS = 120


@dataclass
class Watcher:
    """One witness: what it is, what outlives it, and whether it tells the truth."""

    keys: WitnessKeys
    line: Line
    memory: Notebook = field(default_factory=Notebook)
    witness: Witness | None = None


class World:
    """One seed's story; `run` tells it to its end and holds everything that must be true after every step."""

    def __init__(self, seed: int) -> None:
        self.chance, self.trace = Random(seed), sha256()
        self.lying, self.forks = self.chance.random() < 0.3, self.chance.random() < 0.25
        self.breaks = self.chance.choice((0.0, 0.1, 0.3))
        self.disk, self.clock_s, self.fraud = Disk(copied(founded())), NOON, ""
        self.notes: list[str] = []
        self.points: dict[int, Checkpoint] = {}
        self.answers: dict[bytes, Outcome] = {}
        self.stood: list[bytes] = []
        self.flying: list[bytes] = []
        self.dead: list[Handle] = []
        self.cosigned: dict[int, set[str]] = {}
        self.pen: Community = Community.__new__(Community)
        self.pen.members = MEMBERS[:2]
        self.pen.levels_wh = dict.fromkeys(self.pen.members, 0)
        self._wake()
        next_seq = self.pen.state.keys.next_seq
        self.people = [Person(name, next_seq(key(name).id)) for name in PEOPLE]
        self.watchers = [Watcher(keys, Line(self.disk, self.notes, self.chance, self.breaks)) for keys in KEYS]
        self.other: Sequencer | None = None
        self.other_notes: list[str] = []

    def run(self) -> str:
        """Return the hash of all that happened.

        Raises:
            AssertionError: Something was not true that must be.
        """
        for step in range(STEPS):
            do = self.chance.choices(list(EVENTS), list(EVENTS.values()))[0]
            self._note(step, do)
            getattr(self, do)()
            self._check()
            if self.forks and step == STEPS // 2:
                self._fork()
        self._settle()
        return self.trace.hexdigest()

    # What happens.

    def somebody_asks(self) -> None:
        person = self.chance.choice(self.people)
        wire = self._wish(person.name, person.next_seq)
        person.waiting[person.next_seq] = wire
        person.next_seq += 1
        self._send(wire)

    def somebody_asks_again(self) -> None:
        person = self.chance.choice(self.people)
        for _, wire in sorted(person.waiting.items())[: self.chance.randint(1, 3)]:
            self._send(wire)

    def somebody_says_two_things(self) -> None:
        """Sign two requests under one number: one of them may stand, and which one is never in doubt."""
        person = self.chance.choice(self.people)
        one, other = (self._wish(person.name, person.next_seq) for _ in range(2))
        person.waiting[person.next_seq] = one
        person.next_seq += 1
        self.flying += [one, other]

    def something_strange_comes(self) -> None:
        old = self.chance.choice([*self.answers, b"never asked"])
        at = self.chance.randrange(len(old))
        person = self.chance.choice(self.people)
        ahead = person.next_seq + self.chance.randint(1, 5)
        self.flying.append(
            self.chance.choice(
                (
                    old,
                    old[:at],
                    old[:at] + bytes([old[at] ^ 1 << self.chance.randrange(8)]) + old[at + 1 :],
                    self.chance.randbytes(at % 50),
                    self._wish(person.name, ahead),
                    self.pen.wire("stranger", Kind.CANCEL, order_bodies.CancelBody(order="x"), seq=1),
                    self.pen.wire(
                        "anna", Kind.CANCEL, order_bodies.CancelBody(order="x"), seq=1, community="elsewhere"
                    ),
                )
            )
        )

    def requests_arrive(self) -> None:
        """Let some of what flies arrive, in any order; decide it in one batch, and let some answers arrive."""
        self.chance.shuffle(self.flying)
        count = self.chance.randint(1, 6)
        batch, self.flying = self.flying[:count], self.flying[count:]
        self._submit(batch)

    def the_clock_is_wrong(self) -> None:
        """Let it jump ahead, stand, or go back; the log's own time never does."""
        self.clock_s += self.chance.choice((0, 1, 300, 900, 2_700, 90_000, -1, -900, -80_000))
        if self.clock_s < self.pen.sequencer.last_s:
            before = self._roots()
            try:
                self.pen.sequencer.submit(self.flying[:1], self.clock_s)
            except Refused as refused:
                assert "backwards" in str(refused)
            else:
                raise AssertionError("the log's time went back")
            assert self._roots() == before
            if self.chance.random() < 0.7:
                self.clock_s = self.pen.sequencer.last_s

    def time_passes(self) -> None:
        self.clock_s += self.chance.choice((60, 300, 900, 900))

    def a_slot_is_metered(self) -> None:
        """Let all meters report the slot before this one; some flows are sunny, some reports never come."""
        slot_s = max(NOON, self._now_s() // SLOT_SECONDS * SLOT_SECONDS - SLOT_SECONDS)
        flows = {
            member: Flow(
                load_wh=self.chance.randint(0, 400), solar_wh=1_500, charge_wh=self.chance.choice((0, 500, 1_000))
            )
            for member in self.pen.members
            if self.pen.levels_wh[member] < 8_000
        }
        told = {gateway(member): self.pen.home(member, flow) for member, flow in flows.items()}
        told[gateway("feeder")] = self.pen.feeder(sum(flow.net_wh for flow in flows.values()))
        for person in self.people:
            if person.name in told:
                meters = told[person.name]
                wire = reading(self.pen, person.name, person.next_seq, slot_s, meters)
                person.waiting[person.next_seq] = wire
                person.next_seq += 1
                self._send(wire)

    def the_operator_closes_a_slot(self) -> None:
        self._close(self.pen.sequencer, self.notes)

    def a_snapshot_is_kept(self) -> None:
        try:
            self.pen.sequencer.save_snapshot()
        except PowerCutError:
            self._wake()

    def the_writer_dies(self) -> None:
        self._wake()

    def the_next_write_fails(self) -> None:
        self.disk.armed = self.chance.choice(("before", "after"))

    def an_old_writer_wakes_up(self) -> None:
        before = list(self.disk.log.rows())
        for handle in self.dead[-2:]:
            try:
                handle.append(before[-1:], {"old": "writer"})
            except Refused:
                continue
            raise AssertionError("an old writer could write")
        assert list(self.disk.log.rows()) == before

    def a_witness_looks(self) -> None:
        watcher = self.chance.choice(self.watchers)
        if watcher.keys is LIAR and self.lying:
            self._lie(watcher)
        elif self.notes:
            self._look(watcher)

    def a_witness_dies(self) -> None:
        watcher = self.chance.choice(self.watchers)
        watcher.witness, watcher.memory.armed = None, self.chance.choice((None, "before", "after"))

    def witnesses_talk(self) -> None:
        one, other = self.chance.sample(self.watchers, 2)
        self._talk(one, other)

    # How it happens.

    def _wish(self, name: str, seq: int) -> bytes:
        return wish(self.pen, self.chance, self._now_s(), name, seq)

    def _send(self, wire: bytes) -> None:
        """Hand a request to the network, which may lose or repeat it, and delivers in any order."""
        roll = self.chance.random()
        self.flying += [wire] * (0 if roll < self.breaks / 2 else 2 if roll < self.breaks else 1)

    def _submit(self, batch: list[bytes]) -> list[Outcome] | None:
        writer, before = self.pen.sequencer, self._roots()
        try:
            outcomes = writer.submit(batch, self._now_s())
        except PowerCutError:
            # The dead writer's memory was ahead; what the disk kept is the one or the other, and nothing between.
            ahead = (len(writer.tree), writer.tree.root(), writer.state.root())
            self._wake()
            assert self._roots() in (before, ahead)
            return None
        for wire, outcome in zip(batch, outcomes, strict=True):
            self._note(outcome)
            if outcome.admitted:
                assert self.answers.setdefault(wire, outcome) is outcome, "an answer is given once and for all"
            if self.chance.random() >= self.breaks / 2:
                self._hear(wire, outcome)
        return outcomes

    def _hear(self, wire: bytes, outcome: Outcome) -> None:
        """Let an answer arrive; who hears that the number is used for another request does not ask again."""
        for person in self.people:
            for seq, waiting in list(person.waiting.items()):
                used = outcome is Outcome.WRONG_SEQUENCE and seq < self.pen.state.keys.next_seq(key(person.name).id)
                if waiting == wire and (outcome.admitted or outcome is Outcome.MALFORMED or used):
                    del person.waiting[seq]

    def _close(self, writer: Sequencer, notes: list[str]) -> None:
        slot_s = self._now_s() // SLOT_SECONDS * SLOT_SECONDS
        point = writer.checkpoint(slot_s)
        if slot_s <= writer.state.checked_s:
            return
        note = sign_note(point.note_text(), NAME, NOTE.private)
        wire = self.pen.wire(
            "operator",
            Kind.CHECKPOINT,
            bodies.CheckpointBody(note=note),
            seq=writer.state.keys.next_seq(key("operator").id),
        )
        if writer is self.pen.sequencer:
            if (
                self._submit([wire]) != [Outcome.BOOKED]
                and self.disk.log.answered(
                    key("operator").id, self.pen.state.keys.next_seq(key("operator").id) - 1
                ).body
                != wire
            ):  # type: ignore[union-attr]
                return
            self.points[point.size] = point
        else:
            assert writer.submit([wire], self._now_s()) == [Outcome.BOOKED]
        notes.append(note)

    def _wake(self) -> None:
        """Start a writer from what the disk holds, by snapshot or from the first leaf, and see that nothing is lost."""
        self.disk.armed = None
        handle = self.disk.open()
        if self.chance.random() < 0.3:
            bare = copied(self.disk.log, snapshots=False)
            assert Sequencer(bare, NAME, salts("tiny")).state.root() == replay(self.disk.log.rows(), NAME).state.root()
        self.pen.store = handle
        self.pen.sequencer = Sequencer(handle, NAME, salts("tiny"))
        self.dead.append(Handle(self.disk, handle.epoch - 1))
        assert self.pen.state.root() == replay(self.disk.log.rows(), NAME).state.root()
        for wire, outcome in self.answers.items():
            told = replay_answer(self.disk, wire)
            assert told is outcome, f"answered {outcome}, the log holds {told}"
        rows = [row.data() for row in self.disk.log.rows()]
        assert rows[: len(self.stood)] == self.stood, "what stood in the log stands there"
        self.stood = rows
        self._note("awake", self.disk.log.size, self.pen.state.root())

    def _look(self, watcher: Watcher) -> None:
        if watcher.witness is None:
            watcher.witness = Witness(watcher.line, watcher.memory, watcher.keys, trusted(CARDS), lambda: 1_800_000_000)
        try:
            promise = watcher.witness.look()
        except PowerCutError:
            watcher.witness = None
            return
        except FraudProven as found:
            self._proven(found)
            return
        except Refused as refused:
            self._note(str(refused.rule))
            return
        self._promised(watcher, promise)

    def _promised(self, watcher: Watcher, promise: Promise) -> None:
        point = Checkpoint.parse(split_note(promise.note)[0])
        if not self.fraud and watcher.line.disk is self.disk:
            assert self.points[point.size] == point, "an honest witness stands where the writer stood"
        self._note(watcher.keys.name, point.size)

    def _lie(self, watcher: Watcher) -> None:
        """Cosign the latest note without a look, and sometimes one that the operator never signed."""
        if self.notes:
            note = self.notes[-1]
            text = split_note(note)[0]
            watcher.line.handed_in.append(
                (Checkpoint.parse(text).size, cosignature_line(text, LIAR.name, LIAR.note.private, 5))
            )

    def _talk(self, one: Watcher, other: Watcher) -> None:
        last = other.memory.last()
        if one.witness is None or last is None or (one.keys is LIAR and self.lying):
            return
        try:
            one.witness.hear(last.note + last.line)
        except FraudProven as found:
            self._proven(found)
        except Refused as refused:
            self._note(str(refused.rule))

    def _proven(self, found: FraudProven) -> None:
        assert self.forks, "an honest operator is not accused"
        self.fraud = verify_fraud_proof(found.proof, LOG_VKEY).rule
        self._note("fraud", self.fraud)

    def _fork(self) -> None:
        """Let the operator go on with a second history, and show that one to Bob alone."""
        other = Disk(copied(self.disk.log))
        writer = Sequencer(other.open(), NAME, salts("tiny"))
        self.other, self.other_notes = writer, list(self.notes)
        pen = self.pen.sequencer
        self.pen.sequencer = writer
        hidden = self.pen.wire(
            "payment", Kind.PURCHASE, bodies.PurchaseBody(account="anna", amount_micro=77, reference="hidden")
        )
        assert writer.submit([hidden], self._now_s()) == [Outcome.BOOKED]
        self.pen.sequencer = pen
        bob = self.watchers[1]
        bob.line = Line(other, self.other_notes, self.chance, self.breaks)
        bob.witness = None

    def _settle(self) -> None:
        """Let everything come to rest: no faults any more, all answers heard, all witnesses up to date."""
        self.breaks, self.disk.armed = 0.0, None
        self.clock_s = max(self._now_s(), self.pen.sequencer.last_s) + SLOT_SECONDS
        if self.other and not self.fraud:
            self._close(self.other, self.other_notes)
        self._close(self.pen.sequencer, self.notes)
        for _ in range(30):
            self.flying += [wire for person in self.people for _, wire in sorted(person.waiting.items())]
            self._submit(self.flying)
            self.flying = []
        assert not any(person.waiting for person in self.people), "every request is answered in the end"
        for watcher in self.watchers:
            watcher.line.breaks, watcher.memory.armed = 0.0, None
            if not self.fraud and not (watcher.keys is LIAR and self.lying):
                self._look(watcher)
        for one in self.watchers:
            for other in self.watchers:
                if one is not other and not self.fraud:
                    self._talk(one, other)
        assert bool(self.fraud) == self.forks, "two histories are proven, one is not"
        if not self.forks:
            sizes = {watcher.memory.promises[-1].size for watcher in self.watchers if watcher.memory.promises}
            assert sizes == {max(self.points)}, "every honest witness is where the log is"
        self._wake()
        self._check()

    # What must be true.

    def _check(self) -> None:
        state = self.pen.state
        assert all(state.accounts.total(commodity) == 0 for commodity in Commodity)
        assert sum(state.watt(member) for member in state.members()) == state.claims.total_wh
        assert len(self.pen.sequencer.tree) == self.disk.log.size
        self._check_finals()
        self._note(self.disk.log.size, state.root())

    def _check_finals(self) -> None:
        """See that all checkpoints that two thirds cosigned are of one history."""
        finals = set[Checkpoint]()
        for watcher_notes in (self.notes, self.other_notes):
            for note in watcher_notes:
                point = Checkpoint.parse(split_note(note)[0])
                lines = {
                    line for watcher in self.watchers for size, line in watcher.line.handed_in if size == point.size
                }
                good = [line for line in sorted(lines) if covers(note, line, WEIGHTS)]
                if weight(note + "".join(good), WEIGHTS).is_final:
                    finals.add(point)
        for one in finals:
            for other in finals:
                same = (one.size == other.size) or (one.slot_s == other.slot_s)
                assert one == other or not same, "two final checkpoints contradict each other"

    def _now_s(self) -> int:
        return max(self.clock_s, self.pen.sequencer.last_s)

    def _roots(self) -> tuple[int, bytes, bytes]:
        writer = self.pen.sequencer
        return len(writer.tree), writer.tree.root(), writer.state.root()

    def _note(self, *things: object) -> None:
        self.trace.update(repr(things).encode())
