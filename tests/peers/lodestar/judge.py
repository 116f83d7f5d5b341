"""Hold the port of chains against a real proof-of-stake network, and see what it says while finality stalls."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from pos_network import SLOT_S, Network, Node, wait_for

from commonwatt.adapters.chains.rpc import network
from commonwatt.flows.chain_ports import Chain, Contract, final_events, is_final
from on_chain import OPERATOR, probe, put, tell

ROOT = Path(__file__).parents[3]
PEERS = ROOT / ".peers/lodestar"
EPOCH_S = 8 * SLOT_S
FINAL_WITHIN_S = 8 * EPOCH_S
TX_WITHIN_S = 60.0


def main() -> int:
    """Start the network, judge, and end it whatever happens."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = PEERS / "run"
    shutil.rmtree(folder, ignore_errors=True)
    net = Network(PEERS, folder, OPERATOR.id)
    try:
        net.start()
        first, second = net.nodes
        print("two nodes with four validators each are up", flush=True)
        wait_for(first.finalized, 120 + FINAL_WITHIN_S)
        print(f"the network calls block {first.finalized()} final", flush=True)
        if "--stall-only" not in sys.argv and (failed := conforms(first)):
            return failed
        if "--suite-only" not in sys.argv:
            stalls(first, second, net)
    finally:
        net.stop()
    print("held")
    return 0


def conforms(node: Node) -> int:
    """Run the suite that `make test` runs on the embedded chain."""
    told = {
        "COMMONWATT_CHAIN": node.url,
        "COMMONWATT_CHAIN_KEY": OPERATOR._key.secret.hex(),
        "COMMONWATT_CHAIN_FINAL_S": str(FINAL_WITHIN_S),
    }
    suite = [sys.executable, "-m", "pytest", "tests/conformance/chains", "--durations=3"]
    return subprocess.run(suite, cwd=ROOT, env=os.environ | told, check=False).returncode


def stalls(first: Node, second: Node, net: Network) -> None:
    """Kill half of the validators: the chain goes on, nothing more is final; with them back it is again."""
    chain = network(first.url)
    contract = put(chain, probe(), 0, by=OPERATOR, within_s=TX_WITHIN_S)
    before = tell(chain, OPERATOR, contract, "add", 1, within_s=TX_WITHIN_S)
    wait_for(lambda: is_final(chain, before), FINAL_WITHIN_S)
    seen, after = final_events(chain, contract, "Plain", before.block)
    assert [event.values["number"] for event in seen] == [1]

    second.kill()
    print("half of the validators are killed", flush=True)
    time.sleep(2 * EPOCH_S)  # what was justified before may still become final
    stalled = chain.final().number
    receipt = tell(chain, OPERATOR, contract, "add", 2, within_s=TX_WITHIN_S)
    head = chain.head().number
    for _ in range(4 * 8):
        time.sleep(SLOT_S)
        assert chain.final().number == stalled, "nothing becomes final with half of the stake"
        assert not is_final(chain, receipt)
        assert final_events(chain, contract, "Plain", after)[0] == []
    assert chain.head().number > head, "blocks go on"
    print(f"not final: {chain.head().number - stalled} blocks after {stalled}, and the node goes on", flush=True)

    second.start_execution()
    second.start_beacon(net.genesis_hash, net.genesis_s, first)
    print("they are back", flush=True)
    wait_for(lambda: resumed(chain, contract, receipt.block, after), 3 * FINAL_WITHIN_S)
    assert is_final(chain, receipt)
    print(f"final again up to block {chain.final().number}, and what waited is told once", flush=True)


def resumed(chain: Chain, contract: Contract, block: int, after: int) -> bool:
    if chain.final().number < block:
        return False
    events, _ = final_events(chain, contract, "Plain", after)
    assert [event.values["number"] for event in events] == [2]
    return True


if __name__ == "__main__":
    sys.exit(main())
