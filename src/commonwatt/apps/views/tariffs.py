"""What a community takes for what, as it was founded: public, since everybody pays by it."""

from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import check
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Fees in micro: the operator's per kWh charged and discharged, or a licence a month in their place; None for none.

    ``commission_micro_per_kwh`` is what storing takes, in TSL; ``unbacked_micro_per_kwh`` what an order without energy
    behind it does.
    """

    charged_micro_per_kwh: int
    discharged_micro_per_kwh: int
    licence_micro_per_month: int | None
    commission_micro_per_kwh: int
    unbacked_micro_per_kwh: int


def tariff(community: Community, seat: Seat) -> Tariff:
    """Return what is taken for what."""
    check(community, seat, Action.SEE_COMMUNITY, None)
    charter = community.state.charter
    return Tariff(
        charged_micro_per_kwh=charter.operator_micro_per_kwh_charged,
        discharged_micro_per_kwh=charter.operator_micro_per_kwh_discharged,
        licence_micro_per_month=charter.licence_micro_per_month,
        commission_micro_per_kwh=charter.commission_micro_per_kwh,
        unbacked_micro_per_kwh=charter.unbacked_micro_per_kwh,
    )
