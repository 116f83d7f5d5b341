"""A node that lies, errs or drips harms nobody by what contradicts the question; and no error tells where it is."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from web3 import Web3
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

from commonwatt.adapters.chains import rpc
from commonwatt.adapters.chains.embedded.methods import Methods, RpcError
from commonwatt.adapters.chains.evm.chain import MOST_FEE, EvmChain
from commonwatt.adapters.chains.evm.words import reason
from commonwatt.adapters.chains.rpc import network
from commonwatt.flows.chain_ports import Contract
from commonwatt.identity.keys import keccak256
from commonwatt.model import Refused, Unreachable
from on_chain import ALICE, Ground, probe

pytestmark = pytest.mark.row("E14")
PROBE = probe()
Lie = Callable[[Any], Any]


class Lying(BaseProvider):
    """The embedded chain's node, which bends what it answers to some methods."""

    def __init__(self, ground: Ground, lies: dict[str, Lie]) -> None:
        super().__init__()
        self._methods, self.lies = Methods(ground.embedded), lies

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        try:
            told = self._methods.answer(method, params)
        except RpcError as error:
            return {"jsonrpc": "2.0", "id": 0, "error": error.told}  # type: ignore[typeddict-item]  # lacks data
        return {"jsonrpc": "2.0", "id": 0, "result": self.lies.get(method, lambda told: told)(told)}


class Yard:
    """The probe on a chain, and a node that lies of it."""

    def __init__(self) -> None:
        self.ground, self.lies = Ground(), dict[str, Lie]()
        self.chain = EvmChain(Web3(Lying(self.ground, self.lies)), sleep=lambda seconds: None)
        receipt = self.chain.receipt(self.chain.deploy(ALICE, PROBE, (0,)))
        assert receipt is not None and receipt.contract is not None
        self.place = Contract(receipt.contract, PROBE.abi)
        self.tx = self.chain.send(ALICE, self.place, "add", (7,))


@pytest.fixture
def yard() -> Yard:
    return Yard()


@pytest.mark.parametrize(
    "lie",
    [
        {"address": "0x" + "33" * 20}, {"topics": ["0x" + "22" * 32]}, {"blockNumber": "0x9999"}, {"blockNumber": None},
        {"blockHash": None}, {"transactionHash": "0x11"}, {"logIndex": None}, {"logIndex": "-0x1"},
    ],
)  # fmt: skip
def test_an_event_that_was_not_asked_for_is_not_taken_for_one(yard: Yard, lie: dict[str, Any]) -> None:
    assert len(yard.chain.events(yard.place, "Plain", 0, 2)) == 1
    yard.lies["eth_getLogs"] = lambda told: [one | lie for one in told]
    with pytest.raises(Unreachable):
        yard.chain.events(yard.place, "Plain", 0, 2)


def test_a_receipt_is_of_the_transaction_that_was_asked_for(yard: Yard) -> None:
    yard.lies["eth_getTransactionReceipt"] = lambda told: told | {"transactionHash": "0x" + "11" * 32}
    with pytest.raises(Unreachable, match="another transaction"):
        yard.chain.receipt(yard.tx)


def test_a_transaction_has_the_name_that_its_bytes_have(yard: Yard) -> None:
    yard.lies["eth_sendRawTransaction"] = lambda told: "0x" + yard.tx.hex()
    with pytest.raises(Unreachable, match="calls it"):
        yard.chain.send(ALICE, yard.place, "add", (8,))


@pytest.mark.parametrize(
    "lie",
    [{"number": None}, {"number": -1}, {"number": "0x" + "f" * 20}, {"hash": "0x11"}, {"timestamp": "0x" + "f" * 20}],
)
def test_a_block_that_cannot_be_is_none(yard: Yard, lie: dict[str, Any]) -> None:
    yard.lies["eth_getBlockByNumber"] = lambda told: told | lie
    with pytest.raises(Unreachable):
        yard.chain.head()


def test_a_block_has_the_number_that_was_asked_for(yard: Yard) -> None:
    yard.lies["eth_getBlockByNumber"] = lambda told: told | {"number": "0x2"}
    with pytest.raises(Unreachable, match="was asked for block 1"):
        yard.chain.block(1)


