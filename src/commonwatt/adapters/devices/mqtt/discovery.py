"""What Home Assistant is told of an asset: one discovery message, one state message, and what its buttons mean."""

from dataclasses import dataclass
from typing import Any

import msgspec

from commonwatt.adapters.devices.mqtt.translate import decimal_of, named, plain, truth
from commonwatt.model import Asset, AssetId, GatewayId, InvalidValue, Verb

AS_PLANNED = "AS PLANNED"
WORDS = (AS_PLANNED, *Verb)
"""What can be chosen: the six instructions, and to go back to the plan."""
MADE_BY = {"name": "commonwatt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is shown of an asset; None for what is not known.

    Args:
        power_w: Import positive.
        import_wh: Counter.
        export_wh: Counter.
        level_wh: Stored energy.
        reachable: Whether the device answers.
        instruction: What is in force now, in words, and ``reason`` why.
        reason: Why.
        coming: What comes next, with its time.
        wish: What its owner asked for; None: as planned.
        target_w: The power that a wish would have, zero or more.
        schedules_off: Whether its owner switched schedules off.
        refused: Why the last wish was not taken.
    """

    power_w: int | None = None
    import_wh: int | None = None
    export_wh: int | None = None
    level_wh: int | None = None
    reachable: bool = True
    instruction: str = ""
    reason: str = ""
    coming: str = ""
    wish: Verb | None = None
    target_w: int = 0
    schedules_off: bool = False
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Topics:
    """Where an asset's messages go; names that MQTT or Home Assistant would not take are made plain."""

    gateway: GatewayId
    asset: AssetId

    @property
    def object_id(self) -> str:
        """Return the asset's name in Home Assistant, unique in a house."""
        return f"commonwatt_{named(self.gateway)}_{named(self.asset)}"

    @property
    def base(self) -> str:
        """Return what all its topics begin with."""
        return f"commonwatt/{named(self.gateway)}/{named(self.asset)}"

    def discovery(self, prefix: str) -> str:
        """Return where its description goes."""
        return f"{prefix}/device/{self.object_id}/config"


def described(asset: Asset, status_topic: str, version: str) -> dict[str, Any]:
    """Return an asset's discovery message.

    Args:
        asset: With its limits; what stores shows its level, what can be told shows its controls.
        status_topic: Says whether we are there.
        version: Ours.

    Source: Home Assistant documentation, MQTT, device discovery payload (2024.12 and later).
    """
    topics = Topics(asset.gateway, asset.id)
    base = topics.base
    parts: dict[str, dict[str, Any]] = {
        "power": _measured("Power", "power_w", "W", "power", "measurement"),
        "energy_in": _measured("Energy in", "import_kwh", "kWh", "energy", "total_increasing"),
        "energy_out": _measured("Energy out", "export_kwh", "kWh", "energy", "total_increasing"),
    }
    if asset.stores:
        parts["stored"] = _measured("Stored energy", "level_kwh", "kWh", "energy_storage", "measurement")
        parts["soc"] = _measured("State of charge", "soc_percent", "%", "battery", "measurement")
    most_w = max(asset.max_import_w, asset.max_export_w)
    if most_w:
        parts["instruction"] = _text("Instruction", "instruction", "mdi:flash") | {
            "json_attributes_topic": f"{base}/state",
            "json_attributes_template": "{{ {'reason': value_json.reason, 'refused': value_json.refused} | tojson }}",
        }
        parts["coming"] = _text("Next instruction", "coming", "mdi:clock-outline")
        parts["wish"] = {
            "platform": "select",
            "name": "Wish",
            "options": list(words_of(asset)),
            "command_topic": f"{base}/wish/set",
            "value_template": "{{ value_json.wish }}",
        }
        parts["target"] = {
            "platform": "number",
            "name": "Target power",
            "min": 0,
            "max": most_w,
            "step": 1,
            "mode": "box",
            "device_class": "power",
            "unit_of_measurement": "W",
            "command_topic": f"{base}/target/set",
            "value_template": "{{ value_json.target_w }}",
        }
        parts["schedules_off"] = {
            "platform": "switch",
            "name": "Schedules off",
            "icon": "mdi:calendar-remove",
            "command_topic": f"{base}/schedules_off/set",
            "value_template": "{{ value_json.schedules_off }}",
            "payload_on": "ON",
            "payload_off": "OFF",
        }
    for name, part in parts.items():
        part |= {"unique_id": f"{topics.object_id}_{name}", "state_topic": f"{base}/state"}
        # Controls need us alone; what is measured needs the device too.
        if part.get("state_class"):
            part |= {"availability": [_available(status_topic), _available(f"{base}/available")]}
            part |= {"availability_mode": "all"}
        else:
            part |= {"availability": [_available(status_topic)]}
    return {
        "device": {
            "identifiers": [topics.object_id],
            "name": str(asset.id),
            "manufacturer": "commonwatt",
            "model": asset.kind.value,
            "sw_version": version,
        },
        "origin": MADE_BY | {"sw_version": version},
        "components": parts,
        "qos": 1,
    }


def words_of(asset: Asset) -> tuple[str, ...]:
    """Return what can be wished of an asset: nobody is offered to supply from what only draws."""
    supplying = (Verb.SUPPLY, Verb.STOP_SUPPLY)
    charging = (Verb.START_CHARGE, Verb.STOP_CHARGE)
    without = (() if asset.max_export_w else supplying) + (() if asset.max_import_w else charging)
    return tuple(str(word) for word in WORDS if word not in without)


def state_message(asset: Asset, shown: Shown) -> bytes:
    """Return an asset's state message: energy in kWh as Home Assistant shows it, null for what is not known."""
    soc = None
    if asset.stores and shown.level_wh is not None:
        soc = min(100.0, round(100 * shown.level_wh / asset.capacity_wh, 1))
    return msgspec.json.encode(
        {
            "power_w": shown.power_w,
            "import_kwh": _kwh(shown.import_wh),
            "export_kwh": _kwh(shown.export_wh),
            "level_kwh": _kwh(shown.level_wh),
            "soc_percent": soc,
            "instruction": shown.instruction[:255],
            "reason": shown.reason,
            "coming": shown.coming[:255],
            "wish": str(shown.wish or AS_PLANNED),
            "target_w": shown.target_w,
            "schedules_off": "ON" if shown.schedules_off else "OFF",
            "refused": shown.refused,
        }
    )


def wished(payload: bytes, asset: Asset) -> Verb | None:
    """Return the instruction that was chosen; None: as planned.

    Raises:
        InvalidValue: It is none of those that were offered.
    """
    word = plain(payload)
    if word not in words_of(asset):
        raise InvalidValue(f"a wish for {asset.id} is one of {', '.join(words_of(asset))}, was {word[:40]!r}")
    return None if word == AS_PLANNED else Verb(word)


def target(payload: bytes, asset: Asset) -> int:
    """Return the power that was set, W.

    Raises:
        InvalidValue: It is no number, or more than the asset can do.
    """
    number = decimal_of(plain(payload), "target/set")
    most_w = max(asset.max_import_w, asset.max_export_w)
    if not 0 <= number <= most_w:
        raise InvalidValue(f"a target for {asset.id} is 0 to {most_w} W, was {number}")
    return int(number)


def switched(payload: bytes) -> bool:
    """Return whether a switch was set on.

    Raises:
        InvalidValue: It is neither on nor off.
    """
    return truth(plain(payload))


def wished_w(verb: Verb, target_w: int) -> int:
    """Return the power that a wish means, import positive."""
    if verb in (Verb.STOP_CHARGE, Verb.STOP_SUPPLY):
        return 0
    return -target_w if verb is Verb.SUPPLY else target_w


def _measured(name: str, key: str, unit: str, device_class: str, state_class: str) -> dict[str, Any]:
    return {
        "platform": "sensor",
        "name": name,
        "device_class": device_class,
        "state_class": state_class,
        "unit_of_measurement": unit,
        "value_template": f"{{{{ value_json.{key} }}}}",
    }


def _text(name: str, key: str, icon: str) -> dict[str, Any]:
    return {"platform": "sensor", "name": name, "icon": icon, "value_template": f"{{{{ value_json.{key} }}}}"}


def _available(topic: str) -> dict[str, str]:
    return {"topic": topic, "payload_available": "online", "payload_not_available": "offline"}


def _kwh(energy_wh: int | None) -> float | None:
    return None if energy_wh is None else energy_wh / 1000
