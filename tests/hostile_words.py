"""Contracts that only tests deploy, see `scripts/contracts.py`."""

from pathlib import Path

from commonwatt.adapters.chains.contracts.artifact import Artifact, read

_HOSTILE = Path(__file__).parent / "adapters" / "chains" / "hostile" / "artifacts"


def hostile(name: str, fork: str = "cancun") -> Artifact:
    """Return a contract of the tests' own."""
    return read((_HOSTILE / fork / f"{name}.json").read_text())
