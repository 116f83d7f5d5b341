"""What a network tells and takes back: seen, not final, not credited. And nodes that answer nonsense, or nothing."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import rlp
from hypothesis import given, settings
from hypothesis import strategies as st
from web3 import Web3
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.methods import Methods, RpcError
from commonwatt.adapters.chains.embedded.rules import CHAIN_ID
from commonwatt.adapters.chains.evm.chain import EvmChain
from commonwatt.adapters.chains.evm.signing import Transaction, signed
from commonwatt.adapters.chains.evm.words import call_data, creation
from commonwatt.adapters.chains.rpc import network
from commonwatt.flows.chain_ports import Contract, final_events, is_final
from commonwatt.identity.keys import keccak256
from commonwatt.model import Refused, Unreachable
from on_chain import ALICE, BEGAN_S, GENESIS, HandClock, probe

PROBE = probe()
PLACE = Contract("0x" + keccak256(rlp.encode([bytes.fromhex(ALICE.id[2:]), 0]))[12:].hex(), PROBE.abi)
NUMBERS = st.lists(st.integers(1, 1_000), max_size=4)


class TwoHistories(BaseProvider):
    """A node that follows one of two histories with a common beginning, and says how much of it is final."""

    def __init__(self, one: EmbeddedChain, other: EmbeddedChain) -> None:
        super().__init__()
        self._histories = Methods(one), Methods(other)
        self.now, self.final = 0, 0

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        if method == "eth_getBlockByNumber" and params[0] == "finalized":
            params = [hex(self.final), *params[1:]]
        try:
            return {"jsonrpc": "2.0", "id": 0, "result": self._histories[self.now].answer(method, params)}
        except RpcError as error:
            return {"jsonrpc": "2.0", "id": 0, "error": error.told}  # type: ignore[typeddict-item]  # lacks data


@pytest.mark.row("E14")
@settings(max_examples=25)
@given(NUMBERS, NUMBERS, NUMBERS, st.lists(st.integers(0, 20), max_size=8), st.data())
def test_what_was_only_seen_is_never_credited_and_what_is_final_once(
    both: list[int], lost: list[int], kept: list[int], looks: list[int], data: st.DataObject
) -> None:
    with history([*both, *lost]) as one, history([*both, *kept]) as other:
        node = TwoHistories(one, other)
        chain = EvmChain(Web3(node))
        credited, after = list[int](), 0
        # While it follows the history that it will take back, no more than what both have is final.
        for look in [*looks, 0]:
            node.final = max(node.final, min(look, 1 + len(both)))
            assert len(chain.events(PLACE, "Plain", 0, chain.head().number)) == len(both) + len(lost)
            found, after = final_events(chain, PLACE, "Plain", after)
            credited += [event.values["number"] for event in found]
        assert credited == both[: max(0, node.final - 1)]
        node.now = 1
        for final in sorted(
            {node.final, data.draw(st.integers(node.final, 1 + len(both) + len(kept))), len(both + kept) + 1}
        ):
            node.final = final
            found, after = final_events(chain, PLACE, "Plain", after)
            credited += [event.values["number"] for event in found]
        assert credited == both + kept


def test_a_receipt_of_a_block_that_was_taken_back_is_not_final() -> None:
    with history([1, 2]) as one, history([1, 7]) as other:
        node = TwoHistories(one, other)
        chain = EvmChain(Web3(node))
        txs = [event.tx for event in chain.events(PLACE, "Plain", 0, 3)]
        first, second = (chain.receipt(tx) for tx in txs)
        assert first is not None and second is not None
        node.final = 2
        assert is_final(chain, first) and not is_final(chain, second)
        node.now, node.final = 1, 3
        assert chain.receipt(second.tx) is None
        assert is_final(chain, first) and not is_final(chain, second)


def test_a_network_that_calls_nothing_final_yet_has_its_first_block() -> None:
    class Young(TwoHistories):
        def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
            if params and params[0] == "finalized":
                return {"jsonrpc": "2.0", "id": 0, "result": None}
            return super().make_request(method, params)

    with history([1]) as one, history([1]) as other:
        chain = EvmChain(Web3(Young(one, other)))
        assert chain.final().number == 0
        assert final_events(chain, PLACE, "Plain", 1) == ([], 1)


@pytest.mark.parametrize("silent", [False, True])
def test_a_node_that_knows_only_the_older_words_is_sent_numbers_without_gap(silent: bool) -> None:
    waiting: list[bytes] = []

    class Mute(TwoHistories):
        def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
            if method == "eth_getTransactionCount" and silent:
                params = [params[0], "latest"]
            if "pending" in params or method == "eth_maxPriorityFeePerGas":
                return {
                    "jsonrpc": "2.0",
                    "id": 0,
                    "error": {"code": -32602, "message": '"pending" is not yet supported'},
                }
            if method == "eth_sendRawTransaction":
                waiting.append(bytes.fromhex(params[0][2:]))
                return {"jsonrpc": "2.0", "id": 0, "result": "0x" + keccak256(waiting[-1]).hex()}
            return super().make_request(method, params)

    with history([1]) as one, history([1]) as other:
        chain = EvmChain(Web3(Mute(one, other)))
        for number in (5, 6, 7):
            chain.send(ALICE, PLACE, "add", (number,), gas=100_000)
        assert chain.sent(ALICE.id) == 5
        one.take_many(waiting)
        assert chain.call(PLACE, "total") == 1 + 5 + 6 + 7
        assert chain.sent(ALICE.id) == 5


def test_what_was_taken_back_leaves_its_number_to_the_next() -> None:
    with history([1]) as one, history([1]) as other:
        node = TwoHistories(one, other)
        chain = EvmChain(Web3(node))
        before = chain.sent(ALICE.id)
        seen = chain.send(ALICE, PLACE, "add", (5,))
        assert chain.receipt(seen) is not None and chain.sent(ALICE.id) == before + 1
        node.now = 1
        assert chain.receipt(seen) is None
        assert chain.sent(ALICE.id) == before, "a gap would hold up all that follows"
        assert chain.receipt(chain.send(ALICE, PLACE, "add", (6,))) is not None
        assert chain.call(PLACE, "total") == 1 + 6


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"<html>", b"[]", b"7", b'{"jsonrpc": "2.0", "id": 0}', b'{"jsonrpc": "2.0", "id": 0, "result": "watt"}',
        b'{"jsonrpc": "2.0", "id": 0, "result": {}}', b'{"jsonrpc": "2.0", "id": 0, "result": null}', b"\xff\xfe",
    ],
)  # fmt: skip
def test_a_node_that_answers_nonsense_is_unreachable(answer: bytes) -> None:
    with saying(lambda method: answer) as url, pytest.raises(Unreachable):
        network(url, timeout_s=2).head()


@pytest.mark.parametrize(
    "answer", [b"", b"{", b'{"jsonrpc": "2.0", "id": 0, "result": "0x"}', b'{"id": 0, "result": {}}']
)
def test_nonsense_later_is_unreachable_too(answer: bytes) -> None:
    def told(method: str) -> bytes:
        return b'{"jsonrpc": "2.0", "id": 0, "result": "0x1"}' if method == "eth_chainId" else answer

    with saying(told) as url:
        chain = network(url, timeout_s=2)
        asked: list[Callable[[], object]] = [
            chain.head,
            chain.final,
            lambda: chain.call(PLACE, "total"),
            lambda: chain.events(PLACE, "Plain", 0, 1),
            lambda: chain.send(ALICE, PLACE, "add", (1,)),
        ]
        for one in asked:
            with pytest.raises((Unreachable, Refused)):
                one()
        with suppress(Unreachable):
            assert chain.receipt(bytes(32)) is None


def test_nobody_there_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        network("http://127.0.0.1:9", timeout_s=0.2)


class history:  # noqa: N801  used as a function
    """A chain with the probe on it and one block for each number added."""

    def __init__(self, numbers: list[int]) -> None:
        self.chain = EmbeddedChain(None, GENESIS, clock=HandClock(BEGAN_S))
        self._take(b"", creation(PROBE.abi, PROBE.bytecode, (0,)), 0)
        for nonce, number in enumerate(numbers, start=1):
            self._take(bytes.fromhex(PLACE.address[2:]), call_data(PROBE.abi, "add", (number,)), nonce)

    def _take(self, to: bytes, data: bytes, nonce: int) -> None:
        self.chain.take(signed(Transaction(chain_id=CHAIN_ID, nonce=nonce, gas=2_000_000, to=to, data=data), ALICE))

    def __enter__(self) -> EmbeddedChain:
        return self.chain

    def __exit__(self, *_: object) -> None:
        self.chain.close()


class saying:  # noqa: N801  used as a function
    """A node on loopback that answers what it is told to."""

    def __init__(self, answer: Callable[[str], bytes]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                content = answer(asked["method"])
                self.send_response(200)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.mark.parametrize("says", ["execution reverted", "revert"])
def test_a_contract_that_gives_no_reason_refuses_without_a_word_whatever_its_node_calls_that(says: str) -> None:
    class Silent(BaseProvider):
        def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
            if method == "eth_chainId":
                return {"jsonrpc": "2.0", "id": 0, "result": "0x1"}
            return {"jsonrpc": "2.0", "id": 0, "error": {"code": 3, "message": says, "data": "0x"}}

    with pytest.raises(Refused, match="without a word"):
        EvmChain(Web3(Silent())).call(PLACE, "total")
