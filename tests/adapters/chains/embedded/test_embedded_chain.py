"""How transactions become blocks of an embedded chain, and what it can be asked about them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
import rlp
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st
from web3 import Web3

from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.methods import Methods, RpcError
from commonwatt.adapters.chains.embedded.opening import extra_data
from commonwatt.adapters.chains.embedded.provider import EmbeddedProvider
from commonwatt.adapters.chains.embedded.rules import GAS_LIMIT, TX_GAS, Genesis, Message, read_header
from commonwatt.adapters.chains.evm.signing import Transaction, signed
from commonwatt.identity.keys import CURVE_ORDER, SigningKey, keccak256
from commonwatt.model import Corrupt, InvalidValue, Refused
from on_chain import ALICE, BEGAN_S, BOB, CAROL, COINS, GENESIS, OPERATOR, Ground, HandClock, key

CHAIN = GENESIS.chain_id
BURNER = bytes.fromhex("60fe5f5360015ff3")
"""Makes a contract of the one byte 0xfe, which burns all gas: PUSH1 fe PUSH0 MSTORE8 PUSH1 1 PUSH0 RETURN."""


def raw(by: SigningKey, nonce: int, **more: Any) -> bytes:
    told: dict[str, Any] = {"chain_id": CHAIN, "gas": 21_000, "to": address(BOB), "value": 1}
    return signed(Transaction(nonce=nonce, **(told | more)), by)


def address(of: SigningKey) -> bytes:
    return bytes.fromhex(of.id[2:])


@pytest.fixture
def ground() -> Ground:
    return Ground()


def answers(ground: Ground) -> Methods:
    return Methods(ground.embedded)


def test_one_caller_gets_a_block_at_once_and_many_share_one(ground: Ground) -> None:
    ground.embedded.take(raw(ALICE, 0))
    assert ground.embedded.head.block_number == 1
    ground.embedded.take_many([raw(ALICE, n) for n in range(1, 40)])
    assert ground.embedded.head.block_number == 2
    block = ground.embedded.block(2)
    assert block is not None and [tx.nonce for tx in block.txs] == list(range(1, 40))


def test_who_comes_while_a_block_is_made_shares_the_next(ground: Ground) -> None:
    keys = [key(f"sender {n}") for n in range(20)]
    with ThreadPoolExecutor(20) as pool:
        # While it is held nobody makes a block, so all who come have to wait together.
        with ground.embedded._lock:
            sent = [pool.submit(ground.embedded.take, raw(one, 0, value=0)) for one in keys]
            wait_until(lambda: len(ground.embedded._waiting) == 20)
        hashes = {one.result() for one in sent}
    assert len(hashes) == 20
    assert ground.embedded.head.block_number == 1


def test_a_senders_transactions_go_in_by_number_however_they_come(ground: Ground) -> None:
    order = [3, 1, 0, 2]
    ground.embedded.take_many([raw(ALICE, n) for n in order[:2]] + [raw(BOB, 0)] + [raw(ALICE, n) for n in order[2:]])
    block = ground.embedded.block(1)
    assert block is not None
    assert [(bytes(tx.sender) == address(ALICE), tx.nonce) for tx in block.txs] == [
        (True, 0), (True, 1), (False, 0), (True, 2), (True, 3),
    ]  # fmt: skip


def test_a_block_holds_no_more_than_its_target_so_gas_stays_free(ground: Ground) -> None:
    ground.embedded.take(raw(ALICE, 0, to=b"", data=BURNER, gas=100_000, value=0))
    burner = keccak256(rlp.encode([address(ALICE), 0]))[12:]
    greedy = [raw(one, 0, to=burner, gas=TX_GAS, value=0) for one in (BOB, CAROL)]
    ground.embedded.take_many(greedy)
    for number in (2, 3):
        block = ground.embedded.block(number)
        assert block is not None and block.header.gas_used == TX_GAS == GAS_LIMIT // 2
    ground.embedded.take(raw(key("nobody"), 0, value=0))
    assert ground.embedded.head.base_fee_per_gas == 0
    receipt = answers(ground).answer("eth_getBlockReceipts", ["0x2"])[0]
    assert receipt["status"] == "0x0"


def test_who_has_no_coin_can_use_the_chain(ground: Ground) -> None:
    poor = key("poor")
    ground.embedded.take(raw(poor, 0, value=0))
    assert ground.embedded.nonce(address(poor)) == 1


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"", "no signed transaction"),
        (b"\x02\xc0", "no signed transaction"),
        (b"\x7f\xc0", "no signed transaction"),
        (b"\xff" * 40, "no signed transaction"),
        (raw(ALICE, 0) + b"\0", "no signed transaction"),
        (raw(ALICE, 0, chain_id=1), "for one chain"),
        (raw(ALICE, 0, gas=TX_GAS + 1), "no more gas than fits"),
        (raw(ALICE, 0, gas=20_999), "is the least"),
        (raw(ALICE, 1), "nonce"),
        (raw(ALICE, 0, value=10**30), "balance"),
        (raw(ALICE, 0, tip=1), "a tip is part of the fee"),
        (raw(ALICE, 0, to=b"", data=bytes(49_153), gas=TX_GAS, value=0), "49152 bytes at most"),
        (raw(ALICE, 2**64 - 1), "last number"),
    ],
)
def test_what_no_block_can_hold_is_refused_and_nothing_changes(ground: Ground, sent: bytes, why: str) -> None:
    with pytest.raises(Refused, match=why):
        ground.embedded.take(sent)
    assert ground.embedded.head.block_number == 0


def test_a_repeated_transaction_and_a_used_number_are_refused(ground: Ground) -> None:
    ground.embedded.take(raw(ALICE, 0))
    with pytest.raises(Refused, match="known already"):
        ground.embedded.take(raw(ALICE, 0))
    with pytest.raises(Refused, match="nonce"):
        ground.embedded.take(raw(ALICE, 0, value=2))
    with pytest.raises(Refused, match="known already"):
        ground.embedded.take_many([raw(ALICE, 1), raw(ALICE, 1)])
    assert ground.embedded.nonce(address(ALICE)) == 2


def test_a_refused_one_spoils_no_others(ground: Ground) -> None:
    with pytest.raises(Refused):
        ground.embedded.take_many([raw(ALICE, 0), raw(BOB, 7), raw(CAROL, 0, value=10**30), raw(OPERATOR, 0)])
    block = ground.embedded.block(1)
    assert block is not None and [bytes(tx.sender) for tx in block.txs] == [address(ALICE), address(OPERATOR)]


def test_the_twin_of_a_signature_is_refused(ground: Ground) -> None:
    fields = rlp.decode(raw(ALICE, 0)[1:])
    high = CURVE_ORDER - int.from_bytes(fields[-1])
    odd = 1 - int.from_bytes(fields[-3])
    twin = b"\x02" + rlp.encode([*fields[:-3], odd, fields[-2], high])
    with pytest.raises(Refused):
        ground.embedded.take(twin)


@pytest.mark.row("E11")
def test_wallets_of_all_ages_are_understood(ground: Ground) -> None:
    account = Account.from_key(ALICE._key.secret)
    told = {"chainId": CHAIN, "to": Web3.to_checksum_address(BOB.id), "value": 1, "gas": 30_000}
    kinds: list[dict[str, Any]] = [
        {"gasPrice": 0},
        {"gasPrice": 0, "accessList": [{"address": BOB.id, "storageKeys": ["0x" + "00" * 31 + "07"]}], "type": 1},
        {"maxFeePerGas": 0, "maxPriorityFeePerGas": 0, "type": 2},
    ]
    web3 = Web3(EmbeddedProvider(ground.embedded))
    for nonce, kind in enumerate(kinds):
        tx = web3.eth.send_raw_transaction(account.sign_transaction(told | kind | {"nonce": nonce}).raw_transaction)
        found = web3.eth.get_transaction(tx)
        assert (found["type"], found["from"], found["nonce"]) == (nonce, account.address, nonce)
        assert web3.eth.get_transaction_receipt(tx)["status"] == 1
    del told["chainId"]
    unprotected = account.sign_transaction(told | {"gasPrice": 0, "nonce": 3})
    with pytest.raises(Refused, match="for one chain"):
        ground.embedded.take(bytes(unprotected.raw_transaction))


def test_time_is_the_clocks_and_always_goes_on(ground: Ground) -> None:
    ground.clock.now_s = BEGAN_S + 100
    times = []
    for nonce in range(3):
        ground.embedded.take(raw(ALICE, nonce))
        times.append(ground.embedded.head.timestamp)
    assert times == [BEGAN_S + 100, BEGAN_S + 101, BEGAN_S + 102]
    ground.clock.now_s = BEGAN_S + 1_000
    ground.embedded.take(raw(ALICE, 3))
    assert ground.embedded.head.timestamp == BEGAN_S + 1_000


def test_a_block_says_what_its_hash_is_made_of(ground: Ground) -> None:
    ground.embedded.take_many([raw(ALICE, n) for n in range(3)])
    told = answers(ground).answer("eth_getBlockByNumber", ["latest", False])
    names = ["parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom",
             "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce",
             "baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot"]  # fmt: skip
    hashes = [*names[:7], "extraData", "mixHash", "nonce", "withdrawalsRoot", "parentBeaconBlockRoot"]
    fields = [bytes.fromhex(told[name][2:]) if name in hashes else int(told[name], 16) for name in names]
    assert keccak256(rlp.encode(fields)).hex() == told["hash"][2:]
    assert answers(ground).answer("eth_getBlockByHash", [told["hash"], False]) == told


def test_extra_data_is_read_without_the_rest_of_a_header(ground: Ground) -> None:
    for number in range(3):
        ground.clock.now_s += 200**number
        ground.embedded.take(raw(ALICE, number))
        stored = ground.embedded._log.block(number + 1)
        assert stored is not None
        assert extra_data(stored.header) == read_header(stored.header).extra_data


def test_earlier_states_can_be_asked_for(ground: Ground) -> None:
    for nonce in range(4):
        ground.embedded.take(raw(ALICE, nonce))
    ask = answers(ground).answer
    assert [int(ask("eth_getBalance", [BOB.id, hex(n)]), 16) - COINS for n in range(5)] == [0, 1, 2, 3, 4]
    assert ask("eth_getTransactionCount", [ALICE.id, "0x2"]) == "0x2"
    assert ask("eth_getTransactionCount", [ALICE.id, "pending"]) == "0x4"
    block_hash = ask("eth_getBlockByNumber", ["0x1", False])["hash"]
    assert ask("eth_getBalance", [BOB.id, {"blockHash": block_hash}]) == hex(COINS + 1)
    assert ask("eth_getBalance", [BOB.id, "earliest"]) == hex(COINS)
    with pytest.raises(RpcError, match="no block 9"):
        ask("eth_getBalance", [BOB.id, "0x9"])
    assert ask("eth_getBlockByNumber", ["0x9", False]) is None
    for tag in ("safe", "finalized", "latest", "pending"):
        assert ask("eth_getBlockByNumber", [tag, False])["number"] == "0x4"


def test_fees_are_told_as_wallets_ask_for_them(ground: Ground) -> None:
    ground.embedded.take(raw(ALICE, 0))
    ask = answers(ground).answer
    told = ask("eth_feeHistory", ["0x5", "latest", [10, 50]])
    assert told["oldestBlock"] == "0x0"
    assert told["baseFeePerGas"] == ["0x0"] * 3
    assert len(told["gasUsedRatio"]) == len(told["reward"]) == 2
    assert ask("eth_gasPrice", []) == ask("eth_maxPriorityFeePerGas", []) == "0x0"


def test_a_chain_in_memory_and_one_on_disk_make_the_same_blocks(tmp_path: Path) -> None:
    heads = set()
    for folder in (None, tmp_path):
        with EmbeddedChain(folder, GENESIS, clock=HandClock()) as chain:
            for nonce in range(5):
                chain.take(raw(ALICE, nonce, value=nonce))
            heads.add(chain.head.hash)
    assert len(heads) == 1


def test_a_genesis_is_kept_as_it_was_and_refuses_to_be_wrong() -> None:
    for genesis in (GENESIS, Genesis(time_s=5), Genesis(chain_id=7, balances={ALICE.id: 10**40})):
        assert Genesis.decoded(genesis.encoded()) == genesis
    with pytest.raises(InvalidValue):
        Genesis(chain_id=0)
    for spoiled in (b"", b"{}", b'{"balances": {"0x": "a"}, "chain_id": 1, "time_s": 0}', b"[]"):
        with pytest.raises(Corrupt):
            Genesis.decoded(spoiled)


def test_a_chain_founded_without_coins_opens_again(tmp_path: Path) -> None:
    EmbeddedChain(tmp_path, Genesis(time_s=BEGAN_S)).close()
    with EmbeddedChain(tmp_path) as chain:
        assert chain.head.block_number == 0


@given(st.binary(min_size=1, max_size=60), st.booleans())
def test_no_code_whatever_stops_the_chain(code: bytes, sent: bool) -> None:
    with EmbeddedChain(None, GENESIS, clock=HandClock()) as chain:
        if sent:
            chain.take(raw(ALICE, 0, to=b"", data=code, gas=200_000, value=0))
        else:
            chain.run(Message(sender=address(ALICE), data=code, gas=200_000))
        chain.take(raw(BOB, 0, value=0))
        assert chain.nonce(address(ALICE)) == int(sent)


NAMES = st.sampled_from([ALICE, BOB, CAROL])


@given(st.lists(st.tuples(NAMES, NAMES, st.integers(0, 10**25)), min_size=1, max_size=8))
def test_coins_are_neither_made_nor_lost(moves: list[tuple[SigningKey, SigningKey, int]]) -> None:
    with EmbeddedChain(None, GENESIS, clock=HandClock()) as chain:
        have = {one.id: COINS for one in (ALICE, BOB, CAROL)}
        for sender, to, value in moves:
            tx = raw(sender, chain.nonce(address(sender)), to=address(to), value=value)
            if value > have[sender.id]:
                with pytest.raises(Refused):
                    chain.take(tx)
                continue
            chain.take(tx)
            have[sender.id] -= value
            have[to.id] += value
        state = chain.state(chain.head.block_number)
        assert {one.id: state.get_balance(address(one)) for one in (ALICE, BOB, CAROL)} == have  # type: ignore[arg-type]  # py-evm names 20 bytes Address


def test_readers_meanwhile_see_whole_blocks(ground: Ground) -> None:
    ask, over, wrong = answers(ground).answer, threading.Event(), []

    def look() -> None:
        chance = Random(1)
        while not over.is_set():
            number = int(ask("eth_blockNumber", []), 16)
            at = chance.randint(0, number)
            if int(ask("eth_getBalance", [BOB.id, hex(at)]), 16) != COINS + at:
                wrong.append(at)

    watching = threading.Thread(target=look)
    watching.start()
    for nonce in range(30):
        ground.embedded.take(raw(ALICE, nonce))
    over.set()
    watching.join()
    assert wrong == []


def wait_until(holds: Any) -> None:
    tried = threading.Event()
    for _ in range(500):
        if holds():
            return
        tried.wait(0.01)
    raise AssertionError("it never came to that")
