"""P21: what a checkpoint with five cosignatures costs on chain, whatever the number of members behind it."""

import hashlib
from typing import Any

from benchmarks.figure import Figure, figure
from commonwatt.adapters.chains.contracts.artifact import Fork, artifact
from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.rules import Genesis
from commonwatt.adapters.chains.evm.words import call_data
from commonwatt.adapters.chains.rpc import embedded
from commonwatt.flows.anchoring import gas_per_member
from commonwatt.flows.chain_ports import Chain, Contract, deployed
from commonwatt.flows.crossing_proofs import Point
from commonwatt.identity.eip712 import checkpoint_digest, compact_signature, sign_checkpoint
from commonwatt.identity.keys import SigningKey

GOAL, COSIGNATURES, PERIODS = 150_000, 5, 4
ORIGIN, BEGAN_S, COINS, STAKE, REWARD = "benchmark", 1_700_000_000, 10**24, 10**9, 1_000
OPERATOR = SigningKey.from_seed(b"P21", "operator")
WITNESSES = sorted((SigningKey.from_seed(b"P21", f"{n}") for n in range(COSIGNATURES)), key=lambda one: one.id)


class _Ground:
    """An embedded chain in memory with witnesses who stake, and the clock that it asks."""

    def __init__(self, fork: Fork) -> None:
        balances: dict[str, int] = {one.id: COINS for one in (OPERATOR, *WITNESSES)}
        self.now_s, self.fork = BEGAN_S, fork
        self.chain: Chain = embedded(
            EmbeddedChain(None, Genesis(time_s=BEGAN_S, balances=balances), clock=lambda: self.now_s)
        )
        self.lock = self.put("Timelock", 1, OPERATOR.id, OPERATOR.id)
        self.tsl = self.put("Tsl", OPERATOR.id)
        self.checkpoints = self.put("Checkpoints", self.lock.address, self.tsl.address, ORIGIN, 86_400, REWARD, STAKE)
        for one in WITNESSES:
            admit = self.checkpoints.address, call_data(self.checkpoints.abi, "admit", (one.id, True)), bytes(32)
            self.tell(OPERATOR, self.lock, "schedule", *admit)
            self.now_s += 10
            self.tell(OPERATOR, self.lock, "execute", *admit)
            self.tell(OPERATOR, self.tsl, "transfer", one.id, STAKE)
            self.tell(one, self.tsl, "approve", self.checkpoints.address, STAKE)
            self.tell(one, self.checkpoints, "bond", STAKE)

    def put(self, name: str, *args: Any) -> Contract:
        compiled = artifact(name, self.fork)
        return deployed(self.chain.receipt(self.chain.deploy(OPERATOR, compiled, args)), compiled)

    def tell(self, by: SigningKey, contract: Contract, function: str, *args: Any) -> int:
        """Return the gas that it used."""
        receipt = self.chain.receipt(self.chain.send(by, contract, function, args))
        if receipt is None or not receipt.ok:
            raise SystemExit(f"{function} was not done")
        return receipt.gas

    def anchor(self, first: int) -> list[int]:
        """Anchor some checkpoints and return what each used."""
        return [
            self.tell(OPERATOR, self.checkpoints, "anchor", *_signed(size)) for size in range(first, first + PERIODS)
        ]


def p21() -> Figure:
    """Gas of a checkpoint that five witnesses cosigned, each earning its part; the most of four, Cancun rules.

    The limit is the goal, 150,000.
    """
    ground = _Ground("cancun")
    bare = ground.anchor(1)
    ground.tell(OPERATOR, ground.tsl, "approve", ground.checkpoints.address, 100 * REWARD)
    ground.tell(OPERATOR, ground.checkpoints, "fund", 100 * REWARD)
    rewarded = ground.anchor(1 + PERIODS)
    older = _Ground("shanghai").anchor(1)
    most = max(bare + rewarded)
    return figure(
        "P21", most, "gas", GOAL, cosignatures=COSIGNATURES, without_reward=max(bare), with_reward=max(rewarded[1:]),
        shanghai_without_reward=max(older),
        gas_per_member={str(members): gas_per_member(most, members) for members in (100, 10_000, 1_000_000)},
        limit_is="the goal",
    )  # fmt: skip


def _signed(size: int) -> tuple[Point, list[tuple[int, int]]]:
    roots = [hashlib.sha256(f"{what} {size}".encode()).digest() for what in ("log", "state")]
    told: dict[str, Any] = {
        "origin": ORIGIN,
        "epoch": size,
        "size": size,
        "log_root": roots[0],
        "state_root": roots[1],
    }
    digest = checkpoint_digest(**told)
    signatures = [compact_signature(digest, sign_checkpoint(one, **told), one.id) for one in WITNESSES]
    return (size, size, roots[0], roots[1]), signatures
