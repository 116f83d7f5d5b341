"""Brokers are listened to for what announces itself, and stations that call in are listed and let wait."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiomqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from commonwatt.adapters.devices.driver import DeviceSpec, Found
from commonwatt.adapters.devices.mqtt.announced import MOST_DEVICES, Heard
from commonwatt.adapters.devices.mqtt.profiles import profile_of
from commonwatt.adapters.devices.probing import mqtt, ocpp
from commonwatt.apps import devicing
from commonwatt.apps.cli.main import app
from commonwatt.apps.device_scan import Target, scan, targets_of
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId, InvalidValue, Nameplate, Refused
from commonwatt.simulator.devices.mqtt_plug import TasmotaPlug
from commonwatt.simulator.devices.mqtt_shelly import ShellyEm, ShellyPm
from commonwatt.simulator.devices.ocpp_station import OcppStation, running
from commonwatt.simulator.plant import Plant
from servers.mosquitto import Mosquitto

pytestmark = pytest.mark.row("W11")
NOON_S = 1_767_268_800
BOILER = Asset(
    id=AssetId("boiler"),
    owner=AccountId("anna"),
    gateway=GatewayId("gw-1"),
    kind=AssetKind.CONNECTION,
    zone="lane",
    max_import_w=2_000,
    max_export_w=0,
)
AT = "mqtt://192.0.2.7:1883"


async def patiently(
    look: Callable[[float], Awaitable[Sequence[Found]]], enough: Callable[[Sequence[Found]], bool]
) -> Sequence[Found]:
    """Listen longer and longer, for a busy machine makes devices slow."""
    found: Sequence[Found] = []
    for within_s in (1.0, 3.0, 9.0):
        found = await look(within_s)
        if enough(found):
            break
    return found


def announced(*messages: tuple[str, Any]) -> list[Found]:
    heard = Heard(AT, "scan-1")
    for topic, said in messages:
        heard.hear(topic, said if isinstance(said, bytes) else json.dumps(said).encode())
    return heard.found()


def can_be_opened(found: Found) -> bool:
    """Tell whether a finding's settings make sense to the driver, but for what its owner has to add."""
    spec = DeviceSpec(asset=BOILER.id, driver="mqtt", url=found.url, settings=dict(found.settings))
    profile_of(BOILER, spec, found.url.rpartition("/")[2])
    return True


def test_what_a_broker_keeps_of_tasmota_is_enough_to_add_it() -> None:
    config = {"t": "plug", "ft": "%prefix%/%topic%/", "md": "Sonoff Pow", "sw": "12.1.0", "mac": "2C3AE8000001"}
    (found,) = announced(("tele/plug/LWT", b"Online"), ("tasmota/discovery/2C3AE8000001/config", config))
    assert (found.url, found.settings, found.still) == (f"{AT}/plug", {"profile": "tasmota"}, "")
    assert found.nameplate == Nameplate(model="Sonoff Pow", serial="2C:3A:E8:00:00:01", firmware="12.1.0")
    assert can_be_opened(found)
    (other,) = announced(("tasmota/discovery/2C3AE8000001/config", config | {"ft": "home/%topic%/%prefix%/"}))
    assert other.settings == {"profile": "tasmota", "full_topic": "home/%topic%/%prefix%/"}
    assert announced(("tele/plug/LWT", b"Offline")) == []


def test_both_generations_of_shelly_are_told_apart() -> None:
    gen1 = {"id": "shellyem-B929CC", "model": "SHEM", "mac": "98CDACB929CC", "fw_ver": "v1.14.0"}
    found = announced(
        ("shellies/shellyem-B929CC/online", b"true"),
        ("shellies/announce", gen1),
        ("shellies/shellyplug-s-1/online", b"true"),
        ("shellies/announce", {"id": "shellyplus1-a8", "mac": "A8", "gen": 2, "ver": "1.4.4"}),
        ("shellypro3em-aa/online", b"true"),
        ("scan-1/shellypro3em-aa/info/rpc", {"result": {"mac": "AA", "model": "SPEM-003CEBEU", "ver": "1.4.4"}}),
        ("scan-1/shellypro3em-aa/status/rpc", {"result": {"em:0": {}, "emdata:0": {}, "sys": {}}}),
        ("zigbee/online", b"true"),
    )
    assert [one.url for one in found] == [
        f"{AT}/{id}" for id in ("shellyem-B929CC", "shellyplug-s-1", "shellypro3em-aa")
    ]
    em, plug, pro = found
    assert (em.settings, em.nameplate.firmware) == ({"profile": "shelly1", "meter": "emeter"}, "v1.14.0")
    assert "meter" in plug.still
    assert pro.settings == {"profile": "shelly2", "meter": "em"}
    assert pro.nameplate == Nameplate(make="Shelly", model="SPEM-003CEBEU", serial="AA", firmware="1.4.4")
    assert all(map(can_be_opened, found))
    mono = {"result": {"em1:0": {}, "em1:1": {}, "switch:0": {"output": True}}}
    (found3,) = announced(("shellypro3em-aa/online", b"true"), ("scan-1/shellypro3em-aa/status/rpc", mono))
    assert found3.settings == {"profile": "shelly2", "meter": "em1", "channels": [0, 1]}
    assert "relay" in found3.still


