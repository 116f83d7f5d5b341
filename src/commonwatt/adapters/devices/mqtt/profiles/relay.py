"""What every switched load shares: what it can be told, and which way its relay has to go."""

from commonwatt.model import METERS_ONLY, Asset, Band, Caps, InvalidValue


def relay_caps(asset: Asset, lease_s: int, *, switches: bool) -> Caps:
    """Return what a switched load can be told: to draw as it likes, or nothing.

    It is no set-point device: a relay that is on lets its load draw, and nobody can make it. What it draws lies
    between nothing and all of it, so that every limit below all of it switches off.

    Raises:
        InvalidValue: The asset supplies: a relay holds no supply, it could only cut it off.
    """
    if not switches:
        return METERS_ONLY
    if asset.max_export_w:
        raise InvalidValue(f"a relay switches what only draws, {asset.id} supplies up to {asset.max_export_w} W")
    return Caps(max_import_w=asset.max_import_w, min_import_w=asset.max_import_w, setpoint=False, lease_s=lease_s)


def lets_draw(band: Band) -> bool:
    """Tell whether the relay is on under a band that fits it."""
    return band.hi_w > 0


def topic_named(device: str, asset: Asset) -> str:
    """Return the topic that a device's URL names.

    Raises:
        InvalidValue: It names none.
    """
    if not device:
        raise InvalidValue(f"the URL of {asset.id} ends with the device's topic: mqtt://broker/topic")
    return device
