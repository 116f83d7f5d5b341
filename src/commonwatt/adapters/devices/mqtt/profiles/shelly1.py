"""Shelly meters of the first generation: one plain number a topic, and energy of relays in watt-minutes."""

from decimal import Decimal

from commonwatt.adapters.devices.mqtt.naming import Naming, Note, Told, object_of, text_at, unix_at
from commonwatt.adapters.devices.mqtt.orders import Presence, Profile
from commonwatt.adapters.devices.mqtt.profiles.relay import topic_named
from commonwatt.adapters.devices.mqtt.settings import Settings
from commonwatt.adapters.devices.mqtt.translate import Value
from commonwatt.model import METERS_ONLY, Asset, InvalidValue, Nameplate

PER_WATT_MINUTE = Decimal(1) / 60
"""A relay's counter counts watt-minutes, an emeter's total Wh (shellyteacher#8)."""


class Shelly1Settings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``meter`` is ``emeter`` (EM, 3EM) or ``relay`` (1PM, Plug S); ``channels`` are added up, as phases are."""

    meter: str = "emeter"
    channels: tuple[int, ...] = (0,)


def profile(asset: Asset, device: str, settings: Shelly1Settings) -> Profile:
    """Return how a Gen1 device measures. It takes no commands: over MQTT its relay has no timer.

    Source: Shelly Gen1 API reference, MQTT of Shelly EM, 3EM and 1PM.
    """
    if settings.meter not in ("emeter", "relay") or not settings.channels:
        raise InvalidValue(f"a Gen1 meter is emeter or relay with channels, was {settings.meter!r} for {asset.id}")
    base = f"shellies/{topic_named(device, asset).removeprefix('shellies/')}"
    values = []
    for channel in settings.channels:
        at, part = f"{base}/{settings.meter}/{channel}", str(channel)
        values.append(Value(field="power_w", topic=f"{at}/power", part=part))
        if settings.meter == "emeter":
            values.append(Value(field="import_wh", topic=f"{at}/total", part=part))
            values.append(Value(field="export_wh", topic=f"{at}/total_returned", part=part))
        else:
            values.append(Value(field="import_wh", topic=f"{at}/energy", part=part, scale=PER_WATT_MINUTE))
    return Profile(
        values=tuple(values),
        caps=METERS_ONLY,
        presence=Presence(topic=f"{base}/online", gone=b"false"),
        hello=(Note(f"{base}/command", b"update"),),
        silent_after_s=120,
        naming=naming(base),
    )


def naming(base: str) -> Naming:
    """Return how it announces itself, with its MAC address for a serial number; ``info`` has the time.

    Source: Shelly Gen1 API reference, MQTT (announce, info); the topic that all share is told apart by the id in it.
    """
    id = base.rpartition("/")[2]

    def hear(topic: str, payload: bytes) -> Told:
        said = object_of(payload)
        if topic.endswith("/info"):
            return Told(clock_s=unix_at(said, "unixtime"))
        if said.get("id") != id:
            return Told()
        model, mac, firmware = (text_at(said, name) for name in ("model", "mac", "fw_ver"))
        return Told(Nameplate(make="Shelly", model=model, serial=mac, firmware=firmware))

    topics = (f"{base}/announce", "shellies/announce", f"{base}/info")
    return Naming(topics=topics, hear=hear, ask=(Note(f"{base}/command", b"announce"),))
