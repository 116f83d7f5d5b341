"""The story of an audit: a community's log run again, and held against what stands on its chain for good.

Every anchored checkpoint must be one that the log's own key signed, over leaves that lead to its log root and to its
state root; two thirds of the stake must have signed it; what the Vault took in must be credited once, and what it paid
must stand in a final state. The operator is believed nothing, the chain's node that it tells blocks as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from commonwatt.flows.auditing.money import Payments, crossings, solvency
from commonwatt.flows.auditing.ports import AuditedChain, Contracts
from commonwatt.flows.auditing.signers import signing_faults
from commonwatt.flows.chain_ports import Contract, Event
from commonwatt.flows.evidence import Trust
from commonwatt.flows.handover import taken_up
from commonwatt.flows.intake import read_head
from commonwatt.flows.ports import LogStore
from commonwatt.flows.publish import checkpoint_note
from commonwatt.flows.replay import Replayed, go_on, store_tile
from commonwatt.flows.rulebook import State, snapshot
from commonwatt.flows.rulebook.bodies import RegisterCommunity, Witness, read_body
from commonwatt.flows.verify import Line, Report
from commonwatt.identity.keys import VerifyingKey
from commonwatt.ledger.checkpoint import Checkpoint, parse_vkey, split_note, verify_note
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.tiles import Frontier
from commonwatt.model import SLOT_SECONDS, Commodity, Corrupt, InvalidValue, Kind, Refused, instant

LATE_AFTER = 2
"""Checkpoints that may be on their way to the chain, and within which a deposit is credited: a network needs some
minutes until a block is final, less than a settlement period."""
AT_ONCE = 20_000
"""Leaves between two words on how far it is."""
KEEP_EVERY = 100_000
"""Leaves between two states that are kept to go on from: a state takes a while to write."""
_SHOWN = 3
LIMITS = (
    "that the node tells the blocks that everybody sees: ask another one; that goods were delivered for what the"
    " ledger booked; whose keys the members' are"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How far an audit came: the state after so many leaves, and what was anchored up to there.

    Args:
        size: Leaves that were run.
        content: The state, see `commonwatt.flows.rulebook.snapshot`.
        anchored: Size, slot, log root and state root of each anchored checkpoint that was compared, hex.
    """

    size: int
    content: bytes
    anchored: tuple[tuple[int, int, str, str], ...]


