"""What may stand in the body of a contract's request and of a fact about the world; see `bodies` for all others."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from commonwatt.market.contracts.terms import (
    MOST_WINDOWS,
    Baseline,
    Direction,
    PaymentRule,
    Reference,
    Trigger,
    Volume,
)
from commonwatt.model import Kind

_Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
_Moment = Annotated[int, Meta(ge=0, le=32_503_680_000)]
_Seconds = Annotated[int, Meta(ge=0, le=10**8)]
_Watts = Annotated[int, Meta(ge=0, le=10**9)]
_Price = Annotated[int, Meta(ge=0, le=10**9)]
_Signed = Annotated[int, Meta(ge=-(10**9), le=10**9)]
_Permille = Annotated[int, Meta(ge=0, le=1000)]
_Day = Annotated[int, Meta(ge=0, le=6)]
_Key = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class HoursItem(_Body, frozen=True, omit_defaults=True, tag_field="comes", tag="again"):
    """Windows by the clock on the wall, on days of the week (Monday is 0; every day where none is named)."""

    direction: Direction
    start_minute: Annotated[int, Meta(ge=0, lt=1440)]
    end_minute: Annotated[int, Meta(gt=0, le=2880)]
    weekdays: Annotated[tuple[_Day, ...], Meta(max_length=7)] = ()


class OnceItem(_Body, frozen=True, tag_field="comes", tag="once"):
    """One window, from one moment to another."""

    direction: Direction
    start_s: _Moment
    end_s: _Moment


class Offer(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="offer"):
    """A contract that a utility offers; see `commonwatt.market.contracts.terms.Terms` for each field.

    Windows that come again begin from ``begins_s`` up to ``ends_s``.
    """

    windows: Annotated[tuple[HoursItem | OnceItem, ...], Meta(min_length=1, max_length=MOST_WINDOWS)]
    begins_s: _Moment
    ends_s: _Moment
    accept_by_s: _Moment
    most_w: Annotated[int, Meta(gt=0, le=10**9)]
    most_wh: Annotated[int, Meta(gt=0, le=10**12)] | None = None
    volume: Volume = Volume.POWER
    sale_micro_per_kwh: _Signed = 0
    buy_back_micro_per_kwh: _Price = 0
    reference: Reference = Reference.GRID
    cap_micro_per_kwh: _Price = 0
    availability_micro_per_kw_h: _Price = 0
    penalty_micro_per_kwh: _Price = 0
    rule: PaymentRule = PaymentRule.PRO_RATA
    whole_permille: Annotated[int, Meta(ge=1, le=1000)] = 1000
    baseline: Baseline = Baseline.TEN_LIKE_DAYS
    adjust_permille: _Permille = 200
    trigger: Trigger = Trigger.STANDING
    threshold: _Signed | None = None
    event: _Name | None = None
    quorum: Annotated[int, Meta(ge=1, le=64)] = 1
    notice_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    lasts_s: Annotated[int, Meta(gt=0, le=86_400)] | None = None
    dispute_s: _Seconds = 86_400
    resolve_s: _Seconds = 2_592_000
    leave_s: _Seconds | None = None
    zone: _Name | None = None
    arbiter: _Key | None = None


class Withdraw(_Body, frozen=True, tag_field="what", tag="withdraw"):
    """The utility takes its offer back: nobody can accept it any more; what was accepted holds."""

    contract: _Name


class Guarantee(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="guarantee"):
    """What an asset can guarantee between two moments, said by its owner or by its gateway (row M4).

    ``up_w`` is drawn less or supplied more, ``down_w`` drawn more or supplied less. Without ``direct`` control it is an
    honest answer that backs nothing (row X13).
    """

    contract: _Name
    asset: _Name
    start_s: _Moment
    end_s: _Moment
    up_w: _Watts = 0
    down_w: _Watts = 0
    direct: bool = False


class Accept(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="accept"):
    """A member promises some or all of what an asset has guaranteed, in all windows within that time."""

    contract: _Name
    asset: _Name
    up_w: _Watts = 0
    down_w: _Watts = 0


class Leave(_Body, frozen=True, tag_field="what", tag="leave"):
    """A member takes a promise back, as far as the contract lets them."""

    acceptance: _Name


class Dispute(_Body, frozen=True, tag_field="what", tag="dispute"):
    """Either side says that what was measured of one promise in the window that began then is wrong."""

    acceptance: _Name
    window_s: _Moment
    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class Resolve(_Body, frozen=True, tag_field="what", tag="resolve"):
    """What the utility is to pay for a disputed window (the member, where below zero): the arbiter's word is final, of
    both sides it is when they say the same."""

    acceptance: _Name
    window_s: _Moment
    micro: Annotated[int, Meta(ge=-(10**15), le=10**15)]


ContractBody = Offer | Withdraw | Guarantee | Accept | Leave | Dispute | Resolve


class FrequencyFact(_Body, frozen=True, tag_field="what", tag="frequency"):
    """The grid's frequency over the second, or the mean over the slot, that began then."""

    at_s: _Moment
    seconds: Literal[1, 900]
    millihertz: Annotated[int, Meta(ge=0, le=100_000)]


class EventFact(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="event"):
    """An event of the grid: its name, from when to when, which way help is wanted, and where (else everywhere)."""

    name: _Name
    start_s: _Moment
    end_s: _Moment
    direction: Direction
    zone: _Name | None = None


CONTRACT_BODIES: dict[Kind, object] = {Kind.CONTRACT: ContractBody}
