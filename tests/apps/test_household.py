"""A gateway's home: what its community and its owner say is obeyed, shown, and not forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from commonwatt.adapters.devices.driver import Doors
from commonwatt.adapters.devices.mqtt.client import Login, Message, broker
from commonwatt.apps import demanding
from commonwatt.apps.household import HomeTerms, Household
from commonwatt.flows.gateway.letters import Called, Orders
from commonwatt.flows.gateway.rules import Mode, Rules
from commonwatt.flows.keeper import Keeper
from commonwatt.model import (
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Caps,
    GatewayId,
    InvalidValue,
    Refused,
    Verb,
    epoch,
    instant,
)
from commonwatt.simulator.devices.paper import PaperDevice
from commonwatt.simulator.plant import Plant
from commonwatt.tokens.prepaid import Supply
from servers.mosquitto import Mosquitto

NOW_S = 1_767_268_800
BATTERY = Asset(
    id=AssetId("battery"),
    owner=AccountId("anna"),
    gateway=GatewayId("gw-1"),
    kind=AssetKind.BATTERY,
    zone="lane",
    max_import_w=5_000,
    max_export_w=5_000,
    capacity_wh=10_000,
)


class Home:
    """A battery behind a gateway, on paper."""

    def __init__(self, folder: Path, mode: Mode = Mode.PROSUMER) -> None:
        self.now_s, self.alarms = NOW_S, list[str]()
        self.plant = Plant(asset=BATTERY, now_s=NOW_S, level_wh=5_000)
        caps = Caps(max_import_w=5_000, max_export_w=5_000, lease_s=60, balances=True)
        device = PaperDevice(self.plant, self.clock, caps)
        self.household = Household(folder, Rules(mode=mode), self.clock, self.alarms.append)
        self.keeper = Keeper({BATTERY.id: (BATTERY, device)}, rules=self.household.settle)

    def clock(self) -> datetime:
        return instant(self.now_s)

    def orders(self, supply: Supply | None = None, *demands: Called) -> None:
        told = Orders(
            community="lane",
            gateway="gw-1",
            number=self.now_s,
            slot_s=NOW_S,
            told_s=self.now_s,
            until_s=self.now_s + 1_800,
            commands=[],
            supply=supply,
            demands=list(demands),
        )
        self.household.hear(told)

    async def tick(self) -> None:
        await self.keeper.tick(self.clock())

    @property
    def held(self) -> tuple[int, int] | None:
        band = self.plant.held
        return None if band is None else (band.lo_w, band.hi_w)


@pytest.mark.row("H6")
def test_a_demand_is_answered_while_it_lasts_and_forgotten_by_nobody(tmp_path: Path) -> None:
    home = Home(tmp_path)
    wanted = Called(id="evening", start_s=NOW_S, end_s=NOW_S + 600, power_w=None)

    async def story() -> None:
        home.orders(Supply.ENABLED, wanted)
        await home.tick()
        assert home.held == (-5_000, -5_000)
        again = Home(tmp_path)  # its program was killed
        await again.tick()
        assert again.held == (-5_000, -5_000)
        home.now_s += 601
        await home.tick()
        assert home.plant.held is not None
        assert home.plant.held.balance_w == 0, "by itself it runs the house"

    asyncio.run(story())


@pytest.mark.row("H4")
def test_a_disabled_meter_draws_nothing_and_an_enabled_one_at_once_again(tmp_path: Path) -> None:
    home = Home(tmp_path)

    async def story() -> None:
        home.orders(Supply.DISABLED)
        await home.tick()
        assert home.held is not None
        assert home.held[1] <= 0
        home.now_s += 5
        home.orders(Supply.ENABLED)
        await home.tick()
        assert home.held is not None
        assert home.held[1] == 5_000

    asyncio.run(story())


def test_a_wish_goes_before_the_rest_until_it_is_taken_back_and_outlives_a_restart(tmp_path: Path) -> None:
    home = Home(tmp_path)

    async def story() -> None:
        await home.household.wish(BATTERY.id, Verb.START_CHARGE, 2_000)
        again = Home(tmp_path)
        await again.tick()
        assert again.held == (2_000, 2_000)
        await again.household.schedules_off(BATTERY.id, True)
        await again.tick()
        assert again.held == (0, 0)
        await again.household.as_planned(BATTERY.id)
        await again.tick()
        assert again.plant.held is not None
        assert again.plant.held.balance_w == 0

    asyncio.run(story())


def test_what_was_heard_and_makes_no_sense_any_more_is_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "heard.json").write_bytes(b"{")
    (tmp_path / "heard.json").chmod(0o600)
    assert Home(tmp_path).household.local.heard.demands == ()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(8):
        while not true():
            await asyncio.sleep(0.01)


@pytest.mark.row("H9", "W8")
def test_home_assistant_shows_the_battery_and_its_owner_charges_it_from_there(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    home = Home(tmp_path)
    seen: dict[str, bytes] = {}

    async def story(say: Callable[[str, bytes], Awaitable[None]]) -> None:
        terms = HomeTerms(broker=f"mqtt://127.0.0.1:{mosquitto.port}")
        assets: dict[AssetId, Asset] = {BATTERY.id: BATTERY}
        async with Doors(clock=home.clock, folder=tmp_path) as doors:
            await home.household.open_home(terms, BATTERY.gateway, assets, doors)
            await home.keeper.read()
            await home.household.show(home.keeper)
            await until(lambda: any(topic.endswith("/config") for topic in seen))
            base = "commonwatt/gw-1/battery"
            await until(lambda: json_of(seen.get(f"{base}/state")).get("power_w") == 0)
            await say(f"{base}/wish/set", b"START CHARGE")
            await until(lambda: BATTERY.id in home.household.local.heard.wishes)
            await home.tick()
            assert home.held == (5_000, 5_000)

    async def whole() -> None:
        login = Login(host="127.0.0.1", port=mosquitto.port, status_topic="ha/test")
        async with broker(login) as ha:
            await ha.listen("homeassistant/#", note)
            await ha.listen("commonwatt/#", note)
            await until(lambda: ha.connected)
            await story(ha.publish)

    def note(message: Message) -> None:
        seen[message.topic] = message.payload

    asyncio.run(whole())


def json_of(payload: bytes | None) -> dict[str, object]:
    return msgspec.json.decode(payload) if payload else {}


@pytest.mark.row("H6")
def test_an_operator_demands_lists_and_takes_back(tmp_path: Path) -> None:
    evening = Called(id="evening", start_s=NOW_S + 60, end_s=NOW_S + 600, power_w=500)
    assert demanding.demand(tmp_path, evening, NOW_S) == [evening]
    assert demanding.standing(tmp_path, NOW_S) == [evening]
    assert demanding.standing(tmp_path, NOW_S + 600) == []
    with pytest.raises(Refused, match="taken back by its name"):
        demanding.retract(tmp_path, "morning", NOW_S)
    assert demanding.retract(tmp_path, "evening", NOW_S) == []
    with pytest.raises(InvalidValue, match="ends later than now"):
        demanding.demand(tmp_path, evening, NOW_S + 600)
    with pytest.raises(InvalidValue, match="says its zone"):
        demanding.seconds_of("2026-06-01T20:00")
    assert instant(demanding.seconds_of("2026-06-01T20:00Z")) - timedelta(hours=20) == instant(
        epoch(datetime.fromisoformat("2026-06-01T00:00Z"))
    )
