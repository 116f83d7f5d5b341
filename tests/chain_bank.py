"""All contracts of a community on a chain in memory, witnesses with stake, and books on paper to prove from."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Any

import rlp

from commonwatt.adapters.chains.contracts.artifact import Artifact, Fork, artifact
from commonwatt.adapters.chains.embedded.rules import Genesis
from commonwatt.adapters.chains.evm.words import call_data
from commonwatt.flows.chain_ports import Contract, Receipt
from commonwatt.flows.crossing_proofs import bound_proof, point_of
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.tokens.crossed import Crossed, Named
from commonwatt.identity.eip712 import checkpoint_digest, compact_signature, sign_checkpoint
from commonwatt.identity.keys import SigningKey, VerifyingKey, keccak256
from commonwatt.ledger.checkpoint import Checkpoint
from commonwatt.model import MINT, SLOT_SECONDS, AccountId, Commodity, Entry
from on_chain import ALICE, BOB, CAROL, COINS, GENESIS, OPERATOR, Ground, key

NAME = "tiny"
UNBONDING_S, EXIT_AFTER_S, REWARD = 86_400, 14 * 86_400, 1_000
SELL_PERIOD_S, CEILING = 86_400, 10**14
WITNESSES = tuple(sorted((key(f"witness {n}") for n in range(5)), key=lambda one: one.id))
"""In the order in which a contract wants their signatures."""
STAKE, LEAST_BOND = 10**9, 10**8
_CONTRACTS = ("lock", "tsl", "checkpoints", "ergon", "watt", "vault")
_PLACE = TemporaryDirectory()
_BUILT: dict[object, tuple[Path, dict[str, Contract]]] = {}
Signature = tuple[int, int]


class Bank(Ground):
    """The chain with everything deployed; deployed once for all tests that want the same, and copied for each.

    Args:
        fork: Rules that the contracts were compiled for.
        bonded: How many of the witnesses bond.
        witnesses: In the order in which a contract wants their signatures.
        folder: Where the chain lies; in a place that goes with it where none is given.
        backing: How much ERGON and TSL the Vault holds at first.
        bound: Whether the Vault was shown that the ledger names it, by a checkpoint of one leaf.
    """

    def __init__(
        self,
        fork: Fork = "cancun",
        bonded: int = 5,
        witnesses: Sequence[SigningKey] = WITNESSES,
        folder: Path | None = None,
        backing: int = 0,
        bound: bool = False,
    ) -> None:
        self.fork: Fork = fork
        self.passing = None if folder else TemporaryDirectory()
        folder = folder or Path(self.passing.name if self.passing else "") / "chain"
        funded = (OPERATOR, ALICE, BOB, CAROL, *witnesses)
        genesis = Genesis(time_s=GENESIS.time_s, balances={one.id: COINS for one in funded})
        same = fork, bonded, tuple(one.id for one in witnesses), backing, bound
        if same not in _BUILT:
            built = Path(_PLACE.name) / f"{len(_BUILT)}"
            super().__init__(built, genesis)
            self._deploy(witnesses[:bonded])
            if backing:
                self.tell(OPERATOR, self.ergon, "mint", self.vault.address, backing)
                self.tell(OPERATOR, self.tsl, "transfer", self.vault.address, backing)
            if bound:
                state = self.paper({})
                self.anchor(point(1, state), witnesses[:bonded])
                self.bind(state, point(1, state))
            self.embedded.close()
            _BUILT[same] = built, {name: getattr(self, name) for name in _CONTRACTS}
        built, contracts = _BUILT[same]
        copytree(built, folder)
        super().__init__(folder, genesis)
        self.clock.now_s = self.embedded.head.timestamp
        vars(self).update(contracts)

    def _deploy(self, bonded: Sequence[SigningKey]) -> None:
        self.lock = self.made("Timelock", 1, OPERATOR.id, OPERATOR.id)
        self.tsl = self.made("Tsl", OPERATOR.id)
        told = (self.lock.address, self.tsl.address, NAME, UNBONDING_S, REWARD, LEAST_BOND)
        self.checkpoints = self.made("Checkpoints", *told)
        vault = self.coming(2)
        self.ergon = self.made("Ergon", self.lock.address, self.checkpoints.address, vault, SELL_PERIOD_S)
        self.watt = self.made("Watt", vault)
        self.vault = self.made("Vault", self.lock.address, self.checkpoints.address, *self.tokens, EXIT_AFTER_S)
        assert self.vault.address == vault
        self.ruled((self.ergon, "set_seller", OPERATOR.id, CEILING))
        self.join(bonded)

    @property
    def tokens(self) -> tuple[str, str, str]:
        return self.ergon.address, self.watt.address, self.tsl.address

    def made(self, name: str, *args: Any) -> Contract:
        return self.put(self.compiled(name), *args)

    def compiled(self, name: str) -> Artifact:
        return artifact(name, self.fork)

    def coming(self, more: int) -> str:
        """Return where the operator's contract after so many others will be (CREATE: address and number)."""
        nonce = int(self.embedded.nonce(bytes.fromhex(OPERATOR.id[2:])))
        return "0x" + keccak256(rlp.encode([bytes.fromhex(OPERATOR.id[2:]), nonce + more]))[-20:].hex()

    def ruled(self, *calls: tuple[Any, ...]) -> None:
        """Have the Timelock do something after its delay."""
        told = [(to.address, call_data(to.abi, function, args), bytes(32)) for to, function, *args in calls]
        for one in told:
            self.tell(OPERATOR, self.lock, "schedule", *one)
        self.later(2)
        for one in told:
            self.tell(OPERATOR, self.lock, "execute", *one)

    def join(self, witnesses: Sequence[SigningKey], stake: int = STAKE) -> None:
        """Admit witnesses and have them bond."""
        self.ruled(*((self.checkpoints, "admit", one.id, True) for one in witnesses))
        for one in witnesses:
            self.tell(OPERATOR, self.tsl, "transfer", one.id, stake)
            self.tell(one, self.tsl, "approve", self.checkpoints.address, stake)
            self.tell(one, self.checkpoints, "bond", stake)

    def anchor(self, point: Checkpoint, by: Sequence[SigningKey] = WITNESSES) -> Receipt:
        signatures = [signature(one, point) for one in by]
        return self.tell(OPERATOR, self.checkpoints, "anchor", point_of(point), signatures)

    def bind(self, state: State, point: Checkpoint) -> None:
        """Show the Vault that a state which was anchored names it."""
        self.tell(CAROL, self.vault, "bind", *bound_proof(state, point).args())

    def paper(self, balances: Mapping[str, Mapping[Commodity, int]], **more: Any) -> State:
        """Return a state as `paper` does, which names this Vault."""
        return paper(balances, vault=Named(chain_id=self.chain.chain_id, vault=self.vault.address), **more)

    def held(self, token: Contract, who: str | SigningKey | Contract) -> int:
        """Return what somebody has of a token."""
        place = who if isinstance(who, str) else who.id if isinstance(who, SigningKey) else who.address
        found = self.ask(token, "balanceOf", place)
        assert isinstance(found, int)
        return found


