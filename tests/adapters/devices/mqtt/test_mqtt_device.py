"""Devices behind a real broker: lost and found, told and answering, with secrets where they belong."""

import asyncio
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from mqtt_assets import BATTERY, BOILER

from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.adapters.devices.mqtt.client import Message
from commonwatt.adapters.devices.mqtt.device import MqttDevice, open_device
from commonwatt.model import Ack, Asset, AssetId, Band, Command, InvalidValue, Unreachable
from commonwatt.simulator.devices.mqtt_plug import TasmotaPlug
from commonwatt.simulator.devices.mqtt_shelly import ShellyPm
from commonwatt.simulator.devices.mqtt_thing import Thing
from commonwatt.simulator.mischief import Mischief, wire
from commonwatt.simulator.plant import Plant
from servers.mosquitto import Mosquitto, free_port

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
QUICK = {"connect_within_s": 2.0, "answer_within_s": 1.0}
SENSOR = {"profile": "generic", "values": {"power_w": {"topic": "{device}/w"}}}
Story = Callable[[Doors], Awaitable[None]]


def run(story: Story) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20), Doors(clock=lambda: NOON) as doors:
            await story(doors)

    asyncio.run(whole())


async def opened(doors: Doors, url: str, asset: Asset = BOILER, **settings: Any) -> MqttDevice:
    spec = DeviceSpec(asset=asset.id, driver="mqtt", url=url, settings={**QUICK, **settings})
    return await open_device(asset, spec, doors)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(8):
        while not true():
            await asyncio.sleep(0.01)


async def readable(device: MqttDevice) -> int | None:
    async with asyncio.timeout(8):
        while True:
            try:
                return (await device.read()).power_w
            except Unreachable:
                await asyncio.sleep(0.01)


def told(hi_w: int, seconds: int = 30) -> Command:
    return Command(
        id="c",
        asset=AssetId("boiler"),
        band=Band(lo_w=0, hi_w=hi_w),
        expires=NOON + timedelta(seconds=seconds),
        reason="",
    )


def test_a_device_opens_where_no_broker_is() -> None:
    async def story(doors: Doors) -> None:
        device = await opened(doors, "mqtt://127.0.0.1:1/plug", profile="tasmota")
        for call in (device.read(), device.apply(told(0)), device.release()):
            with pytest.raises(Unreachable, match="broker"):
                await call
        await device.close()

    run(story)


@pytest.mark.parametrize("make", [TasmotaPlug, ShellyPm])
def test_a_relay_that_rests_off_is_on_for_its_lease_alone(make: Callable[..., Thing], mosquitto: Mosquitto) -> None:
    plant = Plant(asset=BOILER, now_s=0)
    thing = make(plant, f"resting{make.__name__}", rests_on=False)
    profile = {"profile": "tasmota"} if make is TasmotaPlug else {"profile": "shelly2", "meter": "switch", "relay": 0}

    async def story(doors: Doors) -> None:
        async with thing.plugged_in("127.0.0.1", mosquitto.port):
            url = f"mqtt://127.0.0.1:{mosquitto.port}/{thing.name}"
            device = await opened(doors, url, falls_back_to="off", **profile)
            await readable(device)
            assert (await device.apply(told(2_000))).taken == Band(lo_w=0, hi_w=2_000)
            assert plant.power_w == 2_000
            plant.pass_time(31)
            assert plant.power_w == 0
            await device.apply(told(2_000))
            assert (await device.apply(told(1_000))).taken == Band(lo_w=0, hi_w=0)
            assert plant.power_w == 0
            await device.apply(told(2_000))
            await device.release()
            assert plant.power_w == 0

    run(story)


