"""Our assets in Home Assistant, whose part a client plays on a real broker."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import aiomqtt
import pytest
from mqtt_assets import BATTERY, BOILER

from commonwatt.adapters.devices.driver import Doors
from commonwatt.adapters.devices.mqtt.client import Broker, Login, broker
from commonwatt.adapters.devices.mqtt.discovery import Shown, Topics, described, words_of
from commonwatt.adapters.devices.mqtt.homeassistant import HomeAssistant
from commonwatt.adapters.devices.mqtt.translate import named
from commonwatt.model import AssetId, GatewayId, Refused, Verb
from commonwatt.simulator.mischief import Mischief, wire
from servers.mosquitto import Mosquitto

NUMBERS = itertools.count()


class Diary:
    """Implements `Wishes` by writing down; it refuses to supply more than 3 kW."""

    def __init__(self) -> None:
        self.lines: list[tuple[Any, ...]] = []

    async def wish(self, asset: AssetId, verb: Verb, power_w: int) -> None:
        if power_w < -3_000:
            raise Refused("more than is allowed", asset=asset, found_w=power_w)
        self.lines.append((asset, verb, power_w))

    async def as_planned(self, asset: AssetId) -> None:
        self.lines.append((asset, None))

    async def schedules_off(self, asset: AssetId, off: bool) -> None:
        self.lines.append((asset, off))


class House:
    """Home Assistant's part: remembers the last message of each topic."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client
        self.seen: dict[str, str] = {}
        self.count: dict[str, int] = {}

    async def listen(self) -> None:
        async for message in self.client.messages:
            topic = message.topic.value
            self.seen[topic] = bytes(message.payload).decode() if message.payload else ""  # type: ignore[arg-type]
            self.count[topic] = self.count.get(topic, 0) + 1


Story = Callable[[House, HomeAssistant, Diary, Mischief], Awaitable[None]]


def play(mosquitto: Mosquitto, story: Story) -> None:
    async def whole() -> None:
        prefix, diary, cable = f"ha{next(NUMBERS)}", Diary(), Mischief()
        async with (
            asyncio.timeout(20),
            aiomqtt.Client("127.0.0.1", mosquitto.port) as client,
            wire(cable, "127.0.0.1", mosquitto.port) as port,
            Doors(clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)) as doors,
        ):
            house = House(client)
            await client.subscribe("commonwatt/#", 1)
            await client.subscribe(f"{prefix}/#", 1)
            listening = asyncio.ensure_future(house.listen())
            login = Login(host="127.0.0.1", port=port, status_topic="commonwatt/gw-1/status", within_s=1.0)
            ours: Broker = await doors.shared(("test", login), lambda: broker(login))
            shows = HomeAssistant(ours, {one.id: one for one in (BATTERY, BOILER)}, diary, prefix)
            await shows.start()
            await until(lambda: f"{prefix}/device/commonwatt_gw-1_boiler/config" in house.seen)
            await story(house, shows, diary, cable)
            for asset in (BATTERY, BOILER):
                with suppress(Exception):
                    await shows.forget(asset.id)
            await shows.close()
            listening.cancel()

    asyncio.run(whole())


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(8):
        while not true():
            await asyncio.sleep(0.01)


def state(house: House, asset: str = "battery") -> dict[str, Any]:
    said: dict[str, Any] = json.loads(house.seen.get(f"commonwatt/gw-1/{asset}/state", "{}"))
    return said


@pytest.mark.row("H9")
def test_an_asset_appears_with_what_it_does_and_why(mosquitto: Mosquitto) -> None:
    async def story(house: House, shows: HomeAssistant, diary: Diary, cable: Mischief) -> None:
        shown = Shown(power_w=-400, import_wh=1_500, level_wh=2_500, instruction="SUPPLY 400 W", reason="dear hour")
        await shows.show(BATTERY.id, shown)
        await until(lambda: state(house).get("power_w") == -400)
        said = state(house)
        assert (said["import_kwh"], said["export_kwh"], said["soc_percent"]) == (1.5, None, 25.0)
        assert (said["instruction"], said["reason"], said["wish"]) == ("SUPPLY 400 W", "dear hour", "AS PLANNED")
        await until(lambda: house.seen.get("commonwatt/gw-1/status") == "online")
        assert house.seen["commonwatt/gw-1/battery/available"] == "online"
        await shows.show(BATTERY.id, Shown(reachable=False))
        await until(lambda: house.seen["commonwatt/gw-1/battery/available"] == "offline")

    play(mosquitto, story)


