"""Read the contracts that attack; they are for tests alone, and compiled like those that are shipped."""

from functools import cache
from pathlib import Path

from commonwatt.adapters.chains.contracts.artifact import Artifact, Fork, read

HOSTILE = Path(__file__).parents[1] / "hostile"


@cache
def hostile(name: str, fork: Fork = "cancun") -> Artifact:
    """Return an attacking contract."""
    return read((HOSTILE / "artifacts" / fork / f"{name}.json").read_text())
