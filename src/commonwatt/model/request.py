"""A request: what somebody signs, its one canonical form, and what can become of it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from commonwatt.model.errors import InvalidValue
from commonwatt.model.ids import AccountId, CommunityId, KeyId

MAX_SAFE_INTEGER = 2**53 - 1
MAX_DEPTH = 16
"""How deep a signed value may nest; no honest request comes near."""


class Kind(StrEnum):
    """The kinds of request (RULES, Requests); the rulebook has one function for each."""

    REGISTER = "register"
    CONSTRAINT = "constraint"
    READING_BATCH = "reading_batch"
    DELEGATE = "delegate"
    ORDER = "order"
    CANCEL = "cancel"
    ORDER_BATCH = "order_batch"
    AUCTION = "auction"
    CONTRACT = "contract"
    SESSION = "session"
    INTERCHANGE = "interchange"
    FACT = "fact"
    SCHEDULE = "schedule"
    CONSENT = "consent"
    ACK = "ack"
    PURCHASE = "purchase"
    PAYOUT = "payout"
    TRANSFER = "transfer"
    ATTEST = "attest"
    CHECKPOINT = "checkpoint"


class Outcome(StrEnum):
    """What became of a request. The first group is logged, the second was never admitted."""

    BOOKED = "BOOKED"
    SET_ASIDE = "SET_ASIDE"
    NOT_BACKED = "NOT_BACKED"
    NOT_ALLOWED = "NOT_ALLOWED"
    OVER_LIMIT = "OVER_LIMIT"
    TOO_LATE = "TOO_LATE"
    UNKNOWN_THING = "UNKNOWN_THING"
    ALREADY_THERE = "ALREADY_THERE"
    WAITING = "WAITING"
    """A schedule that comes into force if its owner accepts it in time."""

    SEEN_BEFORE = "SEEN_BEFORE"
    MALFORMED = "MALFORMED"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    WRONG_SEQUENCE = "WRONG_SEQUENCE"
    WRONG_COMMUNITY = "WRONG_COMMUNITY"

    @property
    def admitted(self) -> bool:
        """Tell whether a request with this outcome stands in the log."""
        return self not in _NOT_ADMITTED


_NOT_ADMITTED = frozenset(
    {
        Outcome.SEEN_BEFORE,
        Outcome.MALFORMED,
        Outcome.UNKNOWN_KEY,
        Outcome.BAD_SIGNATURE,
        Outcome.WRONG_SEQUENCE,
        Outcome.WRONG_COMMUNITY,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A signed request.

    Args:
        community: The log that it is for.
        kind: What is asked.
        author: The signing key.
        seq: That key's running number, from 1, without gaps.
        on_behalf_of: The account for which it is asked.
        body: JSON object of strings, whole numbers within +-(2^53-1), booleans, lists and objects.
        signature: 64 bytes, r and s, low-s; as 128 lower-case hex digits.
        items: Packed records of a batch, in order; the body holds their Merkle root, so the signature covers them.
        personal: Packed personal fields of a batch; the body holds their salted hash.
        received: The canonical bytes that it was read from, set by `remember`; a changed copy has none.
    """

    community: CommunityId
    kind: Kind
    author: KeyId
    seq: int
    on_behalf_of: AccountId
    body: Mapping[str, object]
    signature: str = ""
    items: bytes = b""
    personal: bytes = b""
    received: bytes = field(default=b"", init=False, repr=False, compare=False)

    def signed_bytes(self) -> bytes:
        """Return the canonical bytes that the signature covers."""
        if self.received:
            # The signature stands last, since names are in order: what was signed is all before it.
            return self.received[: -len(self._tail())] + b"}"
        return canonical_json(
            {
                "author": self.author,
                "body": self.body,
                "community": self.community,
                "kind": self.kind.value,
                "on_behalf_of": self.on_behalf_of,
                "seq": self.seq,
            }
        )

    def head_bytes(self) -> bytes:
        """Return the canonical bytes of the request, signature included: what a leaf of the log commits to."""
        return self.received or self.signed_bytes()[:-1] + self._tail()

    def wire_bytes(self) -> bytes:
        """Return the request as it travels: its head, and after a line break the records of a batch.

        No head holds a line break: canonical JSON writes one inside a text as an escape.
        """
        return self.head_bytes() + b"\n" + self.items + self.personal if self.items else self.head_bytes()

    def _tail(self) -> bytes:
        return b',"signature":"' + self.signature.encode() + b'"}'


def remember(request: Request, wire: bytes) -> Request:
    """Let a request know the canonical bytes that it was just read from and compared with, and return it."""
    object.__setattr__(request, "received", wire)
    return request


class Unread(Mapping[str, object]):
    """The body of a request as it was written, decoded only when somebody looks: rules have it in its own shape."""

    __slots__ = ("_told", "_written")

    def __init__(self, written: bytes) -> None:
        self._written = written
        self._told: Mapping[str, object] | None = None

    def __getitem__(self, name: str) -> object:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __eq__(self, other: object) -> bool:
        return self._read() == (other._read() if isinstance(other, Unread) else other)

    def __hash__(self) -> int:
        return hash(self._written)

    def _read(self) -> Mapping[str, object]:
        if self._told is None:
            self._told = json.loads(self._written)
        assert self._told is not None
        return self._told


def canonical_json(value: object) -> bytes:
    """Return the RFC 8785 form of a value made of objects, lists, strings, booleans, null and whole numbers.

    Object names are ASCII, so that sorting by code point equals the RFC's sorting by UTF-16 unit.

    Raises:
        InvalidValue: A number is not whole or beyond +-(2^53-1), a name is not ASCII, text is not Unicode, or the value
            nests too deep.
    """
    _check(value)
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidValue(f"text of a signed value is Unicode, was {error.object!r}") from error


def _check(value: object, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise InvalidValue(f"a signed value nests at most {MAX_DEPTH} deep")
    match value:
        case bool() | str() | None:
            pass
        case int():
            if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
                raise InvalidValue(f"a signed number is within +-(2^53-1), was {value}")
        case Mapping():
            for name, item in value.items():
                if not (isinstance(name, str) and name.isascii()):
                    raise InvalidValue(f"a signed object's names are ASCII, was {name!r}")
                _check(item, depth + 1)
        case list() | tuple():
            for item in value:
                _check(item, depth + 1)
        case _:
            raise InvalidValue(f"a signed value is text, whole number, list or object, was {value!r}")
