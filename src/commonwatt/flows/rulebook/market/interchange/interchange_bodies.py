"""What may stand in the body of an interchange between communities; see `bodies` for all others."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from commonwatt.market.interchange import Interchange
from commonwatt.model import MAX_SAFE_INTEGER, AccountId, Kind, Outcome

Community = Annotated[str, Meta(min_length=1, max_length=49, pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*\Z")]
"""So long at most that its account has a lawful name, see `commonwatt.model.neighbour_account`."""
_Account = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
_Position = Annotated[str, Meta(pattern=r"^[0-9]{1,16}\Z")]
_Moment = Annotated[int, Meta(ge=0, le=32_503_680_000)]
_Number = Annotated[int, Meta(ge=1, le=MAX_SAFE_INTEGER)]
_Price = Annotated[int, Meta(ge=0, le=10**9)]
_Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Signature = Annotated[str, Meta(pattern=r"^[0-9a-f]{128}\Z")]
_PublicKey = Annotated[str, Meta(pattern=r"^[0-9a-f]{66}\Z")]
_Word = Annotated[str, Meta(max_length=200)]


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class Cosigner(_Body, frozen=True):
    """A witness of the other community, by the C2SP word of its key, and its weight."""

    note: _Word
    weight: Annotated[int, Meta(ge=1, le=10**9)] = 1


class RegisterNeighbour(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="neighbour"):
    """Another community: its operator's key, the key of its checkpoints, and how far it is trusted.

    With ``cosigners`` a checkpoint counts once two thirds of their weight stand behind it. At no time is more than
    ``most_wh`` and ``most_micro`` owed either way, what is prepared included. A second word about the same community
    stands in place of the first, while nothing with it is undecided.
    """

    community: Community
    operator: _PublicKey
    note: _Word
    most_wh: Annotated[int, Meta(ge=0, le=10**12)]
    most_micro: Annotated[int, Meta(ge=0, le=10**15)]
    cosigners: Annotated[tuple[Cosigner, ...], Meta(max_length=64)] = ()


class Document(_Body, frozen=True):
    """See `commonwatt.market.interchange.Interchange`."""

    number: _Number
    giver: Community
    taker: Community
    seller: _Account
    buyer: _Account
    energy_wh: Annotated[int, Meta(gt=0, le=10**9)]
    price_micro_per_kwh: _Price
    wheeling_micro_per_kwh: _Price
    decide_by_s: _Moment

    def read(self) -> Interchange:
        """Return what it says.

        Raises:
            InvalidValue: Both communities are one.
        """
        told = msgspec.structs.asdict(self)
        return Interchange(**told | {"seller": AccountId(self.seller), "buyer": AccountId(self.buyer)})


class Prepare(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="prepare"):
    """Sets this log's side of a document aside, for good or until the other log has said that it never will.

    ``reservation`` names what the member here reserved for the operator against the other side of the document; the
    operator's own account needs none.
    """

    document: Document
    giver_signature: _Signature
    taker_signature: _Signature
    reservation: _Position | None = None


class Refuse(_Body, frozen=True, tag_field="what", tag="refuse"):
    """Says that this log prepares nothing under a number, ever."""

    community: Community
    number: _Number


class Proof(_Body, frozen=True):
    """A leaf of the other log, its inclusion proof, and the signed checkpoint that it leads to."""

    note: Annotated[str, Meta(max_length=20_000)]
    body: Annotated[str, Meta(max_length=20_000)]
    closes: bool
    outcome: Outcome
    position: Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]
    path: Annotated[tuple[_Hash, ...], Meta(max_length=64)]
    salt: _Hash
    stamped_s: Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]


class Decide(_Body, frozen=True, tag_field="what", tag="decide"):
    """Ends a prepared side by the other log's word: books it where that prepared the same, else lets go of it."""

    community: Community
    number: _Number
    proof: Proof


InterchangeBody = RegisterNeighbour | Prepare | Refuse | Decide

INTERCHANGE_BODIES: dict[Kind, object] = {Kind.INTERCHANGE: InterchangeBody}