def test_a_node_without_a_last_block_is_sent_nothing(yard: Yard) -> None:
    yard.lies["eth_getBlockByNumber"] = lambda told: None
    with pytest.raises(Unreachable):
        yard.chain.send(ALICE, yard.place, "add", (1,), gas=100_000)


@pytest.mark.parametrize("method", ["eth_gasPrice", "base fee"])
def test_a_price_that_nobody_pays_is_not_paid(yard: Yard, method: str) -> None:
    if method == "eth_gasPrice":
        yard.lies[method] = lambda told: hex(MOST_FEE + 1)
    else:
        yard.lies["eth_getBlockByNumber"] = lambda told: told | {"baseFeePerGas": hex(MOST_FEE + 1)}
    with pytest.raises(Refused, match="a price that nobody pays"):
        yard.chain.send(ALICE, yard.place, "add", (1,))
    yard.lies.clear()
    yard.lies["eth_gasPrice"] = lambda told: hex(MOST_FEE)
    assert yard.chain.prepare(ALICE.id, yard.place.address, "add", (1,), abi=PROBE.abi).fee == MOST_FEE


def test_what_waits_for_a_block_is_counted(yard: Yard) -> None:
    assert (yard.chain.sent(ALICE.id), yard.chain.waiting(ALICE.id)) == (2, 0)
    numbers = iter([0, 2])  # in blocks; with what waits
    yard.lies["eth_getTransactionCount"] = lambda told: hex(next(numbers))
    assert yard.chain.waiting(ALICE.id) == 2


def test_a_number_of_transactions_is_one(yard: Yard) -> None:
    yard.lies["eth_getTransactionCount"] = lambda told: -1
    with pytest.raises(Unreachable):
        yard.chain.sent(ALICE.id)


def test_what_is_returned_of_no_length_is_unreachable(yard: Yard) -> None:
    yard.lies["eth_call"] = lambda told: "0x" + "20".zfill(64) + "f" * 64 + "0" * 128
    text = [{"type": "function", "name": "total", "inputs": [], "outputs": [{"type": "string", "name": ""}]}]
    with pytest.raises(Unreachable):
        yard.chain.call(Contract(yard.place.address, text), "total")


Handle = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def node(handle: Handle) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            with suppress(OSError):
                handle(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _status(number: int) -> Handle:
    def handle(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(number)
        asked.send_header("location", "http://127.0.0.1:9/elsewhere")
        asked.send_header("content-length", "0")
        asked.end_headers()

    return handle


@pytest.mark.parametrize("number", [302, 307, 401, 429, 500])
def test_no_error_tells_the_key_of_a_node(number: int) -> None:
    with node(_status(number)) as url, pytest.raises(Unreachable) as told:
        network(url.replace("127.0.0.1", "anna:S3CRET@127.0.0.1") + "/v3/S3CRET", timeout_s=2)
    assert "S3CRET" not in str(told.value)
    with pytest.raises(Unreachable) as told:
        network("http://anna:S3CRET@127.0.0.1:9/v3/S3CRET", timeout_s=0.2)
    assert "S3CRET" not in str(told.value)


def test_an_answer_without_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "MOST_BYTES", 1 << 20)
    sent = list[int]()

    def endless(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(200)
        asked.end_headers()
        for number in range(2_000):
            asked.wfile.write(b" " * 65_536)
            sent.append(number)

    with node(endless) as url, pytest.raises(Unreachable):
        network(url, timeout_s=5)
    assert len(sent) < 1_000


def test_an_answer_by_drops_holds_nobody_up() -> None:
    def drops(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(200)
        asked.send_header("content-length", "1000")
        asked.end_headers()
        for _ in range(1_000):
            asked.wfile.write(b" ")
            asked.wfile.flush()
            time.sleep(0.05)

    with node(drops) as url:
        began_s = time.monotonic()
        with pytest.raises(Unreachable):
            network(url, timeout_s=0.2)
        assert time.monotonic() - began_s < 20


def test_words_that_are_no_text_are_told_as_bytes() -> None:
    output = keccak256(b"Error(string)")[:4] + bytes.fromhex("20".zfill(64) + "02".zfill(64) + "ffff".ljust(64, "0"))
    assert reason(output).startswith("0x08c379a0")
