"""The embedded chain's answers to what nodes are asked over JSON-RPC; in this process and on loopback alike."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from eth.exceptions import Revert
from eth_typing import Address
from eth_utils.exceptions import ValidationError

from commonwatt.adapters.chains.embedded import told
from commonwatt.adapters.chains.embedded.chain import EmbeddedChain, FullBlock
from commonwatt.adapters.chains.embedded.rules import TX_GAS, Message, base_fee
from commonwatt.adapters.chains.evm.words import reason
from commonwatt.identity.keys import keccak256
from commonwatt.model import CommonwattError, Refused

MOST_LOGS = 10_000
"""Events in one answer; whoever wants more asks for fewer blocks at a time."""
MOST_BLOCKS = 10_000
"""Looked through for one answer, likewise."""
MOST_TOPICS, MOST_ALTERNATIVES = 4, 1_000
"""An event has so many topics; and so many addresses or values are asked for in one place."""
MOST_BLOCKS_OF_FEES, MOST_PERCENTILES = 1_024, 100
INVALID, NO_METHOD, BAD_PARAMS, INTERNAL, REFUSED, REVERTED = -32600, -32601, -32602, -32603, -32000, 3
"""Codes of errors: JSON-RPC 2.0 section 5.1, and those that nodes have agreed on (EIP-1474)."""
_NO_PARAMS = (
    TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError, RecursionError, ValidationError
)  # fmt: skip
"""What reading parameters of another kind, number or depth raises, in py-evm too."""
_LATEST = frozenset({"latest", "pending", "safe", "finalized"})


class RpcError(CommonwattError):
    """An error as JSON-RPC has it: a code, a message, and perhaps data."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.told: dict[str, Any] = {"code": code, "message": message} | ({} if data is None else {"data": data})


