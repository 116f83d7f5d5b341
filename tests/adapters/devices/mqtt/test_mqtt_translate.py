"""What devices say on MQTT is read as it was meant, and what cannot be true is not believed."""

import tomllib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqtt_assets import BATTERY, BOILER

from commonwatt.adapters.devices.driver import DeviceSpec
from commonwatt.adapters.devices.mqtt.memory import Memory
from commonwatt.adapters.devices.mqtt.orders import Profile
from commonwatt.adapters.devices.mqtt.profiles import profile_of
from commonwatt.adapters.devices.mqtt.profiles.generic import filled
from commonwatt.adapters.devices.mqtt.profiles.home_assistant import discovered, template_path
from commonwatt.adapters.devices.mqtt.profiles.tasmota import pulse_time
from commonwatt.adapters.devices.mqtt.settings import place_of
from commonwatt.adapters.devices.mqtt.translate import Value, decoded
from commonwatt.model import (
    Asset,
    Band,
    DeviceState,
    InvalidValue,
    Unreachable,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
# As a plug sent it (Tasmota documentation, Power Monitoring), with its counters.
TASMOTA_SENSOR = (
    b'{"Time":"2023-01-25T13:46:27","ENERGY":{"TotalStartTime":"2019-11-08T18:30:01","Total":26.111,"Yesterday":0.005,'
    b'"Today":0.021,"Period":1,"Power":1234,"ApparentPower":1240,"ReactivePower":21,"Factor":0.99,"Voltage":229,'
    b'"Current":5.39}}'
)
TASMOTA_THREE_PHASES = (
    b'{"Time":"2023-01-25T13:46:27","ENERGY":{"Total":[1.5,2.5,3.0],"ExportActive":[0.1,0,0.2],"Power":[100,-50,250]}}'
)
SHELLY_EM = (
    b'{"id":0,"a_current":4.029,"a_voltage":236.1,"a_act_power":951.2,"b_act_power":-951.1,"c_act_power":100.0,'
    b'"total_current":8.1,"total_act_power":100.1,"total_aprt_power":2000.0}'
)
SHELLY_EM_NOTIFIED = (
    b'{"src":"shellypro3em-1","dst":"shellypro3em-1/events","method":"NotifyStatus","params":{"ts":1656356400.55,'
    b'"em:0":{"id":0,"total_act_power":-1650.4}}}'
)


def profile(asset: Asset, url: str = "mqtt://broker/thing", **settings: Any) -> Profile:
    spec = DeviceSpec(asset=asset.id, driver="mqtt", url=url, settings=settings)
    return profile_of(asset, spec, place_of(url).device)[1]


def shown(made: Profile, *messages: tuple[str, bytes], asset: Asset = BATTERY) -> DeviceState:
    memory = Memory(made.values, timedelta(seconds=60))
    for topic, payload in messages:
        memory.hear(topic, payload, NOON)
    return memory.state(NOON, "it", capacity_wh=asset.capacity_wh)


@pytest.mark.row("E12", "X4")
def test_a_tasmota_plug_tells_power_in_watts_and_energy_in_kwh() -> None:
    state = shown(profile(BOILER, profile="tasmota"), ("tele/thing/SENSOR", TASMOTA_SENSOR))
    assert (state.power_w, state.import_wh, state.export_wh) == (1_234, 26_111, None)


@pytest.mark.row("E12")
def test_phases_in_a_list_add_up() -> None:
    state = shown(profile(BOILER, profile="tasmota"), ("tele/thing/SENSOR", TASMOTA_THREE_PHASES))
    assert (state.power_w, state.import_wh, state.export_wh) == (300, 7_000, 300)


def test_a_tasmota_plug_without_a_meter_is_there_and_shows_nothing() -> None:
    state = shown(profile(BOILER, profile="tasmota"), ("tele/thing/STATE", b'{"POWER":"ON"}'))
    assert (state.power_w, state.import_wh) == (None, None)


def test_a_full_topic_of_ones_own_is_followed() -> None:
    made = profile(BOILER, profile="tasmota", full_topic="home/%topic%/%prefix%/")
    assert shown(made, ("home/thing/tele/SENSOR", TASMOTA_SENSOR)).power_w == 1_234


@pytest.mark.row("E12")
def test_energy_of_a_gen1_relay_is_in_watt_minutes_and_of_an_emeter_in_wh() -> None:
    """Source of the trap: shellyteacher#8."""
    relay = profile(BOILER, profile="shelly1", meter="relay")
    assert shown(relay, ("shellies/thing/relay/0/energy", b"61")).import_wh == 1
    emeter = profile(BATTERY, profile="shelly1")
    assert shown(emeter, ("shellies/thing/emeter/0/total", b"61.9")).import_wh == 61


@pytest.mark.row("E12")
def test_gen1_phases_add_up_and_one_that_is_missing_is_no_zero() -> None:
    made = profile(BATTERY, profile="shelly1", channels=[0, 1, 2])
    phases = [(f"shellies/thing/emeter/{n}/power", power) for n, power in enumerate((b"100.50", b"-20.25", b"19.75"))]
    assert shown(made, *phases).power_w == 100
    with pytest.raises(Unreachable, match="3 parts, only 2"):
        shown(made, *phases[:2])


@pytest.mark.row("E12")
def test_a_gen2_meter_tells_its_sum_on_a_topic_or_in_a_notification() -> None:
    made = profile(BATTERY, profile="shelly2")
    assert shown(made, ("thing/status/em:0", SHELLY_EM)).power_w == 100
    assert shown(made, ("thing/status/em:0", SHELLY_EM), ("thing/events/rpc", SHELLY_EM_NOTIFIED)).power_w == -1_651


@pytest.mark.row("E12")
def test_a_gen2_meter_in_mono_phase_profile_has_three_components() -> None:
    """Source of the trap: ioBroker.shelly#1540."""
    made = profile(BATTERY, profile="shelly2", meter="em1", channels=[0, 1, 2])
    told = [(f"thing/status/em1:{n}", b'{"id":%d,"act_power":%d.6}' % (n, 100 * n)) for n in range(3)]
    told += [(f"thing/status/em1data:{n}", b'{"id":%d,"total_act_energy":1264.15}' % n) for n in range(3)]
    assert (shown(made, *told).power_w, shown(made, *told).import_wh) == (301, 3_792)


@pytest.mark.row("W8")
def test_a_described_battery_tells_its_level_from_its_state_of_charge() -> None:
    values = {
        "power_w": [
            {"topic": "x/s", "path": "mppt.0.w", "scale": -1},
            {"topic": "x/s", "path": "mppt.1.w", "scale": -1},
        ],
        "soc_percent": {"topic": "x/soc"},
    }
    made = profile(BATTERY, profile="generic", values=values)
    state = shown(made, ("x/s", b'{"mppt":[{"w":"200.9"},{"w":100}]}'), ("x/soc", b" 55.5 "))
    assert (state.power_w, state.level_wh) == (-301, 5_550)


@pytest.mark.parametrize(
    "payload",
    [b"NaN", b"inf", b"-1", b"1e300", b"1e16", b"", b"unavailable", b"twelve", b"\xff", b"1_0", b"true"],
)
def test_what_is_no_counter_is_not_believed(payload: bytes) -> None:
    with pytest.raises(InvalidValue):
        shown(profile(BATTERY, profile="shelly1"), ("shellies/thing/emeter/0/total", payload))


@pytest.mark.parametrize("number", ["1e9999999", "1e99999999999999999999", "9" * 5000, "NaN", "-Infinity", "[[[1]]]1"])
def test_a_number_that_no_arithmetic_could_bear_is_not_believed(number: str) -> None:
    made = profile(BATTERY, profile="generic", values={"power_w": {"topic": "s", "path": "w", "scale": 1000}})
    with pytest.raises(InvalidValue):
        shown(made, ("s", f'{{"w": {number}}}'.encode()))


def test_more_than_a_battery_holds_is_not_believed() -> None:
    made = profile(BATTERY, profile="generic", values={"level_wh": {"topic": "l"}})
    with pytest.raises(InvalidValue, match="stores 10000 Wh"):
        shown(made, ("l", b"30000"))


@given(st.binary(max_size=60) | st.text(max_size=30).map(str.encode), st.lists(st.sampled_from(["a", "0", "b"])))
def test_garbage_is_never_more_than_an_invalid_value(payload: bytes, path: list[str]) -> None:
    for field in ("power_w", "import_wh", "connected"):
        try:
            decoded(payload, [Value(field=field, topic="t", path=tuple(path))])
        except InvalidValue as error:
            assert str(error)


@given(st.binary(max_size=60) | st.sampled_from([b"[[[]]]", b'{"id":1}', b"3", b'{"cmps":{"a":1},"~":2}']))
def test_garbage_is_neither_an_answer_nor_a_sensor(payload: bytes) -> None:
    orders = [
        profile(BOILER, profile="tasmota").orders,
        profile(BOILER, profile="shelly2", meter="switch", relay=0).orders,
    ]
    for told in orders:
        assert told is not None
        hear = told.hold(Band(lo_w=0, hi_w=0), 30).hear
        assert hear is not None
        try:
            assert hear("t", payload) is None
        except InvalidValue as error:
            assert str(error)
    try:
        discovered(payload)
    except InvalidValue as error:
        assert str(error)


def test_a_retained_ghost_is_not_fresh() -> None:
    memory = Memory(profile(BOILER, profile="tasmota").values, timedelta(seconds=60))
    memory.hear("tele/thing/SENSOR", TASMOTA_SENSOR, NOON, retained=True)
    with pytest.raises(Unreachable):
        memory.state(NOON, "it")


def test_a_device_that_falls_silent_is_unreachable() -> None:
    memory = Memory(profile(BOILER, profile="tasmota").values, timedelta(seconds=60))
    memory.hear("tele/thing/SENSOR", TASMOTA_SENSOR, NOON)
    assert memory.state(NOON + timedelta(seconds=59), "it").at == NOON
    with pytest.raises(Unreachable, match="60 s"):
        memory.state(NOON + timedelta(seconds=60), "it")
    assert not memory.fresh(NOON + timedelta(seconds=60))


def test_an_old_message_that_comes_again_changes_nothing_and_a_reset_is_believed_in_the_end() -> None:
    memory = Memory([Value(field=f, topic="t", path=(f,)) for f in ("power_w", "import_wh")], timedelta(hours=1))
    memory.hear("t", b'{"power_w":5,"import_wh":100}', NOON)
    memory.hear("t", b'{"power_w":9,"import_wh":40}', NOON)
    assert (memory.state(NOON, "it").power_w, memory.state(NOON, "it").import_wh) == (5, 100)
    later = NOON + timedelta(seconds=60)
    memory.hear("t", b'{"power_w":7,"import_wh":41}', later)
    assert (memory.state(later, "it").power_w, memory.state(later, "it").import_wh) == (7, 41)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=8), st.data())
