"""What contracts are told and say, in bytes: against an independent library, and against garbage."""

from contextlib import suppress
from typing import Any

import pytest
from eth_account import Account
from hexbytes import HexBytes
from hypothesis import given
from hypothesis import strategies as st
from web3 import Web3

from commonwatt.adapters.chains.contracts.artifact import artifact
from commonwatt.adapters.chains.evm.signing import Transaction, parity, signed
from commonwatt.adapters.chains.evm.words import (
    call_data,
    creation,
    event_values,
    reason,
    returned,
    told_args,
    topic_of,
    topics_of,
)
from commonwatt.identity.keys import SigningKey, keccak256
from commonwatt.model import InvalidValue, Refused, Unreachable
from on_chain import ALICE, BOB

PAIR = {"type": "tuple[]", "name": "pairs", "components": [
    {"type": "uint128", "name": "left"}, {"type": "address", "name": "right"}]}  # fmt: skip
ABI: list[dict[str, Any]] = [
    {"type": "function", "name": "pay", "inputs": [{"type": "address", "name": "to"}, {"type": "uint256", "name": "n"}],
     "outputs": [{"type": "bool", "name": ""}], "stateMutability": "nonpayable"},
    {"type": "function", "name": "pay", "inputs": [{"type": "bytes32", "name": "what"}], "outputs": [],
     "stateMutability": "nonpayable"},
    {"type": "function", "name": "mix",
     "inputs": [PAIR, {"type": "bytes", "name": "b"}, {"type": "string", "name": "s"}],
     "outputs": [{"type": "int256", "name": ""}, PAIR], "stateMutability": "view"},
    {"type": "function", "name": "twin", "inputs": [{"type": "uint8", "name": "a"}], "outputs": [],
     "stateMutability": "view"},
    {"type": "function", "name": "twin", "inputs": [{"type": "bool", "name": "a"}], "outputs": [],
     "stateMutability": "view"},
    {"type": "event", "name": "Moved", "anonymous": False, "inputs": [
        {"type": "address", "name": "who", "indexed": True}, {"type": "string", "name": "why", "indexed": True},
        {"type": "uint256", "name": "n", "indexed": False}, {"type": "bytes32", "name": "id", "indexed": True}]},
]  # fmt: skip
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda found: "0x" + found.hex())
PAIRS = st.lists(st.tuples(st.integers(0, 2**128 - 1), ADDRESSES), max_size=4)


@given(ADDRESSES, st.integers(0, 2**256 - 1), PAIRS, st.binary(max_size=70), st.text(max_size=40))
def test_calls_are_encoded_as_web3_does_it(
    to: str, number: int, pairs: list[tuple[int, str]], content: bytes, words: str
) -> None:
    theirs = Web3().eth.contract(abi=ABI)
    checked = Web3.to_checksum_address(to)
    assert "0x" + call_data(ABI, "pay", (to, number)).hex() == theirs.encode_abi(
        "pay(address,uint256)", [checked, number]
    )
    mixed = [(left, Web3.to_checksum_address(right)) for left, right in pairs]
    assert "0x" + call_data(ABI, "mix", (pairs, content, words)).hex() == theirs.encode_abi(
        "mix", [mixed, content, words]
    )


def test_a_function_of_several_with_one_name_is_found_by_its_arguments_or_types() -> None:
    assert call_data(ABI, "pay", (bytes(32),))[:4] == keccak256(b"pay(bytes32)")[:4]
    assert call_data(ABI, "twin(bool)", (True,))[:4] == keccak256(b"twin(bool)")[:4]
    for function, args in (("twin", (1,)), ("pay", ()), ("nothing", ()), ("twin(uint16)", (1,))):
        with pytest.raises(InvalidValue):
            call_data(ABI, function, args)


def test_a_constructor_takes_its_arguments_and_no_others() -> None:
    assert creation(ABI, b"\x60", ()) == b"\x60"
    made = [*ABI, {"type": "constructor", "inputs": [{"type": "uint256", "name": "n"}]}]
    assert creation(made, b"\x60", (7,)) == b"\x60" + (7).to_bytes(32)
    with pytest.raises(InvalidValue, match="takes 1 arguments"):
        creation(made, b"\x60", ())
    with pytest.raises(InvalidValue, match="takes 0 arguments"):
        creation(ABI, b"\x60", (7,))


def test_what_is_returned_is_read_or_refused() -> None:
    assert returned(ABI, "pay(address,uint256)", 2, (1).to_bytes(32)) is True
    assert returned(ABI, "pay(bytes32)", 1, b"") is None
    for garbage in (b"", b"\1", (2).to_bytes(32)):
        with pytest.raises(Unreachable):
            returned(ABI, "pay(address,uint256)", 2, garbage)


@given(st.binary(max_size=200))
def test_garbage_from_a_node_is_told_as_such(garbage: bytes) -> None:
    with suppress(Unreachable):
        returned(ABI, "mix", 3, garbage)
    assert isinstance(reason(garbage), str)