@dataclass(slots=True)
class Audit:
    """One audit; `run` does it.

    Args:
        log: A copy of the log, whole from its beginning or from a snapshot.
        trust: Whom the auditor believes.
        chain: As the auditor reaches it.
        contracts: The community's there.
        whole_from: The log's first leaf from which on all can be read; from a snapshot after it, it is run.
        before: How far an earlier audit came; None to begin anew.
        on_progress: Told how many leaves were run, and of how many.
        on_reached: Told how far it came, now and then, for a later one to go on from.
    """

    log: LogStore
    trust: Trust
    chain: AuditedChain
    contracts: Contracts
    whole_from: int = 0
    before: Reached | None = None
    on_progress: Callable[[int, int], None] = lambda done, whole: None
    on_reached: Callable[[Reached], None] = lambda reached: None
    _lines: list[Line] = field(default_factory=list, init=False)
    _compared: list[tuple[int, int, str, str]] = field(default_factory=list, init=False)
    _points: list[Checkpoint] = field(default_factory=list, init=False)
    _beyond: list[str] = field(default_factory=list, init=False)
    _kept_to: int = field(default=0, init=False)

    def run(self) -> Report:
        """Return what was found, one line for each thing that was looked at; all of them, whatever fails.

        Raises:
            Unreachable: The chain gives no answer.
            Refused: What was to be gone on from is another log's or chain's; or the log does not begin anywhere.
        """
        final = self.chain.final()
        anchored = self._events(self.contracts.checkpoints, "Anchored", final.number)
        seen = self._events(self.contracts.checkpoints, "Anchored", self.chain.head().number)
        payments = self._payments(final.number)
        there = self._begun(anchored)
        self._signatures(there, anchored, final.number)
        last, end = self._replayed(there, anchored, payments)
        self._finality(anchored, len(seen) - len(anchored))
        if end is not None:
            self._missing(anchored)
            self._deposits(end, anchored, final.number)
        if last is not None:
            self._paid(last, payments, final.number)
        ok = all(line.ok for line in self._lines)
        return Report(ok, (*self._lines, Line("not shown", True, LIMITS)))

    def _say(self, name: str, faults: Sequence[str], well: str) -> None:
        more = len(faults) - _SHOWN
        told = "; ".join(faults[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        self._lines.append(Line(name, not faults, told or well))

    def _events(self, contract: Contract, name: str, last: int) -> list[Event]:
        return self.chain.events(contract, name, self.contracts.first_block, last)

    def _payments(self, final: int) -> Payments:
        closed = self._events(self.contracts.vault, "Closed", final)
        paid = self._events(self.contracts.vault, "Paid", final)
        return Payments(paid, closed[0].values["size"] if closed else None)

    # The log, run again.

    def _replayed(
        self, there: Replayed, anchored: Sequence[Event], payments: Payments
    ) -> tuple[State | None, State | None]:
        """Run the log, comparing it at each anchored size; return the states of the last of these and at its end."""
        roots, whole, last = list[str](), self.log.size, None
        begun, known = len(there.tree), {*self._compared}
        if begun in (size for size, *_ in known):
            last = self._kept(there)
        try:
            for event in anchored:
                size = event.values["size"]
                if size > whole:
                    roots.append(f"checkpoint {size} stands on the chain and the log has {whole} leaves only")
                    break
                if size < begun or _named(event) in known:
                    continue
                self._run(there, size)
                if fault := self._fault(there, event):
                    roots.append(fault)
                self._beyond += payments.at(size, there.state)
                self._compared.append(_named(event))
                if event is anchored[-1] or size >= self._kept_to + KEEP_EVERY:
                    last = self._kept(there)
                    if not roots and not self._beyond and all(line.ok for line in self._lines):
                        self.on_reached(last)
            self._run(there, whole)
        except (Corrupt, InvalidValue, Refused) as error:
            self._say("roots", [*roots, f"the log cannot be run beyond {len(there.tree)} leaves: {error}"], "")
            return None, None
        self._say("roots", roots, self._roots_hold(len(anchored), begun, whole))
        return (None if last is None else snapshot.load(last.content)[0]), there.state

    def _roots_hold(self, anchored: int, begun: int, whole: int) -> str:
        told = f"{len(self._compared)} of {anchored} anchored checkpoints have the log's size, log root and state root"
        since = f"{whole - begun} leaves were run, up to {whole}"
        return f"{told}; {since}" if self.before is not None or not begun else f"{told}; {since}: earlier ones are gone"

    def _kept(self, there: Replayed) -> Reached:
        self._kept_to = len(there.tree)
        content = snapshot.dump(there.state, there.last_s, there.tree.root())
        return Reached(size=self._kept_to, content=content, anchored=tuple(self._compared))

    def _begun(self, anchored: Sequence[Event]) -> Replayed:
        community, read_tile, before = self.trust.community, store_tile(self.log), self.before
        if before is not None:
            told = {*map(_named, anchored)}
            if not told.issuperset(before.anchored):
                raise Refused("an audit goes on on the chain that it began on: begin anew", leaves=before.size)
            self._compared.extend(before.anchored)
            try:
                return taken_up(before.size, before.content, community, read_tile)
            except (Corrupt, InvalidValue) as error:
                raise Refused(f"an audit goes on on the log that it began on: {error}", leaves=before.size) from error
        if not self.whole_from:
            return Replayed(State(community), Frontier())
        first = [one for one in self.log.snapshots() if one[0] >= self.whole_from][-1:]
        if not first:
            raise Refused("a log that was pruned is run from a snapshot, and there is none", whole_from=self.whole_from)
        return taken_up(*first[0], community, read_tile)

    def _run(self, there: Replayed, size: int) -> None:
        while (done := len(there.tree)) < size:
            # Whole commits alone can be run; where one ends, its rows say.
            rows = _whole_commits(self.log, done, min(size, done + AT_ONCE), size)
            go_on(there, rows)
            self._points += [point for row in rows if (point := self._signed(row)) is not None]
            self.on_progress(len(there.tree), self.log.size)

    def _fault(self, there: Replayed, event: Event) -> str:
        size, epoch = event.values["size"], event.values["epoch"]
        if there.tree.root() != event.values["log_root"]:
            return f"checkpoint {size} has another log root on the chain than the log's {size} leaves"
        if there.state.root() != event.values["state_root"]:
            return f"checkpoint {size} has another state root on the chain than the log's leaves lead to"
        point = self._point(size)
        if point is None:
            return f"checkpoint {size} stands on the chain, and the log's key signed none of that size"
        if point.slot_s != epoch * SLOT_SECONDS:
            return f"checkpoint {size} is of slot {epoch * SLOT_SECONDS} on the chain and of {point.slot_s} in the log"
        return ""

    def _point(self, size: int) -> Checkpoint | None:
        row = next(self.log.rows(size), None) if size < self.log.size else None
        return None if row is None else self._signed(row)

    def _signed(self, row: LeafRow) -> Checkpoint | None:
        note = checkpoint_note(row)
        if note is None:
            return None
        try:
            verify_note(note, dict([parse_vkey(self.trust.note)]))
        except Corrupt:
            return None
        return Checkpoint.parse(split_note(note)[0])

    # What stands beside.

    def _signatures(self, there: Replayed, anchored: Sequence[Event], final: int) -> None:
        brought, named = self.trust.witnesses, self._named(there)
        registered = [VerifyingKey(bytes.fromhex(one.public)).id for one in brought or named]
        told = []
        if brought and {one.public for one in brought} != {one.public for one in named}:
            told.append("the log names other witnesses than the keys that were brought along")
        where, after = self.contracts, 0 if self.before is None else self.before.size
        origin, first = self.trust.community, where.first_block
        faults = signing_faults(self.chain, where.checkpoints, origin, registered, first, final, after=after)
        told += [f"checkpoint {size}: {fault}" for size, fault in faults.items()]
        who = (
            f"by the log's {len(registered)} witnesses"
            if registered
            else "by whom the operator let stake: the log names no witness"
        )
        self._say("signatures", told, f"each of {len(anchored)} has two thirds of the stake, {who}")

    def _named(self, there: Replayed) -> Sequence[Witness]:
        """Return whom the log names as witnesses: its first leaf says so, for good."""
        if len(there.tree):
            return there.state.charter.witnesses
        row = next(self.log.rows(), None)
        body = None if row is None else read_body(Kind.REGISTER, read_head(row.body).body)
        return body.witnesses if isinstance(body, RegisterCommunity) else ()

    def _finality(self, anchored: Sequence[Event], seen: int) -> None:
        if not anchored:
            self._say("final", ["no checkpoint of this log stands in a final block"], "")
            return
        last = anchored[-1].values
        block = self.chain.block(anchored[-1].block)
        same = block.hash == anchored[-1].block_hash
        later = f"; {seen} more are seen and not final yet" if seen else ""
        well = f"checkpoint {last['size']} stands for good in block {block.number}{later}"
        self._say("final", [] if same else [f"block {block.number} is another one by now"], well)

    def _missing(self, anchored: Sequence[Event]) -> None:
        """Tell which of the log's checkpoints are not on the chain: each says all of those before, so late ones alone
        are a fault."""
        sizes = {event.values["size"] for event in anchored}
        first, last = min(sizes, default=0), max(sizes, default=-1)
        behind = [point for point in self._points if point.size > last]
        over = [point.size for point in self._points if first < point.size < last and point.size not in sizes]
        faults = []
        if len(behind) > LATE_AFTER:
            since = f"{instant(behind[0].slot_s + SLOT_SECONDS):%Y-%m-%d %H:%M} UTC"
            faults = [f"{len(behind)} checkpoints of the log are not on the chain, the first of {since}"]
        passed = f"; {len(over)} between were passed over, which the next ones cover" if over else ""
        self._say("anchors", faults, f"{len(behind)} of the log's checkpoints are on their way{passed}")

    def _deposits(self, state: State, anchored: Sequence[Event], final: int) -> None:
        late_before = anchored[-LATE_AFTER].block if len(anchored) >= LATE_AFTER else 0
        found = crossings(self.chain, self.contracts, state, late_before, final)
        faults = [f"the log credits deposit {number}, of which the chain does not know" for number in found.invented]
        faults += [
            f"deposit {one.number} of {one.amount} {one.commodity.value} for {one.account or one.sender}, in block"
            f" {one.block}, is not credited in the log"
            for one in found.late
        ]
        waiting = f"; {len(found.waiting)} are not credited yet" if found.waiting else ""
        self._say("deposits", faults, f"{state.crossed.count} of {found.known} are credited, each once{waiting}")

    def _paid(self, state: State, payments: Payments, final: int) -> None:
        told = f"the Vault paid {len(payments.paid)} times, never more than a final state says"
        self._say("withdrawals", [*dict.fromkeys([*self._beyond, *payments.at_last(state)])], told)
        if not state.has_chain:
            # Without the chain's key in the log nothing is sent out, and its state has no exits to show.
            self._say("vault", [], "it owes nothing: this log sends nothing out, and lets nobody out by themselves")
            return
        sums = [
            solvency(self.chain, self.contracts, state, payments, one, final)
            for one in (Commodity.ERGON, Commodity.TSL)
        ]
        words = [one.words() for one in sums]
        self._say("vault", [one.words() for one in sums if one.short], "it " + "; it ".join(words))


def _named(event: Event) -> tuple[int, int, str, str]:
    values = event.values
    return values["size"], values["epoch"], values["log_root"].hex(), values["state_root"].hex()


def _whole_commits(log: LogStore, first: int, until: int, most: int) -> list[LeafRow]:
    """Return leaves up to the first commit's end at or after one, and none beyond another.

    Raises:
        Corrupt: A commit goes on beyond it.
    """
    found = list[LeafRow]()
    for row in takewhile(lambda row: row.position < most, log.rows(first)):
        found.append(row)
        if row.closes and row.position + 1 >= until:
            break
    if not found:
        raise Corrupt(f"leaf {first} is missing")
    return found
