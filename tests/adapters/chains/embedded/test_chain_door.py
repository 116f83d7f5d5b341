"""Who may ask the embedded chain over HTTP, and what it answers to calls of all kinds."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import pytest
from starlette.testclient import TestClient

from commonwatt.adapters.chains.embedded import door, methods
from commonwatt.adapters.chains.embedded.door import LIGHT_S, MOST_AT_ONCE, MOST_BYTES, TURNS, rpc_app
from commonwatt.adapters.chains.embedded.methods import Methods
from commonwatt.simulator.sandbox_bank import serving
from on_chain import ALICE, BOB, COINS, Ground
from servers.mosquitto import free_port

PORT = 8_545
HERE = f"http://127.0.0.1:{PORT}"


@pytest.fixture
def ground() -> Ground:
    return Ground()


@pytest.fixture
def wallet(ground: Ground) -> TestClient:
    return TestClient(rpc_app(Methods(ground.embedded), PORT, ["https://our.street"]), base_url=HERE)


def call(method: str, *params: Any, id: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": list(params)}


def test_a_wallet_asks_one_call_or_a_batch(wallet: TestClient, ground: Ground) -> None:
    assert wallet.post("/", json=call("eth_chainId")).json() == {
        "jsonrpc": "2.0", "id": 1, "result": hex(ground.embedded.chain_id),
    }  # fmt: skip
    batch = [call("eth_getBalance", ALICE.id, "latest", id=1), call("eth_blockNumber", id=2), call("eth_dance", id=3)]
    balance, number, nothing = wallet.post("/", json=batch).json()
    assert (balance["id"], int(balance["result"], 16)) == (1, COINS)
    assert number["result"] == "0x0"
    assert (nothing["id"], nothing["error"]["code"]) == (3, -32601)


def test_who_names_no_id_gets_no_answer(wallet: TestClient) -> None:
    silent = {"jsonrpc": "2.0", "method": "eth_chainId"}
    assert wallet.post("/", json=silent).status_code == 204
    assert len(wallet.post("/", json=[silent, call("eth_chainId")]).json()) == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"{", -32700), (b"\xff", -32700), (b"7", -32600), (b"[]", -32600), (b'{"id": 1}', -32600), (b'[[]]', -32600),
     (b'{"id": 1, "method": "eth_getBalance", "params": {"a": 1}}', -32600),
     (b'{"id": 1, "method": "eth_getBalance", "params": ["0x12"]}', -32602),
     (b'{"id": 1, "method": "eth_getBalance", "params": []}', -32602),
     (b'{"id": 1, "method": "eth_getBlockByNumber", "params": ["0x", true]}', -32602),
     (b'{"id": 1, "method": "eth_sendRawTransaction", "params": ["0x02ff"]}', -32000),
     (b"[" * 500_000, -32700), (b'{"id": 1, "method": ' + b"[" * 20_000, -32700),
     (b'{"id": 1, "method": "eth_sendRawTransaction", "params": ["0x' + b"c1" * 300_000 + b'"]}', -32000),
     (b'{"id": 1, "method": "eth_sendRawTransaction", "params": ["0x02' + b"c1" * 20_000 + b'"]}', -32000),
     (b'{"id": 1, "method": "eth_getStorageAt", "params": ["0x' + b"11" * 20 + b'", "0x1' + b"0" * 64 + b'"]}', -32602),
     (b'{"id": 1, "method": "eth_feeHistory", "params": ["0x1", "latest", "' + b"x" * 50 + b'"]}', -32602)],
)  # fmt: skip
def test_garbage_is_an_error_in_json(wallet: TestClient, content: bytes, code: int) -> None:
    told = wallet.post("/", content=content, headers={"content-type": "application/json"}).json()
    told = told[0] if isinstance(told, list) else told
    assert told["error"]["code"] == code


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("eth_feeHistory", ["0x400", "latest", [1] * 400_000], "percentiles"),
        ("eth_getLogs", [{"fromBlock": "0x0", "topics": [["0x" + "11" * 32]] * 600}], "topics at most"),
        ("eth_getLogs", [{"fromBlock": "0x0", "topics": [["0x11"] * 40_000]}], "asked for in one place"),
        ("eth_getLogs", [{"fromBlock": "0x0", "address": ["0x" + "11" * 20] * 1_001}], "asked for in one place"),
    ],
)
def test_a_short_question_has_no_endless_answer(wallet: TestClient, method: str, params: list[Any], words: str) -> None:
    content = msgspec.json.encode(call(method, *params))
    assert len(content) < MOST_BYTES
    told = wallet.post("/", content=content, headers={"content-type": "application/json"}).json()
    assert words in told["error"]["message"]
    assert told["error"]["code"] == -32602


def test_blocks_are_looked_through_some_at_a_time(
    wallet: TestClient, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(methods, "MOST_BLOCKS", 3)
    for _ in range(3):
        ground.embedded.make_empty_block()
    logs = {number: wallet.post("/", json=call("eth_getLogs", {"fromBlock": hex(number)})).json() for number in (0, 1)}
    assert "ask for fewer at a time" in logs[0]["error"]["message"]
    assert logs[1]["result"] == []


class Heavy:
    """Takes long for every question, and notes when it was at it."""

    def __init__(self) -> None:
        self.at_it, self.most, self.began = 0, 0, list[float]()

    def answer(self, method: str, params: Any) -> str:
        self.began.append(time.monotonic())
        self.at_it += 1
        self.most = max(self.most, self.at_it)
        end_s = time.thread_time() + 1.5 * LIGHT_S
        while time.thread_time() < end_s:
            pass
        self.at_it -= 1
        return "0x"


def test_whoever_has_much_computed_leaves_the_machine_to_others_as_long() -> None:
    """The app that keeps the log runs in the same interpreter, and gas costs nothing."""
    heavy, port = Heavy(), free_port()
    with serving(rpc_app(heavy, port), port) as url, ThreadPoolExecutor(8) as many:  # type: ignore[arg-type]  # a double
        list(many.map(lambda n: httpx.post(url, json=call("eth_call", id=n), timeout=30), range(8)))
    assert heavy.most <= TURNS
    # Four after each other in each turn, each followed by a rest.
    assert heavy.began[-1] - heavy.began[0] >= 3 * (1.5 + 1.5) * LIGHT_S


def test_no_more_of_a_batch_is_begun_once_it_took_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "BATCH_S", LIGHT_S)
    heavy = Heavy()
    with TestClient(rpc_app(heavy, PORT), base_url=HERE) as wallet:  # type: ignore[arg-type]  # a double
        told = wallet.post("/", json=[call("eth_call", id=n) for n in range(9)]).json()
    assert [one["id"] for one in told if "result" in one] == [0]
    assert {one["error"]["code"] for one in told[1:]} == {-32005}


def test_too_much_at_once_is_refused(wallet: TestClient) -> None:
    batch = [call("eth_chainId", id=n) for n in range(MOST_AT_ONCE + 1)]
    assert wallet.post("/", json=batch).json()["error"]["code"] == -32600
    large = b" " * (MOST_BYTES + 1)
    assert wallet.post("/", content=large, headers={"content-type": "application/json"}).status_code == 413


@pytest.mark.parametrize(
    "method",
    ["eth_sign", "eth_signTransaction", "eth_sendTransaction", "personal_unlockAccount", "personal_sign", "evm_mine",
     "evm_snapshot", "anvil_setBalance", "debug_traceTransaction", "admin_nodeInfo", "miner_start", "__class__"],
)  # fmt: skip
def test_there_is_no_method_that_holds_a_key_or_takes_anything_back(wallet: TestClient, method: str) -> None:
    assert wallet.post("/", json=call(method, "0x00")).json()["error"]["code"] == -32601
    assert wallet.post("/", json=call("eth_accounts")).json()["result"] == []


@pytest.mark.parametrize("host", [f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1.evil.example:{PORT}", ""])
def test_a_name_that_was_bent_to_this_machine_gets_nothing(wallet: TestClient, host: str) -> None:
    assert wallet.post("/", json=call("eth_chainId"), headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "https://our.street.evil.example", "chrome-extensions://x"]
)  # fmt: skip
def test_a_page_of_another_site_gets_nothing(wallet: TestClient, origin: str) -> None:
    for answer in (
        wallet.post("/", json=call("eth_chainId"), headers={"origin": origin}),
        wallet.options("/", headers={"origin": origin, "access-control-request-method": "POST"}),
    ):
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", ["https://our.street", "chrome-extension://nkbihfbeogaeaoehlefnkodbefgpgknn"])
def test_our_own_pages_and_wallets_in_browsers_may_ask(wallet: TestClient, origin: str) -> None:
    asked = wallet.options("/", headers={"origin": origin, "access-control-request-method": "POST"})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, origin)
    answer = wallet.post("/", json=call("eth_chainId"), headers={"origin": origin})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_a_browser_sends_without_asking_first_is_not_taken(wallet: TestClient, kind: str) -> None:
    content = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
    assert wallet.post("/", content=content, headers={"content-type": kind}).status_code == 415


def test_a_signed_transaction_comes_in_and_its_receipt_goes_out(wallet: TestClient, ground: Ground) -> None:
    tx = ground.chain.transfer(ALICE, BOB.id, 5)
    told = wallet.post("/", json=call("eth_getTransactionReceipt", "0x" + tx.hex())).json()["result"]
    assert (told["status"], told["to"], told["gasUsed"]) == ("0x1", BOB.id, hex(21_000))
    again = wallet.post("/", json=call("eth_getTransactionByHash", "0x" + tx.hex())).json()["result"]
    assert (again["from"], again["value"]) == (ALICE.id, "0x5")
