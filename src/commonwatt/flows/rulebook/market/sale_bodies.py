"""What may stand in the body of a direct sale, which is a kind of transfer; see `bodies` for all others."""

from typing import Annotated

from msgspec import Meta, Struct

from commonwatt.flows.rulebook.tokens.crossing_bodies import CrossingBody
from commonwatt.flows.rulebook.tokens.wallet_bodies import TransferBody
from commonwatt.model import Kind

_Position = Annotated[str, Meta(pattern=r"^[0-9]{1,16}\Z")]
_Address = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
_Moment = Annotated[int, Meta(ge=0, le=32_503_680_000)]
_Energy = Annotated[int, Meta(gt=0, le=10**9)]


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class Listing(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="list"):
    """WATT for whoever pays the price, in parts or as a whole, until a time; known by its place in the log."""

    energy_wh: _Energy
    price_micro_per_kwh: Annotated[int, Meta(ge=0, le=10**9)]
    until_s: _Moment
    whole: bool = False


class Take(_Body, frozen=True, tag_field="what", tag="take"):
    """Buys what is listed, from the address that the buyer has checked, for so much money at most.

    ``seller`` is the address of the key that signed the listing (``0x`` and 40 digits), or the account.
    """

    listing: _Position
    seller: _Address
    energy_wh: _Energy
    most_micro: Annotated[int, Meta(ge=0, le=10**15)]


class Unlist(_Body, frozen=True, tag_field="what", tag="unlist"):
    """Takes a listing back."""

    listing: _Position


SaleBody = Listing | Take | Unlist

SALE_BODIES: dict[Kind, object] = {Kind.TRANSFER: TransferBody | CrossingBody | SaleBody}
