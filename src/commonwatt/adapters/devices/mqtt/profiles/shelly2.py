"""Shelly devices of the second generation and later: status of components as JSON, and remote calls over MQTT."""

import secrets

import msgspec

from commonwatt.adapters.devices.mqtt.naming import Naming, Note, Told, object_of, text_at, unix_at
from commonwatt.adapters.devices.mqtt.orders import Answer, Order, Presence, Profile
from commonwatt.adapters.devices.mqtt.profiles.relay import lets_draw, relay_caps, topic_named
from commonwatt.adapters.devices.mqtt.settings import Settings
from commonwatt.adapters.devices.mqtt.translate import Value, json_of, named
from commonwatt.model import Asset, Band, InvalidValue, Nameplate

COMPONENTS = {
    "em": (("em", "total_act_power"), ("emdata", "total_act"), ("emdata", "total_act_ret")),
    "em1": (("em1", "act_power"), ("em1data", "total_act_energy"), ("em1data", "total_act_ret_energy")),
    "pm1": (("pm1", "apower"), ("pm1", "aenergy.total"), ("pm1", "ret_aenergy.total")),
    "switch": (("switch", "apower"), ("switch", "aenergy.total"), ("switch", "ret_aenergy.total")),
}
"""Where power, imported and exported energy stand: component, path in its status. Energy is in Wh."""
FIELDS = ("power_w", "import_wh", "export_wh")


class Shelly2Settings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a Gen2+ device measures with, and whether it switches.

    Args:
        meter: ``em`` (three phases in one), ``em1`` (the mono-phase profile and EM Gen3), ``pm1`` or ``switch``.
        channels: Which of them; added up.
        relay: Its switch's number; without one it is a meter.
        falls_back_to: What the relay goes to by itself, ``on`` or ``off``.
    """

    meter: str = "em"
    channels: tuple[int, ...] = (0,)
    relay: int | None = None
    falls_back_to: str = "on"


def profile(asset: Asset, device: str, settings: Shelly2Settings) -> Profile:
    """Return how a Gen2+ device measures and is switched.

    Its status arrives on topics of its own or inside notifications; either may be off in its settings.

    Source: Shelly Gen2+ API reference: MQTT, EM, EMData, EM1, EM1Data, PM1, Switch.
    """
    if settings.meter not in COMPONENTS or not settings.channels:
        raise InvalidValue(f"a Gen2 meter is one of {', '.join(COMPONENTS)}, was {settings.meter!r} for {asset.id}")
    if settings.falls_back_to not in ("on", "off"):
        raise InvalidValue(f"a relay falls back to on or off, was {settings.falls_back_to!r} for {asset.id}")
    base = topic_named(device, asset)
    values = []
    for channel in settings.channels:
        for field, (component, path) in zip(FIELDS, COMPONENTS[settings.meter], strict=True):
            name, steps = f"{component}:{channel}", tuple(path.split("."))
            values.append(Value(field=field, topic=f"{base}/status/{name}", path=steps, part=str(channel)))
            notified = ("params", name, *steps)
            values.append(Value(field=field, topic=f"{base}/events/rpc", path=notified, part=str(channel)))
    orders, source = None, f"commonwatt/{named(asset.gateway)}/{named(asset.id)}"
    if settings.relay is not None:
        orders = ShellyRelay(base, settings.relay, source, settings.falls_back_to)
    return Profile(
        values=tuple(values),
        caps=relay_caps(asset, settings.lease_s, switches=settings.relay is not None),
        orders=orders,
        presence=Presence(topic=f"{base}/online", gone=b"false"),
        hello=(Note(f"{base}/command", b"status_update"),),
        silent_after_s=180,
        naming=naming(base, f"{source}/identity"),
    )


def naming(base: str, source: str) -> Naming:
    """Return how it says who it is, with its MAC address for a serial number; notifications and ``sys`` tell the time.

    Source: Shelly Gen2+ API reference: Shelly.GetDeviceInfo, Sys status, NotifyStatus (ts).
    """
    frame = {"id": 1, "src": source, "method": "Shelly.GetDeviceInfo"}

    def hear(topic: str, payload: bytes) -> Told:
        said = object_of(payload)
        if topic.endswith("/status/sys"):
            return Told(clock_s=unix_at(said, "unixtime"))
        if topic.endswith("/events/rpc"):
            return Told(clock_s=unix_at(said, "params", "ts"))
        model, mac, firmware = (text_at(said, "result", name) for name in ("model", "mac", "ver"))
        return Told(Nameplate(make="Shelly" if mac else "", model=model, serial=mac, firmware=firmware))

    topics = (f"{source}/rpc", f"{base}/status/sys", f"{base}/events/rpc")
    return Naming(topics=topics, hear=hear, ask=(Note(f"{base}/rpc", msgspec.json.encode(frame)),))


class ShellyRelay:
    """Implements `Orders` with ``Switch.Set``, whose ``toggle_after`` flips back to the opposite of what was set.

    So it goes along only where the relay is set to the other way than that which it falls back to.
    """

    def __init__(self, base: str, relay: int, source: str, falls_back_to: str) -> None:
        self._topic, self._relay, self._source, self._falls_on = f"{base}/rpc", relay, source, falls_back_to == "on"
        self.answers = (f"{source}/rpc",)
        self._number = secrets.randbelow(1_000_000)  # an answer to an earlier run of ours is not taken for one to this

    def hold(self, band: Band, seconds: int) -> Order:
        """Return how it is switched for a while."""
        on = lets_draw(band)
        return self._order(on=on, flips_after_s=seconds if on != self._falls_on else None)

    def release(self) -> Order:
        """Return how it is set to what it falls back to."""
        return self._order(on=self._falls_on, flips_after_s=None)

    def _order(self, *, on: bool, flips_after_s: int | None) -> Order:
        self._number += 1
        number = self._number
        what = {"id": self._relay, "on": on} | ({} if flips_after_s is None else {"toggle_after": flips_after_s})
        frame = {"id": number, "src": self._source, "method": "Switch.Set", "params": what}

        def hear(topic: str, payload: bytes) -> Answer | None:
            said = json_of(payload)
            if not isinstance(said, dict) or said.get("id") != number:
                return None
            error = said.get("error")
            if isinstance(error, dict):
                return Answer(refused=f"it answered {error.get('code')}: {error.get('message')}")
            return Answer() if "result" in said else None

        return Order(notes=(Note(self._topic, msgspec.json.encode(frame)),), hear=hear)
