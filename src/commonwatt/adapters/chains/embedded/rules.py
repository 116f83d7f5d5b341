"""What a block does, by the rules of Ethereum's Cancun fork, as py-evm runs them."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import msgspec
from eth.abc import (
    BlockHeaderAPI,
    ChainDatabaseAPI,
    ComputationAPI,
    ReceiptAPI,
    SignedTransactionAPI,
    StateAPI,
)
from eth.consensus.context import ConsensusContext
from eth.db.trie import make_trie_root_and_nodes
from eth.exceptions import HeaderNotFound, UnrecognizedTransactionType
from eth.rlp.headers import BlockHeader
from eth.vm.chain_context import ChainContext
from eth.vm.forks.cancun import CancunVM
from eth.vm.forks.cancun.blocks import CancunBlockHeader
from eth.vm.forks.cancun.state import CancunState, CancunTransactionExecutor
from eth.vm.forks.cancun.transactions import CancunTransactionBuilder
from eth.vm.forks.shanghai.constants import INITCODE_WORD_COST, MAX_INITCODE_SIZE
from eth.vm.spoof import SpoofTransaction
from eth_keys.exceptions import BadSignature
from eth_typing import Address, Hash32
from eth_utils.exceptions import ValidationError
from rlp import decode as rlp_decode
from rlp.exceptions import RLPException

from commonwatt.adapters.chains.embedded.nodes import Nodes
from commonwatt.model import Corrupt, InvalidValue, Refused

CHAIN_ID = 0x77617474
"""That of an embedded chain where nobody chose another: "watt"."""
TX_GAS = 1 << 24
"""The most that one transaction may ask for (EIP-7825); py-evm takes up to some 90 s of a processor for it, where it is
spent on hashing by BLAKE2 (EIP-152), and 5 to 50 s for other things that were thought of."""
GAS_LIMIT = 2 * TX_GAS
"""Of a block. Half of it, the target, is the most that is put into one: so the base fee of EIP-1559 stays at the zero
that it starts with, and whoever holds no coin of this chain can use it."""
NOWHERE = bytes(20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Genesis:
    """What a chain begins with.

    Args:
        chain_id: Its number (EIP-155), 1 or more.
        time_s: When it begins, seconds since 1970.
        balances: Coins of the chain by address, in its smallest unit; nobody needs any to use it.
    """

    chain_id: int = CHAIN_ID
    time_s: int = 0
    balances: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.chain_id < 1 or self.time_s < 0 or any(balance < 0 for balance in self.balances.values()):
            raise InvalidValue(f"a chain's number is 1 or more, time and balances zero or more, was {self}")

    def encoded(self) -> bytes:
        """Return it as bytes, of one form."""
        return msgspec.json.encode(
            {"balances": {to: str(n) for to, n in sorted(self.balances.items())}, "chain_id": self.chain_id,
             "time_s": self.time_s}
        )  # fmt: skip

    @classmethod
    def decoded(cls, content: bytes) -> "Genesis":
        """Return what `encoded` wrote.

        Raises:
            Corrupt: It did not.
        """
        try:
            told = msgspec.json.decode(content)
            balances = {to: int(n) for to, n in told["balances"].items()}
            return cls(chain_id=told["chain_id"], time_s=told["time_s"], balances=balances)
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError, AttributeError, InvalidValue) as error:
            raise Corrupt(f"a chain's genesis is damaged: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is tried without being sent.

    Args:
        sender: 20 bytes.
        to: 20 bytes; empty makes a contract.
        data: What it is told.
        value: Coins sent along.
        gas: The most that it may use.
    """

    sender: bytes = NOWHERE
    to: bytes = b""
    data: bytes = b""
    value: int = 0
    gas: int = TX_GAS


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A block that was run: what went in, what became of each, and why others did not go in."""

    header: BlockHeaderAPI
    txs: Sequence[SignedTransactionAPI]
    receipts: Sequence[ReceiptAPI]
    refused: Mapping[bytes, str]


class Rules:
    """Runs blocks and messages on the state that `nodes` holds.

    Args:
        chain_id: The chain's number.
        nodes: The state of all blocks.
        header_of: Returns the header of a block by its hash; None where there is none.
    """

    def __init__(self, chain_id: int, nodes: Nodes, header_of: Callable[[bytes], BlockHeaderAPI | None]) -> None:
        self.nodes = nodes
        self._context = ChainContext(chain_id)
        self._consensus = ConsensusContext(nodes)
        self._headers = cast(ChainDatabaseAPI, _Headers(nodes, header_of))
        self.chain_id = chain_id

    def found(self, genesis: Genesis) -> BlockHeaderAPI:
        """Return the header of the first block; its state is written to `nodes`."""
        before = BlockHeader(difficulty=0, block_number=-1, gas_limit=0)
        state = _VM.build_state(self.nodes, before, self._context)
        for to, balance in sorted(genesis.balances.items()):
            state.set_balance(Address(bytes.fromhex(to[2:])), balance)
        state.persist()
        return _VM.create_genesis_header(
            timestamp=genesis.time_s,
            gas_limit=GAS_LIMIT,
            state_root=state.state_root,
            base_fee_per_gas=0,
            extra_data=hashlib.sha256(genesis.encoded()).digest(),
        )

    def make(self, parent: BlockHeaderAPI, time_s: int, txs: Sequence[SignedTransactionAPI]) -> Made:
        """Run as many transactions as fit into the block after `parent`; the state is written to `nodes`.

        Args:
            parent: The block before.
            time_s: When, after the parent's time.
            txs: In order; `Made.refused` tells which ones the rules let into no block, by hash.
        """
        header = self.after(parent, time_s)
        vm = self._vm(header)
        taken: list[SignedTransactionAPI] = []
        receipts: list[ReceiptAPI] = []
        refused: dict[bytes, str] = {}
        for tx in txs:
            if taken and header.gas_used + tx.gas > GAS_LIMIT // 2:
                break
            try:
                _check(vm.state, tx)
            except ValidationError as error:
                refused[bytes(tx.hash)] = str(error)
                continue
            receipt, _ = vm.apply_transaction(header, tx)
            header = vm.add_receipt_to_header(header, receipt)
            taken.append(tx)
            receipts.append(receipt)
        vm.state.persist()
        header = header.copy(
            state_root=vm.state.state_root,
            transaction_root=make_trie_root_and_nodes(taken)[0],
            receipt_root=make_trie_root_and_nodes(receipts)[0],
            extra_data=digest(tx.encode() for tx in taken),
        )
        return Made(header=header, txs=taken, receipts=receipts, refused=refused)

    def after(self, parent: BlockHeaderAPI, time_s: int) -> BlockHeaderAPI:
        """Return the header of an empty block after another."""
        header: BlockHeaderAPI = _VM.create_header_from_parent(
            parent, timestamp=time_s, gas_limit=GAS_LIMIT, coinbase=Address(NOWHERE)
        )
        _VM.validate_header(header, parent)
        return header

    def run(self, header: BlockHeaderAPI, message: Message) -> ComputationAPI:
        """Run a message on the state and in the block of a header, and take back what it did. Gas costs nothing.

        Raises:
            Refused: The sender does not have what it sends along, or the gas does not even cover the message itself.
        """
        state = self.state(header)
        before = state.snapshot()
        try:
            tx = cast(SignedTransactionAPI, _unsigned(state, message))
            _check(state, tx, message=True)
            return state.apply_transaction(tx)
        except ValidationError as error:
            raise Refused("no such message can be sent", found=str(error)) from error
        finally:
            state.revert(before)

    def state(self, header: BlockHeaderAPI) -> StateAPI:
        """Return the state at a header; what is written to it stays in memory."""
        free = header.copy(base_fee_per_gas=0)
        earlier = _VM.get_prev_hashes(free.parent_hash, self._headers) or ()
        return _VM.build_state(self.nodes, free, self._context, earlier)

    def _vm(self, header: BlockHeaderAPI) -> "_VM":
        return _VM(header=header, chaindb=self._headers, chain_context=self._context, consensus_context=self._consensus)


def read_tx(raw: bytes, chain_id: int) -> SignedTransactionAPI:
    """Return a signed transaction from its bytes, its sender recovered and so its signature checked.

    Raises:
        Refused: It is none, is for another chain or for none (EIP-155 does not protect it), carries blobs, or its
            signature is nobody's.
    """
    try:
        tx = CancunTransactionBuilder.decode(raw)
        if tx.encode() != raw:
            raise Refused("a transaction has one form", found=raw.hex()[:64])
        found = tx.chain_id
        blobs = getattr(tx, "type_id", None) == _BLOBS
        if not blobs and found == chain_id:
            tx.sender  # noqa: B018  recovers it
    except _NO_TX as error:
        raise Refused("this is no signed transaction", found=str(error)) from error
    if blobs:
        raise Refused("blobs are for chains with a network")
    if found != chain_id:
        raise Refused("a transaction is for one chain", chain_id=chain_id, found=found)
    if tx.gas > TX_GAS:
        raise Refused("a transaction asks for no more gas than fits", most=TX_GAS, found=tx.gas)
    return tx


def read_header(encoded: bytes) -> BlockHeaderAPI:
    """Return a header from its RLP.

    Raises:
        Corrupt: It is none.
    """
    try:
        return cast(BlockHeaderAPI, rlp_decode(encoded, sedes=CancunBlockHeader))
    except RLPException as error:
        raise Corrupt(f"a block's header is damaged: {error}") from error


def base_fee(header: BlockHeaderAPI) -> int:
    """Return a block's base fee per gas (EIP-1559), which py-evm types as perhaps absent."""
    return header.base_fee_per_gas or 0


