"""What of a band a device can hold: the one place that knows what a kind of device cannot do, and says so in words."""

from commonwatt.model import Band, Caps


def fitted(caps: Caps, band: Band) -> tuple[Band | None, str]:
    """Return what of a band a device can hold, and in words what it cannot.

    A device that only takes limits is bound from above alone: the band that it takes reaches down to all that it may
    do. Between nothing and the least that it draws it draws nothing, unless the band asks for some power. A power that
    is no multiple of its step gives way towards none.

    Args:
        caps: What the device can do.
        band: What it is asked for, W, import positive.

    Returns:
        The band that it takes, and an empty text where that is all that was asked; None and why, where it can hold
        nothing of it: SUPPLY on OCPP 1.6 is refused, never taken for a pause.
    """
    if not caps.takes_commands:
        return None, "it only measures and takes no commands"
    if band.hi_w < 0 and caps.max_export_w == 0:
        return None, f"it cannot supply: asked for {-band.hi_w} W, it only draws"
    if band.hi_w < 0 and not caps.setpoint:
        return None, f"it takes limits and no set-point: it cannot be made to supply {-band.hi_w} W"
    lo_w, hi_w = (max(-caps.max_export_w, min(caps.max_import_w, edge)) for edge in (band.lo_w, band.hi_w))
    words = []
    if (lo_w, hi_w) != (band.lo_w, band.hi_w) and (lo_w > band.hi_w or hi_w < band.lo_w):
        words.append(f"it can do {-caps.max_export_w} to {caps.max_import_w} W")
    if 0 < hi_w < caps.min_import_w:
        lo_w, hi_w = min(lo_w, 0), 0
        words.append(f"it draws {caps.min_import_w} W or nothing")
    elif 0 < lo_w < caps.min_import_w:
        lo_w = caps.min_import_w
    lo_w, hi_w = _stepped(lo_w, hi_w, caps.step_w)
    if not caps.setpoint:
        if lo_w > 0:
            words.append("it takes limits and no set-point: it may draw less")
        lo_w = -caps.max_export_w
    return Band(lo_w=lo_w, hi_w=hi_w, balance_w=band.balance_w), "; ".join(words)


def hold_w(band: Band, does_w: int = 0) -> int:
    """Return the one power that a set-point device holds inside a band: the nearest to what it does."""
    return max(band.lo_w, min(band.hi_w, does_w))


def balancing_w(band: Band, line_w: int, own_w: int) -> int:
    """Return the power that brings a connection point to the line that a band asks for, as far as the band lets.

    Args:
        band: With a line to hold.
        line_w: What the connection point exchanges now, import positive.
        own_w: What the device does now, as part of it.
    """
    assert band.balance_w is not None
    return hold_w(band, band.balance_w - (line_w - own_w))


def _stepped(lo_w: int, hi_w: int, step_w: int) -> tuple[int, int]:
    up_w, down_w = -(-lo_w // step_w) * step_w, hi_w // step_w * step_w
    if up_w <= down_w:
        return up_w, down_w
    nearest_w = down_w if lo_w > 0 else up_w
    return nearest_w, nearest_w
