"""The benchmarks of a checkout: what there is, and one measured, each in a process of its own."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from commonwatt.model import Refused

_CHECKOUT = Path(__file__).parents[3]


def figures(checkout: Path = _CHECKOUT) -> dict[str, str]:
    """Return each figure's name, and what it measures.

    Raises:
        Refused: This is no checkout, or its benchmarks do not start.
    """
    lines = _run(checkout, ()).splitlines()
    return {name: what.strip() for name, _, what in (line.partition(" ") for line in lines)}


def measure(names: Sequence[str], checkout: Path = _CHECKOUT) -> list[dict[str, Any]]:
    """Measure figures, and return them as `benchmarks.figure.Figure` tells them.

    Raises:
        Refused: As in `figures`, or there is no such figure.
    """
    return [msgspec.json.decode(line, type=dict[str, Any]) for line in _run(checkout, names).splitlines()]


def _run(checkout: Path, names: Sequence[str]) -> str:
    if not (checkout / "benchmarks" / "__main__.py").exists():
        raise Refused(
            "benchmarks come with the source and not with the package: run it from a checkout", folder=checkout
        )
    words = [sys.executable, "-m", "benchmarks", *names]
    done = subprocess.run(words, cwd=checkout, capture_output=True, text=True, check=False)  # noqa: S603  our own
    if done.returncode:
        raise Refused("benchmarks end well", says=done.stderr.strip().rpartition("\n")[2], code=done.returncode)
    return done.stdout
