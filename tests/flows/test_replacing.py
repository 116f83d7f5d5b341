"""A battery's device is replaced in mid-slot: the asset's readings go on, and come to what physics did."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watched_bench import BATTERY, NOON_S, Clock, MemoryShelf

from commonwatt.adapters.stores.outbox import OutboxFile
from commonwatt.flows.gateway.gateway import Gateway, Identity
from commonwatt.flows.intake import read_request
from commonwatt.flows.inventory import Health
from commonwatt.flows.inventory_ports import Deed, Order
from commonwatt.flows.keeper import Keeper
from commonwatt.flows.watching import Inventory, Watched
from commonwatt.identity.keys import SigningKey
from commonwatt.metering.batch import Item, decode_items
from commonwatt.metering.parting import Exchange
from commonwatt.model import SLOT_SECONDS, Band, GatewayId, InvalidValue
from commonwatt.simulator.devices.paper import PaperDevice
from commonwatt.simulator.plant import Plant

pytestmark = pytest.mark.row("W11", "W8")


@dataclass
class House:
    """A gateway with a battery, whose owner holds a power by hand."""

    outbox: OutboxFile

    def __post_init__(self) -> None:
        self.clock, self.shelf = Clock(), MemoryShelf()
        self.plant = Plant(asset=BATTERY, now_s=NOON_S, level_wh=5_000, import_wh=70_000, export_wh=50_000)
        self.inventory = Inventory(self.shelf, self.clock)
        self.old = self.watched(self.plant, "old")
        self.keeper = Keeper({BATTERY.id: (BATTERY, self.old)})
        key = SigningKey.from_seed(b"seed", "gw-1")
        identity = Identity(community="lane", number=GatewayId("gw-1"), secret=b"secret")
        self.gateway = Gateway(identity, [BATTERY], self.keeper, key, self.outbox)

    def watched(self, plant: Plant, name: str) -> Watched:
        return self.inventory.watch(BATTERY, PaperDevice(plant, self.clock), "paper", f"paper://{name}")

    def pass_time(self, seconds: int, power_w: int) -> None:
        self.plant.ask(Band(lo_w=power_w, hi_w=power_w), None)
        self.plant.pass_time(seconds)
        self.clock.now_s += seconds

    def fit_another(self, first: tuple[int, int]) -> Plant:
        """Take the meter out and another one in; the battery stays as full as it is."""
        before = self.plant
        self.plant = Plant(
            asset=BATTERY, now_s=self.clock.now_s, level_wh=before.level_wh, import_wh=first[0], export_wh=first[1]
        )
        return before

    def replaced(self, last: tuple[int, int] | None, first: tuple[int, int]) -> None:
        exchange = Exchange(at_s=self.clock.now_s, last=last, first=first)
        self.shelf.order(
            Order(
                deed=Deed.REPLACE,
                asset=BATTERY.id,
                at_s=self.clock.now_s,
                by="the owner",
                exchange=exchange,
                driver="paper",
                url="paper://new",
            )
        )

    def take_orders(self) -> None:
        for _ in self.inventory.take_orders(self.gateway):
            self.keeper.exchange(BATTERY.id, self.watched(self.plant, "new"))

    def told(self) -> list[Item]:
        requests = [read_request(wire) for _, wire in self.outbox.waiting(100)]
        return [item for request in requests if request.items for item in decode_items(request.items)]


def day(house: House, second: int, powers_w: list[int], first: tuple[int, int], *, late: bool) -> tuple[int, int]:
    """Live through four slots, with another meter at a second of the second one; return what physics did."""
    asyncio.run(house.gateway.meet(NOON_S))
    begun = house.plant
    for place, power_w in enumerate(powers_w):
        slot_s = NOON_S + place * SLOT_SECONDS
        if place == 1:
            house.pass_time(second, power_w)
            begun = house.fit_another(first)
            house.replaced((begun.import_wh, begun.export_wh), first)
            if not late:
                house.take_orders()
            house.pass_time(SLOT_SECONDS - second, power_w)
        else:
            house.pass_time(SLOT_SECONDS, power_w)
        house.take_orders()
        asyncio.run(house.gateway.close_slot(slot_s))
    return (
        begun.import_wh - 70_000 + house.plant.import_wh - first[0],
        begun.export_wh - 50_000 + house.plant.export_wh - first[1],
    )


@settings(max_examples=25)
@given(
    second=st.integers(1, SLOT_SECONDS - 1),
    powers_w=st.lists(st.integers(-5_000, 5_000), min_size=4, max_size=4),
    first=st.tuples(st.integers(0, 200_000), st.integers(0, 200_000)),
    late=st.booleans(),
)
def test_a_meter_replaced_in_mid_slot_loses_no_energy_and_makes_none(
    tmp_path_factory: pytest.TempPathFactory, second: int, powers_w: list[int], first: tuple[int, int], late: bool
) -> None:
    with OutboxFile(tmp_path_factory.mktemp("house") / "outbox.sqlite") as outbox:
        house = House(outbox)
        done = day(house, second, powers_w, first, late=late)
        items = house.told()
        assert [item.start_s for item in items] == [NOON_S + place * SLOT_SECONDS for place in range(4)]
        assert (sum(item.import_wh for item in items), sum(item.export_wh for item in items)) == done
        healths = [record.health for record in house.inventory.records.values()]
        assert healths == [Health.REPLACED, Health.HEALTHY]
        with pytest.raises(InvalidValue, match="has another device now"):
            asyncio.run(house.old.read())


def test_an_order_that_comes_after_the_old_meter_was_read_once_more_counts_from_that_reading_on(
    tmp_path: Path,
) -> None:
    with OutboxFile(tmp_path / "outbox.sqlite") as outbox:
        house = House(outbox)
        asyncio.run(house.gateway.meet(NOON_S))
        house.pass_time(SLOT_SECONDS - 2, 4_000)
        house.replaced((house.plant.import_wh, house.plant.export_wh), (300, 0))
        house.pass_time(2, 4_000)
        asyncio.run(house.gateway.close_slot(NOON_S))  # before the order was seen
        begun = house.fit_another((300, 0))
        house.take_orders()
        house.pass_time(SLOT_SECONDS, 2_000)
        asyncio.run(house.gateway.close_slot(NOON_S + SLOT_SECONDS))
        done_wh = begun.import_wh - 70_000 + house.plant.import_wh - 300
        assert sum(item.import_wh for item in house.told()) == done_wh


def test_an_order_that_was_begun_before_a_crash_is_carried_out_once(tmp_path: Path) -> None:
    with OutboxFile(tmp_path / "outbox.sqlite") as outbox:
        house = House(outbox)
        asyncio.run(house.gateway.meet(NOON_S))
        house.pass_time(400, 4_000)
        begun = house.fit_another((300, 0))
        house.replaced((begun.import_wh, begun.export_wh), (300, 0))
        house.shelf.full = True  # told to the gateway's counts, and not to the inventory
        house.take_orders()
        house.shelf.full = False
        house.inventory = Inventory(house.shelf, house.clock)
        house.take_orders()
        house.pass_time(500, 4_000)
        asyncio.run(house.gateway.close_slot(NOON_S))
        assert sum(item.import_wh for item in house.told()) == begun.import_wh - 70_000 + house.plant.import_wh - 300
        assert house.shelf.orders() == []
