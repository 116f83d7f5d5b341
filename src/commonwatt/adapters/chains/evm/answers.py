"""What of a node's answers can be believed: each is held against what was asked, and its errors are told in our words.

A node can lie of what happened; witnesses and finality are for that. What is refused here contradicts the question.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from web3.exceptions import (
    BadResponseFormat,
    BlockNotFound,
    ContractLogicError,
    TransactionNotFound,
    Web3Exception,
    Web3RPCError,
)

import requests
from commonwatt.adapters.chains.evm.words import event_values, reason, topic_of
from commonwatt.flows.chain_ports import Block, Contract, Event, Receipt, Reverted, TxHash
from commonwatt.model import CommonwattError, Refused, Unreachable

MOST_WORDS = 200
"""Characters of what a node says that are told on."""
_HASH_BYTES = 32
_NO_WORDS = frozenset({None, "execution reverted", "no data", "revert"})
"""What nodes say of a contract that refused and gave no reason: geth and anvil, web3 itself, ethereumjs."""
_MOST_UINT64 = 2**64 - 1


@contextmanager
def asking() -> Iterator[None]:
    """Turn what web3 raises into our words."""
    try:
        yield
    except (BlockNotFound, TransactionNotFound, CommonwattError):
        raise
    except ContractLogicError as error:
        raise Reverted(_words(error)) from error
    except Web3RPCError as error:
        raise Refused("the chain's node refuses", found=_message(error)[:MOST_WORDS]) from error
    except requests.HTTPError as error:
        status = None if error.response is None else error.response.status_code
        raise Unreachable(f"the chain's node gives no answer: it says {status}") from error
    except requests.RequestException as error:
        # Without its text, which repeats the node's whole URL: with it the key that who runs it pays for.
        raise Unreachable(f"the chain's node gives no answer: {type(error).__name__}") from error
    except (BadResponseFormat, ConnectionError, TimeoutError) as error:
        raise Unreachable(f"the chain's node gives no answer: {str(error)[:MOST_WORDS]}") from error
    except (
        Web3Exception, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError
    ) as error:  # fmt: skip
        # web3 takes an answer apart before anybody looks whether it is one.
        raise Unreachable(f"the chain's node answers what cannot be believed: {str(error)[:MOST_WORDS]}") from error


def block(found: Any, number: int | None) -> Block:
    """Return a block as a node told it.

    Args:
        found: The node's answer.
        number: Which was asked for; None where it was asked for by another word.

    Raises:
        Unreachable: It is none, or another one.
    """
    told = Block(number=_count(found["number"]), hash=_hash(found["hash"]), time_s=_count(found["timestamp"]))
    if number is not None and told.number != number:
        raise Unreachable(f"the chain's node was asked for block {number}, and tells of {told.number}")
    return told


def receipt(found: Any, tx: TxHash) -> Receipt:
    """Return a transaction's receipt as a node told it.

    Raises:
        Unreachable: It is none, or another transaction's.
    """
    if _hash(found["transactionHash"]) != tx:
        raise Unreachable(f"the chain's node was asked for 0x{tx.hex()}, and tells of another transaction")
    contract = found["contractAddress"]
    return Receipt(
        tx=tx,
        ok=found["status"] == 1,
        block=_count(found["blockNumber"]),
        block_hash=_hash(found["blockHash"]),
        gas=_count(found["gasUsed"]),
        contract=contract.lower() if contract else None,
    )


def event(contract: Contract, name: str, log: Any, first: int, last: int) -> Event:
    """Return an event as a node told it.

    Args:
        contract: Who was asked about.
        name: Of which event.
        log: The node's answer.
        first: The first block that was asked for.
        last: The last.

    Raises:
        Unreachable: It is no such event of that contract, or stands in another block.
    """
    topics, number = [bytes(topic) for topic in log["topics"]], _count(log["blockNumber"])
    # A proxy that passes over what was asked for would have a stranger's event credited.
    if log["address"].lower() != contract.address or topics[:1] != [topic_of(contract.abi, name)]:
        raise Unreachable(f"the chain's node was asked for {name} of {contract.address}, and tells of something else")
    if not first <= number <= last:
        raise Unreachable(f"the chain's node was asked for blocks {first} to {last}, and tells of {number}")
    return Event(
        contract=contract.address,
        name=name,
        values=event_values(contract.abi, name, topics, bytes(log["data"])),
        block=number,
        block_hash=_hash(log["blockHash"]),
        tx=_hash(log["transactionHash"]),
        index=_count(log["logIndex"]),
    )


def count(told: Any) -> int:
    """Return a number as a node told it.

    Raises:
        Unreachable: It is none, below zero, or has more than 64 bits.
    """
    with asking():
        return _count(told)


def _count(told: Any) -> int:
    if not isinstance(told, int) or not 0 <= told <= _MOST_UINT64:
        raise Unreachable("the chain's node answers what cannot be believed: a number of 64 bits was asked for")
    return int(told)


def _hash(told: Any) -> bytes:
    found = bytes(told)
    if len(found) != _HASH_BYTES:
        raise Unreachable(f"the chain's node answers what cannot be believed: a hash of {len(found)} bytes")
    return found


def _words(error: ContractLogicError) -> str:
    data = error.data
    if isinstance(data, str) and data.startswith("0x") and len(data) > 2:
        try:
            return reason(bytes.fromhex(data[2:]))[:MOST_WORDS]
        except ValueError:
            return reason(b"")
    return reason(b"") if error.message in _NO_WORDS else str(error.message)[:MOST_WORDS]


def _message(error: Web3RPCError) -> str:
    told = (error.rpc_response or {}).get("error")
    return str(told.get("message")) if isinstance(told, dict) else str(error)
