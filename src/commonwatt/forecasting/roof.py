"""What a roof would yield under a clear sky: its slope, direction and size, fitted to readings alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import InvalidValue

Floats = NDArray[np.float64]
SLOPES = (0, 10, 20, 30, 40, 60)
DIRECTIONS = tuple(range(0, 360, 20))
DIFFUSE = 0.12
"""Light of a clear sky that comes from everywhere, as a share of what the sun's own beam brings at right angles."""
DEPTH = 0.25
"""Optical depth of the clear atmosphere: how much of the beam an air mass of one swallows, e to the minus that."""


@dataclass(frozen=True, slots=True)
class Roof:
    """A plane towards the sky.

    Args:
        slope_degrees: 0 is flat.
        direction_degrees: Where it looks, 0 north, 90 east.
        size_wh: What a slot brings when the sun shines at right angles through no air.
        fit: Correlation of its clear-sky curve with the best of each slot; below 0.9 something shades it.
    """

    slope_degrees: int
    direction_degrees: int
    size_wh: float
    fit: float


def clear_sky(sun: Floats, slope_degrees: float, direction_degrees: float) -> Floats:
    """Return what a plane gets under a clear sky, 1 being the beam above the atmosphere at right angles.

    Args:
        sun: (..., 3), as `sun.towards` returns.
        slope_degrees: Of the plane.
        direction_degrees: Of the plane.

    Source: beam by Beer's law over the air mass of Kasten & Young, Applied Optics 28, 1989, and an even diffuse part;
    it has not the few per cent that water and dust change from day to day.
    """
    slope, direction = np.radians([slope_degrees, direction_degrees])
    plane = np.array([np.sin(slope) * np.sin(direction), np.sin(slope) * np.cos(direction), np.cos(slope)])
    up = np.clip(sun[..., 2], 0, 1)
    height = np.degrees(np.arcsin(up))
    air = 1 / np.maximum(up + 0.50572 * (height + 6.07995) ** -1.6364, 0.02)
    beam = np.where(up > 0, np.exp(-DEPTH * air), 0)
    found: Floats = beam * np.clip(sun @ plane, 0, None) + DIFFUSE * beam * (1 + np.cos(slope)) / 2
    return found


def fit_roofs(solar_wh: Floats, sun: Floats) -> tuple[list[Roof], Floats]:
    """Find for each roof the plane whose clear-sky curve is most like the best that each slot of the day brought.

    Args:
        solar_wh: (roofs, days, slots) Wh; not a number where nobody measured.
        sun: (days or more, slots, 3) of the same days, and of days to come.

    Returns:
        The best of `SLOPES` and `DIRECTIONS` for each, and its clear-sky curve of every day of the sun: (roofs, days,
        slots), 1 being `Roof.size_wh`. A roof that never yielded has size and fit zero.

    Raises:
        InvalidValue: Shapes differ.
    """
    roofs, days, slots = solar_wh.shape
    if len(sun) < days or sun.shape[1:] != (slots, 3):
        raise InvalidValue(f"roofs are fitted to days and slots, was {solar_wh.shape} under {sun.shape}")
    planes = [(slope, direction) for slope in SLOPES for direction in (DIRECTIONS if slope else (0,))]
    curves = np.array([clear_sky(sun, *plane) for plane in planes])
    shapes = curves[:, :days].max(1)
    shapes /= np.maximum(np.linalg.norm(shapes, axis=1, keepdims=True), 1e-12)
    best = np.where(np.isnan(solar_wh), 0.0, solar_wh).max(1).clip(0)
    likeness = best @ shapes.T / np.maximum(np.linalg.norm(best, axis=1, keepdims=True), 1e-12)
    which = likeness.argmax(1)
    found = []
    for roof in range(roofs):
        curve = curves[which[roof], :days].max(0)
        bright = curve > 0.3 * curve.max()
        size = float(np.quantile(best[roof, bright] / curve[bright], 0.8)) if bright.any() else 0.0
        slope, direction = planes[which[roof]]
        found.append(Roof(slope, direction, size, float(likeness[roof, which[roof]])))
    return found, curves[which]
