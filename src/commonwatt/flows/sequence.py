"""The one writer of a community's log: verify, decide, make durable, answer; and replay, which trusts nobody."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from commonwatt.flows import rulebook
from commonwatt.flows.ports import LogStore
from commonwatt.flows.rulebook import State, bodies
from commonwatt.ledger.checkpoint import Checkpoint
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.model import (
    MAX_SAFE_INTEGER,
    AccountId,
    CommunityId,
    Corrupt,
    InvalidValue,
    KeyId,
    Kind,
    Outcome,
    Refused,
    Request,
    remember,
)


class _Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    author: str
    body: dict[str, object]
    community: str
    kind: Kind
    on_behalf_of: str
    seq: Annotated[int, msgspec.Meta(ge=1, le=MAX_SAFE_INTEGER)]
    signature: str


@dataclass(slots=True)
class Replayed:
    """What a log comes to: the state, the tree over its leaves, and the time of the last."""

    state: State
    tree: MerkleTree
    last_s: int = 0


class Sequencer:
    """Takes requests in, in order, for one community.

    A request that cannot be admitted gets its reason and leaves no trace. An admitted one is decided by the rulebook,
    logged with its outcome, and answered only after the store has made it durable. Should the store fail, the
    sequencer refuses everything from then on: its memory is ahead of the log, and only a replay can be believed.

    Args:
        store: The community's log; replayed from zero here.
        community: Its name.
        salt: Gives 32 bytes for a position. Random in production; a function of the seed in simulations.
    """

    def __init__(self, store: LogStore, community: str, salt: Callable[[int], bytes]) -> None:
        self._store, self._salt, self._broken = store, salt, False
        replayed = replay(store.rows(), community)
        self.state, self.tree, self._last_s = replayed.state, replayed.tree, replayed.last_s

    def submit(self, wires: Sequence[bytes], stamped_s: int, marks: Mapping[str, str] | None = None) -> list[Outcome]:
        """Decide requests, make them durable in one batch, and answer.

        Args:
            wires: Requests as canonical bytes.
            stamped_s: The log's time, never before the last batch's.
            marks: Set in the same transaction, so that who resumes knows how far the log had come.

        Returns:
            One outcome each; a repeat returns its first outcome.

        Raises:
            Refused: The store failed before, or the time runs backwards; nothing of this batch was answered.
        """
        if self._broken:
            raise Refused("the log could not be written; open it again to go on")
        if stamped_s < self._last_s:
            raise Refused("the log's time does not run backwards", last_s=self._last_s, found_s=stamped_s)
        rows: list[LeafRow] = []
        outcomes = []
        try:
            for wire in wires:
                outcome, row = self._decide(wire, stamped_s)
                outcomes.append(outcome)
                if row:
                    rows.append(row)
            if rows or marks:
                self._store.append(rows, marks or {})
        except BaseException:
            self._broken = True
            raise
        self._last_s = stamped_s
        return outcomes

    def checkpoint(self, slot_s: int) -> Checkpoint:
        """Return the roots over everything so far."""
        return Checkpoint(
            origin=self.state.community,
            size=len(self.tree),
            log_root=self.tree.root(),
            state_root=self.state.root(),
            slot_s=slot_s,
        )

    def _decide(self, wire: bytes, stamped_s: int) -> tuple[Outcome, LeafRow | None]:
        try:
            request = read_request(wire)
            body = bodies.read_body(request.kind, request.body)
        except InvalidValue:
            return Outcome.MALFORMED, None
        refusal = rulebook.admit(self.state, request)
        if refusal is Outcome.SEEN_BEFORE:
            return rulebook.first_outcome(self.state, request), None
        if refusal is not None:
            return refusal, None
        if isinstance(body, bodies.CheckpointBody) and _contradiction(self.state, self.tree, body):
            return Outcome.MALFORMED, None
        position = len(self.tree)
        outcome = rulebook.apply(self.state, request, body, position, stamped_s)
        row = LeafRow(position=position, stamped_s=stamped_s, salt=self._salt(position), body=wire, outcome=outcome)
        self.tree.append(row.data())
        return outcome, row


def replay(rows: Iterable[LeafRow], community: str) -> Replayed:
    """Run a log from zero: every signature is checked again, every outcome and checkpoint compared.

    Raises:
        Corrupt: The log contradicts itself; says at which position and how.
    """
    replayed = Replayed(State(community), MerkleTree())
    state, tree = replayed.state, replayed.tree
    for row in rows:
        where = f"position {row.position}"
        try:
            request = read_request(row.body)
            body = bodies.read_body(request.kind, request.body)
        except InvalidValue as error:
            raise Corrupt(f"{where} holds no request: {error}") from error
        if row.stamped_s < replayed.last_s:
            raise Corrupt(f"{where} is stamped {row.stamped_s} s, before {replayed.last_s} s")
        replayed.last_s = row.stamped_s
        if refusal := rulebook.admit(state, request):
            raise Corrupt(f"{where} should never have been admitted: {refusal}")
        if isinstance(body, bodies.CheckpointBody) and (wrong := _contradiction(state, tree, body)):
            raise Corrupt(f"{where} {wrong}")
        outcome = rulebook.apply(state, request, body, row.position, row.stamped_s)
        if outcome is not row.outcome:
            raise Corrupt(f"{where} was answered {row.outcome}, the rulebook says {outcome}")
        tree.append(row.data())
    return replayed


def _contradiction(state: State, tree: MerkleTree, body: bodies.CheckpointBody) -> str | None:
    """Return how a checkpoint differs from what stands before it, or None."""
    try:
        told = Checkpoint.parse(body.note.split("\n\n")[0] + "\n")
    except Corrupt as error:
        return str(error)
    if told.origin != state.community:
        return f"is a checkpoint of {told.origin}"
    if told.size != len(tree):
        return f"is a checkpoint of size {told.size}, the log has {len(tree)} leaves before it"
    if told.log_root != tree.root():
        return "tells another log root than the leaves before it have"
    if told.state_root != state.root():
        return "tells another state root than the rulebook reaches"
    return None


def read_request(wire: bytes) -> Request:
    """Decode a request and insist on its one canonical form.

    Raises:
        InvalidValue: The bytes are not a request, or not canonical.
    """
    try:
        told = msgspec.json.decode(wire, type=_Wire)
        # The same form as `canonical_json`, four times as fast (a test compares them); numbers beyond +-(2^53-1)
        # and fractions are left to the body's own shape, which knows neither.
        canonical = msgspec.json.encode(told, order="sorted")
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidValue(f"not a request: {error}") from error
    if canonical != wire or not told.signature.isalnum():
        raise InvalidValue("not in canonical form (RFC 8785)")
    request = Request(
        community=CommunityId(told.community),
        kind=told.kind,
        author=KeyId(told.author),
        seq=told.seq,
        on_behalf_of=AccountId(told.on_behalf_of),
        body=told.body,
        signature=told.signature,
    )
    return remember(request, wire)
