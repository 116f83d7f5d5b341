"""Look at a chain's log before anything is built on it: every block at each opening, and every step when asked."""

from collections.abc import Callable
from pathlib import Path

from eth.abc import BlockHeaderAPI
from eth.constants import BLANK_ROOT_HASH

from commonwatt.adapters.chains.embedded.block_log import BlockLog, StoredBlock
from commonwatt.adapters.chains.embedded.nodes import Nodes
from commonwatt.adapters.chains.embedded.rules import Genesis, Rules, digest, read_header, read_tx
from commonwatt.identity.keys import keccak256
from commonwatt.model import Corrupt

_EVERY = 50_000
"""Blocks between two words about how it goes on."""
_ANCESTORS = 257
"""Headers that a block can ask for: 256 by their hash, and its parent."""
_PARENT = slice(4, 36)
_NUMBERS = 3 + 2 * 33 + 21 + 3 * 33 + 259
"""Where a header's numbers begin: after the list's head, two hashes, an address, three hashes and the bloom filter."""
_BEFORE_EXTRA = 5


def checked_head(log: BlockLog, genesis: Genesis, rules: Rules, word: Callable[[str], None]) -> BlockHeaderAPI:
    """Return the last block's header, after every block was found to follow from the one before.

    Every header has the hash that it is stored under and names the one before; every block has the transactions that
    its header binds; the first is what the genesis makes; the last one's state begins where it should. What stands
    below that is hashed when it is read. That each block's state is what its transactions make is for `recheck`.

    Args:
        log: Holds one block at least.
        genesis: With what the chain began.
        rules: Run what the genesis says.
        word: Told how it goes on.

    Raises:
        Corrupt: It is not so, and where.
    """
    before, last, count = bytes(rules.found(genesis).hash), b"", 0
    rules.nodes.forget()
    size = log.size
    for count, (number, block_hash, header, raws) in enumerate(log.blocks(), start=1):
        if number != count - 1:
            raise Corrupt(f"block {count - 1} of the chain is missing")
        if keccak256(header) != block_hash:
            raise Corrupt(f"block {number} of the chain is damaged: its header has another hash")
        if number == 0 and block_hash != before:
            raise Corrupt("block 0 of the chain is damaged: its genesis makes another")
        if number and (header[_PARENT] != before or extra_data(header) != digest(raws)):
            what = "its transactions are others" if header[_PARENT] == before else "it follows another block"
            raise Corrupt(f"block {number} of the chain is damaged: {what}")
        before, last = block_hash, header
        if count % _EVERY == 0:
            word(f"{count:,} of {size:,} blocks of the chain are checked")
    if count == 0:
        raise Corrupt("the chain has no block")
    head = read_header(last)
    if head.state_root != BLANK_ROOT_HASH and head.state_root not in rules.nodes:
        raise Corrupt(f"the state after block {count - 1} of the chain is missing")
    return head


def recheck(folder: Path, word: Callable[[str], None] = lambda line: None) -> int:
    """Run a whole chain again from its signed transactions, and compare every header and receipt.

    Nothing of the stored state is used, so that what stands there is known to be what the transactions make. It takes
    some 2 ms of processor time a transaction; what it makes meanwhile lies in a temporary file.

    Args:
        folder: Where the chain lies; nobody else has it open.
        word: Told how it goes on.

    Returns:
        The number of transactions.

    Raises:
        Refused: Another process has it open.
        Corrupt: A block is not what its transactions make; or it is damaged otherwise.
    """
    log, scratch = BlockLog(folder), BlockLog(None)
    try:
        return _run_again(log, scratch, word)
    finally:
        log.close()
        scratch.close()


def _run_again(log: BlockLog, scratch: BlockLog, word: Callable[[str], None]) -> int:
    genesis = Genesis.decoded(log.genesis)
    nodes = Nodes(scratch.node)
    headers: dict[bytes, BlockHeaderAPI] = {}
    rules = Rules(genesis.chain_id, nodes, headers.get)
    head, txs = rules.found(genesis), 0
    for number in range(log.size):
        stored = log.block(number)
        if stored is None:
            raise Corrupt(f"block {number} of the chain is missing")
        if number:
            told = read_header(stored.header)
            made = rules.make(head, told.timestamp, [read_tx(tx.raw, genesis.chain_id) for tx in stored.txs])
            if [receipt.encode() for receipt in made.receipts] != [tx.receipt for tx in stored.txs]:
                raise Corrupt(f"block {number} of the chain is not what its transactions make: other receipts")
            head = made.header
        if head.hash != stored.hash or keccak256(stored.header) != stored.hash:
            raise Corrupt(f"block {number} of the chain is not what its transactions make")
        scratch.append(StoredBlock(number=number, hash=head.hash, header=stored.header, txs=[]), nodes.fresh)
        nodes.keep()
        headers[head.hash] = head
        if len(headers) > _ANCESTORS:
            del headers[next(iter(headers))]
        txs += len(stored.txs)
        if txs // 1_000 > (txs - len(stored.txs)) // 1_000:
            word(f"{number:,} blocks with {txs:,} transactions of the chain were run again")
    return txs


def extra_data(header: bytes) -> bytes:
    """Return a header's extra data, 32 bytes, without reading all of it."""
    at = _NUMBERS
    for _ in range(_BEFORE_EXTRA):
        first = header[at]
        at += 1 if first <= 0x80 else 1 + first - 0x80
    return header[at + 1 : at + 33]
