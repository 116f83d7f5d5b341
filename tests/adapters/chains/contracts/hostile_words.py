"""Contracts that only tests deploy, see `scripts/contracts.py`."""

from pathlib import Path

from commonwatt.adapters.chains.contracts.artifact import Artifact, read


def hostile(name: str, fork: str = "cancun") -> Artifact:
    """Return a contract of the tests' own."""
    return read((Path(__file__).parents[1] / "hostile" / "artifacts" / fork / f"{name}.json").read_text())