def digest(raws: Iterable[bytes]) -> bytes:
    """Return the hash over signed transactions that stands in their block's header as its extra data.

    The header's transaction root binds them as well, but takes a hundred times longer to check.
    """
    told = hashlib.sha256()
    for raw in raws:
        told.update(len(raw).to_bytes(4))
        told.update(raw)
    return told.digest()


def _check(state: StateAPI, tx: SignedTransactionAPI, *, message: bool = False) -> None:
    """Refuse what the rules let into no block; py-evm's own checks come last, since they leave out some."""
    least = tx.intrinsic_gas
    if tx.to == b"":
        if len(tx.data) > MAX_INITCODE_SIZE:
            raise ValidationError(f"what makes a contract has {MAX_INITCODE_SIZE} bytes at most, was {len(tx.data)}")
        least += INITCODE_WORD_COST * (-(-len(tx.data) // 32))
    if tx.gas < least:
        raise ValidationError(f"gas of {least} is the least, was {tx.gas}")
    if tx.max_priority_fee_per_gas > tx.max_fee_per_gas:
        raise ValidationError(f"a tip is part of the fee of {tx.max_fee_per_gas}, was {tx.max_priority_fee_per_gas}")
    if tx.nonce >= _LAST_NONCE:
        raise ValidationError(f"a sender's last number is {_LAST_NONCE - 1}, was {tx.nonce}")
    if not message and state.get_code(tx.sender):
        raise ValidationError("a contract sends no transaction (EIP-3607)")
    state.validate_transaction(tx)


def _unsigned(state: StateAPI, message: Message) -> SpoofTransaction:
    unsigned = CancunTransactionBuilder.create_unsigned_transaction(
        nonce=state.get_nonce(Address(message.sender)),
        gas_price=0,
        gas=message.gas,
        to=Address(message.to),
        value=message.value,
        data=message.data,
    )
    return SpoofTransaction(unsigned, from_=Address(message.sender))


_BLOBS = 3
_LAST_NONCE = 2**64 - 1
"""EIP-2681."""
_NO_TX = (
    RLPException,
    ValidationError,
    BadSignature,
    UnrecognizedTransactionType,
    ValueError,
    TypeError,
    NotImplementedError,
    RecursionError,
)
"""What py-evm raises for bytes that are no transaction, or whose signature is nobody's."""


class _Executor(CancunTransactionExecutor):
    """As its parent, without its checks: `_check` makes them before anything is changed.

    And `read_tx` recovered the sender by the signature, which its parent would do a second and a third time.
    """

    def validate_transaction(self, transaction: SignedTransactionAPI) -> None:
        pass


class _State(CancunState):
    transaction_executor_class = _Executor


class _VM(CancunVM):
    _state_class = _State


class _Headers:
    """What a VM asks a chain's database for: headers of earlier blocks, and the state."""

    def __init__(self, db: Nodes, header_of: Callable[[bytes], BlockHeaderAPI | None]) -> None:
        self.db, self._header_of = db, header_of

    def get_block_header_by_hash(self, block_hash: Hash32) -> BlockHeaderAPI:
        header = self._header_of(block_hash)
        if header is None:
            raise HeaderNotFound(block_hash.hex())
        return header
