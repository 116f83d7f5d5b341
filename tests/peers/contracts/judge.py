"""Sends random transactions to anvil and to py-evm, and looks whether both tell and keep the same."""

import gzip
import http.client
import json
import socket
import subprocess
import sys
import time
from typing import Any

from contract_yard import ACCOUNTS, Yard
from evm_machines import CHAIN_ID, GAS, START_S, Alike, PyEvm, Told
from random_others import deploy_others
from random_transactions import Writer

from commonwatt.adapters.chains.contracts.artifact import Fork, shipped

SHANGHAI_SHARE = 10
"""One in so many is sent under the rules of Shanghai."""


class Anvil:
    """A node of its own on loopback; every transaction gets a block, at the time that was set."""

    def __init__(self, program: str, fork: Fork) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        settings = {"port": port, "chain-id": CHAIN_ID, "hardfork": fork, "gas-limit": 100_000_000, "accounts": 1}
        words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen([program, *words, "--no-mining", "--timestamp", "1", "--silent"])
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._now_s = START_S
        self._wait()
        self._ask(("anvil_autoImpersonateAccount", [True]))
        for who in ACCOUNTS:
            self._ask(("anvil_setBalance", [_hex(who), hex(10**30)]))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def at(self, now_s: int) -> None:
        self._now_s = now_s

    def send(self, sender: bytes, to: bytes, data: bytes) -> Told:
        transaction = {"from": _hex(sender), "data": _hex(data), "gas": hex(GAS), "gasPrice": hex(10**10)}
        if to:
            transaction["to"] = _hex(to)
        sent, _ = self._ask(("eth_sendTransaction", [transaction]), ("evm_mine", [hex(self._now_s)]))
        receipt, traced = self._ask(
            ("eth_getTransactionReceipt", [sent]), ("debug_traceTransaction", [sent, {"tracer": "callTracer"}])
        )
        logs = tuple(
            (_bytes(log["address"]), tuple(_bytes(topic) for topic in log["topics"]), _bytes(log["data"]))
            for log in receipt["logs"]
        )
        succeeded = receipt["status"] == "0x1"
        created = _bytes(receipt["contractAddress"] or "0x") if succeeded and not to else b""
        answer = b"" if created else _bytes(traced.get("output", "0x"))
        return Told(succeeded, answer, logs, int(receipt["gasUsed"], 16), created)

    def slot(self, address: bytes, slot: int) -> int:
        (found,) = self._ask(("eth_getStorageAt", [_hex(address), hex(slot), "latest"]))
        return int(found, 16)

    def storage(self) -> dict[tuple[bytes, int], int]:
        """Return all that is stored anywhere, by contract and slot."""
        (dumped,) = self._ask(("anvil_dumpState", []))
        accounts = json.loads(gzip.decompress(_bytes(dumped)))["accounts"]
        return {
            (_bytes(place), int(slot, 16)): int(value, 16)
            for place, account in accounts.items()
            for slot, value in account.get("storage", {}).items()
            if int(value, 16)
        }

    def _wait(self) -> None:
        until = time.monotonic() + 20
        while True:
            try:
                self._ask(("eth_chainId", []))
                return
            except OSError:
                self._line.close()
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def _ask(self, *calls: tuple[str, list[Any]]) -> list[Any]:
        asked = [
            {"jsonrpc": "2.0", "id": i, "method": method, "params": params} for i, (method, params) in enumerate(calls)
        ]
        self._line.request("POST", "/", json.dumps(asked), {"Content-Type": "application/json"})
        told = sorted(json.loads(self._line.getresponse().read()), key=lambda one: one["id"])
        wrong = [one["error"] for one in told if "error" in one]
        if wrong:
            raise RuntimeError(f"anvil says {wrong} to {[call[0] for call in calls]}")
        return [one["result"] for one in told]


def judge(program: str, fork: Fork, many: int) -> None:
    """Send so many; an assertion fails at the first difference."""
    anvil, ours = Anvil(program, fork), PyEvm(ACCOUNTS, fork)
    try:
        machines = Alike(ours, anvil, gas=True)
        yard = Yard(machines, fork)
        writer = Writer(yard, many, deploy_others(yard, shipped()))
        accepted = 0
        for _ in range(many):
            told = machines.send(*writer.write())
            writer.heard(told)
            accepted += told.succeeded
        kept = {slot: value for slot in machines.slots if (value := ours.slot(*slot))}
        places = {place for place, _ in machines.slots}
        found = {slot: value for slot, value in anvil.storage().items() if slot[0] in places}
        assert found == kept
        print(f"  {fork}: {many} transactions, {accepted} accepted, {len(kept)} words stored: all alike, gas too")
    finally:
        anvil.close()


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


if __name__ == "__main__":
    judge(sys.argv[1], "cancun", int(sys.argv[2]))
    judge(sys.argv[1], "shanghai", int(sys.argv[2]) // SHANGHAI_SHARE)
    print("anvil: held")
