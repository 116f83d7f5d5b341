"""A person's own wallet on a chain: what an address holds, what came and went, and sending with a key of their own."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from commonwatt.adapters.chains.deployment import Deployment
from commonwatt.adapters.chains.evm.chain import EvmChain
from commonwatt.adapters.chains.evm.signing import Transaction
from commonwatt.adapters.stores.wallet_folder import WalletFolder
from commonwatt.apps.chain_reaching import contracts_at
from commonwatt.flows.chain_ports import Contract, Event, Receipt, TransactionSigner, TxHash, is_final
from commonwatt.identity.directory import KeyRecord
from commonwatt.identity.keys import SECP256K1
from commonwatt.identity.signing_in.wallet import read_address, with_checksum
from commonwatt.model import Commodity, KeyId, Refused, Unreachable

TOKENS: Mapping[Commodity, str] = {Commodity.ERGON: "Ergon", Commodity.WATT: "Watt", Commodity.TSL: "Tsl"}
"""The contract of each token; its base units are the ledger's."""
_LOOK_EVERY_S = 1.0
_BLOCKS_AT_ONCE = 10_000
_NOBODY = KeyId("0x" + "00" * 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """An address as people read it.

    Args:
        address: With its checksum (EIP-55).
        name: What it is called in the wallet, among the contracts or in the community's log; empty where nowhere.
    """

    address: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} {self.address}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Of one token, in base units: as of the head, as of the last final block (None where it was not there yet), and
    what a spender may take of it (None where nobody was asked about)."""

    commodity: Commodity
    amount: int
    final: int | None
    allowed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances:
    """What an address has on a chain.

    Args:
        who: Whose.
        chain_id: The chain's number.
        block: The head's number.
        final_block: The number of the last block that stays.
        coin: Of the chain's own, in its smallest unit.
        nonce: The number of its next transaction.
        tokens: Each of the community's.
    """

    who: Party
    chain_id: int
    block: int
    final_block: int
    coin: int
    nonce: int
    tokens: list[Held]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What came, went or was allowed, in base units: with a minus what went; with whom, and in which transaction."""

    block: int
    at_s: int
    final: bool
    what: str
    commodity: Commodity
    amount: int
    other: Party
    tx: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A transaction before it is signed: what whoever signs should see.

    Args:
        what: In words.
        source: Who signs and pays the fee.
        target: Who gets it, or may take it.
        transaction: With its number, its gas, and its price per gas at most.
    """

    what: str
    source: Party
    target: Party
    transaction: Transaction

    @property
    def most_fee(self) -> int:
        """The most that it costs, in the coin's smallest unit."""
        return self.transaction.gas * self.transaction.fee


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of a transaction: in which block, None while in none; whether it did what it was sent for, and
    whether that stays."""

    tx: str
    block: int | None
    done: bool
    final: bool
    gas: int


@dataclass(frozen=True, slots=True)
class ChainWallet:
    """A wallet's keys and a community's contracts on a chain.

    Args:
        chain: Where the contracts are.
        deployment: Which.
        names: Of addresses.
        mute: Addresses of keys that no contract knows: whatever is sent there stays there.
        sleep: Waits so many seconds.
    """

    chain: EvmChain
    deployment: Deployment
    names: Mapping[KeyId, str]
    mute: Collection[KeyId] = frozenset()
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def party(self, address: str) -> Party:
        """Return an address as people read it."""
        return Party(address=with_checksum(address), name=self.names.get(KeyId(address.lower()), ""))

    def find(self, who: str) -> KeyId:
        """Return the address that somebody means: written out, or by a name that one address has.

        Raises:
            InvalidValue: An address's checksum is wrong.
            Refused: Nobody is called so, or several are; or it is of a key that signs nothing on a chain.
        """
        if who.lower().startswith("0x"):
            address = read_address(who)
            if address in self.mute:
                raise Refused("an address on a chain is a secp256k1 key's, this one is of P-256", address=address)
            return address
        found = [address for address, name in self.names.items() if name == who]
        if len(found) != 1:
            raise Refused("a name is one address's", name=who[:80], addresses=len(found))
        return found[0]

    def balances(self, who: KeyId, spender: KeyId | None = None) -> Balances:
        """Return what an address has, and what a spender may take of it."""
        head, final = self.chain.head(), self.chain.final()
        tokens = [
            Held(
                commodity=commodity,
                amount=self._ask(commodity, "balanceOf", who, block=head.number),
                final=self._then(commodity, who, final.number),
                allowed=None if spender is None else self._ask(commodity, "allowance", who, spender),
            )
            for commodity in TOKENS
        ]
        return Balances(
            who=self.party(who),
            chain_id=self.chain.chain_id,
            block=head.number,
            final_block=final.number,
            coin=self.chain.balance(who),
            nonce=self.chain.sent(who),
            tokens=tokens,
        )

    def history(self, who: KeyId, limit: int | None = None, only: Commodity | None = None) -> list[Move]:
        """Return what came, went and was allowed, the newest first.

        Args:
            who: Whose.
            limit: How many at most.
            only: Of this token.
        """
        tokens = [*TOKENS] if only is None else [only]
        final = self.chain.final().number
        return list(islice(self._moves(who, tokens, final), limit))

    def offer_send(self, source: KeyId, target: KeyId, commodity: Commodity | None, amount: int, what: str) -> Offer:
        """Return the transaction that gives a token, or the chain's coin where none is named.

        Raises:
            Reverted: The token would refuse it.
            Refused: The node would; as where the sender cannot pay.
        """
        _refuse_nothing(amount)
        if commodity is None:
            made = self.chain.prepare(source, target, value=amount)
        else:
            made = self._prepare(source, commodity, "transfer", target, amount)
        return self._offer(what, source, target, made)

    def offer_take(
        self, source: KeyId, owner: KeyId, target: KeyId, commodity: Commodity, amount: int, what: str
    ) -> Offer:
        """Return the transaction that takes what its owner allowed. Errors as `offer_send`."""
        _refuse_nothing(amount)
        made = self._prepare(source, commodity, "transferFrom", owner, target, amount)
        return self._offer(what, source, target, made)

    def offer_allow(self, source: KeyId, spender: KeyId, commodity: Commodity, amount: int, what: str) -> Offer:
        """Return the transaction that allows a spender so much of a token, 0 to end it.

        Raises:
            Refused: Something is allowed already: a spender who sees the change coming could take both, so it is ended
                first; or as `offer_send`.

        Source: EIP-20, `approve`.
        """
        standing = self._ask(commodity, "allowance", source, spender)
        if standing and amount:
            raise Refused("what is allowed is set to 0 before it is set anew", spender=spender, allowed=standing)
        return self._offer(what, source, spender, self._prepare(source, commodity, "approve", spender, amount))

    def send(self, key: TransactionSigner, offer: Offer) -> TxHash:
        """Sign and send what was offered.

        Raises:
            Refused: The node does not take it.
        """
        return self.chain.submit(key, offer.transaction)

    def wait(self, tx: TxHash, within_s: float) -> Sent:
        """Return what became of a transaction: once it stays, or what is seen of it after so many seconds.

        A node that gives no answer meanwhile is asked again: the transaction is on its way whatever this learns.
        """
        receipt = None
        for look in range(int(within_s / _LOOK_EVERY_S) + 1):
            if look:
                self.sleep(_LOOK_EVERY_S)
            with suppress(Unreachable, Refused):
                receipt = self.chain.receipt(tx)
                if receipt is not None and is_final(self.chain, receipt):
                    return _sent(tx, receipt, final=True)
        return _sent(tx, receipt, final=False)

    def _moves(self, who: KeyId, tokens: list[Commodity], final: int) -> Iterator[Move]:
        last = self.chain.head().number
        while last > self.deployment.block:
            first = max(self.deployment.block + 1, last - _BLOCKS_AT_ONCE + 1)
            found = [
                (event, move)
                for commodity in tokens
                for name, role in (("Transfer", "sender"), ("Transfer", "receiver"), ("Approval", "owner"))
                for event in self.chain.events(self._token(commodity), name, first, last, about={role: who})
                if (move := self._move(event, commodity, role, final)) is not None
            ]
            found.sort(key=lambda one: (one[0].block, one[0].index), reverse=True)
            yield from (move for _, move in found)
            last = first - 1

    def _move(self, event: Event, commodity: Commodity, role: str, final: int) -> Move | None:
        values = event.values
        if role == "receiver" and values["sender"] == values["receiver"]:
            return None  # told once, as it went
        other = {"sender": "receiver", "receiver": "sender", "owner": "spender"}[role]
        what = {"sender": "sent", "receiver": "received", "owner": "allowed"}[role]
        if values[other] == _NOBODY:
            what = "burned" if role == "sender" else "minted"
        return Move(
            block=event.block,
            at_s=self.chain.block(event.block).time_s,
            final=event.block <= final,
            what=what,
            commodity=commodity,
            amount=-values["value"] if role == "sender" else values["value"],
            other=self.party(values[other]),
            tx="0x" + event.tx.hex(),
        )

    def _offer(self, what: str, source: KeyId, target: KeyId, made: Transaction) -> Offer:
        return Offer(what=what, source=self.party(source), target=self.party(target), transaction=made)

    def _prepare(self, source: KeyId, commodity: Commodity, function: str, *args: Any) -> Transaction:
        token = self._token(commodity)
        return self.chain.prepare(source, token.address, function, args, abi=token.abi)

    def _token(self, commodity: Commodity) -> Contract:
        if commodity not in TOKENS:
            raise Refused("a chain knows tokens", found=commodity, tokens=", ".join(TOKENS))
        return self.deployment.contract(TOKENS[commodity])

    def _ask(self, commodity: Commodity, function: str, *args: Any, block: int | None = None) -> int:
        return int(self.chain.call(self._token(commodity), function, args, block=block))

    def _then(self, commodity: Commodity, who: KeyId, block: int) -> int | None:
        try:
            return self._ask(commodity, "balanceOf", who, block=block)
        except (Refused, Unreachable):
            return None  # the contract was not there by then, or the node does not keep what was


@contextmanager
def on_chain(
    place: str, wallet: WalletFolder, *, folder: Path | None = None, word: Callable[[str], None] = lambda line: None
) -> Iterator[ChainWallet]:
    """Reach a community's contracts as long as the block runs.

    Args:
        place: A node's URL; or a community's folder, or that of its chain: while an app has the embedded chain open,
            whoever has it open is asked, where it is shown to wallets.
        wallet: Whose keys' names are known.
        folder: The community's, for a URL: where it is remembered which contracts are its own.
        word: Told how it goes on where a long chain is checked.

    Raises as `chain_reaching.contracts_at`, and Corrupt where the log is damaged.
    """
    with contracts_at(place, folder, word) as (chain, deployment, home):
        contracts = {KeyId(address): name for name, address in deployment.contracts.items()}
        own = {one.address: one.name for one in wallet.kept()}
        names, mute = named(_registered(home))
        yield ChainWallet(chain, deployment, {**names, **contracts, **own}, mute)


def named(records: Iterable[KeyRecord]) -> tuple[dict[KeyId, str], set[KeyId]]:
    """Return whose registered keys are, by address: an account, and its role beside where it has another than to be a
    member; and the addresses of those that sign nothing on a chain, which bear no name here."""
    names, mute = dict[KeyId, str](), set[KeyId]()
    for record in records:
        if record.verifying.alg != SECP256K1:
            mute.add(record.verifying.id)
            continue
        plain = record.role in ("member", record.account)
        names[record.verifying.id] = record.account if plain else f"{record.account} ({record.role})"
    return names, mute


def _registered(home: Path) -> list[KeyRecord]:
    """Return all registered keys, where the folder has a log."""
    if not (home / "log.sqlite").exists():
        return []
    # Here, and not above: it reads a log, which most chains' folders on a member's machine do not have.
    from commonwatt.apps.folder_community import folder_community  # noqa: PLC0415

    community = folder_community(home)
    try:
        community.catch_up()
        return [*community.state.keys]
    finally:
        community.close()


def _refuse_nothing(amount: int) -> None:
    if amount <= 0:
        raise Refused("what is sent is more than nothing", found=amount)


def _sent(tx: TxHash, receipt: Receipt | None, *, final: bool) -> Sent:
    told = "0x" + tx.hex()
    if receipt is None:
        return Sent(tx=told, block=None, done=False, final=False, gas=0)
    return Sent(tx=told, block=receipt.block, done=receipt.ok, final=final, gas=receipt.gas)
