"""Sensors that Home Assistant knows, as readings: found by their discovery messages, or told by its statestream."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from commonwatt.adapters.devices.mqtt.naming import Naming, Told, object_of, text_at
from commonwatt.adapters.devices.mqtt.orders import Profile
from commonwatt.adapters.devices.mqtt.profiles.generic import value_of
from commonwatt.adapters.devices.mqtt.settings import Settings, Where, scale_of
from commonwatt.adapters.devices.mqtt.translate import Value, json_of
from commonwatt.model import METERS_ONLY, NO_NAMEPLATE, Asset, InvalidValue, Nameplate

UNITS = {
    "W": Decimal(1),
    "kW": Decimal(1000),
    "MW": Decimal(1_000_000),
    "Wh": Decimal(1),
    "kWh": Decimal(1000),
    "MWh": Decimal(1_000_000),
    "Hz": Decimal(1000),
    "°C": Decimal(10),
    "%": Decimal(1),
}
"""From a sensor's unit to its field's: W, Wh, mHz, tenths of a degree, percent."""
LONG = {
    "stat_t": "state_topic",
    "uniq_id": "unique_id",
    "val_tpl": "value_template",
    "unit_of_meas": "unit_of_measurement",
    "p": "platform",
    "cmps": "components",
    "dev": "device",
    "dev_cla": "device_class",
    "mf": "manufacturer",
    "mdl": "model",
    "sw": "sw_version",
    "sn": "serial_number",
}
"""The abbreviations that discovery messages may use."""
_FIELD = r"(?:\.[A-Za-z_]\w*|\[\s*(?:'[^']+'|\"[^\"]+\"|\d+)\s*\])"
_TEMPLATE = re.compile(
    rf"\{{\{{-?\s*(value|value_json((?:{_FIELD})*))\s*(?:\|\s*(?:float|int)(?:\(\s*0?\s*\))?\s*)?-?\}}\}}"
)
_STEP = re.compile(r"\.(\w+)|\[\s*(?:'([^']+)'|\"([^\"]+)\"|(\d+))\s*\]")


class Sensor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sensor: its ``unique_id`` in discovery, or its ``entity`` (``sensor.grid_power``) with its ``unit``.

    ``scale`` goes on top of the unit: -1 where export is positive.
    """

    unique_id: str = ""
    entity: str = ""
    unit: str = ""
    scale: float | int = 1


class HomeAssistantSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``sensors`` by field of a device's state or ``soc_percent``; the prefixes as Home Assistant has them."""

    sensors: dict[str, Sensor]
    discovery_prefix: str = "homeassistant"
    statestream_prefix: str = "statestream"


def profile(asset: Asset, device: str, settings: HomeAssistantSettings) -> Profile:
    """Return how Home Assistant's sensors are read. They are readings only: what commands them is its owner.

    Source: Home Assistant documentation, MQTT discovery and MQTT Statestream.
    """
    streamed, wanted = [], {}
    for name, sensor in settings.sensors.items():
        if bool(sensor.unique_id) == bool(sensor.entity):
            raise InvalidValue(f"sensor {name} of {asset.id} has a unique_id or an entity, one of the two")
        if sensor.entity:
            topic = f"{settings.statestream_prefix}/{sensor.entity.replace('.', '/')}/state"
            streamed.append(_value(asset, name, sensor, topic, (), sensor.unit))
        else:
            wanted[sensor.unique_id] = (name, sensor)
    if not settings.sensors:
        raise InvalidValue(f"a device of profile ha has sensors, {asset.id} has none")

    def learn(topic: str, payload: bytes) -> list[Value]:
        found = []
        for one in discovered(payload):
            if one.get("unique_id") in wanted and one.get("state_topic"):
                name, sensor = wanted[one["unique_id"]]
                unit = sensor.unit or one.get("unit_of_measurement") or ""
                path = template_path(one.get("value_template") or "{{ value }}")
                found.append(_value(asset, name, sensor, one["state_topic"], path, unit))
        return found

    def hear(topic: str, payload: bytes) -> Told:
        try:
            ours = any(one.get("unique_id") in wanted for one in discovered(payload))
        except InvalidValue:
            return Told()
        return Told(device_of(payload) if ours else NO_NAMEPLATE)

    prefix = settings.discovery_prefix
    filters = [f"{prefix}/{kind}/config" for kind in ("sensor/+", "sensor/+/+", "device/+", "device/+/+")]
    return Profile(
        values=tuple(streamed),
        caps=METERS_ONLY,
        learn=learn if wanted else None,
        learn_from=tuple(filters) if wanted else (),
        silent_after_s=600,
        naming=Naming(topics=tuple(filters), hear=hear) if wanted else None,
    )


def device_of(payload: bytes) -> Nameplate:
    """Return what a discovery message says of the device that its sensors belong to.

    Source: Home Assistant documentation, MQTT, device registry (manufacturer, model, serial_number, sw_version).
    """
    block = _long(object_of(payload)).get("device")
    said = _long(block) if isinstance(block, dict) else {}
    return Nameplate(
        make=text_at(said, "manufacturer"),
        model=text_at(said, "model"),
        serial=text_at(said, "serial_number"),
        firmware=text_at(said, "sw_version"),
    )


def discovered(payload: bytes) -> list[dict[str, Any]]:
    """Return the sensors that a discovery message describes, with long names and whole topics.

    Raises:
        InvalidValue: It is no JSON object.
    """
    if not payload:
        return []  # an empty message takes a description back
    said = json_of(payload)
    if not isinstance(said, dict):
        raise InvalidValue(f"a discovery message is a JSON object, was {payload[:80]!r}")
    whole = _long(said)
    components = whole.pop("components", None)
    if not isinstance(components, dict):
        return [_topics_whole(whole)]
    sensors = [_long(one) for one in components.values() if isinstance(one, dict)]
    return [_topics_whole(whole | one) for one in sensors if one.get("platform") == "sensor"]


def template_path(template: str) -> tuple[str, ...]:
    """Return where a template's value stands in the message: only the simple forms say that.

    Raises:
        InvalidValue: The template computes something: set a sensor without one, or name its topic as ``generic``.
    """
    match = _TEMPLATE.fullmatch(template.strip())
    if match is None:
        raise InvalidValue(f"a value template is {{{{ value }}}} or {{{{ value_json.x }}}}, was {template!r}")
    return tuple(next(step for step in steps if step) for steps in _STEP.findall(match[2] or ""))


def _value(asset: Asset, name: str, sensor: Sensor, topic: str, path: tuple[str, ...], unit: str) -> Value:
    if unit not in UNITS:
        raise InvalidValue(f"the unit of {name} of {asset.id} is one of {', '.join(UNITS)}, was {unit!r}")
    made = value_of(asset, name, Where(topic=topic, scale=float(UNITS[unit] * scale_of(sensor.scale))), "")
    return Value(field=made.field, topic=topic, path=path, scale=made.scale)


def _long(said: Mapping[str, Any]) -> dict[str, Any]:
    return {LONG.get(key, key): value for key, value in said.items()}


def _topics_whole(said: dict[str, Any]) -> dict[str, Any]:
    base, topic = said.get("~"), said.get("state_topic")
    if isinstance(base, str) and isinstance(topic, str):
        said["state_topic"] = topic.replace("~", base, 1) if topic.startswith("~") or topic.endswith("~") else topic
    return {key: value for key, value in said.items() if isinstance(value, str)}
