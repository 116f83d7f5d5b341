"""What may stand in the body of a request about an auction; see `bodies` for all others."""

from typing import Annotated

from msgspec import Meta, Struct, structs

from commonwatt.market.auctions import Form, Good, Terms
from commonwatt.market.auctions.terms import SEALED
from commonwatt.model import Kind, Side

_Name = Annotated[str, Meta(pattern=r"^[0-9]{1,16}\Z")]
_Moment = Annotated[int, Meta(ge=0, le=32_503_680_000)]
_Amount = Annotated[int, Meta(gt=0, le=10**9)]
_Price = Annotated[int, Meta(ge=0, le=10**9)]
_Bond = Annotated[int, Meta(ge=0, le=10**12)]
_Span = Annotated[int, Meta(ge=0, le=10**7)]
_Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]

LATE = {"late_s": 60, "extend_s": 60, "most_extensions": 5}
"""A bid in the last minute gives everybody a minute more, five times: nobody wins by being the last to speak."""
BOND_MICRO = 100_000
"""As much as a sealed order has to lose by default."""


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class Open(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="open"):
    """Puts a lot up; it is known by its place in the log from then on. See `commonwatt.market.auctions.Terms`.

    Where it does not say, late bids extend an English auction by `LATE`, and whoever seals something has `BOND_MICRO`
    to lose.
    """

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
    late_s: _Span | None = None
    extend_s: _Span | None = None
    most_extensions: Annotated[int, Meta(ge=0, le=100)] | None = None
    from_s: _Moment = 0
    to_s: _Moment = 0
    bidder_bond_micro: _Bond | None = None
    owner_bond_micro: _Bond | None = None

    def terms(self) -> Terms:
        """Return the lot and its rules, with what the body leaves to them.

        Raises:
            InvalidValue: They contradict each other, or are out of bounds.
        """
        told = {name: value for name, value in structs.asdict(self).items() if value is not None}
        usual = {"bidder_bond_micro": BOND_MICRO} if self.form in SEALED else {}
        if self.reserve_hash is not None:
            usual["owner_bond_micro"] = BOND_MICRO
        if self.form is Form.ENGLISH:
            usual |= LATE
        return Terms(**(usual | told))


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
    """Takes a lot back on which nobody has bid, or what is left of a Dutch one."""

    auction: _Name


AuctionBody = Open | Offer | Seal | Reveal | RevealReserve | TakeDown

AUCTION_BODIES: dict[Kind, object] = {Kind.AUCTION: AuctionBody}
