"""Turn what a contract is told, returns and says into bytes and back, by its interface."""

from collections.abc import Mapping, Sequence
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError, ParseError

from commonwatt.flows.chain_ports import Abi, Args
from commonwatt.identity.keys import keccak256
from commonwatt.model import InvalidValue, Unreachable

_ERROR, _PANIC = bytes.fromhex("08c379a0"), bytes.fromhex("4e487b71")
_PANICS = {
    0x01: "an assertion failed",
    0x11: "a number overflowed",
    0x12: "division by zero",
    0x32: "no such place in an array",
}
_FIXED = ("uint", "int", "bytes", "address", "bool")
_Entry = Mapping[str, Any]
_NO_WORDS = (DecodingError, ArithmeticError, ValueError)
"""What eth-abi raises for bytes that are not what they should be: among others for a text that is no UTF-8."""


def call_data(abi: Abi, function: str, args: Args) -> bytes:
    """Return what a contract is told to have one of its functions run.

    Args:
        abi: Its interface.
        function: By name, or with types where several have it.
        args: Its arguments.

    Raises:
        InvalidValue: There is no such function or more than one, or these are not its arguments.

    Source: Contract ABI Specification, "Function Selector and Argument Encoding".
    """
    entry = _function(abi, function, len(args))
    return keccak256(_signature(entry).encode())[:4] + _encoded(entry, args)


def told_args(abi: Abi, function: str, data: bytes) -> tuple[Any, ...] | None:
    """Return the arguments of a function that stand in what a contract was told; None where it is another function's.

    Args:
        abi: Its interface.
        function: By name, which one function alone has, or with types.
        data: What it was told.

    Raises:
        InvalidValue: There is no such function, or more than one.
        Unreachable: These are not its arguments.
    """
    entry = _function(abi, function, -1)
    if data[:4] != keccak256(_signature(entry).encode())[:4]:
        return None
    try:
        return decode([_type(value) for value in entry["inputs"]], data[4:])
    except DecodingError as error:
        raise Unreachable(f"this tells {function} nothing that it takes: {error}") from error


def creation(abi: Abi, bytecode: bytes, args: Args) -> bytes:
    """Return what makes a contract: its code and its constructor's arguments.

    Raises:
        InvalidValue: These are not its constructor's arguments.
    """
    found = [entry for entry in abi if entry["type"] == "constructor"]
    return bytecode + _encoded(found[0] if found else {"inputs": []}, args)


def returned(abi: Abi, function: str, args: int, output: bytes) -> Any:
    """Return what a function returned: one value, or a tuple of several; None where it returns nothing.

    Args:
        abi: The contract's interface.
        function: As in `call_data`.
        args: How many arguments it was given.
        output: What the contract returned.

    Raises:
        Unreachable: It is not what the function returns; so it is for a place without this contract.
    """
    types = [_type(value) for value in _function(abi, function, args)["outputs"]]
    if not types:
        return None
    try:
        values = decode(types, output)
    except _NO_WORDS as error:
        raise Unreachable(f"{function} returns {', '.join(types)}, this is not what was answered: {error}") from error
    return values[0] if len(values) == 1 else values


def topic_of(abi: Abi, event: str) -> bytes:
    """Return the first topic of an event, 32 bytes: the hash of its name and types.

    Raises:
        InvalidValue: The interface has no such event.
    """
    return keccak256(_signature(_event(abi, event)).encode())


def topics_of(abi: Abi, event: str, about: Mapping[str, str]) -> list[bytes | None]:
    """Return what a node is asked for to pick events: the first topic, and one for each indexed argument up to the last
    that is told; None for any.

    Args:
        abi: The contract's interface.
        event: By name.
        about: Addresses by the names of indexed arguments.

    Raises:
        InvalidValue: The interface has no such event, or that no such argument.
    """
    places = [value["name"] for value in _event(abi, event)["inputs"] if value["indexed"]]
    if unknown := about.keys() - set(places):
        raise InvalidValue(f"events are picked by indexed arguments, {event} has no {', '.join(sorted(unknown))}")
    told = [bytes.fromhex(about[place][2:]).rjust(32, b"\0") if place in about else None for place in places]
    while told and told[-1] is None:
        told.pop()
    return [topic_of(abi, event), *told]


def event_values(abi: Abi, event: str, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
    """Return the values of an event by name; of an indexed one of no fixed size its hash.

    Args:
        abi: The contract's interface.
        event: By name.
        topics: All of them, the first being `topic_of`.
        data: What stands beside.

    Raises:
        InvalidValue: The interface has no such event.
        Unreachable: This is not such an event.
    """
    inputs = _event(abi, event)["inputs"]
    try:
        kinds = [_type(value) for value in inputs if not value["indexed"]]
        plain = iter(decode(kinds, data))
        marked = iter(topics[1:])
        return {value["name"]: _topic(value, next(marked)) if value["indexed"] else next(plain) for value in inputs}
    except (*_NO_WORDS, StopIteration) as error:
        raise Unreachable(f"this is no {event}: {error}") from error


def reason(output: bytes) -> str:
    """Return why a contract refused, in its words: from what it returned when it reverted.

    Source: Solidity documentation, "Error handling": ``Error(string)`` and ``Panic(uint256)``; Vyper does the same.
    """
    try:
        if output[:4] == _ERROR:
            (words,) = decode(["string"], output[4:])
            return str(words)
        if output[:4] == _PANIC:
            (code,) = decode(["uint256"], output[4:])
            return _PANICS.get(code, f"panic {code}")
    except _NO_WORDS:
        pass
    return f"0x{output.hex()}" if output else "without a word"


def _topic(value: _Entry, topic: bytes) -> Any:
    kind = _type(value)
    if kind in ("string", "bytes") or kind.endswith(("]", ")")) or not kind.startswith(_FIXED):
        return topic
    (found,) = decode([kind], topic)
    return found


def _function(abi: Abi, function: str, args: int) -> _Entry:
    named = [entry for entry in abi if entry["type"] == "function"]
    if "(" in function:
        found = [entry for entry in named if _signature(entry) == function.replace(" ", "")]
    else:
        found = [entry for entry in named if entry["name"] == function]
        if len(found) > 1:
            found = [entry for entry in found if len(entry["inputs"]) == args]
    if len(found) != 1:
        what = "no" if not found else "more than one"
        raise InvalidValue(f"a function is one of its contract's, there is {what} {function} with {args} arguments")
    return found[0]


def _event(abi: Abi, event: str) -> _Entry:
    found = [entry for entry in abi if entry["type"] == "event" and entry["name"] == event]
    if len(found) != 1:
        raise InvalidValue(f"an event is one of its contract's, there is no {event}")
    return found[0]


def _signature(entry: _Entry) -> str:
    return f"{entry['name']}({','.join(_type(value) for value in entry['inputs'])})"


def _type(value: _Entry) -> str:
    kind = str(value["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(part) for part in value['components'])}){kind[5:]}"


def _name(entry: _Entry) -> str:
    return str(entry.get("name", "the constructor"))


def _encoded(entry: _Entry, args: Args) -> bytes:
    types = [_type(value) for value in entry["inputs"]]
    if len(types) != len(args):
        raise InvalidValue(f"{_name(entry)} takes {len(types)} arguments, was {len(args)}")
    try:
        return encode(types, args)
    except (EncodingError, ParseError, TypeError, ValueError) as error:
        raise InvalidValue(f"{_name(entry)} takes {', '.join(types)}: {error}") from error
