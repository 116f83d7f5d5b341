"""What may stand in a registration about premium licences; see `bodies` for all others."""

from typing import Annotated

from msgspec import Meta, Struct

_Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
_Moment = Annotated[int, Meta(ge=0, le=32_503_680_000)]


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class Licence(_Body, frozen=True, tag_field="what", tag="licence"):
    """The operator's word that an account owes no commission on its storage in a span of time."""

    account: _Name
    from_s: _Moment
    until_s: _Moment


class BuyLicence(_Body, frozen=True, tag_field="what", tag="buy licence"):
    """The same for so many months of 30 days, from now on, bought with the account's own ERGON."""

    months: Annotated[int, Meta(ge=1, le=12)]


LicenceBody = Licence | BuyLicence