def test_power_sensors_at_home_assistant_are_found_and_our_own_assets_are_not() -> None:
    block = {"mf": "Acme", "mdl": "B10", "sn": "A-1", "sw": "2.4", "ids": ["x"]}
    power = {"dev": block, "uniq_id": "p1", "stat_t": "inv/p", "unit_of_meas": "W", "dev_cla": "power"}
    (found,) = announced(
        ("homeassistant/sensor/p1/config", power),
        ("homeassistant/sensor/t1/config", power | {"uniq_id": "t1", "dev_cla": "temperature"}),
        ("homeassistant/sensor/c1/config", power | {"uniq_id": "c1", "dev": {"mf": "commonwatt"}}),
        ("homeassistant/sensor/x/config", b"no json"),
    )
    assert (found.url, found.settings) == (AT, {"profile": "ha", "sensors": {"power_w": {"unique_id": "p1"}}})
    assert found.nameplate == Nameplate(make="Acme", model="B10", serial="A-1", firmware="2.4")
    assert can_be_opened(found)


TOPIC = st.sampled_from(
    ["tasmota/discovery/x/config", "tele/x/LWT", "shellies/announce", "shellies/x/online", "shellyem-aa/online",
     "scan-1/shellyem-aa/status/rpc", "scan-1/x", "homeassistant/sensor/x/config"]
)  # fmt: skip
SAID = st.recursive(st.none() | st.text(max_size=4) | st.integers(), lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(["t", "id", "result", "em:0", "switch:0", "dev", "fw_ver"]), inner, max_size=3),
    max_leaves=6)  # fmt: skip


@given(st.lists(st.tuples(TOPIC, st.binary(max_size=20) | SAID), max_size=8))
def test_garbage_is_no_device_that_could_not_be_written_down(messages: list[tuple[str, Any]]) -> None:
    for found in announced(("shellyem-aa/online", b"true"), *messages):
        assert found.driver == "mqtt"
        assert found.url.startswith(AT)


def test_a_broker_that_never_ends_fills_no_memory() -> None:
    assert len(announced(*((f"tele/plug{n}/LWT", b"Online") for n in range(MOST_DEVICES + 9)))) == MOST_DEVICES


def test_devices_behind_a_real_broker_are_found_with_their_nameplates() -> None:
    async def story(broker: Mosquitto) -> Sequence[Found]:
        plant = Plant(asset=BOILER, now_s=NOON_S)
        things = (TasmotaPlug(plant, "plug"), ShellyEm(plant, "shellyem-aa"), ShellyPm(plant, "shellyplus1pm-bb"))
        async with (
            things[0].plugged_in("127.0.0.1", broker.port),
            things[1].plugged_in("127.0.0.1", broker.port),
            things[2].plugged_in("127.0.0.1", broker.port),
            aiomqtt.Client("127.0.0.1", broker.port) as other,
        ):
            await other.publish("cellar/noise", b"1", retain=True)
            return await patiently(
                lambda within_s: mqtt.probe("127.0.0.1", broker.port, within_s),
                lambda found: sum(bool(one.nameplate.firmware and "meter" not in one.still) for one in found) == 3,
            )

    with Mosquitto() as broker:
        found = asyncio.run(story(broker))
    assert [one.settings for one in found] == [
        {"profile": "tasmota"},
        {"profile": "shelly1", "meter": "relay"},
        {"profile": "shelly2", "meter": "switch"},
    ]
    assert {one.nameplate.firmware for one in found} == {"1.2.3"}
    assert all(map(can_be_opened, found))


