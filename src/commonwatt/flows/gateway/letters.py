"""What travels between a gateway and its community: bursts of signed requests one way, signed letters the other.

Whoever carries them needs no trust. A burst is requests as they travel, each with its length before it; every one bears
its own signature. A letter is signed by the community's operator: who is told what, under a number that only rises. One
signature covers all letters that are written at once, as the leaves of a Merkle tree; each can be checked alone.
"""

from collections.abc import Sequence
from hashlib import sha256
from struct import Struct as Packed
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from commonwatt.flows.gateway.rules import MOST_DEMANDS, Demand
from commonwatt.flows.rulebook.bodies import Hash, Name
from commonwatt.identity.keys import RequestSigner, VerifyingKey
from commonwatt.ledger.merkle import leaf_hash, node_hash, verify_inclusion
from commonwatt.model import (
    AssetId,
    Band,
    Command,
    Interval,
    InvalidValue,
    Outcome,
    canonical_json,
    epoch,
    instant,
)
from commonwatt.tokens.prepaid import Supply

MOST_REQUESTS = 64
"""Requests in a burst."""
MOST_BURST_BYTES = 1 << 20
"""A burst at most; a full batch of readings alone has some 45,000 bytes."""
TOGETHER = 64
"""Letters under one signature: more would save little and make every path longer."""
_LENGTH = Packed(">I")
_WHOLE = Annotated[int, Meta(ge=0, le=2**53 - 1)]
_WATTS = Annotated[int, Meta(ge=-(2**40), le=2**40)]