def test_no_order_of_messages_turns_a_counter_back(counts: list[int], data: st.DataObject) -> None:
    memory = Memory([Value(field="import_wh", topic="t")], timedelta(hours=1))
    shuffled = data.draw(st.permutations(counts + counts))
    seen = []
    for count in shuffled:
        memory.hear("t", str(count).encode(), NOON)
        seen.append(memory.state(NOON, "it").import_wh)
    assert seen == sorted(seen) and seen[-1] == max(counts)  # type: ignore[type-var]  none is None


@given(st.integers(1, 64_800))
def test_a_pulse_lasts_as_long_as_it_was_asked_to(seconds: int) -> None:
    """Tasmota counts tenths of a second up to 111, and seconds above 100 from 112 on."""
    pulse = pulse_time(seconds)
    assert (pulse / 10 if pulse < 112 else pulse - 100) == seconds


def test_a_template_is_filled_with_the_devices_own_scale_and_sign() -> None:
    template = {"mode": 3, "set": ["$w"], "halves": {"in": "$charge_w", "out": "$discharge_w"}, "for": "$seconds"}
    assert filled(template, -1500, 60, Decimal("-0.001")) == (
        b'{"mode":3,"set":[1.5],"halves":{"in":0,"out":1.5},"for":60}'
    )
    assert filled("SET $w W $seconds s", 700, 30, Decimal(1)) == b"SET 700 W 30 s"
    assert filled("$w", 700, 30, Decimal(1)) == b"700"


