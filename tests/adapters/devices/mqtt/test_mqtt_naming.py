"""Who a device behind a broker is: asked where it can be asked, heard where it only tells, garbage never."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqtt_assets import BATTERY, BOILER

from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.adapters.devices.mqtt.device import MqttDevice, open_device
from commonwatt.adapters.devices.mqtt.naming import Naming, Told, text_at, unix_at, utc_at
from commonwatt.adapters.devices.mqtt.profiles import profile_of
from commonwatt.model import NO_NAMEPLATE, Nameplate, Unreachable
from commonwatt.simulator.devices.mqtt_plug import TasmotaPlug
from commonwatt.simulator.plant import Plant
from servers.mosquitto import Mosquitto

pytestmark = pytest.mark.row("W11")
NOON_S = 1_767_268_800
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HA = {"profile": "ha", "sensors": {"power_w": {"unique_id": "p1"}}}


def naming(device: str = "thing", **settings: Any) -> Naming:
    spec = DeviceSpec(asset=BOILER.id, driver="mqtt", url=f"mqtt://broker/{device}", settings=settings)
    made = profile_of(BOILER, spec, device)[1].naming
    assert made is not None
    return made


def heard(made: Naming, *messages: tuple[str, Any]) -> Told:
    nameplate, clock_s = NO_NAMEPLATE, None
    for topic, said in messages:
        told = made.hear(topic, said if isinstance(said, bytes) else msgspec.json.encode(said))
        nameplate, clock_s = told.nameplate.over(nameplate), clock_s if told.clock_s is None else told.clock_s
    return Told(nameplate, clock_s)


def test_a_tasmota_plug_says_it_in_four_answers() -> None:
    told = heard(
        naming(profile="tasmota"),
        ("stat/thing/RESULT", {"Module": {"43": "Sonoff Pow R2"}}),
        ("stat/thing/STATUS2", {"StatusFWR": {"Version": "12.1.0(tasmota)", "Hardware": "ESP8266EX"}}),
        ("stat/thing/STATUS7", {"StatusTIM": {"UTC": "2026-01-01T12:00:05Z", "Local": "2026-01-01T13:00:05"}}),
        ("stat/thing/STATUS5", {"StatusNET": {"Mac": "2C:3A:E8:00:00:01", "IPAddress": "192.0.2.7"}}),
    )
    assert told == (
        Nameplate(model="Sonoff Pow R2", serial="2C:3A:E8:00:00:01", firmware="12.1.0(tasmota)"),
        NOON_S + 5,
    )
    old = {"StatusTIM": {"UTC": "Thu Jan 01 12:00:50 2026"}}
    assert heard(naming(profile="tasmota"), ("stat/thing/STATUS7", old)).clock_s == NOON_S + 50
    every = {"Module": {"1": "Sonoff Basic", "2": "Sonoff RF"}}
    assert heard(naming(profile="tasmota"), ("stat/thing/RESULT", every)) == Told()


def test_a_gen1_device_announces_itself_and_others_on_the_same_topic_are_others() -> None:
    made = naming("shellyem-B929CC", profile="shelly1")
    mine = {"id": "shellyem-B929CC", "model": "SHEM", "mac": "98CDACB929CC", "fw_ver": "20230913-114150/v1.14.0"}
    told = heard(
        made,
        ("shellies/announce", mine),
        ("shellies/announce", mine | {"id": "shellyem-000000", "mac": "98CDAC000000"}),
        ("shellies/shellyem-B929CC/info", {"unixtime": NOON_S, "mac": "98CDACB929CC"}),
    )
    assert told == (
        Nameplate(make="Shelly", model="SHEM", serial="98CDACB929CC", firmware="20230913-114150/v1.14.0"),
        NOON_S,
    )
    assert heard(made, ("shellies/shellyem-B929CC/info", {"unixtime": 0})).clock_s is None, "it was never set"


def test_a_gen2_device_answers_a_call_and_tells_the_time_with_each_notification() -> None:
    made = naming("shellyplus1pm-a8", profile="shelly2", meter="switch")
    info = {"id": "shellyplus1pm-a8", "mac": "A8032ABE54DC", "model": "SNSW-001P16EU", "gen": 2, "ver": "1.4.4"}
    told = heard(
        made,
        ("commonwatt/gw-1/boiler/identity/rpc", {"id": 1, "src": "x", "result": info}),
        ("shellyplus1pm-a8/events/rpc", b'{"method":"NotifyStatus","params":{"ts":1767268801.43,"switch:0":{}}}'),
    )
    assert told == (
        Nameplate(make="Shelly", model="SNSW-001P16EU", serial="A8032ABE54DC", firmware="1.4.4"),
        NOON_S + 1,
    )
    refused = {"id": 1, "src": "x", "error": {"code": 401}}
    assert heard(made, ("commonwatt/gw-1/boiler/identity/rpc", refused)) == Told()


def test_home_assistant_tells_whose_sensors_are_whose() -> None:
    made = naming(**HA)
    block = {"mf": "Acme", "mdl": "B10", "sn": "A-1", "sw": "2.4", "ids": ["x"]}
    ours = {"dev": block, "uniq_id": "p1", "stat_t": "inv/p", "unit_of_meas": "W"}
    expected = Nameplate(make="Acme", model="B10", serial="A-1", firmware="2.4")
    assert heard(made, ("homeassistant/sensor/p1/config", ours)).nameplate == expected
    together = {"dev": block, "cmps": {"a": {"p": "sensor", "uniq_id": "p1", "stat_t": "inv/p"}}}
    assert heard(made, ("homeassistant/device/x/config", together)).nameplate == expected
    assert heard(made, ("homeassistant/sensor/p2/config", ours | {"uniq_id": "p2"})) == Told()
    assert heard(made, ("homeassistant/sensor/p1/config", b"")) == Told(), "a description that was taken back"


def test_a_described_device_says_it_where_its_settings_say() -> None:
    made = naming(
        profile="generic",
        values={"power_w": {"topic": "t/w"}},
        nameplate={"serial": {"topic": "{device}/sn"}, "firmware": {"topic": "{device}/about", "path": "fw.main"}},
    )
    assert made.topics == ("thing/sn", "thing/about")
    told = heard(made, ("thing/sn", b"A-1"), ("thing/about", {"fw": {"main": 7}}))
    assert told.nameplate == Nameplate(serial="A-1", firmware="7")


@given(st.binary(max_size=80) | st.text(max_size=40).map(str.encode), st.sampled_from(["result", "Module", "params"]))
def test_garbage_names_nobody(payload: bytes, name: str) -> None:
    for made in (naming(profile="tasmota"), naming(profile="shelly1"), naming(profile="shelly2"), naming(**HA)):
        for topic in made.topics:
            for said in (payload, b'{"%s": %s}' % (name.encode(), payload)):
                told = made.hear(topic, said)
                assert isinstance(told, Told)


@given(st.text(max_size=30) | st.integers() | st.none() | st.floats() | st.lists(st.integers(), max_size=2))
def test_texts_and_times_are_such_or_none(said: Any) -> None:
    document = {"at": said}
    assert text_at(document, "at").isprintable()
    assert unix_at(document, "at") is None or 0 < unix_at(document, "at") < 10**11  # type: ignore[operator]
    utc_at(document, "at")


async def opened(doors: Doors, url: str, **settings: Any) -> MqttDevice:
    asset = BATTERY if settings["profile"] == "generic" else BOILER
    spec = DeviceSpec(asset=asset.id, driver="mqtt", url=url, settings={"answer_within_s": 0.3, **settings})
    return await open_device(asset, spec, doors)


async def connected(device: MqttDevice) -> None:
    async with asyncio.timeout(8):
        while not device.broker.connected:
            await asyncio.sleep(0.01)


def test_a_device_that_does_not_answer_is_not_asked_at_every_reading(mosquitto: Mosquitto) -> None:
    async def story() -> None:
        now = [NOON]
        async with Doors(clock=lambda: now[0]) as doors:
            device = await opened(doors, f"mqtt://127.0.0.1:{mosquitto.port}/mute", profile="tasmota")
            await connected(device)
            with pytest.raises(Unreachable, match="did not say within"):
                await device.identity()
            for _ in range(3):
                with pytest.raises(Unreachable, match="has not said who it is"):
                    await device.identity()
            plug = TasmotaPlug(Plant(asset=BOILER, now_s=NOON_S), "mute")
            async with plug.plugged_in("127.0.0.1", mosquitto.port):
                told = NO_NAMEPLATE
                for _ in range(20):  # a busy machine answers late
                    now[0] += timedelta(seconds=60)
                    plug.plant.now_s += 60
                    with suppress(Unreachable):
                        told = await device.identity()
                        break
                assert told.firmware == "1.2.3"
                assert device.clock_ahead_s is not None
                assert device.clock_ahead_s <= 0
            for _ in range(2):  # what it said before is not said again for it
                with pytest.raises(Unreachable):
                    await device.identity()
            await device.close()

    asyncio.run(story())


def test_what_a_broker_kept_may_say_who_a_device_is_and_never_what_time_it_has(mosquitto: Mosquitto) -> None:
    async def story() -> None:
        async with Doors(clock=lambda: NOON) as doors:
            settings = {
                "profile": "generic",
                "values": {"power_w": {"topic": "kept/w"}},
                "nameplate": {"serial": {"topic": "kept/sn"}},
            }
            url = f"mqtt://127.0.0.1:{mosquitto.port}/kept"
            first = await opened(doors, url, **settings)
            await connected(first)
            await first.broker.publish("kept/sn", b"A-1", retain=True)
            info = msgspec.json.encode({"unixtime": NOON_S})
            await first.broker.publish("shellies/kept/info", info, retain=True)
            async with Doors(clock=lambda: NOON) as others:
                device = await opened(others, url, **settings)
                async with asyncio.timeout(8):
                    while True:
                        try:
                            assert (await device.identity()).serial == "A-1"
                            break
                        except Unreachable:
                            await asyncio.sleep(0.02)
                em = await opened(others, url, profile="shelly1")
                await connected(em)
                await asyncio.sleep(0.05)
                assert em.clock_ahead_s is None
                await first.broker.publish("shellies/kept/info", info)
                async with asyncio.timeout(8):
                    while em.clock_ahead_s is None:
                        await asyncio.sleep(0.01)
                assert em.clock_ahead_s == 0

    asyncio.run(story())
