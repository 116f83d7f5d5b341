"""Put all contracts of a community on a chain, in the order in which they need each other, and remember where."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import rlp
from msgspec import Struct

from commonwatt.adapters.chains.contracts.artifact import Fork, artifact
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.flows.chain_ports import Account, Chain, Contract, TransactionSigner, deployed
from commonwatt.identity.keys import keccak256
from commonwatt.model import Corrupt, InvalidValue, Refused

_DAY_S = 86_400
WITHIN_S = 180.0
"""How long a network may take to put one contract into a block."""
FILE = "deployment.json"
PAUSE_S = 7 * _DAY_S
"""How long a guardian's pause lasts (`governed.vy`)."""
Places = Mapping[str, Account]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the contracts are told once, at their making.

    Args:
        origin: Name of the community's log, whose checkpoints are anchored; 64 bytes at most.
        proposer: Who may ask the timelock for something.
        guardian: Who may pause what enters, and cancel most of what was asked for.
        treasury: Who gets all TSL.
        delay_s: Between what the timelock is asked for and its doing.
        unbonding_s: In which a witness's stake can still be slashed.
        exit_after_s: Without a checkpoint, after which members may take what is theirs by themselves; two pauses at
            least, so that after a pause there is time to anchor.
        reward_micro: TSL for the signers of an anchored checkpoint, while the pool lasts.
        least_bond_micro: TSL that a witness has at stake at least, above zero.
        sell_period_s: In which each seller of ERGON has its ceiling.
    """

    origin: str
    proposer: Account
    guardian: Account
    treasury: Account
    delay_s: int = 2 * _DAY_S
    unbonding_s: int = 21 * _DAY_S
    exit_after_s: int = 14 * _DAY_S
    reward_micro: int = 1_000_000
    sell_period_s: int = _DAY_S
    least_bond_micro: int = 1_000_000_000

    def __post_init__(self) -> None:
        if not 0 < len(self.origin.encode()) <= 64:
            raise InvalidValue(f"a log's name has 1 to 64 bytes, was {self.origin!r}")
        if min(self.delay_s, self.unbonding_s, self.reward_micro) < 0 or self.least_bond_micro < 1:
            raise InvalidValue(f"times and rewards are zero or more, the least bond is above, was {self}")
        if self.exit_after_s < 2 * PAUSE_S:
            raise InvalidValue(f"a pause alone opens no exit: {2 * PAUSE_S} s at least, was {self.exit_after_s} s")

    @classmethod
    def of(cls, origin: str, account: Account) -> "Terms":
        """Return the terms of a community that begins with one account in all roles."""
        return cls(origin=origin, proposer=account, guardian=account, treasury=account)


_ORDER: Mapping[str, Callable[[Terms, Places], list[Any]]] = {
    "Timelock": lambda terms, _: [terms.delay_s, terms.proposer, terms.guardian],
    "Tsl": lambda terms, _: [terms.treasury],
    "Checkpoints": lambda terms, at: [
        at["Timelock"], at["Tsl"], terms.origin, terms.unbonding_s, terms.reward_micro, terms.least_bond_micro,
    ],
    "Ergon": lambda terms, at: [at["Timelock"], at["Checkpoints"], at["Vault"], terms.sell_period_s],
    "Watt": lambda _, at: [at["Vault"]],
    "Vault": lambda terms, at: [
        at["Timelock"], at["Checkpoints"], at["Ergon"], at["Watt"], at["Tsl"], terms.exit_after_s,
    ],
    "DeviceRegistry": lambda _, at: [at["Timelock"]],
    "Certificates": lambda _, at: [at["Timelock"]],
    "Channel": lambda _, at: [at["Timelock"]],
}  # fmt: skip
"""By name: what each is told at its making."""


def deploy(
    chain: Chain, key: TransactionSigner, terms: Terms, *, fork: Fork = "cancun", within_s: float = WITHIN_S
) -> dict[str, Contract]:
    """Put all contracts on a chain and return them by name; none has an owner, and the key has no rights by this.

    Who is interrupted begins anew: contracts of an earlier try stay on the chain, and nobody uses them.

    Args:
        chain: Where.
        key: Who pays; nobody else sends for it meanwhile.
        terms: What they are told.
        fork: Rules that the chain runs by.
        within_s: So long each may take.

    Raises:
        Refused: One was not made, or not where the others were told that it would be.
        Reverted, Unreachable: As in `Chain.deploy`.

    Source: docs/decisions/0011-the-chain.md.
    """
    first = chain.sent(key.id)
    # The Vault holds the tokens and may mint them, so each has to know where the other will be.
    places = {name: _place(key.id, first + at) for at, name in enumerate(_ORDER)}
    made = {}
    for name, told in _ORDER.items():
        compiled = artifact(name, fork)
        tx = chain.deploy(key, compiled, told(terms, places))
        made[name] = deployed(chain.receipt(tx, within_s=within_s), compiled)
        if made[name].address != places[name]:
            raise Refused("one process sends for a key", contract=name, expected=places[name], found=made[name].address)
    return made


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


def _place(sender: Account, nonce: int) -> Account:
    """Return where an account's transaction of a number makes a contract (Yellow Paper, section 7)."""
    return "0x" + keccak256(rlp.encode([bytes.fromhex(sender[2:]), nonce]))[12:].hex()
