"""A chain in this process: signed transactions come in, blocks are made of them, and what is answered is durable."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self

import rlp
from eth.abc import BlockHeaderAPI, ComputationAPI, ReceiptAPI, SignedTransactionAPI, StateAPI
from eth.vm.forks.cancun.receipts import CancunReceiptBuilder
from eth_typing import Address
from lru import LRU

from commonwatt.adapters.chains.embedded.block_log import BlockLog, StoredBlock, StoredTx
from commonwatt.adapters.chains.embedded.nodes import Nodes
from commonwatt.adapters.chains.embedded.opening import checked_head
from commonwatt.adapters.chains.embedded.rules import (
    Genesis,
    Message,
    Rules,
    digest,
    read_header,
    read_tx,
)
from commonwatt.identity.keys import keccak256
from commonwatt.model import Corrupt, Refused, Unreachable

_BLOCKS_AT_HAND = 256
MOST_WAITING = 10_000
"""Transactions that wait for a block; the next is refused."""


class FullBlock:
    """A block as it is asked for: its header, transactions and receipts."""

    __slots__ = ("hash", "header", "receipts", "size", "txs")

    def __init__(self, stored: StoredBlock, chain_id: int) -> None:
        self.header, self.hash = read_header(stored.header), stored.hash
        self.txs: Sequence[SignedTransactionAPI] = [read_tx(tx.raw, chain_id) for tx in stored.txs]
        self.receipts: Sequence[ReceiptAPI] = [CancunReceiptBuilder.decode(tx.receipt) for tx in stored.txs]
        self.size = len(stored.header) + sum(len(tx.raw) for tx in stored.txs)


class EmbeddedChain:
    """A chain with one writer, whose every block is final: what is logged is not taken back.

    A transaction's sender waits until its block is durable. While a block is being made others wait together, and the
    next block takes all of them: a single caller gets a block at once, many share one and its fsync. Each transaction
    goes in after those that its sender sent before; one that leaves a gap is refused, since it would wait in memory.

    The time of a block is the clock's, or the last block's and one second where the clock has not gone on: many blocks
    in one second run ahead of it until it catches up.

    Args:
        folder: Where it lies, on a local disk; None keeps it in memory.
        genesis: With what it begins, where it does not exist yet; else it must be what it began with, if given.
        clock: The time, seconds since 1970.
        word: Told in words how the check of a long chain goes on while it is opened.

    Raises:
        Refused: Another process has it open, it began with something else, or the file is of another format.
        Corrupt: The file is damaged, or a block contradicts the one before, its transactions or its state.
        OSError: The file cannot be made, or is not ours to keep.
    """

    def __init__(
        self,
        folder: Path | None = None,
        genesis: Genesis | None = None,
        *,
        clock: Callable[[], int] = lambda: int(time.time()),
        word: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._waiting: list[tuple[SignedTransactionAPI, Future[None]]] = []
        self._waiting_lock = threading.Lock()
        self._at_hand: LRU[int, FullBlock] = LRU(_BLOCKS_AT_HAND)
        self._log = BlockLog(folder)
        try:
            self.genesis = self._genesis(genesis)
            self._nodes = Nodes(self._log.node)
            self._rules = Rules(self.genesis.chain_id, self._nodes, self._header_of)
            if self._log.size == 0:
                self._found()
            self._head = checked_head(self._log, self.genesis, self._rules, word)
        except BaseException:
            self.close()
            raise

    @property
    def chain_id(self) -> int:
        """The chain's number."""
        return self.genesis.chain_id

    @property
    def head(self) -> BlockHeaderAPI:
        """The header of the last block."""
        return self._head

    def take(self, raw: bytes) -> bytes:
        """Put a signed transaction into a block and return its hash, once the block is durable.

        Raises:
            Refused: It is no transaction for this chain, its sender's number for it is used or leaves a gap, the
                sender cannot pay what it sends, or too many wait.
            OSError: The disk is full; it is in no block.
            Unreachable: The disk failed: whether it stands in a block shows when the chain is opened again.
        """
        return self.take_many([raw])[0]

    def take_many(self, raws: Iterable[bytes]) -> list[bytes]:
        """Put signed transactions into as few blocks as hold them, in order; return their hashes once all are durable.

        Raises:
            Refused: One cannot go in, see `take`; those before and after it can have.
            OSError, Unreachable: As in `take`.
        """
        txs = [read_tx(raw, self.chain_id) for raw in raws]
        waiting: list[Future[None]] = [Future() for _ in txs]
        with self._waiting_lock:
            if len(self._waiting) + len(txs) > MOST_WAITING:
                raise Refused("too many transactions wait", most=MOST_WAITING)
            self._waiting.extend(zip(txs, waiting, strict=True))
        for future in waiting:
            # Whoever comes first makes the block for all who wait; the others find theirs made.
            with self._lock:
                while not future.done():
                    self._make_block()
        for future in waiting:
            future.result()
        return [bytes(tx.hash) for tx in txs]

    def make_empty_block(self) -> None:
        """Put a block without transactions on the chain, so that its time goes on."""
        with self._lock:
            self._put([])

    def block(self, number: int) -> FullBlock | None:
        """Return a block by its number, or None where there is none."""
        with self._lock:
            if not 0 <= number <= self._head.block_number:
                return None
            found = self._at_hand.get(number)
            if found is None:
                found = self._at_hand[number] = self._read(number)
            return found

    def number_of(self, block_hash: bytes) -> int | None:
        """Return the number of the block with a hash."""
        with self._lock:
            return self._log.number_of(block_hash)

    def place_of(self, tx_hash: bytes) -> tuple[int, int] | None:
        """Return the number of a transaction's block and its place in there; None where it stands in none."""
        with self._lock:
            return self._log.place_of(tx_hash)

    def mentioning(self, first: int, last: int, sets: Iterable[Sequence[bytes]]) -> list[int]:
        """Return the blocks from first to last that mention an address or topic of each set."""
        with self._lock:
            return self._log.mentioning(first, last, sets)

    def state(self, number: int) -> StateAPI:
        """Return the state after a block, to be read."""
        with self._lock:
            block = self.block(number)
            if block is None:
                raise Refused("there is no such block yet", found=number)
            return self._rules.state(block.header)

    def run(self, message: Message, number: int | None = None) -> ComputationAPI:
        """Run a message and take back what it did.

        Args:
            message: What to try.
            number: On the state after this block and at its time; where none is given on the last state, as it would
                go in the next block, now.

        Raises:
            Refused: See `Rules.run`; or there is no such block.
        """
        with self._lock:
            block = None if number is None else self.block(number)
            if number is not None and block is None:
                raise Refused("there is no such block yet", found=number)
            header = self._rules.after(self._head, self._next_s()) if block is None else block.header
        # Whoever sends need not wait for this: what stands under a hash does not change meanwhile.
        return self._rules.run(header, message)

    def nonce(self, account: bytes) -> int:
        """Return the number of an account's next transaction."""
        with self._lock:
            return self._rules.state(self._head).get_nonce(Address(account))

    def close(self) -> None:
        """Let go of the file; closing twice is no error."""
        with self._lock:
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _genesis(self, asked: Genesis | None) -> Genesis:
        if not self._log.genesis:
            return asked or Genesis(time_s=self._clock())
        found = Genesis.decoded(self._log.genesis)
        if asked is not None and asked != found:
            raise Refused("a chain began once", found=found, asked=asked)
        return found

    def _found(self) -> None:
        header = self._rules.found(self.genesis)
        stored = StoredBlock(number=0, hash=header.hash, header=rlp.encode(header), txs=[])
        self._log.append(stored, self._nodes.fresh, genesis=self.genesis.encoded())
        self._nodes.keep()

    def _make_block(self) -> None:
        with self._waiting_lock:
            batch, self._waiting = self._waiting, []
        try:
            left = self._put(batch)
        except BaseException as error:
            told = Unreachable(f"the chain's disk failed: {error}") if isinstance(error, sqlite3.Error) else error
            for _, future in batch:
                if not future.done():
                    future.set_exception(told)
            if not isinstance(error, Exception):
                raise
            return
        with self._waiting_lock:
            self._waiting = left + self._waiting

    def _put(
        self, batch: list[tuple[SignedTransactionAPI, Future[None]]]
    ) -> list[tuple[SignedTransactionAPI, Future[None]]]:
        """Make one block of what fits, answer for it, and return what waits on."""
        in_order = self._in_order(batch)
        try:
            made = self._rules.make(self._head, self._next_s(), [tx for tx, _ in in_order])
            if made.txs or not batch:
                stored = _stored(made.header, made.txs, made.receipts)
                self._log.append(stored, self._nodes.fresh)
                self._nodes.keep()
                self._head = made.header
        finally:
            self._nodes.forget()
        done = {bytes(tx.hash) for tx in made.txs}
        left = []
        for tx, future in in_order:
            tx_hash = bytes(tx.hash)
            if tx_hash in made.refused:
                future.set_exception(Refused("no such transaction goes into a block", found=made.refused[tx_hash]))
            elif tx_hash in done:
                if not future.done():
                    future.set_result(None)
            else:
                left.append((tx, future))
        return left

    def _in_order(
        self, batch: list[tuple[SignedTransactionAPI, Future[None]]]
    ) -> list[tuple[SignedTransactionAPI, Future[None]]]:
        """Answer for what is in already; keep the order of arrival, but each sender's by their numbers."""
        seen: set[bytes] = set()
        going: list[tuple[SignedTransactionAPI, Future[None]]] = []
        places: dict[bytes, list[int]] = {}
        for tx, future in batch:
            tx_hash = bytes(tx.hash)
            if tx_hash in seen or self._log.place_of(tx_hash) is not None:
                future.set_exception(Refused("this transaction is known already", hash=tx_hash.hex()))
                continue
            seen.add(tx_hash)
            places.setdefault(bytes(tx.sender), []).append(len(going))
            going.append((tx, future))
        for several in places.values():
            by_number = sorted((going[place] for place in several), key=lambda item: item[0].nonce)
            for place, item in zip(several, by_number, strict=True):
                going[place] = item
        return going

    def _next_s(self) -> int:
        return max(self._clock(), self._head.timestamp + 1)

    def _read(self, number: int) -> FullBlock:
        stored = self._log.block(number)
        if stored is None:
            raise Corrupt(f"block {number} of the chain is missing")
        if keccak256(stored.header) != stored.hash:
            raise Corrupt(f"block {number} of the chain is damaged: its header has another hash")
        if number and digest(tx.raw for tx in stored.txs) != read_header(stored.header).extra_data:
            raise Corrupt(f"block {number} of the chain is damaged: its transactions are others")
        return FullBlock(stored, self.chain_id)

    def _header_of(self, block_hash: bytes) -> BlockHeaderAPI | None:
        number = self._log.number_of(block_hash)
        if number is None:
            return None
        block = self.block(number)
        return block.header if block else None


def _stored(header: BlockHeaderAPI, txs: Sequence[SignedTransactionAPI], receipts: Sequence[ReceiptAPI]) -> StoredBlock:
    mentions: set[bytes] = set()
    for receipt in receipts:
        for log in receipt.logs:
            mentions.add(bytes(log.address))
            mentions.update(topic.to_bytes(32) for topic in log.topics)
    return StoredBlock(
        number=header.block_number,
        hash=header.hash,
        header=rlp.encode(header),
        txs=[
            StoredTx(hash=bytes(tx.hash), raw=tx.encode(), receipt=receipt.encode())
            for tx, receipt in zip(txs, receipts, strict=True)
        ],
        mentions=frozenset(mentions),
    )
