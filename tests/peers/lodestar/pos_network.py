"""Run a real proof-of-stake network on this machine: two nodes with four validators each, minimal preset.

Each node is a beacon node with its validators (lodestar) and an execution client (@ethereumjs/client) behind it. The
beacon nodes gossip with each other; an execution client hears only from its own beacon node.
"""

import json
import os
import subprocess
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHAIN_ID = 733_799
SLOT_S = 3
GAS_LIMIT, BASE_FEE = 30_000_000, 10**9
JWT = "0x" + "11" * 32
FIRST_PORT = 18_600
"""Of the first node; the second's are a hundred above."""


@dataclass
class Node:
    """One beacon node with its validators, and its execution client."""

    network: "Network"
    number: int
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return FIRST_PORT + 100 * self.number

    @property
    def folder(self) -> Path:
        return self.network.folder / f"node-{self.number}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start_execution(self) -> None:
        """Start the execution client and wait until it answers."""
        client = self.network.peers / "el/node_modules/@ethereumjs/client/dist/esm/bin/cli.js"
        self._start(
            "execution",
            ["node", client, "--gethGenesis", self.network.genesis, "--dataDir", self.folder / "execution",
             "--rpc", "--rpcPort", self.port, "--rpcEngine", "--rpcEnginePort", self.port + 1,
             "--jwtSecret", self.network.jwt, "--discDns=false", "--discV4=false", "--port", self.port + 2,
             "--logLevel", "info", "--logFile", "false", "--saveReceipts", "--isSingleNode", "--minPeers", 0],
        )  # fmt: skip
        wait_for(lambda: rpc(self.url, "eth_chainId"), 60)

    def start_beacon(self, genesis_hash: str, genesis_s: int, other: "Node | None" = None) -> None:
        """Start the beacon node with its validators, and let it know the other one."""
        lodestar = self.network.peers / "cl/node_modules/@chainsafe/lodestar/lib/index.js"
        forks = [f"--params.{name}_FORK_EPOCH=0" for name in ("ALTAIR", "BELLATRIX", "CAPELLA")]
        first = 4 * self.number
        self._start(
            "beacon",
            ["node", lodestar, "dev", "--dataDir", self.folder / "beacon", "--genesisValidators", 8,
             "--startValidators", f"{first}..{first + 3}", "--genesisTime", genesis_s,
             "--genesisEth1Hash", genesis_hash, *forks, "--params.TERMINAL_TOTAL_DIFFICULTY=0",
             f"--params.SECONDS_PER_SLOT={SLOT_S}", "--execution.urls", f"http://127.0.0.1:{self.port + 1}",
             "--jwt-secret", self.network.jwt, "--rest.port", self.port + 3, "--rest.namespace", "*",
             "--beaconNodes", f"http://127.0.0.1:{self.port + 3}",
             "--listenAddress", "127.0.0.1", "--port", self.port + 4, "--discoveryPort", self.port + 5,
             "--enr.ip", "127.0.0.1", "--enr.tcp", self.port + 4, "--enr.udp", self.port + 5,
             "--suggestedFeeRecipient", "0x" + "22" * 20,
             "--targetPeers", 4],
        )  # fmt: skip
        wait_for(self.identity, 120)
        if other is not None:
            # Discovery takes no address of this machine for one worth trying.
            peer = other.identity()
            asked = f"peerId={peer['peer_id']}&multiaddr=/ip4/127.0.0.1/tcp/{other.port + 4}"
            post(f"http://127.0.0.1:{self.port + 3}/eth/v1/lodestar/connect_peer?{asked}", {})

    def identity(self) -> Any:
        """Return what the beacon node is called on the network."""
        return ask(f"http://127.0.0.1:{self.port + 3}/eth/v1/node/identity")

    def finalized(self) -> int:
        """Return the number of the last block that the execution client calls final; 0 where it calls none so."""
        with suppress(RuntimeError):
            if found := rpc(self.url, "eth_getBlockByNumber", ["finalized", False]):
                return int(found["number"], 16)
        return 0

    def kill(self) -> None:
        """End all of it, as a power cut does."""
        for process in self.running.values():
            process.kill()
            process.wait()
        self.running = {}

    def _start(self, what: str, command: list[Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        setup = {"NODE_OPTIONS": f"--require {self.network.setup}", "NODE_BACKEND": "js", "LODESTAR_PRESET": "minimal"}
        with (self.folder / f"{what}.log").open("ab") as log:
            self.running[what] = subprocess.Popen(
                list(map(str, command)), cwd=self.folder, env=os.environ | setup, stdout=log, stderr=log
            )


class Network:
    """Two nodes on one genesis.

    Args:
        peers: Where lodestar (`cl`) and the execution client (`el`) are installed.
        folder: Where they may write.
        rich: An address with coins from the beginning.
    """

    def __init__(self, peers: Path, folder: Path, rich: str) -> None:
        self.peers, self.folder = peers, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.genesis, self.jwt, self.setup = folder / "genesis.json", folder / "jwt", folder / "setup.cjs"
        # Node 20 lacks what lodestar's libraries use since they were made for newer ones.
        self.setup.write_text(
            "Promise.withResolvers ??= function () { let a, b; const promise = new this((x, y) => { a = x; b = y })\n"
            "return { promise, resolve: a, reject: b } }\n"
        )
        self.jwt.write_text(JWT)
        self.began_s = int(time.time())
        self.genesis.write_text(json.dumps(genesis(rich, self.began_s)))
        self.nodes = [Node(self, number) for number in range(2)]
        self.genesis_hash = ""
        self.genesis_s = 0

    def start(self) -> None:
        """Start both nodes and return once each has an execution client and a beacon node."""
        for node in self.nodes:
            node.start_execution()
        hashes = {rpc(node.url, "eth_getBlockByNumber", ["0x0", False])["hash"] for node in self.nodes}
        assert len(hashes) == 1, "both begin alike"
        self.genesis_hash = hashes.pop()
        self.genesis_s = int(time.time()) + 30
        first, second = self.nodes
        first.start_beacon(self.genesis_hash, self.genesis_s)
        second.start_beacon(self.genesis_hash, self.genesis_s, first)

    def stop(self) -> None:
        """End everything that was started."""
        for node in self.nodes:
            node.kill()


def genesis(rich: str, time_s: int) -> dict[str, Any]:
    blocks = ("homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul",
              "berlin", "london", "mergeFork")  # fmt: skip
    return {
        "config": {
            "chainId": CHAIN_ID,
            **{f"{name}Block": 0 for name in blocks},
            "shanghaiTime": 0,
            "terminalTotalDifficulty": 0,
            "terminalTotalDifficultyPassed": True,
        },
        "nonce": "0x0",
        "timestamp": hex(time_s),
        "extraData": "0x",
        "gasLimit": hex(GAS_LIMIT),
        "baseFeePerGas": hex(BASE_FEE),
        "difficulty": "0x0",
        "mixHash": "0x" + "00" * 32,
        "coinbase": "0x" + "00" * 20,
        "alloc": {rich: {"balance": hex(10**24)}},
    }


def rpc(url: str, method: str, params: list[Any] | None = None) -> Any:
    """Return a node's answer to a call."""
    told = post(url, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or []})
    if "error" in told:
        raise RuntimeError(str(told["error"]))
    return told["result"]


def post(url: str, body: Any) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def wait_for(asked: Any, within_s: float) -> Any:
    """Ask until there is an answer that is not nothing, and return it."""
    until = time.monotonic() + within_s
    while True:
        try:
            if found := asked():
                return found
        except (OSError, RuntimeError) as error:
            last: object = error
        else:
            last = "nothing"
        if time.monotonic() > until:
            raise TimeoutError(f"no answer within {within_s} s, last was {last}")
        time.sleep(0.5)