def signature(by: SigningKey, point: Checkpoint) -> Signature:
    """Return a witness's signature as a contract takes it."""
    told: dict[str, Any] = {
        "origin": point.origin,
        "epoch": point.slot_s // SLOT_SECONDS,
        "size": point.size,
        "log_root": point.log_root,
        "state_root": point.state_root,
    }
    return compact_signature(checkpoint_digest(**told), sign_checkpoint(by, **told), by.id)


def point(size: int = 10, state: State | None = None, *, slot: int | None = None, log: str = "") -> Checkpoint:
    """Return a checkpoint; its slot has the number of its size where none is given."""
    return Checkpoint(
        origin=NAME,
        size=size,
        log_root=hashlib.sha256(f"log {size} {log}".encode()).digest(),
        state_root=state.root() if state else bytes(32),
        slot_s=(size if slot is None else slot) * SLOT_SECONDS,
    )


def paper(
    balances: Mapping[str, Mapping[Commodity, int]],
    *,
    keys: Mapping[str, SigningKey] | None = None,
    deposits: int = 0,
    refused: Mapping[int, str] | None = None,
    vault: Named | None = None,
) -> State:
    """Return a state with these balances, members with these keys, so many deposits told and these refused, which names
    a Vault."""
    state = State(NAME)
    for account, one in {"chain": key("desk"), **(keys or {})}.items():
        role = "chain" if account == "chain" else "member"
        state.keys.add(VerifyingKey(one.public), role, AccountId(account))
    state.crossed = Crossed([bytes(32)] * deposits)
    state.crossed.refused, state.crossed.vault = dict(refused or {}), vault
    state.registry_version = len(state.keys)
    for account, amounts in balances.items():
        for commodity, amount in amounts.items():
            source, target = (MINT, AccountId(account)) if amount > 0 else (AccountId(account), MINT)
            if amount:
                entry = Entry(
                    commodity=commodity, source=source, target=target, amount=abs(amount), memo="paper", slot_s=0
                )
                state.accounts.post(entry)
    return state