class Methods:
    """What an embedded chain can be asked. There is none that holds a key, mines, or takes anything back.

    Args:
        chain: Which one.
    """

    def __init__(self, chain: EmbeddedChain) -> None:
        self._chain = chain
        self._by_name: Mapping[str, Callable[..., Any]] = {
            "web3_clientVersion": lambda: f"commonwatt/{version('commonwatt')}/py-evm/{version('py-evm')}",
            "web3_sha3": lambda content: told.data(keccak256(_bytes(content))),
            "net_version": lambda: str(chain.chain_id),
            "net_listening": lambda: True,
            "net_peerCount": lambda: "0x0",
            "eth_chainId": lambda: told.quantity(chain.chain_id),
            "eth_syncing": lambda: False,
            "eth_accounts": list,
            "eth_blockNumber": lambda: told.quantity(chain.head.block_number),
            "eth_gasPrice": lambda: told.quantity(base_fee(chain.head)),
            "eth_maxPriorityFeePerGas": lambda: "0x0",
            "eth_blobBaseFee": lambda: "0x1",
            "eth_feeHistory": self._fee_history,
            "eth_getBalance": self._balance,
            "eth_getCode": self._code,
            "eth_getStorageAt": self._storage,
            "eth_getTransactionCount": self._count,
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBlockTransactionCountByNumber": self._tx_count_by_number,
            "eth_getTransactionByHash": lambda tx: self._at(tx, told.transaction),
            "eth_getTransactionByBlockNumberAndIndex": self._tx_by_place,
            "eth_getTransactionReceipt": lambda tx: self._at(tx, told.receipt),
            "eth_getBlockReceipts": self._block_receipts,
            "eth_getLogs": self._logs,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_sendRawTransaction": lambda raw: told.data(chain.take(_bytes(raw))),
        }

    def answer(self, method: str, params: Sequence[Any]) -> Any:
        """Return the result that JSON-RPC has for a call.

        Raises:
            RpcError: There is no such method, its parameters are wrong, a contract refuses, or the chain does.
        """
        found = self._by_name.get(method)
        if found is None:
            raise RpcError(NO_METHOD, f"the method {method} does not exist here")
        try:
            return found(*params)
        except RpcError:
            raise
        except Refused as error:
            raise RpcError(REFUSED, str(error)) from error
        except CommonwattError as error:
            raise RpcError(INTERNAL, str(error)) from error
        except _NO_PARAMS as error:
            raise RpcError(BAD_PARAMS, f"{method} does not take such parameters: {error}") from error
        except OSError as error:
            raise RpcError(INTERNAL, f"the chain's disk: {error.strerror}") from error
        except sqlite3.Error as error:
            raise RpcError(INTERNAL, "the chain's disk failed; it has to be opened again") from error

    def _number(self, tag: Any = "latest") -> int:
        """Return the number of a block that is named by number, tag, or as EIP-1898 has it."""
        if isinstance(tag, Mapping):
            if "blockHash" in tag:
                number = self._chain.number_of(_bytes(tag["blockHash"]))
                if number is None:
                    raise RpcError(REFUSED, "there is no block of this hash")
                return number
            tag = tag["blockNumber"]
        if tag in _LATEST:
            return int(self._chain.head.block_number)
        number = 0 if tag == "earliest" else _int(tag)
        if number > self._chain.head.block_number:
            raise RpcError(REFUSED, f"there is no block {number} yet")
        return number

    def _found(self, tag: Any) -> FullBlock:
        block = self._chain.block(self._number(tag))
        assert block is not None, "its number was found"
        return block

    def _balance(self, account: str, tag: Any = "latest") -> str:
        return told.quantity(self._chain.state(self._number(tag)).get_balance(_address(account)))

    def _code(self, account: str, tag: Any = "latest") -> str:
        return told.data(self._chain.state(self._number(tag)).get_code(_address(account)))

    def _storage(self, account: str, slot: str, tag: Any = "latest") -> str:
        state = self._chain.state(self._number(tag))
        return told.data(state.get_storage(_address(account), _int(slot)).to_bytes(32))

    def _count(self, account: str, tag: Any = "latest") -> str:
        return told.quantity(self._chain.state(self._number(tag)).get_nonce(_address(account)))

    def _block_by_number(self, tag: Any, whole: bool = False) -> Any:
        if tag not in _LATEST and tag != "earliest" and _int(tag) > self._chain.head.block_number:
            return None
        return told.block(self._found(tag), whole=whole)

    def _block_by_hash(self, block_hash: str, whole: bool = False) -> Any:
        number = self._chain.number_of(_bytes(block_hash))
        return None if number is None else told.block(self._found(hex(number)), whole=whole)

    def _tx_count_by_number(self, tag: Any) -> str:
        return told.quantity(len(self._found(tag).txs))

    def _tx_by_place(self, tag: Any, place: str) -> Any:
        block = self._found(tag)
        return told.transaction(block, _int(place)) if _int(place) < len(block.txs) else None

    def _block_receipts(self, tag: Any) -> Any:
        block = self._found(tag)
        return [told.receipt(block, place) for place in range(len(block.txs))]

    def _at(self, tx_hash: str, tell: Callable[[FullBlock, int], Any]) -> Any:
        place = self._chain.place_of(_bytes(tx_hash))
        return None if place is None else tell(self._found(hex(place[0])), place[1])

    def _logs(self, asked: Mapping[str, Any]) -> list[Any]:
        if "blockHash" in asked:
            first = last = self._number({"blockHash": asked["blockHash"]})
        else:
            first, last = (self._number(asked.get(end) or "latest") for end in ("fromBlock", "toBlock"))
        addresses = _some(asked.get("address"), _address)
        topics = [_some(topic, _bytes) for topic in asked.get("topics") or []]
        if len(topics) > MOST_TOPICS:
            raise ValueError(f"an event has {MOST_TOPICS} topics at most, was {len(topics)}")
        found: list[Any] = []
        numbers = self._chain.mentioning(first, last, [some for some in (addresses, *topics) if some])
        if len(numbers) > MOST_BLOCKS:
            raise RpcError(REFUSED, f"{len(numbers)} blocks to look through: ask for fewer at a time")
        for number in numbers:
            block = self._found(hex(number))
            places = told.matching(block.receipts, addresses, topics)
            if places:
                every = [log for place in range(len(block.txs)) for log in told.logs(block, place)]
                found += [every[place] for place in sorted(places)]
            if len(found) > MOST_LOGS:
                raise RpcError(REFUSED, f"more than {MOST_LOGS} events: ask for fewer blocks at a time")
        return found

    def _call(self, asked: Mapping[str, Any], tag: Any = "latest") -> str:
        now = tag in ("latest", "pending")
        computation = self._chain.run(_message(asked), None if now else self._number(tag))
        _refuse_error(computation)
        return told.data(computation.output)

    def _estimate(self, asked: Mapping[str, Any], tag: Any = "latest") -> str:
        del tag  # a transaction goes after the last block, whatever is asked
        return told.quantity(least_gas(self._chain, _message(asked)))

    def _fee_history(self, count: str | int, newest: Any, percentiles: Sequence[float] | None = None) -> Any:
        last = self._number(newest)
        blocks = min(_int(count), MOST_BLOCKS_OF_FEES, last + 1)
        found = [self._found(hex(number)) for number in range(last - blocks + 1, last + 1)]
        history: dict[str, Any] = {
            "oldestBlock": told.quantity(last - blocks + 1),
            "baseFeePerGas": [told.quantity(base_fee(block.header)) for block in found] + ["0x0"],
            "gasUsedRatio": [block.header.gas_used / block.header.gas_limit for block in found],
        }
        if percentiles:
            if not isinstance(percentiles, list | tuple) or len(percentiles) > MOST_PERCENTILES:
                raise ValueError(f"a list of {MOST_PERCENTILES} percentiles at most is asked for")
            history["reward"] = [["0x0"] * len(percentiles) for _ in found]
        return history


