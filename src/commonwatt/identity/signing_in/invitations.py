"""Invitations: who may join as what, signed by who invites; each is good once and for a while."""

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from commonwatt.identity.keys import RequestSigner, VerifyingKey
from commonwatt.identity.seat import Role
from commonwatt.model import AccountId, CommunityId, InvalidValue, Refused, canonical_json

GOOD_FOR_S = 7 * 86_400
_LONGEST = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An invitation.

    Args:
        id: 128 random bits, hex.
        community: To which.
        role: As what.
        account: For which account, where the role has one.
        zones: About which zones, see `commonwatt.identity.seat.Seat`.
        until_s: From when on it is good no more.
    """

    id: str
    community: CommunityId
    role: Role
    account: AccountId | None
    zones: tuple[str, ...]
    until_s: int

    def __post_init__(self) -> None:
        if self.role is Role.PUBLIC:
            raise InvalidValue("nobody is invited as the public")


def new_id() -> str:
    """Return 128 random bits, hex."""
    return secrets.token_hex(16)


def write_invitation(invitation: Invitation, key: RequestSigner) -> str:
    """Return an invitation as text for a link, signed."""
    content = _content(invitation)
    return f"{urlsafe_b64encode(content).decode().rstrip('=')}.{key.sign(_signed(content))}"


def read_invitation(text: str, community: CommunityId, key: VerifyingKey, now_s: int) -> Invitation:
    """Read an invitation. Whether it was used or taken back, whoever keeps them knows.

    Args:
        text: As it was written.
        community: To which it must be.
        key: Whose signature it must bear.
        now_s: Seconds since 1970.

    Raises:
        Refused: It is of another form or community, not signed by this key, or too old.
    """
    packed, _, signature = text[:_LONGEST].partition(".")
    try:
        content = urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        plain = json.loads(content)
        found = Invitation(
            id=str(plain["id"]),
            community=CommunityId(plain["community"]),
            role=Role(plain["role"]),
            account=AccountId(plain["account"]) if plain["account"] is not None else None,
            zones=tuple(map(str, plain["zones"])),
            until_s=int(plain["until_s"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Refused("an invitation is whole", why="it cannot be read") from error
    if content != _content(found) or not key.verify(_signed(content), signature):
        raise Refused("an invitation is signed by who runs the community")
    if found.community != community:
        raise Refused("an invitation is to this community", found=found.community)
    if now_s >= found.until_s:
        raise Refused("an invitation is good for a while", until_s=found.until_s, now_s=now_s)
    return found


def _content(invitation: Invitation) -> bytes:
    return canonical_json(
        {
            "account": invitation.account,
            "community": invitation.community,
            "id": invitation.id,
            "role": invitation.role.value,
            "until_s": invitation.until_s,
            "zones": list(invitation.zones),
        }
    )


def _signed(content: bytes) -> bytes:
    # No request begins like this, they are JSON: an invitation never passes for one.
    return b"commonwatt invitation\n" + content
