"""What stories ask of a chain: contracts called and told, what they said, and how much of it is final."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from commonwatt.model import Refused

Abi = Sequence[Mapping[str, Any]]
"""A contract's interface, as compilers write it (Contract ABI Specification, "JSON")."""
Args = Sequence[Any]
"""Arguments in the order of the interface: int, bool, str, bytes; an address as 0x and 40 hex digits; lists, tuples."""
Account = str
"""An address on a chain: 0x and 40 hex digits, in lower case."""
TxHash = bytes
"""What a transaction is known by, 32 bytes."""


class Reverted(Refused):
    """A contract said no.

    Args:
        reason: In the contract's own words; where it gave none, what happened in the machine's.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__("the contract refuses", reason=reason)


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract at its place.

    Args:
        address: Where it is.
        abi: Its interface.
    """

    address: Account
    abi: Abi


class Compiled(Protocol):
    """A contract that can be put on a chain."""

    @property
    def abi(self) -> Abi:
        """Its interface."""

    @property
    def bytecode(self) -> bytes:
        """The code that makes it, without its constructor's arguments."""


class TransactionSigner(Protocol):
    """Whatever signs transactions: a key in memory (`identity.keys.SigningKey`), or one that never leaves its token."""

    @property
    def id(self) -> str:
        """The account that it signs for."""

    def sign_digest(self, digest: bytes) -> str:
        """Return the signature over 32 bytes: r and s, low-s, as 128 hex digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block's name.

    Args:
        number: From 0, the genesis block.
        hash: 32 bytes.
        time_s: Seconds since 1970.
    """

    number: int
    hash: bytes
    time_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a contract said in a transaction.

    Args:
        contract: Who said it.
        name: What it is called.
        values: By argument; an indexed argument of no fixed size is told by its hash, 32 bytes.
        block: Number of the block.
        block_hash: Its hash: after a reorganisation another block has this number.
        tx: The transaction.
        index: Its place among all events of the block; with the block's hash its one name.
    """

    contract: Account
    name: str
    values: Mapping[str, Any]
    block: int
    block_hash: bytes
    tx: TxHash
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a transaction in the block that it now stands in.

    Args:
        tx: The transaction.
        ok: Whether it did what it was sent for; otherwise it changed nothing, and its fee and number are used.
        block: Number of the block.
        block_hash: Its hash.
        gas: What it used.
        contract: Where the contract is that it made, if it made one.
    """

    tx: TxHash
    ok: bool
    block: int
    block_hash: bytes
    gas: int
    contract: Account | None


class Chain(Protocol):
    """A chain that contracts run on: embedded, or a network's node.

    Whatever it tells of blocks after `final` was only seen: a network may take it back. Nothing is credited for it.

    Every function raises `commonwatt.model.Unreachable` where the node gives no answer that can be believed. After that
    a transaction may have been sent or not: ask `receipt` for it, or send again what is harmless twice.
    """

    @property
    def chain_id(self) -> int:
        """The chain's number, which stands in every transaction and typed signature (EIP-155)."""

    def head(self) -> Block:
        """Return the last block seen."""

    def final(self) -> Block:
        """Return the last block that the network will not take back, as the node says; at first the genesis block."""

    def block(self, number: int) -> Block:
        """Return a block by its number.

        Raises:
            Refused: There is no such block yet.
        """

    def call(self, contract: Contract, function: str, args: Args = (), *, block: int | None = None) -> Any:
        """Ask a contract, changing nothing.

        Args:
            contract: Whom to ask.
            function: By name; where several have it, with types: ``claim(bytes32,uint256)``.
            args: Its arguments.
            block: As of this block's end; of the head where none is given.

        Returns:
            What it returns: one value, or a tuple of several. Addresses in lower case.

        Raises:
            Reverted: It says no.
            InvalidValue: There is no such function, or these are not its arguments.
        """

    def send(
        self,
        key: TransactionSigner,
        contract: Contract,
        function: str,
        args: Args = (),
        *,
        value: int = 0,
        gas: int | None = None,
    ) -> TxHash:
        """Tell a contract to do something; return when the node has taken the transaction, signed here (EIP-1559).

        Args:
            key: Who sends; one process at a time sends for a key.
            contract: Whom to tell.
            function: As in `call`.
            args: Its arguments.
            value: Coins of the chain to send along, in its smallest unit.
            gas: The most that it may use; where none is given the node tries first, and nothing is sent that would
                be refused.

        Raises:
            Reverted: Tried first, it would be refused now.
            Refused: The node does not take the transaction.
            InvalidValue: There is no such function, or these are not its arguments.
        """

    def deploy(self, key: TransactionSigner, compiled: Compiled, args: Args = (), *, gas: int | None = None) -> TxHash:
        """Put a contract on the chain; its receipt says where. Arguments and errors as in `send`."""

    def transfer(self, key: TransactionSigner, to: Account, value: int) -> TxHash:
        """Send coins of the chain itself, in its smallest unit. Errors as in `send`."""

    def receipt(self, tx: TxHash, *, within_s: float = 0) -> Receipt | None:
        """Return what became of a transaction, or None while it stands in no block.

        Args:
            tx: What `send` returned.
            within_s: So long it is waited for.
        """

    def events(self, contract: Contract, event: str, first: int, last: int) -> list[Event]:
        """Return the events of one name that a contract said, in order.

        Args:
            contract: Whose events.
            event: By name.
            first: The first block looked at.
            last: The last. Up to `final` they stay; see `final_events`.

        Raises:
            InvalidValue: Its interface has no such event.
        """

    def code(self, account: Account) -> bytes:
        """Return the code that runs at an address; empty where no contract is."""

    def sent(self, account: Account) -> int:
        """Return how many transactions an account has sent, and so the number of its next one."""

    def waiting(self, account: Account) -> int:
        """Return how many transactions of an account were taken and stand in no block yet, as far as anybody tells."""

    def hurry(self, key: TransactionSigner) -> int:
        """Offer the price of now for what was sent here for a key, waits for a block and offered too little for it.

        Each says the same as before under another name, and takes the place of the one that waits.

        Args:
            key: Who sent.

        Returns:
            How many were sent once more.

        Raises:
            Refused: The node takes none in its place, or asks for a price that nobody pays.
        """

    def balance(self, account: Account) -> int:
        """Return what an account has of the chain's own coin, in its smallest unit."""


def is_final(chain: Chain, receipt: Receipt) -> bool:
    """Tell whether what became of a transaction stays so: its block is final, and is still the block of its number."""
    return receipt.block <= chain.final().number and chain.block(receipt.block).hash == receipt.block_hash


def final_events(chain: Chain, contract: Contract, event: str, first: int) -> tuple[list[Event], int]:
    """Return events that stay, and the block from which to ask on the next time.

    Args:
        chain: Where to look.
        contract: Whose events.
        event: By name.
        first: The first block looked at.

    Returns:
        The events in order, and the number after the last final block; `first` itself while nothing new is final.
    """
    last = chain.final().number
    if last < first:
        return [], first
    return chain.events(contract, event, first, last), last + 1


def deployed(receipt: Receipt | None, compiled: Compiled) -> Contract:
    """Return the contract that `Chain.deploy` made, by the receipt.

    Raises:
        Refused: It was not made, or not yet.
    """
    if receipt is None or not receipt.ok or receipt.contract is None:
        raise Refused("a contract is made before it is used", receipt=receipt)
    return Contract(receipt.contract, compiled.abi)
