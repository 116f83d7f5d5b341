"""Give out a new chain's roles and stakes: each step is seen on the chain first, and done once.

Where others than the operator's key propose or hold the TSL, what is theirs to do is said, and done once they did it.
"""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A role that somebody is to have, and what the Timelock is told for it: target, data, salt."""

    function: str
    who: Account
    told: tuple[Account, bytes, bytes]


class Roles:
    """Who is to be what, on one chain.

    Args:
        chain: The chain.
        deployment: Its contracts.
        keys: The operator's.
        witnesses: Who is to bond.
        stake_micro: TSL that each of them is given.
        ceiling_micro: ERGON that the seller may mint in a period.
    """

    def __init__(
        self,
        chain: Chain,
        deployment: Deployment,
        keys: ChainKeys,
        witnesses: Sequence[Account],
        stake_micro: int,
        ceiling_micro: int,
    ) -> None:
        self._chain, self._keys, self._stake_micro, self._ceiling_micro = chain, keys, stake_micro, ceiling_micro
        self._first_block, self._endowed = deployment.block, set[Account]()
        self._witnesses = tuple(witnesses)
        self._lock, self._tsl, self._ergon, self._checkpoints = (
            deployment.contract(name) for name in ("Timelock", "Tsl", "Ergon", "Checkpoints")
        )

    def arrange(self) -> tuple[str, ...]:
        """Do what can be done by now, and return which roles and stakes are not given yet.

        Raises:
            Refused: The chain does not take a transaction.
            Unreachable: It gives no answer.
        """
        waiting = [f"{one.function} {one.who}" for one in self.wanted() if not self._given(one)]
        # Only when all are admitted: whoever bonds before the others are would stand for all of them.
        for who in () if waiting else self._witnesses:
            stake, _, _, admitted = self._chain.call(self._checkpoints, "witness", (who,))
            if admitted and not stake and not self._give_stake(who):
                waiting.append(f"{self._stake_micro} micro TSL {who}")
        return tuple(waiting)

    def wanted(self) -> Iterator["Wanted"]:
        """Yield which roles are to be given and were not yet."""
        if not self._chain.call(self._ergon, "sellers", (self._keys.seller.id,))[0]:
            yield self._role(self._ergon, "set_seller", self._keys.seller.id, self._ceiling_micro)
        for who in self._witnesses:
            if not self._chain.call(self._checkpoints, "witness", (who,))[3]:
                yield self._role(self._checkpoints, "admit", who, True)

    def propose(self, key: TransactionSigner) -> tuple[str, ...]:
        """Announce, with the proposer's own key, all roles that are wanted and not announced; return which.

        Raises:
            Reverted: It is not the proposer's.
            Refused: The chain does not take a transaction.
            Unreachable: It gives no answer.
        """
        new = [one for one in self.wanted() if self._due_s(one) == 0]
        for one in new:
            sent(self._chain, key, self._lock, "schedule", one.told)
        return tuple(f"{one.function} {one.who}" for one in new)

    def _role(self, to: Contract, function: str, who: Account, what: int | bool) -> "Wanted":
        told = (to.address, call_data(to.abi, function, (who, what)), _SALT)
        return Wanted(function=function, who=who, told=told)

    def _due_s(self, one: "Wanted") -> int:
        return int(self._chain.call(self._lock, "due_s", (self._chain.call(self._lock, "id", one.told),)))

    def _given(self, one: "Wanted") -> bool:
        """Announce a role, or give it where it was announced long enough ago; tell whether nothing waits any more."""
        due_s = self._due_s(one)
        if due_s == 1:
            return True  # given once, and taken away since
        if due_s == 0:
            if self._chain.call(self._lock, "proposer") != self._keys.desk.id:
                return False
            sent(self._chain, self._keys.desk, self._lock, "schedule", one.told)
        try:
            sent(self._chain, self._keys.desk, self._lock, "execute", one.told)
        except Reverted:
            return False  # not due yet
        return True

    def _give_stake(self, who: Account) -> bool:
        """Give a witness its TSL, once: who moves it away gets no more, or the Vault's would go the same way.

        Returns:
            Whether it was given; not while the operator has too little, since the treasury is another's.
        """
        if who not in self._endowed and not self._was_given(who):
            if self._chain.call(self._tsl, "balanceOf", (self._keys.desk.id,)) < self._stake_micro:
                return False
            sent(self._chain, self._keys.desk, self._tsl, "transfer", (who, self._stake_micro))
        self._endowed.add(who)
        if who == self._keys.own.id and self._chain.call(self._tsl, "balanceOf", (who,)):
            bond(self._chain, self._tsl, self._checkpoints, self._keys.own)
        return True

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
