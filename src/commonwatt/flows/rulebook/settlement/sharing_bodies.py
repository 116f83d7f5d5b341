"""What a charter and the operator may say about settlement: imbalance, sharing keys, and making each other whole."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from commonwatt.model import AccountId
from commonwatt.settlement.sharing import ALL_PERMILLE

_Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
_Moment = Annotated[int, Meta(ge=0, le=32_503_680_000)]
_Price = Annotated[int, Meta(ge=-(10**9), le=10**9)]
_Markup = Annotated[int, Meta(ge=0, le=10**9)]
Part = Annotated[int, Meta(ge=1, le=ALL_PERMILLE)]
"""Of what is shared out, in thousandths."""


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What is not there is left out."""


class SharingBody(_Body, frozen=True):
    """How what neighbours exported and did not sell is shared; see `commonwatt.settlement.sharing`.

    Without ``price_micro_per_kwh`` it costs the midpoint of import and export price. ``fee_micro_per_kwh`` is what the
    grid takes for its wires beside it. ``permille`` are the parts of accounts under ``static``, at most 1,000 together;
    with ``redistribute`` what one of them cannot use goes to the others, else to the grid.
    """

    key: Literal["none", "static", "dynamic", "pairs"] = "none"
    price_micro_per_kwh: _Price | None = None
    fee_micro_per_kwh: _Markup = 0
    permille: Annotated[dict[_Name, Part], Meta(max_length=ALL_PERMILLE)] = {}
    redistribute: bool = False

    def __post_init__(self) -> None:
        if (self.key == "static") != bool(self.permille):
            raise ValueError("a static key has parts, and no other key has any")
        if sum(self.permille.values()) > ALL_PERMILLE:
            raise ValueError(f"parts are at most {ALL_PERMILLE} thousandths together")


class SharingKey(_Body, frozen=True, tag_field="what", tag="sharing"):
    """The operator's word on how is shared from a later slot on, until the next such word."""

    from_s: _Moment
    sharing: SharingBody


class SettlementTerms(_Body, frozen=True):
    """A community's settlement beyond meters and the grid; without any of it trades that are not delivered lapse.

    ``imbalance``: ``none`` lets them lapse; under ``grid`` who fails pays the grid's import or gets its export price;
    under ``told`` the oracle tells one price for both after the slot, for which settlement waits as long as for a
    silent meter, and takes the grid's where none came. ``imbalance_markup_micro_per_kwh`` comes on top of what is paid
    and off what is got. ``imbalance_most_micro_per_kwh`` is the most that a kWh not kept can cost, either way: so much
    stands behind every order, and in a slot whose grid's prices lie beyond it trades lapse.

    ``sharing`` holds from the first slot on, see `SharingKey`. ``ex_post`` is for a community whose law wants sharing
    after metering alone: it has no slot market. ``equalise`` makes whole, each day or month of the community's clock,
    who paid more than the grid alone would have cost them; see `equalising`.
    """

    imbalance: Literal["none", "grid", "told"] = "none"
    imbalance_markup_micro_per_kwh: _Markup = 0
    imbalance_most_micro_per_kwh: _Markup = 1_000_000
    sharing: SharingBody = SharingBody()
    ex_post: bool = False
    equalise: Literal["none", "day", "month"] = "none"

    @property
    def stake_micro_per_kwh(self) -> int:
        """What must stand behind a kWh that is traded: the most it can cost if it is not kept, 0 where it lapses."""
        return 0 if self.imbalance == "none" else self.imbalance_most_micro_per_kwh

    def stake_micro(self, energy_wh: int) -> int:
        """Return what must stand behind an amount of energy that is traded, rounded up."""
        return -(-energy_wh * self.stake_micro_per_kwh // 1000)


def accounts_of(body: SharingBody) -> list[AccountId]:
    """Return who has a part under a static key, sorted."""
    return sorted(AccountId(name) for name in body.permille)
