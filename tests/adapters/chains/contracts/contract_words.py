"""Contracts in plain values: calls and logs as their interfaces say, and what wallets sign for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from coincurve import PrivateKey
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_account.messages import encode_typed_data
from eth_utils.abi import (
    event_abi_to_log_topic,
    function_abi_to_4byte_selector,
    get_abi_input_types,
    get_abi_output_types,
)

from commonwatt.adapters.chains.contracts.artifact import Artifact
from commonwatt.identity.keys import keccak256

NOBODY = bytes(20)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
TYPES = {
    "Permit": "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline",
    "Claim": "bytes32 device,address owner,uint256 deadline",
    "Rotate": "bytes32 device,address key,uint64 turn",
    "Voucher": "bytes32 channel,uint256 total",
}
_ERROR = keccak256(b"Error(string)")[:4]


@dataclass(frozen=True, slots=True)
class Event:
    """What a contract logged, with the values in the interface's order; of an indexed array there is only its hash."""

    contract: str
    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: why it was refused ("" without words, None where it was not), else what it logged."""

    reason: str | None = None
    events: tuple[Event, ...] = ()
    answer: tuple[Any, ...] = ()


class Words:
    """A contract's interface: bytes for calls, plain values for answers and logs. Addresses are bytes."""

    def __init__(self, name: str, made: Artifact) -> None:
        self._name = name
        self._constructor: list[str] = []
        self._functions: dict[str, tuple[bytes, list[str], list[str]]] = {}
        self._events: dict[bytes, Any] = {}
        for entry in made.abi:
            kind: Any = entry
            if entry["type"] == "constructor":
                self._constructor = [arg["type"] for arg in entry["inputs"]]
            elif entry["type"] == "function":
                types = get_abi_input_types(kind), get_abi_output_types(kind)
                self._functions[entry["name"]] = (bytes(function_abi_to_4byte_selector(kind)), *types)
            else:
                self._events[bytes(event_abi_to_log_topic(kind))] = entry
        self._bytecode = made.bytecode
        self.changing = {
            entry["name"]: self._functions[entry["name"]][1]
            for entry in made.abi
            if entry["type"] == "function" and entry["stateMutability"] == "nonpayable"
        }
        """What functions that may change anything take."""

    def deployment(self, *args: Any) -> bytes:
        """Return the bytes that deploy it."""
        return self._bytecode + encode(self._constructor, args)

    def call(self, function: str, *args: Any) -> bytes:
        """Return the bytes of a call."""
        selector, types, _ = self._functions[function]
        return selector + encode(types, args)

    def read(self, data: bytes) -> tuple[str, tuple[Any, ...]] | None:
        """Return the function and arguments of a call; None for what is no call of one."""
        for name, (selector, types, _) in self._functions.items():
            if data[:4] == selector:
                try:
                    return name, tuple(_plain(value) for value in decode(types, data[4:]))
                except DecodingError:
                    return None
        return None

    def answer(self, function: str, data: bytes) -> tuple[Any, ...]:
        """Return what a function answered."""
        return tuple(_plain(value) for value in decode(self._functions[function][2], data))

    def event(self, topics: Sequence[bytes], data: bytes) -> Event:
        """Return what it logged."""
        entry, hashed = self._events[topics[0]], list(topics[1:])
        left = list(decode([arg["type"] for arg in entry["inputs"] if not arg["indexed"]], data))
        values = [_topic(arg["type"], hashed.pop(0)) if arg["indexed"] else left.pop(0) for arg in entry["inputs"]]
        return Event(self._name, entry["name"], tuple(_plain(value) for value in values))


@lru_cache(100)
def typed_digest(name: str, contract: bytes, chain_id: int, kind: str, values: tuple[Any, ...]) -> bytes:
    """Return what a wallet signs for typed data, by eth-account: another hand than the contracts'."""
    fields: Any = [dict(zip(("type", "name"), part.split(), strict=True)) for part in TYPES[kind].split(",")]
    domain = {"name": name, "version": "1", "chainId": chain_id, "verifyingContract": "0x" + contract.hex()}
    plain = ["0x" + value.hex() if isinstance(value, bytes) else value for value in values]
    message = dict(zip((one["name"] for one in fields), plain, strict=True))
    signable = encode_typed_data(domain, {kind: fields}, message)
    return keccak256(b"\x19" + signable.version + signable.header + signable.body)


def signed(key: PrivateKey, digest: bytes) -> bytes:
    """Return r, s and parity."""
    return key.sign_recoverable(digest, hasher=None)


def compact(signature: bytes) -> bytes:
    """Return a signature in the 64 bytes of EIP-2098."""
    return signature[:32] + (int.from_bytes(signature[32:64]) | signature[64] << 255).to_bytes(32)


def vrs(signature: bytes) -> tuple[int, bytes, bytes]:
    """Return a signature as `permit` takes it."""
    return 27 + signature[64], signature[:32], signature[32:64]


def mirrored(signature: bytes) -> bytes:
    """Return the other signature of the same message by the same key, with a high s: what low-s refuses."""
    s = ORDER - int.from_bytes(signature[32:64])
    return signature[:32] + s.to_bytes(32) + bytes([1 - signature[64]])


def reason_of(answer: bytes) -> str:
    """Return the words of a revert; "" where there are none."""
    return str(decode(["string"], answer[4:])[0]) if answer[:4] == _ERROR else ""


def _topic(kind: str, word: bytes) -> Any:
    return word if kind.endswith("]") else decode([kind], word)[0]


def _plain(value: Any) -> Any:
    if isinstance(value, str) and len(value) == 42 and value.startswith("0x"):
        return bytes.fromhex(value[2:])
    return tuple(_plain(one) for one in value) if isinstance(value, list | tuple) else value
