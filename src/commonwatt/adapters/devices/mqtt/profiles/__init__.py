"""The kinds of device behind a broker: what their settings are, and what is particular to each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from commonwatt.adapters.devices.driver import DeviceSpec, settings_of
from commonwatt.adapters.devices.mqtt.orders import Profile
from commonwatt.adapters.devices.mqtt.profiles import generic, home_assistant, shelly1, shelly2, tasmota
from commonwatt.adapters.devices.mqtt.settings import Settings
from commonwatt.model import Asset, InvalidValue


@dataclass(frozen=True, slots=True)
class Kind:
    """One profile: its settings, and what makes it of them."""

    settings: type[Settings]
    make: Callable[[Asset, str, Any], Profile]
    """Of asset, the device's topic and its settings."""


KINDS = {
    "tasmota": Kind(tasmota.TasmotaSettings, tasmota.profile),
    "shelly1": Kind(shelly1.Shelly1Settings, shelly1.profile),
    "shelly2": Kind(shelly2.Shelly2Settings, shelly2.profile),
    "generic": Kind(generic.GenericSettings, generic.profile),
    "ha": Kind(home_assistant.HomeAssistantSettings, home_assistant.profile),
}


def profile_of(asset: Asset, spec: DeviceSpec, device: str) -> tuple[Settings, Profile]:
    """Return a device's settings, and what is particular to it.

    Raises:
        InvalidValue: There is no such profile, or its settings make no sense.
    """
    name = spec.settings.get("profile")
    if name not in KINDS:
        raise InvalidValue(f"a profile is one of {', '.join(KINDS)}, was {name!r} for {asset.id}")
    kind = KINDS[name]
    settings = settings_of(spec, kind.settings)
    if settings.lease_s < 1 or settings.silent_after_s < 0:
        raise InvalidValue(f"a lease lasts a second or more, silence is zero or more, for {asset.id}")
    return settings, kind.make(asset, device, settings)
