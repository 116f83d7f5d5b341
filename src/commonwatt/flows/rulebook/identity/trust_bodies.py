"""What may stand in the body of a delegation and of an attestation; see `bodies` for all others."""

from typing import Annotated

from msgspec import Meta, Struct

from commonwatt.identity.credentials import MOST_CHARACTERS
from commonwatt.model import Kind

Role = Annotated[
    str,
    Meta(
        pattern=r"^(member|utility|station|car|planner|oracle|dso|tso|payment|chain|agent|installer|auditor|aggregator"
        r"|engineer|inspector)\Z",
    ),
]
"""As what the operator registers a key; see `commonwatt.flows.rulebook` for who may ask for what."""
_Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
_Moment = Annotated[int, Meta(ge=0, le=32_503_680_000)]
_Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
_PublicKey = Annotated[str, Meta(pattern=r"^[0-9a-f]{66}\Z")]
_Kind = Annotated[str, Meta(pattern=r"^[a-z_]{1,20}\Z")]
_Token = Annotated[str, Meta(min_length=1, max_length=MOST_CHARACTERS)]


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class Grant(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="grant"):
    """Lets a registered key do things for the account that asks, until a date: kinds of request, and ``inspect``.

    With ``assets`` it is about these alone. A new grant to the same key stands in place of the old.
    """

    to: _PublicKey
    kinds: Annotated[tuple[_Kind, ...], Meta(min_length=1, max_length=16)]
    until_s: _Moment
    assets: Annotated[tuple[_Name, ...], Meta(min_length=1, max_length=64)] | None = None


class Revoke(_Body, frozen=True, tag_field="what", tag="revoke"):
    """Takes everything back that the account let a key do, from the next request on."""

    to: _PublicKey


Delegate = Grant | Revoke


class AttestAsset(_Body, frozen=True, tag_field="what", tag="credential"):
    """A professional's credential about an asset, see `commonwatt.identity.credentials`; its kind is inside it."""

    asset: _Name
    credential: _Token


class Qualify(_Body, frozen=True, tag_field="what", tag="qualification"):
    """The operator's credential about a professional."""

    credential: _Token


class Withdraw(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="revocation"):
    """Revokes a credential by its name: of an asset, or without one a professional's own."""

    credential: _Hash
    asset: _Name | None = None


class Authorise(_Body, frozen=True, tag_field="what", tag="authority"):
    """Lets an inspector read about an asset because the law says so, until a date; one that has passed ends it."""

    to: _PublicKey
    asset: _Name
    until_s: _Moment


class Archived(_Body, frozen=True, tag_field="what", tag="archive"):
    """The operator's word that a day lies in the archive, under the manifest of this SHA-256."""

    day: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
    manifest: _Hash


class EntranceTrail(_Body, frozen=True, tag_field="what", tag="trail"):
    """The operator's word how far the trail of the entrance goes: its last event and the hash of that.

    See `commonwatt.identity.signing_in.trail`: from here on nothing before it can be changed or dropped unseen.
    """

    events: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    head: _Hash


Attest = AttestAsset | Qualify | Withdraw | Authorise | Archived | EntranceTrail

TRUST_BODIES: dict[Kind, object] = {Kind.DELEGATE: Delegate, Kind.ATTEST: Attest}
