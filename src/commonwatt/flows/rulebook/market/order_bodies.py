"""What may stand in the body of an order, and of what takes one back; see `bodies` for all others."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from commonwatt.model import Kind, Side

_Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
_Moment = Annotated[int, Meta(ge=0, le=32_503_680_000)]
_Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Wanted = Annotated[int, Meta(gt=0, le=10**9)]
"""Wh, more than none."""
Limit = Annotated[int, Meta(ge=0, le=10**9)]
"""Micro per kWh; what members trade costs zero or more."""


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class WattOrder(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="watt"):
    """A wish to buy or sell stored energy, in the WATT book (row E4).

    With a limit it rests until it is filled, taken back, or at ``until_s`` gone by itself. With ``now`` it trades what
    it can at once and is gone; without a limit too, at whatever price stands. ``by_agent`` says that the owner's agent
    wants it, see `agency`.
    """

    side: Side
    energy_wh: Wanted
    price_micro_per_kwh: Limit | None = None
    until_s: _Moment | None = None
    now: bool = False
    by_agent: bool = False


class SlotOrder(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="slot"):
    """A wish to buy or sell energy that flows in the slot that starts at ``slot_s``; see `commonwatt.model.SlotOrder`.

    ``now`` meets other such orders at once, before the gate; what is left of it goes to the auction.
    """

    side: Side
    energy_wh: Wanted
    price_micro_per_kwh: Limit
    slot_s: _Moment
    source: Literal["any", "renewable", "solar"] = "any"
    near: bool = False
    partner: _Name | None = None
    premium_micro_per_kwh: Limit = 0
    strict: bool = False
    now: bool = False


OrderBody = WattOrder | SlotOrder


class Sealed(_Body, frozen=True, tag_field="what", tag="sealed"):
    """Takes a place in time for an order that nobody knows yet; see `sealing.commitment_of`."""

    commitment: _Hash


class Reveal(_Body, frozen=True, tag_field="what", tag="reveal"):
    """Tells the order that was sealed at a place in the log."""

    sealed: _Name
    salt: _Hash
    order: OrderBody


class AgentOn(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="agent"):
    """Switches the owner's agent on, or sets its prices anew: it buys at one and sells at the other (row E7).

    With ``forecast`` it also deals in slots from what is expected, within these prices, and not from the plan alone.
    """

    buy_micro_per_kwh: Limit
    sell_micro_per_kwh: Limit
    forecast: bool = False


class AgentOff(_Body, frozen=True, tag_field="what", tag="agent off"):
    """Switches the owner's agent off; what it has standing goes."""


class CancelBody(_Body, frozen=True, tag_field="what", tag="cancel"):
    """Takes an order back: out of the WATT book, or of a slot whose gate is open."""

    order: _Name


class Amend(_Body, frozen=True, tag_field="what", tag="amend"):
    """Lets a WATT order want less from now on; it keeps its price and its place in time."""

    order: _Name
    energy_wh: Wanted


Ordering = OrderBody | Sealed | Reveal | AgentOn | CancelBody | Amend | AgentOff
ORDER_BODIES: dict[Kind, object] = {
    Kind.ORDER: OrderBody | Sealed | Reveal | AgentOn,
    Kind.CANCEL: CancelBody | Amend | AgentOff,
}
