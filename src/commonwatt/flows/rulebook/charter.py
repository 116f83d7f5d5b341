"""A community's parameters, as its founding tells them."""

from dataclasses import dataclass, field

from commonwatt.flows.rulebook.bodies import Witness
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms
from commonwatt.model import InvalidValue
from commonwatt.tokens.tsl import TOTAL_MICRO


@dataclass(slots=True, kw_only=True)
class Charter:
    """A community's parameters, as its first leaf tells them; see `bodies.RegisterCommunity`.

    Raises:
        InvalidValue: A low balance does not clear above where it is low, or more TSL is given away than there is.
    """

    timezone: str = "UTC"
    b_max_wh: int = 0
    grace_slots: int = 0
    gate_s: int = 0
    correction_slots: int = 0
    tsl_micro_per_kwh: int | None = None
    commission_micro_per_kwh: int = 0
    member_tsl_micro: int = 0
    education_tsl_micro: int = 0
    welcome_grant_micro: int = 0
    low_micro: int | None = None
    clear_micro: int | None = None
    meter_threshold_micro: int = 0
    meter_grace_s: int | None = None
    topup_lasts_s: int = 259_200
    operator_micro_per_kwh_charged: int = 0
    operator_micro_per_kwh_discharged: int = 0
    licence_micro_per_month: int | None = None
    unbacked_micro_per_kwh: int = 0
    sealed_bond_micro: int = 100_000
    witnesses: tuple[Witness, ...] = ()
    settlement: SettlementTerms = field(default_factory=SettlementTerms)

    def __post_init__(self) -> None:
        if (self.low_micro is None) != (self.clear_micro is None):
            raise InvalidValue("a notice has a balance that is low and one that clears it, was one without the other")
        if self.low_micro is not None and self.clear_micro is not None and self.clear_micro <= self.low_micro:
            raise InvalidValue(f"a balance clears above where it is low, was {self.low_micro} and {self.clear_micro}")
        if self.education_tsl_micro > TOTAL_MICRO:
            raise InvalidValue(f"no more TSL is given away than there is, was {self.education_tsl_micro} micro")