def test_a_broker_that_wants_a_login_is_found_and_what_is_no_broker_is_not() -> None:
    with Mosquitto("allow_anonymous false") as broker:
        (found,) = asyncio.run(mqtt.probe("127.0.0.1", broker.port, 2.0))
    assert found.url == f"mqtt://127.0.0.1:{broker.port}"
    assert "password_file" in found.still
    assert list(asyncio.run(mqtt.probe("127.0.0.1", 1, 1.0))) == []

    async def silent() -> Sequence[Found]:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        async with server:
            return await mqtt.probe("127.0.0.1", server.sockets[0].getsockname()[1], 0.3)

    assert list(asyncio.run(silent())) == []


def test_stations_that_call_are_listed_and_let_wait() -> None:
    async def story() -> tuple[Sequence[Found], OcppStation]:
        port = free_port()
        car = OcppStation(plant=Plant(asset=BOILER, now_s=NOON_S), version="1.6", url=f"ws://127.0.0.1:{port}/CP%201")
        async with running(car):
            return await patiently(
                lambda within_s: ocpp.probe("127.0.0.1", port, within_s),
                lambda found: any(one.nameplate.firmware for one in found),
            ), car

    found, car = asyncio.run(story())
    (one,) = found
    assert one.url.endswith("/CP%201")
    assert one.nameplate == Nameplate(make="commonwatt", model="simulated", serial="boiler", firmware="1.2.3")
    assert "OCPP 1.6" in one.still
    assert not car._up.is_set(), "it waits to be added"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_an_address_of_ours_is_only_listened_at_and_one_that_is_taken_is_refused() -> None:
    asked = []

    async def probe(host: str, port: int | None, within_s: float) -> Sequence[Found]:
        asked.append((host, port))
        if port == 1:
            raise OSError("address already in use")
        return []

    async def story(words: list[str]) -> None:
        await scan(targets_of(words), {"x": probe, "ocpp": probe}, every_s=0.0)

    assert targets_of(["ws://0.0.0.0:9100"]) == [Target("0.0.0.0", 9100, "ws")]
    asyncio.run(story(["ws://127.0.0.1:9100", "192.0.2.7"]))
    assert asked == [("127.0.0.1", 9100), ("192.0.2.7", None)]
    with pytest.raises(Refused, match="nobody else listens"):
        asyncio.run(story(["ws://127.0.0.1:1"]))
    for word in ("ws://", "http://192.0.2.7", "ws://192.0.2.0/28", "mqtt://broker"):
        with pytest.raises(InvalidValue):
            targets_of([word])


def test_each_target_that_is_done_is_told_of() -> None:
    async def probe(host: str, port: int | None, within_s: float) -> Sequence[Found]:
        return [Found(driver="x", url=f"tcp://{host}")] if host.endswith("2") else []

    told: list[tuple[str, int, int]] = []
    targets = targets_of(["192.0.2.0/30"])
    asyncio.run(
        scan(targets, {"x": probe}, every_s=0.05, told=lambda at, done, found: told.append((str(at), done, found)))
    )
    assert told == [("192.0.2.1", 1, 0), ("192.0.2.2", 2, 1)]


@given(st.sampled_from(["version", "unit"]), st.text(max_size=12) | st.integers() | st.booleans()
    | st.lists(st.integers(0, 9), max_size=3) | st.just({"power_w": {"unique_id": "p 1"}}))  # fmt: skip
def test_a_setting_is_printed_such_that_it_is_read_as_it_was(name: str, value: Any) -> None:
    said = devicing.setting_text(name, value)
    assert devicing.spec_of("a", "p1", "u", [said], None, 1).settings == {name: value}


def test_what_was_found_is_printed_ready_to_be_added_and_as_json_for_programs() -> None:
    with Mosquitto() as broker:

        async def remember() -> None:
            async with aiomqtt.Client("127.0.0.1", broker.port) as client:
                await client.publish("tele/plug/LWT", b"Online", retain=True)

        asyncio.run(remember())
        words = ["devices", "scan", f"127.0.0.1:{broker.port}", "--within", "0.3", "--listen", "1"]
        shown = CliRunner().invoke(app, words)
        assert shown.exit_code == 0, shown.output
        add = f"commonwatt devices add FOLDER ASSET --driver mqtt --url mqtt://127.0.0.1:{broker.port}/plug"
        assert f"{add} --set profile=tasmota" in shown.stdout
        (found,) = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert (found["driver"], found["settings"]) == ("mqtt", {"profile": "tasmota"})
