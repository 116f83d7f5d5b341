"""What may stand in the body of a premium licence; it is registered as keys and assets are, see `bodies`."""

from typing import Annotated

from msgspec import Meta, Struct

_Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
_Moment = Annotated[int, Meta(ge=0, le=32_503_680_000)]


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class Licence(_Body, frozen=True, tag_field="what", tag="licence"):
    """The operator's grant: from a moment until another, the account owes no commission on its storage (row W7)."""

    account: _Name
    from_s: _Moment
    until_s: _Moment


class BuyLicence(_Body, frozen=True, tag_field="what", tag="buy licence"):
    """A member's purchase of the same for so many months of 30 days, from now on or from the end of what holds."""

    months: Annotated[int, Meta(ge=1, le=12)]


LicenceBody = Licence | BuyLicence