def test_events_are_read_whatever_order_their_values_have() -> None:
    topics = [topic_of(ABI, "Moved"), bytes(12) + bytes.fromhex(BOB.id[2:]), keccak256(b"sun"), b"\7" * 32]
    assert topics[0] == keccak256(b"Moved(address,string,uint256,bytes32)")
    told = event_values(ABI, "Moved", topics, (9).to_bytes(32))
    assert told == {"who": BOB.id, "why": keccak256(b"sun"), "n": 9, "id": b"\7" * 32}
    for few, content in ((topics[:2], (9).to_bytes(32)), (topics, b"")):
        with pytest.raises(Unreachable, match="no Moved"):
            event_values(ABI, "Moved", few, content)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (
            keccak256(b"Error(string)")[:4] + bytes.fromhex("20".zfill(64) + "02".zfill(64) + "6e6f".ljust(64, "0")),
            "no",
        ),
        (keccak256(b"Panic(uint256)")[:4] + (0x11).to_bytes(32), "a number overflowed"),
        (keccak256(b"Panic(uint256)")[:4] + (0x99).to_bytes(32), "panic 153"),
        (b"", "without a word"),
        (b"\1\2\3\4\5", "0x0102030405"),
        (keccak256(b"Error(string)")[:4] + b"\xff" * 64, "0x08c379a0" + "ff" * 64),
    ],
)
def test_why_a_contract_refused_is_told_in_its_words(output: bytes, told: str) -> None:
    assert reason(output) == told


@given(
    st.integers(1, 2**64), st.integers(0, 2**64 - 2), st.integers(0, 2**100), st.integers(21_000, 2**24),
    st.one_of(st.just(b""), st.binary(min_size=20, max_size=20)), st.integers(0, 2**200), st.binary(max_size=100),
)  # fmt: skip
def test_transactions_are_signed_as_wallets_sign_them(
    chain_id: int, nonce: int, fee: int, gas: int, to: bytes, value: int, data: bytes
) -> None:
    ours = signed(
        Transaction(chain_id=chain_id, nonce=nonce, tip=fee // 2, fee=fee, gas=gas, to=to, value=value, data=data),
        ALICE,
    )
    told = {"chainId": chain_id, "nonce": nonce, "maxPriorityFeePerGas": fee // 2, "maxFeePerGas": fee, "gas": gas,
            "value": value, "data": data, "type": 2} | ({"to": Web3.to_checksum_address(to)} if to else {})  # fmt: skip
    assert Account.sign_transaction(told, ALICE._key.secret).raw_transaction == HexBytes(ours)
    assert Account.recover_transaction(ours).lower() == ALICE.id


def test_a_signer_that_signs_with_another_key_is_found_out() -> None:
    class Liar:
        id = ALICE.id

        def sign_digest(self, digest: bytes) -> str:
            return BOB.sign_digest(digest)

    with pytest.raises(Refused, match="by the key that it is asked of"):
        signed(Transaction(chain_id=1, nonce=0, gas=21_000), Liar())
    with pytest.raises(Refused):
        parity(bytes(32), b"\xff" * 64, ALICE.id)
    assert {
        parity(bytes([n]) * 32, bytes.fromhex(ALICE.sign_digest(bytes([n]) * 32)), ALICE.id) for n in range(20)
    } == {0, 1}
    assert isinstance(SigningKey.generate().id, str)


@pytest.mark.row("E11")
def test_a_node_is_asked_for_the_events_of_one_address_alone() -> None:
    abi = artifact("Tsl").abi
    ada, anybody = "0x" + "ad" * 20, None
    padded = bytes(12) + b"\xad" * 20
    name = keccak256(b"Transfer(address,address,uint256)")
    assert topics_of(abi, "Transfer", {}) == [name]
    assert topics_of(abi, "Transfer", {"sender": ada}) == [name, padded]
    assert topics_of(abi, "Transfer", {"receiver": ada}) == [name, anybody, padded]
    for wrong in ("value", "nobody"):
        with pytest.raises(InvalidValue, match=f"has no {wrong}"):
            topics_of(abi, "Transfer", {wrong: ada})


@given(PAIRS, st.binary(max_size=70), st.text(max_size=40))
def test_what_a_contract_was_told_is_read_back(pairs: list[tuple[int, str]], content: bytes, words: str) -> None:
    data = call_data(ABI, "mix", (pairs, content, words))
    assert told_args(ABI, "mix", data) == (tuple(pairs), content, words)
    assert told_args(ABI, "pay(bytes32)", data) is None
    with pytest.raises(Unreachable, match="nothing that it takes"):
        told_args(ABI, "mix", data[:20])
    with pytest.raises(InvalidValue, match="there is no lose"):
        told_args(ABI, "lose", data)