def test_a_relay_that_falls_back_to_off_is_timed_while_it_is_on() -> None:
    """toggle_after flips to the opposite: with it, an on would end in off, and an off in on."""
    for rests, told, timed in (("on", 0, True), ("on", 2_000, False), ("off", 2_000, True), ("off", 0, False)):
        made = profile(BOILER, profile="shelly2", meter="switch", relay=0, falls_back_to=rests)
        assert made.orders is not None
        payload = made.orders.hold(Band(lo_w=0, hi_w=told), 30).notes[0].payload
        assert (b'"toggle_after":30' in payload) is timed


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"profile": "knx"}, "one of tasmota"),
        ({"profile": "tasmota", "relais": 1}, "relais"),
        ({"profile": "tasmota", "falls_back_to": "half"}, "on or off"),
        ({"profile": "tasmota", "relay": 9}, "1 to 8"),
        ({"profile": "shelly1", "channels": []}, "channels"),
        ({"profile": "generic", "values": {"volts": {"topic": "t"}}}, "volts"),
        ({"profile": "generic", "values": {}}, "has none"),
        ({"profile": "generic", "values": {"power_w": {"topic": "t", "scale": 0}}}, "other than 0"),
        ({"profile": "generic", "values": {"power_w": {"topic": "a/#"}}}, "wildcards"),
        ({"profile": "tasmota", "full_topic": "+/%topic%/%prefix%/"}, "wildcards"),
        ({"profile": "ha", "sensors": {"power_w": {"unit": "W"}}}, "one of the two"),
        ({"profile": "ha", "sensors": {"power_w": {"entity": "sensor.x", "unit": "hp"}}}, "hp"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_words(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        profile(BOILER, **settings)


def test_a_command_that_would_hold_for_ever_is_refused() -> None:
    command = {"topic": "c", "payload": {"w": "$w"}, "release": {"w": 0}}
    values = {"power_w": {"topic": "t"}}
    with pytest.raises(InvalidValue, match="watchdog"):
        profile(BATTERY, profile="generic", values=values, command=command)
    made = profile(BATTERY, profile="generic", values=values, command=command | {"watchdog_s": 20})
    assert made.caps.lease_s == 20


@pytest.mark.parametrize("url", ["http://x", "mqtt://anna:secret@x/t", "mqtt://", "mqtt://x/a/+", "mqtt://x:y/t"])
def test_an_url_that_names_no_broker_or_holds_a_secret_is_refused(url: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        place_of(url)
    assert "secret@" not in str(caught.value)


def test_what_supplies_is_not_behind_a_relay() -> None:
    with pytest.raises(InvalidValue, match="supplies up to 5000 W"):
        profile(BATTERY, profile="tasmota")
    assert not profile(BATTERY, profile="tasmota", switches=False).caps.takes_commands


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{{ value }}", ()),
        ("{{ value_json.power }}", ("power",)),
        ("{{value_json.a.b|float(0)}}", ("a", "b")),
        ("{{ value_json['a b'][0] }}", ("a b", "0")),
    ],
)
def test_simple_templates_say_where_a_value_stands(template: str, path: tuple[str, ...]) -> None:
    assert template_path(template) == path


@pytest.mark.parametrize("template", ["{{ value_json.a + 1 }}", "{% if value %}1{% endif %}", "1", "{{ states('x') }}"])
def test_templates_that_compute_are_refused(template: str) -> None:
    with pytest.raises(InvalidValue, match="template"):
        template_path(template)


def test_what_the_guide_says_of_a_devices_file_is_true() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "guide" / "devices" / "mqtt.md").read_text(encoding="utf-8")
    written = tomllib.loads(guide.split("```toml\n")[1].split("```")[0])
    for entry in written["device"]:
        spec = msgspec.convert(entry, DeviceSpec)
        asset = BOILER if spec.asset == "boiler" else BATTERY
        _, made = profile_of(asset, spec, place_of(spec.url).device)
        assert made.values or made.learn
        assert made.caps.takes_commands == (spec.asset in ("boiler", "battery"))
    assert len(written["device"]) == 4


