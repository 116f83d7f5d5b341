"""The other side: the same street left to itself, cars at full power on arrival and batteries greedy."""

from dataclasses import dataclass

from commonwatt.model import SLOT_SECONDS, AccountId, AssetKind, cost_micro, epoch, slots_of
from commonwatt.simulator.recorded import Recorded
from commonwatt.simulator.street import Street, account
from commonwatt.simulator.world import homes


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmanaged:
    """What the day comes to without commonwatt.

    Args:
        net_wh: Energy at the feeder per slot, import positive.
        demand_wh: Load less solar per slot, with neither cars nor batteries.
        bills_micro: Per member, each alone with the grid.
        stored_wh: What all batteries hold at the end.
        discharged_wh: What all batteries gave during the day.
    """

    net_wh: tuple[int, ...]
    demand_wh: tuple[int, ...]
    bills_micro: dict[AccountId, int]
    stored_wh: int
    discharged_wh: int

    @property
    def cost_micro(self) -> int:
        """What the street pays in all."""
        return sum(self.bills_micro.values())


def live_unmanaged(street: Street, recorded: Recorded) -> Unmanaged:
    """Let the street live through its day by its devices' own habits."""
    everyone = homes(street, recorded)
    net_wh, demand_wh = [], []
    discharged_wh = 0
    bills = dict.fromkeys((account(number) for number in range(1, len(everyone) + 1)), 0)
    for slot in slots_of(street.span):
        slot_s = epoch(slot.start)
        (bought,) = recorded.import_price.between(slot_s, slot_s + SLOT_SECONDS)
        (sold,) = recorded.export_price.between(slot_s, slot_s + SLOT_SECONDS)
        slot_wh = alone_wh = 0
        for owner, home in zip(bills, everyone, strict=True):
            flows = home.step(slot_s, {})
            flow = flows[home.assets[AssetKind.CONNECTION].id]
            discharged_wh += flows[home.assets[AssetKind.BATTERY].id].export_wh
            bills[owner] += cost_micro(flow.import_wh, bought) - cost_micro(flow.export_wh, sold)
            slot_wh += flow.import_wh - flow.export_wh
            index = (slot_s - home.around.start_s) // SLOT_SECONDS
            alone_wh += home.around.load_wh[index] - home.around.solar_wh[index]
        net_wh.append(slot_wh)
        demand_wh.append(alone_wh)
    return Unmanaged(
        net_wh=tuple(net_wh),
        demand_wh=tuple(demand_wh),
        bills_micro=bills,
        stored_wh=sum(home.state.battery_wh for home in everyone),
        discharged_wh=discharged_wh,
    )