def test_a_device_that_refuses_says_why(mosquitto: Mosquitto) -> None:
    async def story(doors: Doors) -> None:
        thing = ShellyPm(Plant(asset=BOILER, now_s=0), "refusing")
        async with thing.plugged_in("127.0.0.1", mosquitto.port):
            url = f"mqtt://127.0.0.1:{mosquitto.port}/refusing"
            device = await opened(doors, url, profile="shelly2", meter="switch", relay=3)
            await readable(device)
            ack: Ack = await device.apply(told(0))
            assert ack.taken is None
            assert "-105" in ack.why

    run(story)


def test_a_last_will_makes_a_device_unreachable_at_once(mosquitto: Mosquitto) -> None:
    async def story(doors: Doors) -> None:
        cable = Mischief()
        thing = TasmotaPlug(Plant(asset=BOILER, now_s=0), "cutplug")
        async with (
            wire(cable, "127.0.0.1", mosquitto.port) as port,
            thing.plugged_in("127.0.0.1", port),
        ):
            device = await opened(doors, f"mqtt://127.0.0.1:{mosquitto.port}/cutplug", profile="tasmota")
            await readable(device)
            cable.refuse = True
            cable.cut()

            async def gone() -> str:
                while True:
                    try:
                        await device.read()
                    except Unreachable as error:
                        return str(error)
                    await asyncio.sleep(0.01)

            assert "tele/cutplug/LWT says Offline" in await asyncio.wait_for(gone(), 5)

    run(story)


def test_the_devices_of_a_process_share_one_connection(mosquitto: Mosquitto) -> None:
    async def story(doors: Doors) -> None:
        cable = Mischief()
        async with wire(cable, "127.0.0.1", mosquitto.port) as port:
            devices = [await opened(doors, f"mqtt://127.0.0.1:{port}/shared{n}", **SENSOR) for n in range(4)]
            await until(lambda: devices[0].broker.connected)
            async with aiomqtt.Client("127.0.0.1", mosquitto.port) as other:
                for n in range(4):
                    await other.publish(f"shared{n}/w", str(n))
            assert [await readable(device) for device in devices] == [0, 1, 2, 3]
            assert cable.connections == 1

    run(story)


@pytest.mark.row("W9")
def test_a_broker_that_was_gone_is_found_again_and_asked_for_everything(mosquitto: Mosquitto) -> None:
    port = free_port()

    async def tell(power: str) -> None:
        async with aiomqtt.Client("127.0.0.1", port) as other:
            await other.publish("again/w", power)

    async def story(doors: Doors) -> None:
        with Mosquitto(port=port):
            device = await opened(doors, f"mqtt://127.0.0.1:{port}/again", **SENSOR)
            await until(lambda: device.broker.connected)
            await tell("1")
            assert await readable(device) == 1
        await until(lambda: not device.broker.connected)
        with pytest.raises(Unreachable, match="broker"):
            await device.read()
        with Mosquitto(port=port):
            await until(lambda: device.broker.connected)
            await tell("2")
            async with asyncio.timeout(5):
                while await readable(device) != 2:
                    await asyncio.sleep(0.01)

    run(story)


def test_a_command_without_answers_needs_a_device_that_was_heard(mosquitto: Mosquitto) -> None:
    async def story(doors: Doors) -> None:
        command = {"topic": "mute/set", "payload": "$w", "release": "0", "watchdog_s": 30}
        url = f"mqtt://127.0.0.1:{mosquitto.port}/mute"
        device = await opened(doors, url, BATTERY, **SENSOR, command=command)
        await until(lambda: device.broker.connected)
        with pytest.raises(Unreachable, match="gives no answers"):
            await device.apply(told(0))
        async with aiomqtt.Client("127.0.0.1", mosquitto.port) as other:
            await other.publish("mute/w", "5")
        await readable(device)
        assert (await device.apply(told(700))).taken == Band(lo_w=0, hi_w=700)

    run(story)


