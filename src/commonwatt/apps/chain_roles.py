"""Give out a new chain's roles and stakes: each step is seen on the chain first, and done once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from commonwatt.adapters.chains.deployment import WITHIN_S, Deployment
from commonwatt.adapters.chains.evm.words import call_data
from commonwatt.flows.chain_ports import Account, Chain, Contract, Receipt, Reverted, TransactionSigner
from commonwatt.identity.keys import SigningKey
from commonwatt.model import Refused

_SALT = bytes(32)
"""The same for each first giving of a role: it is announced once, and whoever loses it later does not get it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainKeys:
    """What the operator holds here, as files like all other keys.

    Args:
        desk: Sends what the community pays for, and tells the log what the Vault took in.
        seller: Mints what was sold in the ledger.
        own: Signs checkpoints where no witness is registered.
    """

    desk: SigningKey
    seller: SigningKey
    own: SigningKey


class Roles:
    """Who is to be what, on one chain.

    Args:
        chain: The chain.
        deployment: Its contracts.
        keys: The operator's.
        witnesses: Who is to bond.
        stake_micro: TSL that each of them is given.
    """

    def __init__(
        self, chain: Chain, deployment: Deployment, keys: ChainKeys, witnesses: Sequence[Account], stake_micro: int
    ) -> None:
        self._chain, self._keys, self._stake_micro = chain, keys, stake_micro
        self._first_block, self._endowed = deployment.block, set[Account]()
        self._witnesses = tuple(witnesses)
        self._lock, self._tsl, self._ergon, self._checkpoints = (
            deployment.contract(name) for name in ("Timelock", "Tsl", "Ergon", "Checkpoints")
        )

    def arrange(self) -> tuple[str, ...]:
        """Do what can be done by now, and return which roles are announced and not given yet.

        Raises:
            Refused: The chain does not take a transaction.
            Unreachable: It gives no answer.
        """
        waiting = tuple(
            f"{function} {who}" for to, function, who in self._wanted() if not self._given(to, function, who)
        )
        # Only when all are admitted: whoever bonds before the others are would stand for all of them.
        for who in () if waiting else self._witnesses:
            stake, _, _, admitted = self._chain.call(self._checkpoints, "witness", (who,))
            if admitted and not stake:
                self._give_stake(who)
        return waiting

    def _wanted(self) -> Iterator[tuple[Contract, str, Account]]:
        if not self._chain.call(self._ergon, "sellers", (self._keys.seller.id,)):
            yield self._ergon, "set_seller", self._keys.seller.id
        for who in self._witnesses:
            if not self._chain.call(self._checkpoints, "witness", (who,))[3]:
                yield self._checkpoints, "admit", who

    def _given(self, to: Contract, function: str, who: Account) -> bool:
        """Announce a role, or give it where it was announced long enough ago; tell whether nothing waits any more."""
        told = (to.address, call_data(to.abi, function, (who, True)), _SALT)
        call = self._chain.call(self._lock, "id", told)
        due_s = self._chain.call(self._lock, "due_s", (call,))
        if due_s == 1:
            return True  # given once, and taken away since
        if due_s == 0:
            sent(self._chain, self._keys.desk, self._lock, "schedule", told)
        try:
            sent(self._chain, self._keys.desk, self._lock, "execute", told)
        except Reverted:
            return False  # not due yet
        return True

    def _give_stake(self, who: Account) -> None:
        """Give a witness its TSL, once: who moves it away gets no more, or the Vault's would go the same way."""
        if who not in self._endowed and not self._was_given(who):
            sent(self._chain, self._keys.desk, self._tsl, "transfer", (who, self._stake_micro))
        self._endowed.add(who)
        if who == self._keys.own.id and self._chain.call(self._tsl, "balanceOf", (who,)):
            bond(self._chain, self._tsl, self._checkpoints, self._keys.own)

    def _was_given(self, who: Account) -> bool:
        gifts = self._chain.events(self._tsl, "Transfer", self._first_block, self._chain.head().number)
        return any((gift.values["sender"], gift.values["receiver"]) == (self._keys.desk.id, who) for gift in gifts)


def bond(chain: Chain, tsl: Contract, checkpoints: Contract, witness: TransactionSigner) -> int:
    """Stake all TSL that a witness has, and return how much that was, in micro.

    Raises:
        Reverted: It was not admitted, or is on its way out.
        Refused: It has no TSL, or the chain does not take a transaction.
        Unreachable: The chain gives no answer.
    """
    amount = int(chain.call(tsl, "balanceOf", (witness.id,)))
    if not amount:
        raise Refused("a witness stakes what it has", witness=witness.id, tsl_micro=0)
    sent(chain, witness, tsl, "approve", (checkpoints.address, amount))
    sent(chain, witness, checkpoints, "bond", (amount,))
    return amount


def sent(chain: Chain, key: TransactionSigner, to: Contract, function: str, args: Sequence[Any]) -> Receipt:
    """Tell a contract something and return the receipt, once it was done.

    Raises:
        Reverted: The contract says no.
        Refused: The chain does not take it, or nothing became of it.
        Unreachable: The chain gives no answer.
    """
    receipt = chain.receipt(chain.send(key, to, function, args), within_s=WITHIN_S)
    if receipt is None or not receipt.ok:
        raise Refused("a transaction is done before the next one", function=function, receipt=receipt)
    return receipt
