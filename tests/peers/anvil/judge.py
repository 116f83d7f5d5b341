"""Hold the port of chains against anvil, and see that what it takes back was never told as final."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from web3 import HTTPProvider
from web3.types import RPCEndpoint

from commonwatt.adapters.chains.rpc import network
from commonwatt.flows.chain_ports import final_events, is_final
from commonwatt.identity.keys import SigningKey
from commonwatt.model import Unreachable
from on_chain import key, probe, put, tell

ROOT = Path(__file__).parents[3]
ANVIL = ROOT / ".peers/anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
RICH = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
"""The first of the accounts that anvil gives coins to, known to everybody."""
PORT = 18_945
URL = f"http://127.0.0.1:{PORT}"


def main() -> int:
    """Judge on Cancun, which the embedded chain runs, and on Shanghai, where the proof-of-stake network ends."""
    for fork in ("cancun", "shanghai"):
        with anvil("--hardfork", fork, "--block-time", "1", "--slots-in-an-epoch", "1"):
            told = {"COMMONWATT_CHAIN": URL, "COMMONWATT_CHAIN_KEY": RICH, "COMMONWATT_CHAIN_FINAL_S": "10"}
            suite = [sys.executable, "-m", "pytest", "tests/conformance/chains", "--durations=3"]
            failed = subprocess.run(suite, cwd=ROOT, env=os.environ | told, check=False).returncode
        if failed:
            return failed
    taken_back()
    print("held")
    return 0


def taken_back() -> None:
    """Let a network take blocks back, and look what was told of them before and after."""
    with anvil("--slots-in-an-epoch", "4"):
        chain, rich = network(URL), SigningKey(bytes.fromhex(RICH))
        contract = put(chain, probe(), 0, by=rich, within_s=5)
        sure = tell(chain, rich, contract, "add", 1, within_s=5)
        ask(RPCEndpoint("anvil_mine"), hex(20))
        assert is_final(chain, sure)
        found, after = final_events(chain, contract, "Plain", 0)
        assert [event.values["number"] for event in found] == [1]
        seen = tell(chain, rich, contract, "add", 2, within_s=5)
        assert chain.events(contract, "Plain", after, chain.head().number)[0].values == {"number": 2}
        assert not is_final(chain, seen) and final_events(chain, contract, "Plain", after)[0] == []
        # Another of the same number takes its place.
        other = key("other")
        ask(RPCEndpoint("anvil_reorg"), 3, [])
        assert chain.receipt(seen.tx) is None
        assert not is_final(chain, seen)
        assert chain.call(contract, "total") == 1
        chain.receipt(chain.transfer(rich, other.id, 10**18), within_s=5)
        tell(chain, other, contract, "add", 3, within_s=5)
        ask(RPCEndpoint("anvil_mine"), hex(20))
        found, _ = final_events(chain, contract, "Plain", after)
        assert [event.values["number"] for event in found] == [3], "what was taken back is never told as final"
        assert not is_final(chain, seen) and is_final(chain, sure)


def ask(method: RPCEndpoint, *params: object) -> None:
    told = HTTPProvider(URL).make_request(method, list(params))
    assert "error" not in told, told


@contextmanager
def anvil(*options: str) -> Iterator[None]:
    with subprocess.Popen([ANVIL, "--port", str(PORT), "--silent", *options]) as process:
        try:
            for _ in range(50):
                try:
                    network(URL)
                    break
                except Unreachable:
                    time.sleep(0.2)
            yield
        finally:
            process.kill()


if __name__ == "__main__":
    sys.exit(main())
