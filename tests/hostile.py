"""Contracts that attack, compiled; see `scripts/contracts.py`."""

from pathlib import Path

from commonwatt.adapters.chains.contracts.artifact import Artifact, read

_HOSTILE = Path(__file__).parent / "adapters" / "chains" / "hostile" / "artifacts" / "cancun"


def hostile(name: str) -> Artifact:
    return read((_HOSTILE / f"{name}.json").read_text())
