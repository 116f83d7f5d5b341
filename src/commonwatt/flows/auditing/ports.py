"""What an audit asks of a chain beyond what every story does, and what it found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from commonwatt.flows.chain_ports import Account, Chain, Contract, TxHash
from commonwatt.model import Commodity


class AuditedChain(Chain, Protocol):
    """A chain that also tells what was sent to it."""

    def told(self, contract: Contract, function: str, tx: TxHash) -> tuple[Any, ...] | None:
        """Return the arguments with which a transaction had a contract run a function.

        Returns:
            None where it told another contract, or something else.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """A community's contracts, as far as an audit looks at them.

    Args:
        checkpoints: Where checkpoints are anchored.
        vault: Holds what the ledger owes.
        tokens: ERGON, WATT and TSL.
        first_block: Before which there is nothing of them.
    """

    checkpoints: Contract
    vault: Contract
    tokens: Mapping[Commodity, Contract]
    first_block: int

    def named(self) -> Mapping[Account, Commodity]:
        """Return what each token is, by its address."""
        return {contract.address: commodity for commodity, contract in self.tokens.items()}
