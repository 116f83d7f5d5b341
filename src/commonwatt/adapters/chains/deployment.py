"""Put all contracts of a community on a chain, in order, and remember where they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import rlp
from msgspec import Struct

from commonwatt.adapters.chains.contracts.artifact import Fork, artifact
from commonwatt.adapters.chains.evm.chain import EvmChain
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.flows.chain_ports import Account, Contract, TransactionSigner, deployed
from commonwatt.identity.keys import keccak256
from commonwatt.model import Corrupt, Refused

FILE = "deployment.json"
WITHIN_S = 180.0
"""How long a network may take to put one contract into a block."""
_TO_VAULT = 2
"""Contracts between the first one that is told where the Vault will be, and the Vault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What contracts are made with, for good.

    Args:
        origin: The log's name: only its checkpoints count.
        delay_s: Between the announcement of a role and its use, seconds; one at least.
        unbonding_s: How long a stake can be slashed after it counts no more.
        reward_micro: TSL for the signers of one checkpoint, as long as the pool has so much.
        exit_after_s: How long no checkpoint comes before everybody may take their own.
        fork: Rules of the EVM that the chain has.
    """

    origin: str
    delay_s: int
    unbonding_s: int = 14 * 86_400
    reward_micro: int = 1_000_000
    exit_after_s: int = 14 * 86_400
    fork: Fork = "cancun"


class Deployment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a community's contracts are.

    Args:
        origin: The community.
        chain_id: The chain's number.
        fork: For which rules of the EVM they were compiled.
        block: The last block before them: events are looked for from here on.
        contracts: Addresses by the contract's name.
    """

    origin: str
    chain_id: int
    fork: Fork
    block: int
    contracts: dict[str, Account]

    def contract(self, name: str) -> Contract:
        """Return a contract at its place.

        Raises:
            Refused: This community has none of this name.
        """
        place = self.contracts.get(name)
        if place is None:
            raise Refused("a contract is deployed before it is used", name=name)
        return Contract(place, artifact(name, self.fork).abi)

    def contracts_by_name(self) -> Mapping[str, Contract]:
        """Return all of them."""
        return {name: self.contract(name) for name in self.contracts}


def deploy(chain: EvmChain, key: TransactionSigner, rules: Rules) -> Deployment:
    """Put all contracts on a chain and return where they are; all TSL are the key's then.

    Whoever is killed in between begins anew: contracts that nobody remembers hold nothing.

    Args:
        chain: Where to.
        key: Pays, and is proposer and guardian of the Timelock until that names others.
        rules: What they are made with.

    Raises:
        Refused: The chain does not take one of them.
        Unreachable: The chain gives no answer.
    """
    places: dict[str, Account] = {}
    before = chain.head().number

    def put(name: str, *args: Any) -> Account:
        compiled = artifact(name, rules.fork)
        made = deployed(chain.receipt(chain.deploy(key, compiled, args), within_s=WITHIN_S), compiled)
        places[name] = made.address
        return made.address

    lock = put("Timelock", rules.delay_s, key.id, key.id)
    tsl = put("Tsl", key.id)
    checkpoints = put("Checkpoints", lock, tsl, rules.origin, rules.unbonding_s, rules.reward_micro)
    vault = coming(key.id, chain.nonce(key.id) + _TO_VAULT)
    ergon = put("Ergon", lock, checkpoints, vault)
    watt = put("Watt", vault)
    if put("Vault", lock, checkpoints, ergon, watt, tsl, rules.exit_after_s) != vault:
        raise Refused("nobody else uses a key while contracts are deployed with it", key=key.id)
    put("DeviceRegistry", lock)
    put("Certificates", lock)
    return Deployment(origin=rules.origin, chain_id=chain.chain_id, fork=rules.fork, block=before, contracts=places)


def coming(sender: Account, nonce: int) -> Account:
    """Return where the contract will be that an account makes with its transaction of this number.

    Source: Ethereum Yellow Paper, section 7, CREATE.
    """
    return "0x" + keccak256(rlp.encode([bytes.fromhex(sender[2:]), nonce]))[-20:].hex()


def keep(folder: Path, deployment: Deployment) -> None:
    """Remember a deployment in a folder, durably."""
    save_secret(folder / FILE, msgspec.json.format(msgspec.json.encode(deployment)) + b"\n")


def kept(folder: Path) -> Deployment | None:
    """Return the deployment that a folder remembers; None where it remembers none.

    Raises:
        Corrupt: The file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Deployment)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Corrupt(f"{path} does not tell where contracts are: {error}") from error
