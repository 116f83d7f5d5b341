"""Say blocks, transactions, receipts and events as nodes do in JSON (Ethereum JSON-RPC, execution-apis)."""

from collections.abc import Sequence
from typing import Any

import rlp
from eth.abc import BlockHeaderAPI, ReceiptAPI, SignedTransactionAPI
from eth_bloom.bloom import BloomFilter

from commonwatt.adapters.chains.embedded.chain import FullBlock
from commonwatt.adapters.chains.embedded.rules import base_fee
from commonwatt.identity.keys import keccak256

Told = dict[str, Any]


def quantity(number: int) -> str:
    """Return a number as JSON-RPC writes it: hex without leading zeros."""
    return hex(number)


def data(content: bytes) -> str:
    """Return bytes as JSON-RPC writes them."""
    return "0x" + content.hex()


def block(found: FullBlock, *, whole: bool) -> Told:
    """Return a block.

    Args:
        found: Which.
        whole: With its transactions; else with their hashes.
    """
    h: Any = found.header  # of Cancun, where all of it is there
    txs = [transaction(found, place) if whole else data(tx.hash) for place, tx in enumerate(found.txs)]
    return {
        "number": quantity(h.block_number),
        "hash": data(found.hash),
        "parentHash": data(h.parent_hash),
        "sha3Uncles": data(h.uncles_hash),
        "miner": data(h.coinbase),
        "stateRoot": data(h.state_root),
        "transactionsRoot": data(h.transaction_root),
        "receiptsRoot": data(h.receipt_root),
        "logsBloom": data(int(h.bloom).to_bytes(256)),
        "difficulty": quantity(h.difficulty),
        "totalDifficulty": "0x0",
        "gasLimit": quantity(h.gas_limit),
        "gasUsed": quantity(h.gas_used),
        "timestamp": quantity(h.timestamp),
        "extraData": data(h.extra_data),
        "mixHash": data(h.mix_hash),
        "nonce": data(h.nonce),
        "baseFeePerGas": quantity(h.base_fee_per_gas),
        "withdrawalsRoot": data(h.withdrawals_root),
        "blobGasUsed": quantity(h.blob_gas_used),
        "excessBlobGas": quantity(h.excess_blob_gas),
        "parentBeaconBlockRoot": data(h.parent_beacon_block_root),
        "size": quantity(found.size),
        "uncles": [],
        "withdrawals": [],
        "transactions": txs,
    }


def transaction(found: FullBlock, place: int) -> Told:
    """Return the transaction at a place of a block."""
    tx = found.txs[place]
    kind = _kind(tx)
    told: Told = {
        "hash": data(tx.hash),
        "type": quantity(kind),
        "nonce": quantity(tx.nonce),
        "from": data(tx.sender),
        "to": data(tx.to) if tx.to else None,
        "value": quantity(tx.value),
        "gas": quantity(tx.gas),
        "gasPrice": quantity(_price(found.header, tx)),
        "input": data(tx.data),
        "chainId": quantity(tx.chain_id or 0),
        "r": quantity(tx.r),
        "s": quantity(tx.s),
        "blockHash": data(found.hash),
        "blockNumber": quantity(found.header.block_number),
        "transactionIndex": quantity(place),
    }
    if kind == 0:
        return told | {"v": quantity(getattr(tx, "v", 0))}
    told |= {
        "v": quantity(tx.y_parity),
        "yParity": quantity(tx.y_parity),
        "accessList": [
            {"address": data(account), "storageKeys": [data(key.to_bytes(32)) for key in keys]}
            for account, keys in tx.access_list
        ],
    }
    if kind == 2:
        told |= {
            "maxFeePerGas": quantity(tx.max_fee_per_gas),
            "maxPriorityFeePerGas": quantity(tx.max_priority_fee_per_gas),
        }
    return told


def receipt(found: FullBlock, place: int) -> Told:
    """Return the receipt of the transaction at a place of a block."""
    tx, got = found.txs[place], found.receipts[place]
    before = found.receipts[place - 1].gas_used if place else 0
    return {
        "transactionHash": data(tx.hash),
        "transactionIndex": quantity(place),
        "blockHash": data(found.hash),
        "blockNumber": quantity(found.header.block_number),
        "from": data(tx.sender),
        "to": data(tx.to) if tx.to else None,
        "contractAddress": None if tx.to else data(made_at(tx)),
        "cumulativeGasUsed": quantity(got.gas_used),
        "gasUsed": quantity(got.gas_used - before),
        "effectiveGasPrice": quantity(_price(found.header, tx)),
        "type": quantity(_kind(tx)),
        "status": quantity(int.from_bytes(got.state_root)),
        "logsBloom": data(int(BloomFilter(got.bloom)).to_bytes(256)),
        "logs": logs(found, place),
    }


def logs(found: FullBlock, place: int) -> list[Told]:
    """Return the events of the transaction at a place of a block."""
    tx = found.txs[place]
    first = sum(len(earlier.logs) for earlier in found.receipts[:place])
    return [
        {
            "address": data(log.address),
            "topics": [data(topic.to_bytes(32)) for topic in log.topics],
            "data": data(log.data),
            "blockNumber": quantity(found.header.block_number),
            "blockHash": data(found.hash),
            "blockTimestamp": quantity(found.header.timestamp),
            "transactionHash": data(tx.hash),
            "transactionIndex": quantity(place),
            "logIndex": quantity(first + index),
            "removed": False,
        }
        for index, log in enumerate(found.receipts[place].logs)
    ]


def matching(receipts: Sequence[ReceiptAPI], addresses: Sequence[bytes], topics: Sequence[Sequence[bytes]]) -> set[int]:
    """Return the places, among all events of a block, of those by one of the addresses with the topics asked for.

    Args:
        receipts: Of the block.
        addresses: Whose events; of all where there is none.
        topics: For each position what may stand there; anything where there is none.
    """
    asked = [{int.from_bytes(one) for one in some} for some in topics]
    found, place = set(), 0
    for got in receipts:
        for log in got.logs:
            by_one = not addresses or bytes(log.address) in addresses
            fit = (not some or topic in some for some, topic in zip(asked, log.topics, strict=False))
            if by_one and len(log.topics) >= len(asked) and all(fit):
                found.add(place)
            place += 1
    return found


def made_at(tx: SignedTransactionAPI) -> bytes:
    """Return where the contract is that a transaction makes (CREATE): by its sender and number."""
    return keccak256(rlp.encode([bytes(tx.sender), tx.nonce]))[12:]


def _kind(tx: SignedTransactionAPI) -> int:
    return getattr(tx, "type_id", None) or 0


def _price(header: BlockHeaderAPI, tx: SignedTransactionAPI) -> int:
    return min(tx.max_fee_per_gas, tx.max_priority_fee_per_gas + base_fee(header))