@pytest.mark.row("H9")
def test_discovery_messages_are_read_with_their_abbreviations() -> None:
    single = (
        b'{"~":"inv","name":"P","uniq_id":"p1","stat_t":"~/state","unit_of_meas":"kW","val_tpl":"{{ value_json.p }}"}'
    )
    assert discovered(single)[0]["state_topic"] == "inv/state"
    device = (
        b'{"dev":{"ids":["x"]},"o":{"name":"y"},"stat_t":"inv/all","cmps":{"a":{"p":"sensor","uniq_id":"p1"},'
        b'"b":{"p":"switch","uniq_id":"s1"}}}'
    )
    assert [(one["unique_id"], one["state_topic"]) for one in discovered(device)] == [("p1", "inv/all")]
    assert discovered(b"") == []


def test_lists_in_lists_are_no_phases_however_deep() -> None:
    value = Value(field="power_w", topic="t", path=("p",))
    for depth in (2, 900):
        with pytest.raises(InvalidValue, match=r"list|JSON"):
            decoded(b'{"p":' + b"[" * depth + b"1" + b"]" * depth + b"}", [value])


@pytest.mark.parametrize(
    ("meter", "status", "topic"),
    [
        ("em", b'{"total_act":5001.5,"total_act_ret":70.9}', "emdata:0"),
        ("em1", b'{"total_act_energy":5001.5,"total_act_ret_energy":70.9}', "em1data:0"),
        ("pm1", b'{"aenergy":{"total":5001.5},"ret_aenergy":{"total":70.9}}', "pm1:0"),
        ("switch", b'{"aenergy":{"total":5001.5},"ret_aenergy":{"total":70.9}}', "switch:0"),
    ],
)
def test_a_gen2_meter_counts_each_way_on_its_own(meter: str, status: bytes, topic: str) -> None:
    state = shown(profile(BATTERY, profile="shelly2", meter=meter), (f"thing/status/{topic}", status))
    assert (state.import_wh, state.export_wh) == (5_001, 70)


def test_a_gen2_answer_to_somebody_else_is_no_answer() -> None:
    orders = profile(BOILER, profile="shelly2", meter="switch", relay=0).orders
    assert orders is not None
    order = orders.hold(Band(lo_w=0, hi_w=0), 30)
    asked = msgspec.json.decode(order.notes[0].payload)["id"]
    assert order.hear is not None
    assert order.hear("t", msgspec.json.encode({"id": asked + 1, "result": {}})) is None
    assert order.hear("t", msgspec.json.encode({"id": asked, "result": {}})) is not None