def least_gas(chain: EmbeddedChain, message: Message) -> int:
    """Return the least gas with which a message does what it does with plenty.

    Raises:
        RpcError: It fails with plenty.
    """

    def enough(gas: int) -> Any:
        try:
            return chain.run(_with_gas(message, gas))
        except Refused:
            return None

    plenty = chain.run(message)
    _refuse_error(plenty)
    used = message.gas - plenty.get_gas_remaining()
    # A call hands on no more than 63 of 64 parts of the gas at hand, so some contracts need more than they use.
    low, high = used - 1, message.gas
    for guess in (used, used + used // 32):
        tried = enough(guess)
        if tried is not None and not tried.is_error:
            high = guess
            break
        low = guess
    while high - low > max(1, high // 200):
        middle = (low + high) // 2
        tried = enough(middle)
        if tried is None or tried.is_error:
            low = middle
        else:
            high = middle
    return high


def _with_gas(message: Message, gas: int) -> Message:
    return Message(sender=message.sender, to=message.to, data=message.data, value=message.value, gas=gas)


def _refuse_error(computation: Any) -> None:
    if not computation.is_error:
        return
    if isinstance(computation.error, Revert):
        output = bytes(computation.output)
        raise RpcError(REVERTED, f"execution reverted: {reason(output)}", told.data(output))
    raise RpcError(REFUSED, f"the machine stopped: {computation.error!r}")


def _message(asked: Mapping[str, Any]) -> Message:
    content = asked.get("input") or asked.get("data") or "0x"
    gas = _int(asked["gas"]) if asked.get("gas") else TX_GAS
    return Message(
        sender=_address(asked.get("from") or "0x" + "00" * 20),
        to=_address(asked["to"]) if asked.get("to") else b"",
        data=_bytes(content),
        value=_int(asked.get("value") or "0x0"),
        gas=min(gas, TX_GAS),
    )


def _some(asked: Any, read: Callable[[Any], bytes]) -> list[bytes]:
    if asked is None:
        return []
    if not isinstance(asked, list | tuple):
        return [read(asked)]
    if len(asked) > MOST_ALTERNATIVES:
        raise ValueError(f"{MOST_ALTERNATIVES} at most are asked for in one place, was {len(asked)}")
    return [read(one) for one in asked]


def _bytes(content: Any) -> bytes:
    if isinstance(content, bytes):  # from web3 in this process, which writes hex only for a wire
        return bytes(content)
    if not isinstance(content, str) or not content.startswith(("0x", "0X")):
        raise ValueError(f"bytes are written in hex after 0x, was {content!r}")
    return bytes.fromhex(content[2:])


def _address(content: Any) -> Address:
    found = _bytes(content)
    if len(found) != 20:
        raise ValueError(f"an address has 20 bytes, was {content!r}")
    return Address(found)


def _int(content: Any) -> int:
    if isinstance(content, int) and not isinstance(content, bool):
        number = content
    elif isinstance(content, str) and content.startswith("0x"):
        number = int(content, 16)
    else:
        raise ValueError(f"a number is written in hex after 0x, was {content!r}")
    if number < 0:
        raise ValueError(f"a number is zero or more, was {content!r}")
    return number