@pytest.mark.row("H9", "X4")
def test_what_is_chosen_there_becomes_a_wish_here(mosquitto: Mosquitto) -> None:
    async def story(house: House, shows: HomeAssistant, diary: Diary, cable: Mischief) -> None:
        base, say = "commonwatt/gw-1/battery", house.client.publish
        await say(f"{base}/target/set", "2000", 1)
        await say(f"{base}/wish/set", "SUPPLY", 1)
        await until(lambda: state(house).get("wish") == "SUPPLY")
        await say(f"{base}/target/set", "1000", 1)
        await say(f"{base}/wish/set", "STOP CHARGE", 1)
        await say(f"{base}/wish/set", "AS PLANNED", 1)
        await say(f"{base}/schedules_off/set", "ON", 1)
        await until(lambda: state(house).get("schedules_off") == "ON")
        assert diary.lines == [
            ("battery", Verb.SUPPLY, -2_000),
            ("battery", Verb.SUPPLY, -1_000),
            ("battery", Verb.STOP_CHARGE, 0),
            ("battery", None),
            ("battery", True),
        ]

    play(mosquitto, story)


@pytest.mark.row("H9")
def test_a_wish_that_is_refused_shows_why_and_changes_nothing(mosquitto: Mosquitto) -> None:
    async def story(house: House, shows: HomeAssistant, diary: Diary, cable: Mischief) -> None:
        base, say = "commonwatt/gw-1/battery", house.client.publish
        for topic, payload, words in (
            ("target/set", "NaN", "number"),
            ("target/set", "99999", "0 to 5000 W"),
            ("wish/set", "EXPLODE", "one of AS PLANNED"),
            ("schedules_off/set", "perhaps", "on or off"),
        ):
            await say(f"{base}/{topic}", payload, 1)
            await until(lambda words=words: words in state(house).get("refused", ""))  # type: ignore[misc]
        await say(f"{base}/target/set", "4000", 1)
        await say(f"{base}/wish/set", "SUPPLY", 1)
        await until(lambda: "more than is allowed" in state(house).get("refused", ""))
        assert state(house)["wish"] == "AS PLANNED"
        assert diary.lines == []

    play(mosquitto, story)


@pytest.mark.row("H9")
def test_a_command_that_a_broker_kept_is_not_obeyed(mosquitto: Mosquitto) -> None:
    async def story(house: House, shows: HomeAssistant, diary: Diary, cable: Mischief) -> None:
        ghost = "commonwatt/gw-1/boiler/wish/set"
        cable.refuse = True
        cable.cut()
        await until(lambda: house.seen.get("commonwatt/gw-1/status") == "offline")
        await house.client.publish(ghost, "STOP CHARGE", 1, retain=True)
        cable.heal()
        await until(lambda: house.seen["commonwatt/gw-1/status"] == "online")
        await house.client.publish("commonwatt/gw-1/boiler/schedules_off/set", "ON", 1)
        await until(lambda: bool(diary.lines))
        await house.client.publish(ghost, "", 1, retain=True)
        assert diary.lines == [("boiler", True)]

    play(mosquitto, story)


@pytest.mark.row("H9")
def test_all_is_said_again_after_a_connection_and_after_home_assistant_came_up(mosquitto: Mosquitto) -> None:
    """Source of the trap: ha-mqtt-discoverable#512, saic#292, phev2mqtt#63."""

    async def story(house: House, shows: HomeAssistant, diary: Diary, cable: Mischief) -> None:
        config = next(topic for topic in house.seen if topic.endswith("boiler/config"))
        prefix = config.split("/")[0]
        await until(lambda: "commonwatt/gw-1/boiler/state" in house.seen)
        for again in (lambda: house.client.publish(f"{prefix}/status", "online", 1), cut(cable)):
            configs, states = house.count[config], house.count["commonwatt/gw-1/boiler/state"]
            await again()
            await until(lambda: house.count[config] > configs)  # noqa: B023  waited for within its turn
            await until(lambda: house.count["commonwatt/gw-1/boiler/state"] > states)  # noqa: B023
        await house.client.publish("commonwatt/gw-1/boiler/schedules_off/set", "OFF", 1)
        await until(lambda: diary.lines == [("boiler", False)])

    def cut(cable: Mischief) -> Callable[[], Awaitable[None]]:
        async def now() -> None:
            cable.cut()

        return now

    play(mosquitto, story)


def test_nobody_is_offered_what_an_asset_cannot_do() -> None:
    assert "SUPPLY" not in words_of(BOILER)
    assert len(words_of(BATTERY)) == 7


def test_two_assets_never_share_a_name_or_a_unique_id() -> None:
    names = ["a b", "a_b", "a/b", "a+b", "ä", "a#b"]
    assert len({named(name) for name in names}) == len(names)
    topics = Topics(GatewayId("gw/1"), AssetId("a+b"))
    assert not set(topics.base.removeprefix("commonwatt/").replace("/", "", 1)) & set("+#/ ")
    parts = described(BATTERY, "s", "1")["components"].values()
    assert len({part["unique_id"] for part in parts}) == len(parts)