@pytest.mark.row("H9")
def test_a_sensor_that_home_assistant_knows_is_found_by_its_name(mosquitto: Mosquitto) -> None:
    async def story(doors: Doors) -> None:
        sensors = {"power_w": {"unique_id": "roof_p", "scale": -1}, "import_wh": {"entity": "sensor.in", "unit": "kWh"}}
        device = await opened(doors, f"mqtt://127.0.0.1:{mosquitto.port}", BATTERY, profile="ha", sensors=sensors)
        await until(lambda: device.broker.connected)
        async with aiomqtt.Client("127.0.0.1", mosquitto.port) as other:
            config = b'{"uniq_id":"roof_p","stat_t":"roof/s","unit_of_meas":"kW","val_tpl":"{{ value_json.p }}"}'
            await other.publish("homeassistant/sensor/roof/config", config, retain=True)
            await other.publish("statestream/sensor/in/state", "12.5")
            async with asyncio.timeout(5):
                while (await readable(device)) is None:
                    await other.publish("roof/s", b'{"p": 1.5}')
                    await asyncio.sleep(0.02)
            await other.publish("homeassistant/sensor/roof/config", b"", retain=True)
        state = await device.read()
        assert (state.power_w, state.import_wh) == (-1_500, 12_500)

    run(story)


@pytest.mark.row("W9")
def test_the_broker_asks_for_a_password_that_lies_in_a_file_of_its_owner(
    mosquitto: Mosquitto, open_folder: Path
) -> None:
    accounts, secret = open_folder / "accounts", open_folder / "secret"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(accounts), "anna", "rhubarb"], check=True, capture_output=True)
    accounts.chmod(0o644)
    with Mosquitto(f"password_file {accounts}", "allow_anonymous false") as guarded:
        secret.touch(0o600)
        secret.write_text("rhubarb\n")
        url = f"mqtt://127.0.0.1:{guarded.port}/x"

        async def right(doors: Doors) -> None:
            device = await opened(doors, url, user="anna", password_file=str(secret), **SENSOR)
            await until(lambda: device.broker.connected)

        async def wrong(doors: Doors) -> None:
            device = await opened(doors, url, **SENSOR)
            await until(lambda: "ot authori" in device.broker.trouble)
            assert not device.broker.connected

        async def careless(doors: Doors) -> None:
            secret.chmod(0o644)
            with pytest.raises(InvalidValue, match="chmod 600") as caught:
                await opened(doors, url, user="anna", password_file=str(secret), **SENSOR)
            assert "rhubarb" not in str(caught.value)

        for story in (right, wrong, careless):
            run(story)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that a broker can read that gave up being root."""
    with tempfile.TemporaryDirectory(prefix="cw-open-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.row("W9")
def test_with_tls_a_broker_is_who_it_says_or_nobody(mosquitto: Mosquitto, open_folder: Path) -> None:
    key, cert = open_folder / "key.pem", open_folder / "cert.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    words += f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}"
    subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
    key.chmod(0o644)
    with Mosquitto(f"certfile {cert}", f"keyfile {key}", "allow_anonymous true") as closed:
        url = f"mqtts://127.0.0.1:{closed.port}/x"

        async def trusting(doors: Doors) -> None:
            device = await opened(doors, url, ca_file=str(cert), **SENSOR)
            await until(lambda: device.broker.connected)

        async def wary(doors: Doors) -> None:
            device = await opened(doors, url, **SENSOR)
            await until(lambda: "certificate verify failed" in device.broker.trouble)
            assert not device.broker.connected

        for story in (trusting, wary):
            run(story)


def test_a_message_that_nobody_can_bear_costs_no_other_device_its_connection(mosquitto: Mosquitto) -> None:
    async def story(doors: Doors) -> None:
        url = f"mqtt://127.0.0.1:{mosquitto.port}/borne"
        device = await opened(doors, url, **SENSOR)
        await until(lambda: device.broker.connected)

        def never(_: Message) -> None:
            raise RecursionError

        await device.broker.listen("borne/bad", never)
        async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
            await client.publish("borne/bad", b"x", 1)
            await client.publish("borne/w", b"5", 1)
            assert await readable(device) == 5
        assert device.broker.connected

    run(story)