class Told(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One command: a band in W, import positive, until it expires (seconds since 1970), and why."""

    id: Annotated[str, Meta(min_length=1, max_length=128)]
    asset: Name
    lo_w: _WATTS
    hi_w: _WATTS
    expires_s: _WHOLE
    reason: Annotated[str, Meta(max_length=2_000)]
    balance_w: _WATTS | None = None

    def command(self) -> Command:
        """Return what the keeper is told.

        Raises:
            InvalidValue: The band is none.
        """
        return Command(
            id=self.id,
            asset=AssetId(self.asset),
            band=Band(lo_w=self.lo_w, hi_w=self.hi_w, balance_w=self.balance_w),
            expires=instant(self.expires_s),
            reason=self.reason,
        )


def told(command: Command) -> Told:
    """Return a command as it travels. A droop curve is not told: a gateway has its own rules for frequency."""
    band = command.band
    return Told(
        id=command.id,
        asset=command.asset,
        lo_w=band.lo_w,
        hi_w=band.hi_w,
        balance_w=band.balance_w,
        expires_s=epoch(command.expires),
        reason=command.reason,
    )


class Called(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A DEMAND that is broadcast (row H6): from when to when, seconds since 1970, and how much of each, if told."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    start_s: _WHOLE
    end_s: _WHOLE
    power_w: Annotated[int, Meta(ge=1, le=2**40)] | None = None

    def demand(self) -> Demand:
        """Return what a gateway's own rules hear.

        Raises:
            InvalidValue: It ends before it begins.
        """
        return Demand(id=self.id, window=Interval(instant(self.start_s), instant(self.end_s)), power_w=self.power_w)


class Orders(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="what", tag="orders"):
    """All that a gateway's devices are told now; whoever is not named is let go.

    Args:
        community: Whose.
        gateway: For whom.
        number: Above that of every earlier letter with orders to this gateway, also of another life of the operator's.
        slot_s: For which slot.
        told_s: When, by the operator's clock.
        until_s: When nothing of this is to be believed any more, whatever a command says.
        commands: Each until it expires.
        supply: How the meter of the connection behind it stands (row H4); None where there is none.
        demands: All that are broadcast now or soon.
    """

    community: Name
    gateway: Name
    number: _WHOLE
    slot_s: _WHOLE
    told_s: _WHOLE
    until_s: _WHOLE
    commands: list[Told]
    supply: Supply | None = None
    demands: Annotated[list[Called], Meta(max_length=MOST_DEMANDS)] = []


class Answers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="what", tag="answers"):
    """What became of the requests of a burst.

    Args:
        community: Whose.
        gateway: For whom.
        burst: Of which burst: the SHA-256 of it, hex.
        told_s: When, by the operator's clock.
        outcomes: One for each request, in order; those that the log holds are durable.
        next_seq: The number that the gateway's next request must have.
    """

    community: Name
    gateway: Name
    burst: Hash
    told_s: _WHOLE
    outcomes: list[Outcome]
    next_seq: _WHOLE


Letter = Orders | Answers


class _Sealed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A letter as it travels: which leaf it is of so many, the path to their root, and the signature over that."""

    letter: Letter
    index: _WHOLE
    count: Annotated[int, Meta(ge=1, le=2**32)]
    path: Annotated[list[Hash], Meta(max_length=32)]
    root: Hash
    signature: str


def pack(wires: Sequence[bytes]) -> bytes:
    """Return requests as a burst."""
    return b"".join(part for wire in wires for part in (_LENGTH.pack(len(wire)), wire))


def ask_time(nonce: bytes) -> bytes:
    """Return a burst that asks for nothing but an answer: signed, naming this very burst, it tells the time.

    Args:
        nonce: 32 bytes that were never used: so no answer to another burst is one to this.
    """
    return pack([b"time?" + nonce])


def unpack(burst: bytes) -> list[bytes]:
    """Return the requests of a burst, unread.

    Raises:
        InvalidValue: It is longer than any, or its lengths do not fit.
    """
    if len(burst) > MOST_BURST_BYTES:
        raise InvalidValue(f"a burst has at most {MOST_BURST_BYTES} bytes, was {len(burst)}")
    at, wires = 0, list[bytes]()
    while at < len(burst):
        if at + _LENGTH.size > len(burst):
            raise InvalidValue(f"a burst ends with its last request, {len(burst) - at} bytes are left")
        (size,) = _LENGTH.unpack_from(burst, at)
        at += _LENGTH.size + size
        if at > len(burst):
            raise InvalidValue(f"a request of {size} bytes is announced, {size - (at - len(burst))} are there")
        wires.append(burst[at - size : at])
    if not 0 < len(wires) <= MOST_REQUESTS:
        raise InvalidValue(f"a burst has 1 to {MOST_REQUESTS} requests, was {len(wires)}")
    return wires


def digest(burst: bytes) -> str:
    """Return by what a burst is named in its answers."""
    return sha256(burst).hexdigest()


def seal(letters: Sequence[Letter], key: RequestSigner) -> list[bytes]:
    """Return letters of one community as they travel, some under each signature.

    Args:
        letters: In any number.
        key: The operator's.
    """
    return [wire for at in range(0, len(letters), TOGETHER) for wire in _seal(letters[at : at + TOGETHER], key)]


def _seal(letters: Sequence[Letter], key: RequestSigner) -> list[bytes]:
    # The same form as `canonical_json`, several times as fast (a test compares them).
    plain = [msgspec.json.encode(letter, order="sorted") for letter in letters]
    levels = _levels(plain)
    root = levels[-1][0].hex()
    statement = _statement(letters[0].community, len(plain), root)
    end = b'],"root":"%b","signature":"%b"}' % (root.encode(), key.sign(statement).encode())
    hexed = [[b'"%b"' % one.hex().encode() for one in level] for level in levels[:-1]]
    sealed = []
    for index, text in enumerate(plain):
        path = [level[at ^ 1] for depth, level in enumerate(hexed) if (at := index >> depth) ^ 1 < len(level)]
        sealed.append(
            b'{"count":%d,"index":%d,"letter":%b,"path":[%b' % (len(plain), index, text, b",".join(path)) + end
        )
    return sealed


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return the hashes of a small Merkle tree (RFC 6962), leaves first; a node without a sibling moves up as it is."""
    levels = [[leaf_hash(leaf) for leaf in leaves]]
    while len(below := levels[-1]) > 1:
        pairs = [node_hash(left, right) for left, right in zip(below[::2], below[1::2], strict=False)]
        levels.append(pairs + below[len(pairs) * 2 :])
    return levels


def open_letter(wire: bytes, key: VerifyingKey, community: str, number: str) -> Letter:
    """Return a letter after its signature was checked.

    Args:
        wire: As it travelled, from whomever.
        key: The operator's, pinned.
        community: Whose letters are read.
        number: The gateway who reads.

    Raises:
        InvalidValue: It is no letter, of another community, for another gateway, or not signed by the operator.
    """
    if len(wire) > MOST_BURST_BYTES:
        raise InvalidValue(f"a letter has at most {MOST_BURST_BYTES} bytes, was {len(wire)}")
    try:
        sealed = msgspec.json.decode(wire, type=_Sealed)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidValue(f"not a letter: {error}") from error
    letter = sealed.letter
    if (letter.community, letter.gateway) != (community, number):
        raise InvalidValue(f"a letter is for {number} of {community}, was for {letter.gateway} of {letter.community}")
    path = [bytes.fromhex(one) for one in sealed.path]
    plain, root = canonical_json(msgspec.to_builtins(letter)), bytes.fromhex(sealed.root)
    stands = verify_inclusion(plain, sealed.index, sealed.count, path, root)
    if not stands or not key.verify(_statement(community, sealed.count, sealed.root), sealed.signature):
        raise InvalidValue(f"a letter is signed by the operator, was not by {key.id}")
    return letter


def greeting(community: str, number: str, challenge: str) -> bytes:
    """Return what a gateway signs to show who it is; no request and no letter can be read into it."""
    return canonical_json({"challenge": challenge, "community": community, "gateway": number, "what": "greeting"})


def _statement(community: str, count: int, root: str) -> bytes:
    return canonical_json({"community": community, "count": count, "root": root, "what": "letters"})
