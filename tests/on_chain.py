"""A chain in memory for tests: keys with coins, a clock moved by hand, and contracts told in one line."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.rules import Genesis
from commonwatt.adapters.chains.rpc import embedded
from commonwatt.flows.chain_ports import Chain, Compiled, Contract, Receipt, deployed
from commonwatt.identity.keys import SigningKey

BEGAN_S = 1_700_000_000
COINS = 10**24


@dataclass(frozen=True, slots=True)
class Probe:
    """The contract of tests of the chain itself, see `contracts/probe.vy`."""

    abi: tuple[Mapping[str, Any], ...]
    bytecode: bytes


def probe() -> Probe:
    """Return it as compiled for Shanghai, which runs on any network."""
    told = json.loads((Path(__file__).parent / "contracts/probe.json").read_text())
    return Probe(tuple(told["abi"]), bytes.fromhex(told["bytecode"]))


def key(name: str) -> SigningKey:
    """Return the key that tests give to a name."""
    return SigningKey.from_seed(b"on chain", name)


OPERATOR, ALICE, BOB, CAROL = (key(name) for name in ("operator", "alice", "bob", "carol"))
GENESIS = Genesis(time_s=BEGAN_S, balances={one.id: COINS for one in (OPERATOR, ALICE, BOB, CAROL)})


class HandClock:
    """Shows what it was set to."""

    def __init__(self, now_s: int = BEGAN_S) -> None:
        self.now_s = now_s

    def __call__(self) -> int:
        return self.now_s


@dataclass
class Ground:
    """An embedded chain, its port, and its clock."""

    folder: Path | None = None
    genesis: Genesis = GENESIS
    clock: HandClock = field(default_factory=HandClock)

    def __post_init__(self) -> None:
        self.embedded = EmbeddedChain(self.folder, self.genesis, clock=self.clock)
        self.chain = embedded(self.embedded)

    def put(self, compiled: Compiled, *args: Any, by: SigningKey = OPERATOR) -> Contract:
        """Put a contract on the chain and return it."""
        return put(self.chain, compiled, *args, by=by)

    def tell(self, by: SigningKey, contract: Contract, function: str, *args: Any) -> Receipt:
        """Have somebody tell a contract something that it does, and return the receipt."""
        return tell(self.chain, by, contract, function, *args)

    def ask(self, contract: Contract, function: str, *args: Any) -> Any:
        """Ask a contract."""
        return self.chain.call(contract, function, args)

    def later(self, seconds: int) -> None:
        """Let time pass, and say so on the chain."""
        self.clock.now_s = max(self.clock.now_s, self.embedded.head.timestamp) + seconds
        self.embedded.make_empty_block()


def put(chain: Chain, compiled: Compiled, *args: Any, by: SigningKey, within_s: float = 0) -> Contract:
    """Put a contract on any chain and return it."""
    return deployed(chain.receipt(chain.deploy(by, compiled, args), within_s=within_s), compiled)


def tell(chain: Chain, by: SigningKey, contract: Contract, function: str, *args: Any, within_s: float = 0) -> Receipt:
    """Have somebody tell a contract something on any chain, and return the receipt of what it did."""
    receipt = chain.receipt(chain.send(by, contract, function, args), within_s=within_s)
    assert receipt is not None and receipt.ok, f"{function} was not done: {receipt}"
    return receipt
