"""What devices behind a broker announce of themselves, as each would stand in a devices file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from commonwatt.adapters.devices.driver import Found
from commonwatt.adapters.devices.mqtt.naming import Note, object_of, text_at
from commonwatt.adapters.devices.mqtt.profiles.home_assistant import device_of, discovered
from commonwatt.model import InvalidValue, Nameplate

TOPICS = (
    "tasmota/discovery/+/config",
    "tele/+/LWT",
    "shellies/+/online",
    "shellies/announce",
    "+/online",
    "homeassistant/sensor/+/config",
    "homeassistant/sensor/+/+/config",
    "homeassistant/device/+/config",
    "homeassistant/device/+/+/config",
)
"""Where devices of their makers' settings announce themselves, and are remembered by the broker."""
FULL_TOPIC = "%prefix%/%topic%/"
MOST_DEVICES = 500
"""No home has more; what goes on beyond fills no memory."""
METERS = ("em", "em1", "pm1", "switch")
"""A Gen2 device's components that measure, the one that counts both ways for all phases first."""
EMETERS = {"SHEM": "emeter", "SHEM-3": "emeter"}
"""Gen1 models that have meters of their own; the others measure at a relay."""
MADE_HERE = "commonwatt"
"""Our own assets appear at Home Assistant too."""
_GEN2 = re.compile(r"shelly[a-z0-9]+-[0-9a-f]+", re.IGNORECASE)
_MAC = re.compile(r"[0-9A-Fa-f]{12}")


@dataclass(slots=True)
class Heard:
    """Collects what is announced at one broker.

    Args:
        broker: Its address, like ``mqtt://192.0.2.7:1883``.
        source: A name of ours, under which Gen2 devices answer.
    """

    broker: str
    source: str
    _found: dict[str, Found] = field(default_factory=dict)

    def found(self) -> list[Found]:
        """Return the devices that announced themselves, by topic."""
        return [self._found[key] for key in sorted(self._found)]

    def hear(self, topic: str, payload: bytes) -> list[Note]:
        """Take a message; return what is to be asked because of it, which changes nothing."""
        steps = topic.split("/")
        for fits, take in (
            (topic.startswith("tasmota/discovery/"), self._tasmota),
            (steps[0] == "tele" and steps[-1] == "LWT", self._tasmota_is_there),
            (topic == "shellies/announce", self._shelly1),
            (steps[0] == "shellies" and steps[-1] == "online", self._shelly1_is_there),
            (steps[0] == self.source, self._shelly2),
            (len(steps) == 2 and steps[1] == "online", self._shelly2_is_there),
            (steps[0] == "homeassistant", self._home_assistant),
        ):
            if fits:
                return take(steps, payload) or []
        return []

    def _add(
        self, key: str, nameplate: Nameplate, settings: Mapping[str, Any], still: str, *, named: bool = True
    ) -> None:
        """Note a device; what is known of it already stays where this says nothing of it.

        Its key is its topic, which stands in its URL unless it is found by other names.
        """
        known = self._found.get(key)
        if known is None and len(self._found) >= MOST_DEVICES:
            return
        if known is not None:
            nameplate, settings = nameplate.over(known.nameplate), {**known.settings, **settings}
        url = f"{self.broker}/{key}" if named else self.broker
        self._found[key] = Found(driver="mqtt", url=url, nameplate=nameplate, settings=settings, still=still)

    def _tasmota(self, steps: list[str], payload: bytes) -> None:
        said = object_of(payload)
        topic, mac = text_at(said, "t"), text_at(said, "mac")
        if not topic:
            return
        serial = ":".join(re.findall("..", mac.upper())) if _MAC.fullmatch(mac) else mac  # as its status has it
        nameplate = Nameplate(model=text_at(said, "md"), serial=serial, firmware=text_at(said, "sw"))
        settings = {"profile": "tasmota"}
        if (full := text_at(said, "ft")) and full != FULL_TOPIC:
            settings["full_topic"] = full
        self._add(topic, nameplate, settings, "")

    def _tasmota_is_there(self, steps: list[str], payload: bytes) -> None:
        if payload == b"Online" and len(steps) == 3:
            self._add(steps[1], Nameplate(), {"profile": "tasmota"}, "")

    def _shelly1(self, steps: list[str], payload: bytes) -> None:
        said = object_of(payload)
        id, model, firmware = (text_at(said, name) for name in ("id", "model", "fw_ver"))
        if not id or not firmware:
            return  # a Gen2 device whose owner has it announce itself in the older way; it answers us by its own
        nameplate = Nameplate(make="Shelly", model=model, serial=text_at(said, "mac"), firmware=firmware)
        self._add(
            id, nameplate, {"profile": "shelly1", "meter": EMETERS.get(model, "relay")}, "channels, if not 0 only"
        )

    def _shelly1_is_there(self, steps: list[str], payload: bytes) -> None:
        if payload == b"true" and len(steps) == 3:
            still = "meter (emeter or relay), and channels, if not 0 only"
            if steps[1] not in self._found:
                self._add(steps[1], Nameplate(make="Shelly"), {"profile": "shelly1"}, still)

    def _shelly2_is_there(self, steps: list[str], payload: bytes) -> list[Note]:
        id = steps[0]
        if payload != b"true" or _GEN2.fullmatch(id) is None:
            return []
        self._add(id, Nameplate(make="Shelly"), {"profile": "shelly2"}, "meter: em, em1, pm1 or switch")
        calls = (("info", "Shelly.GetDeviceInfo"), ("status", "Shelly.GetStatus"))
        return [
            Note(f"{id}/rpc", msgspec.json.encode({"id": 1, "src": f"{self.source}/{id}/{part}", "method": method}))
            for part, method in calls
        ]

    def _shelly2(self, steps: list[str], payload: bytes) -> None:
        result = object_of(payload).get("result")
        if len(steps) != 4 or not isinstance(result, dict) or steps[1] not in self._found:
            return
        known = self._found[steps[1]]
        if steps[2] == "info":
            model, mac, firmware = (text_at(result, name) for name in ("model", "mac", "ver"))
            nameplate = Nameplate(make="Shelly", model=model, serial=mac, firmware=firmware)
            self._add(steps[1], nameplate, {}, known.still)
            return
        for meter in METERS:
            channels = sorted(int(name.split(":")[1]) for name in result if re.fullmatch(rf"{meter}:\d", name))
            if channels and (meter != "switch" or "apower" in str(result[f"switch:{channels[0]}"])):
                settings = {"meter": meter} | ({} if channels == [0] else {"channels": channels})
                switches = any(name.startswith("switch:") for name in result)
                self._add(steps[1], Nameplate(), settings, "relay = 0, if it shall be switched" if switches else "")
                return

    def _home_assistant(self, steps: list[str], payload: bytes) -> None:
        try:
            sensors = discovered(payload)
        except InvalidValue:
            return
        nameplate = device_of(payload)
        powers = [one for one in sensors if one.get("device_class") == "power" and one.get("unique_id")]
        if not powers or nameplate.make == MADE_HERE:
            return
        still = "the sensors of its energy, and scale = -1 where it counts export as positive"
        for one in powers:
            sensors_of = {"power_w": {"unique_id": one["unique_id"]}}
            settings = {"profile": "ha", "sensors": sensors_of}
            self._add(f"homeassistant {one['unique_id']}", nameplate, settings, still, named=False)
