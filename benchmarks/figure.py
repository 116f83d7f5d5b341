"""What every benchmark ends with: one figure, its limit, and the conditions under which both were measured."""

import os
import platform
from importlib.metadata import version
from typing import Any

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured value beside the machine's limit for it; ``share`` is value over limit."""

    id: str
    value: float
    unit: str
    limit: float
    share: float
    conditions: dict[str, Any]


def figure(id: str, value: float, unit: str, limit: float, **conditions: Any) -> Figure:
    """Round a value and its limit to what can be trusted, and note the machine."""
    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("coincurve", "highspy", "numpy")},
    }
    return Figure(
        id=id,
        value=_round(value),
        unit=unit,
        limit=_round(limit),
        share=round(value / limit, 3) if limit else 0.0,
        conditions={**conditions, **machine},
    )


def _round(value: float) -> float:
    return float(f"{value:.4g}")
