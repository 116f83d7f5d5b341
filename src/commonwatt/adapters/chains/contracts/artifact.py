"""Read what a contract's source compiles to; nothing here needs a compiler."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from commonwatt.model import InvalidValue

Fork = Literal["cancun", "shanghai"]
"""Rules of the EVM that bytecode was made for: one of Cancun may not run on a network that ends at Shanghai."""

_WORD = 32
_MOST_FIXED = 32 * _WORD


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A contract, compiled."""

    name: str
    fork: str
    compiler: str
    """Version of Vyper, with its commit."""
    abi: tuple[Mapping[str, Any], ...]
    bytecode: bytes
    """What is sent to deploy it, before the constructor's arguments."""
    runtime_bytes: int
    """Size on chain without its immutables; EIP-170 allows 24,576 with them."""
    sources: Mapping[str, str]
    """SHA-256 of each source that it is made of, by the file's name."""

    def runs(self, code: bytes) -> bool:
        """Tell whether code that stands on a chain is this contract's, whatever it was constructed with.

        What it was constructed with and never changes follows the code, in whole words; read it by its functions.
        """
        own, fixed = code[: self.runtime_bytes], len(code) - self.runtime_bytes
        return len(own) == self.runtime_bytes and own in self.bytecode and fixed in range(0, _MOST_FIXED, _WORD)


@cache
def artifact(name: str, fork: Fork = "cancun") -> Artifact:
    """Return a contract as shipped.

    Args:
        name: As its source is called, without the ending.
        fork: Rules of the EVM that it is to run under.

    Raises:
        InvalidValue: There is no such contract, or not for this fork.
    """
    place = files(__package__) / "artifacts" / fork / f"{name}.json"
    if not name.isidentifier() or not place.is_file():
        raise InvalidValue(f"there is no contract {name} for {fork}")
    return read(place.read_text())


def shipped() -> list[str]:
    """Return the names of all contracts, sorted."""
    folder = files(__package__) / "artifacts" / "cancun"
    return sorted(file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json"))


def read(text: str) -> Artifact:
    """Return the contract that an artifact's text tells of."""
    told = json.loads(text)
    return Artifact(**told | {"abi": tuple(told["abi"]), "bytecode": bytes.fromhex(told["bytecode"])})
