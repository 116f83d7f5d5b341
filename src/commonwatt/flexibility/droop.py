"""Local droop: a device answers the frequency alone within a second; the planner only arms it (row M4)."""

from datetime import datetime
from itertools import pairwise

from commonwatt.model import (
    Armed,
    AssetId,
    Band,
    Command,
    Constraint,
    Droop,
    Interval,
    Priority,
    Quantity,
    Relation,
)


def respond(curve: Droop, frequency_mhz: int, base_w: int, band: Band, least_import_w: int = 0) -> int:
    """Return the power at which a device answers a frequency: whole numbers only, so that any device can do it.

    Args:
        curve: With which it is armed.
        frequency_mhz: As it measures, 50 Hz being 50,000.
        base_w: What it would do without the curve, W, import positive.
        band: Outside which it may not go, whatever the frequency.
        least_import_w: If it draws at all it draws at least this (6 A); between nothing and this the nearer is taken.

    Returns:
        Power in W inside the band.
    """
    power_w = max(band.lo_w, min(band.hi_w, base_w + change_w(curve, frequency_mhz)))
    if not 0 < power_w < least_import_w:
        return power_w
    steps = [step for step in (0, least_import_w) if band.lo_w <= step <= band.hi_w]
    return min(steps, key=lambda step: abs(step - power_w), default=power_w)


def act(command: Command, at: datetime, frequency_mhz: int, base_w: int, least_import_w: int = 0) -> int:
    """Return a device's power under a command that may hold a curve: all that its fast loop has to call.

    Once the curve's time is over, or where there is none, it holds the command's band and no frequency moves it.
    """
    steady_w = max(command.band.lo_w, min(command.band.hi_w, base_w))
    if command.droop is None or command.droop_band is None or at >= command.droop.until:
        return steady_w
    return respond(command.droop.curve, frequency_mhz, steady_w, command.droop_band, least_import_w)


def change_w(curve: Droop, frequency_mhz: int) -> int:
    """Return by how much a curve moves power at a frequency, W, import positive; a fraction is left out."""
    off_mhz = frequency_mhz - curve.nominal_mhz
    if abs(off_mhz) <= curve.deadband_mhz:
        return 0
    edge = curve.deadband_mhz if off_mhz > 0 else -curve.deadband_mhz
    side = [(edge, 0), *((at, moved) for at, moved in curve.points if (at > 0) == (off_mhz > 0))]
    side.sort(key=lambda point: abs(point[0]))
    moved_w = side[-1][1]
    for (near, near_w), (far, far_w) in pairwise(side):
        if abs(near) <= abs(off_mhz) <= abs(far):
            moved_w = near_w + _toward_zero((far_w - near_w) * (off_mhz - near), far - near)
            break
    up_w, down_w = reserve_needed_w(curve)
    return max(-up_w, min(down_w, moved_w))


def reserve_needed_w(curve: Droop) -> tuple[int, int]:
    """Return what must be held ready for a curve: W that may be taken off the grid, and W that may be drawn more."""
    up_w, down_w = max(0, -curve.points[0][1]), max(0, curve.points[-1][1])
    return (
        up_w if curve.most_up_w is None else min(up_w, curve.most_up_w),
        down_w if curve.most_down_w is None else min(down_w, curve.most_down_w),
    )


def held_ready(
    asset: AssetId, curve: Droop, window: Interval, priority: Priority = Priority.CONTRACT, author: str = ""
) -> tuple[Constraint, ...]:
    """Return the statements under which a plan leaves room for a curve; only what was held ready may be armed."""
    sides = zip((Quantity.RESERVE_UP, Quantity.RESERVE_DOWN), reserve_needed_w(curve), strict=True)
    return tuple(
        Constraint(
            quantity=quantity,
            scope=(asset,),
            relation=Relation.AT_LEAST,
            value=reserve_w,
            window=window,
            priority=priority,
            author=author,
        )
        for quantity, reserve_w in sides
        if reserve_w
    )


def arm(curve: Droop, until: datetime) -> Armed:
    """Return a curve as it travels with a schedule or a command: it moves nothing from an instant on, UTC."""
    return Armed(curve=curve, until=until)


def symmetric(deadband_mhz: int, points: tuple[tuple[int, int], ...], nominal_mhz: int = 50_000) -> Droop:
    """Return a curve that answers too much as it answers too little.

    Args:
        deadband_mhz: So far from nominal nothing moves.
        points: ``(deviation in mHz, change in W)`` each, above nominal, by rising deviation.
        nominal_mhz: 50,000 or 60,000.
    """
    below = tuple((-at, -moved) for at, moved in reversed(points))
    return Droop(deadband_mhz=deadband_mhz, points=(*below, *points), nominal_mhz=nominal_mhz)


def _toward_zero(value: int, by: int) -> int:
    """Divide without the fraction, so that both directions promise alike and never too much."""
    whole = abs(value) // abs(by)
    return whole if (value < 0) == (by < 0) else -whole
