"""What may stand in the body of a contract request, and of a fact that calls contracts; see `bodies` for all others."""

from typing import Annotated

from msgspec import Meta, Struct

from commonwatt.flows.rulebook.tokens.wallet_bodies import Money
from commonwatt.market.contracts import BaselineRule, Basis, Days, Direction, PaymentRule, TriggerKind
from commonwatt.model import Kind

_Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
_Moment = Annotated[int, Meta(ge=0, le=32_503_680_000)]
_Minute = Annotated[int, Meta(ge=0, le=1440)]
_Watts = Annotated[int, Meta(ge=0, le=10**9)]
_Price = Annotated[int, Meta(ge=-(10**9), le=10**9)]
_Rate = Annotated[int, Meta(ge=0, le=10**9)]
_Seconds = Annotated[int, Meta(ge=0, le=10**8)]
_Permille = Annotated[int, Meta(ge=0, le=1000)]


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class WindowItem(_Body, frozen=True, omit_defaults=True):
    """When something is asked for, and its price; see `commonwatt.market.contracts.Window`."""

    direction: Direction
    price_micro_per_kwh: _Price
    days: Days | None = None
    from_minute: _Minute = 0
    to_minute: _Minute = 0
    start_s: _Moment = 0
    end_s: _Moment = 0


class TriggerItem(_Body, frozen=True, omit_defaults=True):
    """What calls a window; see `commonwatt.market.contracts.Trigger`."""

    kind: TriggerKind = TriggerKind.STANDING
    level: Annotated[int, Meta(ge=-(10**9), le=10**9)] = 0
    name: _Name | None = None
    oracles: Annotated[tuple[_Name, ...], Meta(max_length=16)] = ()
    quorum: Annotated[int, Meta(ge=0, le=16)] = 0
    lasts_s: Annotated[int, Meta(ge=1, le=86_400)] = 3600


class MakeOffer(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="offer"):
    """A utility's offer; see `commonwatt.market.contracts.Terms`. ``budget_micro`` is reserved while it stands."""

    windows: Annotated[tuple[WindowItem, ...], Meta(min_length=1, max_length=16)]
    most_windows: Annotated[int, Meta(ge=1, le=366)]
    until_s: _Moment
    accept_by_s: _Moment
    power_w: Annotated[int, Meta(ge=1, le=10**9)]
    budget_micro: Money
    basis: Basis
    most_micro_per_kwh: _Rate
    availability_micro_per_kw_h: _Rate = 0
    penalty_micro_per_kwh: _Rate = 0
    rule: PaymentRule = PaymentRule.PRO_RATA
    whole_permille: Annotated[int, Meta(ge=1, le=1000)] = 1000
    baseline: BaselineRule = BaselineRule.TEN_LIKE_DAYS
    adjust_permille: _Permille = 200
    trigger: TriggerItem = TriggerItem()
    notice_s: Annotated[int, Meta(ge=0, le=604_800)] = 0
    leave_s: _Seconds = 0
    dispute_s: Annotated[int, Meta(ge=1, le=10**8)] = 86_400
    resolve_s: Annotated[int, Meta(ge=1, le=10**8)] = 30 * 86_400
    arbiter: _Name | None = None
    zone: _Name | None = None


class CloseOffer(_Body, frozen=True, tag_field="what", tag="close"):
    """Takes an offer back: nobody may accept it any more, and contracts under it go on."""

    offer: _Name


class GiveGuarantee(_Body, frozen=True, tag_field="what", tag="guarantee"):
    """What an asset can be counted on for, W each way, until when, and whether it is controlled directly (row M4)."""

    asset: _Name
    until_s: _Moment
    charge_w: _Watts
    give_back_w: _Watts
    direct: bool


class Accept(_Body, frozen=True, tag_field="what", tag="accept"):
    """Accepts an offer with one asset and what it promises each way, W; no more than its guarantee."""

    offer: _Name
    asset: _Name
    charge_w: _Watts
    give_back_w: _Watts


class Leave(_Body, frozen=True, tag_field="what", tag="leave"):
    """Ends a contract once its terms let it go."""

    contract: _Name


class Dispute(_Body, frozen=True, tag_field="what", tag="dispute"):
    """Holds the payment for a contract's window, named by its start."""

    contract: _Name
    window_s: _Moment
    reason: Annotated[str, Meta(min_length=1, max_length=400)]


class Resolve(_Body, frozen=True, tag_field="what", tag="resolve"):
    """What a disputed window is to come to: micro that the utility pays, below zero that the member does."""

    contract: _Name
    window_s: _Moment
    net_micro: Annotated[int, Meta(ge=-(10**12), le=10**12)]


ContractBody = MakeOffer | CloseOffer | GiveGuarantee | Accept | Leave | Dispute | Resolve


class FrequencyFact(_Body, frozen=True, tag_field="what", tag="frequency"):
    """An oracle's fact: the grid's mean frequency from one instant to another, a second to a slot."""

    start_s: _Moment
    end_s: _Moment
    mhz: Annotated[int, Meta(ge=0, le=10**6)]


class EventFact(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="event"):
    """An oracle's fact: a grid event that is to come, what it asks for, and in which zone; in all without one."""

    name: _Name
    start_s: _Moment
    end_s: _Moment
    direction: Direction
    zone: _Name | None = None


ContractFact = FrequencyFact | EventFact

CONTRACT_BODIES: dict[Kind, object] = {Kind.CONTRACT: ContractBody}
