"""Trade with another community, step by step: who it is, a document that both sign, and each log's word on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.apps.accepting import desk_keys
from commonwatt.apps.asking import Asked, ask, opened, send, state_of
from commonwatt.apps.publishing import cosigned
from commonwatt.apps.wiring import open_log
from commonwatt.flows.intake import read_head
from commonwatt.flows.interchange_words import prove_word, sign_document
from commonwatt.flows.prove import final_note
from commonwatt.flows.rulebook import State, bodies
from commonwatt.flows.rulebook.market.interchange import interchange_bodies as words
from commonwatt.identity.keys import VerifyingKey
from commonwatt.ledger.checkpoint import vkey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.model import Commodity, InvalidValue, Kind, Outcome, Refused, neighbour_account

OPERATOR = "operator"
T = TypeVar("T")


class Paper(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A document on its way between two operators, with the signatures that it has so far."""

    document: words.Document
    giver_signature: str | None = None
    taker_signature: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one community stands with another: what it owes, above zero, or is owed, and what waits for a word."""

    community: str
    owed_wh: int
    owed_micro: int
    waiting: list[int]


def card(folder: Path) -> words.RegisterNeighbour:
    """Return how another community registers this one; its limits are for the other to say.

    Raises:
        Refused: There is no such log, or no keys of its operator.
    """
    state, (operator, note) = state_of(folder), desk_keys(folder)
    cosigners = tuple(words.Cosigner(note=one.note, weight=one.weight) for one in state.charter.witnesses)
    return words.RegisterNeighbour(
        community=state.community,
        operator=operator.public.hex(),
        note=vkey(state.community, note.public),
        most_wh=0,
        most_micro=0,
        cosigners=cosigners,
    )


def trust(folder: Path, path: Path, most_wh: int, most_micro: int, host: str, port: int) -> Asked:
    """Register another community by its card, with how much may be owed either way; see `asking.send`.

    Raises:
        InvalidValue: The file is no card.
    """
    told = _read(path, words.RegisterNeighbour)
    body = msgspec.structs.replace(told, most_wh=most_wh, most_micro=most_micro)
    return send(folder, OPERATOR, Kind.INTERCHANGE, body, host, port)


def sign(folder: Path, path: Path) -> Paper:
    """Put this operator's signature on a document, in its file.

    Raises:
        Refused: The document is not between this community and another, or there is no operator's key.
        InvalidValue: The file holds no document.
    """
    paper = _read(path, Paper)
    key, _, state = opened(folder, OPERATOR)
    document = paper.document.read()
    if state.community not in (document.giver, document.taker):
        raise Refused("a document is between this community and another", community=state.community)
    signature = sign_document(document, key)
    if state.community == document.giver:
        paper.giver_signature = signature
    else:
        paper.taker_signature = signature
    save_secret(path, msgspec.json.format(msgspec.json.encode(paper)))
    return paper


def prepare(folder: Path, path: Path, reservation: str | None, host: str, port: int) -> Asked:
    """Set this log's side of a document aside; see `asking.send`.

    Args:
        folder: This community's.
        path: The document with both signatures.
        reservation: What the member here reserved for the operator; None where the account is the operator's own.
        host: Where the door is.
        port: Likewise.

    Raises:
        Refused: A signature is missing or not its operator's, or as in `send`.
        InvalidValue: The file holds no document.
    """
    paper = _read(path, Paper)
    if not paper.giver_signature or not paper.taker_signature:
        raise Refused("a document is signed by both operators", signed=_signed(paper))
    _check(state_of(folder), paper)
    body = words.Prepare(
        document=paper.document,
        giver_signature=paper.giver_signature,
        taker_signature=paper.taker_signature,
        reservation=reservation,
    )
    return send(folder, OPERATOR, Kind.INTERCHANGE, body, host, port)


def refuse(folder: Path, community: str, number: int, host: str, port: int) -> Asked:
    """Say that this log prepares nothing under a number, ever; see `asking.send`."""
    return send(folder, OPERATOR, Kind.INTERCHANGE, words.Refuse(community=community, number=number), host, port)


def word(folder: Path, community: str, number: int) -> words.Decide:
    """Return what this log has said about a number, proven, as the other log decides by it.

    Raises:
        Refused: It has said nothing yet, or no checkpoint is over it yet.
    """
    with open_log(folder) as log:
        rows = list(log.rows())
    ours = read_head(rows[0].body).community
    row = next((row for row in rows if _says(row, ours, community, number)), None)
    if row is None:
        raise Refused("a word is proven once it is said", community=community, number=number)
    note, size = final_note(rows)
    if size <= row.position:
        raise Refused("a word is proven by a checkpoint over it: wait for the next", leaf=row.position, checkpoint=size)
    tree = MerkleTree()
    for said in rows[:size]:
        tree.append(said.data())
    return words.Decide(community=ours, number=number, proof=prove_word(row, tree, cosigned(folder, note), size))


def decide(folder: Path, name: str, path: Path, host: str, port: int) -> Asked:
    """Show a log the other's word, by the key of the operator or of any member; see `asking.ask`.

    Raises:
        InvalidValue: The file holds no word.
    """
    told = _read(path, words.Decide)
    return ask(folder, name, Kind.INTERCHANGE.value, bodies.write_body(told), host, port)


def standing(folder: Path) -> list[Standing]:
    """Return how this community stands with each that it knows, as far as the folder's log has been written."""
    state = state_of(folder)
    return [
        Standing(
            community=known.community,
            owed_wh=state.accounts.balance(neighbour_account(known.community), Commodity.WATT),
            owed_micro=state.accounts.balance(neighbour_account(known.community), Commodity.ERGON),
            waiting=sorted(known.sides),
        )
        for known in state.neighbours.items()
    ]


def _says(row: LeafRow, ours: str, community: str, number: int) -> bool:
    if row.outcome is not Outcome.BOOKED or b'"kind":"interchange"' not in row.body:
        return False
    request = read_head(row.body)
    said = bodies.read_body(request.kind, request.body)
    if isinstance(said, words.Refuse):
        return (said.community, said.number) == (community, number)
    if not isinstance(said, words.Prepare):
        return False
    return {said.document.giver, said.document.taker} == {ours, community} and said.document.number == number


def _signed(paper: Paper) -> str:
    by = [name for name, has in (("giver", paper.giver_signature), ("taker", paper.taker_signature)) if has]
    return " and ".join(by) or "nobody"


def _check(state: State, paper: Paper) -> None:
    """Refuse a signature that is not the operator's whose it should be, before anything is sent."""
    document = paper.document.read()
    for community, signature in ((document.giver, paper.giver_signature), (document.taker, paper.taker_signature)):
        known = state.neighbours.get(community)
        if community == state.community and state.operator is not None:
            key = state.keys[state.operator].verifying
        elif known is not None:
            key = VerifyingKey(bytes.fromhex(known.trusted.operator))
        else:
            raise Refused("a community is known before it is traded with: see trust", community=community)
        if not key.verify(document.signed_bytes(), signature or ""):
            raise Refused("a document is signed by both operators, this is not the signature of", community=community)


def _read(path: Path, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=shape)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidValue(f"{path} cannot be read: {error}") from error
