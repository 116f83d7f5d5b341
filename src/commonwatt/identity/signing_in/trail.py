"""The trail of what happened at the entrance: a chain of hashes, whose head goes into the community's log.

Each event is hashed with the one before, so that none can be dropped, changed or slipped in without every later hash
changing; and once a head stands in the log, nobody can change what came before it unseen, whoever holds the file. What
an event tells of a person is behind a salted hash of its own: it can be erased, and the chain still holds.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from commonwatt.model import Corrupt, canonical_json

BEGINNING = "0" * 64
_SALT_BYTES = 16


class Happened(StrEnum):
    """What is noted."""

    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    FAILED = "failed"
    PERSON_ADDED = "person_added"
    ROLE_CHANGED = "role_changed"
    CREDENTIAL_ADDED = "credential_added"
    CREDENTIAL_REMOVED = "credential_removed"
    TOKEN_MADE = "token_made"  # noqa: S105  a word, no secret
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    SESSION_REVOKED = "session_revoked"
    CHANNEL_ADDED = "channel_added"
    CHANNEL_REMOVED = "channel_removed"
    INVITED = "invited"
    INVITATION_USED = "invitation_used"
    INVITATION_REVOKED = "invitation_revoked"
    GUARDIANS_CHANGED = "guardians_changed"
    LETTER_HANDED_OUT = "letter_handed_out"
    RECOVERY_BEGUN = "recovery_begun"
    RECOVERY_AGREED = "recovery_agreed"
    RECOVERY_VETOED = "recovery_vetoed"
    RECOVERED = "recovered"
    REQUEST_SIGNED = "request_signed"
    """With the key of an account that is kept for it."""
    KEY_BROUGHT = "key_brought"
    """An account's own key, made elsewhere, to be kept here and signed with."""
    DEMAND_CALLED = "demand_called"
    DEMAND_RETRACTED = "demand_retracted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event.

    Args:
        number: From 1, without gaps.
        at_s: When, seconds since 1970.
        what: Happened.
        told: Salted hash of what it tells; what it tells itself is kept elsewhere, while it may be.
        hash: Of all this and the event before.
    """

    number: int
    at_s: int
    what: Happened
    told: str
    hash: str


def next_event(before: Event | None, at_s: int, what: Happened, told: str) -> Event:
    """Return the event that follows another, or the first."""
    number = before.number + 1 if before else 1
    at_s = max(at_s, before.at_s) if before else at_s  # a clock that was put back makes no event older
    return Event(
        number=number,
        at_s=at_s,
        what=what,
        told=told,
        hash=_hash(before.hash if before else BEGINNING, number, at_s, what, told),
    )


def tell(details: Mapping[str, str]) -> tuple[bytes, str]:
    """Return a salt, and the hash under it of what an event tells."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return salt, told_hash(salt, details)


def told_hash(salt: bytes, details: Mapping[str, str]) -> str:
    """Return the salted hash of what an event tells."""
    return sha256(salt + canonical_json(details)).hexdigest()


def check(events: Iterable[Event], heads: Mapping[int, str]) -> Iterator[Event]:
    """Yield events whose chain holds, and see that it leads to the heads that stand in the log.

    Args:
        events: All of them, from the first.
        heads: Hashes by the number of their event, as the log tells them.

    Raises:
        Corrupt: One was changed, dropped or slipped in, or the chain ends before a head; says where.
    """
    before: Event | None = None
    for event in events:
        expected = next_event(before, event.at_s, event.what, event.told)
        if event != expected:
            raise Corrupt(f"event {expected.number} of the trail is not the one that was written there")
        if heads.get(event.number, event.hash) != event.hash:
            raise Corrupt(f"event {event.number} of the trail is not the one whose hash stands in the log")
        yield event
        before = event
    last = before.number if before else 0
    if missing := [number for number in heads if number > last]:
        raise Corrupt(f"the trail ends at event {last}, the log knows of event {max(missing)}")


def _hash(before: str, number: int, at_s: int, what: Happened, told: str) -> str:
    plain = {"at_s": at_s, "before": before, "number": number, "told": told, "what": what.value}
    return sha256(canonical_json(plain)).hexdigest()
