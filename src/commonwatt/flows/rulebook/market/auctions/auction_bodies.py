"""What may stand in the body of a request about an auction; see `bodies` for all others."""

from typing import Annotated

from msgspec import Meta, Struct

from commonwatt.market.auctions import Form, Good
from commonwatt.model import Kind, Side

_Name = Annotated[str, Meta(pattern=r"^[0-9]{1,16}\Z")]
_Moment = Annotated[int, Meta(ge=0, le=32_503_680_000)]
_Amount = Annotated[int, Meta(gt=0, le=10**9)]
_Price = Annotated[int, Meta(ge=0, le=10**9)]
_Bond = Annotated[int, Meta(ge=0, le=10**12)]
_Span = Annotated[int, Meta(ge=0, le=10**7)]
_Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class Open(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="open"):
    """Puts a lot up; it is known by its place in the log from then on. See `commonwatt.market.auctions.Terms`."""

    form: Form
    side: Side
    good: Good
    amount: _Amount
    start_s: _Moment
    end_s: _Moment
    reserve_price: _Price | None = None
    reserve_hash: _Hash | None = None
    divisible: bool = False
    step: _Price = 1
    tick_s: _Span = 0
    opening_price: _Price = 0
    reveal_s: _Span = 0
    late_s: _Span = 0
    extend_s: _Span = 0
    most_extensions: Annotated[int, Meta(ge=0, le=100)] = 0
    from_s: _Moment = 0
    to_s: _Moment = 0
    bidder_bond_micro: _Bond = 0
    owner_bond_micro: _Bond = 0


class Offer(_Body, frozen=True, tag_field="what", tag="bid"):
    """An open bid in an English auction; in a Dutch one the wish to take so much at the price that stands.

    Of a Dutch price, ``price_micro_per_kwh`` is the most that the bidder pays, or the least that the bidder wants.
    """

    auction: _Name
    amount: _Amount
    price_micro_per_kwh: _Price


class Seal(_Body, frozen=True, tag_field="what", tag="seal"):
    """A sealed bid: its hash alone, see `commonwatt.market.auctions.sealed.commitment`."""

    auction: _Name
    hash: _Hash


class Reveal(_Body, frozen=True, tag_field="what", tag="reveal"):
    """Opens the bid that its author sealed."""

    auction: _Name
    amount: _Amount
    price_micro_per_kwh: _Price
    salt: _Hash


class RevealReserve(_Body, frozen=True, tag_field="what", tag="reserve"):
    """Opens the owner's sealed reserve price."""

    auction: _Name
    price_micro_per_kwh: _Price
    salt: _Hash


class TakeDown(_Body, frozen=True, tag_field="what", tag="withdraw"):
    """Takes a lot back on which nobody has bid."""

    auction: _Name


AuctionBody = Open | Offer | Seal | Reveal | RevealReserve | TakeDown

AUCTION_BODIES: dict[Kind, object] = {Kind.AUCTION: AuctionBody}
